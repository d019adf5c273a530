/* watch.h: being told when a descriptor can be read or written.
 *
 * Level-triggered. The owner keeps the descriptor open while it watches and closes
 * the watch before the descriptor. ready() may close the watch.
 */
#ifndef GODWIT_EVENT_WATCH_H
#define GODWIT_EVENT_WATCH_H

#include "event/loop.h"

struct event;

struct watch {
    struct loop *loop;
    struct event *read;
    struct event *write;
    int fd;
    bool reading;
    bool writing;
    void (*readable)(struct watch *watch);
    void (*writable)(struct watch *watch);
};

/* Watches nothing yet. */
void watch_init(struct watch *watch, struct loop *loop, int fd,
                void (*readable)(struct watch *), void (*writable)(struct watch *));

/* Begins or ends being told. ERR_MEMORY or ERR_IO when it cannot begin. */
enum err watch_read(struct watch *watch, bool wanted);
enum err watch_write(struct watch *watch, bool wanted);

/* Harmless on a zeroed or closed watch. Does not close the descriptor. */
void watch_close(struct watch *watch);

#endif
