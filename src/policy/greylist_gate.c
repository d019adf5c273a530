/* greylist_gate.c: a question on its way to the store and back.
 *
 * A look belongs to the session's thread, but for run(), which is on the store's. One that
 * was cancelled loses its question and goes on to its end, where it is freed.
 */
#include "policy/greylist_gate.h"

#include "base/list.h"
#include "log/log.h"
#include "policy/greylist_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPIRE_EVERY = 1000 };

struct greylist_gate {
    struct gate gate;
    struct store *store;
    pthread_mutex_t mutex;
    struct list looks;               /* under the mutex */
    unsigned since_expiry;           /* the store's thread's */
};

struct look {
    struct store_job job;
    struct list_node node;
    struct greylist_gate *gate;
    struct gate_question *question;  /* NULL: cancelled */
    struct greylist_visit visit;     /* its texts lie in `keys` */
    struct buffer keys;
    int64_t wait_ms;
    char text[80];
};

static void look_free(struct look *look)
{
    pthread_mutex_lock(&look->gate->mutex);
    list_remove(&look->node);
    pthread_mutex_unlock(&look->gate->mutex);
    buffer_free(&look->keys);
    free(look);
}

static bool look_run(struct store_job *job, struct store *store)
{
    struct look *look = container_of(job, struct look, job);
    if (++look->gate->since_expiry >= EXPIRE_EVERY) {
        look->gate->since_expiry = 0;
        greylist_expire(store, &look->visit.times, look->visit.now_ms);
    }
    return greylist_decide(store, &look->visit, &look->wait_ms);
}

static void tell(const struct look *look, const struct gate_question *q)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "greylisted");
    log_number(&line, "session", (int64_t)q->session_id);
    log_text(&line, "network", look->visit.network);
    log_text(&line, "from", q->envelope->sender);
    log_text(&line, "to", q->recipient);
    log_number(&line, "wait_s", (look->wait_ms + 999) / 1000);
    log_end(&line);
}

static void look_done(struct store_job *job)
{
    struct look *look = container_of(job, struct look, job);
    struct gate_question *q = look->question;
    struct gate_answer answer = { .action = GATE_PASS };
    if (q == NULL) {
        look_free(look);
        return;
    }
    q->parked = NULL;
    if (job->result == ERR_OK && look->wait_ms > 0) {
        snprintf(look->text, sizeof look->text, "Greylisted, please try again in %lld seconds",
                 (long long)((look->wait_ms + 999) / 1000));
        answer.action = GATE_REPLY;
        answer.reply = smtp_reply_make(450, 4, 7, 1, slice_from_string(look->text));
        tell(look, q);
    }
    q->answered(q, &answer);
    look_free(look);
}

/* Network, sender and recipient, one behind the other. */
static bool make_keys(struct look *look, const struct gate_question *q)
{
    struct buffer *b = &look->keys;
    size_t ends[3];
    buffer_init(b, GREYLIST_KEY_MAX * 3);
    if (!greylist_network(q->address, b))
        return false;
    ends[0] = buffer_len(b);
    greylist_sender(q->envelope->sender, b);
    ends[1] = buffer_len(b);
    greylist_sender(q->recipient, b);
    ends[2] = buffer_len(b);
    struct slice all = buffer_slice(b);
    look->visit.network = slice_part(all, 0, ends[0]);
    look->visit.sender = slice_part(all, ends[0], ends[1] - ends[0]);
    look->visit.recipient = slice_part(all, ends[1], ends[2] - ends[1]);
    return !b->overflow;
}

static bool start_look(struct greylist_gate *g, struct gate_question *q)
{
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL)
        return false;
    *look = (struct look){
        .job = { .home = q->home, .run = look_run, .done = look_done }, .gate = g,
        .question = q, .visit = { .times = q->config->greylist, .now_ms = q->now.wall_ms },
    };
    pthread_mutex_lock(&g->mutex);
    list_append(&g->looks, &look->node);
    pthread_mutex_unlock(&g->mutex);
    q->parked = look;
    if (make_keys(look, q) && store_post(g->store, &look->job))
        return true;
    q->parked = NULL;
    look_free(look);
    return false;
}

static enum gate_result greylist_ask(struct gate *gate, struct gate_question *q,
                                     struct gate_answer *out)
{
    struct greylist_gate *g = container_of(gate, struct greylist_gate, gate);
    *out = (struct gate_answer){ .action = GATE_PASS };
    bool is_known = q->client_is_trusted || q->may_relay || q->account.len > 0 ||
                    q->is_submission;
    if (!q->config->greylist.on || is_known || g->store == NULL)
        return GATE_ANSWERED;
    return start_look(g, q) ? GATE_PARKED : GATE_ANSWERED;
}

static void greylist_cancel(struct gate *gate, struct gate_question *q)
{
    struct look *look = q->parked;
    (void)gate;
    if (look != NULL)
        look->question = NULL;
    q->parked = NULL;
}

enum err policy_greylist_gate_open(struct store *store, struct gate **out)
{
    static const struct gate_ops ops = {
        .name = "greylist", .points = GATE_RCPT, .ask = greylist_ask,
        .cancel = greylist_cancel,
    };
    struct greylist_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &ops;
    g->store = store;
    pthread_mutex_init(&g->mutex, NULL);
    list_init(&g->looks);
    *out = &g->gate;
    return ERR_OK;
}

void policy_greylist_gate_close(struct gate **gate)
{
    struct list_node *node;
    if (*gate == NULL)
        return;
    struct greylist_gate *g = container_of(*gate, struct greylist_gate, gate);
    while ((node = list_first(&g->looks)) != NULL)
        look_free(container_of(node, struct look, node));
    pthread_mutex_destroy(&g->mutex);
    free(g);
    *gate = NULL;
}
