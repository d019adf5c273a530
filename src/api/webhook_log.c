/* webhook_log.c: what webhooks were told: looked at, waited for, tried again. */
#include "api/webhook_private.h"

#include <stdlib.h>
#include <string.h>

#define BASE "/api/godwit/v1"

enum { LIST_DEFAULT = 50, LIST_MAX = 1000, WAIT_DEFAULT_MS = 30000, WAIT_MAX_MS = 300000 };

/* ---- looked at ---- */

static json_t *shown_delivery(json_t *delivery)
{
    static const char *const times[] = { "created", "due" };
    size_t i;
    json_t *attempt;
    for (size_t t = 0; t < 2; t++) {
        json_t *value = json_object_get(delivery, times[t]);
        if (json_is_integer(value))
            json_object_set_new(delivery, times[t], json_time(json_integer_value(value)));
    }
    json_array_foreach(json_object_get(delivery, "attempts"), i, attempt) {
        json_t *at = json_object_get(attempt, "at");
        json_object_set_new(attempt, "at", json_time(json_integer_value(at)));
    }
    return delivery;
}

static json_t *deliveries_of(struct api *api, struct api_request *r, struct slice hook)
{
    const struct hook_query query = {
        .workspace = r->workspace, .hook = hook, .state = request_query(r, "state"),
        .start = (uint32_t)request_number(r, "start", 0, INT32_MAX),
        .limit = (uint32_t)request_number(r, "limit", LIST_DEFAULT, LIST_MAX),
    };
    json_t *all = box_deliveries(api->options.box, &query), *one;
    size_t i;
    json_array_foreach(all, i, one)
        shown_delivery(one);
    return all;
}

static const char *check_state(struct api_request *r, const char *known)
{
    struct slice state = request_query(r, "state");
    const char *why = request_check(r, known);
    if (why != NULL || state.len == 0)
        return why;
    return hook_state_of(state) < 0
               ? "state is waiting, under way, delivered, dead or passed over" : NULL;
}

static bool is_there(struct api *api, const struct api_request *r)
{
    json_t *hook = box_hook(api->options.box, r->workspace, r->arguments[0]);
    bool is = hook != NULL;
    json_decref(hook);
    return is;
}

static bool deliveries(struct api *api, struct api_request *r)
{
    const char *why = check_state(r, "state start limit");
    return why != NULL ? answer_error(r, 400, why)
                       : answer_json(r, 200, json_pack("{s:o}", "deliveries",
                                                       deliveries_of(api, r, SLICE(""))));
}

static bool deliveries_of_one(struct api *api, struct api_request *r)
{
    const char *why = check_state(r, "state start limit");
    if (why != NULL)
        return answer_error(r, 400, why);
    return !is_there(api, r) ? webhook_missing(r)
                             : answer_json(r, 200, json_pack("{s:o}", "deliveries",
                                                     deliveries_of(api, r, r->arguments[0])));
}

static bool delivery(struct api *api, struct api_request *r)
{
    json_t *one = box_delivery(api->options.box, r->workspace, r->arguments[0]);
    return one == NULL ? answer_error(r, 404, "no such delivery")
                       : answer_json(r, 200, shown_delivery(one));
}

static bool redriven(struct api_request *r, int64_t count)
{
    return answer_json(r, 200, json_pack("{s:I}", "redriven", (json_int_t)count));
}

static bool redrive_one(struct api *api, struct api_request *r)
{
    int64_t count = box_redrive(api->options.box, r->workspace, SLICE(""), r->arguments[0]);
    return count == 0 ? answer_error(r, 404, "no such delivery that is over") : redriven(r, count);
}

static bool redrive_all(struct api *api, struct api_request *r)
{
    if (!is_there(api, r))
        return webhook_missing(r);
    return redriven(r, box_redrive(api->options.box, r->workspace, r->arguments[0], SLICE("")));
}

/* ---- waited for ---- */

struct api_expected {
    struct api_request *request;
    struct api *api;
    struct box_watcher watcher;
    struct timer timer;
    struct deferred end;
    enum hook_state state;
    uint64_t count;
    webhook_waited_fn *done;
    bool is_over;
    bool is_met;
};

void expected_end(struct api_request *r)
{
    struct api_expected *e = r->expected;
    if (e == NULL)
        return;
    box_unwatch(e->api->options.box, &e->watcher);
    timer_clear(&e->timer);
    list_remove(&e->end.node);
    free(e);
    r->expected = NULL;
}

static void on_expected(struct deferred *deferred)
{
    struct api_expected *e = container_of(deferred, struct api_expected, end);
    struct api_request *r = e->request;
    e->done(e->api, r, e->state, e->is_met);
    expected_end(r);
    r->answered(r);
}

static void decide(struct api_expected *e, bool is_met)
{
    if (e->is_over)
        return;
    e->is_over = true;
    e->is_met = is_met;
    loop_defer(e->api->options.loop, &e->end);
}

static bool is_met(const struct api_expected *e)
{
    return box_deliveries_count(e->api->options.box, e->request->workspace,
                                e->request->arguments[0], (int)e->state) >= e->count;
}

static void on_late(struct timer *timer)
{
    decide(container_of(timer, struct api_expected, timer), false);
}

static void on_happened(struct box_watcher *watcher, enum box_event event, int64_t workspace,
                        json_t *what)
{
    struct api_expected *e = container_of(watcher, struct api_expected, watcher);
    (void)what;
    if (event == BOX_HOOKS && workspace == e->request->workspace && is_met(e))
        decide(e, true);
}

bool webhook_wait(struct api *api, struct api_request *r, const struct webhook_wish *wish)
{
    struct api_expected *e = calloc(1, sizeof *e);
    if (e == NULL)
        return answer_error(r, 500, "out of memory");
    *e = (struct api_expected){ .request = r, .api = api, .watcher.happened = on_happened,
                                .end.run = on_expected, .state = wish->state,
                                .count = wish->count, .done = wish->done };
    timer_init(&e->timer, api->options.loop, on_late);
    if (is_met(e) || wish->timeout_ms <= 0) {
        bool met = is_met(e);
        free(e);
        return wish->done(api, r, wish->state, met);
    }
    r->expected = e;
    box_watch(api->options.box, &e->watcher);
    timer_set(&e->timer, wish->timeout_ms < WAIT_MAX_MS ? wish->timeout_ms : WAIT_MAX_MS);
    return false;
}

static bool waited(struct api *api, struct api_request *r, enum hook_state state, bool met)
{
    uint64_t count = box_deliveries_count(api->options.box, r->workspace, r->arguments[0],
                                          (int)state);
    json_t *answer = json_pack("{s:b, s:I, s:o}", "found", met, "count", (json_int_t)count,
                               "deliveries", deliveries_of(api, r, r->arguments[0]));
    if (!met)
        json_object_set_new(answer, "message", json_string("not so many in time"));
    return answer_json(r, met ? 200 : 408, answer);
}

static bool wait_for(struct api *api, struct api_request *r)
{
    struct slice state = request_query(r, "state"), timeout = request_query(r, "timeout");
    struct webhook_wish wish = {
        .state = state.len == 0 ? HOOK_DELIVERED : (enum hook_state)hook_state_of(state),
        .count = request_number(r, "count", 1, INT32_MAX),
        .timeout_ms = timeout.len == 0 ? WAIT_DEFAULT_MS : read_duration(timeout), .done = waited,
    };
    const char *why = check_state(r, "state count timeout start limit");
    if (why == NULL && wish.timeout_ms < 0)
        why = "timeout is a duration such as 30s or 500ms";
    if (why != NULL)
        return answer_error(r, 400, why);
    return is_there(api, r) ? webhook_wait(api, r, &wish) : webhook_missing(r);
}

const struct api_route webhook_log_routes[] = {
    { API_GET, BASE "/webhooks/*/deliveries", deliveries_of_one },
    { API_POST, BASE "/webhooks/*/redrive", redrive_all },
    { API_GET, BASE "/webhooks/*/wait", wait_for },
    { API_GET, BASE "/deliveries", deliveries },
    { API_GET, BASE "/deliveries/*", delivery },
    { API_POST, BASE "/deliveries/*/redrive", redrive_one },
    { API_OTHER, NULL, NULL },
};
