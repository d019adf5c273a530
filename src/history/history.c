/* history.c: the sink, and when what it was told is written and forgotten.
 *
 * Whoever tells the first event after a write wakes the loop, whose timer has it all written
 * half a second later: by then most messages have lived their whole life, which is one row.
 */
#include "history/history_private.h"

#include "log/log.h"

#include <stdlib.h>

enum { WRITE_MS = 500, TIDY_MS = 60 * 1000, AGAIN_MS = 5 * 1000 };

static bool is_kept(const struct mail_event *e)
{
    switch (e->kind) {
    case MAIL_ACCEPTED:
    case MAIL_DELIVERED:
    case MAIL_RELAYED:
    case MAIL_DEFERRED:
    case MAIL_FAILED:
    case MAIL_DISCARDED:
    case MAIL_REPORTED:
    case MAIL_HELD:
    case MAIL_RELEASED:
    case MAIL_DELETED:
        return e->id.value != 0;
    case MAIL_SITE_FAILED:
        return true;
    case MAIL_SITE_SLOWED:
    case MAIL_SITE_SUSPENDED:
    case MAIL_SITE_RESUMED:
    case MAIL_SESSION_OPENED:
    case MAIL_SESSION_CLOSED:
    case MAIL_REFUSED:
    case MAIL_LOGIN:
    case MAIL_LOGIN_FAILED:
        break;
    }
    return false;
}

static void arm(struct history *h)
{
    if (!atomic_load_explicit(&h->is_armed, memory_order_relaxed) &&
        !atomic_exchange(&h->is_armed, true))
        home_post(loop_home(h->options.loop), &h->arm);
}

static void put(struct history *h, uint64_t message, int64_t wall_ms, struct buffer *entry)
{
    atomic_fetch_add_explicit(&h->told, 1, memory_order_relaxed);
    if (entry->overflow || !ring_put(h->ring, message, buffer_slice(entry))) {
        atomic_fetch_add(&h->lost, 1);
        atomic_fetch_add(&h->lost_untold, 1);
        return;
    }
    if (atomic_load_explicit(&h->lost_untold, memory_order_relaxed) == 0)
        return;
    uint64_t lost = atomic_exchange(&h->lost_untold, 0);
    buffer_clear(entry);
    entry_append_lost(entry, wall_ms, lost);
    if (lost > 0 && !ring_put(h->ring, 0, buffer_slice(entry)))
        atomic_fetch_add(&h->lost_untold, lost);
}

static void on_event(struct event_sink *sink, const struct mail_event *e)
{
    struct history *h = container_of(sink, struct history, sink);
    char bytes[ENTRY_MAX] __attribute__((uninitialized));
    char text[MAIL_ID_CHARACTERS + 1];
    struct buffer entry = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct mail_id report;
    if (!is_kept(e) || atomic_load_explicit(&h->is_off, memory_order_relaxed))
        return;
    entry_append(&entry, e);
    put(h, e->id.value, e->at.wall_ms, &entry);
    if (e->kind == MAIL_REPORTED && mail_id_parse(e->text, &report)) {
        buffer_clear(&entry);
        entry_append_report_of(&entry, e->at.wall_ms,
                               slice_from_string(mail_id_text(e->id, text)));
        put(h, report.value, e->at.wall_ms, &entry);
    }
    arm(h);
}

static bool run_write(struct store_job *job, struct store *store)
{
    struct history *h = container_of(job, struct history, write);
    size_t count = 0;
    bool good = rows_write(h, store, &h->written_until, &count);
    h->written_some = count > 0;
    return good &&
           rows_forget(h, store, moment_now().wall_ms, count * 2);
}

static void write_now(struct history *h);

static void on_written(struct store_job *job)
{
    struct history *h = container_of(job, struct history, write);
    h->is_writing = false;
    if (job->result != ERR_OK) {
        log_fault("history", "it cannot be written now", job->result);
        timer_set(&h->timer, AGAIN_MS);
        return;
    }
    ring_drop(h->ring, h->written_until);
    history_show(h);
    if (h->again || h->written_some)
        write_now(h);
}

static void write_now(struct history *h)
{
    h->again = h->is_writing;
    if (h->is_writing || h->is_stopped)
        return;
    h->write = (struct store_job){ .home = loop_home(h->options.loop), .run = run_write,
                                   .done = on_written };
    h->is_writing = store_post(h->options.store, &h->write);
    if (!h->is_writing)
        timer_set(&h->timer, AGAIN_MS);
}

static void on_timer(struct timer *timer)
{
    struct history *h = container_of(timer, struct history, timer);
    atomic_store(&h->is_armed, false);
    write_now(h);
}

static void on_tidy(struct timer *timer)
{
    struct history *h = container_of(timer, struct history, tidy);
    write_now(h);
    timer_set(timer, TIDY_MS);
}

static void on_arm(struct task *task)
{
    struct history *h = container_of(task, struct history, arm);
    if (!h->is_stopped)
        timer_set(&h->timer, WRITE_MS);
}

void history_configure(struct history *h, const struct config *config)
{
    atomic_store(&h->keep_ms, config->history.keep_ms);
    atomic_store(&h->size_bytes, config->history.size_bytes);
    atomic_store(&h->is_off, config->history.keep_ms == 0);
    if (!history_show_to(h, config->events_file))
        log_fault("events", "there is no memory for the file's name", ERR_MEMORY);
    history_show(h);
}

enum err history_open(const struct history_options *options, const struct config *config,
                      struct history **out)
{
    struct history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return ERR_MEMORY;
    enum err error = ring_open(options->ring_path, &h->ring);
    if (error != ERR_OK) {
        free(h);
        return error;
    }
    h->options = *options;
    h->sink.emit = on_event;
    h->arm.run = on_arm;
    pthread_mutex_init(&h->path_lock, NULL);
    buffer_init(&h->block, 16 * 1024 * 1024);
    buffer_init(&h->row, 1024 * 1024);
    timer_init(&h->timer, options->loop, on_timer);
    timer_init(&h->tidy, options->loop, on_tidy);
    atomic_store(&h->is_armed, !ring_is_empty(h->ring));
    if (!ring_is_empty(h->ring))
        timer_set(&h->timer, 1);
    timer_set(&h->tidy, TIDY_MS);
    history_configure(h, config);
    *out = h;
    return ERR_OK;
}

static bool run_last(struct store_job *job, struct store *store)
{
    struct history *h = container_of(job, struct history, write);
    size_t count;
    do {
        if (!rows_write(h, store, &h->written_until, &count))
            return false;
    } while (count > 0);
    return true;
}

/* What the job under way has written is passed over by the last one, and by the next start. */
void history_stop(struct history *h)
{
    if (h == NULL)
        return;
    h->is_stopped = true;
    timer_clear(&h->timer);
    timer_clear(&h->tidy);
    if (h->is_writing)
        return; /* the ring keeps the rest for the next start */
    h->write = (struct store_job){ .run = run_last };
    h->is_writing = store_post(h->options.store, &h->write);
}

void history_close(struct history **place)
{
    struct history *h = *place;
    *place = NULL;
    if (h == NULL)
        return;
    ring_close(&h->ring);
    buffer_free(&h->block);
    buffer_free(&h->row);
    pthread_mutex_destroy(&h->path_lock);
    free(h->path);
    free(h);
}

struct event_sink *history_sink(struct history *h)
{
    return &h->sink;
}

struct history_counts history_counts(const struct history *h)
{
    return (struct history_counts){ .told = atomic_load(&h->told),
                                    .lost = atomic_load(&h->lost) };
}
