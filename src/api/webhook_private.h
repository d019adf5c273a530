/* webhook_private.h: webhooks: asked for (webhook.c), what they are sent (webhook_body.c), and
 * sent (webhook_send.c). */
#ifndef GODWIT_API_WEBHOOK_PRIVATE_H
#define GODWIT_API_WEBHOOK_PRIVATE_H

#include "api/api_private.h"
#include "sandbox/hook.h"

enum { WEBHOOK_TRIES_DEFAULT = 8, WEBHOOK_BACKOFF_DEFAULT_MS = 1000 };

/* What is sent: of the dialect that the webhook was asked for in. */
bool webhook_body(struct api *api, const struct hook_job *job, struct buffer *out);

enum { WEBHOOK_FIELDS_MAX = 24, WEBHOOK_FIELD_ROOM = 16 * 1024 };

struct webhook_fields {
    struct slice all[WEBHOOK_FIELDS_MAX];
    size_t count;
    struct buffer text;          /* that they lie in */
};
/* Of the header: signed at `now_ms`. Free the text in any case. */
bool webhook_fields(struct api *api, const struct hook_job *job, struct slice body,
                    int64_t now_ms, struct webhook_fields *out);

/* Whether what happened is what the webhook wants: its `match`. */
bool webhook_wants(struct api *api, const struct hook_job *job);

/* MailSlurp's signature of a message's id, in base64. */
bool webhook_mailslurp_sign(struct api *api, struct slice id, struct buffer *out);

/* webhook.c: adds one for the workspace, with what was not said as for most: {url, events, tries,
 * backoff, secret, ..}, of which the caller has had a look at the types. As box_hook_add(). */
json_t *webhook_add(struct api *api, struct api_request *r, json_t *wish, const char **out_why);
bool webhook_is_url(const json_t *value);
bool webhook_are_headers(const json_t *value);
bool webhook_missing(struct api_request *r); /* 404 */

/* webhook_log.c: waits until so many deliveries of the webhook in r->arguments[0] are in that
 * state; as api_handle(). */
typedef bool webhook_waited_fn(struct api *api, struct api_request *r, enum hook_state state,
                               bool is_met);
struct webhook_wish {
    enum hook_state state;
    uint64_t count;
    int64_t timeout_ms;
    webhook_waited_fn *done;
};
bool webhook_wait(struct api *api, struct api_request *r, const struct webhook_wish *wish);

/* mailslurp_webhook.c */
json_t *mailslurp_webhook_body(struct api *api, const struct hook_job *job);

#endif
