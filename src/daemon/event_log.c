/* event_log.c: one line for each event, with the message's id. */
#include "daemon/daemon_private.h"

#include "base/list.h"
#include "log/log.h"

#include <stdio.h>

static const char *const names[] = {
    [MAIL_SESSION_OPENED] = "connect",   [MAIL_SESSION_CLOSED] = "disconnect",
    [MAIL_REFUSED] = "refused",          [MAIL_ACCEPTED] = "accepted",
    [MAIL_DELIVERED] = "delivered",      [MAIL_RELAYED] = "relayed",
    [MAIL_DEFERRED] = "deferred",        [MAIL_FAILED] = "failed",
    [MAIL_DISCARDED] = "discarded",      [MAIL_REPORTED] = "reported",
    [MAIL_SITE_FAILED] = "site-failed",  [MAIL_HELD] = "held",
    [MAIL_SITE_SLOWED] = "site-slowed",  [MAIL_SITE_SUSPENDED] = "site-suspended",
    [MAIL_SITE_RESUMED] = "site-resumed",
    [MAIL_RELEASED] = "released",        [MAIL_DELETED] = "deleted",
    [MAIL_LOGIN] = "login",              [MAIL_LOGIN_FAILED] = "login-failed",
};

static enum log_level level_of(enum mail_event_kind kind)
{
    switch (kind) {
    case MAIL_SESSION_OPENED:
    case MAIL_SESSION_CLOSED:
        return LOG_DEBUG;
    case MAIL_FAILED:
    case MAIL_SITE_FAILED:
    case MAIL_SITE_SLOWED:
    case MAIL_SITE_SUSPENDED:
    case MAIL_LOGIN_FAILED:
        return LOG_WARNING;
    case MAIL_REFUSED:
    case MAIL_ACCEPTED:
    case MAIL_DELIVERED:
    case MAIL_RELAYED:
    case MAIL_DEFERRED:
    case MAIL_DISCARDED:
    case MAIL_REPORTED:
    case MAIL_SITE_RESUMED:
    case MAIL_HELD:
    case MAIL_RELEASED:
    case MAIL_DELETED:
    case MAIL_LOGIN:
        break;
    }
    return LOG_INFO;
}

/* A host that gives less than it has shown before is worth a look. */
static enum log_level level_for(const struct mail_event *e)
{
    enum log_level level = level_of(e->kind);
    bool is_less = e->outcome != NULL && e->outcome->transport.before != TRANSPORT_UNSAID;
    return is_less && level < LOG_WARNING ? LOG_WARNING : level;
}

static void text_if(struct log_line *line, const char *key, struct slice value)
{
    if (value.len > 0)
        log_text(line, key, value);
}

static void put_outcome(struct log_line *line, const struct outcome *o)
{
    char bytes[16];
    struct buffer status = { .memory = bytes, .capacity = sizeof bytes,
                             .max = sizeof bytes };
    if (o->code != 0)
        log_number(line, "code", o->code);
    smtp_status_append(&status, o->status);
    text_if(line, "status", buffer_slice(&status));
    text_if(line, "reply", o->text);
}

/* What was wanted of the way out, and what was had. */
static void put_transport(struct log_line *line, const struct transport_facts *t)
{
    if (t->wanted == TRANSPORT_UNSAID)
        return;
    log_string(line, "tls_wanted", transport_level_text(t->wanted));
    if (t->why != NULL && t->wanted != TRANSPORT_OPPORTUNISTIC)
        log_string(line, "tls_wanted_by", t->why);
    if (t->promise != TRANSPORT_NO_PROMISE)
        log_string(line, "tls_promise", transport_promise_text(t->promise));
    if (t->failure != TRANSPORT_NO_FAILURE)
        log_string(line, "tls_failure", transport_failure_text(t->failure));
    log_string(line, "tls", t->version == NULL ? "none" : t->version);
    if (t->version != NULL) {
        log_string(line, "cipher", t->cipher);
        log_flag(line, "tls_verified", t->had == TRANSPORT_VERIFIED);
        log_flag(line, "tls_resumed", t->is_resumed);
    }
    if (t->trouble != NULL)
        log_string(line, "tls_trouble", t->trouble);
    if (t->before != TRANSPORT_UNSAID)
        log_string(line, "tls_before", transport_level_text(t->before));
    if (t->is_authenticated)
        log_flag(line, "authenticated", true);
}

static void put_delivery(struct log_line *line, const struct mail_event *e)
{
    switch (e->kind) {
    case MAIL_DELIVERED:
    case MAIL_RELAYED:
    case MAIL_DEFERRED:
    case MAIL_FAILED:
    case MAIL_DISCARDED:
        log_number(line, "delay_ms", e->delay_ms);
        log_number(line, "attempts", e->attempts);
        break;
    case MAIL_SESSION_OPENED:
    case MAIL_SESSION_CLOSED:
    case MAIL_REFUSED:
    case MAIL_ACCEPTED:
    case MAIL_REPORTED:
    case MAIL_SITE_FAILED:
    case MAIL_SITE_SLOWED:
    case MAIL_SITE_SUSPENDED:
    case MAIL_SITE_RESUMED:
    case MAIL_HELD:
    case MAIL_RELEASED:
    case MAIL_DELETED:
    case MAIL_LOGIN:
    case MAIL_LOGIN_FAILED:
        break;
    }
    if (e->kind == MAIL_DEFERRED)
        log_number(line, "retry_in_s",
                   (e->next_due_wall_ms - e->at.wall_ms + 999) / 1000);
}

static void tell_console(const struct mail_event *e)
{
    struct buffer b;
    char id[MAIL_ID_CHARACTERS + 1];
    buffer_init(&b, 4096);
    buffer_append(&b, SLICE("godwit: captured "));
    buffer_append_string(&b, mail_id_text(e->id, id));
    buffer_append(&b, SLICE(" for <"));
    buffer_append_escaped(&b, e->recipient);
    buffer_append(&b, SLICE("> in "));
    buffer_append_escaped(&b, e->outcome->remote);
    buffer_append_byte(&b, '\n');
    fwrite(b.memory, 1, buffer_len(&b), stdout);
    fflush(stdout);
    buffer_free(&b);
}

static void on_event(struct event_sink *sink, const struct mail_event *e)
{
    struct event_log *log = container_of(sink, struct event_log, sink);
    struct log_line line;
    char id[MAIL_ID_CHARACTERS + 1];
    if (log->tells_console && e->kind == MAIL_DELIVERED && e->outcome != NULL)
        tell_console(e);
    log_begin(&line, level_for(e), names[e->kind]);
    if (!line.wanted)
        return;
    if (e->id.value != 0)
        log_string(&line, "id", mail_id_text(e->id, id));
    if (e->session_id != 0)
        log_number(&line, "session", (int64_t)e->session_id);
    text_if(&line, "peer", e->peer);
    text_if(&line, "helo", e->helo);
    text_if(&line, "account", e->account);
    text_if(&line, "tls", e->tls_version);
    text_if(&line, "cipher", e->tls_cipher);
    if (e->id.value != 0)
        log_text(&line, "from", e->sender);
    text_if(&line, "to", e->recipient);
    if (e->kind == MAIL_ACCEPTED) {
        log_number(&line, "size", (int64_t)e->size);
        if (e->envelope->priority != 0)
            log_number(&line, "priority", e->envelope->priority);
        log_number(&line, "recipients", (int64_t)e->envelope->recipients_count);
        if (e->envelope->recipients_count > 0)
            log_text(&line, "to", e->envelope->recipients[0].address);
    }
    if (e->kind == MAIL_REFUSED)
        text_if(&line, "verb", e->text);
    else if (e->kind == MAIL_SITE_FAILED || e->kind == MAIL_SITE_SLOWED ||
             e->kind == MAIL_SITE_SUSPENDED || e->kind == MAIL_SITE_RESUMED)
        text_if(&line, "site", e->text);
    else if (e->kind == MAIL_REPORTED)
        text_if(&line, "report", e->text);
    else if (e->kind == MAIL_LOGIN || e->kind == MAIL_LOGIN_FAILED)
        text_if(&line, "mechanism", e->text);
    put_delivery(&line, e);
    if (e->outcome != NULL && e->kind != MAIL_ACCEPTED) {
        put_outcome(&line, e->outcome);
        put_transport(&line, &e->outcome->transport);
    }
    log_end(&line);
}

void event_log_init(struct event_log *log, bool tells_console)
{
    *log = (struct event_log){ .sink.emit = on_event, .tells_console = tells_console };
}
