/* segment.c: the files of the log: prepared, pinned, given back. */
#include "spool/spool_private.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void spool_segment_path(uint64_t id, char out[SPOOL_PATH_MAX])
{
    snprintf(out, SPOOL_PATH_MAX, "log/%016" PRIx64 ".seg", id);
}

struct spool_segment *spool_segment_make(uint64_t id, uint64_t bytes)
{
    struct spool_segment *segment = malloc(sizeof *segment);
    if (segment != NULL)
        *segment = (struct spool_segment){ .id = id, .bytes = bytes, .file = -1 };
    return segment;
}

void spool_segment_free(struct spool *spool, struct spool_segment *segment)
{
    if (segment == NULL)
        return;
    if (segment->file >= 0)
        spool->fs->ops->close(spool->fs, segment->file);
    free(segment);
}

static void free_list(struct spool *spool, struct list *list)
{
    struct list_node *node;
    while ((node = list_take(list)) != NULL)
        spool_segment_free(spool, container_of(node, struct spool_segment, node));
}

void spool_segments_free(struct spool *spool)
{
    struct spool_segments *segments = &spool->segments;
    free_list(spool, &segments->sealed);
    free_list(spool, &segments->ready);
    free_list(spool, &segments->spare);
    spool_map_free(&segments->all);
}

enum err spool_segment_pin(struct spool *spool, uint64_t id,
                           struct spool_segment **out_segment)
{
    struct spool_segment *segment = spool_map_find(&spool->segments.all, id);
    if (segment == NULL)
        return ERR_ABSENT;
    if (segment->file < 0) {
        char path[SPOOL_PATH_MAX];
        spool_segment_path(id, path);
        enum err error = spool->fs->ops->open(spool->fs, path, SPOOL_FS_READ,
                                              &segment->file);
        if (error != ERR_OK) {
            segment->file = -1;
            return error;
        }
        spool->segments.open_count++;
    }
    segment->references++;
    *out_segment = segment;
    return ERR_OK;
}

void spool_segment_unpin(struct spool *spool, struct spool_segment *segment)
{
    must(segment->references > 0);
    segment->references--;
    if (segment->references > 0 || !segment->is_sealed)
        return;
    if (segment->live_count == 0)
        spool->segments.has_empty = true;
    if (segment->file >= 0 && spool->segments.open_count > SPOOL_OPEN_MAX) {
        spool->fs->ops->close(spool->fs, segment->file);
        segment->file = -1;
        spool->segments.open_count--;
    }
}

/* A new file, all of its blocks there: written with zeros, since overwriting blocks that
 * were written syncs twice as fast as filling allocated ones; or with `allocate_only`
 * taken from the file system, which is quick. */
static enum err make_file(struct spool *spool, const char *path, bool allocate_only,
                          struct spool_segment *segment)
{
    struct spool_fs *fs = spool->fs;
    uint64_t bytes = spool->limits.segment_bytes;
    int file;
    enum err error = fs->ops->open(fs, path, SPOOL_FS_CREATE, &file);
    if (error != ERR_OK)
        return error;
    error = allocate_only ? fs->ops->allocate(fs, file, bytes) : ERR_INVALID;
    if (error == ERR_OK)
        error = fs->ops->sync(fs, file);
    else if (error == ERR_INVALID) {
        error = fs->ops->fill(fs, file, bytes);
        segment->written = bytes;
    }
    if (error == ERR_OK)
        error = fs->ops->sync_folder(fs, "log");
    if (error != ERR_OK) {
        fs->ops->close(fs, file);
        fs->ops->remove(fs, path);
        return error;
    }
    segment->file = file;
    return ERR_OK;
}

/* The spare file under its new name; what it still holds names another segment. */
static enum err reuse_file(struct spool *spool, const struct spool_segment *spare,
                           const char *path, struct spool_segment *segment)
{
    struct spool_fs *fs = spool->fs;
    char old_path[SPOOL_PATH_MAX];
    spool_segment_path(spare->id, old_path);
    segment->written = spare->written;
    enum err error = fs->ops->rename(fs, old_path, path);
    if (error == ERR_OK)
        error = fs->ops->sync_folder(fs, "log");
    if (error == ERR_OK)
        error = fs->ops->open(fs, path, SPOOL_FS_WRITE, &segment->file);
    return error;
}

static struct spool_segment *take_spare(struct spool *spool, uint64_t *out_id)
{
    pthread_mutex_lock(&spool->lock);
    *out_id = spool->segments.next_id++;
    struct list_node *node = list_take(&spool->segments.spare);
    if (node != NULL)
        spool->segments.spare_count--;
    pthread_mutex_unlock(&spool->lock);
    return node == NULL ? NULL : container_of(node, struct spool_segment, node);
}

static enum err make_if_free(struct spool *spool, const char *path, bool allocate_only,
                             struct spool_segment *segment)
{
    struct spool_keeper *keeper = &spool->keeper;
    pthread_mutex_lock(&keeper->room);
    enum err error = atomic_load(&keeper->owes_reserve)
                         ? ERR_FULL : make_file(spool, path, allocate_only, segment);
    pthread_mutex_unlock(&keeper->room);
    return error;
}

enum err spool_segment_prepare(struct spool *spool, bool allocate_only)
{
    char path[SPOOL_PATH_MAX];
    uint64_t id;
    struct spool_segment *spare = take_spare(spool, &id);
    struct spool_segment *segment = spool_segment_make(id, spool->limits.segment_bytes);
    enum err error = ERR_MEMORY;
    spool_segment_path(id, path);
    if (segment != NULL && spare != NULL)
        error = reuse_file(spool, spare, path, segment);
    else if (segment != NULL)
        error = make_if_free(spool, path, allocate_only, segment);
    spool_segment_free(spool, spare);
    if (error != ERR_OK) {
        spool_segment_free(spool, segment);
        return error;
    }
    pthread_mutex_lock(&spool->lock);
    if (allocate_only)
        list_append(&spool->segments.ready, &segment->node);
    else
        list_prepend(&spool->segments.ready, &segment->node);
    spool->segments.ready_count++;
    pthread_mutex_unlock(&spool->lock);
    return ERR_OK;
}
