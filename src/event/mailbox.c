/* mailbox.c: a stack that senders push to and the receiver turns round. */
#include "event/mailbox.h"

#include "base/list.h"
#include "base/must.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct task *reversed(struct task *first)
{
    struct task *turned = NULL;
    while (first != NULL) {
        struct task *next = first->next;
        first->next = turned;
        turned = first;
        first = next;
    }
    return turned;
}

static void mailbox_post(struct home *home, struct task *first, struct task *last)
{
    struct mailbox *mailbox = container_of(home, struct mailbox, home);
    last->next = NULL;
    struct task *oldest = first;
    struct task *newest = reversed(first);
    struct task *before = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do
        oldest->next = before;
    while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &before, newest,
                                                  memory_order_release,
                                                  memory_order_relaxed));
    if (before != NULL || mailbox->descriptor < 0)
        return;
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(mailbox->descriptor, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    must(written == (ssize_t)sizeof one || errno == EAGAIN);
}

enum err mailbox_open(struct mailbox *mailbox, bool with_descriptor)
{
    mailbox->home.post = mailbox_post;
    atomic_init(&mailbox->newest, NULL);
    mailbox->descriptor = -1;
    if (!with_descriptor)
        return ERR_OK;
    mailbox->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return mailbox->descriptor < 0 ? err_from_errno(errno) : ERR_OK;
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox->descriptor >= 0)
        close(mailbox->descriptor);
    mailbox->descriptor = -1;
}

bool mailbox_run(struct mailbox *mailbox)
{
    if (mailbox->descriptor >= 0) {
        uint64_t count;
        ssize_t got;
        do
            got = read(mailbox->descriptor, &count, sizeof count);
        while (got < 0 && errno == EINTR);
    }
    struct task *task = reversed(
        atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire));
    bool any = task != NULL;
    while (task != NULL) {
        struct task *next = task->next;
        task->next = NULL;
        task->run(task);
        task = next;
    }
    return any;
}

bool mailbox_wait(struct mailbox *mailbox, int wait_ms)
{
    must(mailbox->descriptor >= 0);
    struct pollfd poll_for = { .fd = mailbox->descriptor, .events = POLLIN };
    poll(&poll_for, 1, wait_ms);
    return mailbox_run(mailbox);
}
