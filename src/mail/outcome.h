/* outcome.h: what became of one recipient in one attempt. */
#ifndef GODWIT_MAIL_OUTCOME_H
#define GODWIT_MAIL_OUTCOME_H

#include "mail/id.h"
#include "mail/transport.h"
#include "wire/smtp/reply.h"

enum outcome_kind {
    OUTCOME_NONE,      /* not decided: the attempt never got to this recipient */
    OUTCOME_DELIVERED, /* at its end: a mailbox or an LMTP server took it */
    OUTCOME_RELAYED,   /* the next hop took it over */
    OUTCOME_DEFERRED,  /* 4xx or a fault: to be tried again */
    OUTCOME_FAILED,    /* 5xx: never to be tried again; a bounce is due */
    OUTCOME_DISCARDED, /* thrown away, on the record, as configured */
};

/* How long its parts took, as the loop's clock has it; 0: less than it shows, or none. */
struct outcome_times {
    uint32_t connect_ms;
    uint32_t handshake_ms;     /* of TLS */
    uint32_t transaction_ms;   /* from when it was begun to its last reply */
    bool is_reused;            /* an earlier attempt's connection: nothing was connected */
};

/* Borrowed texts; the interface that hands one over says for how long. */
struct outcome {
    enum outcome_kind kind;
    uint16_t code;             /* the SMTP reply code, 0 when there was none */
    struct smtp_status status; /* always set but for OUTCOME_NONE */
    struct slice text;         /* the reply's text or our reason: raw bytes, escape
                                  before showing */
    struct slice remote;       /* "host[address]:port", a path, or empty */
    bool reply_is_remote;      /* code and text were said by the other side */
    bool by_carried;           /* the next hop offers DELIVERBY */
    bool dsn_carried;          /* the next hop offers DSN and was given NOTIFY */
    struct outcome_times times;
    struct transport_facts transport; /* of the connection; all zero where there is none */
};

/* The state of one recipient as the spool keeps it: absolute, so that applying a
 * record twice changes nothing. */
enum recipient_state {
    RECIPIENT_QUEUED,
    RECIPIENT_HELD,
    RECIPIENT_DELIVERED,
    RECIPIENT_RELAYED,
    RECIPIENT_FAILED,    /* bounced, or failed with no bounce owed */
    RECIPIENT_DISCARDED,
    RECIPIENT_DELETED,   /* by the operator */
};

static inline bool recipient_state_is_final(enum recipient_state s)
{
    return s != RECIPIENT_QUEUED && s != RECIPIENT_HELD;
}

struct recipient_update {
    struct mail_id id;
    uint32_t recipient;        /* its index in the envelope */
    enum recipient_state state;
    uint16_t attempts;         /* made so far */
    int64_t next_due_wall_ms;  /* of a queued one; 0 is at once */
    uint16_t code;             /* the last reply code, 0 for none */
    struct smtp_status status;
    struct slice reason;       /* the last reply's text, cut to 500 bytes, or empty */
    bool told;                 /* the sender knows that it is delayed */
};

enum { RECIPIENT_REASON_MAX = 500 };

#endif
