/* session_private.h: one session, and what its files share.
 *
 * A session is many files: host.c (the loop's sessions), open.c (from accept to
 * greeting), pump.c (bytes to the engine and back), ask.c (the engine's questions),
 * gates.c (asking the gates in order), commit.c (the message into the intake),
 * deadline.c (time), etrn.c (the queue is asked), auth.c (who the client is), secure.c (going over to TLS), transcript.c (what was said, for the
 * log).
 */
#ifndef GODWIT_SESSION_SESSION_PRIVATE_H
#define GODWIT_SESSION_SESSION_PRIVATE_H

#include "event/timer.h"
#include "net/listener.h"
#include "net/stream.h"
#include "session/host.h"
#include "smtp/server/server.h"
#include "wire/message/header.h"

#include <stdatomic.h>

/* What all sessions of one listener under one configuration share. */
struct profile {
    unsigned references;
    const struct config *config;
    const struct config_listener *listener;
    struct tls_server *tls;       /* NULL: not offered */
    struct smtp_server_options engine;
};

struct door {
    struct listener_owner owner;
    struct listener *listener;
    struct session_host *host;
    size_t index;
    struct list_node node;
};

struct session_host {
    struct session_host_options options;
    const struct config *config;
    struct list doors;
    struct list sessions;
    _Atomic size_t sessions_count;
    uint64_t sessions_made;
    struct buffer out;            /* of whichever session is being pumped */
    struct buffer text;           /* scratch for prefixes and logs */
    struct buffer scratch;        /* for the answer of a gate */
    struct buffer prefix;         /* of the message being committed */
    struct arena arena;           /* likewise: its expanded envelope */
    bool draining;
    bool is_stressed;             /* most of all connections are taken */
    struct timer drain;
};

/* What a gate said, with its words, while the client waits for it. */
struct refusal {
    struct gate_answer answer;
    char text[];
};

/* Why nothing is read and the engine is not asked. */
enum session_wait {
    WAIT_INPUT,   /* nothing in the way */
    WAIT_GATE,    /* a gate parked the question */
    WAIT_DELAY,   /* a gate wants the client to wait, or the tarpit does */
    WAIT_INTAKE,  /* the intake has enough for now */
    WAIT_COMMIT,  /* the message is being made durable */
    WAIT_DRAIN,   /* the client does not read our replies */
    WAIT_ETRN,    /* the queue is asked */
    WAIT_AUTH,    /* a password is being checked */
    WAIT_TLS,     /* the answer to STARTTLS leaves, or hands are shaken */
};

enum { SESSION_MECHANISM_MAX = 24, SESSION_MESSAGE_ID_MAX = 250 };

struct session {
    struct stream_owner owner;
    struct stream *stream;        /* NULL: the connection is gone */
    struct session_host *host;
    struct list_node node;
    struct deferred end;
    struct profile *profile;
    struct smtp_server *engine;   /* NULL until the greeting */
    struct buffer input;          /* what could not be used yet */
    struct net_address client;    /* as PROXY or XCLIENT say */
    struct net_address peer;      /* who connected */
    uint64_t id;
    int64_t opened_mono_ms;
    enum session_wait wait;
    bool reading;
    bool deadline_off;            /* while the session waits for something of ours */
    bool ended;                   /* the client has said its last byte */
    bool trusted;
    bool counted;                 /* in the limiter, as its client's */
    bool counted_in_all;          /* and as one of all */
    bool proxy_wanted;            /* a PROXY header comes first */
    uint32_t cut_after;           /* octets of the next thing that is said; then it is over */
    bool over;                    /* said all: goes when the commit is answered */
    bool drain_told;              /* asked to end at the next quiet moment */
    struct buffer account;        /* who has logged in; empty: nobody */
    struct sasl_exchange *auth;   /* under way, or given up by the client */
    enum sasl_result auth_result; /* while its answer waits */
    bool auth_told;               /* the client knows already that it was right */
    char mechanism[SESSION_MECHANISM_MAX];
    /* the transaction */
    struct intake_writer *writer;
    bool committing;
    bool asking;                  /* the queue, which answers in any case */
    bool discard;
    bool hold;
    bool discard_before;          /* the recipient that is asked about */
    bool hold_before;
    struct buffer prefix;         /* fields that gates add */
    struct buffer header;         /* kept back while a gate wants to see it */
    struct buffer body;           /* what came with its last piece, or waits for a gate */
    bool body_asked;              /* a gate wants to see it */
    struct header_scan header_scan;
    bool header_kept;             /* ... which is so until it has been asked */
    int64_t content_mono_ms;      /* when the content began; 0: not inside one */
    uint64_t content_bytes;
    bool id_sought;               /* the beginning of the content was looked at */
    uint8_t message_id_len;
    char message_id[SESSION_MESSAGE_ID_MAX];
    /* the gate that is being asked */
    size_t gate_at;
    struct gate *gate_parked;
    void **gate_states;           /* one for each gate, or NULL */
    void **gate_kept;             /* likewise, for the whole session */
    bool content_kept;            /* by a gate, until the end of data */
    struct gate_content *content; /* ... which gives it back; NULL: nobody kept it */
    struct slice above;           /* fields before our own Received */
    const struct envelope *final; /* in place of what the client said, or NULL */
    struct gate_question question;
    struct timer delay;
    struct refusal *refusal;      /* ... that waits for it, or NULL */
    int64_t deadline_mono_ms;
};

/* session.c */
struct session *session_make(struct door *door, int fd, const struct net_address *peer);
void session_over(struct session *s);   /* no more words: frees when nothing is owed */
void session_lost(struct session *s);   /* the connection is gone */
void session_destroy(struct session *s); /* at once: no commit of its is under way */
struct moment session_now(const struct session *s);

/* open.c */
void session_begin(struct session *s);
void session_greet(struct session *s);
bool session_take_proxy(struct session *s, struct slice *input);
void session_read_proxy(struct session *s); /* the same, before a handshake */
void session_trust(struct session *s);
bool session_enter(struct session *s);  /* false: its client has too many already */

/* pump.c */
void session_event(struct stream_owner *owner, enum stream_event event);
void session_go_on(struct session *s);  /* after a wait: take up the input again */
void session_flush(struct session *s);

/* ask.c: true when it was answered, false when the session waits. */
bool session_ask(struct session *s);

/* gates.c: asks the gates at a point; true when `session_gates_answered` has been
 * called already. `what` is the recipient at GATE_RCPT, the piece at GATE_BODY,
 * the line at GATE_UNKNOWN. */
bool session_ask_gates(struct session *s, enum gate_point point, struct slice what);
void session_gates_forget(struct session *s); /* the transaction is over */
void session_gates_part(struct session *s);   /* the session is */
void session_gates_cancel(struct session *s);
bool session_gates_want(const struct session *s, enum gate_point point);

/* ask.c: what the gates said, NULL for nothing against it. */
void session_gates_answered(struct session *s, const struct gate_answer *answer);

/* commit.c */
bool session_begin_intake(struct session *s);
void session_receive(struct session *s, struct slice piece);
void session_header_answered(struct session *s, const struct gate_answer *answer);
void session_body_answered(struct session *s, const struct gate_answer *answer);
void session_commit(struct session *s);
void session_pour(struct session *s); /* what a gate kept, then the commit */

/* auth.c */
void session_offer_auth(struct session *s);
bool session_ask_auth(struct session *s, const struct smtp_question *q); /* as session_ask() */
bool session_take_account(struct session *s, struct slice account);

/* etrn.c */
void session_offer_etrn(struct session *s);
bool session_ask_etrn(struct session *s, const struct smtp_question *q); /* as session_ask() */

/* secure.c: what was said leaves in clear, then the handshake. */
void session_secure(struct session *s);
void session_secure_drained(struct session *s); /* STREAM_DRAINED meanwhile */
void session_secured(struct session *s);        /* STREAM_SECURED */
void session_not_secured(struct session *s);    /* STREAM_FAILED meanwhile */

/* deadline.c */
void session_look_for_stress(struct session_host *h); /* when a connection comes or goes */
void session_deadline(struct session *s, bool progress);

/* transcript.c */
void session_note_client(struct session *s, struct slice bytes, bool is_response);
void session_note_server(struct session *s, struct slice bytes);
void session_emit(struct session *s, enum mail_event_kind kind, struct mail_id id,
                  const struct smtp_reply *reply);

static inline const struct config *session_config(const struct session *s)
{
    return s->profile->config;
}

#endif
