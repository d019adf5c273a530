/* sandbox_ask.c: one request, one answer, on a loop of its own. */
#include "cli/sandbox_ask.h"

#include "cli/show.h"
#include "event/loop.h"
#include "http/http.h"
#include "net/address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { URL_MAX_ = 4096, ANSWER_MAX = 64 * 1024 * 1024, HOST_MAX_ = 256 };

#define URL_DEFAULT "http://127.0.0.1:8025"

struct asking {
    struct loop *loop;
    struct http *http;
    struct http_request request;
};

static void on_answer(struct http_request *request)
{
    loop_stop(container_of(request, struct asking, request)->loop);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void sandbox_parameter(struct buffer *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buffer_append_byte(path, slice_find(buffer_slice(path), '?') == SLICE_NOT_FOUND ? '?' : '&');
    buffer_append_string(path, name);
    buffer_append_byte(path, '=');
    for (; *value != '\0'; value++)
        if (is_plain(*value))
            buffer_append_byte(path, *value);
        else
            buffer_append_format(path, "%%%02X", (unsigned char)*value);
}

/* Of scheme://host[:port]/...: the addresses that the machine knows for the host. */
static size_t find_addresses(const char *url, struct net_address out[HTTP_ADDRESSES_MAX])
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    const char *start = strstr(url, "://");
    char host[HOST_MAX_];
    size_t len, count = 0;
    if (start == NULL)
        return 0;
    start += 3;
    bool bracket = *start == '[';
    len = bracket ? strcspn(++start, "]") : strcspn(start, ":/");
    if (len == 0 || len >= sizeof host)
        return 0;
    memcpy(host, start, len);
    host[len] = '\0';
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return 0;
    for (struct addrinfo *a = found; a != NULL && count < HTTP_ADDRESSES_MAX; a = a->ai_next) {
        memset(&out[count], 0, sizeof out[count]);
        memcpy(&out[count].storage, a->ai_addr, a->ai_addrlen);
        out[count++].len = a->ai_addrlen;
    }
    freeaddrinfo(found);
    return count;
}

static const char *said_or(const char *said, const char *variable, const char *otherwise)
{
    const char *value = said != NULL ? said : getenv(variable);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

static int run(struct asking *a, const char *base, unsigned *out_status, json_t **out)
{
    http_ask(a->http, &a->request);
    loop_run(a->loop);
    if (a->request.result != HTTP_ANSWERED) {
        cli_complain("no sandbox answers at %s: %s", base, a->request.trouble);
        return EX_UNAVAILABLE;
    }
    *out_status = a->request.status;
    *out = json_loadb(buffer_slice(&a->request.answer).data, buffer_len(&a->request.answer),
                      JSON_DECODE_ANY, NULL);
    return 0;
}

int sandbox_ask(const struct sandbox_question *q, unsigned *out_status, json_t **out)
{
    const char *base = said_or(q->url, "GODWIT_SANDBOX", URL_DEFAULT);
    const char *key = said_or(q->key, "GODWIT_SANDBOX_KEY", "");
    struct net_address addresses[HTTP_ADDRESSES_MAX];
    struct http_options options = { .egress = { .allow_loopback = true, .allow_private = true } };
    struct asking a = { .loop = NULL };
    struct buffer url, field;
    size_t base_len = strlen(base), count = find_addresses(base, addresses);
    if (count == 0) {
        cli_complain("'%s' is no URL of a host that can be found, such as " URL_DEFAULT, base);
        return EX_USAGE;
    }
    buffer_init(&url, URL_MAX_);
    buffer_init(&field, URL_MAX_);
    while (base_len > 0 && base[base_len - 1] == '/')
        base_len--;
    buffer_append(&url, slice_make(base, base_len));
    buffer_append_string(&url, "/api/godwit/v1");
    buffer_append(&url, q->path);
    buffer_append_format(&field, "x-api-key: %s", key);
    char *body = q->body == NULL ? NULL : json_dumps(q->body, JSON_COMPACT);
    const struct slice fields[] = { SLICE("Content-Type: application/json"),
                                    buffer_slice(&field) };
    int code = EX_OSERR;
    if (!url.overflow && loop_open(&a.loop) == ERR_OK && http_open(&options, &a.http) == ERR_OK) {
        a.request = (struct http_request){
            .home = loop_home(a.loop), .done = on_answer, .url = buffer_slice(&url),
            .addresses = addresses, .addresses_count = count, .fields = fields,
            .fields_count = key[0] == '\0' ? 1 : 2, .body = slice_from_string(body),
            .method = q->method, .answer_max = ANSWER_MAX, .is_of_operator = true,
            .allows_clear = true, .timeout_ms = (uint32_t)q->timeout_ms,
        };
        code = run(&a, base, out_status, out);
    }
    http_request_clear(&a.request);
    http_close(&a.http);
    loop_close(&a.loop);
    free(body);
    buffer_free(&url);
    buffer_free(&field);
    return code;
}

void sandbox_print_rows(json_t *list, const char *first, const char *second)
{
    struct buffer line;
    size_t i;
    json_t *one;
    buffer_init(&line, ANSWER_MAX);
    json_array_foreach(list, i, one) {
        buffer_clear(&line);
        show_text(&line, json_string_value(json_object_get(one, first)));
        buffer_append_byte(&line, '\t');
        show_text(&line, json_string_value(json_object_get(one, second)));
        buffer_append_byte(&line, '\n');
        fwrite(buffer_slice(&line).data, 1, buffer_len(&line), stdout);
    }
    buffer_free(&line);
}

int sandbox_complain(unsigned status, json_t *answer)
{
    const char *why = json_string_value(json_object_get(answer, "message"));
    cli_complain("%s", why != NULL ? why : "the sandbox has no such thing");
    return status == 404 ? EX_NOHOST : status == 400 ? EX_USAGE : EX_UNAVAILABLE;
}
