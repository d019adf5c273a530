/* fake_world.h: what the delivery's tests stand on: a loop, a message kept in memory,
 * jobs and their answers as text. For test programs alone.
 */
#ifndef GODWIT_DELIVERY_FAKE_WORLD_H
#define GODWIT_DELIVERY_FAKE_WORLD_H

#include "base/must.h"
#include "delivery/delivery_private.h"
#include "dns/fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct world;

struct world_job {
    struct world *world;
    struct attempt_run run;
};

struct world {
    struct loop *loop;
    struct dns *dns;
    struct workers *workers;
    struct fake_server names;
    struct delivery *delivery;
    struct delivery_options options;
    struct delivery_routes *routes;
    struct message_source source;
    struct attempt_watcher watcher;
    struct attempt_connection lost;  /* the last one told of */
    unsigned lost_count;
    unsigned left;                   /* what loop_run() waits for */
    /* the message */
    struct envelope envelope;
    struct slice prefix;
    struct slice content;
    enum err open_error;
    unsigned views;                  /* open ones */
};

struct world_view {
    struct message_view base;
    struct world *world;
};

static inline enum err world_read(struct message_view *view, uint64_t offset, char *out,
                                  size_t len, size_t *out_len)
{
    struct world *w = container_of(view, struct world_view, base)->world;
    struct slice part = slice_part(w->content, (size_t)offset, len);
    memcpy(out, part.data, part.len);
    *out_len = part.len;
    return ERR_OK;
}

static inline void world_view_close(struct message_view *view)
{
    struct world_view *v = container_of(view, struct world_view, base);
    __atomic_fetch_sub(&v->world->views, 1, __ATOMIC_SEQ_CST);
    free(v);
}

static inline enum err world_open_message(struct message_source *source, struct mail_id id,
                                          struct message_view **out_view)
{
    static const struct message_view_ops ops = { world_read, world_view_close };
    struct world *w = container_of(source, struct world, source);
    if (w->open_error != ERR_OK)
        return w->open_error;
    struct world_view *v = malloc(sizeof *v);
    must(v != NULL);
    *v = (struct world_view){
        .base = { .ops = &ops, .id = id, .envelope = w->envelope, .prefix = w->prefix,
                  .content_size = w->content.len },
        .world = w,
    };
    __atomic_fetch_add(&w->views, 1, __ATOMIC_SEQ_CST);
    *out_view = &v->base;
    return ERR_OK;
}

static inline void world_one_less(struct world *w)
{
    if (--w->left == 0)
        loop_stop(w->loop);
}

static inline void world_on_lost(struct attempt_watcher *watcher,
                                 struct attempt_connection connection)
{
    struct world *w = container_of(watcher, struct world, watcher);
    w->lost = connection;
    w->lost_count++;
    world_one_less(w);
}

/* Opens all but the delivery, with a message from a@x.example to b, c and d of
 * y.example. */
static inline void world_open(struct world *w, const struct fake_record *names)
{
    static const struct message_source_ops ops = { world_open_message };
    static const struct envelope_recipient to[] = {
        { .address = SLICE_INIT("b@y.example") },
        { .address = SLICE_INIT("c@y.example") },
        { .address = SLICE_INIT("d@z.example") },
    };
    *w = (struct world){ .left = 0 };
    w->envelope = (struct envelope){ .sender = SLICE("a@x.example"), .recipients = to,
                                     .recipients_count = 3 };
    w->prefix = SLICE("Received: here\r\n");
    w->content = SLICE("Subject: x\r\n\r\n.dot\r\n..two\r\nlast");
    w->source.ops = &ops;
    fake_server_start(&w->names, names);
    struct dns_options dns = { .upstreams = &w->names.address, .upstreams_count = 1,
                               .timeout_ms = 5000 };
    assert_int_equal(loop_open(&w->loop), ERR_OK);
    assert_int_equal(dns_open(&dns, &w->dns), ERR_OK);
    assert_int_equal(workers_open(2, 100, &w->workers), ERR_OK);
    w->watcher = (struct attempt_watcher){ .home = loop_home(w->loop),
                                           .lost = world_on_lost };
    w->options = (struct delivery_options){
        .loops = &w->loop, .loops_count = 1, .dns = w->dns, .workers = w->workers,
        .source = &w->source, .watcher = &w->watcher, .hostname = SLICE("me.example"),
        .rules = { .own_name = SLICE("me.example"), .allow_loopback = true },
        .times = { .idle_ms = 60000 },
    };
}

static inline void world_deliver_by(struct world *w, const struct delivery_route *routes,
                                    size_t count)
{
    assert_int_equal(delivery_routes_make(routes, count, NULL, NULL, &w->routes), ERR_OK);
    w->options.routes = w->routes;
    assert_int_equal(delivery_open(&w->options, &w->delivery), ERR_OK);
}

static inline void world_run(struct world *w)
{
    if (w->left > 0)
        loop_run(w->loop);
}

static inline void world_on_run(struct attempt_run *run)
{
    world_one_less(container_of(run, struct world_job, run)->world);
}

/* Where the routes of the beginning lead the domain. */
static inline struct site_key world_site(struct world *w, const char *domain)
{
    struct site_key key;
    struct slice name = slice_from_string(domain);
    site_of_route(delivery_routes_find(w->routes, name), name, &key);
    return key;
}

/* A job for the first `count` recipients, posted; to be freed by world_job_free(). */
static inline struct world_job *world_post(struct world *w, const char *domain,
                                           size_t count,
                                           struct attempt_connection connection)
{
    struct world_job *job =
        calloc(1, sizeof *job + count * sizeof job->run.recipients[0]);
    must(job != NULL);
    job->world = w;
    job->run.home = loop_home(w->loop);
    job->run.done = world_on_run;
    job->run.id.value = 1;
    job->run.domain = slice_from_string(domain);
    job->run.site = world_site(w, domain);
    job->run.connection = connection;
    job->run.recipients_count = count;
    for (size_t i = 0; i < count; i++)
        job->run.recipients[i].index = (uint32_t)i;
    buffer_init(&job->run.texts, 64 * 1024);
    w->left++;
    delivery_attempt(w->delivery)->ops->run(delivery_attempt(w->delivery), &job->run);
    return job;
}

static const struct attempt_connection world_new = { .id = 0 };

static inline void world_job_free(struct world_job *job)
{
    buffer_free(&job->run.texts);
    free(job);
}

static inline void world_describe_outcome(struct buffer *out, const struct outcome *o)
{
    static const char *const kinds[] = {
        [OUTCOME_NONE] = "none", [OUTCOME_DELIVERED] = "delivered",
        [OUTCOME_RELAYED] = "relayed", [OUTCOME_DEFERRED] = "deferred",
        [OUTCOME_FAILED] = "failed", [OUTCOME_DISCARDED] = "discarded",
    };
    buffer_append_string(out, kinds[o->kind]);
    if (o->kind == OUTCOME_NONE)
        return;
    buffer_append_format(out, " %u %u.%u.%u ", o->code, o->status.class,
                         o->status.subject, o->status.detail);
    buffer_append(out, o->text);
}

/* "kept: b@y relayed 250 2.0.0 ok; ..." or "no site: deferred ..."; frees the job. */
static inline void world_expect(struct world_job *job, const char *want)
{
    static const char *const ends[] = { [ATTEMPT_KEPT] = "kept", [ATTEMPT_CLOSED] = "closed",
                                        [ATTEMPT_NO_SITE] = "no site",
                                        [ATTEMPT_MOVED] = "moved" };
    struct buffer text;
    buffer_init(&text, 10000);
    buffer_append_format(&text, "%s:", ends[job->run.end]);
    if (job->run.end == ATTEMPT_NO_SITE) {
        buffer_append_byte(&text, ' ');
        world_describe_outcome(&text, &job->run.site_failure);
    }
    for (size_t i = 0; job->run.end != ATTEMPT_NO_SITE && i < job->run.recipients_count;
         i++) {
        buffer_append_byte(&text, ' ');
        buffer_append(&text, job->run.recipients[i].address);
        buffer_append_byte(&text, ' ');
        world_describe_outcome(&text, &job->run.recipients[i].outcome);
        buffer_append_byte(&text, ';');
    }
    buffer_append_byte(&text, '\0');
    assert_string_equal(buffer_slice(&text).data, want);
    buffer_free(&text);
    world_job_free(job);
}

struct world_mark {
    struct task task;
    struct world *world;
    bool done;
};

static inline void world_on_mark(struct task *task)
{
    struct world_mark *mark = container_of(task, struct world_mark, task);
    mark->done = true;
    loop_stop(mark->world->loop);
}

/* Runs what was posted to the loop until now; jobs may go on. */
static inline void world_settle(struct world *w)
{
    struct world_mark mark = { .task.run = world_on_mark, .world = w };
    home_post(loop_home(w->loop), &mark.task);
    while (!mark.done)
        loop_run(w->loop);
}

static inline void world_ignore_lost(struct attempt_watcher *watcher,
                                     struct attempt_connection connection)
{
    (void)watcher;
    (void)connection;
}

static inline void world_close(struct world *w)
{
    assert_int_equal(__atomic_load_n(&w->views, __ATOMIC_SEQ_CST), 0);
    w->watcher.lost = world_ignore_lost;
    if (w->delivery != NULL)
        delivery_stop(w->delivery);
    world_settle(w);
    world_settle(w);
    delivery_close(&w->delivery);
    delivery_routes_drop(&w->routes);
    workers_close(&w->workers);
    dns_close(&w->dns);
    loop_close(&w->loop);
    fake_server_stop(&w->names);
}

#endif
