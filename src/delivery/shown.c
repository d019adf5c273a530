/* shown.c: a table of hosts, in the order in which they were last seen. */
#include "delivery/shown.h"

#include "base/list.h"
#include "base/moment.h"
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>

enum { KEPT_DAYS = 30 };

struct host {
    struct table_entry entry;
    struct list_node node;
    enum transport_level level;
    int64_t seen_wall_ms;
    int64_t kept_wall_ms; /* as far as is known outside */
    char name[];
};

struct shown {
    pthread_mutex_t lock;
    struct table hosts;
    struct list order; /* the one unseen longest first */
    size_t max;
    struct shown_listener *listener;
};

enum err shown_open(size_t max, struct shown_listener *listener, struct shown **out)
{
    struct shown *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    pthread_mutex_init(&s->lock, NULL);
    list_init(&s->order);
    s->max = max;
    s->listener = listener;
    *out = s;
    return ERR_OK;
}

static void forget(struct shown *s, struct host *h)
{
    table_remove(&s->hosts, &h->entry);
    list_remove(&h->node);
    free(h);
}

void shown_close(struct shown **shown)
{
    struct shown *s = *shown;
    struct list_node *node;
    *shown = NULL;
    if (s == NULL)
        return;
    while ((node = list_first(&s->order)) != NULL)
        forget(s, container_of(node, struct host, node));
    table_free(&s->hosts);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct host *find(struct shown *s, struct slice name)
{
    struct table_entry *e = table_find(&s->hosts, name);
    return e == NULL ? NULL : container_of(e, struct host, entry);
}

/* A host that was not known; NULL without memory: it is not remembered then. */
static struct host *add(struct shown *s, struct slice name)
{
    if (s->max == 0 || name.len == 0)
        return NULL;
    while (s->hosts.count >= s->max) {
        struct host *first = container_of(list_first(&s->order), struct host, node);
        if (s->listener != NULL)
            s->listener->forgotten(s->listener, first->entry.key);
        forget(s, first);
    }
    struct host *h = calloc(1, sizeof *h + name.len);
    if (h == NULL)
        return NULL;
    memcpy(h->name, name.data, name.len);
    if (!table_insert(&s->hosts, &h->entry, slice_make(h->name, name.len))) {
        free(h);
        return NULL;
    }
    return h;
}

static bool is_old(const struct host *h, int64_t wall_ms)
{
    return wall_ms - h->seen_wall_ms > KEPT_DAYS * DAY_MS;
}

enum transport_level shown_find(struct shown *s, struct slice name, int64_t wall_ms)
{
    pthread_mutex_lock(&s->lock);
    const struct host *h = find(s, name);
    enum transport_level level =
        h == NULL || is_old(h, wall_ms) ? TRANSPORT_UNSAID : h->level;
    pthread_mutex_unlock(&s->lock);
    return level;
}

static bool note(struct shown *s, struct slice name, enum transport_level level,
                 int64_t wall_ms)
{
    struct host *h = find(s, name);
    bool is_new = h == NULL;
    if (is_new)
        h = add(s, name);
    if (h == NULL || (level < h->level && !is_old(h, wall_ms)))
        return false; /* less than before: the memory stays as it is */
    bool is_worth = is_new || level != h->level || wall_ms - h->kept_wall_ms > DAY_MS ||
                    wall_ms < h->kept_wall_ms;
    h->level = level;
    h->seen_wall_ms = wall_ms;
    if (is_worth)
        h->kept_wall_ms = wall_ms;
    list_remove(&h->node);
    list_append(&s->order, &h->node);
    return is_worth;
}

bool shown_note(struct shown *s, struct slice name, enum transport_level level,
                int64_t wall_ms)
{
    pthread_mutex_lock(&s->lock);
    bool is_worth = note(s, name, level, wall_ms);
    pthread_mutex_unlock(&s->lock);
    return is_worth;
}

/* shown = level SP wall-milliseconds */
void shown_describe(enum transport_level level, int64_t wall_ms, struct buffer *out)
{
    buffer_append_string(out, transport_level_text(level));
    buffer_append_byte(out, ' ');
    buffer_append_number(out, (uint64_t)wall_ms);
}

bool shown_recall(struct shown *s, struct slice name, struct slice text,
                  int64_t now_wall_ms)
{
    struct slice word;
    uint64_t wall_ms;
    if (!slice_split(&text, ' ', &word) || !slice_to_number(text, INT64_MAX, &wall_ms) ||
        now_wall_ms - (int64_t)wall_ms > KEPT_DAYS * DAY_MS)
        return false;
    static const enum transport_level levels[] = { TRANSPORT_REQUIRED, TRANSPORT_VERIFIED };
    for (size_t i = 0; i < 2; i++)
        if (slice_equal(word, slice_from_string(transport_level_text(levels[i]))))
            return shown_note(s, name, levels[i], (int64_t)wall_ms);
    return false;
}
