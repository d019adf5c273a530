/* capture.h: the intake of a sandbox: a log of sessions and of the messages in them.
 *
 * One process appends, another one reads (capture/read.h); both have the file open, and an
 * eventfd tells the reader that there is more. Octets are kept as they came, bare line ends
 * included, and nothing is put before them: the envelope, the trace field and the dialogue
 * stand apart.
 *
 * Without `is_durable` a message is answered when it is in the file. With it, when that is
 * synced; all that wait share a sync. One loop's thread.
 */
#ifndef GODWIT_CAPTURE_CAPTURE_H
#define GODWIT_CAPTURE_CAPTURE_H

#include "event/loop.h"
#include "event/workers.h"
#include "mail/event.h"
#include "mail/gate.h"
#include "mail/intake.h"

struct capture;

struct capture_options {
    struct loop *loop;
    struct workers *workers;   /* only with is_durable */
    int fd;                    /* the log, for reading and writing; borrowed */
    int told;                  /* an eventfd, borrowed; -1: nobody reads */
    bool is_durable;
    uint64_t bytes_max;        /* that the log may have on the disk: more is refused (452) */
};

/* What a predecessor left half written at its end is cut off. ERR_IO, ERR_MEMORY. */
enum err capture_open(const struct capture_options *options, struct capture **out);

/* When no session is left. NULL inside is allowed. */
void capture_close(struct capture **capture);

struct intake *capture_intake(struct capture *capture);

/* Lines of dialogues, and sessions that begin and end. */
struct line_sink *capture_lines(struct capture *capture);
struct event_sink *capture_events(struct capture *capture);

/* Notes who a message came from, as it ends: the last of the gates. */
struct gate *capture_gate(struct capture *capture);

/* A note of whoever scripts faults, for the reader: which of them was met (index and id of the
 * session). */
void capture_note_fault(struct capture *capture, uint64_t session_id, struct slice fault);

#endif
