/* sasl.h: proving who one is. RFC 4422; PLAIN (RFC 4616), LOGIN (no RFC), EXTERNAL
 * (RFC 4422 A) by the client's certificate, SCRAM-SHA-256
 * and SCRAM-SHA-1 (RFC 5802, 7677) with and without tls-exporter (RFC 9266), OAUTHBEARER
 * (RFC 7628) and XOAUTH2 (no RFC).
 *
 * An exchange takes the client's octets and gives challenges. What takes
 * time is done by the workers, the same for somebody who does not exist (HOSTILE 34). It
 * belongs to one loop's thread; struct sasl is shared by all.
 */
#ifndef GODWIT_ACCOUNTS_SASL_H
#define GODWIT_ACCOUNTS_SASL_H

#include "base/buffer.h"
#include "config/config.h"
#include "event/loop.h"
#include "event/workers.h"
#include "dns/dns.h"
#include "http/http.h"
#include "net/address.h"

struct sasl;
struct sasl_exchange;

enum { SASL_BINDING_BYTES = 32, SASL_MESSAGE_MAX = 12288 };

enum sasl_result {
    SASL_CHALLENGE, /* sasl_challenge() is for the client */
    SASL_GRANTED,   /* sasl_account() it is */
    SASL_REFUSED,   /* not proven */
    SASL_MALFORMED, /* not what the mechanism says */
    SASL_FAULT,     /* ours, or too many at a time: another time it may be done */
    SASL_WAITING,   /* answered() follows */
};

/* All borrowed until sasl_begin() returns, but `loop`, `client` and `context`, which
 * outlive the exchange. */
struct sasl_peer {
    const struct config *config;
    struct slice binding;       /* SASL_BINDING_BYTES of the TLS session, or empty */
    struct slice certified;     /* addresses of the client's certificate, each ended by LF */
    const struct net_address *client;
    bool is_secured;
    struct loop *loop;          /* where answered() runs */
    void (*answered)(void *context, enum sasl_result result); /* never SASL_WAITING */
    void *context;
};

enum { SASL_SECRET_BYTES = 32 };

/* `workers` is closed before it. `secret` makes the salts that are invented for nobody:
 * they would tell of themselves if another start invented others. ERR_OK or ERR_MEMORY. */
enum err sasl_open(struct workers *workers, const uint8_t secret[SASL_SECRET_BYTES],
                   struct sasl **out);
/* When no exchange is left. NULL inside is allowed. */
void sasl_close(struct sasl **sasl);

/* Before the first exchange: what tokens are asked about with (RFC 7662); both are closed
 * before it. */
void sasl_reach(struct sasl *sasl, struct dns *dns, struct http *http);
/* Any thread: our secret at the authorization server; copied. */
void sasl_take_secret(struct sasl *sasl, struct slice secret);

/* The names for EHLO, parted by spaces; empty where nobody can log in. As long as
 * `sasl`. */
struct slice sasl_mechanisms(const struct sasl *sasl, const struct config *config,
                             bool has_binding, bool is_certified);

/* NULL: the name is none of these, or memory is out. */
struct sasl_exchange *sasl_begin(struct sasl *sasl, struct slice mechanism,
                                 const struct sasl_peer *peer);

/* The client's next message; NULL at the beginning when it sent none. */
enum sasl_result sasl_step(struct sasl_exchange *exchange, const struct slice *message);

/* Until the next step. */
struct slice sasl_challenge(const struct sasl_exchange *exchange);

/* The client was right, and the challenge tells it so: SCRAM's last, the server's proof.
 * Whoever lets verdicts wait lets this one wait as well. */
bool sasl_is_proven(const struct sasl_exchange *exchange);

/* The account; where it was not proven, what was said, for logs; perhaps empty. */
struct slice sasl_account(const struct sasl_exchange *exchange);

/* Also while it waits: answered() does not follow then. NULL inside is allowed. */
void sasl_end(struct sasl_exchange **exchange);

#endif
