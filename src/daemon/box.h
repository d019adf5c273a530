/* box.h: the sandbox: mail is taken in, kept apart, shown, and never sent on.
 *
 * Two processes under a small one that starts them again: one speaks SMTP and appends to the
 * capture log; the other reads that log, takes apart what strangers wrote, and answers HTTP. A
 * fault in the second stops no mail.
 */
#ifndef GODWIT_DAEMON_BOX_H
#define GODWIT_DAEMON_BOX_H

#include "config/config.h"

struct box_serve {
    struct config_flags flags;   /* listen, hostname; `data` is where all is kept: empty: in a
                                    folder that goes with the process */
    struct slice http;           /* address; default 127.0.0.1:8025 */
    struct slice domain;         /* of inboxes; default sandbox.test */
    struct slice label;          /* shown on the page */
    struct slice web_root;       /* "/mail" before all paths, or empty */
    struct slice users;          /* "user:password", for people and programs; or empty */
    struct slice webhook;        /* where each message of the common workspace is told; or empty */
    struct slice egress;         /* how far webhooks of others go: loopback, private, any; empty:
                                    nowhere */
    struct slice dns;            /* address of the test DNS; or empty */
    struct slice relay;          /* "host:port": what is released goes there; or empty */
    struct slice relay_config;   /* a configuration that says where it goes; or empty */
    const struct slice *release_to; /* recipients that it may be released to: "*@team.test" */
    size_t release_to_count;
    uint64_t messages_max;       /* 0: no limit */
    uint64_t bytes_max;
    int64_t age_max_ms;
    bool is_quiet;
};

/* Runs until a signal ends it; an exit code. */
int box_serve(const struct box_serve *options);

#endif
