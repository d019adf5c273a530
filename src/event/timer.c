/* timer.c: timers that are pushed lazily: the heap keeps the earlier time. */
#include "event/timer.h"

#include "base/must.h"
#include "event/loop_private.h"

void timer_init(struct timer *timer, struct loop *loop, void (*run)(struct timer *))
{
    *timer = (struct timer){ .loop = loop, .run = run };
}

void timer_set_at(struct timer *timer, int64_t mono_ms)
{
    must(timer->loop != NULL);
    timer->due_mono_ms = mono_ms <= 0 ? 1 : mono_ms;
    if (timer->entry.place != 0 && timer->entry.due <= timer->due_mono_ms)
        return;
    must(heap_set(&timer->loop->timers, &timer->entry, timer->due_mono_ms));
}

void timer_set(struct timer *timer, int64_t delay_ms)
{
    timer_set_at(timer, loop_now(timer->loop).mono_ms + delay_ms);
}

void timer_clear(struct timer *timer)
{
    timer->due_mono_ms = 0;
    if (timer->loop != NULL)
        heap_remove(&timer->loop->timers, &timer->entry);
}

void timer_fire(struct timer *timer)
{
    struct loop *loop = timer->loop;
    if (timer->due_mono_ms > loop->now.mono_ms) {
        heap_set(&loop->timers, &timer->entry, timer->due_mono_ms);
        return;
    }
    heap_remove(&loop->timers, &timer->entry);
    timer->due_mono_ms = 0;
    timer->run(timer);
}
