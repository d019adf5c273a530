/* loop_private.h: what loop.c, timer.c, watch.c and mailbox.c share. */
#ifndef GODWIT_EVENT_LOOP_PRIVATE_H
#define GODWIT_EVENT_LOOP_PRIVATE_H

#include "base/heap.h"
#include "event/loop.h"
#include "event/mailbox.h"
#include "event/timer.h"

#include <event2/event.h>

struct loop {
    struct event_base *base;   /* NULL for a virtual loop */
    struct event *alarm;       /* wakes the base for the first timer */
    int64_t alarm_due;         /* 0: not set */
    struct heap timers;
    struct list deferred;
    struct list ends;
    struct moment now;
    struct mailbox mailbox;
    struct event *mail;        /* the mailbox's descriptor */
    bool stopped;
    char *scratch;
};

/* Runs the timers that are due at loop->now. */
void loop_run_timers(struct loop *loop);

#endif
