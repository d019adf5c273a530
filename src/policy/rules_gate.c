/* rules_gate.c: a run of the rules for each recipient.
 *
 * What waits for the resolver belongs to the session's thread. A cancelled one loses its
 * question, and is freed when the resolver has given the query back.
 */
#include "policy/rules_gate.h"

#include "base/list.h"
#include "dns/lookup.h"
#include "log/log.h"
#include "policy/rules.h"

#include <pthread.h>
#include <stdlib.h>

struct rules_gate {
    struct gate gate;
    struct dns *dns;
    pthread_mutex_t mutex;
    struct list waiting;             /* under the mutex */
};

struct waiting {
    struct dns_query query;
    struct list_node node;
    struct rules_gate *gate;
    struct gate_question *question;  /* NULL: cancelled */
    struct rules_run run;
    const struct config *config;     /* held */
    uint32_t delay_ms;
};

static const struct smtp_reply rejected = {
    .code = 550, .status = { 5, 7, 1 }, .text = SLICE_INIT("Rejected by a rule of this server"),
};
static const struct smtp_reply deferred = {
    .code = 450, .status = { 4, 7, 1 }, .text = SLICE_INIT("Put off by a rule of this server"),
};
static const struct smtp_reply closed = {
    .code = 421, .status = { 4, 7, 1 }, .text = SLICE_INIT("Closed by a rule of this server"),
};

static void tell(const struct gate_question *q, const struct config_rule *rule)
{
    struct log_line line;
    if (!log_wants(LOG_INFO))
        return;
    log_begin(&line, LOG_INFO, "rule");
    log_number(&line, "session", (int64_t)q->session_id);
    log_number(&line, "line", rule->line);
    log_text(&line, "to", q->recipient);
    log_end(&line);
}

static void set_reply(struct gate_answer *answer, enum gate_action action,
                      const struct smtp_reply *reply, const struct config_rule *rule)
{
    answer->action = action;
    answer->reply = *reply;
    if (!slice_is_empty(rule->reply))
        answer->reply.text = rule->reply;
}

/* True when the rule ends the run. */
static bool apply(struct gate_question *q, const struct config_rule *rule,
                  uint32_t *delay_ms, struct gate_answer *answer)
{
    tell(q, rule);
    switch (rule->then) {
    case CONFIG_THEN_ACCEPT:
        return true;
    case CONFIG_THEN_RELAY:
        q->may_relay = true;
        return true;
    case CONFIG_THEN_REJECT:
        set_reply(answer, GATE_REPLY, &rejected, rule);
        return true;
    case CONFIG_THEN_DEFER:
        set_reply(answer, GATE_REPLY, &deferred, rule);
        return true;
    case CONFIG_THEN_DISCARD:
        answer->action = GATE_DISCARD;
        return true;
    case CONFIG_THEN_HOLD:
        answer->action = GATE_HOLD;
        return true;
    case CONFIG_THEN_CLOSE:
        set_reply(answer, GATE_CLOSE, &closed, rule);
        return true;
    case CONFIG_THEN_DELAY:
        *delay_ms += (uint32_t)rule->delay_ms;
        return false;
    }
    return true;
}

/* Runs until something must be asked (true) or `answer` is there. */
static bool go_on(struct rules_run *run, struct gate_question *q, uint32_t *delay_ms,
                  struct gate_answer *answer)
{
    *answer = (struct gate_answer){ .action = GATE_PASS };
    while (rules_next(run) == RULES_DECIDED) {
        if (run->rule == NULL || apply(q, run->rule, delay_ms, answer)) {
            answer->delay_ms = *delay_ms;
            return false;
        }
        rules_go_on(run);
    }
    return true;
}

static void waiting_free(struct waiting *w)
{
    pthread_mutex_lock(&w->gate->mutex);
    list_remove(&w->node);
    pthread_mutex_unlock(&w->gate->mutex);
    dns_query_clear(&w->query);
    config_drop(&w->config);
    free(w);
}

static void on_answer(struct dns_query *query);

static void ask(struct waiting *w)
{
    w->query = (struct dns_query){ .home = w->question->home, .done = on_answer,
                                   .name = w->run.question.name,
                                   .type = w->run.question.type };
    dns_query(w->gate->dns, &w->query);
}

static void on_answer(struct dns_query *query)
{
    struct waiting *w = container_of(query, struct waiting, query);
    struct gate_question *q = w->question;
    struct gate_answer answer;
    if (q == NULL) {
        waiting_free(w);
        return;
    }
    struct lookup_answer found = dns_as_lookup(&query->answer);
    rules_answer(&w->run, &found);
    dns_query_clear(query);
    if (go_on(&w->run, q, &w->delay_ms, &answer)) {
        ask(w);
        return;
    }
    q->parked = NULL;
    waiting_free(w); /* the words of a reply are the session's configuration's */
    q->answered(q, &answer);
}

static struct rules_memory *memory_of(struct gate_question *q)
{
    if (q->state != NULL && *q->state == NULL)
        *q->state = calloc(1, sizeof(struct rules_memory));
    return q->state == NULL ? NULL : *q->state;
}

static struct waiting *waiting_new(struct rules_gate *g, struct gate_question *q,
                                   const struct rules_run *run)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->gate = g;
    w->question = q;
    w->run = *run;
    w->run.question.name = slice_make(w->run.name, run->question.name.len);
    w->config = config_hold(q->config);
    pthread_mutex_lock(&g->mutex);
    list_append(&g->waiting, &w->node);
    pthread_mutex_unlock(&g->mutex);
    return w;
}

static enum gate_result rules_ask(struct gate *gate, struct gate_question *q,
                                  struct gate_answer *out_answer)
{
    static const struct smtp_reply fault = {
        .code = 451, .status = { 4, 3, 0 }, .text = SLICE_INIT("Local error, try later"),
    };
    struct rules_gate *g = container_of(gate, struct rules_gate, gate);
    struct rules_run run;
    uint32_t delay_ms = 0;
    *out_answer = (struct gate_answer){ .action = GATE_PASS };
    if (q->config->rules_count == 0)
        return GATE_ANSWERED;
    struct rules_memory *memory = memory_of(q);
    if (memory == NULL) {
        *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = fault };
        return GATE_ANSWERED;
    }
    struct rules_facts facts = {
        .config = q->config, .client = q->address, .is_submission = q->is_submission,
        .is_tls = q->is_tls, .account = q->account, .helo = q->helo,
        .from = q->envelope->sender, .to = q->recipient,
    };
    rules_begin(&run, &facts, memory);
    if (!go_on(&run, q, &delay_ms, out_answer))
        return GATE_ANSWERED;
    struct waiting *w = waiting_new(g, q, &run);
    if (w == NULL) {
        *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = fault };
        return GATE_ANSWERED;
    }
    w->delay_ms = delay_ms;
    q->parked = w;
    ask(w);
    return GATE_PARKED;
}

static void rules_cancel(struct gate *gate, struct gate_question *question)
{
    struct waiting *w = question->parked;
    (void)gate;
    question->parked = NULL;
    if (w == NULL)
        return;
    w->question = NULL;
    dns_cancel(&w->query);
}

static void rules_forget(struct gate *gate, void **state)
{
    (void)gate;
    free(*state);
    *state = NULL;
}

static const struct gate_ops rules_ops = {
    .name = "rules", .points = GATE_RCPT, .ask = rules_ask, .cancel = rules_cancel,
    .forget = rules_forget,
};

enum err policy_rules_gate_open(struct dns *dns, struct gate **out)
{
    struct rules_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &rules_ops;
    g->dns = dns;
    pthread_mutex_init(&g->mutex, NULL);
    list_init(&g->waiting);
    *out = &g->gate;
    return ERR_OK;
}

void policy_rules_gate_close(struct gate **gate)
{
    struct list_node *node;
    if (*gate == NULL)
        return;
    struct rules_gate *g = container_of(*gate, struct rules_gate, gate);
    while ((node = list_first(&g->waiting)) != NULL)
        waiting_free(container_of(node, struct waiting, node));
    pthread_mutex_destroy(&g->mutex);
    free(g);
    *gate = NULL;
}
