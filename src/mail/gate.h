/* gate.h: who may say no, wait, or change something while a message comes in.
 *
 * Gates stand in an ordered list. At each point of a session every gate is asked in
 * turn until one gives an answer that is not GATE_PASS. A gate that needs time parks
 * the question and answers later through it; the session reads nothing meanwhile.
 */
#ifndef GODWIT_MAIL_GATE_H
#define GODWIT_MAIL_GATE_H

#include "base/buffer.h"
#include "base/moment.h"
#include "base/task.h"
#include "mail/envelope.h"
#include "mail/id.h"
#include "wire/smtp/reply.h"

#include <sys/socket.h>

/* A bit each: a gate says at which it wants to be asked. */
enum gate_point {
    GATE_CONNECT = 1,
    GATE_HELO = 2,
    GATE_MAIL = 4,
    GATE_RCPT = 8,
    GATE_HEADER = 16, /* the header is there, nothing of it in the intake yet */
    GATE_END = 32,    /* the end of data, before the commit */
    GATE_DATA = 128,  /* the content is about to come; it has an id */
    GATE_UNKNOWN = 256, /* a line that is no command: it is refused in any case */
    GATE_BODY = 64,   /* each piece of what follows the header, on its way to the intake */
};

enum gate_action {
    GATE_PASS,     /* no opinion: ask the next one */
    GATE_ACCEPT,   /* go on and ask nobody after this gate */
    GATE_REPLY,    /* answer with `reply` in place of going on */
    GATE_CLOSE,    /* answer with `reply` and close (421, 554 at connect) */
    GATE_DROP,     /* close at once, saying nothing */
    GATE_DISCARD,  /* go on, answer 250, keep nothing but a record */
    GATE_HOLD,     /* go on, the message is held in the queue */
};

enum gate_content_step {
    GATE_CONTENT_PIECE,  /* *out_piece is the next one */
    GATE_CONTENT_WAIT,   /* ready() follows, never from inside of the call */
    GATE_CONTENT_END,
    GATE_CONTENT_FAILED, /* it cannot be had: nothing of it counts */
};

/* Content that a gate kept, to be read once from front to back. */
struct gate_content {
    enum gate_content_step (*next)(struct gate_content *content, struct slice *out_piece);
    void (*ready)(void *context);        /* set by who reads, before the first call */
    void *context;
};

struct gate_answer {
    enum gate_action action;
    struct smtp_reply reply;     /* text: static, or lives until the next question */
    uint32_t delay_ms;           /* wait this long before going on (tarpit) */
    uint32_t cut_after;          /* of what is answered, so many octets are sent, then the
                                    connection closes; 0: all of it */
    struct slice header_prefix;  /* fields to add before the message, whole lines */
    bool changes_header;         /* GATE_HEADER: `header` goes on in place of what came */
    struct slice header;         /* whole lines and the empty one; lives like `reply` */
    bool keeps_content;          /* GATE_HEADER: the gate, which is asked at GATE_BODY too,
                                    keeps all of it, and gives it back at GATE_END */
    /* GATE_END, where the content was kept; both live until forget(). The fields that gates
     * added before stand in the content, or in `above`: fields that stand before our own
     * Received field. */
    struct slice above;
    struct gate_content *content;
    const struct envelope *envelope; /* in place of the one that was asked about */
};

/* What is known of the session at that point. Borrowed until answered. */
struct config;
struct net_address;

struct gate_question {
    enum gate_point point;
    const struct config *config;         /* the session's snapshot */
    struct moment now;
    uint64_t session_id;
    bool is_submission;                  /* the listener's role */
    const struct sockaddr_storage *client;
    const struct net_address *address;   /* the same */
    bool is_tls;
    bool may_relay;                      /* a gate before said so */
    struct slice helo;                   /* empty before HELO */
    bool client_is_trusted;              /* in the networks that may relay */
    struct slice account;                /* the authenticated one, or empty */
    struct slice mechanism;              /* by which; empty: by none */
    struct slice tls_version;            /* "TLSv1.3", or empty: in clear */
    struct slice tls_cipher;
    unsigned tls_bits;
    struct mail_id id;                   /* from GATE_DATA on */
    struct slice prefix;                 /* GATE_END: fields that gates before have added */
    const struct envelope *envelope;     /* from GATE_MAIL on; recipients so far */
    struct slice recipient;              /* GATE_RCPT: the one being asked about */
    struct slice header;                 /* GATE_HEADER: with its empty line, if it has one */
    struct slice command;                /* GATE_UNKNOWN: for the call of ask() only */
    struct slice body;                   /* GATE_BODY: for the call of ask() only */
    uint64_t content_size;               /* GATE_END; at GATE_RCPT what the client said
                                            it would be (SIZE=), or 0 */
    bool content_is_8bit;                /* GATE_END: octets above 127 */
    bool content_is_mime;                /* GATE_END: there is a MIME-Version */
    struct buffer *scratch;              /* for an answer that is given at once */
    struct home *home;                   /* of the session's thread */
    void *parked;                        /* the parked gate's own, from ask() until it
                                            answered or was cancelled */
    void **state;                        /* a gate with forget(): its own, NULL at first,
                                            kept for the whole transaction */
    void **session_state;                /* a gate with part(): the same, for the session */
    /* For a gate that parked: called once, on the session's thread, never from
     * inside ask(). */
    void (*answered)(struct gate_question *question, const struct gate_answer *answer);
};

enum gate_result {
    GATE_ANSWERED,
    GATE_PARKED,
};

struct gate;

/* At GATE_HEADER and GATE_BODY. */
enum gate_content_of {
    GATE_CONTENT_OF_ALL,
    GATE_CONTENT_OF_ACCOUNTS,   /* where somebody has logged in */
    GATE_CONTENT_OF_SUBMISSION, /* on listeners of that role */
    GATE_CONTENT_OF_SUBMITTERS, /* of who has logged in, and on submission listeners of who
                                   is not trusted */
    GATE_CONTENT_OF_FILTERED,   /* where one of `milters` is asked */
    GATE_CONTENT_OF_STRANGERS,  /* on relay listeners, of who is neither logged in nor
                                   trusted */
};

struct gate_ops {
    const char *name;
    unsigned points;                     /* of enum gate_point */
    enum gate_content_of content_of;     /* a header that is wanted is kept back */
    enum gate_result (*ask)(struct gate *gate, struct gate_question *question,
                            struct gate_answer *out_answer);
    /* The session ends while the question is parked: answered() must not follow. */
    void (*cancel)(struct gate *gate, struct gate_question *question);
    /* The transaction is over, or the next begins, and *state is not NULL: frees it, sets
     * NULL. Nothing of the gate is parked. NULL: the gate keeps no state. */
    void (*forget)(struct gate *gate, void **state);
    /* The session is over, after forget(), and *session_state is not NULL: likewise. NULL: the
     * gate keeps none. */
    void (*part)(struct gate *gate, void **session_state);
};

struct gate {
    const struct gate_ops *ops;
};

#endif
