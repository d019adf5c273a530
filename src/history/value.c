/* value.c: an entry as JSON, for people and programs. */
#include "history/history_private.h"

#include "base/utf8.h"

static const char *const names[ENTRY_TAGS] = {
    [ENTRY_SESSION] = "session", [ENTRY_SIZE] = "size", [ENTRY_ATTEMPTS] = "attempts",
    [ENTRY_DELAY] = "delay_ms", [ENTRY_NEXT] = "next", [ENTRY_CODE] = "code",
    [ENTRY_RECIPIENTS] = "recipients", [ENTRY_CONNECT] = "connect_ms",
    [ENTRY_HANDSHAKE] = "tls_ms", [ENTRY_TRANSACTION] = "transaction_ms",
    [ENTRY_LOST] = "count", [ENTRY_PEER] = "peer", [ENTRY_HELO] = "helo",
    [ENTRY_ACCOUNT] = "account", [ENTRY_FROM] = "from", [ENTRY_REPLY] = "reply",
    [ENTRY_SITE] = "site", [ENTRY_MESSAGE_ID] = "message_id", [ENTRY_TLS] = "tls",
    [ENTRY_CIPHER] = "cipher", [ENTRY_TLS_WHY] = "tls_wanted_by",
    [ENTRY_TLS_TROUBLE] = "tls_trouble", [ENTRY_TEXT] = "text",
};

const char *history_event_name(enum mail_event_kind kind)
{
    switch (kind) {
    case MAIL_ACCEPTED: return "accepted";
    case MAIL_DELIVERED: return "delivered";
    case MAIL_RELAYED: return "relayed";
    case MAIL_DEFERRED: return "deferred";
    case MAIL_FAILED: return "bounced";
    case MAIL_DISCARDED: return "discarded";
    case MAIL_REPORTED: return "reported";
    case MAIL_SITE_FAILED: return "site-failed";
    case MAIL_SITE_SLOWED: return "site-slowed";
    case MAIL_SITE_SUSPENDED: return "site-suspended";
    case MAIL_SITE_RESUMED: return "site-resumed";
    case MAIL_HELD: return "held";
    case MAIL_RELEASED: return "released";
    case MAIL_DELETED: return "deleted";
    case MAIL_SESSION_OPENED: return "connect";
    case MAIL_SESSION_CLOSED: return "disconnect";
    case MAIL_REFUSED: return "refused";
    case MAIL_LOGIN: return "login";
    case MAIL_LOGIN_FAILED: return "login-failed";
    }
    return "unknown";
}

static const char *name_of(unsigned kind)
{
    if (kind == ENTRY_KIND_LOST)
        return "lost";
    if (kind == ENTRY_KIND_REPORT_OF)
        return "report-of";
    return history_event_name((enum mail_event_kind)kind);
}

/* JSON strings are UTF-8: what is not is escaped, as in logs. */
static json_t *text_value(struct slice text)
{
    if (utf8_is_valid(text))
        return json_stringn(text.data == NULL ? "" : text.data, text.len);
    struct buffer b;
    buffer_init(&b, text.len * 4 + 1);
    buffer_append_escaped(&b, text);
    json_t *value = json_stringn(b.memory == NULL ? "" : b.memory, buffer_len(&b));
    buffer_free(&b);
    return value;
}

static json_t *status_value(uint64_t packed)
{
    char bytes[32];
    struct buffer b = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct smtp_status status = { (uint8_t)(packed >> 32), (uint16_t)(packed >> 16),
                                  (uint16_t)packed };
    smtp_status_append(&b, status);
    return text_value(buffer_slice(&b));
}

static void set_said(json_t *o, const char *key, const char *text)
{
    if (text[0] != '\0')
        json_object_set_new(o, key, json_string(text));
}

static void set_to(json_t *o, unsigned kind, struct slice address)
{
    if (kind != MAIL_ACCEPTED) {
        json_object_set_new(o, "to", text_value(address));
        return;
    }
    if (json_object_get(o, "to") == NULL)
        json_object_set_new(o, "to", json_array());
    json_array_append_new(json_object_get(o, "to"), text_value(address));
}

/* Those whose value is more than a number or a text. */
static bool set_other(json_t *o, unsigned kind, const struct entry_field *f)
{
    switch ((unsigned)f->tag) {
    case ENTRY_STATUS:
        json_object_set_new(o, "status", status_value(f->number));
        return true;
    case ENTRY_REMOTE_REPLY:
        json_object_set_new(o, "said_by_peer", json_true());
        return true;
    case ENTRY_HELD:
        json_object_set_new(o, "held", json_true());
        return true;
    case ENTRY_REUSED:
        json_object_set_new(o, "connection_reused", json_true());
        return true;
    case ENTRY_TLS_RESUMED:
        json_object_set_new(o, "tls_resumed", json_true());
        return true;
    case ENTRY_TLS_WANTED:
        if (f->number <= TRANSPORT_VERIFIED)
            set_said(o, "tls_wanted", transport_level_text((enum transport_level)f->number));
        return true;
    case ENTRY_TLS_HAD:
        if (f->number <= TRANSPORT_VERIFIED)
            set_said(o, "tls_had", transport_level_text((enum transport_level)f->number));
        return true;
    case ENTRY_TLS_PROMISE:
        if (f->number <= TRANSPORT_STS_TESTING)
            set_said(o, "tls_promise",
                     transport_promise_text((enum transport_promise)f->number));
        return true;
    case ENTRY_TLS_FAILURE:
        if (f->number <= TRANSPORT_DNSSEC_INVALID)
            set_said(o, "tls_failure",
                     transport_failure_text((enum transport_failure)f->number));
        return true;
    case ENTRY_TO:
        set_to(o, kind, f->text);
        return true;
    }
    return false;
}

json_t *entry_value(struct entry_reader *r, struct slice entry, uint64_t number, uint64_t id)
{
    unsigned kind;
    int64_t wall_ms;
    struct entry_field f;
    char text[MAIL_ID_CHARACTERS + 1];
    entry_begin(r, entry, &kind, &wall_ms);
    json_t *o = json_pack("{s:I,s:I,s:s}", "cursor", (json_int_t)number, "time",
                          (json_int_t)wall_ms, "event", name_of(kind));
    if (o != NULL && id != 0)
        json_object_set_new(o, "id", json_string(mail_id_text((struct mail_id){ id }, text)));
    while (o != NULL && entry_next(r, &f)) {
        const char *name = names[f.tag];
        if (set_other(o, kind, &f) || name == NULL)
            continue;
        json_object_set_new(o, name, f.tag >= ENTRY_TEXTS
                                         ? text_value(f.text)
                                         : json_integer((json_int_t)(f.number & INT64_MAX)));
    }
    if (r->failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

json_t *history_event_value(const struct mail_event *event)
{
    char bytes[ENTRY_MAX] __attribute__((uninitialized));
    struct buffer entry = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct entry_reader r = { .failed = false };
    entry_append(&entry, event);
    if (entry.overflow)
        return NULL;
    json_t *value = entry_value(&r, buffer_slice(&entry), 0, event->id.value);
    json_object_del(value, "cursor");
    if (value != NULL && event->sender.len > 0 && utf8_is_valid(event->sender))
        json_object_set_new(value, "from", text_value(event->sender));
    return value;
}
