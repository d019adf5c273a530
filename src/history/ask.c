/* ask.c: questions to the history, answered on the store's thread: what waits in the ring is
 * written first, so that an answer tells of all that was told before it was asked. */
#include "history/history_private.h"

#include <stdlib.h>

struct ask {
    struct store_job job;
    struct history *history;
    struct history_asked *asked;
    bool (*answer)(struct ask *ask, struct store *store);
    json_t *value;
    uint64_t after;
    size_t limit;
    size_t len;
    char what[];
};

static bool answer_why(struct ask *a, struct store *store)
{
    json_t *list = json_array();
    bool more = false;
    bool good = lives_find(a->history, store, slice_make(a->what, a->len), a->limit, list, &more);
    a->value = json_pack("{s:o,s:b,s:I}", "lives", list, "more", (int)more, "keep_ms",
                         (json_int_t)atomic_load(&a->history->keep_ms));
    return good && a->value != NULL;
}

static bool answer_events(struct ask *a, struct store *store)
{
    json_t *list = json_array();
    uint64_t after = a->after, first = 0;
    bool good = rows_after(store, a->after, a->limit, list, &after) &&
                rows_number(store, "SELECT coalesce(min(number), (SELECT next FROM history_state))"
                                   " FROM history", &first);
    a->value = json_pack("{s:o,s:I,s:I}", "events", list, "after", (json_int_t)after, "first",
                         (json_int_t)first);
    return good && a->value != NULL;
}

static bool run_ask(struct store_job *job, struct store *store)
{
    struct ask *a = container_of(job, struct ask, job);
    uint64_t until;
    size_t count;
    do {
        if (!rows_write(a->history, store, &until, &count))
            return false;
    } while (count > 0);
    return a->answer(a, store);
}

static void on_asked(struct store_job *job)
{
    struct ask *a = container_of(job, struct ask, job);
    struct history_asked *asked = a->asked;
    bool good = job->result == ERR_OK && a->value != NULL;
    json_t *value = a->value;
    free(a);
    if (!good)
        json_decref(value);
    asked->done(asked, good ? value : NULL, good ? NULL : "the history cannot be read");
}

static struct ask *make(struct history *h, struct slice what, size_t limit,
                        struct history_asked *asked)
{
    struct ask *a = h->is_stopped ? NULL : malloc(sizeof *a + what.len);
    if (a == NULL)
        return NULL;
    *a = (struct ask){ .job = { .home = loop_home(h->options.loop), .run = run_ask,
                                .done = on_asked },
                       .history = h, .asked = asked, .limit = limit, .len = what.len };
    if (what.len > 0)
        memcpy(a->what, what.data, what.len);
    return a;
}

static bool post(struct history *h, struct ask *a)
{
    if (store_post(h->options.store, &a->job))
        return true;
    free(a);
    return false;
}

bool history_why(struct history *h, struct slice what, size_t limit, struct history_asked *asked)
{
    if (limit == 0 || limit > HISTORY_LIVES_MAX)
        limit = HISTORY_LIVES_MAX;
    struct ask *a = make(h, what, limit, asked);
    if (a == NULL)
        return false;
    a->answer = answer_why;
    return post(h, a);
}

bool history_events(struct history *h, uint64_t after, size_t limit, struct history_asked *asked)
{
    if (limit == 0 || limit > HISTORY_EVENTS_MAX)
        limit = HISTORY_EVENTS_MAX;
    struct ask *a = make(h, slice_make(NULL, 0), limit, asked);
    if (a == NULL)
        return false;
    a->answer = answer_events;
    a->after = after;
    return post(h, a);
}
