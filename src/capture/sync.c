/* sync.c: one sync for all that wait. It begins when the one before has ended; who comes
 * meanwhile waits for the next. After a sync that failed nothing is promised any more. */
#include "capture/capture_private.h"

#include <unistd.h>

static void begin(struct capture *c);

static void on_run(struct work *work)
{
    struct capture *c = container_of(work, struct capture, work);
    c->synced = fdatasync(c->options.fd) == 0 ? ERR_OK : ERR_IO;
}

static void on_done(struct work *work)
{
    struct capture *c = container_of(work, struct capture, work);
    struct list_node *node;
    c->is_syncing = false;
    if (c->synced != ERR_OK)
        c->is_broken = true;
    while ((node = list_take(&c->syncing)) != NULL)
        writer_answer(container_of(node, struct capture_writer, node), c->synced);
    log_tell(c);
    if (!list_is_empty(&c->waiting))
        begin(c);
}

static void begin(struct capture *c)
{
    struct list_node *node;
    while ((node = list_take(&c->waiting)) != NULL)
        list_append(&c->syncing, node);
    c->is_syncing = true;
    c->work = (struct work){ .home = loop_home(c->options.loop), .run = on_run,
                             .done = on_done };
    if (!workers_submit(c->options.workers, &c->work)) {
        c->synced = ERR_IO;
        on_done(&c->work);
    }
}

void sync_wait(struct capture *c, struct capture_writer *w)
{
    if (c->is_broken) {
        writer_answer(w, ERR_IO);
        return;
    }
    list_append(&c->waiting, &w->node);
    if (!c->is_syncing)
        begin(c);
}
