/* host.h: all the sessions of one loop thread, and the listeners they come from.
 *
 * A host belongs to its loop's thread, but for the functions that say otherwise. What
 * it is given is borrowed and outlives it.
 */
#ifndef GODWIT_SESSION_HOST_H
#define GODWIT_SESSION_HOST_H

#include "accounts/sasl.h"
#include "accounts/throttle.h"
#include "config/config.h"
#include "crypto/tls.h"
#include "event/loop.h"
#include "mail/etrn.h"
#include "mail/event.h"
#include "mail/gate.h"
#include "mail/intake.h"
#include "policy/limiter.h"

struct session_host;

/* What else is said to who handed in a message; appended to the reply's text, in one line. */
struct session_words {
    void (*append)(struct session_words *words, struct slice account, struct mail_id id,
                   struct buffer *out);
};

/* Says no to a log-in that is good; NULL: it has nothing against it. The reply until the next
 * call. */
struct session_judge {
    const struct smtp_reply *(*judge)(struct session_judge *judge, uint64_t session,
                                      const struct net_address *client, struct slice account);
};

struct session_host_options {
    struct loop *loop;
    struct intake *intake;
    struct gate **gates;          /* asked in this order */
    size_t gates_count;
    struct etrn *etrn;            /* NULL: nobody is offered it */
    struct event_sink *events;    /* or NULL */
    struct line_sink *lines;      /* of dialogues; or NULL */
    struct limiter *limiter;      /* of connections, shared by all hosts */
    struct sasl *sasl;            /* NULL: nobody can log in */
    struct throttle *throttle;    /* of failed log-ins; NULL only without sasl */
    struct tls_server *tls;       /* held; NULL: no listener offers TLS */
    struct session_words *words;  /* or NULL */
    struct session_judge *judge;  /* or NULL */
    uint32_t thread;              /* a number for the ids of sessions */
};

enum err session_host_open(const struct session_host_options *options,
                           const struct config *config, struct session_host **out);

/* Ends every session at once. Every commit that is under way must have been answered
 * first: see session_host_count(). NULL inside is allowed. */
void session_host_close(struct session_host **host);

/* Accepts from a listening socket, which is borrowed; `index` is the listener's place
 * in the configuration. */
enum err session_host_listen(struct session_host *host, int fd, size_t index);

/* Another configuration for sessions that begin from now on; `tls` as above. */
void session_host_configure(struct session_host *host, const struct config *config,
                            struct tls_server *tls);

/* Stops accepting, and ends each session with 421 at its next quiet moment: between
 * transactions at once, inside one after at most `grace_ms`. */
void session_host_drain(struct session_host *host, int64_t grace_ms);

/* Any thread: sessions that are not gone yet, those that wait for a commit included. */
size_t session_host_count(const struct session_host *host);

#endif
