/* webhook_body.c: what a webhook is sent, and how it is signed.
 *
 * Ours is signed as "Standard Webhooks" 1.0 says: HMAC-SHA-256 over id, time and body, with the
 * secret behind "whsec_" in base64, so that the libraries of that name can check it. */
#include "api/webhook_private.h"

#include "base/base64.h"
#include "content/found.h"
#include "crypto/hmac.h"

#include <stdlib.h>
#include <string.h>

enum { SECRET_MAX = 256, MESSAGE_ID_MAX = 256 };

static const char *dialect_of(const struct hook_job *job)
{
    return json_text(job->hook, "dialect");
}

/* With what is found in the message, while it is there. */
static json_t *own_data(struct api *api, const struct hook_job *job)
{
    struct api_request r = { .workspace = job->workspace };
    json_t *data = json_deep_copy(job->data), *created = json_object_get(data, "created");
    struct opened o;
    if (job->event != HOOK_RECEIVED)
        return data;
    json_object_set_new(data, "created", json_time(json_integer_value(created)));
    if (message_open(api, &r, slice_from_string(json_text(data, "id")), &o)) {
        json_t *codes = own_codes(&o);
        json_object_set(data, "code", json_object_get(codes, "code"));
        json_object_set_new(data, "links", own_links(&o));
        json_decref(codes);
    }
    message_close(&o);
    return data;
}

static json_t *own_body(struct api *api, const struct hook_job *job)
{
    return json_pack("{s:s, s:s, s:o, s:s, s:o}", "id", job->uid, "type",
                     hook_event_name(job->event), "timestamp", json_time(job->created_ms),
                     "webhook", json_text(job->hook, "id"), "data", own_data(api, job));
}

static int append(const char *text, size_t len, void *context)
{
    buffer_append(context, slice_make(text, len));
    return 0;
}

bool webhook_body(struct api *api, const struct hook_job *job, struct buffer *out)
{
    const char *dialect = dialect_of(job);
    json_t *made = strcmp(dialect, "mailslurp") == 0 ? mailslurp_webhook_body(api, job)
                   : strcmp(dialect, "mailpit") == 0 ? mailpit_summary(job->data)
                                                     : own_body(api, job);
    bool good = made != NULL && json_dump_callback(made, append, out, JSON_COMPACT) == 0;
    json_decref(made);
    return good && !out->overflow;
}

bool webhook_wants(struct api *api, const struct hook_job *job)
{
    json_t *match = json_object_get(job->hook, "match");
    const char *id = json_text(job->data, "id");
    if (match == NULL || job->event == HOOK_TEST || id[0] == '\0')
        return true;
    json_t *message = box_message(api->options.box, job->workspace, slice_from_string(id));
    bool wants = match_message(match, message == NULL ? job->data : message);
    json_decref(message);
    return wants;
}

/* ---- header ---- */

/* "whsec_" and base64, or as it is. */
static bool read_secret(const char *secret, struct buffer *out)
{
    struct slice text = slice_from_string(secret);
    if (slice_starts_with_nocase(text, SLICE("whsec_")) && base64_decode(slice_from(text, 6), out))
        return true;
    buffer_clear(out);
    buffer_append(out, text);
    return !out->overflow;
}

static bool sign(struct slice key, struct slice text, struct buffer *out)
{
    uint8_t octets[HMAC_BYTES];
    if (hmac_make(key, text, octets) != ERR_OK)
        return false;
    base64_append(out, slice_make((const char *)octets, sizeof octets));
    return !out->overflow;
}

static bool sign_own(const struct hook_job *job, struct slice body, int64_t seconds,
                     struct buffer *out)
{
    struct buffer key, text;
    buffer_init(&key, SECRET_MAX);
    buffer_init(&text, API_ANSWER_MAX);
    buffer_append_format(&text, "%s.%lld.", job->uid, (long long)seconds);
    buffer_append(&text, body);
    bool good = !text.overflow && read_secret(json_text(job->hook, "secret"), &key) &&
                sign(buffer_slice(&key), buffer_slice(&text), out);
    buffer_free(&key);
    buffer_free(&text);
    return good;
}

bool webhook_mailslurp_sign(struct api *api, struct slice id, struct buffer *out)
{
    return sign(api->options.secret, slice_part(id, 0, MESSAGE_ID_MAX), out);
}

struct writer {
    struct webhook_fields *out;
    size_t from;
};

static void begin(struct writer *w, const char *name)
{
    w->from = buffer_len(&w->out->text);
    buffer_append_string(&w->out->text, name);
    buffer_append_string(&w->out->text, ": ");
}

/* Places are told when the text has stopped growing. */
static void end(struct writer *w)
{
    struct webhook_fields *f = w->out;
    if (f->count < WEBHOOK_FIELDS_MAX)
        f->all[f->count++] = slice_make(NULL, buffer_len(&f->text) - w->from);
    else
        f->text.overflow = true;
}

static void add(struct writer *w, const char *name, const char *value)
{
    begin(w, name);
    buffer_append_string(&w->out->text, value);
    end(w);
}

static void add_wished(struct writer *w, const struct hook_job *job)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(job->hook, "headers"), name, value)
        add(w, name, json_string_value(value));
}

static bool is_wished(const struct hook_job *job, const char *field)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(job->hook, "headers"), name, value)
        if (strcasecmp(name, field) == 0)
            return true;
    return false;
}

static bool add_signed(struct writer *w, const struct hook_job *job, struct slice body,
                       int64_t seconds)
{
    add(w, "webhook-id", job->uid);
    begin(w, "webhook-timestamp");
    buffer_append_format(&w->out->text, "%lld", (long long)seconds);
    end(w);
    begin(w, "webhook-signature");
    buffer_append_string(&w->out->text, "v1,");
    bool good = sign_own(job, body, seconds, &w->out->text);
    end(w);
    return good;
}

bool webhook_fields(struct api *api, const struct hook_job *job, struct slice body,
                    int64_t now_ms, struct webhook_fields *out)
{
    struct writer w = { .out = out };
    bool good = true;
    out->count = 0;
    buffer_init(&out->text, WEBHOOK_FIELD_ROOM);
    if (!is_wished(job, "Content-Type"))
        add(&w, "Content-Type", "application/json");
    if (!is_wished(job, "User-Agent"))
        add(&w, "User-Agent", "godwit/" GODWIT_VERSION);
    if (strcmp(dialect_of(job), "mailslurp") == 0) {
        add(&w, "x-event", json_text(job->hook, "eventName"));
        add(&w, "x-message-id", job->uid);
        begin(&w, "x-signature");
        good = webhook_mailslurp_sign(api, slice_from_string(job->uid), &out->text);
        end(&w);
    }
    if (strcmp(dialect_of(job), "mailpit") == 0 && api->options.label.len > 0) {
        begin(&w, "Mailpit-Label");
        buffer_append(&out->text, api->options.label);
        end(&w);
    }
    good = good && add_signed(&w, job, body, now_ms / 1000);
    add_wished(&w, job);
    const char *at = out->text.memory;
    for (size_t i = 0; i < out->count; i++) {
        out->all[i].data = at;
        at += out->all[i].len;
    }
    return good && !out->text.overflow;
}
