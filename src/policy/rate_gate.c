#include "policy/rate_gate.h"

#include "base/list.h"
#include "config/config.h"
#include "policy/client_keys.h"
#include "policy/windows.h"

#include <stdlib.h>

struct rate_gate {
    struct gate gate;
    struct windows *windows;
};

enum { CONNECTIONS, MESSAGES, RECIPIENTS };

static const struct smtp_reply too_often = {
    .code = 421, .status = { 4, 7, 0 },
    .text = SLICE_INIT("Too many connections from your address in a while, try later"),
};
static const struct smtp_reply too_much = {
    .code = 450, .status = { 4, 7, 1 },
    .text = SLICE_INIT("Too much from your address in a while, try later"),
};

static struct windows_sums times(const struct windows_sums *max, uint64_t factor)
{
    struct windows_sums product;
    for (size_t i = 0; i < WINDOWS_SUMS; i++)
        product.of[i] = max->of[i] * factor;
    return product;
}

static struct windows_sums adds(enum gate_point point)
{
    return (struct windows_sums){ .of = {
        [CONNECTIONS] = point == GATE_CONNECT,
        [MESSAGES] = point == GATE_MAIL,
        [RECIPIENTS] = point == GATE_RCPT,
    } };
}

static bool is_allowed(struct rate_gate *g, const struct gate_question *q)
{
    const struct config_client_limits *l = &q->config->client_limits;
    struct windows_sums max = {
        .of = { [CONNECTIONS] = l->connections, [MESSAGES] = l->messages,
                [RECIPIENTS] = l->recipients },
    };
    struct windows_sums more = adds(q->point);
    struct client_keys keys;
    if (!client_keys_make(q->address, &keys))
        return true;
    bool has_address = keys.address_len > 0;
    struct windows_key all[WINDOWS_KEYS_MAX] = {
        { .key = slice_make(keys.network, keys.network_len),
          .max = times(&max, has_address ? CLIENT_NETWORK_FACTOR : 1) },
        { .key = slice_make(keys.address, keys.address_len), .max = max },
    };
    return windows_take(g->windows, all, has_address ? 2 : 1, q->now.mono_ms, l->window_ms,
                        &more, true);
}

static enum gate_result rate_ask(struct gate *gate, struct gate_question *q,
                                 struct gate_answer *out_answer)
{
    struct rate_gate *g = container_of(gate, struct rate_gate, gate);
    const struct config_client_limits *l = &q->config->client_limits;
    const uint64_t max = q->point == GATE_CONNECT ? l->connections
                         : q->point == GATE_MAIL  ? l->messages
                                                  : l->recipients;
    bool is_known = q->client_is_trusted || !slice_is_empty(q->account);
    *out_answer = (struct gate_answer){ .action = GATE_PASS };
    if (max == 0 || is_known || is_allowed(g, q))
        return GATE_ANSWERED;
    if (q->point == GATE_CONNECT)
        *out_answer = (struct gate_answer){ .action = GATE_CLOSE, .reply = too_often };
    else
        *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = too_much };
    return GATE_ANSWERED;
}

/* It never parks. */
static void rate_cancel(struct gate *gate, struct gate_question *question)
{
    (void)gate;
    (void)question;
}

static const struct gate_ops rate_ops = {
    .name = "rate", .points = GATE_CONNECT | GATE_MAIL | GATE_RCPT,
    .ask = rate_ask, .cancel = rate_cancel,
};

enum err policy_rate_gate_open(size_t keys_max, struct gate **out)
{
    struct rate_gate *g = calloc(1, sizeof *g);
    enum err error = g == NULL ? ERR_MEMORY : windows_open(keys_max, &g->windows);
    if (error != ERR_OK) {
        free(g);
        return error;
    }
    g->gate.ops = &rate_ops;
    *out = &g->gate;
    return ERR_OK;
}

void policy_rate_gate_close(struct gate **gate)
{
    if (*gate == NULL)
        return;
    struct rate_gate *g = container_of(*gate, struct rate_gate, gate);
    windows_close(&g->windows);
    free(g);
    *gate = NULL;
}
