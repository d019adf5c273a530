/* rig_private.h: for the tests: a home on the test's own thread, a sink that keeps
 * what it is given, and messages whose content follows from a number. */
#ifndef GODWIT_SPOOL_RIG_PRIVATE_H
#define GODWIT_SPOOL_RIG_PRIVATE_H

#include "base/must.h"
#include "spool/spool_fs_fake.h"
#include "spool/spool_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { RIG_ARRIVALS_MAX = 8192 };

struct rig_home {
    struct home home;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct task *first;
    struct task **last;
};

struct rig {
    struct spool_fake *fake;
    struct spool *spool;
    struct rig_home home;
    struct spool_sink sink;
    struct spool_watcher watcher;
    struct spool_limits limits;
    struct spool_arrival *arrivals[RIG_ARRIVALS_MAX];
    size_t arrivals_count;
    size_t reserved;
    bool refuses;
    bool is_loud;
    _Atomic size_t problems;
    _Atomic size_t failures;
};

static inline void rig_post(struct home *home, struct task *first, struct task *last)
{
    struct rig_home *h = container_of(home, struct rig_home, home);
    last->next = NULL;
    pthread_mutex_lock(&h->mutex);
    *h->last = first;
    h->last = &last->next;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->mutex);
}

static inline void rig_home_init(struct rig_home *h)
{
    *h = (struct rig_home){ .home.post = rig_post };
    h->last = &h->first;
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->wake, NULL);
}

/* Runs what was posted, waiting for something if `waits`. */
static inline void rig_home_run(struct rig_home *h, bool waits)
{
    pthread_mutex_lock(&h->mutex);
    while (waits && h->first == NULL)
        pthread_cond_wait(&h->wake, &h->mutex);
    struct task *task = h->first;
    h->first = NULL;
    h->last = &h->first;
    pthread_mutex_unlock(&h->mutex);
    while (task != NULL) {
        struct task *next = task->next;
        task->run(task);
        task = next;
    }
}

static inline void rig_arrived(struct spool_sink *sink, struct spool_arrival *arrival)
{
    struct rig *rig = container_of(sink, struct rig, sink);
    must(rig->arrivals_count < RIG_ARRIVALS_MAX);
    rig->arrivals[rig->arrivals_count++] = arrival;
}

static inline bool rig_reserve(struct spool_sink *sink, size_t recipients)
{
    struct rig *rig = container_of(sink, struct rig, sink);
    if (rig->refuses)
        return false;
    rig->reserved += recipients;
    return true;
}

static inline void rig_release(struct spool_sink *sink, size_t recipients)
{
    container_of(sink, struct rig, sink)->reserved -= recipients;
}

static inline void rig_failed(struct spool_watcher *watcher, enum err error)
{
    (void)error;
    container_of(watcher, struct rig, watcher)->failures++;
}

static inline void rig_problem(struct spool_watcher *watcher, struct slice text)
{
    struct rig *rig = container_of(watcher, struct rig, watcher);
    rig->problems++;
    if (rig->is_loud)
        fprintf(stderr, "problem: %.*s\n", (int)text.len, text.data);
}

/* Small, so that every path is walked. */
static inline struct spool_limits rig_limits(void)
{
    return (struct spool_limits){
        .segment_bytes = 64 * 1024, .chunk_bytes = 4096, .large_bytes = 20000,
        .checkpoint_bytes = 100 * 1024, .compact_floor_bytes = 256 * 1024,
    };
}

static inline struct rig *rig_make(struct spool_fake *fake)
{
    struct rig *rig = calloc(1, sizeof *rig);
    must(rig != NULL);
    rig->fake = fake;
    rig->limits = rig_limits();
    rig_home_init(&rig->home);
    rig->sink = (struct spool_sink){ .home = &rig->home.home, .arrived = rig_arrived,
                                     .reserve = rig_reserve, .release = rig_release };
    rig->watcher = (struct spool_watcher){ rig_failed, rig_problem };
    rig->is_loud = getenv("SPOOL_LOUD") != NULL;
    return rig;
}

static inline enum err rig_open_on(struct rig *rig, struct spool_fs *fs)
{
    struct spool_options options = { .fs = fs, .sink = &rig->sink,
                                     .watcher = &rig->watcher, .limits = rig->limits };
    return spool_open(&options, &rig->spool);
}

static inline enum err rig_open(struct rig *rig)
{
    return rig_open_on(rig, spool_fake_fs(rig->fake));
}

static inline void rig_forget_arrivals(struct rig *rig)
{
    for (size_t i = 0; i < rig->arrivals_count; i++)
        spool_arrival_free(rig->arrivals[i]);
    rig->arrivals_count = 0;
}

/* A checkpoint on this thread: the keeper, whose work it is, has ended. */
static inline enum err rig_checkpoint(struct rig *rig)
{
    spool_keeper_stop(rig->spool);
    return spool_checkpoint_write(rig->spool);
}

/* Lets every writer end, then closes. */
static inline void rig_close(struct rig *rig)
{
    while (rig->spool != NULL && spool_stats(rig->spool).writers > 0)
        rig_home_run(&rig->home, false);
    rig_home_run(&rig->home, false);
    spool_close(&rig->spool);
    rig_home_run(&rig->home, false);
}

/* Closes, frees the rig and its file system. */
static inline void rig_free(struct rig *rig)
{
    rig_close(rig);
    rig_forget_arrivals(rig);
    spool_fake_free(&rig->fake);
    pthread_mutex_destroy(&rig->home.mutex);
    pthread_cond_destroy(&rig->home.wake);
    free(rig);
}

static inline struct spool_arrival *rig_find(struct rig *rig, uint64_t id)
{
    for (size_t i = 0; i < rig->arrivals_count; i++)
        if (rig->arrivals[i]->id.value == id)
            return rig->arrivals[i];
    return NULL;
}

/* Content that follows from a number: every byte can be told. */
static inline char rig_byte(uint32_t seed, size_t at)
{
    uint32_t x = seed * 2654435761u + (uint32_t)at * 40503u + (uint32_t)(at >> 8);
    return (char)(x >> 13);
}

static inline void rig_fill(uint32_t seed, size_t at, char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = rig_byte(seed, at + i);
}

struct rig_message {
    uint32_t seed;
    size_t size;
    size_t recipients;      /* at most 8 */
    size_t piece;           /* bytes a write; 0: 1000 */
    bool is_report;
    bool hold;
    const struct recipient_update *updates;
    size_t updates_count;
};

struct rig_commit {
    bool done;
    enum err result;
    struct mail_id id;
};

static inline void rig_committed(void *context, enum err result, struct mail_id id)
{
    struct rig_commit *commit = context;
    must(!commit->done);
    *commit = (struct rig_commit){ true, result, id };
}

static inline void rig_resumed(void *context)
{
    *(bool *)context = true;
}

/* The address of a recipient; `out` must hold it. */
static inline struct slice rig_address(uint32_t seed, size_t i, char out[64])
{
    int len = snprintf(out, 64, "user%u.%zu@example%zu.test", seed, i, i % 3);
    return slice_make(out, (size_t)len);
}

static inline void rig_write_body(struct rig *rig, struct intake_writer *writer,
                                  const struct rig_message *m, bool *resumed)
{
    char bytes[16384];
    size_t piece = m->piece == 0 ? 1000 : m->piece;
    must(piece <= sizeof bytes);
    for (size_t at = 0; at < m->size; at += piece) {
        size_t len = m->size - at < piece ? m->size - at : piece;
        rig_fill(m->seed, at, bytes, len);
        *resumed = false;
        enum intake_flow flow = intake_write(writer, slice_make(bytes, len));
        while (flow == INTAKE_WAIT && !*resumed)
            rig_home_run(&rig->home, true);
    }
}

static inline void rig_commit_writer(struct intake_writer *writer,
                                     const struct rig_message *m,
                                     struct rig_commit *commit)
{
    char text[8][64];
    struct envelope_recipient recipients[8];
    struct envelope envelope = {
        .sender = SLICE("sender@example.test"), .envid = SLICE("envid"),
        .body = MAIL_BODY_8BITMIME, .ret = DSN_RET_HEADERS, .smtputf8 = true,
        .deliver_by_wall_ms = m->seed % 5 == 0 ? 7 + (int64_t)m->seed : 0,
        .by_returns = m->seed % 10 == 0, .by_traces = m->seed % 10 == 5,
        .is_report = m->is_report, .require_tls = m->seed % 3 == 0, .priority = (int8_t)((int)(m->seed % 19) - 9),
        .hold_request = m->seed % 2 == 0 ? SLICE("for;3600") : slice_make(NULL, 0),
        .recipients = recipients, .recipients_count = m->recipients,
    };
    for (size_t i = 0; i < m->recipients; i++)
        recipients[i] = (struct envelope_recipient){
            .address = rig_address(m->seed, i, text[i]),
            .orcpt = i % 2 == 0 ? slice_make(NULL, 0) : SLICE("rfc822;a+2Bb@example"),
            .notify = (uint8_t)(i % 3), .forwarded = i % 4 == 1,
        };
    struct intake_commit what = {
        .prefix = SLICE("Received: by test\r\n"), .envelope = &envelope,
        .received_wall_ms = 1000 + m->seed, .hold = m->hold,
        .updates = m->updates, .updates_count = m->updates_count,
        .done = rig_committed, .context = commit,
    };
    intake_commit(&writer, &what);
}

/* Begins, writes, commits and waits. */
static inline struct rig_commit rig_put(struct rig *rig, const struct rig_message *m)
{
    struct rig_commit commit = { 0 };
    struct intake_writer *writer;
    bool resumed = false;
    struct intake_begin begin = { .home = &rig->home.home, .resume = rig_resumed,
                                  .context = &resumed, .is_report = m->is_report };
    enum err error = intake_begin(spool_intake(rig->spool), &begin, &writer);
    if (error != ERR_OK)
        return (struct rig_commit){ true, error, { 0 } };
    rig_write_body(rig, writer, m, &resumed);
    rig_commit_writer(writer, m, &commit);
    while (!commit.done)
        rig_home_run(&rig->home, true);
    return commit;
}

struct rig_done {
    bool done;
    enum err result;
};

static inline void rig_updated(void *context, enum err result)
{
    *(struct rig_done *)context = (struct rig_done){ true, result };
}

static inline enum err rig_update_many(struct rig *rig,
                                       const struct recipient_update *updates,
                                       size_t count)
{
    struct rig_done done = { 0 };
    struct spool_update update = { .updates = updates, .count = count,
                                   .home = &rig->home.home, .done = rig_updated,
                                   .context = &done };
    enum err error = spool_update(rig->spool, &update);
    if (error != ERR_OK)
        return error;
    while (!done.done)
        rig_home_run(&rig->home, true);
    return done.result;
}

static inline struct recipient_update rig_state(uint64_t id, uint32_t recipient,
                                                enum recipient_state state,
                                                uint16_t attempts)
{
    return (struct recipient_update){
        .id = { id }, .recipient = recipient, .state = state, .attempts = attempts,
        .next_due_wall_ms = 5000 + attempts, .code = 451, .status = { 4, 2, 345 },
        .reason = SLICE("try again later"),
    };
}

static inline enum err rig_update(struct rig *rig, uint64_t id, uint32_t recipient,
                                  enum recipient_state state, uint16_t attempts)
{
    struct recipient_update update = rig_state(id, recipient, state, attempts);
    return rig_update_many(rig, &update, 1);
}

/* Whether the stored message is the one that `m` says, byte for byte. */
static inline bool rig_reads_back(struct rig *rig, uint64_t id,
                                  const struct rig_message *m)
{
    struct message_view *view;
    char text[64];
    char want[3000];
    char have[3000];
    bool good = message_open(spool_source(rig->spool), (struct mail_id){ id },
                             &view) == ERR_OK;
    if (!good)
        return false;
    good = view->content_size == m->size &&
           slice_equal(view->prefix, SLICE("Received: by test\r\n")) &&
           view->received_wall_ms == 1000 + (int64_t)m->seed &&
           slice_equal(view->envelope.sender, SLICE("sender@example.test")) &&
           slice_equal(view->envelope.envid, SLICE("envid")) &&
           view->envelope.deliver_by_wall_ms ==
               (m->seed % 5 == 0 ? 7 + (int64_t)m->seed : 0) &&
           view->envelope.by_returns == (m->seed % 10 == 0) &&
           view->envelope.by_traces == (m->seed % 10 == 5) &&
           view->envelope.require_tls == (m->seed % 3 == 0) &&
           view->envelope.priority == (int)(m->seed % 19) - 9 &&
           slice_equal(view->envelope.hold_request,
                       m->seed % 2 == 0 ? SLICE("for;3600") : slice_make(NULL, 0)) &&
           view->envelope.body == MAIL_BODY_8BITMIME &&
           view->envelope.ret == DSN_RET_HEADERS && view->envelope.smtputf8 &&
           !view->envelope.content_8bit && view->envelope.is_report == m->is_report &&
           view->envelope.recipients_count == m->recipients;
    for (size_t i = 0; good && i < m->recipients; i++)
        good = slice_equal(view->envelope.recipients[i].address,
                           rig_address(m->seed, i, text)) &&
               view->envelope.recipients[i].orcpt.len == (i % 2 == 0 ? 0 : 20) &&
               view->envelope.recipients[i].notify == i % 3 &&
               view->envelope.recipients[i].forwarded == (i % 4 == 1);
    for (size_t at = 0; good && at < m->size; at += sizeof want) {
        size_t len = m->size - at < sizeof want ? m->size - at : sizeof want;
        size_t got;
        rig_fill(m->seed, at, want, len);
        good = message_read(view, at, have, sizeof have, &got) == ERR_OK && got == len &&
               memcmp(have, want, len) == 0;
    }
    message_close(&view);
    return good;
}

#endif
