/* commit.c: the payloads of the log. */
#include "spool/commit_private.h"

#include "base/crc32c.h"

enum {
    RECIPIENT_FORWARDED = 128,
    EXTRA_HOLD_REQUEST = 1,
    EXTRA_DELIVER_BY = 4, /* wall(8) flags(1) */
    BY_RETURNS = 1,
    BY_TRACES = 2,
    EXTRA_REQUIRE_TLS = 3, /* one octet, of no meaning */
    EXTRA_PRIORITY = 2, /* one octet: 9 more than it is */
    BRIEF_HOLD = 1,
    BRIEF_REPORT = 2,
    FIXED_SMTPUTF8 = 1,
    FIXED_8BIT = 2,
    FIXED_BINARY = 4,
    CHUNK_BYTES = 16,
};

static void put_short(struct buffer *out, struct slice s)
{
    buffer_append_u16(out, (uint16_t)s.len);
    buffer_append(out, s);
}

static struct slice take_bytes(struct record *r, size_t len)
{
    struct slice part = { 0 };
    if (!r->failed && !cursor_take_part(&r->cursor, len, &part))
        r->failed = true;
    return part;
}

static struct slice take_short(struct record *r)
{
    return take_bytes(r, record_u16(r));
}

static void put_number32(struct buffer *out, size_t at, uint32_t value)
{
    struct buffer four;
    buffer_init(&four, sizeof value);
    if (out->overflow)
        return;
    buffer_append_u32(&four, value);
    if (four.overflow)
        out->overflow = true;
    else
        memcpy(out->memory + out->start + at, four.memory, sizeof value);
    buffer_free(&four);
}

/* What few messages have. A reader skips the tags that it does not know. */
static void put_extra(struct buffer *out, int tag, struct slice value)
{
    if (slice_is_empty(value))
        return;
    buffer_append_byte(out, (char)tag);
    put_short(out, value);
}

static void put_deliver_by(struct buffer *out, const struct envelope *envelope)
{
    if (envelope->deliver_by_wall_ms == 0)
        return;
    buffer_append_byte(out, EXTRA_DELIVER_BY);
    buffer_append_u16(out, 9);
    buffer_append_u64(out, (uint64_t)envelope->deliver_by_wall_ms);
    buffer_append_byte(out, (char)((envelope->by_returns ? BY_RETURNS : 0) |
                                   (envelope->by_traces ? BY_TRACES : 0)));
}

static void take_deliver_by(struct slice value, struct spool_brief *brief)
{
    struct record r = record_over(value);
    int64_t wall_ms = (int64_t)record_u64(&r);
    uint8_t flags = record_u8(&r);
    if (r.failed)
        return;
    brief->deliver_by_wall_ms = wall_ms;
    brief->by_returns = (flags & BY_RETURNS) != 0;
    brief->by_traces = (flags & BY_TRACES) != 0;
}

/* brief = id(8) received(8) not-before(8) content-size(8) flags(1) count(4)
 *         sender(2+) count*[ flags(1) address(2+) ] *[ tag(1) value(2+) ]
 * flags of a recipient: DSN_NOTIFY_*, and whether the sender is written anew for it */
static void encode_brief(struct buffer *out, struct mail_id id, uint64_t content_size,
                         const struct intake_commit *commit)
{
    const struct envelope *envelope = commit->envelope;
    int flags = (commit->hold ? BRIEF_HOLD : 0) |
                (envelope->is_report ? BRIEF_REPORT : 0);
    buffer_append_u64(out, id.value);
    buffer_append_u64(out, (uint64_t)commit->received_wall_ms);
    buffer_append_u64(out, (uint64_t)commit->not_before_wall_ms);
    buffer_append_u64(out, content_size);
    buffer_append_byte(out, (char)flags);
    buffer_append_u32(out, (uint32_t)envelope->recipients_count);
    put_short(out, envelope->sender);
    for (size_t i = 0; i < envelope->recipients_count; i++) {
        const struct envelope_recipient *r = &envelope->recipients[i];
        buffer_append_byte(out, (char)(r->notify | (r->forwarded ? RECIPIENT_FORWARDED : 0)));
        put_short(out, envelope->recipients[i].address);
    }
    put_extra(out, EXTRA_HOLD_REQUEST, envelope->hold_request);
    char priority = (char)(envelope->priority + 9);
    if (envelope->priority != 0)
        put_extra(out, EXTRA_PRIORITY, slice_make(&priority, 1));
    put_deliver_by(out, envelope);
    if (envelope->require_tls)
        put_extra(out, EXTRA_REQUIRE_TLS, SLICE("1"));
}

/* fixed = body(1) ret(1) flags(1) envid(2+) count*[ orcpt(2+) ] prefix(4+) */
static void encode_fixed(struct buffer *out, const struct intake_commit *commit)
{
    const struct envelope *envelope = commit->envelope;
    int flags = (envelope->smtputf8 ? FIXED_SMTPUTF8 : 0) |
                (envelope->content_8bit ? FIXED_8BIT : 0) |
                (envelope->content_binary ? FIXED_BINARY : 0);
    buffer_append_byte(out, (char)envelope->body);
    buffer_append_byte(out, (char)envelope->ret);
    buffer_append_byte(out, (char)flags);
    put_short(out, envelope->envid);
    for (size_t i = 0; i < envelope->recipients_count; i++)
        put_short(out, envelope->recipients[i].orcpt);
    record_put_slice(out, commit->prefix);
}

static bool within_limits(const struct intake_commit *commit)
{
    const struct envelope *envelope = commit->envelope;
    if (envelope->recipients_count == 0 ||
        envelope->recipients_count > SPOOL_RECIPIENTS_MAX ||
        envelope->sender.len > SPOOL_ADDRESS_MAX ||
        envelope->envid.len > SPOOL_ADDRESS_MAX ||
        envelope->hold_request.len > SPOOL_ADDRESS_MAX ||
        envelope->priority < -9 || envelope->priority > 9 ||
        commit->prefix.len > SPOOL_PREFIX_MAX)
        return false;
    for (size_t i = 0; i < envelope->recipients_count; i++)
        if (envelope->recipients[i].address.len > SPOOL_ADDRESS_MAX ||
            envelope->recipients[i].orcpt.len > SPOOL_ADDRESS_MAX)
            return false;
    return true;
}

/* commit = brief-length(4) brief-crc(4) brief fixed-length(4) fixed
 *          updates-count(4) updates(4+) chunks-count(4) chunks tail */
static void encode_brief_front(struct buffer *out, size_t at)
{
    struct slice brief = slice_from(buffer_slice(out), at + SPOOL_BRIEF_AT);
    if (out->overflow)
        return;
    put_number32(out, at, (uint32_t)brief.len);
    put_number32(out, at + 4, crc32c(0, brief));
}

bool spool_commit_encode(struct buffer *out, struct mail_id id, uint64_t content_size,
                         const struct intake_commit *commit)
{
    if (!within_limits(commit))
        return false;
    size_t start = buffer_len(out);
    buffer_append_u64(out, 0);
    encode_brief(out, id, content_size, commit);
    encode_brief_front(out, start);
    size_t fixed = buffer_len(out);
    buffer_append_u32(out, 0);
    encode_fixed(out, commit);
    put_number32(out, fixed, (uint32_t)(buffer_len(out) - fixed - 4));
    buffer_append_u32(out, (uint32_t)commit->updates_count);
    size_t updates = buffer_len(out);
    buffer_append_u32(out, 0);
    for (size_t i = 0; i < commit->updates_count; i++)
        spool_update_encode(out, &commit->updates[i]);
    put_number32(out, updates, (uint32_t)(buffer_len(out) - updates - 4));
    return true;
}

void spool_chunks_encode(struct buffer *out, const struct spool_chunk *chunks,
                         size_t count)
{
    buffer_append_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buffer_append_u32(out, chunks[i].segment);
        buffer_append_u32(out, chunks[i].offset);
        buffer_append_u32(out, chunks[i].length);
        buffer_append_u32(out, chunks[i].crc);
    }
}

void spool_commit_encode_again(struct buffer *out, const struct spool_commit *commit,
                               const struct spool_chunk *chunks, size_t count)
{
    buffer_append_u32(out, (uint32_t)commit->brief_bytes.len);
    buffer_append_u32(out, crc32c(0, commit->brief_bytes));
    buffer_append(out, commit->brief_bytes);
    record_put_slice(out, commit->fixed_bytes);
    buffer_append_u32(out, 0);
    buffer_append_u32(out, 0);
    spool_chunks_encode(out, chunks, count);
    buffer_append(out, commit->tail);
}

bool spool_brief_recipient(struct record *recipients,
                           struct envelope_recipient *out_recipient)
{
    uint8_t flags = record_u8(recipients);
    struct slice address = take_short(recipients);
    if (recipients->failed)
        return false;
    *out_recipient = (struct envelope_recipient){
        .address = address, .notify = flags & (uint8_t)~RECIPIENT_FORWARDED,
        .forwarded = (flags & RECIPIENT_FORWARDED) != 0,
    };
    return true;
}

static void take_extras(struct record *r, struct spool_brief *brief)
{
    while (!r->failed && !cursor_at_end(&r->cursor)) {
        uint8_t tag = record_u8(r);
        struct slice value = take_short(r);
        if (!r->failed && tag == EXTRA_HOLD_REQUEST)
            brief->hold_request = value;
        if (!r->failed && tag == EXTRA_DELIVER_BY)
            take_deliver_by(value, brief);
        brief->require_tls |= !r->failed && tag == EXTRA_REQUIRE_TLS;
        if (!r->failed && tag == EXTRA_PRIORITY && value.len == 1 &&
            (unsigned char)value.data[0] <= 18)
            brief->priority = (int8_t)(value.data[0] - 9);
    }
}

bool spool_brief_parse(struct slice bytes, struct spool_brief *out_brief)
{
    struct record r = record_over(bytes);
    struct spool_brief brief = { 0 };
    struct envelope_recipient recipient;
    brief.id.value = record_u64(&r);
    brief.received_wall_ms = (int64_t)record_u64(&r);
    brief.not_before_wall_ms = (int64_t)record_u64(&r);
    brief.content_size = record_u64(&r);
    uint8_t flags = record_u8(&r);
    brief.hold = (flags & BRIEF_HOLD) != 0;
    brief.is_report = (flags & BRIEF_REPORT) != 0;
    brief.recipients_count = record_u32(&r);
    brief.sender = take_short(&r);
    brief.recipients = cursor_rest(&r.cursor);
    if (brief.recipients_count == 0 || brief.recipients_count > SPOOL_RECIPIENTS_MAX ||
        brief.id.value == 0)
        return false;
    for (uint32_t i = 0; i < brief.recipients_count && !r.failed; i++)
        spool_brief_recipient(&r, &recipient);
    take_extras(&r, &brief);
    if (r.failed)
        return false;
    *out_brief = brief;
    return true;
}

bool spool_brief_find(struct slice payload, struct slice *out_brief)
{
    struct record r = record_over(payload);
    uint32_t length = record_u32(&r);
    uint32_t crc = record_u32(&r);
    struct slice brief = take_bytes(&r, length);
    if (r.failed || crc32c(0, brief) != crc)
        return false;
    *out_brief = brief;
    return true;
}

static bool parse_fixed(struct slice bytes, struct spool_commit *commit)
{
    struct record r = record_over(bytes);
    uint8_t body = record_u8(&r);
    uint8_t ret = record_u8(&r);
    uint8_t flags = record_u8(&r);
    struct envelope *envelope = &commit->envelope;
    if (body > MAIL_BODY_BINARYMIME || ret > DSN_RET_HEADERS)
        return false;
    envelope->sender = commit->brief.sender;
    envelope->is_report = commit->brief.is_report;
    envelope->hold_request = commit->brief.hold_request;
    envelope->priority = commit->brief.priority;
    envelope->require_tls = commit->brief.require_tls;
    envelope->deliver_by_wall_ms = commit->brief.deliver_by_wall_ms;
    envelope->by_returns = commit->brief.by_returns;
    envelope->by_traces = commit->brief.by_traces;
    envelope->body = (enum mail_body)body;
    envelope->ret = (enum dsn_ret)ret;
    envelope->smtputf8 = (flags & FIXED_SMTPUTF8) != 0;
    envelope->content_8bit = (flags & FIXED_8BIT) != 0;
    envelope->content_binary = (flags & FIXED_BINARY) != 0;
    envelope->envid = take_short(&r);
    commit->orcpts = cursor_rest(&r.cursor);
    for (uint32_t i = 0; i < commit->brief.recipients_count && !r.failed; i++)
        take_short(&r);
    commit->prefix = record_slice(&r);
    return !r.failed && cursor_at_end(&r.cursor);
}

static bool updates_are_whole(const struct spool_commit *commit)
{
    struct record r = record_over(commit->updates);
    struct recipient_update update;
    uint32_t count = 0;
    while (spool_update_take(&r, &update))
        count++;
    return count == commit->updates_count && cursor_at_end(&r.cursor);
}

static bool sizes_agree(const struct spool_commit *commit)
{
    uint64_t bytes = commit->tail.len;
    bool in_file = false;
    for (size_t i = 0; i < commit->chunks_count; i++) {
        struct spool_chunk chunk = spool_chunk_at(commit, i);
        if (chunk.length == 0 || (in_file && chunk.segment != 0))
            return false;
        in_file = chunk.segment == 0;
        bytes += chunk.length;
    }
    return bytes == commit->brief.content_size;
}

bool spool_commit_parse(struct slice payload, struct spool_commit *out_commit)
{
    struct record r = record_over(payload);
    struct spool_commit commit = { 0 };
    if (!spool_brief_find(payload, &commit.brief_bytes) ||
        !spool_brief_parse(commit.brief_bytes, &commit.brief))
        return false;
    take_bytes(&r, SPOOL_BRIEF_AT + commit.brief_bytes.len);
    commit.fixed_bytes = record_slice(&r);
    commit.updates_count = record_u32(&r);
    commit.updates = record_slice(&r);
    commit.chunks_count = record_u32(&r);
    if (commit.chunks_count > SPOOL_CHUNKS_MAX)
        return false;
    commit.chunks = take_bytes(&r, (size_t)commit.chunks_count * CHUNK_BYTES);
    commit.tail = cursor_rest(&r.cursor);
    if (r.failed || !parse_fixed(commit.fixed_bytes, &commit) ||
        !updates_are_whole(&commit) || !sizes_agree(&commit))
        return false;
    *out_commit = commit;
    return true;
}

struct spool_chunk spool_chunk_at(const struct spool_commit *commit, size_t index)
{
    struct record r = record_over(slice_part(commit->chunks, index * CHUNK_BYTES,
                                             CHUNK_BYTES));
    struct spool_chunk chunk = { 0 };
    chunk.segment = record_u32(&r);
    chunk.offset = record_u32(&r);
    chunk.length = record_u32(&r);
    chunk.crc = record_u32(&r);
    return chunk;
}

/* update = id(8) recipient(4) state-and-told(1) attempts(2) due(8) code(2) class(1)
 *          subject(2) detail(2) reason(2+) */
void spool_update_encode(struct buffer *out, const struct recipient_update *update)
{
    buffer_append_u64(out, update->id.value);
    buffer_append_u32(out, update->recipient);
    buffer_append_byte(out, (char)(update->state | (update->told ? SPOOL_TOLD : 0)));
    buffer_append_u16(out, update->attempts);
    buffer_append_u64(out, (uint64_t)update->next_due_wall_ms);
    buffer_append_u16(out, update->code);
    buffer_append_byte(out, (char)update->status.class);
    buffer_append_u16(out, update->status.subject);
    buffer_append_u16(out, update->status.detail);
    put_short(out, slice_part(update->reason, 0, RECIPIENT_REASON_MAX));
}

bool spool_update_take(struct record *updates, struct recipient_update *out_update)
{
    struct recipient_update update = { 0 };
    if (cursor_at_end(&updates->cursor))
        return false;
    update.id.value = record_u64(updates);
    update.recipient = record_u32(updates);
    uint8_t state = record_u8(updates);
    update.told = (state & SPOOL_TOLD) != 0;
    state &= (uint8_t)~SPOOL_TOLD;
    update.attempts = record_u16(updates);
    update.next_due_wall_ms = (int64_t)record_u64(updates);
    update.code = record_u16(updates);
    update.status.class = record_u8(updates);
    update.status.subject = record_u16(updates);
    update.status.detail = record_u16(updates);
    update.reason = take_short(updates);
    if (updates->failed || state > RECIPIENT_DELETED ||
        update.reason.len > RECIPIENT_REASON_MAX)
        return false;
    update.state = (enum recipient_state)state;
    *out_update = update;
    return true;
}

/* note = key(2+) value */
void spool_note_encode(struct buffer *out, struct slice key, struct slice value)
{
    put_short(out, key);
    buffer_append(out, value);
}

bool spool_note_parse(struct slice payload, struct slice *out_key,
                      struct slice *out_value)
{
    struct record r = record_over(payload);
    struct slice key = take_short(&r);
    if (r.failed || key.len == 0)
        return false;
    *out_key = key;
    *out_value = cursor_rest(&r.cursor);
    return true;
}
