/* wait.c: who waits for messages. What is there already is looked at first; then each new one
 * as it comes, when it has been taken apart and can be found. */
#include "api/api_private.h"

#include <stdlib.h>

enum { FOUND_MAX = 1000, TIMEOUT_MAX_MS = 10 * 60 * 1000 };

struct api_waiter {
    struct api *api;
    struct api_request *request;
    struct wait_wish wish;
    struct box_watcher watcher;
    struct timer timer;
    struct deferred end;
    json_t *match;            /* held */
    json_t *inbox;            /* its id, a text; NULL: any */
    json_t *found;
    int64_t seen;             /* the newest that was looked at: several come in one turn */
    bool is_met;
    bool is_done;
};

static struct box_query query_of(const struct wait_wish *w, int64_t since)
{
    return (struct box_query){
        .workspace = w->workspace, .inbox = w->inbox, .search = w->search, .since = since,
        .after_ms = w->after_ms, .before_ms = w->before_ms, .unread_only = w->unread_only,
        .limit = FOUND_MAX,
    };
}

/* Those of them that fit; a header is in the whole message alone. The newest come first: where
 * there are too many to look at, what is waited for is among those. */
static void take(struct api_waiter *w, json_t *messages)
{
    size_t count = json_array_size(messages);
    for (size_t i = 0; i < count; i++) {
        json_t *summary = json_array_get(messages, w->wish.oldest_first ? count - 1 - i : i);
        int64_t seq = json_integer_value(json_object_get(summary, "seq"));
        w->seen = seq > w->seen ? seq : w->seen;
        if (json_array_size(w->found) >= FOUND_MAX)
            return;
        json_t *whole = w->match == NULL ? NULL
            : box_message(w->api->options.box, w->wish.workspace,
                          slice_from_string(json_text(summary, "id")));
        if ((w->match == NULL || (whole != NULL && match_message(w->match, whole))) &&
            (w->wish.fits == NULL || w->wish.fits(w->api, w->request, summary)))
            json_array_append(w->found, summary);
        json_decref(whole);
    }
}

static const char *look(struct api_waiter *w, int64_t since)
{
    struct box_found found;
    const char *why;
    struct box_query query = query_of(&w->wish, since);
    if (box_list(w->api->options.box, &query, &found, &why))
        take(w, found.messages);
    json_decref(found.messages);
    return why;
}

static bool is_met(const struct api_waiter *w)
{
    size_t count = json_array_size(w->found);
    if (w->wish.is_none)
        return false;
    return w->wish.is_exact ? count == w->wish.count : count >= w->wish.count;
}

/* What is over at once: enough is there, or what should not come has come. */
static bool is_decided(const struct api_waiter *w)
{
    if (w->wish.is_none)
        return json_array_size(w->found) > 0;
    return is_met(w);
}

static void waiter_free(struct api_waiter *w)
{
    box_unwatch(w->api->options.box, &w->watcher);
    timer_clear(&w->timer);
    list_remove(&w->end.node);
    json_decref(w->match);
    json_decref(w->inbox);
    json_decref(w->found);
    free(w);
}

static void on_end(struct deferred *deferred)
{
    struct api_waiter *w = container_of(deferred, struct api_waiter, end);
    struct api_request *r = w->request;
    r->waiter = NULL;
    bool answered = w->wish.done(w->api, r, w->found, w->is_met);
    waiter_free(w);
    if (answered)
        r->answered(r);
}

static void decide(struct api_waiter *w, bool met)
{
    if (w->is_done)
        return;
    w->is_done = true;
    w->is_met = met;
    timer_clear(&w->timer);
    loop_defer(w->api->options.loop, &w->end);
}

static void on_timeout(struct timer *timer)
{
    struct api_waiter *w = container_of(timer, struct api_waiter, timer);
    decide(w, w->wish.is_none);
}

static void on_happened(struct box_watcher *watcher, enum box_event event, int64_t workspace,
                        json_t *what)
{
    struct api_waiter *w = container_of(watcher, struct api_waiter, watcher);
    int64_t seq = json_integer_value(json_object_get(what, "seq"));
    if (event != BOX_NEW || workspace != w->wish.workspace || w->is_done || seq <= w->seen)
        return;
    if (w->inbox != NULL && !json_equal(w->inbox, json_object_get(what, "inbox")))
        return; /* of many who wait, most need not look */
    look(w, w->seen > seq - 1 ? w->seen : seq - 1);
    w->seen = seq > w->seen ? seq : w->seen;
    if (is_decided(w))
        decide(w, !w->wish.is_none);
}

static json_t *inbox_of(struct api *api, const struct wait_wish *wish)
{
    json_t *inbox = wish->inbox.len == 0
                        ? NULL : box_inbox(api->options.box, wish->workspace, wish->inbox);
    json_t *id = json_incref(json_object_get(inbox, "id"));
    json_decref(inbox);
    return id;
}

bool wait_begin(struct api *api, struct api_request *r, const struct wait_wish *wish)
{
    struct api_waiter *w = calloc(1, sizeof *w);
    if (w == NULL)
        return answer_error(r, 500, "out of memory");
    w->api = api;
    w->request = r;
    w->wish = *wish;
    w->match = json_incref(wish->match);
    w->inbox = inbox_of(api, wish);
    w->found = json_array();
    w->watcher.happened = on_happened;
    w->end.run = on_end;
    timer_init(&w->timer, api->options.loop, on_timeout);
    const char *why = look(w, wish->since);
    if (why != NULL || is_decided(w) || wish->timeout_ms <= 0) {
        bool answered = true;
        bool met = wish->is_none ? json_array_size(w->found) == 0 : is_met(w);
        if (why != NULL && wish->refused != NULL)
            wish->refused(r, why);
        else if (why != NULL)
            answer_error(r, 400, why);
        else
            answered = wish->done(api, r, w->found, met);
        waiter_free(w);
        return answered;
    }
    r->waiter = w;
    box_watch(api->options.box, &w->watcher);
    timer_set(&w->timer, wish->timeout_ms < TIMEOUT_MAX_MS ? wish->timeout_ms : TIMEOUT_MAX_MS);
    return false;
}

void wait_end(struct api_request *r)
{
    if (r->waiter != NULL)
        waiter_free(r->waiter);
    r->waiter = NULL;
}
