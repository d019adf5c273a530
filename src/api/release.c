/* release.c: what was captured goes out after all: handed to the queue of the third process, for
 * recipients that whoever started the sandbox has allowed, and for no others. */
#include "api/api_private.h"

#include "sandbox/fault.h"
#include "wire/smtp/address.h"

#include <string.h>

#define BASE "/api/godwit/v1"

enum { RECIPIENTS_MAX_ = 100 };

static const char off[] = "nothing is released: start the sandbox with --relay or --relay-config, "
                          "and --release-to";

bool release_is_on(const struct api *api)
{
    return api->options.queue.len > 0 && api->options.release_to_count > 0;
}

json_t *release_patterns(const struct api *api)
{
    json_t *list = json_array();
    for (size_t i = 0; i < api->options.release_to_count; i++)
        json_array_append_new(list, json_slice(api->options.release_to[i]));
    return list;
}

static bool is_allowed(const struct api *api, struct slice recipient)
{
    for (size_t i = 0; i < api->options.release_to_count; i++)
        if (fault_fits(api->options.release_to[i], recipient))
            return true;
    return false;
}

const char *release_check(const struct api *api, json_t *recipients)
{
    size_t i;
    json_t *one;
    if (!release_is_on(api))
        return off;
    if (!member_texts(recipients) || json_array_size(recipients) == 0 ||
        json_array_size(recipients) > RECIPIENTS_MAX_)
        return "the recipients are a list of 1 to 100 addresses";
    json_array_foreach(recipients, i, one) {
        struct slice address = slice_from_string(json_string_value(one));
        struct smtp_address parsed;
        if (smtp_address_parse(address, SMTP_UTF8_ALLOWED, &parsed) != SMTP_PATH_OK)
            return "a recipient is no address";
        if (!is_allowed(api, address))
            return "a recipient is not among those that --release-to allows";
    }
    return NULL;
}

bool release_begin(struct api *api, struct api_request *r, struct slice id, json_t *recipients,
                   send_done_fn *done)
{
    struct buffer raw;
    json_t *message = box_message(api->options.box, r->workspace, id);
    const char *sender = json_text(json_object_get(message, "envelope"), "from");
    buffer_init(&raw, API_ANSWER_MAX);
    bool is_there = message != NULL && box_raw(api->options.box, r->workspace, id, &raw);
    const struct send_octets wish = { .octets = buffer_slice(&raw), .sender = sender,
                                      .recipients = recipients, .to = &api->options.queue };
    bool answered = is_there ? send_octets(api, r, &wish, done)
                             : answer_error(r, 404, "no such message");
    buffer_free(&raw);
    json_decref(message);
    return answered;
}

static bool on_released(struct api *api, struct api_request *r, const char *why, struct slice id)
{
    (void)api;
    return why != NULL ? answer_error(r, 502, why)
                       : answer_json(r, 200, json_pack("{s:b, s:o}", "released", 1, "queued",
                                                       json_slice(id)));
}

static bool release(struct api *api, struct api_request *r)
{
    static const struct member members[] = {
        { "to", member_texts, "is to be a list of addresses" }, { NULL, NULL, NULL },
    };
    json_t *body = request_json(r, true);
    if (body == NULL || !members_good(r, body, NULL, members)) {
        json_decref(body);
        return true;
    }
    json_t *recipients = json_object_get(body, "to");
    const char *why = release_check(api, recipients);
    bool answered = why != NULL ? answer_error(r, why == off ? 403 : 400, why)
                                : release_begin(api, r, r->arguments[0], recipients, on_released);
    json_decref(body);
    return answered;
}

/* ---- the dialects ---- */

static bool on_mailpit(struct api *api, struct api_request *r, const char *why, struct slice id)
{
    (void)api;
    (void)id;
    return why != NULL ? answer_text(r, 400, why) : answer_text(r, 200, "ok");
}

static bool release_mailpit(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false), *recipients = json_object_get(body, "To");
    const char *why = release_check(api, recipients);
    bool answered = why != NULL ? answer_text(r, 400, why)
                                : release_begin(api, r, r->arguments[0], recipients, on_mailpit);
    json_decref(body);
    return answered;
}

static bool on_mailhog(struct api *api, struct api_request *r, const char *why, struct slice id)
{
    (void)api;
    (void)id;
    return why != NULL ? answer_text(r, 500, why) : answer_text(r, 200, "");
}

/* The server that it names is passed over: it goes where the sandbox may release to. */
static bool release_mailhog(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false);
    json_t *recipients = json_pack("[s]", json_text(body, "email"));
    const char *why = release_check(api, recipients);
    bool answered = why != NULL ? answer_text(r, 400, why)
                                : release_begin(api, r, r->arguments[0], recipients, on_mailhog);
    json_decref(recipients);
    json_decref(body);
    return answered;
}

static bool on_maildev(struct api *api, struct api_request *r, const char *why, struct slice id)
{
    (void)api;
    (void)id;
    return why != NULL ? answer_json(r, 500, json_pack("{s:s}", "error", why))
                       : answer_json(r, 200, json_true());
}

static bool relay_maildev(struct api *api, struct api_request *r, json_t *recipients)
{
    const char *why = release_check(api, recipients);
    bool answered = why != NULL ? answer_json(r, 400, json_pack("{s:s}", "error", why))
                                : release_begin(api, r, r->arguments[0], recipients, on_maildev);
    json_decref(recipients);
    return answered;
}

/* To those whom it was for. */
static bool release_maildev(struct api *api, struct api_request *r)
{
    json_t *message = box_message(api->options.box, r->workspace, r->arguments[0]);
    json_t *to = json_deep_copy(json_object_get(json_object_get(message, "envelope"), "to"));
    json_decref(message);
    return relay_maildev(api, r, to);
}

static bool release_maildev_to(struct api *api, struct api_request *r)
{
    return relay_maildev(api, r, json_pack("[o]", json_slice(r->arguments[1])));
}

const struct api_route release_routes[] = {
    { API_POST, BASE "/messages/*/release", release },
    { API_POST, "/api/v1/message/*/release", release_mailpit },
    { API_POST, "/api/v1/messages/*/release", release_mailhog },
    { API_POST, "/email/*/relay", release_maildev },
    { API_POST, "/email/*/relay/*", release_maildev_to },
    { API_OTHER, NULL, NULL },
};
