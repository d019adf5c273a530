/* event.h: one value for whatever happened to a message, and its sink.
 *
 * Session, queue and delivery emit; the log, later history, metrics, webhooks and
 * reports listen. Everything in an event is borrowed until emit() returns. emit()
 * is called on any thread and never blocks.
 */
#ifndef GODWIT_MAIL_EVENT_H
#define GODWIT_MAIL_EVENT_H

#include "base/moment.h"
#include "mail/envelope.h"
#include "mail/id.h"
#include "mail/outcome.h"

#include <stdatomic.h>

enum mail_event_kind {
    MAIL_SESSION_OPENED,
    MAIL_SESSION_CLOSED,
    MAIL_REFUSED,        /* a command or a message got 4xx or 5xx */
    MAIL_ACCEPTED,       /* durable, 250 said */
    MAIL_DELIVERED,      /* one recipient; the outcome says how */
    MAIL_RELAYED,
    MAIL_DEFERRED,
    MAIL_FAILED,         /* one recipient, for good */
    MAIL_DISCARDED,
    MAIL_REPORTED,       /* a bounce or receipt was queued; `text` is its id */
    MAIL_SITE_FAILED,    /* a site could not be reached; `text` is its key */
    MAIL_SITE_SLOWED,    /* a reply asks for less; `text` is its name, or its key */
    MAIL_SITE_SUSPENDED, /* nothing more goes there for a time; likewise */
    MAIL_SITE_RESUMED,
    MAIL_HELD,
    MAIL_RELEASED,
    MAIL_DELETED,
    MAIL_LOGIN,          /* `account` was proven; `text` is how */
    MAIL_LOGIN_FAILED,   /* ... or was not; `account` is what the client said */
};

struct mail_event {
    enum mail_event_kind kind;
    struct moment at;
    uint64_t session_id;             /* 0: none */
    struct mail_id id;               /* 0: none */
    struct slice peer;               /* "[192.0.2.1]:25" of the client or next hop */
    struct slice helo;
    struct slice account;            /* who has logged in, or empty */
    struct slice sender;
    struct slice recipient;
    const struct envelope *envelope; /* MAIL_ACCEPTED */
    const struct outcome *outcome;   /* of a recipient, or the reply of a refusal, or that
                                        of an acceptance, if there was somebody to say it to */
    struct slice text;
    struct slice site;               /* of the recipient, or empty: not known */
    struct slice message_id;         /* MAIL_ACCEPTED: without brackets, or empty */
    bool is_held;                    /* MAIL_ACCEPTED: and is not tried yet */
    struct slice tls_version;        /* "TLSv1.3", or empty: in clear */
    struct slice tls_cipher;
    uint64_t size;                   /* bytes of content */
    uint32_t attempts;
    int64_t delay_ms;                /* from receipt to this event */
    int64_t next_due_wall_ms;        /* MAIL_DEFERRED */
};

/* A line of a dialogue, without what is secret in it; borrowed until line() returns. */
struct mail_line {
    struct moment at;
    uint64_t session_id;             /* 0: outbound */
    struct slice peer;
    bool is_outbound;
    bool is_ours;                    /* we said it */
    struct slice text;               /* without its end; raw bytes: escape before showing */
};

/* As an event_sink; who has a line to tell looks first whether it is wanted. */
struct line_sink {
    atomic_bool is_wanted;
    void (*line)(struct line_sink *sink, const struct mail_line *line);
};

static inline bool line_sink_wants(struct line_sink *sink)
{
    return sink != NULL && atomic_load_explicit(&sink->is_wanted, memory_order_relaxed);
}

struct event_sink {
    void (*emit)(struct event_sink *sink, const struct mail_event *event);
};

static inline void event_emit(struct event_sink *sink, const struct mail_event *event)
{
    if (sink != NULL)
        sink->emit(sink, event);
}

#endif
