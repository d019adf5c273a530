/* transfer.c: what libcurl is told about one request, and what its end means.
 *
 * Nothing of the environment counts: no proxy, no netrc, no names of this machine. The
 * address of each socket is looked at before it is made; the body and the header are
 * counted as they come.
 */
#include "base/must.h"
#include "http/http_private.h"

#include <errno.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEADER_MAX = 64 * 1024, TYPE_MAX = 256, URL_MAX = 4096, RESOLVED_MAX = 2048 };

static bool fail(struct http_request *r, enum http_result result, const char *text)
{
    r->result = result;
    snprintf(r->trouble, sizeof r->trouble, "%s", text);
    return false;
}

/* ---- while it goes on ---- */

static size_t on_body(char *bytes, size_t one, size_t count, void *context)
{
    struct http_transfer *t = context;
    buffer_append(&t->request->answer, slice_make(bytes, one * count));
    t->is_too_large = t->request->answer.overflow;
    return t->is_too_large ? 0 : one * count;
}

static size_t on_header(char *bytes, size_t one, size_t count, void *context)
{
    struct http_transfer *t = context;
    (void)bytes;
    t->header_bytes += one * count;
    t->is_too_large = t->header_bytes > HEADER_MAX;
    return t->is_too_large ? 0 : one * count;
}

static bool is_given(const struct http_request *r, const struct net_address *address)
{
    for (size_t i = 0; i < r->addresses_count; i++)
        if (net_address_equal_host(&r->addresses[i], address))
            return true;
    return false;
}

static bool is_allowed(const struct http_transfer *t, const struct net_address *address)
{
    return t->request->is_of_operator || egress_is_allowed(address, &t->options->egress);
}

static curl_socket_t on_socket(void *context, curlsocktype purpose,
                               struct curl_sockaddr *address)
{
    struct http_transfer *t = context;
    struct net_address to;
    memset(&to, 0, sizeof to);
    if (purpose != CURLSOCKTYPE_IPCXN || address->addrlen > sizeof to.storage)
        return CURL_SOCKET_BAD;
    memcpy(&to.storage, &address->addr, address->addrlen);
    to.len = address->addrlen;
    if (!is_given(t->request, &to) || !is_allowed(t, &to)) {
        t->is_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Only DNS names of the certificate count (RFC 6125 6.4): never its common name. */
static CURLcode on_context(CURL *easy, void *context, void *argument)
{
    const struct http_transfer *t = argument;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    (void)easy;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool is_set = X509_VERIFY_PARAM_set1_ip_asc(param, t->host) == 1 ||
                  X509_VERIFY_PARAM_set1_host(param, t->host, 0) == 1;
    return is_set ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* ---- making it ---- */

struct url_parts {
    char *scheme;
    char *host;
    char *port;
};

static void free_parts(struct url_parts *p)
{
    curl_free(p->scheme);
    curl_free(p->port);
    curl_free(p->host);
}

/* Whoever asks frees the parts in any case. */
static bool read_parts(const char *text, bool allows_clear, struct url_parts *out)
{
    CURLU *url = curl_url();
    *out = (struct url_parts){ NULL, NULL, NULL };
    bool good = url != NULL && text != NULL &&
                curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &out->scheme, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_HOST, &out->host, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_PORT, &out->port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                (strcmp(out->scheme, "https") == 0 ||
                 (allows_clear && strcmp(out->scheme, "http") == 0));
    curl_url_cleanup(url);
    return good;
}

static struct slice without_brackets(const char *host)
{
    struct slice name = slice_from_string(host);
    return name.len > 1 && name.data[0] == '[' ? slice_part(name, 1, name.len - 2) : name;
}

bool http_host(struct slice url, bool allows_clear, struct buffer *out)
{
    struct url_parts parts = { NULL, NULL, NULL };
    char *text = url.len <= URL_MAX ? slice_to_string(url) : NULL;
    bool good = read_parts(text, allows_clear, &parts);
    if (good) {
        buffer_append(out, without_brackets(parts.host));
        good = buffer_reserve(out, 1) != NULL;
    }
    if (good)
        *buffer_reserve(out, 1) = '\0';
    free_parts(&parts);
    free(text);
    return good && !out->overflow;
}

/* Scheme, host and port of the URL. */
static bool read_url(struct http_transfer *t, unsigned long *out_port)
{
    struct http_request *r = t->request;
    struct url_parts parts = { NULL, NULL, NULL };
    t->url = r->url.len <= URL_MAX ? slice_to_string(r->url) : NULL;
    bool good = read_parts(t->url, r->allows_clear, &parts);
    if (good) {
        t->host = slice_to_string(without_brackets(parts.host));
        *out_port = strtoul(parts.port, NULL, 10);
        good = t->host != NULL;
    }
    free_parts(&parts);
    return good || fail(r, HTTP_INVALID, "this is no URL that can be asked");
}

/* "+host:port:address,address": no resolver is asked, and none of it is kept for long. */
static bool set_resolved(struct http_transfer *t, unsigned long port)
{
    struct http_request *r = t->request;
    struct buffer text;
    struct net_address literal;
    size_t allowed = 0;
    buffer_init(&text, RESOLVED_MAX);
    buffer_append_format(&text, "+%s:%lu:", t->host, port);
    for (size_t i = 0; i < r->addresses_count && i < HTTP_ADDRESSES_MAX; i++) {
        const struct net_address *a = &r->addresses[i];
        if (!is_allowed(t, a))
            continue;
        bool is_v6 = a->any.sa_family == AF_INET6;
        buffer_append_string(&text, allowed++ > 0 ? "," : "");
        buffer_append_string(&text, is_v6 ? "[" : "");
        net_host_append(&text, a);
        buffer_append_string(&text, is_v6 ? "]" : "");
    }
    buffer_append_byte(&text, '\0');
    bool is_literal = net_host_parse(slice_from_string(t->host), 0, &literal);
    if (allowed > 0 && !text.overflow && !is_literal)
        t->resolved = curl_slist_append(NULL, buffer_slice(&text).data);
    buffer_free(&text);
    if (allowed == 0)
        return fail(r, HTTP_REFUSED, r->addresses_count == 0
                                         ? "the host has no address"
                                         : "the host's addresses are not to be connected to");
    return is_literal || t->resolved != NULL || fail(r, HTTP_INVALID, "there is no memory for it");
}

static bool add_fields(struct http_transfer *t)
{
    struct http_request *r = t->request;
    if (r->fields_count > HTTP_FIELDS_MAX)
        return fail(r, HTTP_INVALID, "there are too many fields");
    for (size_t i = 0; i < r->fields_count; i++) {
        char *field = slice_to_string(r->fields[i]);
        bool is_line = field != NULL && strpbrk(field, "\r\n") == NULL;
        struct curl_slist *more = is_line ? curl_slist_append(t->fields, field) : NULL;
        free(field);
        if (more == NULL)
            return fail(r, HTTP_INVALID, "a field is not one line of text");
        t->fields = more;
    }
    return true;
}

static const char *issuers(const struct http_options *options)
{
    const char *other = secure_getenv("SSL_CERT_FILE");
    if (options->ca_file != NULL)
        return options->ca_file;
    return other != NULL ? other : "/etc/ssl/certs/ca-certificates.crt";
}

static bool set_limits(struct http_transfer *t)
{
    CURL *e = t->easy;
    return curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)t->request->timeout_ms) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_RESOLVE, t->resolved) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
}

static bool set_tls(struct http_transfer *t)
{
    CURL *e = t->easy;
    const char *schemes = t->request->allows_clear ? "https,http" : "https";
    return curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, schemes) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CAINFO, issuers(t->options)) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, t) == CURLE_OK;
}

static bool set_content(struct http_transfer *t)
{
    CURL *e = t->easy;
    const struct http_request *r = t->request;
    if (curl_easy_setopt(e, CURLOPT_URL, t->url) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->fields) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_USERAGENT, "godwit/" GODWIT_VERSION) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_PRIVATE, t->request) != CURLE_OK)
        return false;
    if (r->method != NULL && strcmp(r->method, "HEAD") == 0)
        return curl_easy_setopt(e, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (r->method != NULL && curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method) != CURLE_OK)
        return false;
    return r->body.data == NULL ||
           (curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len) ==
                CURLE_OK &&
            curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body.data) == CURLE_OK);
}

bool http_transfer_make(struct http_request *request, const struct http_options *options,
                        struct http_transfer **out)
{
    struct http_transfer *t = calloc(1, sizeof *t);
    unsigned long port;
    if (t == NULL)
        return fail(request, HTTP_INVALID, "there is no memory for it");
    t->request = request;
    t->options = options;
    buffer_init(&request->answer, request->answer_max);
    buffer_init(&request->type, TYPE_MAX);
    buffer_init(&request->location, URL_MAX);
    bool good = read_url(t, &port) && set_resolved(t, port) && add_fields(t);
    if (good) {
        t->easy = curl_easy_init();
        good = (t->easy != NULL && set_limits(t) && set_tls(t) && set_content(t)) ||
               fail(request, HTTP_INVALID, "the request cannot be made");
    }
    if (good)
        *out = t;
    else
        http_transfer_free(&t);
    return good;
}

void http_transfer_free(struct http_transfer **transfer)
{
    struct http_transfer *t = *transfer;
    *transfer = NULL;
    if (t == NULL)
        return;
    if (t->easy != NULL)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->fields);
    curl_slist_free_all(t->resolved);
    free(t->url);
    free(t->host);
    free(t);
}

/* ---- its end ---- */

static enum http_result result_of(const struct http_transfer *t, CURLcode code)
{
    if (t->is_too_large)
        return HTTP_TOO_LARGE;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return HTTP_TIMEOUT;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
        code == CURLE_SSL_CACERT_BADFILE)
        return HTTP_UNTRUSTED;
    return t->is_refused ? HTTP_REFUSED : HTTP_UNREACHABLE;
}

static const char *usual_words(enum http_result result)
{
    switch (result) {
    case HTTP_TOO_LARGE:
        return "the answer is too large";
    case HTTP_TIMEOUT:
        return "it took too long";
    case HTTP_REFUSED:
        return "the host's addresses are not to be connected to";
    case HTTP_ANSWERED:
    case HTTP_INVALID:
    case HTTP_UNREACHABLE:
    case HTTP_UNTRUSTED:
    case HTTP_CANCELLED:
        break;
    }
    return NULL;
}

void http_transfer_judge(struct http_transfer *t, CURLcode code)
{
    struct http_request *r = t->request;
    char *type = NULL, *location = NULL;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    r->status = code == CURLE_OK || t->is_too_large ? (unsigned)status : 0;
    if (code != CURLE_OK) {
        enum http_result result = result_of(t, code);
        const char *usual = usual_words(result);
        const char *words = t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
        fail(r, result, usual != NULL ? usual : words);
        buffer_free(&r->answer);
        return;
    }
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &location);
    buffer_append_string(&r->type, type == NULL ? "" : type);
    buffer_append_string(&r->location, location == NULL ? "" : location);
    r->result = HTTP_ANSWERED;
}
