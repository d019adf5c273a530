/* queue_test.c: the real scheduler in virtual time: days of retries in a millisecond.
 *
 * The store and the ways out are fakes on the same thread. The fake store remembers the
 * last state of each recipient and every report; the fake way out answers by a script
 * and counts what it was asked, when.
 */
#include "event/timer.h"
#include "queue/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MESSAGES_MAX = 300, TRIES_MAX = 4000 };

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
    unsigned open_now;
    unsigned open_most;
    uint64_t connections;
    unsigned closes;
    struct buffer reports;           /* contents, one after another */
    unsigned reports_count;
    enum err report_error;
    unsigned update_faults;          /* so many updates find the disk full */
    enum outcome_kind resolve_kind;  /* NONE: it resolves */
    enum outcome_kind site_kind;     /* of a site that is down */
    /* What to do with an attempt: sets the outcomes; false: the site is down. */
    bool (*answer)(struct world *w, struct attempt_run *run, struct attempt_recipient *r);
    int64_t takes_ms;
    bool keep;                       /* connections stay open */
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
    struct task task;
    struct spool_update update;
    enum err result;
};

static void on_fake_done(struct task *task)
{
    struct fake_done *d = container_of(task, struct fake_done, task);
    d->update.done(d->update.context, d->result);
    free(d);
}

static void post_done(const struct spool_update *update, enum err result)
{
    struct fake_done *d = calloc(1, sizeof *d);
    *d = (struct fake_done){ .task.run = on_fake_done, .update = *update, .result = result };
    home_post(update->home, &d->task);
}

static enum err fake_update(struct queue_store *store, const struct spool_update *update)
{
    (void)store;
    if (w->update_faults > 0) {
        /* by turns the two ways to say no */
        if (--w->update_faults % 2 == 0)
            return ERR_FULL;
        post_done(update, ERR_FULL);
        return ERR_OK;
    }
    note_updates(update->updates, update->count);
    post_done(update, ERR_OK);
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
    job->resolved = w->resolve_kind == OUTCOME_NONE;
    job->valid_ms = HOUR_MS;
    job->limits = (struct attempt_limits){ 3, 10, 2 };
    job->outcome = (struct outcome){
        .kind = w->resolve_kind, .status = { w->resolve_kind == OUTCOME_FAILED ? 5 : 4, 1, 2 },
        .text = SLICE("the look-up says no"),
    };
    /* domains a.x, b.x share the site x */
    struct slice site = job->domain;
    size_t dot = slice_find(site, '.');
    site = dot == SLICE_NOT_FOUND ? site : slice_from(site, dot + 1);
    job->site.len = (uint8_t)site.len;
    memcpy(job->site.text, site.data, site.len);
    job->done(job);
}

static void fake_resolve(struct attempt *attempt, struct attempt_resolve *job)
{
    (void)attempt;
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
    bool up = true;
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

static bool say(struct attempt_recipient *r, enum outcome_kind kind, uint16_t code,
                struct smtp_status status, struct slice text)
{
    r->outcome = (struct outcome){ .kind = kind, .code = code, .status = status,
                                   .text = text, .reply_is_remote = true };
    return true;
}

static bool take(struct world *world, struct attempt_run *run, struct attempt_recipient *r)
{
    (void)world;
    (void)run;
    return say(r, OUTCOME_RELAYED, 250, (struct smtp_status){ 2, 0, 0 }, SLICE("ok"));
}

static bool later(struct world *world, struct attempt_run *run, struct attempt_recipient *r)
{
    (void)world;
    (void)run;
    return say(r, OUTCOME_DEFERRED, 451, (struct smtp_status){ 4, 7, 1 }, SLICE("later"));
}

static bool never(struct world *world, struct attempt_run *run, struct attempt_recipient *r)
{
    (void)world;
    (void)run;
    return say(r, OUTCOME_FAILED, 550, (struct smtp_status){ 5, 1, 1 }, SLICE("no such user"));
}

static bool third_time(struct world *world, struct attempt_run *run,
                       struct attempt_recipient *r)
{
    return world->tries_count < 3 ? later(world, run, r) : take(world, run, r);
}

static bool down_for_six_hours(struct world *world, struct attempt_run *run,
                               struct attempt_recipient *r)
{
    if (run->site.text[0] == 'd' && loop_now(world->loop).mono_ms < 6 * HOUR_MS)
        return false;
    return take(world, run, r);
}

static bool by_index(struct world *world, struct attempt_run *run,
                     struct attempt_recipient *r)
{
    if (r->index == 0)
        return take(world, run, r);
    return r->index == 1 ? never(world, run, r) : later(world, run, r);
}

static bool octets_refused(struct world *world, struct attempt_run *run,
                           struct attempt_recipient *r)
{
    bool taken = never(world, run, r);
    r->outcome.status = (struct smtp_status){ 5, 6, 3 };
    return taken;
}

/* ---- the tests ---- */

static int set_up(void **state)
{
    (void)state;
    w = calloc(1, sizeof *w);
    struct moment start = { .mono_ms = 1000, .wall_ms = INT64_C(1790000000000) };
    assert_int_equal(loop_open_virtual(start, &w->loop), ERR_OK);
    /* the defaults: 5 min, doubling to 4 h, 20 % jitter, 5 days, reports 2 days */
    struct config_flags flags = { .hostname = SLICE("mx.test") };
    struct config_error error;
    assert_int_equal(config_load(slice_make(NULL, 0), &flags, &w->config, &error), ERR_OK);
    w->site_kind = OUTCOME_DEFERRED;
    w->answer = take;
    w->takes_ms = 10;
    buffer_init(&w->reports, 10 * 1024 * 1024);
    struct queue_options options = { .loop = w->loop, .recipients_max = 1000, .random = 42 };
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

static void send_one(const char *to)
{
    arrive("a@me.test", &to, 1, 0);
}

static bool report_says(const char *text)
{
    struct slice s = buffer_slice(&w->reports);
    return s.len > 0 && memmem(s.data, s.len, text, strlen(text)) != NULL;
}

static void one_message_goes_out_at_once(void **state)
{
    (void)state;
    send_one("b@far.test");
    run_for(1000);
    assert_int_equal(w->tries_count, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
    assert_int_equal(w->reports_count, 0);
}

static void retries_back_off_and_end(void **state)
{
    (void)state;
    w->answer = later;
    send_one("b@far.test");
    run_for(6 * DAY_MS);
    /* 5, 10, 20, 40, 80, 160 min, then every 4 h, each within 20 % and a second */
    static const int64_t plan[] = { 300, 600, 1200, 2400, 4800, 9600 };
    for (size_t i = 0; i + 1 < w->tries_count; i++) {
        int64_t gap = (w->tries[i + 1].at_ms - w->tries[i].at_ms) / 1000;
        int64_t want = i < 6 ? plan[i] : 14400;
        if (w->tries[i].id.value == 1 && w->tries[i + 1].id.value == 1)
            assert_in_range(gap, want * 80 / 100, want * 120 / 100 + 2);
    }
    assert_in_range(w->tries_count, 30, 60);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("later"));
    /* the report itself met 451 for its two days, and there is no report about it */
    run_for(3 * DAY_MS);
    assert_int_equal(w->reports_count, 1);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
}

static void the_third_time_works(void **state)
{
    (void)state;
    w->answer = third_time;
    send_one("b@far.test");
    run_for(DAY_MS);
    assert_int_equal(w->tries_count, 3);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(w->stored[0].last[0].attempts, 3);
}

static void each_recipient_has_its_own_fate(void **state)
{
    (void)state;
    static const char *const to[] = { "a@far.test", "b@far.test", "c@far.test" };
    w->answer = by_index;
    arrive("a@me.test", to, 3, 0);
    run_for(MINUTE_MS);
    struct stored *s = &w->stored[0];
    assert_int_equal(s->last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(s->last[1].state, RECIPIENT_FAILED);
    assert_int_equal(s->last[2].state, RECIPIENT_QUEUED);
    assert_int_equal(s->last[2].code, 451);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("b@far.test"));
    assert_false(report_says("c@far.test"));
    assert_true(report_says("Subject: the original"));
    assert_int_equal(w->tries[0].recipients, 2); /* the limit of the site */
    assert_int_equal(w->tries[1].recipients, 1);
}

static void a_bounce_goes_to_the_sender_and_never_bounces(void **state)
{
    (void)state;
    w->answer = never;
    send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_int_equal(w->stored_count, 2);
    assert_string_equal(w->stored[1].recipients[0], "a@me.test");
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("no such user"));
    assert_true(report_says("multipart/report"));
}

static void a_damaged_message_is_reported_without_it(void **state)
{
    (void)state;
    w->answer = never;
    w->is_damaged = true;
    send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 1);
    assert_string_equal(w->stored[1].recipients[0], "a@me.test");
    assert_true(report_says("Final-Recipient: rfc822; far.test"));
    assert_false(report_says("Subject: the original"));
}

static void a_report_of_eight_bits_refused_has_seven(void **state)
{
    (void)state;
    w->answer = octets_refused;
    w->content = "Subject: the original\r\n\r\n\xc3\x9f\r\n";
    send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("Subject: the original"));
    assert_false(report_says("\xc3\x9f"));
}

static void notify_decides_about_reports(void **state)
{
    (void)state;
    static const char *const to[] = { "b@far.test" };
    w->answer = never;
    arrive("a@me.test", to, 1, DSN_NOTIFY_NEVER);
    arrive("a@me.test", to, 1, DSN_NOTIFY_SUCCESS);
    run_for(MINUTE_MS);
    assert_int_equal(w->reports_count, 0);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    w->answer = take;
    arrive("a@me.test", to, 1, DSN_NOTIFY_SUCCESS);
    run_for(MINUTE_MS);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("Action: relayed"));
}

static void a_report_that_cannot_be_kept_is_tried_again(void **state)
{
    (void)state;
    w->answer = never;
    w->report_error = ERR_FULL;
    send_one("b@far.test");
    run_for(30 * SECOND_MS);
    assert_int_equal(w->reports_count, 0);
    assert_false(w->stored[0].updated[0]);
    w->report_error = ERR_OK;
    run_for(2 * MINUTE_MS);
    assert_int_equal(w->reports_count, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
}

static void a_full_disk_delays_records_but_loses_none(void **state)
{
    (void)state;
    w->update_faults = 7;
    for (int i = 0; i < 3; i++)
        send_one("b@far.test");
    run_for(500);
    assert_int_equal(w->tries_count, 3);
    assert_false(w->stored[0].updated[0]);
    run_for(30 * SECOND_MS);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(w->tries_count, 3);
}

static void a_dead_site_costs_the_others_nothing(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    for (int i = 0; i < 100; i++)
        send_one("x@mx.dead");
    for (int i = 0; i < 100; i++)
        send_one("y@live.other");
    run_for(5 * SECOND_MS);
    unsigned live = 0;
    for (size_t i = 100; i < 200; i++)
        live += w->stored[i].last[0].state == RECIPIENT_RELAYED;
    assert_int_equal(live, 100);
    run_for(5 * HOUR_MS);
    /* the trouble cost no record a recipient, and few tries */
    for (size_t i = 0; i < 100; i++)
        assert_false(w->stored[i].updated[0]);
    assert_in_range(w->tries_count, 105, 125);
    run_for(5 * HOUR_MS);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
}

static void a_site_that_takes_no_mail_bounces_what_waits(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    w->site_kind = OUTCOME_FAILED;
    for (int i = 0; i < 10; i++)
        send_one("x@mx.dead");
    run_for(MINUTE_MS);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 10);
    assert_true(report_says("nobody there"));
}

static void a_site_has_a_limit_and_connections_are_used_again(void **state)
{
    (void)state;
    w->keep = true;
    for (int i = 0; i < 60; i++)
        send_one(i % 2 == 0 ? "x@a.far" : "x@b.far");
    run_for(10 * SECOND_MS);
    assert_int_equal(w->tries_count, 60);
    assert_in_range(w->open_most, 3, 6); /* a second one behind each */
    assert_int_equal(w->connections, 6);
    assert_int_equal(w->resolves, 2);
    unsigned reused = 0;
    for (size_t i = 0; i < w->tries_count; i++)
        reused += w->tries[i].reused;
    assert_int_equal(reused, 54); /* ten messages a connection, then a new one */
    assert_int_equal(w->closes, 6);
    /* both domains of the site got their turns */
    unsigned first_half = 0;
    for (size_t i = 0; i < 30; i++)
        first_half += w->tries[i].id.value % 2;
    assert_in_range(first_half, 13, 17);
}

static void a_lost_connection_is_forgotten(void **state)
{
    (void)state;
    w->keep = true;
    send_one("x@a.far");
    run_for(SECOND_MS);
    assert_int_equal(queue_stats(w->queue).connections_idle, 1);
    struct attempt_watcher *watcher = queue_watcher(w->queue);
    watcher->lost(watcher, (struct attempt_connection){ .id = 99 });
    watcher->lost(watcher, (struct attempt_connection){ .id = 1 });
    assert_int_equal(queue_stats(w->queue).connections_idle, 0);
    send_one("x@a.far");
    run_for(SECOND_MS);
    assert_false(w->tries[1].reused);
}

static void a_domain_that_does_not_exist_bounces(void **state)
{
    (void)state;
    w->resolve_kind = OUTCOME_FAILED;
    send_one("b@nowhere.test");
    run_for(SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("5.1.2"));
}

static void a_look_up_that_fails_for_now_waits(void **state)
{
    (void)state;
    w->resolve_kind = OUTCOME_DEFERRED;
    send_one("b@nowhere.test");
    run_for(HOUR_MS);
    assert_false(w->stored[0].updated[0]);
    assert_in_range(w->resolves, 3, 5);
    w->resolve_kind = OUTCOME_NONE;
    run_for(2 * HOUR_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    w->resolve_kind = OUTCOME_DEFERRED;
    send_one("b@other.nowhere");
    run_for(6 * DAY_MS);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_FAILED);
}

static void an_operator_holds_releases_retries_and_deletes(void **state)
{
    (void)state;
    w->answer = later;
    send_one("x@a.far");
    send_one("y@b.far");
    run_for(SECOND_MS);
    struct mail_id first = w->stored[0].id;
    assert_int_equal(queue_act(w->queue, first, QUEUE_HOLD), 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_HELD);
    assert_int_equal(queue_act(w->queue, first, QUEUE_HOLD), 0);
    run_for(DAY_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_HELD);
    w->answer = take;
    assert_int_equal(queue_act(w->queue, (struct mail_id){ 0 }, QUEUE_RETRY), 1);
    run_for(SECOND_MS);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(queue_stats(w->queue).held, 1);
    assert_int_equal(queue_act(w->queue, first, QUEUE_RELEASE), 1);
    run_for(SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    w->answer = later;
    send_one("z@a.far");
    run_for(SECOND_MS);
    assert_int_equal(queue_act(w->queue, w->stored[2].id, QUEUE_DELETE), 1);
    assert_int_equal(w->stored[2].last[0].state, RECIPIENT_DELETED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
    assert_int_equal(w->reports_count, 0);
}

static void the_limit_is_reserved_before_the_250(void **state)
{
    (void)state;
    struct spool_sink *sink = queue_sink(w->queue);
    assert_true(sink->reserve(sink, 999));
    assert_false(sink->reserve(sink, 2));
    assert_true(sink->reserve(sink, 1));
    sink->release(sink, 1000);
    assert_true(sink->reserve(sink, 1000));
    sink->release(sink, 1000);
    for (int i = 0; i < 20; i++)
        send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_true(sink->reserve(sink, 1000)); /* all was given back */
    sink->release(sink, 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_message_goes_out_at_once),
        TEST(retries_back_off_and_end),
        TEST(the_third_time_works),
        TEST(each_recipient_has_its_own_fate),
        TEST(a_bounce_goes_to_the_sender_and_never_bounces),
        TEST(a_damaged_message_is_reported_without_it),
        TEST(a_report_of_eight_bits_refused_has_seven),
        TEST(notify_decides_about_reports),
        TEST(a_report_that_cannot_be_kept_is_tried_again),
        TEST(a_full_disk_delays_records_but_loses_none),
        TEST(a_dead_site_costs_the_others_nothing),
        TEST(a_site_that_takes_no_mail_bounces_what_waits),
        TEST(a_site_has_a_limit_and_connections_are_used_again),
        TEST(a_lost_connection_is_forgotten),
        TEST(a_domain_that_does_not_exist_bounces),
        TEST(a_look_up_that_fails_for_now_waits),
        TEST(an_operator_holds_releases_retries_and_deletes),
        TEST(the_limit_is_reserved_before_the_250),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
