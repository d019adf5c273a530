/* checkpoint_read.c: reading a checkpoint, which may be damaged. */
#include "spool/checkpoint_private.h"

#include "base/crc32c.h"

enum { HEADER_BYTES = 4 + 8 + 8 + 4, PIN_BYTES = 8 };

uint32_t spool_block_crc(uint64_t magic, uint64_t number, uint64_t block,
                         struct slice payload)
{
    uint64_t salt[3] = { magic, number, block };
    return crc32c(crc32c(0, slice_make(salt, sizeof salt)), payload);
}

enum err spool_checkpoint_open(struct spool *spool, uint64_t number,
                               struct spool_checkpoint_reader *out_reader)
{
    char path[SPOOL_PATH_MAX];
    struct spool_checkpoint_reader reader = { .spool = spool, .number = number };
    spool_checkpoint_path(number, false, path);
    enum err error = spool->fs->ops->open(spool->fs, path, SPOOL_FS_READ, &reader.file);
    if (error != ERR_OK)
        return error;
    error = spool->fs->ops->size(spool->fs, reader.file, &reader.size);
    if (error != ERR_OK) {
        spool->fs->ops->close(spool->fs, reader.file);
        return error;
    }
    buffer_init(&reader.bytes, SPOOL_BLOCK_MAX);
    *out_reader = reader;
    return ERR_OK;
}

void spool_checkpoint_close(struct spool_checkpoint_reader *reader)
{
    reader->spool->fs->ops->close(reader->spool->fs, reader->file);
    buffer_free(&reader->bytes);
}

static enum err read_part(struct spool_checkpoint_reader *reader, size_t len)
{
    size_t have;
    buffer_clear(&reader->bytes);
    if (len > reader->size - reader->offset || len > SPOOL_BLOCK_MAX)
        return ERR_CORRUPT;
    char *room = buffer_reserve(&reader->bytes, len);
    if (room == NULL)
        return ERR_MEMORY;
    enum err error = reader->spool->fs->ops->read(reader->spool->fs, reader->file, room,
                                                  len, reader->offset, &have);
    if (error != ERR_OK)
        return error;
    if (have != len)
        return ERR_CORRUPT;
    buffer_added(&reader->bytes, len);
    reader->offset += len;
    return ERR_OK;
}

enum err spool_checkpoint_block(struct spool_checkpoint_reader *reader,
                                uint8_t *out_kind, struct slice *out_payload)
{
    if (reader->offset == reader->size)
        return ERR_ABSENT;
    enum err error = read_part(reader, SPOOL_BLOCK_FRONT);
    if (error != ERR_OK)
        return error;
    struct record front = record_over(buffer_slice(&reader->bytes));
    uint32_t length = record_u32(&front);
    uint32_t crc = record_u32(&front);
    error = length == 0 ? ERR_CORRUPT : read_part(reader, length);
    if (error != ERR_OK)
        return error;
    struct slice payload = buffer_slice(&reader->bytes);
    if (spool_block_crc(reader->spool->magic, reader->number, reader->block++,
                        payload) != crc)
        return ERR_CORRUPT;
    *out_kind = (uint8_t)payload.data[0];
    *out_payload = slice_from(payload, 1);
    return ERR_OK;
}

/* state = state-and-told(1) attempts(2) due(8) code(2) class(1) subject(2) detail(2)
 *         reason(4) [ text(2+) ] */
bool spool_checkpoint_state(struct record *states, struct spool_checkpoint_state *out)
{
    struct spool_checkpoint_state s = { 0 };
    uint8_t state = record_u8(states);
    s.update.told = (state & SPOOL_TOLD) != 0;
    state &= (uint8_t)~SPOOL_TOLD;
    s.update.attempts = record_u16(states);
    s.update.next_due_wall_ms = (int64_t)record_u64(states);
    s.update.code = record_u16(states);
    s.update.status.class = record_u8(states);
    s.update.status.subject = record_u16(states);
    s.update.status.detail = record_u16(states);
    uint32_t reason = record_u32(states);
    s.defines = (reason & SPOOL_REASON_DEFINED) != 0;
    s.reason = reason & ~SPOOL_REASON_DEFINED;
    if (s.defines) {
        uint16_t len = record_u16(states);
        if (states->failed || len == 0 || len > RECIPIENT_REASON_MAX ||
            !cursor_take_part(&states->cursor, len, &s.update.reason))
            return false;
    }
    if (states->failed || state > RECIPIENT_DELETED)
        return false;
    s.update.state = (enum recipient_state)state;
    *out = s;
    return true;
}

/* entry = id(8) segment(4) offset(4) length(4) flags(1) pins-count(2) count(4)
 *         pins states brief(4+) */
bool spool_checkpoint_take(struct record *block, struct spool_checkpoint_entry *out)
{
    struct spool_checkpoint_entry entry = { 0 };
    struct spool_checkpoint_state state;
    if (cursor_at_end(&block->cursor))
        return false;
    entry.id = record_u64(block);
    entry.place.segment = record_u32(block);
    entry.place.offset = record_u32(block);
    entry.place.length = record_u32(block);
    entry.flags = record_u8(block);
    entry.pins_count = record_u16(block);
    entry.count = record_u32(block);
    if (block->failed || entry.count > SPOOL_RECIPIENTS_MAX ||
        !cursor_take_part(&block->cursor, (size_t)entry.pins_count * PIN_BYTES,
                          &entry.pins)) {
        block->failed = true;
        return false;
    }
    struct cursor start = block->cursor;
    for (uint32_t i = 0; i < entry.count; i++)
        if (!spool_checkpoint_state(block, &state)) {
            block->failed = true;
            return false;
        }
    entry.states = cursor_since(&block->cursor, &start);
    entry.brief = record_slice(block);
    if (block->failed)
        return false;
    *out = entry;
    return true;
}

static bool read_header(struct slice payload, struct spool_checkpoint_header *out)
{
    struct record r = record_over(payload);
    struct spool_checkpoint_header header = { 0 };
    uint32_t version = record_u32(&r);
    header.sequence = record_u64(&r);
    header.segment = record_u64(&r);
    header.generation = record_u32(&r);
    if (r.failed || version != SPOOL_CHECKPOINT_VERSION)
        return false;
    *out = header;
    return true;
}

static bool entries_check(struct slice payload)
{
    struct record r = record_over(payload);
    struct spool_checkpoint_entry entry;
    struct spool_brief brief;
    while (spool_checkpoint_take(&r, &entry))
        if (entry.brief.len > 0 &&
            (!spool_brief_parse(entry.brief, &brief) || brief.id.value != entry.id ||
             brief.recipients_count != entry.count))
            return false;
    return !r.failed;
}

static enum err read_begin(struct spool_checkpoint_reader *reader,
                           struct spool_checkpoint_header *out_header)
{
    struct slice payload;
    uint8_t kind;
    enum err error = spool_checkpoint_block(reader, &kind, &payload);
    if (error != ERR_OK)
        return error == ERR_ABSENT ? ERR_CORRUPT : error;
    if (kind != SPOOL_BLOCK_HEADER || !read_header(payload, out_header))
        return ERR_CORRUPT;
    return ERR_OK;
}

enum err spool_checkpoint_begins(struct spool *spool, uint64_t number,
                                 struct spool_checkpoint_header *out_header)
{
    struct spool_checkpoint_reader reader;
    enum err error = spool_checkpoint_open(spool, number, &reader);
    if (error != ERR_OK)
        return error;
    error = read_begin(&reader, out_header);
    spool_checkpoint_close(&reader);
    return error;
}

enum err spool_checkpoint_verify(struct spool *spool, uint64_t number,
                                 struct spool_checkpoint_header *out_header)
{
    struct spool_checkpoint_reader reader;
    struct spool_checkpoint_header header = { 0 };
    struct slice payload;
    uint8_t kind = 0;
    enum err error = spool_checkpoint_open(spool, number, &reader);
    if (error != ERR_OK)
        return error;
    error = read_begin(&reader, &header);
    while (error == ERR_OK && kind != SPOOL_BLOCK_TRAILER) {
        error = spool_checkpoint_block(&reader, &kind, &payload);
        if (error == ERR_OK && kind == SPOOL_BLOCK_ENTRIES && !entries_check(payload))
            error = ERR_CORRUPT;
    }
    spool_checkpoint_close(&reader);
    if (error == ERR_ABSENT)
        error = ERR_CORRUPT;
    if (error == ERR_OK)
        *out_header = header;
    return error;
}
