/* client_private.h: what client.c, step.c, transaction.c and content.c share.
 *
 * What is sent goes through the step table; each command sent puts an entry into the
 * queue of awaited replies, and each reply goes to the step at its front: replies are
 * matched by count alone (RFC 2920 3.1).
 */
#ifndef GODWIT_SMTP_CLIENT_CLIENT_PRIVATE_H
#define GODWIT_SMTP_CLIENT_CLIENT_PRIVATE_H

#include "smtp/client/client.h"
#include "wire/smtp/content.h"
#include "wire/smtp/reply_reader.h"

/* In the order in which a session takes them. */
enum client_step_id {
    STEP_BANNER,
    STEP_EHLO,
    STEP_HELO,
    STEP_STARTTLS,
    STEP_AUTH,
    STEP_ANSWER,
    STEP_RSET,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_BDAT,
    STEP_END,
    STEP_QUIT,
    STEP_NONE,
};

/* What a transaction sends next. */
enum transaction_sending {
    SENDING_START,   /* not yet looked at */
    SENDING_MAIL,
    SENDING_RCPT,
    SENDING_DATA,    /* DATA or BDAT */
    SENDING_PAUSE,   /* DATA was sent: nothing until its reply */
    SENDING_CONTENT,
    SENDING_END,     /* the final dot */
    SENDING_NOTHING, /* all is sent, or will never be */
};

enum recipient_progress {
    RECIPIENT_WAITING,
    RECIPIENT_SENT,
    RECIPIENT_ACCEPTED,
    RECIPIENT_DECIDED,
};

struct awaited {
    enum client_step_id step;
    uint32_t count;
    struct smtp_client_transaction *transaction; /* NULL outside of one */
};

/* The dot of one transaction, then RSET, MAIL, RCPT and DATA of the next. */
enum { AWAITED_MAX = 8 };

/* Whether it goes on with a time to be delivered in (RFC 2852). */
static inline bool transaction_has_by(const struct smtp_client_transaction *t)
{
    return t->envelope->deliver_by_wall_ms != 0 && t->now_wall_ms != NULL;
}

/* How much is left of it, in whole seconds; what is over is negative. */
static inline int64_t transaction_by_s(const struct smtp_client_transaction *t)
{
    int64_t left = t->envelope->deliver_by_wall_ms - t->now_wall_ms(t);
    return left >= 0 ? left / 1000 : -((999 - left) / 1000);
}

struct smtp_client {
    struct smtp_client_options options;
    enum smtp_client_state state;
    enum client_step_id greeting; /* to be sent next, or STEP_NONE */
    bool is_secured;
    bool refused_tls;
    struct buffer auth_line;      /* to be sent next by STEP_AUTH and STEP_ANSWER */
    struct buffer auth_first;     /* too long for the command: the first answer */
    bool auth_first_due;
    struct smtp_extensions extensions;
    struct smtp_reply_reader reader;
    struct awaited awaited[AWAITED_MAX];
    uint32_t awaited_first;
    uint32_t awaited_count;
    struct list under_way;        /* transactions in order, two at most */
    uint32_t under_way_count;
    struct list done;
    uint64_t steps;
    uint32_t mails_begun;
    bool reset_due;               /* the server may still hold a transaction */
    bool quit_due;
    struct content_encoder encoder;
};

/* One step of the dialogue: what is sent and what its reply means. */
struct client_step {
    const char *name;
    /* Appends the command, true when it did; may move on without sending. */
    bool (*build)(struct smtp_client *c, struct smtp_client_transaction *t,
                  struct buffer *out);
    void (*on_reply)(struct smtp_client *c, struct smtp_client_transaction *t,
                     const struct smtp_reply *reply);
    enum smtp_client_wait wait;
    bool is_barrier; /* nothing is sent behind it before its reply has come */
};

const struct client_step *client_step_of(enum client_step_id id);

static inline bool client_offers(const struct smtp_client *c, uint32_t extension)
{
    return (c->extensions.offered & extension) == extension;
}

/* 2yz; 3yz is an answer to DATA alone. */
static inline bool reply_is_done(const struct smtp_reply *reply)
{
    return reply->code >= 200 && reply->code < 300;
}

static inline bool reply_is_refusal(const struct smtp_reply *reply)
{
    return reply->code >= 400;
}

/* The one door between states. */
void client_enter(struct smtp_client *c, enum smtp_client_state to);

/* Puts `count` replies of this step at the end of what is awaited. */
void client_await(struct smtp_client *c, enum client_step_id step,
                  struct smtp_client_transaction *t, uint32_t count);

/* Ends the connection: all that is under way gets this reply, the other side's own
 * or a reason of ours. */
void client_fail(struct smtp_client *c, const struct smtp_reply *reply, bool is_remote);

/* Ends the connection: the other side does not keep to the protocol. */
void client_fail_protocol(struct smtp_client *c, const char *what);

/* step.c: the greeting is over, and what was wanted before a transaction is done. */
void client_greeted(struct smtp_client *c);

/* auth.c */
void auth_start(struct smtp_client *c);
void auth_forget(struct smtp_client *c);
bool auth_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out);
bool answer_build(struct smtp_client *c, struct smtp_client_transaction *t,
                  struct buffer *out);
void auth_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply);

/* transaction.c */

/* Looks at what the server offers and what the message needs; decides recipients
 * that can never be sent. */
void transaction_begin(struct smtp_client *c, struct smtp_client_transaction *t);

/* Moves it to the done ones when all is sent and answered. */
void transaction_settle(struct smtp_client *c, struct smtp_client_transaction *t);

/* Ends it with the connection. */
void transaction_abandon(struct smtp_client *c, struct smtp_client_transaction *t,
                         const struct smtp_reply *reply, bool is_remote);

/* Every recipient that the server took so far gets this reply of the server. */
void transaction_decide_accepted(struct smtp_client *c,
                                 struct smtp_client_transaction *t,
                                 const struct smtp_reply *reply);

/* Every recipient that is not decided gets this reply. */
void transaction_decide_all(struct smtp_client *c, struct smtp_client_transaction *t,
                            const struct smtp_reply *reply, bool is_remote);

/* This one recipient gets this reply of the server. */
void recipient_decide(struct smtp_client *c, struct smtp_client_transaction *t,
                      struct smtp_client_recipient *r, const struct smtp_reply *reply);

/* mail.c, rcpt.c and data.c: the steps of a transaction, as the table wants them. */
bool mail_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out);
void mail_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply);
bool rcpt_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out);
void rcpt_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply);
bool data_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out);
void data_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply);
void bdat_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply);
bool end_build(struct smtp_client *c, struct smtp_client_transaction *t,
               struct buffer *out);
void end_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                  const struct smtp_reply *reply);

/* content.c: appends content, up to SMTP_CLIENT_OUTPUT_BYTES in `out`; moves on at
 * its end. True when it appended anything or moved on. */
bool content_send(struct smtp_client *c, struct smtp_client_transaction *t,
                  struct buffer *out);

#endif
