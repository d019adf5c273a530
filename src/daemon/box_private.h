/* box_private.h: what the sandbox's processes have in common. */
#ifndef GODWIT_DAEMON_BOX_PRIVATE_H
#define GODWIT_DAEMON_BOX_PRIVATE_H

#include "daemon/box.h"
#include "daemon/daemon_private.h"

struct box_shared {
    const struct box_serve *options;
    const struct config *config;
    struct sockets sockets;      /* of SMTP */
    int http;                    /* a listening socket */
    int dns_tcp;                 /* likewise, of the test DNS; -1: none */
    int dns_udp;
    int log;                     /* the capture log */
    int told;                    /* an eventfd: there is more in it */
    struct sockets queue;        /* where the queue takes what is released; none: listeners 0 */
    char queue_address[64];      /* "127.0.0.1:4711" */
    int channel[2];              /* a socket between the two: what the first is to do */
    uint8_t secret[32];          /* of accounts that are made up */
    int64_t *trying;             /* box.h; shared by all processes */
    char *folder;
    bool is_kept;                /* the folder outlives us */
};

/* From fork to exit. */
int box_engine_run(struct box_shared *shared);
int box_content_run(struct box_shared *shared);
/* box_queue.c: the MTA itself, as its own supervisor: what is released goes through its queue. */
int box_queue_run(struct box_shared *shared);
/* Whether there is to be one; and its port, bound. An exit code. */
bool box_has_queue(const struct box_serve *options);
int box_queue_bind(struct box_shared *shared);

/* box.c: gives up, for good, what a process of the sandbox does not need: system calls and
 * files (sandbox.h). Before it has a second thread. An exit code. */
int box_harden(const struct box_shared *shared);

/* box_folder.c: where everything is kept, locked; and a folder of ours given up. An exit code. */
int box_folder_open(struct box_shared *shared);
void box_folder_close(struct box_shared *shared);

#endif
