/* attempt.h: the ways out, as the queue sees them.
 *
 *   resolve(domain) -> a site, valid for some time, or an outcome
 *   run(message, recipients, connection or a new one) -> outcomes
 *
 * A job is made and freed by the queue; between post and done it belongs to the
 * delivery. done() runs on job->home. A loop thread owns each connection; the queue
 * holds idle ones as values and names one in a job, or asks to close it.
 */
#ifndef GODWIT_MAIL_ATTEMPT_H
#define GODWIT_MAIL_ATTEMPT_H

#include "base/task.h"
#include "mail/id.h"
#include "mail/outcome.h"
#include "mail/source.h"

enum { SITE_KEY_MAX = 255 };

/* All domains whose mail goes the same way to the same hosts share one key. */
struct site_key {
    uint8_t len;
    char text[SITE_KEY_MAX];
};

/* The name of a host; empty: none. */
struct site_host {
    uint8_t len;
    char text[255];
};

struct attempt_resolve {
    struct task task;
    struct home *home;
    void (*done)(struct attempt_resolve *job);
    struct slice domain;               /* lives as long as the job */
    /* the answer */
    bool resolved;
    struct site_key site;
    struct site_host host;             /* the most preferred mail host, or the fixed one */
    int64_t valid_ms;                  /* how long the answer may be used */
    struct outcome outcome;            /* when not resolved: deferred or failed; its
                                          texts live until done() returns */
};

struct attempt_connection {
    uint32_t thread;
    uint64_t id;                       /* 0: none */
};

struct attempt_recipient {
    uint32_t index;                    /* in the message's envelope */
    struct slice address;              /* the answer: who that is, for logs; as below */
    struct outcome outcome;            /* the answer; texts as below */
};

/* What came of the connection. */
enum attempt_end {
    ATTEMPT_KEPT,      /* `connection` is idle now and may serve the next job */
    ATTEMPT_CLOSED,    /* it worked and is closed */
    ATTEMPT_NO_SITE,   /* it failed before MAIL was answered: `site_failure` holds for
                          the site and everything that waits for it */
    ATTEMPT_MOVED,     /* nothing was tried: the domain leads to another site by now */
};

struct attempt_run {
    struct task task;
    struct home *home;
    void (*done)(struct attempt_run *job);
    struct mail_id id;
    struct slice domain;               /* of the recipients: what to resolve */
    struct site_key site;
    struct attempt_connection connection; /* in: use this one or, 0, a new one;
                                             out: with ATTEMPT_KEPT the idle one */
    /* the answer; texts live in the job's own memory, `texts`, until it is freed */
    enum attempt_end end;
    struct outcome site_failure;
    struct buffer texts;               /* made by the queue with its maximum */
    size_t recipients_count;
    struct attempt_recipient recipients[];
};

struct attempt;

struct attempt_ops {
    void (*resolve)(struct attempt *attempt, struct attempt_resolve *job);
    void (*run)(struct attempt *attempt, struct attempt_run *job);
    /* Says QUIT and closes; unknown ids are ignored. */
    void (*close)(struct attempt *attempt, struct attempt_connection connection);
};

/* The connections that died while idle are told to the queue by this. */
struct attempt_watcher {
    struct home *home;
    void (*lost)(struct attempt_watcher *watcher, struct attempt_connection connection);
};

struct attempt {
    const struct attempt_ops *ops;
};

#endif
