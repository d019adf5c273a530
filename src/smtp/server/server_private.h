/* server_private.h: the session and its verbs. */
#ifndef GODWIT_SMTP_SERVER_SERVER_PRIVATE_H
#define GODWIT_SMTP_SERVER_SERVER_PRIVATE_H

#include "base/arena.h"
#include "base/cursor.h"
#include "smtp/server/server.h"
#include "wire/message/header.h"
#include "wire/smtp/command.h"

enum {
    TRANSACTION_BYTES_MAX = 2 * 1024 * 1024,
    HELO_MAX = 255,
    OUT_ENOUGH = 16 * 1024,
};

/* One mail transaction; dropping it is the reset. */
struct transaction {
    struct arena arena;
    struct envelope envelope;
    struct envelope_recipient *recipients;
    size_t recipients_room;
    uint32_t recipients_refused;
    uint64_t declared_size;
    bool has_by;                    /* BY= */
    int32_t by_s;
    bool priority_changed;          /* by us */
    uint32_t hold_for_s;            /* HOLDFOR=, or 0 */
    int64_t hold_until_wall_ms;     /* HOLDUNTIL=, or 0 */
    bool intake_begun;              /* ASK_DATA was answered: DROPPED is owed */
    struct content_decoder decoder;
    struct header_scan header;
    uint64_t chunk_left;            /* of the current BDAT chunk */
    uint64_t chunk_size;
    bool chunk_is_last;
    bool is_bdat;
    bool too_early;                 /* BDAT before any HELO: refused */
    struct smtp_reply refusal;      /* code 0: none; decided before the end */
    bool close_after;               /* the refusal ends the session */
};

struct smtp_server {
    const struct smtp_server_options *options;
    struct buffer *out;
    enum smtp_server_phase phase;
    struct transaction txn;
    struct smtp_question question;
    const struct verb *verb;
    char helo[HELO_MAX];
    uint8_t helo_len;
    char helo_asked[HELO_MAX];      /* while its acceptance is asked for */
    bool esmtp;
    bool may_xclient;
    bool skipping_line;             /* the rest of a line that was too long */
    bool dropped;                   /* a DROPPED step is owed */
    bool closing;
    bool has_quit;
    bool more_input;                /* something stands behind the line being run */
    bool securing;                  /* STARTTLS was answered with 220 */
    bool secured;
    struct smtp_server_release release;
    bool may_etrn;
    struct smtp_server_auth auth;
    bool authenticated;
    uint32_t auth_failures;
    char mechanism[SMTP_SERVER_MECHANISM_MAX];
    struct buffer response;         /* of AUTH, decoded */
    uint32_t errors;
    uint32_t junk;
    struct arena xclient_arena;
    struct smtp_xclient xclient;
};

struct verb {
    const char *name;
    unsigned phases;                /* in which it is legal */
    bool is_junk;                   /* brings no mail forward */
    bool in_clear;                  /* also where TLS is required and not there yet */
    void (*run)(struct smtp_server *s, struct slice argument);
    void (*accepted)(struct smtp_server *s, const struct smtp_reply *reply);
};

/* The one door between phases: to READY and below always drops the transaction. */
void server_enter(struct smtp_server *s, enum smtp_server_phase to);

/* Says something; counts errors; enough of them closes. */
void server_say(struct smtp_server *s, const struct smtp_reply *reply);
void server_say_text(struct smtp_server *s, uint16_t code, uint8_t class,
                     uint16_t subject, uint16_t detail, struct slice text);

/* Says it and closes. */
void server_say_and_close(struct smtp_server *s, const struct smtp_reply *reply);

/* Parks the session on a question. */
void server_ask(struct smtp_server *s, enum smtp_ask ask);

void transaction_init(struct transaction *t);
void transaction_drop(struct smtp_server *s);

/* False when memory or the transaction's bound is used up. */
bool transaction_add(struct transaction *t, const struct envelope_recipient *r);

/* Content: pieces until the end of DATA or of a chunk. */
void content_begin(struct smtp_server *s, bool is_bdat);
enum smtp_server_step content_step(struct smtp_server *s, struct slice *input,
                                   struct slice *out_piece);
void content_refuse(struct smtp_server *s, const struct smtp_reply *reply, bool close);

void verb_helo(struct smtp_server *s, struct slice argument);
void verb_ehlo(struct smtp_server *s, struct slice argument);
void helo_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void verb_mail(struct smtp_server *s, struct slice argument);
void mail_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void verb_rcpt(struct smtp_server *s, struct slice argument);
void rcpt_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void verb_data(struct smtp_server *s, struct slice argument);
void data_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void verb_bdat(struct smtp_server *s, struct slice argument);
void bdat_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void bdat_chunk_done(struct smtp_server *s);
void verb_rset(struct smtp_server *s, struct slice argument);
void verb_noop(struct smtp_server *s, struct slice argument);
void verb_quit(struct smtp_server *s, struct slice argument);
void verb_help(struct smtp_server *s, struct slice argument);
void verb_vrfy(struct smtp_server *s, struct slice argument);
void vrfy_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void verb_unimplemented(struct smtp_server *s, struct slice argument);
void verb_foreign(struct smtp_server *s, struct slice argument);
void verb_starttls(struct smtp_server *s, struct slice argument);
void verb_auth(struct smtp_server *s, struct slice argument);
void auth_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void auth_refused(struct smtp_server *s, const struct smtp_reply *reply);
void auth_line(struct smtp_server *s, struct slice line);
void auth_line_too_long(struct smtp_server *s);
void verb_xclient(struct smtp_server *s, struct slice argument);
void xclient_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void verb_etrn(struct smtp_server *s, struct slice argument);
void etrn_accepted(struct smtp_server *s, const struct smtp_reply *reply);
void verb_xforward(struct smtp_server *s, struct slice argument);

#endif
