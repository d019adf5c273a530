#include "policy/account_gate.h"

#include "base/list.h"
#include "base/table.h"
#include "config/config.h"

#include <pthread.h>
#include <stdlib.h>

struct sums {
    uint64_t messages;
    uint64_t recipients;
    uint64_t bytes;
};

struct account {
    struct table_entry entry;
    struct list_node node;      /* by last use, oldest first */
    int64_t window;             /* its number: time divided by the length */
    struct sums now;
    struct sums before;
    char name[];
};

struct account_gate {
    struct gate gate;
    pthread_mutex_t mutex;
    struct table accounts;
    struct list used;
    size_t accounts_max;
};

static const struct smtp_reply too_much = {
    .code = 450, .status = { 4, 7, 1 },
    .text = SLICE_INIT("Your account has sent too much for now, try later"),
};

static void drop(struct account_gate *g, struct account *a)
{
    table_remove(&g->accounts, &a->entry);
    list_remove(&a->node);
    free(a);
}

static struct account *find_or_make(struct account_gate *g, struct slice name)
{
    struct table_entry *e = table_find(&g->accounts, name);
    struct account *a = e == NULL ? NULL : container_of(e, struct account, entry);
    if (a == NULL) {
        a = calloc(1, sizeof *a + name.len);
        if (a == NULL)
            return NULL;
        memcpy(a->name, name.data, name.len);
        if (!table_insert(&g->accounts, &a->entry, slice_make(a->name, name.len))) {
            free(a);
            return NULL;
        }
        list_append(&g->used, &a->node);
        if (g->accounts.count > g->accounts_max)
            drop(g, container_of(list_first(&g->used), struct account, node));
    }
    list_remove(&a->node);
    list_append(&g->used, &a->node);
    return a;
}

static void turn_to(struct account *a, int64_t window)
{
    if (a->window == window)
        return;
    a->before = a->window + 1 == window ? a->now : (struct sums){ 0 };
    a->now = (struct sums){ 0 };
    a->window = window;
}

/* What counts now, of `before` the part that the window still reaches. */
static uint64_t sum(uint64_t now, uint64_t before, int64_t passed, int64_t length)
{
    double part = (double)(length - passed) / (double)length;
    return now + (uint64_t)((double)before * part);
}

static bool is_over(uint64_t sum, uint64_t more, uint64_t max)
{
    return max != 0 && (more > max || sum > max - more);
}

/* What the question adds to what was sent: it is counted at the end only. */
static struct sums adds(const struct gate_question *q)
{
    struct sums more = { .messages = 1 };
    if (q->point != GATE_MAIL)
        more.recipients = q->envelope->recipients_count + (q->point == GATE_RCPT);
    if (q->point == GATE_END || q->point == GATE_RCPT)
        more.bytes = q->content_size; /* at RCPT what SIZE= said */
    return more;
}

static bool is_allowed(struct account_gate *g, const struct gate_question *q)
{
    const struct config_account_limits *l = &q->config->account_limits;
    struct sums more = adds(q);
    pthread_mutex_lock(&g->mutex);
    struct account *a = find_or_make(g, q->account);
    bool allowed = a == NULL;
    if (a != NULL) {
        int64_t passed = q->now.mono_ms % l->window_ms;
        turn_to(a, q->now.mono_ms / l->window_ms);
        allowed = !is_over(sum(a->now.messages, a->before.messages, passed, l->window_ms),
                           more.messages, l->messages) &&
                  !is_over(sum(a->now.recipients, a->before.recipients, passed,
                               l->window_ms), more.recipients, l->recipients) &&
                  !is_over(sum(a->now.bytes, a->before.bytes, passed, l->window_ms),
                           more.bytes, l->bytes);
    }
    if (a != NULL && allowed && q->point == GATE_END) {
        a->now.messages += more.messages;
        a->now.recipients += more.recipients;
        a->now.bytes += more.bytes;
    }
    pthread_mutex_unlock(&g->mutex);
    return allowed;
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
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &account_ops;
    g->accounts_max = accounts_max;
    pthread_mutex_init(&g->mutex, NULL);
    table_init(&g->accounts);
    list_init(&g->used);
    *out = &g->gate;
    return ERR_OK;
}

void policy_account_gate_close(struct gate **gate)
{
    if (*gate == NULL)
        return;
    struct account_gate *g = container_of(*gate, struct account_gate, gate);
    while (!list_is_empty(&g->used))
        drop(g, container_of(list_first(&g->used), struct account, node));
    table_free(&g->accounts);
    pthread_mutex_destroy(&g->mutex);
    free(g);
    *gate = NULL;
}
