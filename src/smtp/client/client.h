/* client.h: one connection that speaks SMTP or LMTP as a client. No I/O, no clock.
 *
 * The caller moves the bytes: what the server said goes into smtp_client_input(),
 * what smtp_client_output() appends goes to the server. It hands over transactions
 * with smtp_client_submit() and takes them back, each recipient with its outcome,
 * with smtp_client_take_done(). A second transaction may be handed over while the
 * first is on its way: where the server offers PIPELINING its MAIL, RCPT and DATA
 * leave right behind the final dot of the first (RFC 2920 3.1).
 *
 *   submit -> output -> (write) -> (read) -> input -> ... -> take_done
 *
 * Where STARTTLS is wanted and accepted it waits in a state of its own until the caller
 * has made the handshake; all that was known before is forgotten then.
 *
 * RFC 5321, RFC 2033 (LMTP), RFC 2920, RFC 3030, RFC 1870, RFC 6152, RFC 6531,
 * RFC 3461, RFC 2034, RFC 9422, RFC 3207, RFC 4954. One owner, one thread. No call calls
 * back, but for reading the content and for authentication.
 */
#ifndef GODWIT_SMTP_CLIENT_CLIENT_H
#define GODWIT_SMTP_CLIENT_CLIENT_H

#include "base/err.h"
#include "base/list.h"
#include "mail/envelope.h"
#include "mail/outcome.h"
#include "smtp/client/extension.h"

struct smtp_client;

enum smtp_client_protocol {
    SMTP_CLIENT_SMTP,
    SMTP_CLIENT_LMTP,
};

/* What is waited for, each with a time of its own (RFC 5321 4.5.3.2). */
enum smtp_client_wait {
    SMTP_CLIENT_WAIT_GREETING,   /* banner, EHLO, RSET, QUIT: 5 minutes */
    SMTP_CLIENT_WAIT_MAIL,       /* 5 minutes */
    SMTP_CLIENT_WAIT_RCPT,       /* 5 minutes */
    SMTP_CLIENT_WAIT_DATA_START, /* the reply to DATA: 2 minutes */
    SMTP_CLIENT_WAIT_DATA_SEND,  /* room for the next block: 3 minutes */
    SMTP_CLIENT_WAIT_DATA_END,   /* the reply to all of it: 10 minutes */
    SMTP_CLIENT_WAITS,
};

/* STARTTLS, where it was not begun with. */
enum smtp_client_tls {
    SMTP_CLIENT_TLS_NEVER,
    SMTP_CLIENT_TLS_IF_OFFERED,
    SMTP_CLIENT_TLS_REQUIRED, /* without it nothing is sent: deferred */
};

/* How the client says who it is, in octets; the engine knows lines and base64. Called
 * when the greeting is over, under TLS where that was wanted. */
struct smtp_client_auth {
    /* Begins anew by one of the mechanisms offered (SMTP_AUTH_*): its name, and what is
     * said at once where *out_says. NULL, or why it cannot be done; both static. */
    const char *(*begin)(struct smtp_client_auth *auth, uint32_t offered,
                         const char **out_mechanism, struct buffer *out_first,
                         bool *out_says);
    /* The answer to a challenge; false: give up. */
    bool (*answer)(struct smtp_client_auth *auth, struct slice challenge,
                   struct buffer *out);
    /* Whether the server may say now that it was good. */
    bool (*is_done)(struct smtp_client_auth *auth);
};

struct smtp_client_options {
    enum smtp_client_protocol protocol;
    enum smtp_client_tls tls;
    bool is_secured;               /* TLS stands already: RFC 8314 3 */
    struct smtp_client_auth *auth; /* outlives the client; NULL: nothing is said of us */
    struct slice helo;       /* our name or address literal; outlives the client */
    bool without_pipelining; /* do not use what the server offers */
    bool without_chunking;
    uint32_t waits_ms[SMTP_CLIENT_WAITS]; /* 0: as RFC 5321 has it */
};

enum smtp_client_state {
    SMTP_CLIENT_OPENING,  /* banner, greeting, authentication */
    SMTP_CLIENT_SECURING, /* the handshake of TLS is the caller's now */
    SMTP_CLIENT_READY,    /* nothing under way */
    SMTP_CLIENT_BUSY,     /* a transaction is */
    SMTP_CLIENT_QUITTING, /* QUIT was said, its reply has not come */
    SMTP_CLIENT_CLOSED,   /* close the connection: nothing more will be understood */
};

/* The bytes of one message as they are to be sent: CRLF line ends, no dots doubled. */
struct smtp_client_content {
    /* Exactly `len` bytes from `offset`, which lie within `size`. Any err but ERR_OK
     * ends the transaction, deferred, and the connection. */
    enum err (*read)(struct smtp_client_content *content, uint64_t offset, char *out,
                     size_t len);
    uint64_t size;
};

struct smtp_client_recipient {
    const struct envelope_recipient *recipient;
    /* The answer. OUTCOME_NONE: the server takes fewer recipients in a transaction
     * (RFC 9422); it may be given again at once. `remote` is left empty. */
    struct outcome outcome;
    /* For the engine alone. */
    uint32_t text_at;
    uint16_t text_len;
    uint8_t progress;
};

enum smtp_client_end {
    SMTP_CLIENT_DECIDED,     /* every recipient was dealt with */
    SMTP_CLIENT_NOT_STARTED, /* the connection failed before MAIL was answered: no
                                recipient has an outcome, `failure` says why */
};

/* Made by the caller, who keeps it and all it points to until it comes back. */
struct smtp_client_transaction {
    const struct envelope *envelope; /* its own list of recipients is not used */
    struct smtp_client_recipient *recipients;
    uint32_t count;                  /* at least 1 */
    struct smtp_client_content *content;
    struct smtp_client_content *seven_bit; /* the same without 8-bit octets, for a hop that
                                              does not offer 8BITMIME; NULL: none */
    /* What the way lacks of the TLS that REQUIRETLS asks for, in static words, or NULL; asked
     * when the server's offer is known. NULL: mail goes no further from there (LMTP), and
     * nothing is asked for (RFC 8689 4.2). */
    const char *(*lacks_tls)(const struct smtp_client_transaction *transaction);
    /* The time, of what is sent on; NULL where lacks_tls() is. */
    int64_t (*now_wall_ms)(const struct smtp_client_transaction *transaction);
    struct buffer *texts;            /* gets the outcomes' texts; those that find no
                                        room are empty */
    /* the answer */
    enum smtp_client_end end;
    struct outcome failure;
    bool uncertain;                  /* lost when all had left and a reply was due:
                                        it may have been delivered (RFC 1047) */
    /* For the engine alone. */
    struct list_node node;
    uint64_t sent_bytes;
    uint32_t to_send;   /* the next recipient that RCPT names, */
    uint32_t to_answer; /* that a reply to RCPT is for, */
    uint32_t to_finish; /* that a reply of LMTP after the data is for */
    uint32_t accepted;
    uint32_t awaited;
    uint32_t failure_at;
    uint16_t failure_len;
    uint8_t sending;
    bool mail_answered;
    bool is_open;      /* the server holds it: MAIL was accepted, no end came */
    bool refused;
    bool content_left; /* to its last octet */
    bool is_binary;
    bool is_8bit;
    bool is_utf8;
    bool by_chunk;
};

/* ERR_INVALID: a helo that cannot be sent; ERR_MEMORY. */
enum err smtp_client_open(const struct smtp_client_options *options,
                          struct smtp_client **out_client);

/* Transactions not yet taken back are forgotten. NULL inside is allowed. */
void smtp_client_close(struct smtp_client **client);

enum smtp_client_state smtp_client_state(const struct smtp_client *client);

/* Whether another transaction may be handed over now: none or one is under way,
 * and the server's limit of messages (RFC 9422) is not reached. */
bool smtp_client_may_submit(const struct smtp_client *client);

/* Whether it will take another one at all, at the latest when the one under way is
 * done: nothing speaks against keeping the connection. */
bool smtp_client_is_reusable(const struct smtp_client *client);

/* Only when smtp_client_may_submit(). */
void smtp_client_submit(struct smtp_client *client,
                        struct smtp_client_transaction *transaction);

/* Bytes of the server, in pieces of any size; they are all taken. While SECURING there
 * must be none: they came in clear, behind the reply to STARTTLS, and end it all. */
void smtp_client_input(struct smtp_client *client, struct slice bytes);

/* While SECURING: the handshake is done, or, with words that live until the return, it
 * is not. */
void smtp_client_secured(struct smtp_client *client);
void smtp_client_not_secured(struct smtp_client *client, struct slice why);

/* Whether it has ended because the server refused the STARTTLS that it had offered. */
bool smtp_client_was_refused_tls(const struct smtp_client *client);

/* Appends what may be sent now; true when it appended anything. It stops once `out`
 * holds SMTP_CLIENT_OUTPUT_BYTES or more, so call it again when they have left. `out`
 * needs a maximum of at least SMTP_CLIENT_OUTPUT_MAX. */
enum {
    SMTP_CLIENT_OUTPUT_BYTES = 64 * 1024,
    SMTP_CLIENT_OUTPUT_MAX = 256 * 1024,
};
bool smtp_client_output(struct smtp_client *client, struct buffer *out);

enum smtp_client_loss {
    SMTP_CLIENT_LOST_CLOSED,  /* the other side closed */
    SMTP_CLIENT_LOST_RESET,   /* the network failed */
    SMTP_CLIENT_LOST_TIMEOUT, /* smtp_client_timeout_ms() has passed */
    SMTP_CLIENT_LOST_STOPPED, /* we are going down */
};

/* The connection is gone, or must go: everything under way ends, state CLOSED. */
void smtp_client_lost(struct smtp_client *client, enum smtp_client_loss loss);

/* Says QUIT as soon as nothing is under way. */
void smtp_client_quit(struct smtp_client *client);

/* The oldest transaction that has ended, or NULL. */
struct smtp_client_transaction *smtp_client_take_done(struct smtp_client *client);

/* How long to wait, from the last step forward, for what is awaited now
 * (RFC 5321 4.5.3.2); 0: nothing is awaited. A step forward is a change of
 * smtp_client_steps(), or bytes of ours that left; bytes of an unfinished reply
 * are none. */
uint32_t smtp_client_timeout_ms(const struct smtp_client *client);
uint64_t smtp_client_steps(const struct smtp_client *client);

/* What the server offered; all zero before the greeting. */
const struct smtp_extensions *smtp_client_extensions(const struct smtp_client *client);

/* The name of the step whose reply is awaited, for logs: "MAIL", "end of data". */
const char *smtp_client_step_name(const struct smtp_client *client);

#endif
