/* domain.c: destinations, and the look-up that leads each to its site.
 *
 * A look-up that fails for good fails every recipient that waits for it; one that
 * fails for now is repeated with back-off, and costs no recipient a record.
 */
#include "queue/queue_private.h"

#include "wire/smtp/address.h"

#include <stdlib.h>

/* More questions at once would only wait, and time out, in the resolver. */
enum { LOOKUPS_MAX = 200 };

static void on_retry(struct timer *timer)
{
    struct queue_domain *d = container_of(timer, struct queue_domain, retry);
    if (domain_has_ready(d))
        domain_resolve(d->queue, d);
}

struct queue_domain *domain_of(struct queue *q, struct slice address)
{
    char bytes[512];
    struct buffer name = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct slice domain = envelope_domain(address);
    if (!smtp_domain_canonical(domain, &name)) {
        buffer_clear(&name);
        buffer_append(&name, slice_part(domain, 0, 255));
    }
    struct table_entry *entry = table_find(&q->domains, buffer_slice(&name));
    if (entry != NULL)
        return container_of(entry, struct queue_domain, entry);
    size_t len = buffer_len(&name);
    struct queue_domain *d = calloc(1, sizeof *d + len + 1);
    if (d == NULL)
        return NULL;
    memcpy(d->name, bytes, len);
    d->queue = q;
    for (int u = 0; u < URGENCIES; u++)
        list_init(&d->ready[u]);
    timer_init(&d->retry, q->loop, on_retry);
    if (!table_insert(&q->domains, &d->entry, slice_make(d->name, len))) {
        free(d);
        return NULL;
    }
    return d;
}

void domain_count_ready(struct queue_domain *d, int change)
{
    d->ready_count += (uint32_t)change;
    if (d->site != NULL)
        d->site->ready += (uint32_t)change;
}

static void attach(struct queue *q, struct queue_domain *d, struct queue_site *site)
{
    (void)q;
    if (d->site == site)
        return;
    list_remove(&d->site_node);
    if (d->site != NULL) {
        d->site->ready -= d->ready_count;
        site_release(d->site);
    }
    d->site = site;
    if (site != NULL) {
        site->ready += d->ready_count;
        site->references++;
    }
}

static void look_up_later(struct queue *q, struct queue_domain *d,
                          const struct outcome *outcome)
{
    d->failures++;
    timer_set(&d->retry, plan_delay_ms(&q->config->queue, d->failures, queue_random(q)));
    queue_emit_text(q, MAIL_SITE_FAILED, (struct mail_id){ 0 }, d->entry.key, outcome);
}

static void note_reason(struct queue *q, struct queue_domain *d, const struct outcome *o)
{
    reason_drop(&q->reasons, d->trouble);
    d->trouble = reason_hold(&q->reasons, o->text);
    d->trouble_status = o->status;
}

static void look_up_waiting(struct queue *q);

static void join_site(struct queue *q, struct queue_domain *d,
                      const struct attempt_resolve *answer)
{
    struct queue_site *site = site_of(q, d->entry.key, answer);
    reason_drop(&q->reasons, d->trouble);
    d->trouble = NULL;
    if (site == NULL) {
        timer_set(&d->retry, MINUTE_MS);
        return;
    }
    attach(q, d, site);
    d->failures = 0;
    d->resolved_until_ms = queue_now(q).mono_ms + answer->valid_ms;
    if (domain_has_ready(d) && !list_is_linked(&d->site_node))
        domain_enlist(d);
    site_dispatch(site);
}

static void refuse_all(struct queue *q, struct queue_domain *d, const struct outcome *why)
{
    bool for_good = why->kind == OUTCOME_FAILED;
    note_reason(q, d, why);
    if (!for_good)
        look_up_later(q, d, why);
    domain_settle(q, d, why, !for_good);
}

static void on_resolved(struct attempt_resolve *resolve)
{
    struct queue_lookup *lookup = container_of(resolve, struct queue_lookup, resolve);
    struct queue *q = lookup->queue;
    struct queue_domain *d = lookup->domain;
    d->resolving = false;
    q->jobs--;
    q->lookups--;
    d->recipients++; /* stays while its recipients are settled */
    if (lookup->generation != q->generation) {
        if (domain_has_ready(d))
            domain_resolve(q, d); /* by the routes of now */
    } else if (resolve->resolved) {
        join_site(q, d, resolve);
    } else {
        refuse_all(q, d, &resolve->outcome);
    }
    domain_release(q, d);
    free(lookup);
    look_up_waiting(q);
}

static void look_up(struct queue *q, struct queue_domain *d)
{
    struct queue_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) {
        timer_set(&d->retry, MINUTE_MS);
        return;
    }
    lookup->queue = q;
    lookup->domain = d;
    lookup->generation = q->generation;
    lookup->resolve = (struct attempt_resolve){
        .home = loop_home(q->loop), .done = on_resolved, .domain = d->entry.key,
    };
    d->resolving = true;
    q->jobs++;
    q->lookups++;
    q->attempt->ops->resolve(q->attempt, &lookup->resolve);
}

static void look_up_waiting(struct queue *q)
{
    struct list_node *node;
    while (!q->draining && q->lookups < LOOKUPS_MAX &&
           (node = list_take(&q->lookups_waiting)) != NULL) {
        struct queue_domain *d = container_of(node, struct queue_domain, site_node);
        d->lookup_waits = false;
        look_up(q, d);
    }
}

void domain_resolve(struct queue *q, struct queue_domain *d)
{
    if (q->draining || d->resolving || d->lookup_waits)
        return;
    list_remove(&d->site_node);
    d->lookup_waits = true;
    list_append(&q->lookups_waiting, &d->site_node);
    look_up_waiting(q);
}

void domain_release(struct queue *q, struct queue_domain *d)
{
    (void)q;
    if (d != NULL)
        d->recipients--;
}

/* What nobody refers to goes, once its answer is too old to be of use. */
void domain_sweep(struct queue *q)
{
    struct table_entry *entry = table_next(&q->domains, NULL);
    while (entry != NULL) {
        struct table_entry *next = table_next(&q->domains, entry);
        struct queue_domain *d = container_of(entry, struct queue_domain, entry);
        if (d->recipients == 0 && !d->resolving &&
            (q->closing || d->resolved_until_ms <= queue_now(q).mono_ms))
            domain_free(q, d);
        entry = next;
    }
}

void domain_free(struct queue *q, struct queue_domain *d)
{
    attach(q, d, NULL);
    timer_clear(&d->retry);
    reason_drop(&q->reasons, d->trouble);
    table_remove(&q->domains, &d->entry);
    free(d);
}
