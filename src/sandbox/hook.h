/* hook.h: webhooks: who wants to be told of what, and what is to be told, kept until it was.
 *
 * What happened is queued in the transaction that it happened in: with a file that outlives the
 * process, a webhook is told at least once. Whoever tells it (api/webhook_send.c) takes the next
 * that is due and says how it went; a failure is tried again after a time that doubles, and is a
 * dead letter when that was often enough. One thread.
 */
#ifndef GODWIT_SANDBOX_HOOK_H
#define GODWIT_SANDBOX_HOOK_H

#include "sandbox/box.h"

enum hook_event {
    HOOK_RECEIVED = 1,   /* a message: its summary */
    HOOK_UPDATED = 2,    /* read or tagged: {id, read} or {id, tags} */
    HOOK_DELETED = 4,    /* {id} */
    HOOK_REFUSED = 8,    /* a session was told 4xx or 5xx: {session, client, line} */
    HOOK_BOUNCED = 16,   /* the simulator has sent a bounce or a complaint: {kind, recipient, ..} */
    HOOK_TEST = 32,      /* somebody wants to see one */
};

enum hook_state { HOOK_WAITING, HOOK_UNDER_WAY, HOOK_DELIVERED, HOOK_DEAD, HOOK_PASSED_OVER };

enum { HOOKS_MAX = 1000, HOOK_TRIES_MAX = 30, HOOK_BACKOFF_MAX_MS = 60 * 60 * 1000 };

/* "message.received"; NULL: that is none. */
const char *hook_event_name(enum hook_event event);
/* 0: there is none of that name. */
enum hook_event hook_event_of(struct slice name);

/* -1: there is no state of that name. */
int hook_state_of(struct slice name);

/* `wish` is the object {url, events[], tries, backoff_ms, ...} as its maker wants it back, with
 * `inbox` (an id or an address) where it is for that one alone. As it is shown: with id, created,
 * paused. NULL, and why not: a static text. */
json_t *box_hook_add(struct box *box, int64_t workspace, json_t *wish, const char **out_why);
json_t *box_hooks(struct box *box, int64_t workspace); /* the oldest first */
json_t *box_hook(struct box *box, int64_t workspace, struct slice id);
bool box_hook_pause(struct box *box, int64_t workspace, struct slice id, bool paused);
bool box_hook_delete(struct box *box, int64_t workspace, struct slice id);
/* The one of whoever started the sandbox, for the common workspace; NULL: none from now on. */
bool box_hook_of_operator(struct box *box, json_t *wish);

/* {id, webhook, event, created, state, tries, due, message, body, attempts[{at, ms, status,
 * trouble, answer}]}, the newest first; in the list without body and attempts. `state` is a name
 * or empty. */
struct hook_query {
    int64_t workspace;
    struct slice hook;           /* empty: all of the workspace */
    struct slice state;
    uint32_t start;
    uint32_t limit;
};
json_t *box_deliveries(struct box *box, const struct hook_query *query);
json_t *box_delivery(struct box *box, int64_t workspace, struct slice id);
/* How many of a webhook are in that state; in any with -1. */
uint64_t box_deliveries_count(struct box *box, int64_t workspace, struct slice hook, int state);
/* Dead letters, or one that was delivered, are tried again from the start: of a webhook, or one
 * by its id. How many. */
int64_t box_redrive(struct box *box, int64_t workspace, struct slice hook, struct slice delivery);
/* Queues one for a test; its id, or NULL: no such webhook. */
json_t *box_hook_test(struct box *box, int64_t workspace, struct slice hook);

/* ---- for the one who tells ---- */

struct hook_job {
    int64_t id;
    char uid[64];
    enum hook_event event;
    int64_t workspace;
    unsigned tries;              /* that were */
    bool is_of_operator;
    int64_t created_ms;
    json_t *hook;                /* as it is shown; all of these are new */
    json_t *data;                /* what happened */
    json_t *body;                /* a text: what was sent at the first try; or NULL */
};
/* The next that is due; it is under way from then on. False: there is none. */
bool box_hook_next(struct box *box, int64_t now_ms, struct hook_job *out);
void hook_job_free(struct hook_job *job);
/* When the next will be due; 0: there is none. */
int64_t box_hook_due(struct box *box);
/* What is sent, so that each try sends the same. */
bool box_hook_keep(struct box *box, const struct hook_job *job, struct slice body);

struct hook_outcome {
    bool is_good;
    bool is_passed_over;         /* its filter does not fit: nothing was sent */
    bool is_hopeless;            /* else: there is no use in trying again */
    unsigned status;             /* of HTTP, 0: none came */
    const char *trouble;
    struct slice answer;
    int64_t at_ms;
    int64_t took_ms;
};
void box_hook_done(struct box *box, const struct hook_job *job,
                   const struct hook_outcome *outcome);

#endif
