/* session.c: what was said in a session, and who it was.
 *
 * A dialogue goes into the log when a message ends, when much of it has come together, and at
 * its end; of a very long one the rest is left out, and that is said.
 */
#include "capture/capture_private.h"

#include "net/address.h"

#include <stdlib.h>

enum {
    LINES_PENDING_MAX = SESSION_LINES_BYTES + 8192,
    LINES_TOTAL_MAX = 1024 * 1024,
    LINE_MAX = 2048,
    FACTS_MAX = 8 * 1024,
    LINES_AT_ONCE = 4096,
};

static struct slice key_of(const uint64_t *id)
{
    return slice_make(id, sizeof *id);
}

struct capture_open_session *session_find(struct capture *c, uint64_t id)
{
    struct table_entry *found = table_find(&c->sessions, key_of(&id));
    return found == NULL ? NULL : container_of(found, struct capture_open_session, entry);
}

static void session_free(struct capture_open_session *s)
{
    buffer_free(&s->lines);
    buffer_free(&s->facts_text);
    free(s);
}

static uint64_t append(struct capture *c, enum capture_kind kind,
                       const struct capture_session *session)
{
    struct buffer record;
    uint64_t place = 0;
    buffer_init(&record, FRAME_MAX);
    record_put_session(&record, session);
    if (!record.overflow && !c->is_broken)
        log_append_frame(c, kind, buffer_slice(&record), &place);
    buffer_free(&record);
    return place;
}

/* Keeps a text for as long as the session lasts. */
static struct slice keep(struct capture_open_session *s, struct slice text)
{
    size_t start = buffer_len(&s->facts_text);
    text = slice_part(text, 0, LINE_MAX);
    buffer_append(&s->facts_text, text);
    return s->facts_text.overflow ? slice_make(NULL, 0)
                                  : slice_make(s->facts_text.memory + start, text.len);
}

/* The text never moves: its room is made once. */
static void keep_facts(struct capture_open_session *s, const struct capture_facts *facts)
{
    buffer_clear(&s->facts_text);
    if (buffer_reserve(&s->facts_text, FACTS_MAX) == NULL)
        return;
    s->facts = (struct capture_facts){
        .helo = keep(s, facts->helo), .client = keep(s, facts->client),
        .account = keep(s, facts->account), .mechanism = keep(s, facts->mechanism),
        .tls_version = keep(s, facts->tls_version), .tls_cipher = keep(s, facts->tls_cipher),
    };
}

static void on_opened(struct capture *c, const struct mail_event *event)
{
    struct capture_open_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return;
    s->id = event->session_id;
    buffer_init(&s->lines, LINES_PENDING_MAX);
    buffer_init(&s->facts_text, FACTS_MAX + LINE_MAX);
    struct capture_session opened = {
        .wall_ms = event->at.wall_ms, .facts.client = event->peer,
        .facts.tls_version = event->tls_version, .facts.tls_cipher = event->tls_cipher,
    };
    keep_facts(s, &opened.facts);
    s->place = append(c, CAPTURE_OPENED, &opened) + 1;
    if (session_find(c, s->id) != NULL || !table_insert(&c->sessions, &s->entry, key_of(&s->id)))
        session_free(s);
    log_tell(c);
}

static void on_closed(struct capture *c, const struct mail_event *event)
{
    struct capture_open_session *s = session_find(c, event->session_id);
    if (s == NULL)
        return;
    session_flush_lines(c, s);
    struct capture_session closed = {
        .place = s->place, .wall_ms = event->at.wall_ms, .is_cut = s->is_cut,
        .facts = { .helo = event->helo, .client = event->peer, .account = event->account,
                   .mechanism = s->facts.mechanism, .tls_version = s->facts.tls_version,
                   .tls_cipher = s->facts.tls_cipher },
    };
    append(c, CAPTURE_CLOSED, &closed);
    table_remove(&c->sessions, &s->entry);
    session_free(s);
    log_tell(c);
}

static void on_event(struct event_sink *sink, const struct mail_event *event)
{
    struct capture *c = container_of(sink, struct capture, events);
    if (event->kind == MAIL_SESSION_OPENED)
        on_opened(c, event);
    else if (event->kind == MAIL_SESSION_CLOSED)
        on_closed(c, event);
}

/* Lines wait in the form in which they stand in a record. */
static void on_line(struct line_sink *sink, const struct mail_line *line)
{
    struct capture *c = container_of(sink, struct capture, lines);
    struct capture_open_session *s = session_find(c, line->session_id);
    if (s == NULL || s->is_cut)
        return;
    struct slice text = slice_part(line->text, 0, LINE_MAX);
    s->lines_bytes += text.len + 13;
    if (s->lines_bytes > LINES_TOTAL_MAX) {
        s->is_cut = true;
        return;
    }
    buffer_append_u64(&s->lines, (uint64_t)line->at.wall_ms);
    buffer_append_byte(&s->lines, line->is_ours);
    record_put_slice(&s->lines, text);
    if (buffer_len(&s->lines) > SESSION_LINES_BYTES)
        session_flush_lines(c, s);
}

void session_flush_lines(struct capture *c, struct capture_open_session *s)
{
    struct record r = record_over(buffer_slice(&s->lines));
    struct capture_line *lines = calloc(LINES_AT_ONCE, sizeof *lines);
    size_t count = 0;
    while (lines != NULL && count < LINES_AT_ONCE && !cursor_at_end(&r.cursor) && !r.failed) {
        lines[count].wall_ms = (int64_t)record_u64(&r);
        lines[count].is_ours = record_u8(&r) != 0;
        lines[count].text = record_slice(&r);
        count++;
    }
    struct capture_session said = { .place = s->place, .lines = lines, .lines_count = count };
    if (count > 0)
        append(c, CAPTURE_LINES, &said);
    free(lines);
    buffer_clear(&s->lines);
}

static enum gate_result on_ask(struct gate *gate, struct gate_question *q,
                               struct gate_answer *out)
{
    struct capture *c = container_of(gate, struct capture, gate);
    struct capture_open_session *s = session_find(c, q->session_id);
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer client = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    (void)out;
    if (s == NULL)
        return GATE_ANSWERED;
    net_address_append(&client, q->address);
    struct capture_facts facts = {
        .helo = q->helo, .client = buffer_slice(&client), .account = q->account,
        .mechanism = q->account.len > 0 ? q->mechanism : slice_make(NULL, 0),
        .tls_version = q->tls_version, .tls_cipher = q->tls_cipher,
    };
    keep_facts(s, &facts);
    return GATE_ANSWERED;
}

static void on_cancel(struct gate *gate, struct gate_question *q)
{
    (void)gate;
    (void)q;
}

void capture_note_fault(struct capture *c, uint64_t session_id, struct slice fault)
{
    struct capture_open_session *s = session_find(c, session_id);
    struct capture_session met = {
        .place = s == NULL ? 0 : s->place, .wall_ms = loop_now(c->options.loop).wall_ms,
        .fault = fault,
    };
    append(c, CAPTURE_FAULT, &met);
    log_tell(c);
}

void sessions_init(struct capture *c)
{
    static const struct gate_ops ops = {
        .name = "capture", .points = GATE_END, .ask = on_ask, .cancel = on_cancel,
    };
    table_init(&c->sessions);
    c->gate.ops = &ops;
    c->lines.line = on_line;
    c->lines.is_wanted = true;
    c->events.emit = on_event;
}

void sessions_free(struct capture *c)
{
    struct table_entry *entry;
    while ((entry = table_next(&c->sessions, NULL)) != NULL) {
        table_remove(&c->sessions, entry);
        session_free(container_of(entry, struct capture_open_session, entry));
    }
    table_free(&c->sessions);
}

struct line_sink *capture_lines(struct capture *c)
{
    return &c->lines;
}

struct event_sink *capture_events(struct capture *c)
{
    return &c->events;
}

struct gate *capture_gate(struct capture *c)
{
    return &c->gate;
}
