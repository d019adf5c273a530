/* log.c: the rings and their writer.
 *
 * Each thread that logs gets a ring with one producer (itself) and one consumer
 * (the writer). The writer sleeps until a producer finds it asleep; awake, it
 * gathers for some milliseconds before it writes, so that under load a wake and a
 * write serve many lines. Each line carries the nanosecond at which it was put in; the
 * writer merges by that, so that a cause stands before its effect on another thread (but
 * for a thread that is stopped between looking at the clock and handing over its line).
 * A descriptor that blocks stalls the writer alone.
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

enum { RING_BYTES = 256 * 1024, OUT_BYTES = 64 * 1024, GATHER_MS = 10 };

/* Stands before each line in a ring. */
struct stamp {
    int64_t at_ns;
    size_t len;
};

struct ring {
    struct ring *next;
    _Atomic bool abandoned; /* its thread ended: freed when empty */
    _Atomic size_t head;    /* written by the producer */
    _Atomic size_t tail;    /* written by the consumer */
    /* The consumer's alone: what is to be written now, and its first line. */
    size_t end;
    struct stamp first;
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
    size_t out_len;
    char out[OUT_BYTES];
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

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void copy_in(struct ring *ring, size_t place, const void *from, size_t len)
{
    size_t at = place % RING_BYTES;
    size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;
    memcpy(ring->bytes + at, from, first);
    memcpy(ring->bytes, (const char *)from + first, len - first);
}

static void copy_out(const struct ring *ring, size_t place, void *to, size_t len)
{
    size_t at = place % RING_BYTES;
    size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;
    memcpy(to, ring->bytes + at, first);
    memcpy((char *)to + first, ring->bytes, len - first);
}

static bool ring_put(struct ring *ring, const char *text, size_t len)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    struct stamp stamp = { .len = len };
    if (RING_BYTES - (head - tail) < sizeof stamp + len)
        return false;
    copy_in(ring, head + sizeof stamp, text, len);
    stamp.at_ns = now_ns();
    copy_in(ring, head, &stamp, sizeof stamp);
    /* Sequentially consistent, as the loads of `asleep` and `head` that follow on both
     * sides: either the producer sees the writer asleep, or the writer sees the line. */
    atomic_store(&ring->head, head + sizeof stamp + len);
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

static void flush(int fd)
{
    write_all(fd, writer.out, writer.out_len);
    writer.out_len = 0;
}

static void look_at_first(struct ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail != ring->end)
        copy_out(ring, tail, &ring->first, sizeof ring->first);
}

static bool has_line(const struct ring *ring, int64_t until_ns)
{
    return atomic_load_explicit(&ring->tail, memory_order_relaxed) != ring->end &&
           ring->first.at_ns <= until_ns;
}

static void write_first(struct ring *ring, int fd)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t len = ring->first.len;
    if (len > sizeof writer.out - writer.out_len)
        flush(fd);
    copy_out(ring, tail + sizeof ring->first, writer.out + writer.out_len, len);
    writer.out_len += len;
    atomic_store_explicit(&ring->tail, tail + sizeof ring->first + len,
                          memory_order_release);
    look_at_first(ring);
}

static struct ring *earliest(struct ring *rings, int64_t until_ns)
{
    struct ring *best = NULL;
    for (struct ring *ring = rings; ring != NULL; ring = ring->next)
        if (has_line(ring, until_ns) &&
            (best == NULL || ring->first.at_ns < best->first.at_ns))
            best = ring;
    return best;
}

/* Writes all that was put in until now, the earliest first; what comes meanwhile waits
 * for the next time. True when anything waits or was written. The mutex is never held
 * while writing: new threads must not wait for a slow descriptor. Only the writer
 * unlinks rings, so walking without it is safe once the first pointer was read under
 * it. */
static bool drain_all(void)
{
    pthread_mutex_lock(&writer.mutex);
    struct ring *rings = writer.rings;
    int fd = writer.descriptor;
    pthread_mutex_unlock(&writer.mutex);
    int64_t until_ns = now_ns();
    bool any = false;
    for (struct ring *ring = rings; ring != NULL; ring = ring->next) {
        ring->end = atomic_load(&ring->head);
        look_at_first(ring);
        any |= atomic_load_explicit(&ring->tail, memory_order_relaxed) != ring->end;
    }
    for (struct ring *ring; (ring = earliest(rings, until_ns)) != NULL;)
        write_first(ring, fd);
    flush(fd);
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
    while (drain_all())
        ;
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
