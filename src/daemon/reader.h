/* reader.h: the process that takes apart what strangers wrote for people and machines:
 * reports of others. A fault in it stops no mail; it has no files, no sockets but one, and
 * little time (HOSTILE 111, 112, 5.1).
 *
 * The engine sends a packet for each message: its number, with two descriptors, the message
 * and an empty file. When the file is written the packet comes back with "+" or "-" behind
 * the number: JSON as `godwit parse dmarc-report` and `tls-report` print it, or why not, in
 * words.
 */
#ifndef GODWIT_DAEMON_READER_H
#define GODWIT_DAEMON_READER_H

#include "config/config.h"

enum {
    READER_MESSAGE_MAX = 64 * 1024 * 1024,
    READER_SECONDS = 30,          /* for one message; then the process ends */
};

/* The process, from fork to exit; `socket` is its end of the channel. */
int reader_run(const struct config *config, int socket);

#endif
