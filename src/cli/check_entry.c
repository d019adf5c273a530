/* check_entry.c: what is evaluated of one entry: a whole message, or SPF alone, or DMARC
 * alone. */
#include "cli/check_private.h"

#include "wire/message/header.h"

static struct slice text_or(const json_t *entry, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(entry, key);
    return json_is_string(value)
               ? slice_make(json_string_value(value), json_string_length(value))
               : slice_from_string(otherwise);
}

enum { HEADER_MAX = 2 * 1024 * 1024 };

#define NOW_MAX 9e15 /* that a real number tells to the second */

static json_t *wrong(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

/* The envelope's sender may be said with its brackets. */
static struct slice without_brackets(struct slice path)
{
    if (path.len < 2 || path.data[0] != '<' || path.data[path.len - 1] != '>')
        return path;
    return slice_part(path, 1, path.len - 2);
}

/* Seconds since 1970, as a whole number or not. */
static bool read_now(const json_t *now, int64_t *out)
{
    double real = json_number_value(now);
    if (json_is_integer(now))
        *out = json_integer_value(now);
    else if (json_is_real(now) && real > -NOW_MAX && real < NOW_MAX)
        *out = (int64_t)real;
    else
        return now == NULL || json_is_null(now);
    return true;
}

/* NULL, or what is wrong with it. */
static const char *read_spf_request(const struct check_settings *settings, const json_t *entry,
                             struct spf_request *out, bool *out_has_client)
{
    int64_t now_s = settings->now_s;
    bool is_good = read_now(json_object_get(entry, "now"), &now_s);
    struct slice ip = text_or(entry, "ip", settings->ip);
    *out = (struct spf_request){
        .helo = text_or(entry, "helo", settings->helo),
        .mail_from = without_brackets(text_or(entry, "mail_from", settings->mail_from)),
        .receiver = slice_from_string(settings->authserv_id),
        .now_s = now_s,
    };
    *out_has_client = ip.len > 0;
    if (!is_good)
        return "\"now\" is no number of seconds";
    return ip.len == 0 || spf_client_parse(ip, &out->client) ? NULL : "\"ip\" is no address";
}

static void take_for_spf(void *context, const struct lookup_answer *answer)
{
    spf_answer(context, answer);
}

static json_t *check_spf(struct check_source *source, const struct spf_request *request)
{
    struct lookup_question question;
    struct spf *spf;
    json_t *result = NULL;
    bool answered = true;
    if (spf_begin(request, &spf) != ERR_OK)
        return NULL;
    while (answered && spf_next(spf, &question))
        answered = check_ask(source, &question, take_for_spf, spf);
    if (answered)
        result = json_pack("{s:o}", "spf", verdict_spf(spf));
    spf_free(&spf);
    return result;
}

/* {"domain": "example.com", "result": "pass"} */
static struct dmarc_identifier read_identifier(const json_t *object)
{
    struct slice result = text_or(object, "result", NULL);
    return (struct dmarc_identifier){
        .domain = text_or(object, "domain", NULL),
        .evidence = slice_equal_nocase(result, SLICE("pass"))        ? DMARC_CONFIRMED
                    : slice_equal_nocase(result, SLICE("temperror")) ? DMARC_UNDECIDED
                                                                     : DMARC_REFUTED,
    };
}

/* The value of a From field, or a domain, or a list of such: one a field. */
static void read_from(const json_t *value, struct dmarc_from *out)
{
    if (json_is_array(value)) {
        if (json_array_size(value) != 1) {
            out->result = json_array_size(value) == 0 ? DMARC_FROM_ABSENT
                                                      : DMARC_FROM_SEVERAL;
            return;
        }
        value = json_array_get(value, 0);
    }
    struct slice text = slice_make(json_string_value(value), json_string_length(value));
    if (slice_find(text, '@') == SLICE_NOT_FOUND)
        dmarc_from_read_domain(text, out);
    else
        dmarc_from_read_value(text, out);
}

static void take_for_dmarc(void *context, const struct lookup_answer *answer)
{
    dmarc_answer(context, answer);
}

static json_t *check_dmarc(struct check_source *source, const json_t *entry)
{
    struct dmarc_identifier dkim[DMARC_SIGNATURES_MAX];
    struct dmarc_from from = { .result = DMARC_FROM_OK };
    struct dmarc_request request = {
        .from = &from, .spf = read_identifier(json_object_get(entry, "spf")), .dkim = dkim
    };
    const json_t *list = json_object_get(entry, "dkim");
    for (size_t i = 0; i < json_array_size(list) && i < DMARC_SIGNATURES_MAX; i++)
        dkim[request.dkim_count++] = read_identifier(json_array_get(list, i));
    read_from(json_object_get(entry, "header_from"), &from);
    struct lookup_question question;
    struct dmarc *dmarc;
    json_t *result = NULL;
    bool answered = true;
    if (dmarc_begin(&request, &dmarc) != ERR_OK)
        return NULL;
    while (answered && dmarc_next(dmarc, &question))
        answered = check_ask(source, &question, take_for_dmarc, dmarc);
    if (answered)
        result = json_pack("{s:o}", "dmarc", verdict_dmarc(dmarc));
    dmarc_free(&dmarc);
    return result;
}

static void take_for_message(void *context, const struct lookup_answer *answer)
{
    auth_answer(context, answer);
}

json_t *check_message(struct check_source *source, const struct check_settings *settings,
                      const json_t *entry, struct slice message)
{
    struct spf_request spf;
    bool has_client;
    const char *fault = read_spf_request(settings, entry, &spf, &has_client);
    if (fault != NULL)
        return wrong(fault);
    struct slice body = message;
    struct header_scan scan;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    if (message.len - body.len > HEADER_MAX)
        return wrong("the header is larger than 2 MiB");
    struct auth_request request = {
        .spf = has_client ? &spf : NULL, .now_s = spf.now_s,
        .header = slice_part(message, 0, message.len - body.len),
    };
    struct lookup_question question;
    struct auth *auth;
    json_t *result = NULL;
    bool answered = true;
    if (auth_begin(&request, &auth) != ERR_OK)
        return NULL;
    auth_body(auth, body);
    answered = auth_body_end(auth) == ERR_OK;
    while (answered && auth_next(auth, &question))
        answered = check_ask(source, &question, take_for_message, auth);
    if (answered)
        result = verdict_message(auth, slice_from_string(settings->authserv_id));
    auth_free(&auth);
    return result;
}

static json_t *check_given_message(struct check_source *source,
                                   const struct check_settings *settings,
                                   const json_t *entry)
{
    const char *file = json_string_value(json_object_get(entry, "file"));
    struct buffer message;
    json_t *result;
    buffer_init(&message, CHECK_MESSAGE_MAX);
    const char *failure = NULL;
    if (file != NULL)
        failure = check_message_read(file, &message);
    else if (!check_message_from_text(text_or(entry, "message", ""), &message))
        failure = CHECK_TOO_LARGE;
    if (failure == NULL)
        result = check_message(source, settings, entry, buffer_slice(&message));
    else
        result = json_pack("{s:s+}", "error", "the message cannot be read: ", failure);
    buffer_free(&message);
    return result;
}

json_t *check_entry(struct check_source *source, const struct check_settings *settings,
                    const json_t *entry)
{
    const json_t *zone = json_object_get(entry, "zone");
    if (zone != NULL && !json_is_object(zone))
        return wrong("\"zone\" is no object");
    check_source_begin(source, zone);
    if (json_is_string(json_object_get(entry, "file")) ||
        json_is_string(json_object_get(entry, "message")))
        return check_given_message(source, settings, entry);
    if (json_object_get(entry, "header_from") != NULL)
        return check_dmarc(source, entry);
    struct spf_request request;
    bool has_client;
    const char *fault = read_spf_request(settings, entry, &request, &has_client);
    if (fault != NULL)
        return wrong(fault);
    if (!has_client)
        return wrong("there is no message, no \"ip\" and no \"header_from\"");
    return check_spf(source, &request);
}
