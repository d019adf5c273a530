/* listener.c: bind, accept, and refuse politely when descriptors run out. */
#include "net/listener.h"

#include "event/timer.h"
#include "event/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64, BACKLOG = 4096, STARVED_PAUSE_MS = 100 };

struct listener {
    struct watch watch;
    struct timer pause;
    struct listener_owner *owner;
    int reserve;
};

static enum err bind_error(int number)
{
    if (number == EADDRINUSE)
        return ERR_EXISTS;
    return number == EADDRNOTAVAIL ? ERR_INVALID : err_from_errno(number);
}

static bool set_flag(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

enum err listener_bind(const struct net_address *address, bool shared, int *out_fd)
{
    int family = address->any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_from_errno(errno);
    bool ready = family == AF_UNIX || set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (shared && family != AF_UNIX)
        ready = ready && set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (family != AF_UNIX) /* those that it accepts inherit it */
        ready = ready && set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (family == AF_INET6)
        ready = ready && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY,
                                  !IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr));
    if (!ready || bind(fd, &address->any, address->len) != 0 ||
        listen(fd, BACKLOG) != 0) {
        enum err error = bind_error(errno);
        close(fd);
        return error;
    }
    *out_fd = fd;
    return ERR_OK;
}

enum err listener_address(int fd, struct net_address *out)
{
    struct net_address a = { .len = sizeof a.storage };
    if (getsockname(fd, &a.any, &a.len) != 0)
        return err_from_errno(errno);
    *out = a;
    return ERR_OK;
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: the reserve makes room for one accept, which is told. 0, or why
 * not: EAGAIN when nobody waits, EMFILE when another thread was quicker. */
static int refuse_one(struct listener *l)
{
    if (l->reserve >= 0)
        close(l->reserve);
    int fd = accept4(l->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int number = fd >= 0 ? 0 : errno;
    if (fd >= 0) {
        ssize_t ignored = send(fd, l->owner->refusal.data, l->owner->refusal.len,
                               MSG_NOSIGNAL);
        (void)ignored;
        close(fd);
    }
    l->reserve = open_reserve();
    return number;
}

static void on_pause_over(struct timer *timer)
{
    struct listener *l = container_of(timer, struct listener, pause);
    watch_read(&l->watch, true);
}

static bool accept_failed(struct listener *l, int number)
{
    if (number == EMFILE || number == ENFILE)
        number = refuse_one(l);
    bool starved = number == EMFILE || number == ENFILE || number == ENOBUFS ||
                   number == ENOMEM;
    if (starved) { /* the one who waits would wake us again and again */
        watch_read(&l->watch, false);
        timer_set(&l->pause, STARVED_PAUSE_MS);
        return false;
    }
    return number == 0 || number == EINTR || number == ECONNABORTED || number == EPROTO;
}

static void on_acceptable(struct watch *watch)
{
    struct listener *l = container_of(watch, struct listener, watch);
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct net_address client = { .len = sizeof client.storage };
        int fd = accept4(watch->fd, &client.any, &client.len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (!accept_failed(l, errno))
                return;
            continue;
        }
        net_address_unmap(&client);
        l->owner->accepted(l->owner, fd, &client);
    }
}

enum err listener_open(struct loop *loop, int fd, struct listener_owner *owner,
                       struct listener **out)
{
    struct listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR_MEMORY;
    l->owner = owner;
    l->reserve = open_reserve();
    watch_init(&l->watch, loop, fd, on_acceptable, NULL);
    timer_init(&l->pause, loop, on_pause_over);
    enum err error = watch_read(&l->watch, true);
    if (error != ERR_OK) {
        listener_close(&l);
        return error;
    }
    *out = l;
    return ERR_OK;
}

void listener_close(struct listener **listener)
{
    struct listener *l = *listener;
    if (l == NULL)
        return;
    watch_close(&l->watch);
    timer_clear(&l->pause);
    if (l->reserve >= 0)
        close(l->reserve);
    free(l);
    *listener = NULL;
}
