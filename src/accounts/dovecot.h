/* dovecot.h: a password checked by Dovecot, over its authentication socket.
 *
 * Dovecot's auth protocol for clients, version 1.2 (its "auth-client" sockets): lines of
 * fields parted by tabs. Each check has a connection of its own on the session's loop, so
 * that nothing waits for another; a Dovecot that is silent for 30 s is a fault of ours.
 */
#ifndef GODWIT_ACCOUNTS_DOVECOT_H
#define GODWIT_ACCOUNTS_DOVECOT_H

#include "base/buffer.h"
#include "event/loop.h"
#include "net/address.h"

struct dovecot;

enum dovecot_verdict {
    DOVECOT_NOTHING,   /* not about us, or not yet */
    DOVECOT_GRANTED,
    DOVECOT_REFUSED,
    DOVECOT_FAULT,     /* a temporary failure, or another protocol */
};

/* Borrowed for the call, but loop, done and context. */
struct dovecot_request {
    struct loop *loop;
    struct slice path;                 /* of the socket */
    struct slice name;
    struct slice password;
    const struct net_address *client;  /* or NULL */
    bool is_secured;
    /* Once, never from inside dovecot_ask(); `user` is who it is, when granted; refused,
     * whom the name was taken for, or empty. */
    void (*done)(void *context, enum dovecot_verdict verdict, struct slice user);
    void *context;
};

/* NULL: no memory or descriptor, or the path is none. */
struct dovecot *dovecot_ask(const struct dovecot_request *request);

/* done() does not follow. NULL inside is allowed. */
void dovecot_cancel(struct dovecot **dovecot);

/* What a line of Dovecot, without its LF, says of request 1; appends the user. Pure. */
enum dovecot_verdict dovecot_read_line(struct slice line, struct buffer *user);

/* The request as Dovecot reads it; the password is in it. False when it is too long. */
bool dovecot_write_request(const struct dovecot_request *request, uint32_t client_id,
                           struct buffer *out);

#endif
