/* listener.h: a listening socket and the loop that accepts from it.
 *
 * Sockets are bound by the supervisor, one a loop thread and address, and handed
 * down; the listener borrows its descriptor. When the process is out of descriptors
 * a reserve is given up to accept and refuse, so that clients are told and the loop
 * does not spin.
 */
#ifndef GODWIT_NET_LISTENER_H
#define GODWIT_NET_LISTENER_H

#include "base/slice.h"
#include "event/loop.h"
#include "net/address.h"

/* Binds and listens, SO_REUSEPORT when `shared`. ERR_DENIED: a port below 1024
 * without the right; ERR_EXISTS: somebody else has it; ERR_INVALID: no such address
 * here. The descriptor is non-blocking and not inherited over exec. */
enum err listener_bind(const struct net_address *address, bool shared, int *out_fd);

/* The address that a bound socket has (with port 0: the port that was chosen). */
enum err listener_address(int fd, struct net_address *out);

struct listener;

struct listener_owner {
    /* A connection, accepted, non-blocking; the owner closes the descriptor. */
    void (*accepted)(struct listener_owner *owner, int fd,
                     const struct net_address *client);
    /* What to send to one that cannot be served: a whole line. Static. */
    struct slice refusal;
};

enum err listener_open(struct loop *loop, int fd, struct listener_owner *owner,
                       struct listener **out);

/* Stops accepting; the descriptor stays as it is. NULL inside is allowed. */
void listener_close(struct listener **listener);

#endif
