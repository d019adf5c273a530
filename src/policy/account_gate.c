#include "policy/account_gate.h"

#include "base/list.h"
#include "config/config.h"
#include "policy/windows.h"

#include <stdlib.h>

struct account_gate {
    struct gate gate;
    struct windows *windows;
};

enum { MESSAGES, RECIPIENTS, BYTES };

static const struct smtp_reply too_much = {
    .code = 450, .status = { 4, 7, 1 },
    .text = SLICE_INIT("Your account has sent too much for now, try later"),
};

/* What the question adds to what was sent: it is counted at the end only. */
static struct windows_sums adds(const struct gate_question *q)
{
    struct windows_sums more = { .of = { [MESSAGES] = 1 } };
    if (q->point != GATE_MAIL)
        more.of[RECIPIENTS] = q->envelope->recipients_count + (q->point == GATE_RCPT);
    if (q->point == GATE_END || q->point == GATE_RCPT)
        more.of[BYTES] = q->content_size; /* at RCPT what SIZE= said */
    return more;
}

static bool is_allowed(struct account_gate *g, const struct gate_question *q)
{
    const struct config_account_limits *l = &q->config->account_limits;
    struct windows_sums more = adds(q);
    struct windows_key key = {
        .key = q->account,
        .max.of = { [MESSAGES] = l->messages, [RECIPIENTS] = l->recipients,
                    [BYTES] = l->bytes },
    };
    return windows_take(g->windows, &key, 1, q->now.mono_ms, l->window_ms, &more,
                        q->point == GATE_END);
}

static enum gate_result account_ask(struct gate *gate, struct gate_question *q,
                                    struct gate_answer *out_answer)
{
    struct account_gate *g = container_of(gate, struct account_gate, gate);
    const struct config_account_limits *l = &q->config->account_limits;
    bool is_limited = l->messages != 0 || l->recipients != 0 || l->bytes != 0;
    *out_answer = (struct gate_answer){ .action = GATE_PASS };
    if (is_limited && !slice_is_empty(q->account) && !is_allowed(g, q))
        *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = too_much };
    return GATE_ANSWERED;
}

/* It never parks. */
static void account_cancel(struct gate *gate, struct gate_question *question)
{
    (void)gate;
    (void)question;
}

static const struct gate_ops account_ops = {
    .name = "account", .points = GATE_MAIL | GATE_RCPT | GATE_END,
    .ask = account_ask, .cancel = account_cancel,
};

enum err policy_account_gate_open(size_t accounts_max, struct gate **out)
{
    struct account_gate *g = calloc(1, sizeof *g);
    enum err error = g == NULL ? ERR_MEMORY : windows_open(accounts_max, &g->windows);
    if (error != ERR_OK) {
        free(g);
        return error;
    }
    g->gate.ops = &account_ops;
    *out = &g->gate;
    return ERR_OK;
}

void policy_account_gate_close(struct gate **gate)
{
    if (*gate == NULL)
        return;
    struct account_gate *g = container_of(*gate, struct account_gate, gate);
    windows_close(&g->windows);
    free(g);
    *gate = NULL;
}
