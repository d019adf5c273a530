/* server.h: the server's side of one SMTP session, as a value without I/O.
 *
 * RFC 5321, 1870, 2034, 2920, 3030, 3207, 3461, 4954, 6152, 6531; HOSTILE parts A and B. Bytes
 * of the client go in, replies come out in `out`, and whatever is not the protocol's
 * own to decide comes back as a question:
 *
 *   for (;;) switch (smtp_server_next(server, &input, &piece)) { ... }
 *
 * The engine never calls its user, knows no clock and no socket; the loop, the unit
 * table, the byte-by-byte test, the fuzzer and the sandbox drive the very same code.
 * One owner, one thread.
 */
#ifndef GODWIT_SMTP_SERVER_SERVER_H
#define GODWIT_SMTP_SERVER_SERVER_H

#include "mail/envelope.h"
#include "wire/smtp/content.h"
#include "wire/smtp/reply.h"

/* Shared by many sessions, borrowed as long as they live. */
struct smtp_server_options {
    struct slice hostname;
    enum line_end_rule bare_line_end;
    uint64_t message_bytes_max;
    uint64_t line_bytes_max;      /* of content; a longer line is 554 5.6.0 */
    uint64_t header_bytes_max;    /* 552 5.3.4 */
    uint32_t header_fields_max;   /* 552 5.3.4 */
    uint32_t hops_max;            /* Received fields; more is 554 5.4.6 */
    uint32_t recipients_max;      /* then 452 4.5.3 */
    uint32_t command_bytes_max;   /* with CRLF; then 500 5.5.2 */
    uint32_t errors_max;          /* 5xx replies since the last message that was taken;
                                     then 421 4.7.0 */
    uint32_t junk_max;            /* commands since then that bring no mail forward */
    uint32_t auth_failures_max;   /* 535 replies; then 421 4.7.0 */
    bool offers_tls;              /* STARTTLS */
    bool requires_tls;            /* ... and without it there is no mail: 530 5.7.0 */
};

/* The limits of HOSTILE section 2 and 50 MiB a message. */
void smtp_server_options_default(struct smtp_server_options *options);

enum smtp_server_step {
    SMTP_SERVER_NEED_INPUT, /* send `out`, then come again with more input */
    SMTP_SERVER_FLUSH,      /* `out` is long: send it, then go on */
    SMTP_SERVER_ASK,        /* answer smtp_server_question(), now or later */
    SMTP_SERVER_CONTENT,    /* *out_piece is content: give it to the intake */
    SMTP_SERVER_DROPPED,    /* what was begun with SMTP_ASK_DATA is void: abort it */
    SMTP_SERVER_SECURE,     /* send `out`, go over to TLS, say smtp_server_secured() */
    SMTP_SERVER_CLOSE,      /* send `out`, then close */
};

enum smtp_ask {
    SMTP_ASK_NOTHING,
    SMTP_ASK_HELO,    /* `text` is the name; helo and esmtp of the session are set */
    SMTP_ASK_MAIL,    /* the envelope's sender and parameters */
    SMTP_ASK_RCPT,    /* `recipient` */
    SMTP_ASK_DATA,    /* the content is about to come: begin the intake */
    SMTP_ASK_END,     /* the content is complete: commit, and answer when durable */
    SMTP_ASK_VRFY,    /* `text` */
    SMTP_ASK_ETRN,    /* `text` is a node, a domain as it was written; `below` */
    SMTP_ASK_AUTH,    /* `text` is the mechanism, empty when its exchange goes on; then or
                         with an initial response also `response`. Answer with
                         smtp_server_challenge(), or as any question: 235, 535 ... */
    SMTP_ASK_UNKNOWN, /* `text` is a line that is no command, for as long as the call of
                         smtp_server_next() that asked; its answer is 500 or a refusal */
    SMTP_ASK_XCLIENT, /* `xclient`; the session starts anew after a positive answer */
};

/* XCLIENT's attributes (Postfix XCLIENT_README); empty slices were not given or are
 * [UNAVAILABLE]. */
struct smtp_xclient {
    struct slice name;
    struct slice address;
    struct slice port;
    struct slice helo;
    struct slice protocol;
    struct slice login;
};

/* Borrowed: lives until the answer. */
struct smtp_question {
    enum smtp_ask ask;
    struct slice text;
    const struct envelope_recipient *recipient;
    uint64_t declared_size;               /* SIZE=, 0 when not said */
    const struct smtp_xclient *xclient;
    struct slice response;                /* octets, decoded */
    bool has_response;
    bool below;                           /* "@node" */
};

enum {
    SMTP_SERVER_AUTH_MAX = 12288,         /* octets of a line of AUTH: RFC 4954 4 */
    SMTP_SERVER_MECHANISM_MAX = 64,
};

/* What the client may do about who it is. */
struct smtp_server_auth {
    struct slice mechanisms;  /* for EHLO, parted by spaces; borrowed; empty: none now */
    bool after_tls;           /* there are some after STARTTLS: 538 5.7.11 until then */
    bool is_required;         /* ... and without it there is no mail: 530 5.7.0 */
};

struct smtp_server;

/* `options` and `out` are borrowed; NULL when memory is out. `out` is the caller's to
 * send and to consume; it should hold at least 128 KiB. */
struct smtp_server *smtp_server_new(const struct smtp_server_options *options,
                                    struct buffer *out);

/* NULL inside is allowed. */
void smtp_server_free(struct smtp_server **server);

/* Whether this client may use XCLIENT, which is then offered. Limits of errors and of
 * junk hold for every client, as no honest one comes near them. */
void smtp_server_trust(struct smtp_server *server, bool may_xclient);

/* What follows comes over TLS: after SMTP_SERVER_SECURE, or before the greeting. All that
 * the client said before is forgotten (RFC 3207 4.2); the counts of errors and junk are
 * not the client's to reset. */
void smtp_server_secured(struct smtp_server *server);
bool smtp_server_is_secured(const struct smtp_server *server);

/* When MAIL came: BY= counts from then (RFC 2852 4); while SMTP_ASK_MAIL is asked. False: it
 * would be over before the message may leave (RFC 4865 5.2.2): 501 5.5.4. */
bool smtp_server_took_mail(struct smtp_server *server, int64_t wall_ms);

/* Gives the transaction another priority than its client said (RFC 6710 4.1), which its reply
 * tells; while SMTP_ASK_MAIL is asked. */
void smtp_server_set_priority(struct smtp_server *server, int8_t priority);

/* Whether this client may use ETRN (RFC 1985), which is then offered; while SMTP_ASK_HELO is
 * asked, until the next one. */
void smtp_server_offer_etrn(struct smtp_server *server, bool may_etrn);

/* How long mail may be held before it leaves (FUTURERELEASE, RFC 4865). */
struct smtp_server_release {
    uint32_t seconds;       /* 0: it is not offered; at most 999999999 */
    int64_t until_wall_ms;  /* the same from now on */
};

/* To be said while SMTP_ASK_HELO is asked; holds until the next one. */
void smtp_server_offer_release(struct smtp_server *server,
                               const struct smtp_server_release *release);

/* When the message of the transaction may leave; 0: at once. */
int64_t smtp_server_release_at(const struct smtp_server *server, int64_t now_wall_ms);

/* From now on; asked anew after each smtp_server_secured(). */
void smtp_server_offer_auth(struct smtp_server *server, const struct smtp_server_auth *auth);
/* By other means than AUTH (XCLIENT), or no more. */
void smtp_server_set_authenticated(struct smtp_server *server, bool authenticated);
bool smtp_server_is_authenticated(const struct smtp_server *server);

/* Answers SMTP_ASK_AUTH with 334 and these octets; the client's response is asked about
 * next, if it does not give up. */
void smtp_server_challenge(struct smtp_server *server, struct slice challenge);

/* Says the greeting (220), or refuses with the reply, after which only CLOSE comes. */
void smtp_server_greet(struct smtp_server *server, const struct smtp_reply *refusal);

/* The next step; takes what it used from the front of *input. After ASK it must not
 * be called before the answer. */
enum smtp_server_step smtp_server_next(struct smtp_server *server, struct slice *input,
                                       struct slice *out_piece);

/* At CLOSE: the client asked for it, so it will send no more (RFC 5321 4.1.1.10). */
bool smtp_server_has_quit(const struct smtp_server *server);

/* Valid after SMTP_SERVER_ASK until the answer. */
const struct smtp_question *smtp_server_question(const struct smtp_server *server);

/* Answers the question. NULL: the usual positive reply. A positive reply goes on, any
 * other refuses; 421 closes. For SMTP_ASK_DATA, NULL goes on. */
void smtp_server_answer(struct smtp_server *server, const struct smtp_reply *reply);

/* Refuses what is coming in: the rest of the content is taken and thrown away, and
 * its end is answered with the reply (a copy is kept). For an intake that failed. */
void smtp_server_refuse_content(struct smtp_server *server, const struct smtp_reply *reply);

/* Ends the session from outside (421 at shutdown or time-out): the reply, then CLOSE
 * at the next step. Allowed at any time, a pending question included, which then has
 * no answer any more. */
void smtp_server_end(struct smtp_server *server, const struct smtp_reply *reply);

enum smtp_server_phase {
    SMTP_PHASE_START = 1,    /* nothing but HELO and harmless commands */
    SMTP_PHASE_READY = 2,
    SMTP_PHASE_MAIL = 4,     /* MAIL accepted, no recipient yet */
    SMTP_PHASE_RCPT = 8,
    SMTP_PHASE_DATA = 16,    /* inside DATA */
    SMTP_PHASE_CHUNK = 32,   /* inside a BDAT chunk */
    SMTP_PHASE_CHUNKS = 64,  /* between BDAT chunks */
    SMTP_PHASE_CLOSED = 128,
    SMTP_PHASE_AUTH = 256,   /* a response is awaited, or being asked about */
};

/* 5xx replies since the last message that was taken, as errors_max counts them. */
uint32_t smtp_server_errors(const struct smtp_server *server);

enum smtp_server_phase smtp_server_phase(const struct smtp_server *server);

/* The current transaction; valid from SMTP_ASK_MAIL until the answer to ASK_END. */
const struct envelope *smtp_server_envelope(const struct smtp_server *server);
const struct content_facts *smtp_server_facts(const struct smtp_server *server);
/* The header, as far as it has come, has a MIME-Version. */
bool smtp_server_is_mime(const struct smtp_server *server);

/* What HELO or EHLO said, empty before. */
struct slice smtp_server_helo(const struct smtp_server *server);
bool smtp_server_is_esmtp(const struct smtp_server *server);

/* "EHLO", "BDAT" ... the verb being carried out, for logs; static storage. */
const char *smtp_server_verb(const struct smtp_server *server);

#endif
