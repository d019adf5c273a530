/* gate.c: one message's check, from its header to the verdict.
 *
 * It belongs to the session's thread. While the DNS is asked a check that its session gave
 * up lives on until the resolver has given the query back.
 */
#include "verify/gate.h"

#include "base/ascii.h"
#include "base/list.h"
#include "crypto/public_keys.h"
#include "dns/lookup.h"
#include "log/log.h"
#include "verify/verify_private.h"

#include <pthread.h>
#include <stdlib.h>

enum { PATIENCE_MS = 20 * 1000, FIELD_MAX = 32 * 1024, KEYS_KEPT = 1024 };

struct verify_gate {
    struct gate gate;
    struct dns *dns;
    struct verify_watcher *watcher;
    struct public_keys *keys;        /* of those who signed lately */
    pthread_mutex_t mutex;
    struct list checks;              /* under the mutex */
};

struct check {
    struct dns_query query;
    struct list_node node;
    struct verify_gate *gate;
    struct auth *auth;
    struct gate_question *question;  /* while it is parked */
    bool is_asking;
    bool is_over;                    /* freed when the query is back */
    size_t stage;                    /* of the question that was asked last */
    int64_t until_mono_ms;           /* for that stage */
    char name[1024];                 /* that is asked for */
    struct buffer field;
};

static void check_free(struct check *c)
{
    pthread_mutex_lock(&c->gate->mutex);
    list_remove(&c->node);
    pthread_mutex_unlock(&c->gate->mutex);
    dns_query_clear(&c->query);
    auth_free(&c->auth);
    buffer_free(&c->field);
    free(c);
}

static struct check *check_make(struct verify_gate *g, const struct gate_question *q)
{
    struct check *c = calloc(1, sizeof *c);
    struct spf_request spf = {
        .helo = q->helo, .mail_from = q->envelope->sender, .receiver = verify_id(q->config),
        .now_s = q->now.wall_ms / 1000,
    };
    bool has_client = true;
    if (q->address->any.sa_family == AF_INET)
        spf_client_make(&q->address->v4.sin_addr, 4, &spf.client);
    else if (q->address->any.sa_family == AF_INET6)
        spf_client_make(&q->address->v6.sin6_addr, 16, &spf.client);
    else
        has_client = false;
    struct auth_request request = {
        .spf = has_client ? &spf : NULL, .header = q->header, .now_s = spf.now_s,
        .keys = g->keys, .asks_iprev = q->config->verify.iprev,
        .needs_dkim = q->config->verify.require_dkim,
    };
    if (c == NULL || auth_begin(&request, &c->auth) != ERR_OK) {
        free(c);
        return NULL;
    }
    c->gate = g;
    buffer_init(&c->field, FIELD_MAX);
    pthread_mutex_lock(&g->mutex);
    list_append(&g->checks, &c->node);
    pthread_mutex_unlock(&g->mutex);
    return c;
}

/* ---- the end of data ---- */

static void on_answer(struct dns_query *query);

/* Each standard has its own time: with one for all, slow names of a sender's would leave none
 * for the author's key and policy, and what cannot be looked up refuses nothing. */
static void begin_stage(struct check *c, int64_t now_mono_ms)
{
    if (auth_stage(c->auth) == c->stage)
        return;
    c->stage = auth_stage(c->auth);
    c->until_mono_ms = now_mono_ms + PATIENCE_MS;
}

/* Asks the next question (true), or has a verdict. What comes too late fails. */
static bool go_on(struct check *c, struct gate_question *q, int64_t now_mono_ms)
{
    static const struct lookup_answer too_late = { .kind = LOOKUP_FAILED };
    static const struct lookup_answer no_name = { .kind = LOOKUP_NXDOMAIN };
    struct lookup_question question;
    while (auth_next(c->auth, &question)) {
        begin_stage(c, now_mono_ms);
        bool fits = question.name.len <= sizeof c->name;
        if (now_mono_ms >= c->until_mono_ms || !fits) {
            auth_answer(c->auth, fits ? &too_late : &no_name);
            continue;
        }
        memcpy(c->name, question.name.data, question.name.len);
        c->query = (struct dns_query){
            .home = q->home, .done = on_answer, .type = question.type,
            .name = slice_make(c->name, question.name.len),
        };
        c->is_asking = true;
        dns_query(c->gate->dns, &c->query);
        return true;
    }
    return false;
}

static void on_answer(struct dns_query *query)
{
    struct check *c = container_of(query, struct check, query);
    struct gate_question *q = c->question;
    struct gate_answer answer;
    c->is_asking = false;
    if (c->is_over) {
        check_free(c);
        return;
    }
    struct lookup_answer found = dns_as_lookup(&query->answer);
    auth_answer(c->auth, &found);
    dns_query_clear(query);
    if (q == NULL || go_on(c, q, moment_now().mono_ms))
        return; /* cancelled: forget() follows */
    c->question = NULL;
    q->parked = NULL;
    verify_decide(q, c->auth, c->gate->watcher, &c->field, &answer);
    q->answered(q, &answer);
}

static enum gate_result at_end(struct check *c, struct gate_question *q,
                               struct gate_answer *out)
{
    if (auth_body_end(c->auth) != ERR_OK) {
        log_note(LOG_WARNING, "verify", "no memory to check a message: it passes unchecked");
        return GATE_ANSWERED;
    }
    c->until_mono_ms = q->now.mono_ms + PATIENCE_MS;
    if (go_on(c, q, q->now.mono_ms)) {
        c->question = q;
        q->parked = c;
        return GATE_PARKED;
    }
    verify_decide(q, c->auth, c->gate->watcher, &c->field, out);
    return GATE_ANSWERED;
}

/* A header that begins with a blank would go on where our own field ends, and say what it
 * likes in our name (HOSTILE 81 and 90). */
static const struct smtp_reply no_field = {
    .code = 550, .status = { 5, 7, 1 },
    .text = SLICE_INIT("The header begins with a line that is no field"),
};

static void at_header(struct verify_gate *g, struct gate_question *q,
                      struct gate_answer *out)
{
    *q->state = check_make(g, q);
    if (*q->state == NULL)
        log_note(LOG_WARNING, "verify", "no memory to check a message: it passes unchecked");
    if (q->header.len > 0 && ascii_is_blank(q->header.data[0])) {
        out->action = GATE_REPLY;
        out->reply = no_field;
        return;
    }
    buffer_clear(q->scratch);
    out->changes_header = results_remove(q->header, verify_id(q->config), q->scratch);
    out->header = buffer_slice(q->scratch);
}

static enum gate_result verify_ask(struct gate *gate, struct gate_question *q,
                                   struct gate_answer *out)
{
    struct verify_gate *g = container_of(gate, struct verify_gate, gate);
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (!q->config->verify.check || q->state == NULL)
        return GATE_ANSWERED;
    if (q->point == GATE_HEADER) {
        at_header(g, q, out);
        return GATE_ANSWERED;
    }
    struct check *c = *q->state;
    if (c == NULL)
        return GATE_ANSWERED;
    if (q->point == GATE_BODY) {
        auth_body(c->auth, q->body);
        return GATE_ANSWERED;
    }
    return at_end(c, q, out);
}

static void verify_cancel(struct gate *gate, struct gate_question *q)
{
    struct check *c = q->parked;
    (void)gate;
    q->parked = NULL;
    if (c != NULL)
        c->question = NULL;
}

static void verify_forget(struct gate *gate, void **state)
{
    struct check *c = *state;
    (void)gate;
    *state = NULL;
    if (!c->is_asking) {
        check_free(c);
        return;
    }
    c->is_over = true;
    dns_cancel(&c->query);
}

static const struct gate_ops verify_ops = {
    .name = "verify", .points = GATE_HEADER | GATE_BODY | GATE_END,
    .content_of = GATE_CONTENT_OF_STRANGERS,
    .ask = verify_ask, .cancel = verify_cancel, .forget = verify_forget,
};

enum err verify_gate_open(struct dns *dns, struct verify_watcher *watcher, struct gate **out)
{
    struct verify_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &verify_ops;
    g->dns = dns;
    g->watcher = watcher;
    pthread_mutex_init(&g->mutex, NULL);
    list_init(&g->checks);
    if (public_keys_new(KEYS_KEPT, &g->keys) != ERR_OK) {
        struct gate *failed = &g->gate;
        verify_gate_close(&failed);
        return ERR_MEMORY;
    }
    *out = &g->gate;
    return ERR_OK;
}

void verify_gate_close(struct gate **gate)
{
    struct list_node *node;
    if (*gate == NULL)
        return;
    struct verify_gate *g = container_of(*gate, struct verify_gate, gate);
    while ((node = list_first(&g->checks)) != NULL)
        check_free(container_of(node, struct check, node));
    public_keys_free(&g->keys);
    pthread_mutex_destroy(&g->mutex);
    free(g);
    *gate = NULL;
}
