/* fake_peer.h: a next hop for tests, on a loopback port or a Unix socket of its own.
 *
 * It takes mail and keeps it; rules given by the test say where it answers otherwise,
 * closes, or stays silent. One thread serves all connections; what it kept is read
 * through fake_peer_copy(). For test programs alone.
 */
#ifndef GODWIT_DELIVERY_FAKE_PEER_H
#define GODWIT_DELIVERY_FAKE_PEER_H

#include "base/buffer.h"
#include "base/must.h"
#include "net/address.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FAKE_CLOSE "!close"   /* closes instead of answering */
#define FAKE_SILENT_REPLY "!" /* says nothing */

/* The first rule whose prefix the line has and that is not used up gives the reply.
 * "connect" is a new connection, "." the end of data (of LMTP once a recipient). */
struct fake_rule {
    const char *prefix;
    const char *reply;
    unsigned times; /* 0: always */
};

enum { FAKE_CONNECTIONS = 16, FAKE_RULES = 16 };

struct fake_connection {
    int fd;
    struct buffer in;
    bool in_data;
    uint64_t chunk_left;  /* of BDAT */
    bool in_chunk;
    unsigned accepted;
    struct buffer envelope;
    struct buffer content;
};

struct fake_peer {
    struct fake_rule rules[FAKE_RULES];
    unsigned used[FAKE_RULES];
    const char *offers;   /* lines of the reply to EHLO behind the first */
    bool is_lmtp;
    int fd;
    int stop;
    struct net_address address;
    pthread_t thread;
    pthread_mutex_t lock;
    struct buffer kept;   /* "from>to>to\ncontent\n" for each message */
    atomic_uint connections;
    atomic_uint messages;
    atomic_uint quits;
    struct fake_connection at[FAKE_CONNECTIONS];
};

static inline const char *fake_rule_reply(struct fake_peer *p, struct slice line,
                                          const char *otherwise)
{
    for (size_t i = 0; i < FAKE_RULES && p->rules[i].prefix != NULL; i++) {
        struct fake_rule *r = &p->rules[i];
        if (!slice_starts_with_nocase(line, slice_from_string(r->prefix)) ||
            (r->times != 0 && p->used[i] >= r->times))
            continue;
        p->used[i]++;
        return r->reply;
    }
    return otherwise;
}

static inline void fake_hang_up(struct fake_connection *c)
{
    close(c->fd);
    c->fd = -1;
    buffer_free(&c->in);
    buffer_free(&c->envelope);
    buffer_free(&c->content);
}

static inline bool fake_say(struct fake_connection *c, const char *reply)
{
    if (strcmp(reply, FAKE_CLOSE) == 0) {
        fake_hang_up(c);
        return false;
    }
    if (strcmp(reply, FAKE_SILENT_REPLY) == 0)
        return true;
    struct iovec parts[] = {
        { .iov_base = (char *)(uintptr_t)reply, .iov_len = strlen(reply) },
        { .iov_base = (char *)(uintptr_t) "\r\n", .iov_len = 2 },
    };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    if (sendmsg(c->fd, &message, MSG_NOSIGNAL) != (ssize_t)parts[0].iov_len + 2) {
        fake_hang_up(c);
        return false;
    }
    return true;
}

static inline void fake_keep(struct fake_peer *p, struct fake_connection *c)
{
    pthread_mutex_lock(&p->lock);
    buffer_append(&p->kept, buffer_slice(&c->envelope));
    buffer_append_byte(&p->kept, '\n');
    buffer_append(&p->kept, buffer_slice(&c->content));
    buffer_append_byte(&p->kept, '\n');
    pthread_mutex_unlock(&p->lock);
    atomic_fetch_add(&p->messages, 1);
}

static inline bool fake_end(struct fake_peer *p, struct fake_connection *c)
{
    unsigned replies = p->is_lmtp ? c->accepted : 1;
    bool kept = false;
    for (unsigned i = 0; i < replies; i++) {
        const char *reply = fake_rule_reply(p, SLICE("."), "250 2.0.0 kept");
        if (reply[0] == '2' && !kept) {
            kept = true;
            fake_keep(p, c);
        }
        if (!fake_say(c, reply))
            return false;
    }
    c->accepted = 0;
    buffer_clear(&c->envelope);
    buffer_clear(&c->content);
    return true;
}

static inline void fake_note_path(struct fake_connection *c, struct slice line)
{
    size_t from = slice_find(line, '<');
    size_t to = slice_find(line, '>');
    if (from != SLICE_NOT_FOUND && to != SLICE_NOT_FOUND)
        buffer_append(&c->envelope, slice_part(line, from + 1, to - from));
}

static inline bool fake_greet(struct fake_peer *p, struct fake_connection *c,
                              struct slice line)
{
    struct buffer reply;
    const char *ruled = fake_rule_reply(p, line, NULL);
    if (ruled != NULL)
        return fake_say(c, ruled);
    buffer_init(&reply, 1000);
    buffer_append_string(&reply, "250-peer\r\n");
    buffer_append_string(&reply, p->offers);
    buffer_append_string(&reply, "250 HELP");
    buffer_append_byte(&reply, '\0');
    bool said = fake_say(c, buffer_slice(&reply).data);
    buffer_free(&reply);
    return said;
}

static inline bool fake_command(struct fake_peer *p, struct fake_connection *c,
                                struct slice line)
{
    if (slice_starts_with_nocase(line, SLICE("EHLO")) ||
        slice_starts_with_nocase(line, SLICE("LHLO")))
        return fake_greet(p, c, line);
    if (slice_starts_with_nocase(line, SLICE("BDAT "))) {
        struct slice rest = slice_from(line, 5);
        struct slice size;
        must(slice_split(&rest, ' ', &size) &&
             slice_to_number(size, UINT32_MAX, &c->chunk_left));
        c->in_chunk = true;
        return true;
    }
    bool is_data = slice_starts_with_nocase(line, SLICE("DATA"));
    if (slice_starts_with_nocase(line, SLICE("MAIL")) ||
        slice_starts_with_nocase(line, SLICE("RSET"))) {
        buffer_clear(&c->envelope);
        c->accepted = 0;
    }
    bool is_quit = slice_starts_with_nocase(line, SLICE("QUIT"));
    if (is_quit)
        atomic_fetch_add(&p->quits, 1);
    const char *reply =
        fake_rule_reply(p, line, is_data ? "354 go" : is_quit ? "221 bye" : "250 ok");
    if (reply[0] == '2')
        fake_note_path(c, line);
    if (reply[0] == '2' && slice_starts_with_nocase(line, SLICE("RCPT")))
        c->accepted++;
    c->in_data = is_data && reply[0] == '3';
    return fake_say(c, reply) && !is_quit;
}

/* Takes one line, or a piece of a chunk; false when there is no more to take. */
static inline bool fake_take(struct fake_peer *p, struct fake_connection *c)
{
    struct slice in = buffer_slice(&c->in);
    if (c->in_chunk) {
        struct slice part = slice_part(in, 0, (size_t)c->chunk_left);
        buffer_append(&c->content, part);
        c->chunk_left -= part.len;
        buffer_consume(&c->in, part.len);
        if (c->chunk_left > 0)
            return false;
        c->in_chunk = false;
        return fake_end(p, c);
    }
    size_t newline = slice_find(in, '\n');
    if (newline == SLICE_NOT_FOUND)
        return false;
    struct slice line = slice_part(in, 0, newline + 1);
    must(line.len >= 2 && line.data[line.len - 2] == '\r');
    bool goes_on = true;
    if (!c->in_data) {
        goes_on = fake_command(p, c, slice_part(line, 0, line.len - 2));
    } else if (slice_equal(line, SLICE(".\r\n"))) {
        c->in_data = false;
        goes_on = fake_end(p, c);
    } else {
        buffer_append(&c->content, slice_from(line, line.data[0] == '.' ? 1 : 0));
    }
    if (goes_on)
        buffer_consume(&c->in, line.len);
    else if (c->fd >= 0)
        fake_hang_up(c);
    return goes_on;
}

static inline void fake_readable(struct fake_peer *p, struct fake_connection *c)
{
    char *room = buffer_reserve(&c->in, 65536);
    must(room != NULL);
    ssize_t got = recv(c->fd, room, 65536, 0);
    if (got <= 0) {
        fake_hang_up(c);
        return;
    }
    buffer_added(&c->in, (size_t)got);
    while (c->fd >= 0 && fake_take(p, c))
        ;
}

static inline void fake_accept(struct fake_peer *p)
{
    int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
    must(fd >= 0);
    atomic_fetch_add(&p->connections, 1);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++) {
        struct fake_connection *c = &p->at[i];
        if (c->fd >= 0)
            continue;
        *c = (struct fake_connection){ .fd = fd };
        buffer_init(&c->in, 4 * 1024 * 1024);
        buffer_init(&c->envelope, 65536);
        buffer_init(&c->content, 4 * 1024 * 1024);
        fake_say(c, fake_rule_reply(p, SLICE("connect"), "220 peer"));
        return;
    }
    close(fd);
}

static inline void *fake_peer_thread(void *argument)
{
    struct fake_peer *p = argument;
    for (;;) {
        struct pollfd polls[FAKE_CONNECTIONS + 2] = {
            { .fd = p->stop, .events = POLLIN }, { .fd = p->fd, .events = POLLIN },
        };
        for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
            polls[i + 2] = (struct pollfd){ .fd = p->at[i].fd, .events = POLLIN };
        must(poll(polls, FAKE_CONNECTIONS + 2, -1) > 0 || errno == EINTR);
        if (polls[0].revents != 0)
            return NULL;
        for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
            if (polls[i + 2].revents != 0)
                fake_readable(p, &p->at[i]);
        if (polls[1].revents != 0)
            fake_accept(p);
    }
}

/* `path` is a Unix socket's, or NULL for a port of 127.0.0.1. */
static inline void fake_peer_start(struct fake_peer *p, const char *offers,
                                   const char *path, const struct fake_rule *rules)
{
    *p = (struct fake_peer){ .offers = offers };
    for (size_t i = 0; rules != NULL && rules[i].prefix != NULL; i++)
        p->rules[i] = rules[i];
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        p->at[i].fd = -1;
    must(net_address_parse(slice_from_string(path == NULL ? "127.0.0.1:0" : path),
                           &p->address));
    p->fd = socket(p->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(p->fd >= 0 && bind(p->fd, &p->address.any, p->address.len) == 0 &&
         listen(p->fd, 64) == 0);
    if (path == NULL) {
        p->address.len = sizeof p->address.storage;
        must(getsockname(p->fd, &p->address.any, &p->address.len) == 0);
    }
    p->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&p->lock, NULL);
    buffer_init(&p->kept, 16 * 1024 * 1024);
    must(pthread_create(&p->thread, NULL, fake_peer_thread, p) == 0);
}

static inline void fake_peer_stop(struct fake_peer *p)
{
    uint64_t one = 1;
    must(write(p->stop, &one, sizeof one) == (ssize_t)sizeof one);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        if (p->at[i].fd >= 0)
            fake_hang_up(&p->at[i]);
    close(p->fd);
    close(p->stop);
    buffer_free(&p->kept);
    pthread_mutex_destroy(&p->lock);
}

/* What it kept so far, terminated; to be freed. */
static inline char *fake_peer_copy(struct fake_peer *p)
{
    pthread_mutex_lock(&p->lock);
    char *copy = slice_to_string(buffer_slice(&p->kept));
    pthread_mutex_unlock(&p->lock);
    must(copy != NULL);
    return copy;
}

#endif
