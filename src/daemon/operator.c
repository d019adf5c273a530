/* operator.c: what the command-line tools ask, carried out on the queue's thread. */
#include "daemon/engine_private.h"

#include "base/utf8.h"
#include "wire/smtp/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LIST_LIMIT_MAX = 1000, HEADER_MAX = 64 * 1024 };

/* JSON strings are UTF-8: what is not is escaped, as in logs. */
json_t *operator_text(struct slice text)
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

struct lister {
    struct engine *engine;
    struct control_call *call;
    struct mail_id last;
    struct message_view *view;   /* of the message being listed */
    size_t left;                 /* messages that may still begin */
    size_t shown;
    bool more;
    json_t *gathered;            /* in place of the call */
};

static json_t *recipient_value(struct lister *l, const struct queue_recipient_info *r)
{
    static const struct slice nobody = { 0 };
    char bytes[16];
    struct buffer status = { .memory = bytes, .capacity = sizeof bytes,
                             .max = sizeof bytes };
    smtp_status_append(&status, r->status);
    bool known = l->view != NULL && r->index < l->view->envelope.recipients_count;
    struct slice address = known ? l->view->envelope.recipients[r->index].address : nobody;
    return json_pack("{s:i,s:o,s:o,s:o,s:s,s:i,s:i,s:o,s:o,s:I,s:b}",
                     "index", (int)r->index, "address", operator_text(address),
                     "domain", operator_text(r->domain), "site", operator_text(r->site),
                     "state", r->state == RECIPIENT_HELD ? "held" : "queued",
                     "attempts", (int)r->attempts, "code", (int)r->code,
                     "status", operator_text(buffer_slice(&status)),
                     "reason", operator_text(r->reason),
                     "next", (json_int_t)r->next_due_wall_ms, "in_flight", (int)r->in_flight);
}

static bool list_one(void *context, const struct queue_message_info *m,
                     const struct queue_recipient_info *r)
{
    struct lister *l = context;
    char id[MAIL_ID_CHARACTERS + 1];
    if (!mail_id_equal(l->last, m->id)) {
        if (l->left == 0) {
            l->more = true;
            return false;
        }
        l->left--;
        l->last = m->id;
        message_close(&l->view);
        if (message_open(spool_source(l->engine->spool), m->id, &l->view) != ERR_OK)
            l->view = NULL;
    }
    l->shown++;
    control_say(l->call,
                json_pack("{s:s,s:I,s:I,s:o,s:I,s:o}", "id", mail_id_text(m->id, id),
                          "received", (json_int_t)m->received_wall_ms,
                          "size", (json_int_t)m->content_size,
                          "sender", operator_text(m->sender),
                          "recipients", (json_int_t)m->recipients_count,
                          "recipient", recipient_value(l, r)));
    return true;
}

struct slice operator_string(const json_t *request, const char *key)
{
    const char *text = json_string_value(json_object_get(request, key));
    return slice_from_string(text);
}

/* What a request says of the recipients that are meant; `room` is for the domain. */
static struct queue_filter filter_of(const json_t *request, struct buffer *room)
{
    struct slice domain = operator_string(request, "domain");
    bool is_below = slice_starts_with_nocase(domain, SLICE("*."));
    struct queue_filter filter = {
        .site = operator_string(request, "site"), .sender = operator_string(request, "sender"),
        .reason = operator_string(request, "reason"),
        .older_ms = json_integer_value(json_object_get(request, "older_ms")),
    };
    buffer_append(room, is_below ? SLICE("*.") : slice_make(NULL, 0));
    filter.domain = smtp_domain_canonical(is_below ? slice_from(domain, 2) : domain, room)
                        ? buffer_slice(room) : domain;
    return filter;
}

static void queue_list(struct engine *e, struct control_call *call, const json_t *request)
{
    struct mail_id after = { 0 };
    json_int_t limit = json_integer_value(json_object_get(request, "limit"));
    char id[MAIL_ID_CHARACTERS + 1];
    mail_id_parse(operator_string(request, "after"), &after);
    if (limit < 1 || limit > LIST_LIMIT_MAX)
        limit = LIST_LIMIT_MAX;
    struct lister l = { .engine = e, .call = call, .left = (size_t)limit, .last = after };
    struct buffer room;
    buffer_init(&room, 1024);
    struct queue_filter filter = filter_of(request, &room);
    queue_each(e->queue, &filter, after, list_one, &l);
    buffer_free(&room);
    message_close(&l.view);
    control_done(call, NULL, json_pack("{s:b,s:s}", "more", (int)l.more, "after",
                                       l.last.value == 0 ? "" : mail_id_text(l.last, id)));
}

static void say_header(struct engine *e, struct control_call *call, struct mail_id id)
{
    struct message_view *view;
    struct buffer b;
    size_t len = 0;
    if (message_open(spool_source(e->spool), id, &view) != ERR_OK)
        return;
    buffer_init(&b, HEADER_MAX * 2);
    buffer_append(&b, view->prefix);
    char *room = buffer_reserve(&b, HEADER_MAX);
    if (room != NULL && message_read(view, 0, room, HEADER_MAX, &len) == ERR_OK)
        buffer_added(&b, len);
    struct slice text = buffer_slice(&b);
    const char *end = text.len == 0 ? NULL : memmem(text.data, text.len, "\r\n\r\n", 4);
    if (end != NULL)
        text.len = (size_t)(end - text.data) + 2;
    control_say(call, json_pack("{s:o}", "header", operator_text(text)));
    buffer_free(&b);
    message_close(&view);
}

static void queue_show(struct engine *e, struct control_call *call, const json_t *request)
{
    struct mail_id id;
    struct lister l = { .engine = e, .call = call, .left = 1 };
    if (!mail_id_parse(operator_string(request, "id"), &id)) {
        control_done(call, "that is no message id", NULL);
        return;
    }
    say_header(e, call, id);
    queue_each(e->queue, &(struct queue_filter){ .id = id }, (struct mail_id){ 0 }, list_one, &l);
    message_close(&l.view);
    control_done(call, l.shown > 0 ? NULL : "no such message", NULL);
}

static bool gather_one(void *context, const struct queue_message_info *m,
                       const struct queue_recipient_info *r)
{
    struct lister *l = context;
    (void)m;
    json_array_append_new(l->gathered, recipient_value(l, r));
    return true;
}

json_t *operator_recipients(struct engine *e, struct mail_id id)
{
    struct lister l = { .engine = e, .gathered = json_array() };
    if (message_open(spool_source(e->spool), id, &l.view) != ERR_OK)
        l.view = NULL;
    queue_each(e->queue, &(struct queue_filter){ .id = id }, (struct mail_id){ 0 }, gather_one, &l);
    message_close(&l.view);
    return l.gathered;
}

static void queue_change(struct engine *e, struct control_call *call, const json_t *request,
                         enum queue_action action)
{
    struct mail_id id = { 0 };
    bool all = json_is_true(json_object_get(request, "all"));
    if (!all && !mail_id_parse(operator_string(request, "id"), &id)) {
        control_done(call, "that is no message id", NULL);
        return;
    }
    char who[32];
    if (control_uid(call) == 0)
        snprintf(who, sizeof who, "root");
    else
        snprintf(who, sizeof who, "uid %u", (unsigned)control_uid(call));
    e->acting = who;
    struct buffer room;
    buffer_init(&room, 1024);
    struct queue_filter filter = filter_of(request, &room);
    filter.id = id;
    struct queue_acted acted = queue_act(e->queue, &filter, action);
    buffer_free(&room);
    e->acting = NULL;
    control_done(call, NULL, json_pack("{s:I,s:I}", "changed", (json_int_t)acted.messages,
                                       "in_flight", (json_int_t)acted.in_flight));
}

static void status(struct engine *e, struct control_call *call)
{
    struct queue_stats s = queue_stats(e->queue);
    struct history_counts counts = { .told = 0 };
    size_t sessions = 0;
    if (e->history != NULL)
        counts = history_counts(e->history);
    for (uint32_t i = 0; i < e->loops_count; i++)
        sessions += session_host_count(e->loops[i].host);
    control_done(call, NULL,
                 json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
                           "hostname", operator_text(e->start->hostname),
                           "pid", (json_int_t)getpid(),
                           "messages", (json_int_t)s.messages,
                           "recipients", (json_int_t)s.recipients,
                           "waiting", (json_int_t)s.waiting, "ready", (json_int_t)s.ready,
                           "in_flight", (json_int_t)s.in_flight,
                           "held", (json_int_t)s.held, "sites", (json_int_t)s.sites,
                           "idle_connections", (json_int_t)s.connections_idle,
                           "sessions", (json_int_t)sessions,
                           "alarms", (json_int_t)s.alarms,
                           "events", (json_int_t)counts.told,
                           "events_lost", (json_int_t)counts.lost));
}

static json_t *take_text(struct buffer *b)
{
    json_t *value = operator_text(buffer_slice(b));
    buffer_free(b);
    return value;
}

static json_t *certificate_value(const struct certificate *c, struct slice file)
{
    enum { TEXT_MAX = 64 * 1024 };
    struct buffer texts[4];
    for (size_t i = 0; i < 4; i++)
        buffer_init(&texts[i], TEXT_MAX);
    certificate_describe(c, &(struct certificate_facts){ &texts[0], &texts[1], &texts[2],
                                                         &texts[3] });
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:I,s:I}", "names", take_text(&texts[0]),
                     "issuer", take_text(&texts[1]), "key", take_text(&texts[2]),
                     "fingerprint", take_text(&texts[3]), "file", operator_text(file),
                     "begins", (json_int_t)certificate_begins_wall_ms(c),
                     "expires", (json_int_t)certificate_expires_wall_ms(c));
}

static void certificates(struct engine *e, struct control_call *call)
{
    const struct engine_shown *shown = &e->shown;
    for (size_t i = 0; i < shown->count; i++)
        control_say(call, certificate_value(shown->certificates[i],
                                            shown->config->certificates_count > i
                                                ? shown->config->certificates[i].cert
                                                : SLICE("made by godwit itself")));
    control_done(call, NULL, NULL);
}

void operator_handle(void *context, struct control_call *call, const json_t *request)
{
    static const struct { const char *name; enum queue_action action; } changes[] = {
        { "queue-retry", QUEUE_RETRY }, { "queue-hold", QUEUE_HOLD },
        { "queue-release", QUEUE_RELEASE }, { "queue-delete", QUEUE_DELETE },
    };
    struct engine *e = context;
    struct slice command = operator_string(request, "command");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        if (slice_equal(command, slice_from_string(changes[i].name))) {
            queue_change(e, call, request, changes[i].action);
            return;
        }
    }
    if (slice_equal(command, SLICE("queue-list")))
        queue_list(e, call, request);
    else if (slice_equal(command, SLICE("trace")))
        engine_trace_asked(e, call, request);
    else if (slice_equal(command, SLICE("queue-shape")))
        engine_shape_asked(e, call, request);
    else if (slice_equal(command, SLICE("queue-show")))
        queue_show(e, call, request);
    else if (slice_equal(command, SLICE("status")))
        status(e, call);
    else if (slice_equal(command, SLICE("certificates")))
        certificates(e, call);
    else if (slice_starts_with_nocase(command, SLICE("suppression-")))
        operator_suppression(e, call, request);
    else if (slice_starts_with_nocase(command, SLICE("site-")))
        operator_site(e, call, request);
    else if (slice_starts_with_nocase(command, SLICE("history-")))
        engine_history_asked(e, call, request);
    else if (slice_starts_with_nocase(command, SLICE("report-")))
        engine_reports_asked(e, call, request);
    else if (slice_equal(command, SLICE("reload")))
        engine_reload_for(e, call);
    else
        control_done(call, "unknown command", NULL);
}
