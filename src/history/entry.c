/* entry.c: an event as bytes, and back. What is read lay on a disk: nothing is believed. */
#include "history/history_private.h"

static void put_number(struct buffer *out, uint64_t value)
{
    while (value > 127) {
        buffer_append_byte(out, (char)(uint8_t)(value | 128));
        value >>= 7;
    }
    buffer_append_byte(out, (char)(uint8_t)value);
}

static void put(struct buffer *out, enum entry_tag tag, uint64_t value)
{
    if (value == 0)
        return;
    buffer_append_byte(out, (char)tag);
    put_number(out, value);
}

static void put_text(struct buffer *out, enum entry_tag tag, struct slice text)
{
    enum { TEXT_MAX = 2048 };
    if (text.len == 0)
        return;
    text = slice_part(text, 0, TEXT_MAX);
    buffer_append_byte(out, (char)tag);
    put_number(out, text.len);
    buffer_append(out, text);
}

static void put_string(struct buffer *out, enum entry_tag tag, const char *text)
{
    if (text != NULL)
        put_text(out, tag, slice_from_string(text));
}

static void begin(struct buffer *out, unsigned kind, int64_t wall_ms)
{
    buffer_append_byte(out, (char)(uint8_t)kind);
    put_number(out, wall_ms < 0 ? 0 : (uint64_t)wall_ms);
}

static void put_transport(struct buffer *out, const struct transport_facts *t)
{
    put(out, ENTRY_TLS_WANTED, (uint64_t)t->wanted);
    put(out, ENTRY_TLS_HAD, (uint64_t)t->had);
    put(out, ENTRY_TLS_PROMISE, (uint64_t)t->promise);
    put(out, ENTRY_TLS_FAILURE, (uint64_t)t->failure);
    put(out, ENTRY_TLS_RESUMED, t->is_resumed);
    put_string(out, ENTRY_TLS, t->version);
    put_string(out, ENTRY_CIPHER, t->cipher);
    put_string(out, ENTRY_TLS_WHY, t->why);
    put_string(out, ENTRY_TLS_TROUBLE, t->trouble);
}

static void put_outcome(struct buffer *out, const struct outcome *o)
{
    put(out, ENTRY_CODE, o->code);
    put(out, ENTRY_STATUS, (uint64_t)o->status.class << 32 | (uint64_t)o->status.subject << 16 |
                               o->status.detail);
    put(out, ENTRY_REMOTE_REPLY, o->reply_is_remote);
    put(out, ENTRY_CONNECT, o->times.connect_ms);
    put(out, ENTRY_HANDSHAKE, o->times.handshake_ms);
    put(out, ENTRY_TRANSACTION, o->times.transaction_ms);
    put(out, ENTRY_REUSED, o->times.is_reused);
    put_text(out, ENTRY_REPLY, o->text);
    put_transport(out, &o->transport);
}

/* The sender of an attempt is that of its acceptance. */
static void put_envelope(struct buffer *out, const struct mail_event *e)
{
    const struct envelope *envelope = e->envelope;
    put(out, ENTRY_SIZE, e->size);
    put(out, ENTRY_HELD, e->is_held);
    put(out, ENTRY_RECIPIENTS, envelope->recipients_count);
    put_text(out, ENTRY_HELO, e->helo);
    put_text(out, ENTRY_FROM, e->sender);
    put_text(out, ENTRY_MESSAGE_ID, e->message_id);
    for (size_t i = 0; i < envelope->recipients_count; i++) {
        if (buffer_len(out) > ENTRY_MAX - 4096)
            break; /* each attempt names its own */
        put_text(out, ENTRY_TO, envelope->recipients[i].address);
    }
}

void entry_append(struct buffer *out, const struct mail_event *e)
{
    begin(out, (unsigned)e->kind, e->at.wall_ms);
    put(out, ENTRY_SESSION, e->session_id);
    put_text(out, ENTRY_PEER, e->peer);
    put_text(out, ENTRY_ACCOUNT, e->account);
    put_text(out, ENTRY_TLS, e->tls_version);
    put_text(out, ENTRY_CIPHER, e->tls_cipher);
    if (e->kind != MAIL_ACCEPTED) /* there it is the verb */
        put_text(out, ENTRY_TEXT, e->text);
    put_text(out, ENTRY_SITE, e->site);
    if (e->envelope != NULL) {
        put_envelope(out, e);
    } else {
        put_text(out, ENTRY_TO, e->recipient);
        put(out, ENTRY_ATTEMPTS, e->attempts);
        if (e->delay_ms > 0)
            put(out, ENTRY_DELAY, (uint64_t)e->delay_ms);
        if (e->next_due_wall_ms > 0)
            put(out, ENTRY_NEXT, (uint64_t)e->next_due_wall_ms);
    }
    if (e->outcome != NULL)
        put_outcome(out, e->outcome);
}

void entry_append_lost(struct buffer *out, int64_t wall_ms, uint64_t count)
{
    begin(out, ENTRY_KIND_LOST, wall_ms);
    put(out, ENTRY_LOST, count);
}

void entry_append_report_of(struct buffer *out, int64_t wall_ms, struct slice id)
{
    begin(out, ENTRY_KIND_REPORT_OF, wall_ms);
    put_text(out, ENTRY_TEXT, id);
}

/* ---- reading ---- */

static uint8_t take_byte(struct entry_reader *r)
{
    if (r->rest.len == 0) {
        r->failed = true;
        return 0;
    }
    uint8_t byte = (uint8_t)r->rest.data[0];
    r->rest = slice_from(r->rest, 1);
    return byte;
}

static uint64_t take_number(struct entry_reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = take_byte(r);
        value |= (uint64_t)(byte & 127u) << shift;
        if (byte < 128)
            return value;
    }
    r->failed = true;
    return 0;
}

void entry_begin(struct entry_reader *r, struct slice entry, unsigned *out_kind,
                 int64_t *out_wall_ms)
{
    r->rest = entry;
    unsigned kind = take_byte(r);
    uint64_t wall_ms = take_number(r);
    *out_kind = kind;
    *out_wall_ms = (int64_t)(wall_ms & INT64_MAX);
}

static struct slice take_text(struct entry_reader *r)
{
    uint64_t len = take_number(r);
    if (r->failed || len > r->rest.len) {
        r->failed = true;
        return slice_make(NULL, 0);
    }
    struct slice text = slice_part(r->rest, 0, (size_t)len);
    r->rest = slice_from(r->rest, (size_t)len);
    return text;
}

bool entry_next(struct entry_reader *r, struct entry_field *out)
{
    while (!r->failed && r->rest.len > 0) {
        uint8_t byte = take_byte(r);
        unsigned tag = byte & ~(unsigned)ENTRY_SAME;
        struct entry_field field = { .tag = (enum entry_tag)tag };
        if (byte >= 128 || (byte != tag && (tag < ENTRY_TEXTS || tag >= ENTRY_TAGS))) {
            r->failed = true;
            return false;
        }
        if (byte != tag)
            field.text = r->last[tag];
        else if (tag >= ENTRY_TEXTS)
            field.text = take_text(r);
        else
            field.number = take_number(r);
        if (r->failed)
            return false;
        if (tag >= ENTRY_TAGS)
            continue;
        r->last[tag] = field.text;
        *out = field;
        return true;
    }
    return false;
}

/* The texts point into the entries that were added, which stay until the row is whole. */
void row_add(struct buffer *row, struct entry_reader *shared, struct slice entry)
{
    struct buffer one;
    char bytes[ENTRY_MAX + 64] __attribute__((uninitialized));
    unsigned kind;
    int64_t wall_ms;
    struct slice before[ENTRY_TAGS];
    struct entry_field field;
    one = (struct buffer){ .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    entry_begin(shared, entry, &kind, &wall_ms);
    begin(&one, kind, wall_ms);
    memcpy(before, shared->last, sizeof before);
    while (entry_next(shared, &field)) {
        if (field.tag < ENTRY_TEXTS)
            put(&one, field.tag, field.number);
        else if (slice_equal(field.text, before[field.tag]))
            buffer_append_byte(&one, (char)(field.tag | ENTRY_SAME));
        else
            put_text(&one, field.tag, field.text);
        if (field.tag >= ENTRY_TEXTS)
            before[field.tag] = field.text;
    }
    put_number(row, buffer_len(&one));
    buffer_append(row, buffer_slice(&one));
}

bool row_next(struct slice *row, struct slice *out_entry)
{
    struct entry_reader r = { .rest = *row };
    if (row->len == 0)
        return false;
    struct slice entry = take_text(&r);
    if (r.failed)
        return false;
    *row = r.rest;
    *out_entry = entry;
    return true;
}
