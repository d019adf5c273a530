/* loop.c: the turn: wait, clock, descriptors, mailbox, timers, deferred work.
 *
 * Stands on libevent for the waiting; timers are a heap of our own so that the
 * virtual loop runs the same ones.
 */
#include "event/loop.h"

#include "base/must.h"
#include "event/loop_private.h"

#include <stdlib.h>

static void on_mail(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct loop *loop = argument;
    loop->now = moment_now();
    mailbox_run(&loop->mailbox);
}

static void on_alarm(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct loop *loop = argument;
    loop->alarm_due = 0;
}

static enum err open_base(struct loop *loop)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return ERR_MEMORY;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL)
        return ERR_IO;
    loop->alarm = event_new(loop->base, -1, 0, on_alarm, loop);
    loop->mail = event_new(loop->base, loop->mailbox.descriptor,
                           EV_READ | EV_PERSIST, on_mail, loop);
    if (loop->alarm == NULL || loop->mail == NULL || event_add(loop->mail, NULL) != 0)
        return ERR_MEMORY;
    return ERR_OK;
}

static struct loop *loop_make(struct moment now)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->now = now;
    heap_init(&loop->timers);
    list_init(&loop->deferred);
    list_init(&loop->ends);
    loop->mailbox.descriptor = -1;
    loop->scratch = malloc(LOOP_SCRATCH_BYTES);
    if (loop->scratch == NULL) {
        free(loop);
        return NULL;
    }
    return loop;
}

enum err loop_open(struct loop **out_loop)
{
    struct loop *loop = loop_make(moment_now());
    if (loop == NULL)
        return ERR_MEMORY;
    enum err error = mailbox_open(&loop->mailbox, true);
    if (error == ERR_OK)
        error = open_base(loop);
    if (error != ERR_OK) {
        loop_close(&loop);
        return error;
    }
    *out_loop = loop;
    return ERR_OK;
}

enum err loop_open_virtual(struct moment start, struct loop **out_loop)
{
    struct loop *loop = loop_make(start);
    if (loop == NULL)
        return ERR_MEMORY;
    enum err error = mailbox_open(&loop->mailbox, false);
    must(error == ERR_OK);
    *out_loop = loop;
    return ERR_OK;
}

static void run_deferred(struct loop *loop)
{
    struct list_node *node;
    while ((node = list_take(&loop->deferred)) != NULL) {
        struct deferred *d = container_of(node, struct deferred, node);
        d->run(d);
    }
}

void loop_close(struct loop **place)
{
    struct loop *loop = *place;
    if (loop == NULL)
        return;
    struct list_node *node;
    while ((node = list_take(&loop->ends)) != NULL) {
        struct loop_end *end = container_of(node, struct loop_end, node);
        end->run(end);
    }
    run_deferred(loop);
    if (loop->alarm != NULL)
        event_free(loop->alarm);
    if (loop->mail != NULL)
        event_free(loop->mail);
    if (loop->base != NULL)
        event_base_free(loop->base);
    mailbox_close(&loop->mailbox);
    heap_free(&loop->timers);
    free(loop->scratch);
    free(loop);
    *place = NULL;
}

void loop_run_timers(struct loop *loop)
{
    struct heap_entry *first;
    while ((first = heap_first(&loop->timers)) != NULL &&
           first->due <= loop->now.mono_ms)
        timer_fire(container_of(first, struct timer, entry));
}

static void set_alarm(struct loop *loop)
{
    struct heap_entry *first = heap_first(&loop->timers);
    if (first == NULL || (loop->alarm_due != 0 && loop->alarm_due <= first->due))
        return;
    int64_t wait = first->due - moment_now().mono_ms;
    wait = wait < 0 ? 0 : wait;
    struct timeval tv = { .tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000 };
    event_add(loop->alarm, &tv);
    loop->alarm_due = first->due;
}

void loop_run(struct loop *loop)
{
    must(loop->base != NULL);
    loop->stopped = false;
    run_deferred(loop);
    while (!loop->stopped) {
        set_alarm(loop);
        event_base_loop(loop->base, EVLOOP_ONCE);
        loop->now = moment_now();
        loop_run_timers(loop);
        run_deferred(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

bool loop_run_virtual(struct loop *loop, int64_t until_mono_ms)
{
    must(loop->base == NULL);
    loop->stopped = false;
    while (!loop->stopped) {
        run_deferred(loop);
        if (mailbox_run(&loop->mailbox))
            continue;
        struct heap_entry *first = heap_first(&loop->timers);
        int64_t next = first == NULL ? until_mono_ms : first->due;
        if (next > until_mono_ms)
            next = until_mono_ms;
        if (next > loop->now.mono_ms) {
            loop->now.wall_ms += next - loop->now.mono_ms;
            loop->now.mono_ms = next;
        }
        if (first == NULL || first->due > until_mono_ms)
            break;
        loop_run_timers(loop);
    }
    return heap_first(&loop->timers) != NULL;
}

struct moment loop_now(const struct loop *loop)
{
    return loop->now;
}

struct home *loop_home(struct loop *loop)
{
    return &loop->mailbox.home;
}

void loop_defer(struct loop *loop, struct deferred *deferred)
{
    if (!list_is_linked(&deferred->node))
        list_append(&loop->deferred, &deferred->node);
}

void loop_at_close(struct loop *loop, struct loop_end *end)
{
    list_append(&loop->ends, &end->node);
}

char *loop_scratch(struct loop *loop)
{
    return loop->scratch;
}
