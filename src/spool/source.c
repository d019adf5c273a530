/* source.c: reading a message back from where it lies.
 *
 * A view pins every segment that it needs, so that neither freeing nor compaction
 * takes the bytes away. The commit is read and checked whole at open; each other
 * part of the body when it is first read from.
 */
#include "spool/spool_private.h"

#include "base/crc32c.h"
#include "base/must.h"

#include <stdlib.h>

struct spool_view {
    struct message_view base;
    struct spool *spool;
    struct spool_commit commit;
    char *payload;
    struct envelope_recipient *recipients;
    char *part;                 /* the chunk read last */
    size_t part_index;          /* its index + 1, 0 for none */
    int file;                   /* of a large body, or -1 */
    size_t segments_count;
    struct spool_segment *segments[]; /* the commit's, then the chunks' */
};

enum err spool_frame_read(struct spool *spool, const struct spool_segment *segment,
                          uint64_t offset, uint32_t length, char **out_payload)
{
    struct spool_frame frame;
    size_t have;
    size_t whole = SPOOL_FRAME_HEADER + (size_t)length;
    char *bytes = malloc(whole);
    if (bytes == NULL)
        return ERR_MEMORY;
    enum err error = spool->fs->ops->read(spool->fs, segment->file, bytes, whole,
                                          offset, &have);
    if (error == ERR_OK) {
        struct slice payload = slice_make(bytes + SPOOL_FRAME_HEADER, length);
        bool good = have == whole &&
                    spool_frame_decode(slice_make(bytes, whole), spool->magic, &frame) &&
                    frame.segment == segment->id && frame.length == length &&
                    crc32c(0, payload) == frame.crc;
        if (!good) {
            spool_quarantine(spool, segment->id, offset, slice_make(bytes, have));
            error = ERR_CORRUPT;
        }
    }
    if (error != ERR_OK) {
        free(bytes);
        return error;
    }
    memmove(bytes, bytes + SPOOL_FRAME_HEADER, length);
    *out_payload = bytes;
    return ERR_OK;
}

static void view_unpin(struct spool_view *view)
{
    pthread_mutex_lock(&view->spool->lock);
    for (size_t i = 0; i < view->segments_count; i++)
        spool_segment_unpin(view->spool, view->segments[i]);
    pthread_mutex_unlock(&view->spool->lock);
}

static void view_close(struct message_view *base)
{
    struct spool_view *view = container_of(base, struct spool_view, base);
    view_unpin(view);
    if (view->file >= 0)
        view->spool->fs->ops->close(view->spool->fs, view->file);
    free(view->payload);
    free(view->recipients);
    free(view->part);
    free(view);
}

static enum err read_exactly(struct spool *spool, int file, char *out, size_t len,
                             uint64_t offset)
{
    size_t have;
    enum err error = spool->fs->ops->read(spool->fs, file, out, len, offset, &have);
    if (error != ERR_OK)
        return error;
    return have == len ? ERR_OK : ERR_CORRUPT;
}

static struct spool_segment *segment_of(const struct spool_view *view, uint32_t id)
{
    for (size_t i = 0; i < view->segments_count; i++)
        if (view->segments[i]->id == id)
            return view->segments[i];
    return NULL;
}

static enum err load_chunk(struct spool_view *view, size_t index, uint64_t file_offset)
{
    struct spool_chunk chunk = spool_chunk_at(&view->commit, index);
    if (view->part_index == index + 1)
        return ERR_OK;
    char *part = realloc(view->part, chunk.length);
    if (part == NULL)
        return ERR_MEMORY;
    view->part = part;
    view->part_index = 0;
    enum err error = ERR_CORRUPT;
    if (chunk.segment == 0) {
        error = read_exactly(view->spool, view->file, part, chunk.length, file_offset);
    } else {
        struct spool_segment *segment = segment_of(view, chunk.segment);
        if (segment != NULL)
            error = read_exactly(view->spool, segment->file, part, chunk.length,
                                 (uint64_t)chunk.offset + SPOOL_FRAME_HEADER);
    }
    if (error == ERR_OK && crc32c(0, slice_make(part, chunk.length)) != chunk.crc) {
        spool_quarantine(view->spool, chunk.segment, chunk.offset,
                         slice_make(part, chunk.length));
        error = ERR_CORRUPT;
    }
    if (error == ERR_OK)
        view->part_index = index + 1;
    return error;
}

/* The part of the body that holds `offset`: a chunk or the tail. */
static enum err part_at(struct spool_view *view, uint64_t offset, struct slice *out_part)
{
    uint64_t start = 0;
    uint64_t file_offset = 0;
    for (size_t i = 0; i < view->commit.chunks_count; i++) {
        struct spool_chunk chunk = spool_chunk_at(&view->commit, i);
        if (offset < start + chunk.length) {
            enum err error = load_chunk(view, i, file_offset);
            if (error == ERR_OK)
                *out_part = slice_from(slice_make(view->part, chunk.length),
                                       (size_t)(offset - start));
            return error;
        }
        start += chunk.length;
        file_offset += chunk.segment == 0 ? chunk.length : 0;
    }
    *out_part = slice_from(view->commit.tail, (size_t)(offset - start));
    return ERR_OK;
}

static enum err view_read(struct message_view *base, uint64_t offset, char *out,
                          size_t len, size_t *out_len)
{
    struct spool_view *view = container_of(base, struct spool_view, base);
    size_t have = 0;
    while (have < len && offset < base->content_size) {
        struct slice part;
        enum err error = part_at(view, offset, &part);
        if (error != ERR_OK)
            return error;
        part = slice_part(part, 0, len - have);
        memcpy(out + have, part.data, part.len);
        have += part.len;
        offset += part.len;
    }
    *out_len = have;
    return ERR_OK;
}

/* Under the lock. */
static enum err pin_all(struct spool *spool, struct spool_entry *entry,
                        struct spool_view **out_view)
{
    struct spool_view *view = malloc(sizeof *view + (entry->pins_count + 1u) *
                                                        sizeof(struct spool_segment *));
    if (view == NULL)
        return ERR_MEMORY;
    *view = (struct spool_view){ .spool = spool, .file = -1 };
    enum err error = spool_segment_pin(spool, entry->place.segment, &view->segments[0]);
    view->segments_count = error == ERR_OK;
    for (size_t i = 0; i < entry->pins_count && error == ERR_OK; i++) {
        error = spool_segment_pin(spool, spool_entry_pins(entry)[i].segment,
                                  &view->segments[view->segments_count]);
        view->segments_count += error == ERR_OK;
    }
    if (error == ERR_OK) {
        *out_view = view;
        return ERR_OK;
    }
    for (size_t i = 0; i < view->segments_count; i++)
        spool_segment_unpin(spool, view->segments[i]);
    free(view);
    return error == ERR_ABSENT ? ERR_CORRUPT : error;
}

static enum err fill_envelope(struct spool_view *view)
{
    const struct spool_commit *commit = &view->commit;
    size_t count = commit->brief.recipients_count;
    struct record addresses = record_over(commit->brief.recipients);
    struct record orcpts = record_over(commit->orcpts);
    view->recipients = malloc(count * sizeof *view->recipients);
    if (view->recipients == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        must(spool_brief_recipient(&addresses, &view->recipients[i]));
        uint16_t len = record_u16(&orcpts);
        must(cursor_take_part(&orcpts.cursor, len, &view->recipients[i].orcpt));
    }
    view->base.envelope = commit->envelope;
    view->base.envelope.recipients = view->recipients;
    view->base.envelope.recipients_count = count;
    view->base.prefix = commit->prefix;
    view->base.content_size = commit->brief.content_size;
    view->base.received_wall_ms = commit->brief.received_wall_ms;
    return ERR_OK;
}

static enum err open_file(struct spool_view *view, struct mail_id id)
{
    char path[SPOOL_PATH_MAX];
    size_t count = view->commit.chunks_count;
    if (count == 0 || spool_chunk_at(&view->commit, count - 1).segment != 0)
        return ERR_OK;
    spool_large_path(id, path);
    enum err error = view->spool->fs->ops->open(view->spool->fs, path, SPOOL_FS_READ,
                                                &view->file);
    if (error == ERR_OK)
        return ERR_OK;
    view->file = -1;
    return error == ERR_ABSENT ? ERR_CORRUPT : error;
}

static enum err fill_view(struct spool_view *view, struct mail_id id,
                          struct spool_place place)
{
    enum err error = spool_frame_read(view->spool, view->segments[0], place.offset,
                                      place.length, &view->payload);
    if (error != ERR_OK)
        return error;
    if (!spool_commit_parse(slice_make(view->payload, place.length), &view->commit) ||
        view->commit.brief.id.value != id.value)
        return ERR_CORRUPT;
    error = fill_envelope(view);
    return error == ERR_OK ? open_file(view, id) : error;
}

/* Told once for each message. One that ended meanwhile was not corrupt: its file may
 * have gone under the view. */
static enum err judge_corrupt(struct spool *spool, struct mail_id id)
{
    pthread_mutex_lock(&spool->lock);
    struct spool_entry *entry = spool_map_find(&spool->index.entries, id.value);
    bool is_gone = entry == NULL;
    bool tell = entry != NULL && (entry->flags & SPOOL_ENTRY_CORRUPT) == 0;
    if (tell)
        entry->flags |= SPOOL_ENTRY_CORRUPT;
    pthread_mutex_unlock(&spool->lock);
    if (tell) {
        char text[MAIL_ID_CHARACTERS + 1];
        spool_problem(spool, "message %s cannot be read: it does not check",
                      mail_id_text(id, text));
    }
    return is_gone ? ERR_ABSENT : ERR_CORRUPT;
}

const struct spool_commit *spool_view_commit(struct message_view *view)
{
    return &container_of(view, struct spool_view, base)->commit;
}

static enum err spool_view_open(struct message_source *source, struct mail_id id,
                                struct message_view **out_view)
{
    static const struct message_view_ops ops = { .read = view_read,
                                                 .close = view_close };
    struct spool *spool = container_of(source, struct spool, source);
    struct spool_view *view = NULL;
    struct spool_place place = { 0 };
    enum err error = ERR_ABSENT;
    pthread_mutex_lock(&spool->lock);
    struct spool_entry *entry = spool_map_find(&spool->index.entries, id.value);
    if (entry != NULL) {
        place = entry->place;
        error = pin_all(spool, entry, &view);
    }
    pthread_mutex_unlock(&spool->lock);
    if (error == ERR_OK) {
        view->base.ops = &ops;
        view->base.id = id;
        error = fill_view(view, id, place);
        if (error != ERR_OK)
            view_close(&view->base);
    }
    if (error == ERR_CORRUPT)
        error = judge_corrupt(spool, id);
    if (error == ERR_OK)
        *out_view = &view->base;
    return error;
}

void spool_source_init(struct spool *spool)
{
    static const struct message_source_ops ops = { .open = spool_view_open };
    spool->source.ops = &ops;
}
