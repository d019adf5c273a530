/* fake_world.h: what the queue's tests stand on: the real scheduler in virtual time. The
 * store and the ways out are fakes on the same thread: the store remembers the last
 * state of each recipient and every report; the way out answers by a script and counts
 * what it was asked, when. For test programs alone.
 */
#ifndef GODWIT_QUEUE_FAKE_WORLD_H
#define GODWIT_QUEUE_FAKE_WORLD_H

#include "event/timer.h"
#include "queue/queue.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { MESSAGES_MAX = 1300, TRIES_MAX = 8000 };

struct stored {
    struct mail_id id;
    char sender[64];
    char recipients[4][64];
    uint8_t notify[4];
    size_t count;
    struct recipient_update last[4];
    bool updated[4];
};

struct try {
    int64_t at_ms;
    struct mail_id id;
    struct site_key site;
    size_t recipients;
    bool reused;
};

struct world {
    struct loop *loop;
    const struct config *config;
    struct queue *queue;
    struct queue_store store;
    struct intake intake;
    struct message_source source;
    const char *content;         /* of every message that is opened; NULL: the usual */
    bool is_damaged;             /* none can be opened */
    struct attempt attempt;
    struct stored stored[MESSAGES_MAX];
    size_t stored_count;
    struct try tries[TRIES_MAX];
    size_t tries_count;
    unsigned resolves;
    unsigned resolving;
    unsigned resolving_most;
    unsigned refuse_over;            /* more connections than that are refused; 0: none */
    unsigned open_now;
    unsigned open_most;
    uint64_t connections;
    unsigned closes;
    struct buffer reports;           /* contents, one after another */
    unsigned reports_count;
    unsigned reports_now;
    unsigned reports_most;
    enum err report_error;
    unsigned update_faults;          /* so many updates find the disk full */
    int64_t update_takes_ms;
    enum outcome_kind resolve_kind;  /* NONE: it resolves */
    const char *site_now;            /* where every domain leads; NULL: as it is named */
    bool moves;                      /* the next attempt finds its domain led elsewhere */
    enum outcome_kind site_kind;     /* of a site that is down */
    /* What to do with an attempt: sets the outcomes; false: the site is down. */
    bool (*answer)(struct world *w, struct attempt_run *run, struct attempt_recipient *r);
    int64_t takes_ms;
    bool keep;                       /* connections stay open */
    int8_t priority;                 /* of what arrives */
    int64_t by_ms;                   /* ... and its time to be delivered in; 0: none */
    bool by_returns;
    bool by_traces;
    int64_t not_before_wall_ms;      /* likewise; 0: at once */
};

static struct world *w;

/* ---- the store ---- */

static struct stored *stored_of(struct mail_id id)
{
    assert_in_range(id.value, 1, w->stored_count);
    return &w->stored[id.value - 1];
}

static void note_updates(const struct recipient_update *updates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct stored *s = stored_of(updates[i].id);
        assert_true(updates[i].recipient < s->count);
        /* what has ended never changes again */
        assert_false(recipient_state_is_final(s->last[updates[i].recipient].state) &&
                     s->updated[updates[i].recipient]);
        s->last[updates[i].recipient] = updates[i];
        s->updated[updates[i].recipient] = true;
    }
}

struct fake_done {
    struct timer timer;
    struct spool_update update;
    enum err result;
};

static void on_fake_done(struct timer *timer)
{
    struct fake_done *d = container_of(timer, struct fake_done, timer);
    d->update.done(d->update.context, d->result);
    free(d);
}

static void done_soon(const struct spool_update *update, enum err result)
{
    struct fake_done *d = calloc(1, sizeof *d);
    *d = (struct fake_done){ .update = *update, .result = result };
    timer_init(&d->timer, w->loop, on_fake_done);
    timer_set(&d->timer, w->update_takes_ms);
}

static enum err fake_update(struct queue_store *store, const struct spool_update *update)
{
    (void)store;
    if (w->update_faults > 0) {
        /* by turns the two ways to say no */
        if (--w->update_faults % 2 == 0)
            return ERR_FULL;
        done_soon(update, ERR_FULL);
        return ERR_OK;
    }
    note_updates(update->updates, update->count);
    done_soon(update, ERR_OK);
    return ERR_OK;
}

static struct mail_id arrive(const char *sender, const char *const *recipients, size_t count,
                             uint8_t notify)
{
    assert_true(w->stored_count < MESSAGES_MAX && count <= 4);
    struct stored *s = &w->stored[w->stored_count++];
    s->id.value = w->stored_count;
    s->count = count;
    snprintf(s->sender, sizeof s->sender, "%s", sender);
    struct spool_arrival *a =
        calloc(1, sizeof *a + count * sizeof(struct spool_recipient));
    a->id = s->id;
    a->received_wall_ms = loop_now(w->loop).wall_ms;
    a->content_size = 10;
    a->sender = slice_from_string(s->sender);
    a->recipients_count = count;
    a->is_report = sender[0] == '\0';
    a->priority = w->priority;
    if (w->by_ms != 0)
        a->deliver_by_wall_ms = a->received_wall_ms + w->by_ms;
    a->by_returns = w->by_returns;
    a->by_traces = w->by_traces;
    a->not_before_wall_ms = w->not_before_wall_ms;
    for (size_t i = 0; i < count; i++)
        a->recipients[i].next_due_wall_ms = w->not_before_wall_ms;
    for (size_t i = 0; i < count; i++) {
        snprintf(s->recipients[i], sizeof s->recipients[i], "%s", recipients[i]);
        s->notify[i] = notify;
        a->recipients[i].address = slice_from_string(s->recipients[i]);
        a->recipients[i].notify = notify;
    }
    struct spool_sink *sink = queue_sink(w->queue);
    assert_true(sink->reserve(sink, count));
    sink->arrived(sink, a);
    return s->id;
}

struct fake_writer {
    struct intake_writer writer;
    struct intake_begin begin;
    struct task task;
    struct intake_commit commit;
    char recipient[64];
};

static enum intake_flow fake_write(struct intake_writer *writer, struct slice bytes)
{
    (void)writer;
    buffer_append(&w->reports, bytes);
    return INTAKE_MORE;
}

static void fake_committed(struct task *task)
{
    struct fake_writer *f = container_of(task, struct fake_writer, task);
    w->reports_now--;
    if (w->report_error == ERR_OK) {
        const char *to = f->recipient;
        w->reports_count++;
        arrive("", &to, 1, DSN_NOTIFY_NEVER);
    }
    f->commit.done(f->commit.context, w->report_error, (struct mail_id){ w->stored_count });
    free(f);
}

static void fake_commit(struct intake_writer **writer, const struct intake_commit *commit)
{
    struct fake_writer *f = container_of(*writer, struct fake_writer, writer);
    *writer = NULL;
    f->commit = *commit;
    assert_int_equal(commit->envelope->sender.len, 0);
    assert_true(commit->envelope->is_report);
    snprintf(f->recipient, sizeof f->recipient, "%.*s",
             (int)commit->envelope->recipients[0].address.len,
             commit->envelope->recipients[0].address.data);
    if (w->report_error == ERR_OK)
        note_updates(commit->updates, commit->updates_count);
    if (++w->reports_now > w->reports_most)
        w->reports_most = w->reports_now;
    f->task.run = fake_committed;
    home_post(f->begin.home, &f->task);
}

static void fake_abort(struct intake_writer **writer)
{
    free(container_of(*writer, struct fake_writer, writer));
    *writer = NULL;
}

static const struct intake_writer_ops writer_ops = {
    .write = fake_write, .commit = fake_commit, .abort = fake_abort,
};

static enum err fake_begin(struct intake *intake, const struct intake_begin *begin,
                           struct intake_writer **out)
{
    (void)intake;
    struct fake_writer *f = calloc(1, sizeof *f);
    f->writer.ops = &writer_ops;
    f->begin = *begin;
    *out = &f->writer;
    return ERR_OK;
}

struct fake_view {
    struct message_view view;
    struct envelope_recipient recipients[4];
};

static const char *content_now(void)
{
    return w->content != NULL ? w->content
        : "Subject: the original\r\nMessage-ID: <o@x>\r\n\r\nbody\r\n";
}

static enum err fake_read(struct message_view *view, uint64_t offset, char *out, size_t len,
                          size_t *out_len)
{
    const char *content = content_now();
    (void)view;
    size_t size = strlen(content);
    assert_int_equal(offset, 0);
    *out_len = len < size ? len : size;
    memcpy(out, content, *out_len);
    return ERR_OK;
}

static void fake_close(struct message_view *view)
{
    free(container_of(view, struct fake_view, view));
}

static const struct message_view_ops view_ops = { .read = fake_read, .close = fake_close };

static enum err fake_open(struct message_source *source, struct mail_id id,
                          struct message_view **out)
{
    (void)source;
    if (w->is_damaged)
        return ERR_CORRUPT;
    struct stored *s = stored_of(id);
    struct fake_view *f = calloc(1, sizeof *f);
    for (size_t i = 0; i < s->count; i++)
        f->recipients[i].address = slice_from_string(s->recipients[i]);
    f->view = (struct message_view){
        .ops = &view_ops, .id = id, .content_size = strlen(content_now()),
        .envelope = { .sender = slice_from_string(s->sender), .recipients = f->recipients,
                      .recipients_count = s->count },
    };
    *out = &f->view;
    return ERR_OK;
}

/* ---- the ways out ---- */

static void fake_resolved(struct task *task)
{
    struct attempt_resolve *job = container_of(task, struct attempt_resolve, task);
    w->resolves++;
    w->resolving--;
    job->resolved = w->resolve_kind == OUTCOME_NONE;
    job->valid_ms = HOUR_MS;
    job->host.len = job->site.len; /* one host, of the site's name */
    memcpy(job->host.text, job->site.text, job->site.len);
    job->outcome = (struct outcome){
        .kind = w->resolve_kind, .status = { w->resolve_kind == OUTCOME_FAILED ? 5 : 4, 1, 2 },
        .text = SLICE("the look-up says no"),
    };
    job->done(job);
}

static void fake_resolve(struct attempt *attempt, struct attempt_resolve *job)
{
    (void)attempt;
    /* domains a.x, b.x share the site x */
    struct slice site = job->domain;
    size_t dot = slice_find(site, '.');
    site = dot == SLICE_NOT_FOUND ? site : slice_from(site, dot + 1);
    if (w->site_now != NULL)
        site = slice_from_string(w->site_now);
    job->site.len = (uint8_t)site.len;
    memcpy(job->site.text, site.data, site.len);
    if (++w->resolving > w->resolving_most)
        w->resolving_most = w->resolving;
    job->task.run = fake_resolved;
    home_post(job->home, &job->task);
}

struct flight {
    struct timer timer;
    struct attempt_run *run;
};

static void fake_landed(struct timer *timer)
{
    struct flight *f = container_of(timer, struct flight, timer);
    struct attempt_run *run = f->run;
    bool up = w->refuse_over == 0 || run->connection.id != 0 ||
              w->connections - w->closes < w->refuse_over;
    if (w->moves) {
        w->moves = false;
        w->open_now--;
        free(f);
        run->end = ATTEMPT_MOVED;
        run->done(run);
        return;
    }
    for (size_t i = 0; i < run->recipients_count && up; i++)
        up = w->answer(w, run, &run->recipients[i]);
    run->end = !up ? ATTEMPT_NO_SITE : w->keep ? ATTEMPT_KEPT : ATTEMPT_CLOSED;
    if (!up) {
        run->site_failure = (struct outcome){
            .kind = w->site_kind, .status = { w->site_kind == OUTCOME_FAILED ? 5 : 4, 4, 1 },
            .text = SLICE("nobody there") };
        for (size_t i = 0; i < run->recipients_count; i++)
            run->recipients[i].outcome = (struct outcome){ .kind = OUTCOME_NONE };
    }
    if (run->end == ATTEMPT_KEPT && run->connection.id == 0)
        run->connection.id = ++w->connections;
    w->open_now--;
    free(f);
    run->done(run);
}

static void fake_run(struct attempt *attempt, struct attempt_run *run)
{
    (void)attempt;
    assert_true(w->tries_count < TRIES_MAX);
    w->tries[w->tries_count++] = (struct try){
        .at_ms = loop_now(w->loop).mono_ms, .id = run->id, .site = run->site,
        .recipients = run->recipients_count, .reused = run->connection.id != 0,
    };
    if (++w->open_now > w->open_most)
        w->open_most = w->open_now;
    struct flight *f = calloc(1, sizeof *f);
    f->run = run;
    timer_init(&f->timer, w->loop, fake_landed);
    timer_set(&f->timer, w->takes_ms);
}

static void fake_close_connection(struct attempt *attempt, struct attempt_connection c)
{
    (void)attempt;
    assert_true(c.id != 0);
    w->closes++;
}

static const struct attempt_ops attempt_ops = {
    .resolve = fake_resolve, .run = fake_run, .close = fake_close_connection,
};
static const struct intake_ops intake_ops = { .begin = fake_begin };
static const struct message_source_ops source_ops = { .open = fake_open };

/* ---- scripts ---- */

static inline bool say(struct attempt_recipient *r, enum outcome_kind kind, uint16_t code,
                struct smtp_status status, struct slice text)
{
    r->outcome = (struct outcome){ .kind = kind, .code = code, .status = status,
                                   .text = text, .reply_is_remote = true };
    return true;
}

static inline bool take(struct world *world, struct attempt_run *run, struct attempt_recipient *r)
{
    (void)world;
    (void)run;
    return say(r, OUTCOME_RELAYED, 250, (struct smtp_status){ 2, 0, 0 }, SLICE("ok"));
}

static inline bool down_for_six_hours(struct world *world, struct attempt_run *run,
                                      struct attempt_recipient *r)
{
    if (run->site.text[0] == 'd' && loop_now(world->loop).mono_ms < 6 * HOUR_MS)
        return false;
    return take(world, run, r);
}

static inline bool later(struct world *world, struct attempt_run *run, struct attempt_recipient *r)
{
    (void)world;
    (void)run;
    return say(r, OUTCOME_DEFERRED, 451, (struct smtp_status){ 4, 7, 1 }, SLICE("later"));
}

static inline bool never(struct world *world, struct attempt_run *run, struct attempt_recipient *r)
{
    (void)world;
    (void)run;
    return say(r, OUTCOME_FAILED, 550, (struct smtp_status){ 5, 1, 1 }, SLICE("no such user"));
}

/* ---- beginning and end ---- */

/* The defaults (5 min, doubling to 4 h, 20 % jitter, 5 days, reports 2 days) and this; where
 * it says nothing of sites, small limits for all. */
static const struct config *configuration(const char *yaml)
{
    static const char small[] = "sites: { default: { connections: 3, recipients_per_message: 2,"
                                " messages_per_connection: 10 } }\n";
    bool says_sites = strstr(yaml, "sites:") != NULL;
    const struct config *config;
    struct config_flags flags = { .hostname = SLICE("mx.test") };
    struct config_error error;
    char path[64];
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml));
    if (!says_sites)
        assert_int_equal(write(fd, small, strlen(small)), strlen(small));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(config_load(slice_from_string(path), &flags, &config, &error), ERR_OK);
    close(fd);
    return config;
}

static int set_up(void **state)
{
    (void)state;
    w = calloc(1, sizeof *w);
    struct moment start = { .mono_ms = 1000, .wall_ms = INT64_C(1790000000000) };
    assert_int_equal(loop_open_virtual(start, &w->loop), ERR_OK);
    w->config = configuration("queue: { recipients_max: 1000 }\n");
    w->site_kind = OUTCOME_DEFERRED;
    w->answer = take;
    w->takes_ms = 10;
    buffer_init(&w->reports, 10 * 1024 * 1024);
    struct queue_options options = { .loop = w->loop, .random = 42 };
    assert_int_equal(queue_open(&options, w->config, &w->queue), ERR_OK);
    w->intake.ops = &intake_ops;
    w->source.ops = &source_ops;
    w->attempt.ops = &attempt_ops;
    w->store = (struct queue_store){ .update = fake_update, .intake = &w->intake,
                                     .source = &w->source };
    queue_start(w->queue, &w->store, &w->attempt);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    queue_drain(w->queue);
    loop_run_virtual(w->loop, loop_now(w->loop).mono_ms + HOUR_MS);
    assert_true(queue_is_quiet(w->queue));
    queue_close(&w->queue);
    config_drop(&w->config);
    loop_close(&w->loop);
    buffer_free(&w->reports);
    free(w);
    return 0;
}

static void run_for(int64_t ms)
{
    loop_run_virtual(w->loop, loop_now(w->loop).mono_ms + ms);
}

static const struct queue_filter everything = { .older_ms = 0 };

/* 0: all. */
static inline struct queue_acted act_on_id(struct mail_id id, enum queue_action action)
{
    struct queue_filter filter = { .id = id };
    return queue_act(w->queue, &filter, action);
}

static inline void send_one(const char *to)
{
    arrive("a@me.test", &to, 1, 0);
}

static inline bool report_says(const char *text)
{
    struct slice s = buffer_slice(&w->reports);
    return s.len > 0 && memmem(s.data, s.len, text, strlen(text)) != NULL;
}

#endif
