/* relay_gate.c: the rule that keeps us from being an open relay. */
#include "policy/relay_gate.h"

#include "base/list.h"

#include <stdlib.h>

struct relay_gate {
    struct gate gate;
    account_find *find;
};

static const struct smtp_reply relaying_denied = {
    .code = 550, .status = { 5, 7, 1 }, .text = SLICE_INIT("Relaying denied"),
};
static const struct smtp_reply unknown_user = {
    .code = 550, .status = { 5, 1, 1 }, .text = SLICE_INIT("No such user here"),
};
static const struct smtp_reply fault = {
    .code = 451, .status = { 4, 3, 0 }, .text = SLICE_INIT("Local error, try later"),
};

static const struct smtp_reply *refusal(enum account_kind kind, bool may_relay)
{
    switch (kind) {
    case ACCOUNT_USER:
    case ACCOUNT_ALIAS:
    case ACCOUNT_RELAY:
        return NULL;
    case ACCOUNT_UNKNOWN:
        return &unknown_user;
    case ACCOUNT_FOREIGN:
        return may_relay ? NULL : &relaying_denied;
    }
    return &relaying_denied;
}

static enum gate_result relay_ask(struct gate *gate, struct gate_question *question,
                                  struct gate_answer *out_answer)
{
    const struct relay_gate *g = container_of(gate, struct relay_gate, gate);
    const struct smtp_reply *reply = &fault;
    enum account_kind kind;
    *out_answer = (struct gate_answer){ .action = GATE_PASS };
    if (question->point != GATE_RCPT)
        return GATE_ANSWERED;
    if (g->find(question->config, question->recipient, &kind) == ERR_OK)
        reply = refusal(kind, question->client_is_trusted || question->may_relay ||
                              question->account.len > 0);
    if (reply != NULL)
        *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = *reply };
    return GATE_ANSWERED;
}

/* It never parks. */
static void relay_cancel(struct gate *gate, struct gate_question *question)
{
    (void)gate;
    (void)question;
}

static const struct gate_ops relay_ops = {
    .name = "relay", .points = GATE_RCPT, .ask = relay_ask, .cancel = relay_cancel,
};

enum err policy_relay_gate_open(account_find *find, struct gate **out)
{
    struct relay_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    *g = (struct relay_gate){ .gate = { .ops = &relay_ops }, .find = find };
    *out = &g->gate;
    return ERR_OK;
}

void policy_relay_gate_close(struct gate **gate)
{
    if (*gate != NULL)
        free(container_of(*gate, struct relay_gate, gate));
    *gate = NULL;
}
