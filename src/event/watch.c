/* watch.c: two libevent events a descriptor, the second made when first needed. */
#include "event/watch.h"

#include "event/loop_private.h"

static void on_event(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    struct watch *watch = argument;
    watch->loop->now = moment_now(); /* the loop may have waited long */
    if ((what & EV_READ) != 0)
        watch->readable(watch);
    else
        watch->writable(watch);
}

void watch_init(struct watch *watch, struct loop *loop, int fd,
                void (*readable)(struct watch *), void (*writable)(struct watch *))
{
    *watch = (struct watch){
        .loop = loop, .fd = fd, .readable = readable, .writable = writable,
    };
}

static enum err watch_set(struct watch *watch, struct event **event, short kind,
                          bool *is_on, bool wanted)
{
    if (*is_on == wanted)
        return ERR_OK;
    if (!wanted) {
        event_del(*event);
        *is_on = false;
        return ERR_OK;
    }
    if (*event == NULL) {
        *event = event_new(watch->loop->base, watch->fd, (short)(kind | EV_PERSIST),
                           on_event, watch);
        if (*event == NULL)
            return ERR_MEMORY;
    }
    if (event_add(*event, NULL) != 0)
        return ERR_IO;
    *is_on = true;
    return ERR_OK;
}

enum err watch_read(struct watch *watch, bool wanted)
{
    return watch_set(watch, &watch->read, EV_READ, &watch->reading, wanted);
}

enum err watch_write(struct watch *watch, bool wanted)
{
    return watch_set(watch, &watch->write, EV_WRITE, &watch->writing, wanted);
}

void watch_close(struct watch *watch)
{
    if (watch->read != NULL)
        event_free(watch->read);
    if (watch->write != NULL)
        event_free(watch->write);
    watch->read = watch->write = NULL;
    watch->reading = watch->writing = false;
}
