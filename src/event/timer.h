/* timer.h: one call at a later time, on a loop's thread.
 *
 * Moving a timer to a later time costs nothing until the old time comes, so a
 * deadline may be pushed at every byte. Embedded in its owner, who clears it
 * before it goes.
 */
#ifndef GODWIT_EVENT_TIMER_H
#define GODWIT_EVENT_TIMER_H

#include "base/heap.h"
#include "event/loop.h"

struct timer {
    struct heap_entry entry;
    int64_t due_mono_ms; /* 0: not set */
    struct loop *loop;
    void (*run)(struct timer *timer);
};

void timer_init(struct timer *timer, struct loop *loop, void (*run)(struct timer *));

/* Runs once, `delay_ms` after the loop's now. */
void timer_set(struct timer *timer, int64_t delay_ms);
void timer_set_at(struct timer *timer, int64_t mono_ms);

/* Harmless when it is not set, or was never initialised but zeroed. */
void timer_clear(struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
    return timer->due_mono_ms != 0;
}

/* For the loop alone. */
void timer_fire(struct timer *timer);

#endif
