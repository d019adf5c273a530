/* log.c: the rings and their writer.
 *
 * Each thread that logs gets a ring with one producer (itself) and one consumer
 * (the writer). The writer sleeps until a producer finds it asleep; awake, it
 * gathers for some milliseconds before it writes, so that under load a wake and a
 * write serve many lines. A descriptor that blocks stalls the writer alone.
 * Process-wide by nature: this is the one module with state of its own.
 */
#include "log/log_private.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RING_BYTES = 256 * 1024, GATHER_MS = 10 };

struct ring {
    struct ring *next;
    _Atomic bool abandoned; /* its thread ended: freed when empty */
    _Atomic size_t head;    /* written by the producer */
    _Atomic size_t tail;    /* written by the consumer */
    char bytes[RING_BYTES];
};

struct log_state log_state = { .form = LOG_FORM_HUMAN, .least = LOG_INFO };

static struct {
    pthread_mutex_t mutex; /* guards the list of rings and the descriptor */
    struct ring *rings;
    pthread_key_t key;
    pthread_t thread;
    _Atomic bool running;
    _Atomic int asleep; /* futex: 1 while the writer waits to be woken */
    _Atomic uint64_t dropped;
    uint64_t dropped_told;
    int descriptor;
} writer = { .mutex = PTHREAD_MUTEX_INITIALIZER, .descriptor = STDERR_FILENO };

static _Thread_local struct ring *my_ring;

static void ring_abandon(void *argument)
{
    struct ring *ring = argument;
    atomic_store(&ring->abandoned, true);
}

static struct ring *ring_of_thread(void)
{
    if (my_ring != NULL)
        return my_ring;
    struct ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return NULL;
    pthread_mutex_lock(&writer.mutex);
    ring->next = writer.rings;
    writer.rings = ring;
    pthread_mutex_unlock(&writer.mutex);
    pthread_setspecific(writer.key, ring);
    my_ring = ring;
    return ring;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        bytes += done;
        len -= (size_t)done;
    }
}

static bool ring_put(struct ring *ring, const char *text, size_t len)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (RING_BYTES - (head - tail) < len)
        return false;
    size_t at = head % RING_BYTES;
    size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;
    memcpy(ring->bytes + at, text, first);
    memcpy(ring->bytes, text + first, len - first);
    /* Sequentially consistent, as the loads of `asleep` and `head` that follow on both
     * sides: either the producer sees the writer asleep, or the writer sees the line. */
    atomic_store(&ring->head, head + len);
    return true;
}

static void wake_writer(void)
{
    if (atomic_load(&writer.asleep) == 1 && atomic_exchange(&writer.asleep, 0) == 1)
        syscall(SYS_futex, &writer.asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void log_put(const char *text, size_t len)
{
    if (!atomic_load_explicit(&writer.running, memory_order_acquire)) {
        write_all(writer.descriptor, text, len);
        return;
    }
    struct ring *ring = ring_of_thread();
    if (ring == NULL || !ring_put(ring, text, len))
        atomic_fetch_add(&writer.dropped, 1);
    wake_writer();
}

static bool ring_drain(struct ring *ring, int fd)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t head = atomic_load(&ring->head);
    if (head == tail)
        return false;
    size_t at = tail % RING_BYTES;
    size_t len = head - tail;
    size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;
    write_all(fd, ring->bytes + at, first);
    write_all(fd, ring->bytes, len - first);
    atomic_store_explicit(&ring->tail, head, memory_order_release);
    return true;
}

/* The mutex is never held while writing: new threads must not wait for a slow
 * descriptor. Only the writer unlinks rings, so walking without it is safe once the
 * first pointer was read under it. */
static bool drain_all(void)
{
    bool any = false;
    pthread_mutex_lock(&writer.mutex);
    struct ring *ring = writer.rings;
    int fd = writer.descriptor;
    pthread_mutex_unlock(&writer.mutex);
    for (; ring != NULL; ring = ring->next)
        any |= ring_drain(ring, fd);
    return any;
}

static void free_abandoned(void)
{
    pthread_mutex_lock(&writer.mutex);
    for (struct ring **place = &writer.rings; *place != NULL;) {
        struct ring *ring = *place;
        if (atomic_load(&ring->abandoned) &&
            atomic_load(&ring->head) == atomic_load(&ring->tail)) {
            *place = ring->next;
            free(ring);
        } else {
            place = &ring->next;
        }
    }
    pthread_mutex_unlock(&writer.mutex);
}

static void tell_dropped(void)
{
    uint64_t dropped = atomic_load(&writer.dropped);
    if (dropped == writer.dropped_told)
        return;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "log-dropped");
    log_number(&line, "lines", (int64_t)(dropped - writer.dropped_told));
    log_end(&line);
    writer.dropped_told = dropped;
}

static void *writer_main(void *argument)
{
    (void)argument;
    const struct timespec gather = { .tv_nsec = GATHER_MS * 1000000L };
    while (atomic_load(&writer.running)) {
        if (drain_all()) {
            tell_dropped();
            nanosleep(&gather, NULL);
            continue;
        }
        free_abandoned();
        atomic_store(&writer.asleep, 1);
        if (drain_all() || !atomic_load(&writer.running)) {
            atomic_store(&writer.asleep, 0);
            continue;
        }
        syscall(SYS_futex, &writer.asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
        atomic_store(&writer.asleep, 0);
        nanosleep(&gather, NULL);
    }
    drain_all();
    return NULL;
}

enum err log_open(int descriptor, enum log_form form, enum log_level least)
{
    log_state.form = form;
    log_level_set(least);
    writer.descriptor = descriptor;
    if (pthread_key_create(&writer.key, ring_abandon) != 0)
        return ERR_MEMORY;
    atomic_store(&writer.running, true);
    if (pthread_create(&writer.thread, NULL, writer_main, NULL) != 0) {
        atomic_store(&writer.running, false);
        return ERR_BUSY;
    }
    return ERR_OK;
}

void log_level_set(enum log_level least)
{
    atomic_store_explicit(&log_state.least, (int)least, memory_order_relaxed);
}

void log_close(void)
{
    if (!atomic_exchange(&writer.running, false))
        return;
    atomic_store(&writer.asleep, 0);
    syscall(SYS_futex, &writer.asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    pthread_join(writer.thread, NULL);
    while (writer.rings != NULL) {
        struct ring *next = writer.rings->next;
        free(writer.rings);
        writer.rings = next;
    }
    my_ring = NULL;
    pthread_key_delete(writer.key);
    writer.descriptor = STDERR_FILENO;
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_state.least, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load(&writer.dropped);
}
