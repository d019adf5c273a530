/* fake_server.h: a name server for tests, on a loopback UDP port of its own.
 *
 * It answers from a table given by the test: for a name in the table what stands
 * there, NODATA for other types of it, NXDOMAIN for all else. It follows CNAMEs of
 * the table as a resolver does. One thread; for test programs alone.
 */
#ifndef GODWIT_DNS_FAKE_SERVER_H
#define GODWIT_DNS_FAKE_SERVER_H

#include "base/must.h"
#include "net/address.h"
#include "wire/dns/message.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FAKE_SERVFAIL = 65281, /* any type of the name: SERVFAIL */
    FAKE_REFUSED = 65282,
    FAKE_SILENT = 65283,   /* any type of the name: no answer at all */
};

struct fake_record {
    const char *name;
    unsigned type;
    const char *data; /* "192.0.2.1", "10 mx.example", "target.example" */
};

struct fake_server {
    const struct fake_record *records; /* the last one has no name */
    int fd;
    struct net_address address;
    atomic_uint questions;
    pthread_t thread;
};

static inline void fake_append_u16(struct buffer *b, unsigned value)
{
    buffer_append_byte(b, (char)(value >> 8));
    buffer_append_byte(b, (char)value);
}

static inline void fake_append_name(struct buffer *b, struct slice name)
{
    struct slice label;
    while (slice_split(&name, '.', &label)) {
        buffer_append_byte(b, (char)label.len);
        buffer_append(b, label);
    }
    buffer_append_byte(b, 0);
}

static inline void fake_append_data(struct buffer *b, const struct fake_record *r)
{
    struct buffer data;
    buffer_init(&data, 1000);
    if (r->type == DNS_TYPE_A || r->type == DNS_TYPE_AAAA) {
        char bytes[16];
        bool is_v4 = r->type == DNS_TYPE_A;
        must(inet_pton(is_v4 ? AF_INET : AF_INET6, r->data, bytes) == 1);
        buffer_append(&data, slice_make(bytes, is_v4 ? 4 : 16));
    } else if (r->type == DNS_TYPE_MX) {
        struct slice rest = slice_from_string(r->data);
        struct slice number;
        uint64_t preference;
        must(slice_split(&rest, ' ', &number) &&
             slice_to_number(number, 65535, &preference));
        fake_append_u16(&data, (unsigned)preference);
        fake_append_name(&data, slice_equal(rest, SLICE(".")) ? SLICE("") : rest);
    } else if (r->type == DNS_TYPE_CNAME || r->type == DNS_TYPE_PTR) {
        fake_append_name(&data, slice_from_string(r->data));
    } else {
        buffer_append_byte(&data, (char)strlen(r->data));
        buffer_append_string(&data, r->data);
    }
    fake_append_u16(b, (unsigned)buffer_len(&data));
    buffer_append(b, buffer_slice(&data));
    buffer_free(&data);
}

static inline void fake_append_record(struct buffer *b, const struct fake_record *r)
{
    fake_append_name(b, slice_from_string(r->name));
    fake_append_u16(b, r->type);
    fake_append_u16(b, 1);
    fake_append_u16(b, 0);
    fake_append_u16(b, 300);
    fake_append_data(b, r);
}

/* Appends the answers, following CNAMEs; returns the rcode, or -1 to keep silent. */
static inline int fake_answer(const struct fake_server *s, struct slice name,
                              unsigned type, struct buffer *answers, unsigned *count)
{
    for (unsigned links = 0; links < 30; links++) {
        const struct fake_record *alias = NULL;
        bool exists = false;
        for (const struct fake_record *r = s->records; r->name != NULL; r++) {
            if (!slice_equal_nocase(slice_from_string(r->name), name))
                continue;
            exists = true;
            if (r->type == FAKE_SILENT)
                return -1;
            if (r->type == FAKE_SERVFAIL || r->type == FAKE_REFUSED)
                return r->type == FAKE_SERVFAIL ? 2 : 5;
            if (r->type == type || r->type == DNS_TYPE_CNAME) {
                fake_append_record(answers, r);
                (*count)++;
            }
            if (r->type == DNS_TYPE_CNAME && type != DNS_TYPE_CNAME)
                alias = r;
        }
        if (alias == NULL)
            return exists ? 0 : 3;
        name = slice_from_string(alias->data);
    }
    return 0;
}

static inline void fake_reply(struct fake_server *s, struct slice question,
                              struct buffer *out)
{
    struct cursor c = cursor_over(question);
    struct slice id;
    struct slice skipped;
    struct dns_name name;
    struct slice type;
    if (!cursor_take_part(&c, 2, &id) || !cursor_take_part(&c, 10, &skipped))
        return;
    struct cursor start = c;
    if (!dns_name_take(&c, &name) || !cursor_take_part(&c, 2, &type) ||
        !cursor_take_part(&c, 2, &skipped))
        return;
    struct slice asked = cursor_since(&c, &start);
    struct buffer answers;
    unsigned count = 0;
    buffer_init(&answers, 8192);
    unsigned type_number =
        (unsigned)((unsigned char)type.data[0] << 8 | (unsigned char)type.data[1]);
    atomic_fetch_add(&s->questions, 1);
    int rcode = fake_answer(s, dns_name_slice(&name), type_number, &answers, &count);
    if (rcode >= 0) {
        buffer_append(out, id);
        fake_append_u16(out, 0x8180u | (unsigned)rcode);
        fake_append_u16(out, 1);
        fake_append_u16(out, count);
        fake_append_u16(out, 0);
        fake_append_u16(out, 0);
        buffer_append(out, asked);
        buffer_append(out, buffer_slice(&answers));
    }
    buffer_free(&answers);
}

static inline void *fake_server_thread(void *argument)
{
    struct fake_server *s = argument;
    for (;;) {
        char packet[2048];
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        ssize_t len = recvfrom(s->fd, packet, sizeof packet, 0,
                               (struct sockaddr *)&from, &from_len);
        if (len <= 0)
            return NULL; /* an empty packet is fake_server_stop() */
        struct buffer out;
        buffer_init(&out, 9000);
        fake_reply(s, slice_make(packet, (size_t)len), &out);
        struct slice reply = buffer_slice(&out);
        if (reply.len > 0)
            (void)!sendto(s->fd, reply.data, reply.len, 0, (struct sockaddr *)&from,
                          from_len);
        buffer_free(&out);
    }
}

static inline void fake_server_start(struct fake_server *s,
                                     const struct fake_record *records)
{
    *s = (struct fake_server){ .records = records };
    must(net_address_parse(SLICE("127.0.0.1:0"), &s->address));
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(s->fd >= 0 && bind(s->fd, &s->address.any, s->address.len) == 0);
    s->address.len = sizeof s->address.storage;
    must(getsockname(s->fd, &s->address.any, &s->address.len) == 0);
    must(pthread_create(&s->thread, NULL, fake_server_thread, s) == 0);
}

static inline void fake_server_stop(struct fake_server *s)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && sendto(fd, "", 0, 0, &s->address.any, s->address.len) == 0);
    pthread_join(s->thread, NULL);
    close(fd);
    close(s->fd);
}

#endif
