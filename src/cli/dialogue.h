/* dialogue.h: one message to one server, over a blocking socket with deadlines.
 *
 * The engine is smtp/client; this moves its bytes. Texts of failures are words for
 * people, from us.
 */
#ifndef GODWIT_CLI_DIALOGUE_H
#define GODWIT_CLI_DIALOGUE_H

#include "cli/transcript.h"
#include "smtp/client/client.h"

enum { DIALOGUE_CONNECT_MS = 30 * 1000 };

/* Connects to "host:port", "[::1]:port" or a socket's path; every address of a name is
 * tried in turn. ERR_INVALID: it is none of these; ERR_ABSENT: no such name; else
 * nobody took the connection: ERR_CLOSED or ERR_TIMEOUT. `why` gets the reason in
 * words. `transcript`, which may be NULL, is told what is tried. */
enum err dialogue_connect(struct slice server, struct transcript *transcript,
                          struct buffer *why, int *out_fd);

struct dialogue {
    struct slice helo;
    uint32_t wait_ms;              /* for each step; 0: as long as RFC 5321 says */
    struct transcript *transcript; /* or NULL */
};

/* Sends the transaction over the connection, says QUIT, and closes it. The answers
 * stand in the transaction, as the engine leaves them. ERR_INVALID: a helo that cannot
 * be sent; ERR_MEMORY; otherwise ERR_OK, whatever became of the message. */
enum err dialogue_run(int fd, const struct dialogue *dialogue,
                      struct smtp_client_transaction *transaction);

/* Content in memory, for a transaction. */
struct dialogue_content {
    struct smtp_client_content base;
    struct slice bytes;
};
void dialogue_content_init(struct dialogue_content *content, struct slice bytes);

#endif
