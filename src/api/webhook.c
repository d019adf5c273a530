/* webhook.c: webhooks in our own API: asked for, shown, paused, tested. */
#include "api/webhook_private.h"

#include "api/reach.h"
#include "base/base64.h"
#include "crypto/password.h"

#include <stdlib.h>
#include <string.h>

#define BASE "/api/godwit/v1"

enum { SECRET_BYTES = 32, URL_MAX = 2000, HEADERS_MAX = 16, SECRET_TEXT_MAX = 200 };

/* ---- asked for ---- */

bool webhook_is_url(const json_t *value)
{
    const char *text = json_string_value(value);
    struct buffer host;
    buffer_init(&host, URL_MAX);
    bool good = text != NULL && strlen(text) <= URL_MAX &&
                http_host(slice_from_string(text), true, &host);
    buffer_free(&host);
    return good;
}

static bool is_events(const json_t *value)
{
    size_t i;
    json_t *one;
    if (!member_texts(value) || json_array_size(value) == 0)
        return false;
    json_array_foreach((json_t *)value, i, one) {
        enum hook_event event = hook_event_of(slice_from_string(json_string_value(one)));
        if (event == 0 || event == HOOK_TEST)
            return false;
    }
    return true;
}

static bool is_match(const json_t *value)
{
    return json_is_object(value) && match_check((json_t *)value) == NULL;
}

/* token of RFC 9110 5.6.2; but what says where the request ends, or that it is ours. */
static bool is_field_name(const char *name)
{
    static const char *const ours[] = { "Host", "Content-Length", "Transfer-Encoding", "Connection",
        "Expect", "webhook-id", "webhook-timestamp", "webhook-signature" };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcasecmp(ours[i], name) == 0)
            return false;
    return name[0] != '\0' && strlen(name) <= 100 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "!#$%&'*+-.^_`|~") == strlen(name);
}

bool webhook_are_headers(const json_t *value)
{
    const char *name;
    json_t *one;
    if (!json_is_object(value) || json_object_size(value) > HEADERS_MAX)
        return false;
    json_object_foreach((json_t *)value, name, one) {
        const char *text = json_string_value(one);
        if (text == NULL || !is_field_name(name) || strlen(text) > 500)
            return false;
        for (size_t i = 0; text[i] != '\0'; i++)
            if ((unsigned char)text[i] < ' ' || text[i] == 127)
                return false;
    }
    return true;
}

static bool is_secret(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) >= 16 &&
           json_string_length(value) <= SECRET_TEXT_MAX;
}

static bool is_tries(const json_t *value)
{
    return member_count(value) && json_integer_value(value) >= 1 &&
           json_integer_value(value) <= HOOK_TRIES_MAX;
}

static bool is_backoff(const json_t *value)
{
    return member_duration(value) && json_duration(value) >= 1 &&
           json_duration(value) <= HOOK_BACKOFF_MAX_MS;
}

static json_t *make_secret(void)
{
    uint8_t octets[SECRET_BYTES];
    struct buffer b;
    json_t *made = NULL;
    buffer_init(&b, SECRET_TEXT_MAX);
    buffer_append_string(&b, "whsec_");
    if (crypto_random(octets, sizeof octets) == ERR_OK) {
        base64_append(&b, slice_make((const char *)octets, sizeof octets));
        made = json_slice(buffer_slice(&b));
    }
    buffer_free(&b);
    return made;
}

/* What was not said is as it is for most. */
static void complete(json_t *wish)
{
    json_t *backoff = json_object_get(wish, "backoff");
    json_object_set_new(wish, "backoff_ms",
                        json_integer(backoff == NULL ? WEBHOOK_BACKOFF_DEFAULT_MS
                                                     : (json_int_t)json_duration(backoff)));
    json_object_del(wish, "backoff");
    if (json_object_get(wish, "tries") == NULL)
        json_object_set_new(wish, "tries", json_integer(WEBHOOK_TRIES_DEFAULT));
    if (json_object_get(wish, "events") == NULL)
        json_object_set_new(wish, "events", json_pack("[s]", hook_event_name(HOOK_RECEIVED)));
    if (json_object_get(wish, "secret") == NULL)
        json_object_set_new(wish, "secret", make_secret());
}

json_t *webhook_add(struct api *api, struct api_request *r, json_t *wish, const char **out_why)
{
    if (reach_range(api->reach) == REACH_NONE) {
        *out_why = "no webhook may be told: start the sandbox with --egress loopback, private or "
                   "any";
        return NULL;
    }
    complete(wish);
    return box_hook_add(api->options.box, r->workspace, wish, out_why);
}

static json_t *shown(json_t *hook)
{
    json_t *created = json_object_get(hook, "created");
    json_object_set_new(hook, "created", json_time(json_integer_value(created)));
    return hook;
}

bool webhook_missing(struct api_request *r)
{
    return answer_error(r, 404, "no such webhook");
}

static bool create(struct api *api, struct api_request *r)
{
    static const struct member members[] = {
        { "url", webhook_is_url, "is to be a URL of http or https" },
        { "events", is_events, "is to be a list of message.received, message.updated, "
                               "message.deleted, message.bounced, session.refused" },
        { "inbox", member_text, "is to be a text" }, { "name", member_text, "is to be a text" },
        { "match", is_match, "is to be a match as for waiting" },
        { "headers", webhook_are_headers, "is to be an object of at most 16 texts, none of them of "
                                          "the connection's own" },
        { "secret", is_secret, "is to be a text of 16 to 200 characters" },
        { "tries", is_tries, "is to be a number from 1 to 30" },
        { "backoff", is_backoff, "is to be a duration such as 1s, at most 1h" },
        { NULL, NULL, NULL },
    };
    json_t *body = request_json(r, true), *made = NULL;
    const char *why = NULL;
    if (body == NULL || !members_good(r, body, NULL, members)) {
        json_decref(body);
        return true;
    }
    if (json_object_get(body, "url") == NULL)
        why = "'url' is needed";
    else
        made = webhook_add(api, r, body, &why);
    json_decref(body);
    bool is_off = reach_range(api->reach) == REACH_NONE;
    return made != NULL ? answer_json(r, 201, shown(made))
                        : answer_error(r, is_off ? 403 : 400, why);
}

static bool list(struct api *api, struct api_request *r)
{
    json_t *hooks = box_hooks(api->options.box, r->workspace), *hook;
    size_t i;
    json_array_foreach(hooks, i, hook)
        shown(hook);
    return answer_json(r, 200, json_pack("{s:o}", "webhooks", hooks));
}

static bool get(struct api *api, struct api_request *r)
{
    json_t *hook = box_hook(api->options.box, r->workspace, r->arguments[0]);
    return hook == NULL ? webhook_missing(r) : answer_json(r, 200, shown(hook));
}

static bool change(struct api *api, struct api_request *r)
{
    static const struct member members[] = {
        { "paused", member_flag, "is to be true or false" }, { NULL, NULL, NULL },
    };
    json_t *body = request_json(r, true), *paused = json_object_get(body, "paused");
    if (body == NULL || !members_good(r, body, NULL, members)) {
        json_decref(body);
        return true;
    }
    if (paused != NULL)
        box_hook_pause(api->options.box, r->workspace, r->arguments[0], json_is_true(paused));
    json_decref(body);
    return get(api, r);
}

static bool delete_one(struct api *api, struct api_request *r)
{
    return box_hook_delete(api->options.box, r->workspace, r->arguments[0])
               ? answer_json(r, 200, json_pack("{s:b}", "deleted", 1)) : webhook_missing(r);
}

static bool test(struct api *api, struct api_request *r)
{
    json_t *id = box_hook_test(api->options.box, r->workspace, r->arguments[0]);
    return id == NULL ? webhook_missing(r)
                      : answer_json(r, 202, json_pack("{s:o}", "delivery", id));
}

const struct api_route webhook_routes[] = {
    { API_POST, BASE "/webhooks", create },
    { API_GET, BASE "/webhooks", list },
    { API_GET, BASE "/webhooks/*", get },
    { API_PATCH, BASE "/webhooks/*", change },
    { API_DELETE, BASE "/webhooks/*", delete_one },
    { API_POST, BASE "/webhooks/*/test", test },
    { API_OTHER, NULL, NULL },
};
