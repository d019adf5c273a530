/* record.c: frames and what stands in them, to octets and back. Integers are little-endian. */
#include "capture/capture_private.h"

#include "base/crc32c.h"
#include "base/record.h"

enum { MAGIC = 0x4C435747, COUNT_MAX = 1000000 };

/* Of a message, as bits. */
enum { FLAG_SMTPUTF8 = 4, FLAG_8BIT = 8, FLAG_BINARY = 16,
       FLAG_REQUIRE_TLS = 32, FLAG_BY_RETURNS = 64, FLAG_BY_TRACES = 128 };

void capture_frame_put(struct buffer *out, enum capture_kind kind, struct slice payload)
{
    size_t start = buffer_len(out);
    static const char zeros[8];
    buffer_append_u32(out, MAGIC);
    buffer_append_u32(out, (uint32_t)kind);
    buffer_append_u32(out, (uint32_t)payload.len);
    buffer_append_u32(out, crc32c(0, payload));
    buffer_append_u32(out, 0);
    buffer_append_u32(out, crc32c(0, slice_from(buffer_slice(out), start)));
    buffer_append(out, payload);
    buffer_append(out, slice_make(zeros, (8 - payload.len % 8) % 8));
}

bool capture_frame_take(struct slice bytes, struct frame *out)
{
    struct record r = record_over(bytes);
    uint32_t magic = record_u32(&r);
    uint32_t kind = record_u32(&r);
    uint32_t length = record_u32(&r);
    uint32_t crc = record_u32(&r);
    record_u32(&r);
    uint32_t own = record_u32(&r);
    if (r.failed || magic != MAGIC || kind < CAPTURE_BODY || kind > CAPTURE_FAULT ||
        length > FRAME_MAX || own != crc32c(0, slice_part(bytes, 0, FRAME_BYTES - 4)))
        return false;
    *out = (struct frame){ .kind = (enum capture_kind)kind, .length = length, .crc = crc };
    return true;
}

static void put_facts(struct buffer *out, const struct capture_facts *facts)
{
    record_put_slice(out, facts->helo);
    record_put_slice(out, facts->client);
    record_put_slice(out, facts->account);
    record_put_slice(out, facts->mechanism);
    record_put_slice(out, facts->tls_version);
    record_put_slice(out, facts->tls_cipher);
}

static void take_facts(struct record *r, struct capture_facts *out)
{
    out->helo = record_slice(r);
    out->client = record_slice(r);
    out->account = record_slice(r);
    out->mechanism = record_slice(r);
    out->tls_version = record_slice(r);
    out->tls_cipher = record_slice(r);
}

static unsigned flags_of(const struct capture_message *m)
{
    const struct envelope *e = &m->envelope;
    return (e->smtputf8 ? FLAG_SMTPUTF8 : 0u) | (e->content_8bit ? FLAG_8BIT : 0u) |
           (e->content_binary ? FLAG_BINARY : 0u) | (e->require_tls ? FLAG_REQUIRE_TLS : 0u) |
           (e->by_returns ? FLAG_BY_RETURNS : 0u) | (e->by_traces ? FLAG_BY_TRACES : 0u);
}

static void put_envelope(struct buffer *out, const struct envelope *e)
{
    record_put_slice(out, e->sender);
    record_put_slice(out, e->envid);
    buffer_append_byte(out, (char)e->body);
    buffer_append_byte(out, (char)e->ret);
    buffer_append_byte(out, (char)e->priority);
    buffer_append_u64(out, (uint64_t)e->deliver_by_wall_ms);
    record_put_slice(out, e->hold_request);
    buffer_append_u32(out, (uint32_t)e->recipients_count);
    for (size_t i = 0; i < e->recipients_count; i++) {
        record_put_slice(out, e->recipients[i].address);
        record_put_slice(out, e->recipients[i].orcpt);
        buffer_append_byte(out, (char)e->recipients[i].notify);
    }
}

void record_put_message(struct buffer *out, const struct capture_message *m)
{
    buffer_append_u64(out, m->id.value);
    buffer_append_u64(out, m->session);
    buffer_append_u64(out, (uint64_t)m->received_wall_ms);
    buffer_append_u64(out, m->size);
    buffer_append_u32(out, flags_of(m));
    put_facts(out, &m->facts);
    put_envelope(out, &m->envelope);
    record_put_slice(out, m->prefix);
    buffer_append_u32(out, (uint32_t)m->extents_count);
    for (size_t i = 0; i < m->extents_count; i++) {
        buffer_append_u64(out, m->extents[i].place);
        buffer_append_u64(out, m->extents[i].length);
    }
}

/* How many things of at least `least` octets may still come; more is a lie. */
static size_t take_count(struct record *r, size_t least)
{
    uint32_t count = record_u32(r);
    if (count > COUNT_MAX || count > cursor_left(&r->cursor) / least)
        r->failed = true;
    return r->failed ? 0 : count;
}

static bool take_envelope(struct record *r, struct arena *arena, struct envelope *e)
{
    e->sender = record_slice(r);
    e->envid = record_slice(r);
    uint8_t body = record_u8(r), ret = record_u8(r);
    e->priority = (int8_t)record_u8(r);
    e->deliver_by_wall_ms = (int64_t)record_u64(r);
    e->hold_request = record_slice(r);
    e->recipients_count = take_count(r, 9);
    if (r->failed || body > MAIL_BODY_BINARYMIME || ret > DSN_RET_HEADERS)
        return false;
    e->body = (enum mail_body)body;
    e->ret = (enum dsn_ret)ret;
    struct envelope_recipient *all =
        arena_alloc_many(arena, e->recipients_count + 1, sizeof *all);
    for (size_t i = 0; all != NULL && i < e->recipients_count; i++) {
        all[i].address = record_slice(r);
        all[i].orcpt = record_slice(r);
        all[i].notify = record_u8(r);
    }
    e->recipients = all;
    return all != NULL && !r->failed;
}

static void take_flags(uint32_t flags, struct capture_message *m)
{
    struct envelope *e = &m->envelope;
    e->smtputf8 = (flags & FLAG_SMTPUTF8) != 0;
    e->content_8bit = (flags & FLAG_8BIT) != 0;
    e->content_binary = (flags & FLAG_BINARY) != 0;
    e->require_tls = (flags & FLAG_REQUIRE_TLS) != 0;
    e->by_returns = (flags & FLAG_BY_RETURNS) != 0;
    e->by_traces = (flags & FLAG_BY_TRACES) != 0;
}

static bool take_message(struct record *r, struct arena *arena, struct capture_message *m)
{
    m->id.value = record_u64(r);
    m->session = record_u64(r);
    m->received_wall_ms = (int64_t)record_u64(r);
    m->size = record_u64(r);
    take_flags(record_u32(r), m);
    take_facts(r, &m->facts);
    if (!take_envelope(r, arena, &m->envelope))
        return false;
    m->prefix = record_slice(r);
    m->extents_count = take_count(r, 16);
    struct capture_extent *extents =
        arena_alloc_many(arena, m->extents_count + 1, sizeof *extents);
    for (size_t i = 0; extents != NULL && i < m->extents_count; i++) {
        extents[i].place = record_u64(r);
        extents[i].length = record_u64(r);
    }
    m->extents = extents;
    return extents != NULL && !r->failed && m->id.value != 0;
}

void record_put_session(struct buffer *out, const struct capture_session *s)
{
    buffer_append_u64(out, s->place);
    buffer_append_u64(out, (uint64_t)s->wall_ms);
    put_facts(out, &s->facts);
    buffer_append_byte(out, s->is_cut);
    record_put_slice(out, s->fault);
    buffer_append_u32(out, (uint32_t)s->lines_count);
    for (size_t i = 0; i < s->lines_count; i++) {
        buffer_append_u64(out, (uint64_t)s->lines[i].wall_ms);
        buffer_append_byte(out, s->lines[i].is_ours);
        record_put_slice(out, s->lines[i].text);
    }
}

static bool take_session(struct record *r, struct arena *arena, struct capture_session *s)
{
    s->place = record_u64(r);
    s->wall_ms = (int64_t)record_u64(r);
    take_facts(r, &s->facts);
    s->is_cut = record_u8(r) != 0;
    s->fault = record_slice(r);
    s->lines_count = take_count(r, 13);
    struct capture_line *lines = arena_alloc_many(arena, s->lines_count + 1, sizeof *lines);
    for (size_t i = 0; lines != NULL && i < s->lines_count; i++) {
        lines[i].wall_ms = (int64_t)record_u64(r);
        lines[i].is_ours = record_u8(r) != 0;
        lines[i].text = record_slice(r);
    }
    s->lines = lines;
    return lines != NULL && !r->failed;
}

bool capture_parse(enum capture_kind kind, struct slice payload, struct arena *arena,
                   struct capture_item *out)
{
    struct record r = record_over(payload);
    *out = (struct capture_item){ .kind = kind };
    bool good = kind == CAPTURE_MESSAGE ? take_message(&r, arena, &out->message)
                                        : take_session(&r, arena, &out->session);
    return good && cursor_at_end(&r.cursor);
}
