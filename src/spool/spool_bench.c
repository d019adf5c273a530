/* spool_bench.c: what a durable message costs, and how fast they come.
 *
 *   spool-bench FOLDER [messages [sessions [body-bytes [threads [end]]]]]
 *
 * Sessions are writers kept busy on a few threads, each with one message at a time,
 * as SMTP sessions on the loop threads are. With `end` each message is also ended by
 * an update. Prints the rate and the CPU of the whole process a message.
 */
#include "base/must.h"
#include "base/list.h"
#include "spool/spool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { SESSIONS_MAX = 1000, THREADS_MAX = 16, BODY_MAX = 50 * 1024 * 1024 };

struct post {
    struct home home;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct task *first;
    struct task **last;
};

struct worker {
    struct post post;
    pthread_t thread;
    size_t sessions;
    size_t active;
};

struct session {
    struct worker *worker;
    struct intake_writer *writer;
    size_t written;
};

struct bench {
    struct spool *spool;
    struct spool_sink sink;
    struct post queue;
    size_t body_len;
    char *body;
    bool ends;
    atomic_long left;
    atomic_long running;
};

static struct bench bench;

static void post_many(struct home *home, struct task *first, struct task *last)
{
    struct post *p = container_of(home, struct post, home);
    last->next = NULL;
    pthread_mutex_lock(&p->mutex);
    *p->last = first;
    p->last = &last->next;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

static void post_init(struct post *p)
{
    *p = (struct post){ .home.post = post_many };
    p->last = &p->first;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
}

static void post_run(struct post *p)
{
    pthread_mutex_lock(&p->mutex);
    while (p->first == NULL)
        pthread_cond_wait(&p->wake, &p->mutex);
    struct task *task = p->first;
    p->first = NULL;
    p->last = &p->first;
    pthread_mutex_unlock(&p->mutex);
    while (task != NULL) {
        struct task *next = task->next;
        task->run(task);
        task = next;
    }
}

static void session_write(void *context);

static void session_begin(struct session *s)
{
    struct intake_begin begin = { .home = &s->worker->post.home,
                                  .resume = session_write, .context = s };
    if (atomic_fetch_sub(&bench.left, 1) <= 0) {
        s->worker->active--;
        return;
    }
    s->written = 0;
    must(intake_begin(spool_intake(bench.spool), &begin, &s->writer) == ERR_OK);
    session_write(s);
}

static void session_done(void *context, enum err result, struct mail_id id)
{
    (void)id;
    must(result == ERR_OK);
    session_begin(context);
}

static void session_write(void *context)
{
    struct session *s = context;
    while (s->written < bench.body_len) {
        size_t len = bench.body_len - s->written < 8192 ? bench.body_len - s->written
                                                        : 8192;
        enum intake_flow flow = intake_write(s->writer,
                                             slice_make(bench.body + s->written, len));
        s->written += len;
        if (flow == INTAKE_WAIT)
            return;
        must(flow == INTAKE_MORE);
    }
    struct envelope_recipient recipient = { .address = SLICE("user@example.test") };
    struct envelope envelope = { .sender = SLICE("sender@example.org"),
                                 .recipients = &recipient, .recipients_count = 1 };
    struct intake_commit commit = {
        .prefix = SLICE("Received: from client.example.org ([192.0.2.1])\r\n"
                        "\tby mx.example.test with ESMTP id 0000000000000;\r\n"
                        "\tSun, 22 Nov 2026 05:00:00 +0000\r\n"),
        .envelope = &envelope, .received_wall_ms = 1, .done = session_done,
        .context = s,
    };
    intake_commit(&s->writer, &commit);
}

static void *run_worker(void *argument)
{
    struct worker *w = argument;
    struct session *sessions = calloc(w->sessions, sizeof *sessions);
    must(sessions != NULL);
    w->active = w->sessions;
    for (size_t i = 0; i < w->sessions; i++) {
        sessions[i].worker = w;
        session_begin(&sessions[i]);
    }
    while (w->active > 0)
        post_run(&w->post);
    free(sessions);
    return NULL;
}

static void ended(void *context, enum err result)
{
    (void)context;
    must(result == ERR_OK);
    atomic_fetch_sub(&bench.running, 1);
}

static void arrived(struct spool_sink *sink, struct spool_arrival *arrival)
{
    (void)sink;
    if (bench.ends) {
        struct recipient_update update = { .id = arrival->id,
                                           .state = RECIPIENT_RELAYED, .attempts = 1,
                                           .code = 250, .status = { 2, 0, 0 },
                                           .reason = SLICE("ok") };
        struct spool_update batch = { .updates = &update, .count = 1,
                                      .home = &bench.queue.home, .done = ended };
        must(spool_update(bench.spool, &batch) == ERR_OK);
    } else {
        atomic_fetch_sub(&bench.running, 1);
    }
    spool_arrival_free(arrival);
}

static void *run_queue(void *argument)
{
    (void)argument;
    while (atomic_load(&bench.running) > 0)
        post_run(&bench.queue);
    return NULL;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t number(int count, char **arguments, int at, uint64_t standard,
                       uint64_t max)
{
    uint64_t value;
    if (at >= count ||
        !slice_to_number(slice_from_string(arguments[at]), max, &value))
        return standard;
    return value;
}

static void discovered(struct spool_sink *sink, struct spool_arrival *arrival)
{
    (void)sink;
    spool_arrival_free(arrival);
}

static void run(uint64_t messages, size_t sessions, size_t threads)
{
    struct worker workers[THREADS_MAX] = { 0 };
    pthread_t queue;
    double cpu = cpu_seconds();
    double start = seconds();
    atomic_store(&bench.left, (long)messages);
    atomic_store(&bench.running, (long)messages);
    must(pthread_create(&queue, NULL, run_queue, NULL) == 0);
    for (size_t i = 0; i < threads; i++) {
        workers[i].sessions = sessions / threads;
        post_init(&workers[i].post);
        must(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0);
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_join(queue, NULL);
    double took = seconds() - start;
    double used = cpu_seconds() - cpu;
    struct spool_stats stats = spool_stats(bench.spool);
    printf("%zu bytes, %zu sessions, %zu threads: %.0f messages/s, %.2f us CPU each; "
           "%.1f a sync, %lu checkpoints, %lu moved\n", bench.body_len, sessions,
           threads, (double)messages / took, used * 1e6 / (double)messages,
           (double)messages / (double)stats.syncs, (unsigned long)stats.checkpoints,
           (unsigned long)stats.moved);
}

int main(int count, char **arguments)
{
    struct spool_fs *fs;
    struct spool_options options = { 0 };
    if (count < 2) {
        puts("spool-bench FOLDER [messages [sessions [bytes [threads [end]]]]]");
        return 2;
    }
    uint64_t messages = number(count, arguments, 2, 100000, 100000000);
    size_t sessions = number(count, arguments, 3, 100, SESSIONS_MAX);
    bench.body_len = number(count, arguments, 4, 4096, BODY_MAX);
    size_t threads = number(count, arguments, 5, 2, THREADS_MAX);
    bench.ends = count > 6;
    bench.body = malloc(bench.body_len + 1);
    must(bench.body != NULL && threads > 0);
    memset(bench.body, 'x', bench.body_len);
    post_init(&bench.queue);
    bench.sink = (struct spool_sink){ .home = &bench.queue.home,
                                      .arrived = discovered };
    if (spool_fs_posix_open(arguments[1], &fs) != ERR_OK)
        return 1;
    options.fs = fs;
    options.sink = &bench.sink;
    double start = seconds();
    must(spool_open(&options, &bench.spool) == ERR_OK);
    printf("open: %.3f s, %lu messages\n", seconds() - start,
           (unsigned long)spool_stats(bench.spool).messages);
    bench.sink.arrived = arrived;
    if (messages > 0)
        run(messages, sessions, threads);
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    start = seconds();
    spool_close(&bench.spool);
    printf("close: %.3f s, at most %ld MiB resident\n", seconds() - start,
           u.ru_maxrss / 1024);
    spool_fs_posix_close(&fs);
    free(bench.body);
    return 0;
}
