/* ring.c: events on their way to the store, in the shared memory of a file.
 *
 * Writing is a copy in memory; the pages are the kernel's, so that they outlive the process.
 * The blocks of the file are all there before it is mapped: a full disk cannot hurt. `head`
 * is moved when an entry is whole. After a power cut there may be anything: each entry has a
 * sum over all of it, and what does not fit ends what is taken up.
 */
#include "history/history_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RING_MAGIC UINT64_C(0x31676e6972777467) /* "gtwring1" */

enum { HEAD_BYTES = 4096, RING_BYTES = 8 * 1024 * 1024, FREE_MIN = 64 * 1024 * 1024, ENTRY_HEAD = 24 };

struct ring_head {
    uint64_t magic;
    uint64_t bytes;
    _Atomic uint64_t serial;   /* of the newest entry */
    _Atomic uint64_t head;     /* so many bytes were ever put */
    _Atomic uint64_t tail;     /* ... and dropped */
};

struct ring {
    pthread_mutex_t lock;      /* of who puts */
    struct ring_head *head;
    char *bytes;
};

struct entry_head {
    uint32_t len;
    uint32_t sum;
    uint64_t serial;
    uint64_t message;
};

_Static_assert(sizeof(struct entry_head) == ENTRY_HEAD, "as it lies in the file");

static size_t padded(size_t len)
{
    return (ENTRY_HEAD + len + 7) & ~(size_t)7;
}

static void copy_in(struct ring *ring, uint64_t at, const void *from, size_t len)
{
    size_t place = (size_t)(at % RING_BYTES);
    size_t first = len < RING_BYTES - place ? len : RING_BYTES - place;
    memcpy(ring->bytes + place, from, first);
    memcpy(ring->bytes, (const char *)from + first, len - first);
}

static void copy_out(const struct ring *ring, uint64_t at, void *to, size_t len)
{
    size_t place = (size_t)(at % RING_BYTES);
    size_t first = len < RING_BYTES - place ? len : RING_BYTES - place;
    memcpy(to, ring->bytes + place, first);
    memcpy((char *)to + first, ring->bytes, len - first);
}

static uint32_t sum_of(const struct entry_head *e, struct slice bytes)
{
    uint64_t names[2] = { e->serial, e->message };
    uint32_t sum = crc32c(0, slice_make((const char *)names, sizeof names));
    return crc32c(sum, bytes);
}

static enum err fill(int fd)
{
    static const char zeros[65536];
    for (size_t done = 0; done < HEAD_BYTES + RING_BYTES;) {
        size_t left = HEAD_BYTES + RING_BYTES - done;
        ssize_t wrote = pwrite(fd, zeros, left < sizeof zeros ? left : sizeof zeros,
                               (off_t)done);
        if (wrote < 0 && errno != EINTR)
            return err_from_errno(errno);
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return ERR_OK;
}

static enum err map(int fd, struct ring *ring)
{
    void *memory = mmap(NULL, HEAD_BYTES + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return err_from_errno(errno);
    ring->head = memory;
    ring->bytes = (char *)memory + HEAD_BYTES;
    return ERR_OK;
}

/* The end of what can be believed. */
static void judge(struct ring *ring)
{
    struct ring_head *h = ring->head;
    uint64_t at = h->tail, end = h->head;
    char *bytes = malloc(ENTRY_MAX);
    if (h->magic != RING_MAGIC || h->bytes != RING_BYTES || end < at ||
        end - at > RING_BYTES || at % 8 != 0) {
        at = end = 0;
        h->serial = 0;
    }
    while (bytes != NULL && end - at >= ENTRY_HEAD) {
        struct entry_head e;
        copy_out(ring, at, &e, sizeof e);
        if (e.len > ENTRY_MAX || padded(e.len) > end - at)
            break;
        copy_out(ring, at + ENTRY_HEAD, bytes, e.len);
        if (sum_of(&e, slice_make(bytes, e.len)) != e.sum)
            break;
        if (e.serial > h->serial)
            h->serial = e.serial;
        at += padded(e.len);
    }
    free(bytes);
    if (h->tail > at)
        h->tail = at;
    h->head = at;
    h->bytes = RING_BYTES;
    h->magic = RING_MAGIC;
}

/* A small disk is for mail: the ring takes no more than a part of what is free, or nothing. */
static enum err make_room(int fd)
{
    struct statvfs disk;
    enum err error = ERR_OK;
    if (ftruncate(fd, 0) != 0 || fstatvfs(fd, &disk) != 0)
        return err_from_errno(errno);
    if ((uint64_t)disk.f_bavail * disk.f_frsize < (uint64_t)FREE_MIN)
        return ERR_FULL;
    error = fill(fd);
    if (error != ERR_OK && ftruncate(fd, 0) != 0)
        return err_from_errno(errno);
    return error;
}

enum err ring_open(const char *path, struct ring **out)
{
    struct stat status;
    struct ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return ERR_MEMORY;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum err error = fd < 0 || fstat(fd, &status) != 0 ? err_from_errno(errno) : ERR_OK;
    if (error == ERR_OK && status.st_size != HEAD_BYTES + RING_BYTES)
        error = make_room(fd);
    if (error == ERR_OK)
        error = map(fd, ring);
    if (fd >= 0)
        close(fd);
    if (error != ERR_OK) {
        free(ring);
        return error;
    }
    pthread_mutex_init(&ring->lock, NULL);
    judge(ring);
    *out = ring;
    return ERR_OK;
}

void ring_close(struct ring **place)
{
    struct ring *ring = *place;
    *place = NULL;
    if (ring == NULL)
        return;
    munmap(ring->head, HEAD_BYTES + RING_BYTES);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

bool ring_put(struct ring *ring, uint64_t message, struct slice entry)
{
    struct ring_head *h = ring->head;
    struct entry_head e = { .len = (uint32_t)entry.len, .message = message };
    pthread_mutex_lock(&ring->lock);
    uint64_t at = atomic_load_explicit(&h->head, memory_order_relaxed);
    uint64_t used = at - atomic_load_explicit(&h->tail, memory_order_acquire);
    bool good = entry.len <= ENTRY_MAX && RING_BYTES - used >= padded(entry.len);
    if (good) {
        e.serial = atomic_fetch_add(&h->serial, 1) + 1;
        e.sum = sum_of(&e, entry);
        copy_in(ring, at, &e, sizeof e);
        copy_in(ring, at + ENTRY_HEAD, entry.data, entry.len);
        atomic_store_explicit(&h->head, at + padded(entry.len), memory_order_release);
    }
    pthread_mutex_unlock(&ring->lock);
    return good;
}

bool ring_is_empty(struct ring *ring)
{
    return atomic_load(&ring->head->head) == atomic_load(&ring->head->tail);
}

uint64_t ring_serial(struct ring *ring)
{
    return atomic_load(&ring->head->serial);
}

bool ring_copy(struct ring *ring, struct buffer *out, uint64_t *out_until)
{
    uint64_t tail = atomic_load(&ring->head->tail);
    uint64_t head = atomic_load_explicit(&ring->head->head, memory_order_acquire);
    buffer_clear(out);
    *out_until = head;
    if (head == tail)
        return true;
    char *room = buffer_reserve(out, (size_t)(head - tail));
    if (room == NULL)
        return false;
    copy_out(ring, tail, room, (size_t)(head - tail));
    buffer_added(out, (size_t)(head - tail));
    atomic_thread_fence(memory_order_acquire);
    uint64_t now = atomic_load(&ring->head->tail);
    if (now > tail) /* dropped meanwhile: there may be others in its place by now */
        buffer_consume(out, (size_t)((now < head ? now : head) - tail));
    return true;
}

bool ring_take(struct slice *block, struct ring_entry *out)
{
    struct entry_head e;
    if (block->len < ENTRY_HEAD)
        return false;
    memcpy(&e, block->data, sizeof e);
    if (padded(e.len) > block->len)
        return false;
    *out = (struct ring_entry){ .serial = e.serial, .message = e.message,
                                .bytes = slice_part(*block, ENTRY_HEAD, e.len) };
    *block = slice_from(*block, padded(e.len));
    return true;
}

void ring_drop(struct ring *ring, uint64_t until)
{
    if (until > atomic_load(&ring->head->tail))
        atomic_store_explicit(&ring->head->tail, until, memory_order_release);
}
