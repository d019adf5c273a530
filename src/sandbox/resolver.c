/* resolver.c: questions over UDP, one datagram each, and over TCP, a length before each. */
#include "sandbox/resolver.h"

#include "base/list.h"
#include "event/timer.h"
#include "event/watch.h"
#include "verdict/zone.h"
#include "wire/dns/message.h"
#include "wire/dns/query.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { A_TURN = 64, CONNECTIONS_MAX = 64, IDLE_MS = 10000, RECORDS_MAX = 100, ALIASES_MAX = 8,
       ARENA_MAX = 4 * 1024 * 1024, INPUT_MAX = 2 + DNS_MESSAGE_MAX };

struct resolver {
    struct loop *loop;
    struct box *box;
    struct watch udp;
    struct watch tcp;
    struct list connections;
    size_t connections_count;
};

struct connection {
    struct resolver *resolver;
    struct list_node node;
    struct watch watch;
    struct timer idle;
    struct buffer input;
};

/* ---- what is answered ---- */

struct answering {
    const json_t *zone;
    struct arena arena;
    struct dns_told told[RECORDS_MAX];
    size_t count;
    enum dns_rcode rcode;
};

static void add(struct answering *a, struct slice owner, uint16_t type)
{
    const struct lookup_question question = { .name = owner, .type = type };
    struct lookup_answer answer;
    if (!zone_answer(a->zone, &question, &a->arena, &answer)) {
        a->rcode = DNS_SERVFAIL;
        return;
    }
    for (size_t i = 0; i < answer.records_count && a->count < RECORDS_MAX; i++)
        a->told[a->count++] = (struct dns_told){ owner, type, answer.ttl_s, answer.records[i] };
    a->rcode = answer.kind == LOOKUP_NXDOMAIN ? DNS_NXDOMAIN
               : answer.kind == LOOKUP_FAILED ? DNS_SERVFAIL : DNS_NOERROR;
}

/* Names that are another one's are told on the way. False: nobody answers. */
static bool look_up(struct answering *a, const struct dns_asked *asked)
{
    struct slice name = dns_name_slice(&asked->name), target;
    for (int i = 0; i < ALIASES_MAX && zone_alias(a->zone, name, asked->type, &target); i++) {
        add(a, name, DNS_TYPE_CNAME);
        name = target;
    }
    if (zone_is_silent(a->zone, name, asked->type))
        return false;
    add(a, name, asked->type);
    return true;
}

/* `max` 0: as much as who asks has room for. False: nothing is to be said. */
static bool answer(struct resolver *r, struct slice message, size_t max, struct buffer *out)
{
    struct dns_asked asked;
    struct answering a = { .rcode = DNS_NOERROR };
    if (!dns_asked_read(message, &asked, &a.rcode))
        return false;
    a.zone = box_zone_common(r->box);
    arena_init(&a.arena, ARENA_MAX);
    bool good = a.rcode != DNS_NOERROR || look_up(&a, &asked);
    good = good && dns_answer_append(&asked, a.rcode, a.told, a.count,
                                     max == 0 ? asked.room : max, out);
    arena_free(&a.arena);
    return good;
}

/* ---- UDP ---- */

static bool answer_datagram(struct resolver *r)
{
    char bytes[DNS_UDP_EDNS_MAX + 1];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    ssize_t got = recvfrom(r->udp.fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_len);
    struct buffer out;
    if (got < 0)
        return errno == EINTR;
    buffer_init(&out, DNS_MESSAGE_MAX);
    if (got <= DNS_UDP_EDNS_MAX && answer(r, slice_make(bytes, (size_t)got), 0, &out))
        sendto(r->udp.fd, out.memory, buffer_len(&out), MSG_NOSIGNAL, (struct sockaddr *)&from,
               from_len);
    buffer_free(&out);
    return true;
}

static void on_datagram(struct watch *watch)
{
    struct resolver *r = container_of(watch, struct resolver, udp);
    for (int i = 0; i < A_TURN && answer_datagram(r); i++)
        ;
}

/* ---- TCP ---- */

static void close_connection(struct connection *c)
{
    list_remove(&c->node);
    c->resolver->connections_count--;
    timer_clear(&c->idle);
    int fd = c->watch.fd;
    watch_close(&c->watch);
    close(fd);
    buffer_free(&c->input);
    free(c);
}

static void on_idle(struct timer *timer)
{
    close_connection(container_of(timer, struct connection, idle));
}

/* The length, then the message; whoever does not read that much is given up. */
static bool answer_framed(struct connection *c, struct slice message)
{
    struct buffer out;
    buffer_init(&out, INPUT_MAX);
    buffer_append_byte(&out, '\0');
    buffer_append_byte(&out, '\0');
    bool good = answer(c->resolver, message, DNS_MESSAGE_MAX, &out);
    if (good) {
        size_t len = buffer_len(&out) - 2;
        out.memory[0] = (char)(len >> 8);
        out.memory[1] = (char)(len & 255);
        good = send(c->watch.fd, out.memory, len + 2, MSG_NOSIGNAL) == (ssize_t)(len + 2);
    }
    buffer_free(&out);
    return good;
}

/* False: it is over. */
static bool take_messages(struct connection *c)
{
    for (;;) {
        struct slice input = buffer_slice(&c->input);
        size_t len = input.len < 2 ? 0 : (size_t)((unsigned char)input.data[0] << 8 |
                                                  (unsigned char)input.data[1]);
        if (input.len < 2 || input.len - 2 < len)
            return true;
        if (!answer_framed(c, slice_part(input, 2, len)))
            return false;
        buffer_consume(&c->input, len + 2);
    }
}

static void on_input(struct watch *watch)
{
    struct connection *c = container_of(watch, struct connection, watch);
    size_t room = INPUT_MAX - buffer_len(&c->input);
    room = room < 4096 ? room : 4096;
    char *bytes = buffer_reserve(&c->input, room);
    ssize_t got = bytes == NULL ? 0 : recv(watch->fd, bytes, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        buffer_added(&c->input, (size_t)got);
    if (got <= 0 || !take_messages(c)) {
        close_connection(c);
        return;
    }
    timer_set(&c->idle, IDLE_MS);
}

static void begin_connection(struct resolver *r, int fd)
{
    struct connection *c = r->connections_count >= CONNECTIONS_MAX ? NULL : calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return;
    }
    c->resolver = r;
    list_append(&r->connections, &c->node);
    r->connections_count++;
    buffer_init(&c->input, INPUT_MAX);
    timer_init(&c->idle, r->loop, on_idle);
    watch_init(&c->watch, r->loop, fd, on_input, NULL);
    timer_set(&c->idle, IDLE_MS);
    if (watch_read(&c->watch, true) != ERR_OK)
        close_connection(c);
}

static void on_connection(struct watch *watch)
{
    struct resolver *r = container_of(watch, struct resolver, tcp);
    for (int i = 0; i < A_TURN; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        begin_connection(r, fd);
    }
}

enum err resolver_open(struct loop *loop, struct box *box, int udp, int tcp,
                       struct resolver **out)
{
    struct resolver *r = calloc(1, sizeof *r);
    if (r == NULL)
        return ERR_MEMORY;
    r->loop = loop;
    r->box = box;
    list_init(&r->connections);
    watch_init(&r->udp, loop, udp, on_datagram, NULL);
    watch_init(&r->tcp, loop, tcp, on_connection, NULL);
    enum err error = watch_read(&r->udp, true);
    if (error == ERR_OK)
        error = watch_read(&r->tcp, true);
    if (error != ERR_OK)
        resolver_close(&r);
    *out = r;
    return error;
}

void resolver_close(struct resolver **resolver)
{
    struct resolver *r = *resolver;
    struct list_node *node;
    if (r == NULL)
        return;
    while ((node = list_first(&r->connections)) != NULL)
        close_connection(container_of(node, struct connection, node));
    watch_close(&r->udp);
    watch_close(&r->tcp);
    free(r);
    *resolver = NULL;
}
