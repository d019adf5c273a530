/* sentence.c: one outcome for all that is ready for a domain, carried out by and by.
 *
 * A report costs memory until it is durable, and time. Of a hundred thousand recipients
 * that fail at once only so many are under way; the others wait where they are.
 */
#include "queue/queue_private.h"

#include <stdlib.h>

enum { REPORTS_MAX = 200, RECORDS_MAX = 5000 };

struct sentence {
    struct list_node node;       /* in the queue's list */
    struct queue_domain *domain;
    bool expired_only;
    struct outcome outcome;      /* its texts stand behind */
    char texts[];
};

static struct sentence *sentence_of(struct list_node *node)
{
    return container_of(node, struct sentence, node);
}

static bool may_go_on(const struct queue *q)
{
    return !q->draining && q->reports < REPORTS_MAX && q->records_count < RECORDS_MAX;
}

static void settle_one(struct queue *q, struct queue_recipient *r,
                       const struct outcome *outcome)
{
    struct settlement s = { .recipient = r, .outcome = *outcome };
    struct queue_message *m = recipient_message(r);
    recipient_unschedule(q, r);
    recipient_place(q, r, PLACE_FLIGHT);
    settle(q, m, &s, 1);
}

/* Gives each ready recipient of the domain the outcome, or those of expired messages.
 * False when it had to stop before the last. */
static bool carry_out(struct queue *q, struct list *ready, const struct outcome *outcome,
                      bool expired_only, bool whatever_it_costs)
{
    struct list_node *node = list_first(ready);
    struct list_node *last = ready->head.previous;
    while (node != NULL && (whatever_it_costs || may_go_on(q))) {
        struct list_node *next = node == last ? NULL : list_next(ready, node);
        struct queue_recipient *r = container_of(node, struct queue_recipient, wait.node);
        if (!expired_only || message_is_expired(q, recipient_message(r)))
            settle_one(q, r, outcome);
        node = next;
    }
    return node == NULL;
}

static bool carry_out_all(struct queue *q, struct queue_domain *d,
                          const struct outcome *outcome, bool expired_only,
                          bool whatever_it_costs)
{
    bool done = true;
    for (int u = 0; u < URGENCIES && done; u++)
        done = carry_out(q, &d->ready[u], outcome, expired_only, whatever_it_costs);
    return done;
}

static void sentence_drop(struct queue *q, struct queue_domain *d)
{
    struct sentence *s = d->sentence;
    if (s == NULL)
        return;
    d->sentence = NULL;
    list_remove(&s->node);
    free(s);
    domain_release(q, d);
}

/* What came meanwhile is tried as ever. */
static void sentence_end(struct queue *q, struct queue_domain *d)
{
    sentence_drop(q, d);
    if (!domain_has_ready(d) || list_is_linked(&d->site_node) || d->resolving ||
        d->site == NULL)
        return;
    domain_enlist(d);
    site_dispatch(d->site);
}

void sentences_go_on(struct queue *q)
{
    struct list_node *node;
    while (may_go_on(q) && (node = list_first(&q->sentences)) != NULL) {
        struct sentence *s = sentence_of(node);
        struct queue_domain *d = s->domain;
        if (!carry_out_all(q, d, &s->outcome, s->expired_only, false))
            return;
        sentence_end(q, d);
    }
}

static struct sentence *sentence_make(const struct outcome *outcome)
{
    struct sentence *s = malloc(sizeof *s + outcome->text.len + outcome->remote.len);
    if (s == NULL)
        return NULL;
    *s = (struct sentence){ .outcome = *outcome };
    if (outcome->text.len > 0)
        memcpy(s->texts, outcome->text.data, outcome->text.len);
    if (outcome->remote.len > 0)
        memcpy(s->texts + outcome->text.len, outcome->remote.data, outcome->remote.len);
    s->outcome.text = slice_make(s->texts, outcome->text.len);
    s->outcome.remote = slice_make(s->texts + outcome->text.len, outcome->remote.len);
    return s;
}

void domain_settle(struct queue *q, struct queue_domain *d, const struct outcome *outcome,
                   bool expired_only)
{
    sentence_drop(q, d);
    if (!expired_only)
        list_remove(&d->site_node); /* nothing of it is tried before that is done */
    struct sentence *s = sentence_make(outcome);
    if (s == NULL) {
        carry_out_all(q, d, outcome, expired_only, true);
        return;
    }
    s->domain = d;
    s->expired_only = expired_only;
    d->sentence = s;
    d->recipients++; /* stays until it is carried out */
    list_append(&q->sentences, &s->node);
    sentences_go_on(q);
}

void sentences_forget(struct queue *q)
{
    struct list_node *node;
    while ((node = list_first(&q->sentences)) != NULL)
        sentence_drop(q, sentence_of(node)->domain);
}
