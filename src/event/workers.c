/* workers.c: one queue, one condition, n threads. */
#include "event/workers.h"

#include "base/list.h"

#include <pthread.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct task *first;
    struct task **last;
    unsigned waiting;
    unsigned waiting_max;
    bool closing;
    unsigned thread_count;
    pthread_t threads[];
};

static void on_done(struct task *task)
{
    struct work *work = container_of(task, struct work, task);
    work->done(work);
}

static struct work *take_work(struct workers *w)
{
    struct work *work = NULL;
    pthread_mutex_lock(&w->mutex);
    while (w->first == NULL && !w->closing)
        pthread_cond_wait(&w->changed, &w->mutex);
    if (w->first != NULL) {
        work = container_of(w->first, struct work, task);
        w->first = w->first->next;
        if (w->first == NULL)
            w->last = &w->first;
        w->waiting--;
    }
    pthread_mutex_unlock(&w->mutex);
    return work;
}

static void *worker_main(void *argument)
{
    struct workers *w = argument;
    struct work *work;
    while ((work = take_work(w)) != NULL) {
        work->run(work);
        work->task.run = on_done;
        home_post(work->home, &work->task);
    }
    return NULL;
}

enum err workers_open(unsigned threads, unsigned waiting_max, struct workers **out)
{
    struct workers *w = calloc(1, sizeof *w + threads * sizeof w->threads[0]);
    if (w == NULL)
        return ERR_MEMORY;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->last = &w->first;
    w->waiting_max = waiting_max;
    for (; w->thread_count < threads; w->thread_count++) {
        if (pthread_create(&w->threads[w->thread_count], NULL, worker_main, w) != 0) {
            workers_close(&w);
            return ERR_BUSY;
        }
    }
    *out = w;
    return ERR_OK;
}

void workers_close(struct workers **workers)
{
    struct workers *w = *workers;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    w->closing = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    for (unsigned i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    *workers = NULL;
}

bool workers_submit(struct workers *w, struct work *work)
{
    pthread_mutex_lock(&w->mutex);
    bool room = w->waiting < w->waiting_max && !w->closing;
    if (room) {
        work->task.next = NULL;
        *w->last = &work->task;
        w->last = &work->task.next;
        w->waiting++;
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
    return room;
}
