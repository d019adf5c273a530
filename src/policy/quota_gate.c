/* quota_gate.c: asking full mailboxes at RCPT.
 *
 * A look belongs to the session's thread, but for run(), which is on a worker. A
 * cancelled look loses its question and goes on to its end, where it is freed.
 */
#include "policy/quota_gate.h"

#include "base/list.h"
#include "config/config.h"
#include "maildir/maildir.h"
#include "wire/smtp/address.h"

#include <pthread.h>
#include <stdlib.h>

/* An alias that needs more than this leads to many: no one of them decides. */
enum { EXPANSION_BYTES_MAX = 16 * 1024 };

struct quota_gate {
    struct gate gate;
    account_expand *expand;
    struct workers *workers;
    pthread_mutex_t mutex;
    struct list looks;               /* under the mutex */
};

struct look {
    struct work work;
    struct list_node node;
    struct quota_gate *gate;
    struct gate_question *question;  /* NULL: cancelled */
    const struct config *config;     /* held */
    struct slice template;           /* in the configuration */
    struct maildir_quota quota;
    uint64_t size;
    struct moment now;
    bool fits;
    struct slice address;            /* in `bytes` */
    char bytes[SMTP_PATH_MAX];
};

static const struct smtp_reply mailbox_full = {
    .code = 452, .status = { 4, 2, 2 }, .text = SLICE_INIT("Mailbox full"),
};

static void look_free(struct look *look)
{
    pthread_mutex_lock(&look->gate->mutex);
    list_remove(&look->node);
    pthread_mutex_unlock(&look->gate->mutex);
    config_drop(&look->config);
    free(look);
}

/* A mailbox that is not there yet is empty; what else is wrong is the delivery's. */
static void look_run(struct work *work)
{
    struct look *look = container_of(work, struct look, work);
    struct maildir *maildir = NULL;
    struct buffer path;
    bool fits;
    buffer_init(&path, 4096);
    enum err error = maildir_open_of(look->template, look->address, MAILDIR_LEAVE, &path,
                                     &maildir);
    if (error == ERR_OK)
        error = maildir_fits(maildir, &look->quota, look->size, look->now, &fits);
    if (error == ERR_OK)
        look->fits = fits;
    else if (error == ERR_ABSENT)
        look->fits = look->size <= look->quota.bytes;
    maildir_close(&maildir);
    buffer_free(&path);
}

static void look_done(struct work *work)
{
    struct look *look = container_of(work, struct look, work);
    struct gate_question *question = look->question;
    struct gate_answer answer = { .action = GATE_PASS };
    if (!look->fits)
        answer = (struct gate_answer){ .action = GATE_REPLY, .reply = mailbox_full };
    look_free(look);
    if (question == NULL)
        return;
    question->parked = NULL;
    question->answered(question, &answer);
}

/* The domain of an address where it is ours, or NULL. */
static const struct config_domain *domain_of(const struct config *config,
                                             struct slice address)
{
    const struct config_domain *domain = NULL;
    struct buffer canonical;
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    if (smtp_domain_canonical(envelope_domain(address), &canonical) && !canonical.overflow)
        domain = config_domain(config, buffer_slice(&canonical));
    buffer_free(&canonical);
    return domain;
}

/* The one final recipient behind an address, copied to `out`; false when there are more
 * of them or they cannot be found. */
static bool find_final(const struct quota_gate *g, const struct gate_question *question,
                       struct buffer *out)
{
    struct arena arena;
    struct envelope final;
    struct envelope_recipient recipient = { .address = question->recipient };
    struct envelope asked = { .recipients = &recipient, .recipients_count = 1 };
    arena_init(&arena, EXPANSION_BYTES_MAX);
    bool found = g->expand(question->config, &asked, &arena, &final) == ERR_OK &&
                 final.recipients_count == 1;
    if (found)
        buffer_append(out, final.recipients[0].address);
    arena_free(&arena);
    return found && !out->overflow;
}

static struct look *look_new(struct quota_gate *g, struct gate_question *question,
                             const struct config_deliver *deliver, struct slice address)
{
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL)
        return NULL;
    *look = (struct look){
        .work = { .home = question->home, .run = look_run, .done = look_done },
        .gate = g, .question = question, .config = config_hold(question->config),
        .template = deliver->path, .quota = { .bytes = deliver->quota_bytes },
        .size = question->content_size > 0 ? question->content_size : 1,
        .now = question->now, .fits = true,
    };
    memcpy(look->bytes, address.data, address.len);
    look->address = slice_make(look->bytes, address.len);
    pthread_mutex_lock(&g->mutex);
    list_append(&g->looks, &look->node);
    pthread_mutex_unlock(&g->mutex);
    return look;
}

static enum gate_result start_look(struct quota_gate *g, struct gate_question *question,
                                   const struct config_deliver *deliver,
                                   struct slice address)
{
    struct look *look = look_new(g, question, deliver, address);
    if (look == NULL)
        return GATE_ANSWERED;
    question->parked = look;
    if (workers_submit(g->workers, &look->work))
        return GATE_PARKED;
    question->parked = NULL;
    look_free(look);
    return GATE_ANSWERED;
}

static enum gate_result quota_ask(struct gate *gate, struct gate_question *question,
                                  struct gate_answer *out_answer)
{
    struct quota_gate *g = container_of(gate, struct quota_gate, gate);
    enum gate_result result = GATE_ANSWERED;
    struct buffer address;
    *out_answer = (struct gate_answer){ .action = GATE_PASS };
    if (question->point != GATE_RCPT ||
        domain_of(question->config, question->recipient) == NULL)
        return GATE_ANSWERED;
    buffer_init(&address, SMTP_PATH_MAX);
    if (find_final(g, question, &address)) {
        const struct config_domain *domain =
            domain_of(question->config, buffer_slice(&address));
        if (domain != NULL && domain->has_deliver && domain->deliver.quota_bytes > 0 &&
            domain->deliver.way == CONFIG_WAY_MAILDIR)
            result = start_look(g, question, &domain->deliver, buffer_slice(&address));
    }
    buffer_free(&address);
    return result;
}

static void quota_cancel(struct gate *gate, struct gate_question *question)
{
    struct look *look = question->parked;
    (void)gate;
    if (look != NULL)
        look->question = NULL;
    question->parked = NULL;
}

static const struct gate_ops quota_ops = {
    .name = "quota", .points = GATE_RCPT, .ask = quota_ask, .cancel = quota_cancel,
};

enum err policy_quota_gate_open(account_expand *expand, struct workers *workers,
                                struct gate **out)
{
    struct quota_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &quota_ops;
    g->expand = expand;
    g->workers = workers;
    pthread_mutex_init(&g->mutex, NULL);
    list_init(&g->looks);
    *out = &g->gate;
    return ERR_OK;
}

void policy_quota_gate_close(struct gate **gate)
{
    struct list_node *node;
    if (*gate == NULL)
        return;
    struct quota_gate *g = container_of(*gate, struct quota_gate, gate);
    while ((node = list_first(&g->looks)) != NULL)
        look_free(container_of(node, struct look, node));
    pthread_mutex_destroy(&g->mutex);
    free(g);
    *gate = NULL;
}
