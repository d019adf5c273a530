/* sites.c: what an operator asks about sites: which limit binds, and to stop or go on. */
#include "queue/queue_private.h"

const char *queue_limit_name(enum queue_limit limit)
{
    static const char *const names[] = {
        [QUEUE_LIMIT_NONE] = "none",         [QUEUE_LIMIT_NO_MAIL] = "no-mail",
        [QUEUE_LIMIT_STOPPED] = "stopped",   [QUEUE_LIMIT_TROUBLE] = "trouble",
        [QUEUE_LIMIT_PROBE] = "probe",       [QUEUE_LIMIT_SUSPENDED] = "suspended",
        [QUEUE_LIMIT_RATE] = "rate",         [QUEUE_LIMIT_PACE] = "pace",
        [QUEUE_LIMIT_CONNECTIONS] = "connections", [QUEUE_LIMIT_REFUSED] = "refused",
    };
    return names[limit];
}

struct slice site_name(const struct queue_site *s)
{
    return s->shape->name_len > 0 ? s->shape->entry.key : SLICE("default");
}

/* By its name, its key, or a domain that leads there. */
static bool is_meant(const struct queue_site *s, struct slice name,
                     const struct queue_domain *domain)
{
    return name.len == 0 || slice_equal(name, site_name(s)) || slice_equal(name, s->entry.key) ||
           (domain != NULL && domain->site == s);
}

static const struct queue_domain *domain_named(const struct queue *q, struct slice name)
{
    struct table_entry *entry = name.len == 0 ? NULL : table_find(&q->domains, name);
    return entry == NULL ? NULL : container_of(entry, struct queue_domain, entry);
}

static int64_t wall_of(const struct queue *q, int64_t mono_ms)
{
    return mono_ms == 0 ? 0 : moment_wall_of(queue_now(q), mono_ms);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void fill(struct queue_site *s, struct queue_site_info *out)
{
    struct queue_shape *h = s->shape;
    int64_t until = 0;
    enum queue_limit of_shape = shape_limit(h, &until);
    enum queue_limit limit = site_limit(s);
    bool is_trouble = limit == QUEUE_LIMIT_TROUBLE || limit == QUEUE_LIMIT_PROBE;
    if (limit == QUEUE_LIMIT_TROUBLE)
        until = s->retry.due_mono_ms;
    else if (limit != of_shape)
        until = 0;
    const struct reason *why = is_trouble ? s->trouble : h->why;
    *out = (struct queue_site_info){
        .name = site_name(s), .site = s->entry.key, .ready = s->ready,
        .connections = s->connections, .busy = s->busy, .shared_connections = h->connections,
        .connections_max = least(h->rule->connections, h->connections_most),
        .rate = h->rule->rate, .pace = h->pace, .taken = shape_minute(h),
        .usual_ms = h->usual_ms, .until_wall_ms = wall_of(s->queue, until),
        .by_operator = h->by_operator, .reason = reason_text(why),
        .code = is_trouble ? s->trouble_code : why == NULL ? 0 : h->why_code,
        .status = is_trouble ? s->trouble_status
                             : why == NULL ? (struct smtp_status){ 0 } : h->why_status,
        .limit = s->ready == 0 && (limit == QUEUE_LIMIT_NONE || limit == QUEUE_LIMIT_CONNECTIONS)
                     ? QUEUE_LIMIT_NO_MAIL : limit,
    };
}

size_t queue_each_site(struct queue *q, struct slice name,
                       bool (*each)(void *context, const struct queue_site_info *site),
                       void *context)
{
    const struct queue_domain *domain = domain_named(q, name);
    struct table_entry *entry = NULL;
    size_t count = 0;
    while ((entry = table_next(&q->sites, entry)) != NULL) {
        struct queue_site *s = container_of(entry, struct queue_site, entry);
        struct queue_site_info info;
        if (!is_meant(s, name, domain))
            continue;
        count++;
        fill(s, &info);
        if (!each(context, &info))
            break;
    }
    return count;
}

/* Each site that is meant; once for those that share their limits. */
static size_t for_each(struct queue *q, struct slice name,
                       void (*act)(struct queue_site *s, void *context), void *context)
{
    const struct queue_domain *domain = domain_named(q, name);
    struct table_entry *entry = NULL;
    size_t count = 0;
    while ((entry = table_next(&q->sites, entry)) != NULL) {
        struct queue_site *s = container_of(entry, struct queue_site, entry);
        if (!is_meant(s, name, domain))
            continue;
        count++;
        act(s, context);
    }
    return count;
}

struct suspension {
    int64_t for_ms;
    struct slice reason;
};

static void suspend(struct queue_site *s, void *context)
{
    const struct suspension *wanted = context;
    shape_suspend(s, wanted->for_ms, wanted->reason);
}

size_t queue_suspend(struct queue *q, struct slice name, int64_t for_ms, struct slice reason)
{
    struct suspension wanted = { for_ms, reason };
    return for_each(q, name, suspend, &wanted);
}

static void resume(struct queue_site *s, void *context)
{
    (void)context;
    shape_resume(s);
    site_dispatch(s);
}

size_t queue_resume(struct queue *q, struct slice name)
{
    return for_each(q, name, resume, NULL);
}
