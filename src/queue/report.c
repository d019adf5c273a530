/* report.c: bounces and receipts: new messages about old ones.
 *
 * RFC 3461 5.2 and 6, RFC 3464, RFC 5321 6.1. Of a delay the sender is told once for each
 * recipient. A report goes to the sender with a null
 * sender of its own; there is never a report about a report, nor one to <>. It goes
 * through the intake like any message, and the changes that it tells of are committed
 * in the same batch: no crash can bounce twice, or lose a recipient without a bounce.
 */
#include "queue/queue_private.h"

#include "base/utf8.h"
#include "log/log.h"
#include "wire/message/header.h"
#include "wire/report/dsn.h"

#include <stdlib.h>

enum {
    RETURN_BYTES_MAX = 50 * 1024,  /* of the original; more: its header alone */
    REPORT_BYTES_MAX = 1024 * 1024,
    PENDING_BYTES_MAX = 4 * 1024 * 1024,
};

struct pending {
    struct queue *queue;
    struct queue_message *message;
    struct arena arena;
    struct settlement *settlements;
    struct recipient_update *updates;
    size_t count;
};

/* What went on to a hop that does not know of its time, or is traced (RFC 2852 4.1.4). */
static bool tells_of_relay(const struct queue *q, const struct queue_message *m,
                           const struct outcome *outcome)
{
    if (m->deliver_by_wall_ms == 0)
        return false;
    return m->by_traces || (!m->by_returns && !outcome->by_carried &&
                            queue_now(q).wall_ms < m->deliver_by_wall_ms);
}

bool report_is_owed(const struct queue *q, const struct queue_message *m,
                    const struct settlement *s)
{
    uint8_t notify = s->recipient->notify;
    if (m->sender_len == 0 || m->is_report)
        return false;
    switch (s->outcome.kind) {
    case OUTCOME_FAILED:
        return notify == 0 || (notify & DSN_NOTIFY_FAILURE) != 0;
    case OUTCOME_DELIVERED:
        return (notify & DSN_NOTIFY_SUCCESS) != 0;
    case OUTCOME_RELAYED:
        return ((notify & DSN_NOTIFY_SUCCESS) != 0 && !s->outcome.dsn_carried) ||
               ((notify & DSN_NOTIFY_NEVER) == 0 && tells_of_relay(q, m, &s->outcome));
    case OUTCOME_NONE:
    case OUTCOME_DEFERRED:
    case OUTCOME_DISCARDED:
        break;
    }
    return false;
}

bool report_tells_delay(const struct queue *q, const struct queue_message *m,
                        const struct settlement *s)
{
    const struct queue_recipient *r = s->recipient;
    int64_t patience = q->config->queue.delay_notice_ms;
    bool is_wanted = r->notify == 0 || (r->notify & DSN_NOTIFY_DELAY) != 0;
    int64_t now = queue_now(q).wall_ms;
    bool has_time = m->deliver_by_wall_ms != 0 && !m->by_returns;
    bool is_long = has_time ? now >= m->deliver_by_wall_ms
                            : patience > 0 && now - m->begun_wall_ms >= patience;
    return s->outcome.kind == OUTCOME_DEFERRED && is_long && !r->told && is_wanted &&
           m->sender_len > 0 && !m->is_report;
}

static enum dsn_action action_of(enum outcome_kind kind)
{
    if (kind == OUTCOME_DELIVERED)
        return DSN_DELIVERED;
    if (kind == OUTCOME_DEFERRED)
        return DSN_DELAYED;
    return kind == OUTCOME_RELAYED ? DSN_RELAYED : DSN_FAILED;
}

static bool copy_settlement(struct arena *arena, const struct settlement *from,
                            const struct message_view *view, struct settlement *to)
{
    *to = *from;
    uint32_t index = from->recipient->index;
    struct slice address = from->recipient->domain->entry.key;
    if (index < view->envelope.recipients_count)
        address = view->envelope.recipients[index].address;
    return arena_copy(arena, from->outcome.text, &to->outcome.text) &&
           arena_copy(arena, from->outcome.remote, &to->outcome.remote) &&
           arena_copy(arena, address, &to->address);
}

static struct pending *pending_make(struct queue *q, struct queue_message *m,
                                    const struct settlement *s, size_t count,
                                    const struct message_view *view)
{
    struct pending *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->queue = q;
    p->message = m;
    p->count = count;
    arena_init(&p->arena, PENDING_BYTES_MAX);
    p->settlements = arena_alloc_many(&p->arena, count, sizeof *p->settlements);
    p->updates = arena_alloc_many(&p->arena, count, sizeof *p->updates);
    bool good = p->settlements != NULL && p->updates != NULL;
    for (size_t i = 0; good && i < count; i++) {
        good = copy_settlement(&p->arena, &s[i], view, &p->settlements[i]);
        if (good)
            settle_update(q, m, &p->settlements[i], &p->updates[i]);
    }
    if (good)
        return p;
    arena_free(&p->arena);
    free(p);
    return NULL;
}

static void on_committed(void *context, enum err result, struct mail_id id)
{
    struct pending *p = context;
    struct queue *q = p->queue;
    struct queue_message *m = p->message;
    q->reports--;
    if (result != ERR_OK)
        settle_unreported(q, m, p->settlements, p->count);
    for (size_t i = 0; result == ERR_OK && i < p->count; i++)
        settle_tell(q, m, &p->settlements[i]);
    for (size_t i = 0; result == ERR_OK && i < p->count; i++)
        settle_apply(q, &p->settlements[i]);
    if (result == ERR_OK) {
        char text[MAIL_ID_CHARACTERS + 1];
        queue_emit_text(q, MAIL_REPORTED, m->id,
                        slice_from_string(mail_id_text(id, text)), NULL);
    } else {
        log_fault("report-failed", "commit", result);
    }
    message_release(q, m);
    arena_free(&p->arena);
    free(p);
    sentences_go_on(q);
}

static void on_resume(void *context)
{
    (void)context; /* the whole report was written at once */
}

/* Whether a hop could not take the octets of the message: the report may go the same
 * way, so it must not hold them. */
static bool must_be_ascii(const struct pending *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct smtp_status status = p->settlements[i].outcome.status;
        if (status.class == 5 && status.subject == 6 &&
            (status.detail == 3 || status.detail == 7))
            return true;
    }
    return false;
}

static bool tells_of_failure(const struct pending *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->settlements[i].outcome.kind == OUTCOME_FAILED)
            return true;
    return false;
}

static void cut_to_header(struct buffer *original)
{
    struct header_scan scan;
    struct slice rest = buffer_slice(original);
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &rest);
    buffer_truncate(original, buffer_len(original) - rest.len);
}

/* The original, or its header: into *out, at most RETURN_BYTES_MAX. What of it may not
 * or cannot be returned is left out; RET= counts for failures, and where nothing failed
 * the header alone goes back (RFC 3461 4.3). */
static enum dsn_original read_original(const struct pending *p, struct message_view *view,
                                       struct buffer *out)
{
    enum { READ_MAX = RETURN_BYTES_MAX };
    char *room = buffer_reserve(out, READ_MAX);
    size_t len;
    if (room == NULL || message_read(view, 0, room, READ_MAX, &len) != ERR_OK)
        return DSN_ORIGINAL_NONE;
    buffer_added(out, len);
    bool ascii = must_be_ascii(p);
    bool wants_whole = tells_of_failure(p) && view->envelope.ret != DSN_RET_HEADERS &&
                       !view->envelope.require_tls; /* RFC 8689 5 */
    if (wants_whole && view->content_size == len &&
        !(ascii && !slice_is_ascii(buffer_slice(out))))
        return DSN_ORIGINAL_WHOLE;
    cut_to_header(out);
    return ascii && !slice_is_ascii(buffer_slice(out)) ? DSN_ORIGINAL_NONE
                                                       : DSN_ORIGINAL_HEADER;
}

static struct slice original_id(struct slice original)
{
    struct header_field field;
    if (!header_find(original, SLICE("Message-ID"), &field))
        return slice_make(NULL, 0);
    struct slice id = slice_trim(field.value);
    if (id.len > 2 && id.data[0] == '<' && id.data[id.len - 1] == '>')
        id = slice_part(id, 1, id.len - 2);
    return id;
}

static bool fill_recipients(struct pending *p, const struct message_view *view,
                            struct dsn *dsn)
{
    struct dsn_recipient *recipients =
        arena_alloc_many(&p->arena, p->count, sizeof *recipients);
    if (recipients == NULL)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        const struct settlement *s = &p->settlements[i];
        uint32_t index = s->recipient->index;
        recipients[i] = (struct dsn_recipient){
            .action = action_of(s->outcome.kind),
            .address = s->address,
            .status = s->outcome.status,
            .code = s->outcome.code,
            .text = s->outcome.text,
            .text_is_remote = s->outcome.reply_is_remote,
            .remote = s->outcome.remote,
            .last_attempt_wall_ms = queue_now(p->queue).wall_ms,
            .retry_until_wall_ms = p->message->begun_wall_ms +
                                   p->queue->config->queue.lifetime_ms,
        };
        if (s->tells_delay && p->message->deliver_by_wall_ms != 0)
            recipients[i].status = (struct smtp_status){ 4, 4, 7 }; /* RFC 2852 4.1.3 */
        if (index < view->envelope.recipients_count)
            recipients[i].orcpt = view->envelope.recipients[index].orcpt;
    }
    dsn->recipients = recipients;
    dsn->recipients_count = p->count;
    return true;
}

static void append_unique(struct queue *q, struct buffer *out)
{
    for (int i = 0; i < 3; i++)
        buffer_append_format(out, "%08x", queue_random(q));
}

/* Writes the report's content; *out_dsn says what its envelope needs. */
static bool write_report(struct pending *p, struct message_view *view,
                         struct buffer *out, struct dsn *dsn)
{
    struct queue *q = p->queue;
    struct buffer original;
    struct buffer names;
    char queue_id[MAIL_ID_CHARACTERS + 1];
    buffer_init(&original, RETURN_BYTES_MAX);
    buffer_init(&names, 1024);
    append_unique(q, &names);
    size_t boundary_len = buffer_len(&names);
    buffer_append_string(&names, mail_id_text(p->message->id, queue_id));
    buffer_append_byte(&names, '.');
    append_unique(q, &names);
    buffer_append_byte(&names, '@');
    buffer_append(&names, q->config->hostname);
    *dsn = (struct dsn){
        .host = q->config->hostname,
        .sender = view->envelope.sender,
        .boundary = slice_part(buffer_slice(&names), 0, boundary_len),
        .message_id = slice_from(buffer_slice(&names), boundary_len),
        .wall_ms = queue_now(q).wall_ms,
        .arrival_wall_ms = view->received_wall_ms,
        .envid = view->envelope.envid,
        .hold_request = view->envelope.hold_request,
        .deliver_by_wall_ms = view->envelope.deliver_by_wall_ms,
        .queue_id = slice_from_string(queue_id),
    };
    bool good = fill_recipients(p, view, dsn);
    if (!view->envelope.content_binary)
        dsn->original = read_original(p, view, &original);
    dsn->original_id = original_id(buffer_slice(&original));
    if (dsn->original == DSN_ORIGINAL_NONE)
        buffer_clear(&original);
    dsn->original_is_8bit = !slice_is_ascii(buffer_slice(&original));
    dsn->original_is_utf8 = dsn->original_is_8bit && view->envelope.smtputf8;
    dsn_append_head(out, dsn);
    buffer_append(out, buffer_slice(&original));
    dsn_append_tail(out, dsn);
    buffer_free(&original);
    buffer_free(&names);
    return good && !out->overflow;
}

static bool commit_report(struct pending *p, struct message_view *view,
                          struct buffer *content, const struct dsn *dsn)
{
    struct queue *q = p->queue;
    struct intake_begin begin = {
        .home = loop_home(q->loop), .resume = on_resume, .context = p,
        .is_ours = true, .is_report = true,
    };
    struct intake_writer *writer;
    enum err error = intake_begin(q->store->intake, &begin, &writer);
    if (error != ERR_OK) {
        log_fault("report-failed", "begin", error);
        return false;
    }
    struct envelope_recipient to = {
        .address = view->envelope.sender, .notify = DSN_NOTIFY_NEVER,
    };
    bool is_8bit = dsn_is_8bit(dsn);
    struct envelope envelope = {
        .body = is_8bit ? MAIL_BODY_8BITMIME : MAIL_BODY_7BIT,
        .content_8bit = is_8bit, .smtputf8 = dsn_needs_smtputf8(dsn),
        .is_report = true, .priority = view->envelope.priority,
        .require_tls = view->envelope.require_tls, .recipients = &to, .recipients_count = 1,
    };
    struct intake_commit commit = {
        .envelope = &envelope, .received_wall_ms = queue_now(q).wall_ms,
        .updates = p->updates, .updates_count = p->count,
        .done = on_committed, .context = p,
    };
    if (intake_write(writer, buffer_slice(content)) == INTAKE_FAILED) {
        intake_abort(&writer);
        return false;
    }
    q->reports++;
    intake_commit(&writer, &commit);
    return true;
}

static enum err read_nothing(struct message_view *view, uint64_t offset, char *out,
                             size_t len, size_t *out_len)
{
    (void)view, (void)offset, (void)out, (void)len, (void)out_len;
    return ERR_CORRUPT;
}

static void close_nothing(struct message_view *view)
{
    (void)view;
}

/* Of a message that is damaged, what the queue remembers: the sender is told, and the
 * report names the domain in place of the recipient. */
static struct message_view remains_of(const struct queue_message *m)
{
    static const struct message_view_ops ops = { .read = read_nothing,
                                                 .close = close_nothing };
    return (struct message_view){
        .ops = &ops, .id = m->id, .received_wall_ms = m->received_wall_ms,
        .envelope.sender = slice_make(m->sender, m->sender_len),
    };
}

bool report_send(struct queue *q, struct queue_message *m, const struct settlement *s,
                 size_t count)
{
    struct message_view *view;
    struct message_view remains = remains_of(m);
    enum err error = message_open(q->store->source, m->id, &view);
    if (error == ERR_CORRUPT || error == ERR_ABSENT) {
        view = &remains;
    } else if (error != ERR_OK) {
        log_fault("report-failed", "original", error);
        return false;
    }
    struct pending *p = pending_make(q, m, s, count, view);
    struct buffer content;
    struct dsn dsn;
    buffer_init(&content, REPORT_BYTES_MAX);
    bool sent = p != NULL && write_report(p, view, &content, &dsn) &&
                commit_report(p, view, &content, &dsn);
    if (!sent && p != NULL) {
        arena_free(&p->arena);
        free(p);
    }
    buffer_free(&content);
    message_close(&view);
    return sent;
}
