/* census.c: how many recipients wait for each destination, and for how long they have. */
#include "queue/queue_private.h"

#include <stdlib.h>

enum { SLICE_RECIPIENTS = 8000, PAUSE_MS = 1, GROUPS_MAX = 200000 };

struct shape_group {
    struct table_entry entry;
    struct queue_census_row row;
    char name[];
};

struct queue_counting {
    struct queue *queue;
    struct queue_census *census;
    struct timer timer;
    struct queue_walk walk;
    struct table groups;
    struct queue_census_row all;
    struct queue_census_row others; /* of those for which there is no group */
    int64_t now_wall_ms;
};

static size_t band_of(int64_t age_ms)
{
    size_t band = 0;
    for (int64_t limit = 5 * MINUTE_MS; band < QUEUE_CENSUS_BANDS - 1 && age_ms >= limit; limit *= 2)
        band++;
    return band;
}

static struct queue_census_row *row_of(struct queue_counting *s, struct slice name)
{
    struct table_entry *entry = table_find(&s->groups, name);
    if (entry != NULL)
        return &container_of(entry, struct shape_group, entry)->row;
    struct shape_group *g =
        s->groups.count < GROUPS_MAX ? calloc(1, sizeof *g + name.len) : NULL;
    if (g == NULL)
        return &s->others;
    if (name.len > 0)
        memcpy(g->name, name.data, name.len);
    g->row.name = slice_make(g->name, name.len);
    if (table_insert(&s->groups, &g->entry, g->row.name))
        return &g->row;
    free(g);
    return &s->others;
}

static void count(struct queue_census_row *row, const struct queue_recipient *r, size_t band)
{
    row->recipients++;
    row->bands[band]++;
    row->held += r->place == PLACE_HELD;
    row->ready += r->place == PLACE_READY;
    row->in_flight += r->place == PLACE_FLIGHT;
}

static void see(void *context, struct queue_message *m)
{
    struct queue_counting *s = context;
    size_t band = band_of(s->now_wall_ms - m->received_wall_ms);
    for (uint32_t i = 0; i < m->recipients_count; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        struct slice name = slice_make(NULL, 0);
        if (r->place == PLACE_ENDED)
            continue;
        if (r->domain != NULL && !s->census->by_site)
            name = r->domain->entry.key;
        else if (r->domain != NULL && r->domain->site != NULL)
            name = r->domain->site->entry.key;
        count(row_of(s, name), r, band);
        count(&s->all, r, band);
    }
}

static int by_size(const void *a, const void *b)
{
    const struct queue_census_row *x = *(struct queue_census_row *const *)a;
    const struct queue_census_row *y = *(struct queue_census_row *const *)b;
    if (x->recipients != y->recipients)
        return x->recipients < y->recipients ? 1 : -1;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = len == 0 ? 0 : memcmp(x->name.data, y->name.data, len);
    return order != 0 ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static void counting_free(struct queue_counting *s)
{
    struct table_entry *e = table_next(&s->groups, NULL);
    while (e != NULL) {
        struct table_entry *next = table_next(&s->groups, e);
        free(container_of(e, struct shape_group, entry));
        e = next;
    }
    table_free(&s->groups);
    timer_clear(&s->timer);
    free(s);
}

static void finish(struct queue_counting *s)
{
    struct queue_census *census = s->census;
    const struct queue_census_row **rows = calloc(s->groups.count + 1, sizeof *rows);
    size_t n = 0;
    for (struct table_entry *e = NULL; rows != NULL && (e = table_next(&s->groups, e)) != NULL;)
        rows[n++] = &container_of(e, struct shape_group, entry)->row;
    if (n > 1)
        qsort(rows, n, sizeof *rows, by_size);
    s->queue->counting = NULL;
    census->done(census, rows, n, &s->all);
    free(rows);
    counting_free(s);
}

static void on_timer(struct timer *timer)
{
    struct queue_counting *s = container_of(timer, struct queue_counting, timer);
    if (queue_walk(s->queue, &s->walk, SLICE_RECIPIENTS, see, s))
        timer_set(timer, PAUSE_MS);
    else
        finish(s);
}

bool queue_census(struct queue *q, struct queue_census *census)
{
    struct queue_counting *s = q->counting != NULL ? NULL : calloc(1, sizeof *s);
    if (s == NULL)
        return false;
    s->queue = q;
    s->census = census;
    s->now_wall_ms = queue_now(q).wall_ms;
    table_init(&s->groups);
    timer_init(&s->timer, q->loop, on_timer);
    timer_set(&s->timer, PAUSE_MS);
    q->counting = s;
    return true;
}

void census_forget(struct queue *q)
{
    if (q->counting != NULL)
        counting_free(q->counting);
    q->counting = NULL;
}
