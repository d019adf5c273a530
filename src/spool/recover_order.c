/* recover_order.c: which files of the log count, and in which order.
 *
 * Order is that of the frames, not of the names: a segment that was prepared early may
 * be used late. What a recovery wrote counts once that recovery had finished, and what
 * it had written again counts until then: so that a disk which is full has room for the
 * next recovery, however often one is interrupted.
 */
#include "spool/recover_private.h"

#include "base/crc32c.h"

#include <stdlib.h>

void spool_mark_encode(struct buffer *out, uint64_t generation, enum spool_mark mark)
{
    buffer_append_u64(out, generation);
    buffer_append_byte(out, (char)mark);
}

/* A payload of eight bytes is an ordinary one. */
static bool parse_mark(struct slice payload, uint64_t *out_generation,
                       enum spool_mark *out_mark, struct record *out_ids)
{
    struct record r = record_over(payload);
    uint64_t generation = record_u64(&r);
    uint8_t mark = SPOOL_MARK_ORDINARY;
    if (!cursor_at_end(&r.cursor))
        mark = record_u8(&r);
    if (r.failed || mark > SPOOL_MARK_FINISHED)
        return false;
    *out_generation = generation;
    *out_mark = (enum spool_mark)mark;
    *out_ids = r;
    return true;
}

/* From the first frame that checks, wherever it is. */
static enum err search_head(struct spool *spool, const char *path,
                            struct spool_head *head)
{
    char *bytes;
    size_t len;
    struct spool_scan_step step;
    enum spool_scan_result result;
    enum err error = spool_read_file(spool, path, &bytes, &len);
    if (error != ERR_OK)
        return error;
    struct spool_scan scan = spool_scan_over(slice_make(bytes, len), spool->magic,
                                             head->id);
    while (head->sequence == 0 &&
           (result = spool_scan_next(&scan, &step)) != SPOOL_SCAN_END)
        if (result == SPOOL_SCAN_FRAME || scan.sequence > 0)
            head->sequence = scan.sequence;
    free(bytes);
    return ERR_OK;
}

static bool parse_head(const struct spool *spool, struct slice sector,
                       struct spool_head *head)
{
    struct spool_frame frame;
    struct record ids;
    if (!spool_frame_decode(sector, spool->magic, &frame) || frame.segment != head->id ||
        frame.type != SPOOL_FRAME_SEGMENT ||
        frame.length > sector.len - SPOOL_FRAME_HEADER)
        return false;
    struct slice payload = slice_part(sector, SPOOL_FRAME_HEADER, frame.length);
    if (crc32c(0, payload) != frame.crc ||
        !parse_mark(payload, &head->generation, &head->mark, &ids))
        return false;
    head->sequence = frame.sequence;
    return true;
}

static enum err read_head(struct spool *spool, struct spool_head *head)
{
    char path[SPOOL_PATH_MAX];
    char sector[SPOOL_SECTOR];
    size_t have;
    int file;
    spool_segment_path(head->id, path);
    enum err error = spool->fs->ops->open(spool->fs, path, SPOOL_FS_READ, &file);
    if (error != ERR_OK)
        return error;
    error = spool->fs->ops->size(spool->fs, file, &head->bytes);
    if (error == ERR_OK)
        error = spool->fs->ops->read(spool->fs, file, sector, sizeof sector, 0, &have);
    spool->fs->ops->close(spool->fs, file);
    if (error != ERR_OK || parse_head(spool, slice_make(sector, have), head))
        return error;
    return search_head(spool, path, head);
}

static int compare_heads(const void *a, const void *b)
{
    const struct spool_head *x = a;
    const struct spool_head *y = b;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* All frames of a segment come before the first one of the next that counts. The last
 * one is never known: it has no footer, and is to be written again. */
static void find_known(struct spool_recovery *recovery)
{
    bool is_known = false;
    for (size_t i = recovery->heads_count; i-- > 0;) {
        struct spool_head *head = &recovery->heads[i];
        head->is_known = is_known;
        if (!head->is_free)
            is_known = recovery->checkpoint != 0 &&
                       head->sequence <= recovery->from.sequence;
    }
}

static void note_finished(struct spool_recovery *recovery, uint64_t generation)
{
    if (generation > recovery->last_finished)
        recovery->last_finished = generation;
}

static enum err take_released(struct spool_recovery *recovery, struct record ids)
{
    while (!cursor_at_end(&ids.cursor)) {
        uint64_t id = record_u64(&ids);
        if (ids.failed)
            break;
        if (!spool_numbers_add(&recovery->released, id))
            return ERR_MEMORY;
    }
    return ERR_OK;
}

/* Looks in a segment that a recovery began for the mark of its end. */
static enum err find_mark(struct spool_recovery *recovery, const struct spool_head *head)
{
    struct spool *spool = recovery->spool;
    char path[SPOOL_PATH_MAX];
    char *bytes;
    size_t len;
    struct spool_scan_step step;
    enum spool_scan_result result;
    spool_segment_path(head->id, path);
    enum err error = spool_read_file(spool, path, &bytes, &len);
    if (error != ERR_OK)
        return error;
    struct spool_scan scan = spool_scan_over(slice_make(bytes, len), spool->magic,
                                             head->id);
    while (error == ERR_OK && (result = spool_scan_next(&scan, &step)) != SPOOL_SCAN_END) {
        uint64_t generation;
        enum spool_mark mark;
        struct record ids;
        if (result == SPOOL_SCAN_FRAME && step.frame.type == SPOOL_FRAME_SEGMENT &&
            parse_mark(step.payload, &generation, &mark, &ids) &&
            mark == SPOOL_MARK_FINISHED) {
            note_finished(recovery, generation);
            error = take_released(recovery, ids);
        }
    }
    if (scan.sequence > recovery->last_sequence)
        recovery->last_sequence = scan.sequence;
    if (head->generation > recovery->last_generation)
        recovery->last_generation = (uint32_t)head->generation;
    free(bytes);
    return error;
}

/* The last recovery that ended: by its mark, by a checkpoint or an ordinary segment of
 * its generation, since both come only after. It named what it found of recoveries
 * before it that had not ended. */
static enum err find_finished(struct spool_recovery *recovery)
{
    enum err error = ERR_OK;
    if (recovery->checkpoint != 0)
        note_finished(recovery, recovery->from.generation);
    for (size_t i = 0; i < recovery->heads_count && error == ERR_OK; i++) {
        const struct spool_head *head = &recovery->heads[i];
        if (head->mark != SPOOL_MARK_REWRITE)
            note_finished(recovery, head->generation);
        else if (!head->is_known)
            error = find_mark(recovery, head);
    }
    spool_numbers_sort(&recovery->released);
    return error;
}

static void judge_heads(struct spool_recovery *recovery)
{
    for (size_t i = 0; i < recovery->heads_count; i++) {
        struct spool_head *head = &recovery->heads[i];
        bool is_unfinished = head->mark == SPOOL_MARK_REWRITE &&
                             head->generation > recovery->last_finished;
        head->is_free = head->sequence == 0 || is_unfinished ||
                        spool_numbers_have(&recovery->released, head->id);
    }
}

enum err spool_recover_order(struct spool_recovery *recovery)
{
    size_t count = recovery->segments.count;
    enum err error = ERR_OK;
    recovery->heads = calloc(count + 1, sizeof *recovery->heads);
    if (recovery->heads == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count && error == ERR_OK; i++) {
        recovery->heads[i].id = recovery->segments.all[i];
        error = read_head(recovery->spool, &recovery->heads[i]);
    }
    if (error != ERR_OK)
        return error;
    recovery->heads_count = count;
    qsort(recovery->heads, count, sizeof *recovery->heads, compare_heads);
    find_known(recovery);
    error = find_finished(recovery);
    judge_heads(recovery);
    find_known(recovery); /* again, without those that do not count */
    return error;
}
