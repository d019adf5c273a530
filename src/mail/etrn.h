/* etrn.h: a client asks for the mail that waits for a node (ETRN, RFC 1985).
 *
 * A request belongs to the asker again when done() runs, on its home. Nothing is said of
 * whether the mail arrives: its next attempts begin now.
 */
#ifndef GODWIT_MAIL_ETRN_H
#define GODWIT_MAIL_ETRN_H

#include "base/slice.h"
#include "base/task.h"

struct etrn_request {
    struct task task;
    struct home *home;
    void (*done)(struct etrn_request *request);
    struct slice node;    /* a domain in canonical form; as long as the request */
    bool below;           /* those that lie below it as well ("@node") */
    struct etrn *etrn;    /* whom it was given to */
    size_t messages;      /* the answer: how many wait for it */
};

struct etrn {
    /* Any thread. */
    void (*start)(struct etrn *etrn, struct etrn_request *request);
};

#endif
