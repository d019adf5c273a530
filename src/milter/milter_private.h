/* milter_private.h: a session's filters, and what the files of this folder share.
 *
 * gate.c (the points of a session), link.c (the connection to one filter: a command, its
 * answer, its time), content.c (a message's way through one filter), macros.c.
 * All on the session's thread.
 */
#ifndef GODWIT_MILTER_MILTER_PRIVATE_H
#define GODWIT_MILTER_MILTER_PRIVATE_H

#include "config/config.h"
#include "milter/gate.h"
#include "milter/held.h"
#include "milter/letter.h"
#include "net/stream.h"
#include "wire/milter/reply.h"

struct milter_gate {
    struct gate gate;
    struct loop *loop;
    struct workers *workers;
    char *folder;
};

enum link_state {
    LINK_CLOSED,
    LINK_CONNECTING,
    LINK_READY,               /* versions and options are agreed upon */
};

/* How far a message is on its way through one filter. */
enum link_stage {
    STAGE_START,
    STAGE_HEADER,
    STAGE_BODY,
    STAGE_END,
    STAGE_OVER,
};

struct filter;

/* One filter of one session. */
struct link {
    struct stream_owner owner;
    struct stream *stream;
    struct filter *filter;
    const struct config_milter *milter;
    enum link_state state;
    struct milter_reader reader;
    struct milter_options agreed;
    struct buffer names[MILTER_STAGES]; /* of the macros it asked for */
    bool has_names[MILTER_STAGES];
    enum milter_command awaits;   /* 0: nothing */
    int64_t patience_mono_ms;     /* how far "wait" may put off the deadline */
    enum milter_reply_kind said;  /* the answer, not looked at yet; 0: none */
    struct buffer text;           /* of MILTER_REPLY_CODE; then of `reply` */
    struct smtp_reply reply;
    bool has_connect;             /* it has been told ... */
    bool has_helo;
    bool has_mail;
    bool has_rcpt;                /* the one that is asked about */
    bool has_data;
    bool has_unknown;
    bool passes_session;          /* it wants to see no more */
    bool passes_message;
    bool failed;                  /* in this transaction */
    unsigned failures;            /* in this session */
    /* the message */
    enum link_stage stage;
    size_t field_at;
    uint64_t body_at;
    bool skips;
    struct letter letter;         /* a fork, until it has agreed */
    struct held *body;            /* in place of the one before, or NULL */
    bool body_cr;                 /* ends in a CR that may begin a line end */
    bool body_has_8bit;
};

/* All filters of one session. */
struct filter {
    struct milter_gate *gate;
    struct gate_question *question; /* that is parked */
    struct net_address client;
    struct link *links;
    size_t count;
    size_t at;                    /* the one being asked */
    struct buffer command;        /* that is none, while it is asked about */
    bool hold;                    /* one that failed wants it held */
    /* the message */
    bool has_letter;
    bool is_prepared;             /* the fields of gates stand in it too */
    struct arena arena;
    struct letter letter;
    struct held *body;
    bool body_has_8bit;
    enum { CONTENT_FIELDS, CONTENT_END_OF_HEADER, CONTENT_BODY } content_part;
    size_t content_field;
    uint64_t content_at;
    struct gate_content content;  /* how it is given back */
    struct envelope envelope;
};

/* What to do next about a link, or about a session. */
enum step {
    STEP_NEXT,                /* done here */
    STEP_AGAIN,
    STEP_WAIT,
    STEP_ANSWERED,            /* *answer is set */
};

/* link.c */
/* Connects; the answer to the options is awaited. False: it has failed already. */
void link_open(struct link *l);
/* Says the command with its macros, if the filter wants it; true when an answer is awaited. */
bool link_say(struct link *l, enum milter_command command, const struct slice *strings,
              size_t count);
bool link_say_client(struct link *l, const struct milter_client *client);
bool link_say_chunk(struct link *l, struct slice chunk);
/* Without an answer. */
void link_abort(struct link *l);
void link_quit(struct link *l);
void link_close(struct link *l);
/* It cannot be relied upon for this transaction; `why` is logged. */
void link_fail(struct link *l, const char *why);
bool link_is_crowded(const struct link *l); /* much waits to be written: STREAM_DRAINED */
bool link_may(const struct link *l, uint32_t action);

/* gate.c: something has come that a parked question may wait for. Nothing of the filter may
 * be touched afterwards: the session may be gone. */
void filter_go_on(struct filter *f);
void filter_log(const struct link *l, const char *action, struct slice text);
/* The answer of a filter at a command or in a message. */
enum step filter_verdict(struct link *l, struct gate_question *q, struct gate_answer *out);

/* content.c */
enum step content_go(struct link *l, struct gate_question *q, struct gate_answer *out);
/* An edit, before the answer; NULL, or why it cannot be. */
const char *content_edit(struct link *l, const struct milter_reply *reply);
bool content_open_body(struct filter *f, uint64_t bytes_max, struct held **out);

/* macros.c: the macros that are true for a command, as a packet. */
void macros_append(struct link *l, enum milter_command command, struct buffer *out);

static inline struct gate_question *link_question(const struct link *l)
{
    return l->filter->question;
}

#endif
