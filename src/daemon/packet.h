/* packet.h: a few words and descriptors over a socket between our own processes
 * (SOCK_SEQPACKET: a packet comes whole, or not at all). */
#ifndef GODWIT_DAEMON_PACKET_H
#define GODWIT_DAEMON_PACKET_H

#include "base/slice.h"

#include <sys/types.h>

enum { PACKET_FDS_MAX = 200 }; /* the kernel takes 253 at once */

/* Without waiting. False: it did not leave. */
bool packet_send(int socket, struct slice words, const int *fds, size_t count);

/* Its length, 0 at the end, or -1 with errno. The descriptors, at most `most`, are the
 * caller's to close; others that came are closed. */
struct packet {
    char *words;
    size_t size;      /* of the room there */
    int *fds;
    size_t most;
    size_t count;     /* out */
};
ssize_t packet_receive(int socket, int flags, struct packet *packet);

#endif
