/* recover.c: from what is on the disk to a spool that may promise again.
 *
 * In order: the format; the newest whole checkpoint; which segments count, in which
 * order; the log since; a new segment,
 * whose first frame makes the new generation durable; what lay unsealed, written
 * again; files without a message removed; every message handed to the sink.
 * docs/SPOOL.md says why each step may be interrupted.
 */
#include "spool/recover_private.h"

#include "base/ascii.h"
#include "base/crc32c.h"
#include "base/must.h"

#include <stdlib.h>
#include <sys/random.h>

enum { FORMAT_VERSION = 1, FORMAT_COPY_BYTES = 24, FORMAT_COPIES = 2,
       NOTES_BYTES_MAX = 1024 * 1024 * 1024 };

static const char format_path[] = "format";
static const char format_word[] = "godwit\r\n";

bool spool_numbers_add(struct spool_numbers *numbers, uint64_t number)
{
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity * 2 + 64;
        uint64_t *all = realloc(numbers->all, capacity * sizeof *all);
        if (all == NULL)
            return false;
        numbers->all = all;
        numbers->capacity = capacity;
    }
    numbers->all[numbers->count++] = number;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void spool_numbers_sort(struct spool_numbers *numbers)
{
    size_t kept = 0;
    if (numbers->count == 0)
        return;
    qsort(numbers->all, numbers->count, sizeof *numbers->all, compare_numbers);
    for (size_t i = 0; i < numbers->count; i++)
        if (i == 0 || numbers->all[i] != numbers->all[kept - 1])
            numbers->all[kept++] = numbers->all[i];
    numbers->count = kept;
}

bool spool_numbers_have(const struct spool_numbers *numbers, uint64_t number)
{
    return numbers->count > 0 &&
           bsearch(&number, numbers->all, numbers->count, sizeof *numbers->all,
                   compare_numbers) != NULL;
}

bool spool_touches_add(struct spool_touches *touches, uint64_t id, uint32_t recipient)
{
    if (touches->count == touches->capacity) {
        size_t capacity = touches->capacity * 2 + 64;
        struct spool_touch *all = realloc(touches->all, capacity * sizeof *all);
        if (all == NULL)
            return false;
        touches->all = all;
        touches->capacity = capacity;
    }
    touches->all[touches->count++] = (struct spool_touch){ id, recipient };
    return true;
}

static int compare_touches(const void *a, const void *b)
{
    const struct spool_touch *x = a;
    const struct spool_touch *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->recipient < y->recipient ? -1 : x->recipient > y->recipient;
}

void spool_touches_sort(struct spool_touches *touches)
{
    size_t kept = 0;
    if (touches->count == 0)
        return;
    qsort(touches->all, touches->count, sizeof *touches->all, compare_touches);
    for (size_t i = 0; i < touches->count; i++)
        if (i == 0 || compare_touches(&touches->all[i], &touches->all[kept - 1]) != 0)
            touches->all[kept++] = touches->all[i];
    touches->count = kept;
}

void spool_numbers_free(struct spool_numbers *numbers)
{
    free(numbers->all);
    *numbers = (struct spool_numbers){ 0 };
}

/* name = 16 lower-case hexadecimal digits, then `suffix` */
static bool parse_name(const char *name, const char *suffix, uint64_t *out_number)
{
    struct cursor c = cursor_over(slice_from_string(name));
    uint64_t number = 0;
    for (int i = 0; i < 16; i++) {
        int byte = cursor_take(&c);
        int digit = byte < 0 ? -1 : ascii_hex_value((char)byte);
        if (digit < 0 || ascii_lower((char)byte) != (char)byte)
            return false;
        number = number << 4 | (uint64_t)digit;
    }
    *out_number = number;
    return slice_equal(cursor_rest(&c), slice_from_string(suffix));
}

struct listing {
    struct spool_recovery *recovery;
    struct spool_numbers *numbers;
    struct spool_numbers *temporary;
    const char *suffix;
};

static void list_name(void *context, const char *name)
{
    struct listing *l = context;
    uint64_t number;
    bool added = true;
    if (parse_name(name, l->suffix, &number))
        added = spool_numbers_add(l->numbers, number);
    else if (l->temporary != NULL && parse_name(name, ".tmp", &number))
        added = spool_numbers_add(l->temporary, number);
    if (!added)
        l->recovery->error = ERR_MEMORY;
}

static enum err list_folder(struct spool_recovery *recovery, const char *folder,
                            const char *suffix, struct spool_numbers *numbers,
                            struct spool_numbers *temporary)
{
    struct spool *spool = recovery->spool;
    struct listing listing = { recovery, numbers, temporary, suffix };
    enum err error = spool->fs->ops->list(spool->fs, folder, list_name, &listing);
    spool_numbers_sort(numbers);
    return error == ERR_OK ? recovery->error : error;
}

static enum err list_all(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    struct spool_numbers temporary = { 0 };
    enum err error = list_folder(recovery, "log", ".seg", &recovery->segments, NULL);
    if (error == ERR_OK)
        error = list_folder(recovery, "checkpoint", ".ckp", &recovery->checkpoints,
                            &temporary);
    if (error == ERR_OK)
        error = list_folder(recovery, "large", "", &recovery->large, NULL);
    for (size_t i = 0; i < temporary.count; i++) {
        char path[SPOOL_PATH_MAX];
        spool_checkpoint_path(temporary.all[i], true, path);
        spool->fs->ops->remove(spool->fs, path);
    }
    spool_numbers_free(&temporary);
    while (recovery->segments.count > 0 &&
           recovery->segments.all[recovery->segments.count - 1] > UINT32_MAX)
        recovery->segments.count--;
    return error;
}

static enum err make_folders(struct spool *spool)
{
    static const char *const folders[] = { "log", "checkpoint", "large", "corrupt" };
    enum err error = ERR_OK;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && error == ERR_OK; i++)
        error = spool->fs->ops->make_folder(spool->fs, folders[i]);
    return error == ERR_OK ? spool->fs->ops->sync_folder(spool->fs, ".") : error;
}

/* format = copy, zeros to the next sector, copy
 * copy   = "godwit" CR LF version(4) crc(4) magic(8) */
static void encode_copy(uint64_t magic, char out[SPOOL_SECTOR])
{
    struct buffer b;
    uint32_t version = FORMAT_VERSION;
    uint32_t crc = crc32c(crc32c(0, slice_make(&version, sizeof version)),
                          slice_make(&magic, sizeof magic));
    memset(out, 0, SPOOL_SECTOR);
    buffer_init(&b, FORMAT_COPY_BYTES);
    buffer_append_string(&b, format_word);
    buffer_append_u32(&b, version);
    buffer_append_u32(&b, crc);
    buffer_append_u64(&b, magic);
    if (!b.overflow)
        memcpy(out, b.memory, FORMAT_COPY_BYTES);
    buffer_free(&b);
}

static enum err decode_copy(struct slice bytes, uint64_t *out_magic)
{
    struct cursor c = cursor_over(bytes);
    if (!cursor_take_literal(&c, slice_from_string(format_word)))
        return ERR_CORRUPT;
    struct record r = record_over(cursor_rest(&c));
    uint32_t version = record_u32(&r);
    uint32_t crc = record_u32(&r);
    uint64_t magic = record_u64(&r);
    uint32_t good = crc32c(crc32c(0, slice_make(&version, sizeof version)),
                           slice_make(&magic, sizeof magic));
    if (r.failed || crc != good || magic == 0)
        return ERR_CORRUPT;
    if (version != FORMAT_VERSION)
        return ERR_VERSION;
    *out_magic = magic;
    return ERR_OK;
}

static enum err read_format(struct spool *spool)
{
    char *bytes;
    size_t len;
    enum err error = spool_read_file(spool, format_path, &bytes, &len);
    if (error != ERR_OK)
        return error;
    error = ERR_CORRUPT;
    for (size_t i = 0; i < FORMAT_COPIES && error == ERR_CORRUPT; i++)
        error = decode_copy(slice_from(slice_make(bytes, len), i * SPOOL_SECTOR),
                            &spool->magic);
    free(bytes);
    return error;
}

static enum err write_format(struct spool *spool)
{
    struct spool_fs *fs = spool->fs;
    char sector[SPOOL_SECTOR];
    int file;
    do {
        if (getrandom(&spool->magic, sizeof spool->magic, 0) != sizeof spool->magic)
            return ERR_IO;
    } while (spool->magic == 0);
    encode_copy(spool->magic, sector);
    struct iovec parts[FORMAT_COPIES] = { { sector, sizeof sector },
                                          { sector, sizeof sector } };
    fs->ops->remove(fs, "format.tmp");
    enum err error = fs->ops->open(fs, "format.tmp", SPOOL_FS_CREATE, &file);
    if (error != ERR_OK)
        return error;
    error = fs->ops->write(fs, file, parts, FORMAT_COPIES, 0);
    if (error == ERR_OK)
        error = fs->ops->sync(fs, file);
    fs->ops->close(fs, file);
    if (error == ERR_OK)
        error = fs->ops->rename(fs, "format.tmp", format_path);
    return error == ERR_OK ? fs->ops->sync_folder(fs, ".") : error;
}

/* The format comes before the first segment, so that a log without one means that
 * somebody took it away. */
static enum err know_format(struct spool_recovery *recovery)
{
    enum err error = read_format(recovery->spool);
    if (error != ERR_ABSENT)
        return error;
    return recovery->segments.count > 0 ? ERR_CORRUPT : write_format(recovery->spool);
}

/* A segment of its own for this recovery. One is always left for it; should the room be
 * gone all the same, it is taken from what a start can do without: segments that only the
 * older checkpoint needs, that checkpoint, and the reserve of the next one. */
static enum err take_first_segment(struct spool *spool)
{
    struct spool_keeper *keeper = &spool->keeper;
    enum err error = spool_segment_prepare(spool, true);
    if (error != ERR_FULL)
        return error;
    atomic_store(&spool->log.is_full, true);
    spool_free_segments(spool);
    atomic_store(&spool->log.is_full, false);
    error = spool_segment_prepare(spool, true);
    if (error != ERR_FULL || !spool_checkpoint_give_reserve(spool))
        return error;
    bool owes = atomic_exchange(&keeper->owes_reserve, false);
    error = spool_segment_prepare(spool, true);
    atomic_store(&keeper->owes_reserve, owes);
    return error;
}

static enum err start_writing(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    uint64_t newest = recovery->from.segment;
    if (recovery->segments.count > 0 &&
        recovery->segments.all[recovery->segments.count - 1] > newest)
        newest = recovery->segments.all[recovery->segments.count - 1];
    spool->segments.next_id = newest + 1;
    spool->log.sequence = recovery->last_sequence + 1;
    spool->generation = recovery->last_generation + 1;
    if (newest >= UINT32_MAX / 2 ||
        spool->generation >= 1u << (64 - SPOOL_GENERATION_SHIFT))
        return ERR_INVALID;
    atomic_store(&spool->log.is_recovering, true);
    enum err error = take_first_segment(spool);
    if (error == ERR_OK)
        error = spool_log_start(spool);
    if (error == ERR_OK)
        error = spool_preparer_start(spool);
    return error == ERR_OK ? spool_large_start(spool) : error;
}

static void remove_orphans(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    for (size_t i = 0; i < recovery->large.count; i++) {
        struct mail_id id = { recovery->large.all[i] };
        struct spool_entry *entry = spool_map_find(&spool->index.entries, id.value);
        if (entry == NULL || (entry->flags & SPOOL_ENTRY_LARGE) == 0)
            spool_large_remove(spool, id);
    }
}

/* Writers of a crashed start may have made files under ids of their generation. */
static void note_large(struct spool_recovery *recovery)
{
    for (size_t i = 0; i < recovery->large.count; i++)
        if (spool_generation_of(recovery->large.all[i]) > recovery->last_generation)
            recovery->last_generation = spool_generation_of(recovery->large.all[i]);
}

static enum err recover(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    enum err error = make_folders(spool);
    if (error == ERR_OK)
        error = list_all(recovery);
    if (error == ERR_OK)
        error = know_format(recovery);
    if (error == ERR_OK)
        error = spool_recover_checkpoint(recovery);
    if (error == ERR_OK)
        error = spool_recover_order(recovery);
    if (error == ERR_OK)
        error = spool_recover_log(recovery);
    if (error != ERR_OK)
        return error;
    note_large(recovery);
    error = start_writing(recovery);
    if (error == ERR_OK)
        error = spool_recover_rewrite(recovery);
    if (error != ERR_OK)
        return error;
    remove_orphans(recovery);
    error = spool_recover_arrivals(recovery);
    return error == ERR_OK ? spool_keeper_start(spool) : error;
}

enum err spool_recover(struct spool *spool)
{
    struct spool_recovery recovery = { .spool = spool };
    struct list_node *node;
    list_init(&recovery.unsealed);
    buffer_init(&recovery.notes, NOTES_BYTES_MAX);
    spool->index.is_replaying = true;
    enum err error = recover(&recovery);
    while ((node = list_take(&recovery.unsealed)) != NULL)
        spool_segment_free(spool, container_of(node, struct spool_segment, node));
    spool_numbers_free(&recovery.segments);
    spool_numbers_free(&recovery.checkpoints);
    spool_numbers_free(&recovery.large);
    spool_numbers_free(&recovery.released);
    free(recovery.touched.all);
    free(recovery.heads);
    buffer_free(&recovery.notes);
    free(recovery.reasons);
    return error;
}
