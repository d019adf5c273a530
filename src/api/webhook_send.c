/* webhook_send.c: takes what is to be told to webhooks from the store, when it is due, and tells
 * it: some at a time, so that one who is slow keeps nobody else waiting for long. */
#include "api/webhook_private.h"

#include "api/reach.h"

#include <stdlib.h>
#include <string.h>

enum { UNDER_WAY_MAX = 100, TIMEOUT_MS = 30000, ANSWER_MAX = 1024 * 1024, BODY_MAX = 16 * 1024 * 1024,
       LATEST_MS = 60000, A_TURN = 64 };

struct webhook_try {
    struct reach_ask ask;
    struct api *api;
    struct hook_job job;
    struct buffer body;
    struct webhook_fields fields;
    int64_t begun_wall_ms;
    int64_t begun_mono_ms;
};

static void try_free(struct webhook_try *t)
{
    reach_ask_clear(&t->ask);
    hook_job_free(&t->job);
    buffer_free(&t->body);
    buffer_free(&t->fields.text);
    free(t);
}

static bool is_hopeless(const struct reach_ask *ask)
{
    return ask->http.result == HTTP_INVALID || ask->http.result == HTTP_REFUSED ||
           (ask->http.result == HTTP_ANSWERED && ask->http.status == 410);
}

static void on_done(struct reach_ask *ask)
{
    struct webhook_try *t = container_of(ask, struct webhook_try, ask);
    struct api *api = t->api;
    bool answered = ask->http.result == HTTP_ANSWERED;
    struct hook_outcome outcome = {
        .is_good = answered && ask->http.status >= 200 && ask->http.status < 300,
        .is_hopeless = is_hopeless(ask),
        .status = answered ? ask->http.status : 0,
        .trouble = answered ? "" : ask->http.trouble,
        .answer = answered ? buffer_slice(&ask->http.answer) : slice_make(NULL, 0),
        .at_ms = t->begun_wall_ms,
        .took_ms = loop_now(api->options.loop).mono_ms - t->begun_mono_ms,
    };
    api->webhooks_under_way--;
    /* what was given up is under way still, and begins anew with the next start */
    if (ask->http.result != HTTP_CANCELLED)
        box_hook_done(api->options.box, &t->job, &outcome);
    try_free(t);
}

/* Told without anything being sent. */
static void settle(struct webhook_try *t, bool is_passed_over, const char *trouble)
{
    const struct hook_outcome outcome = {
        .is_passed_over = is_passed_over, .is_hopeless = true, .trouble = trouble,
        .at_ms = t->begun_wall_ms,
    };
    box_hook_done(t->api->options.box, &t->job, &outcome);
    try_free(t);
}

/* The same octets at each try. */
static bool make_body(struct webhook_try *t)
{
    if (t->job.body != NULL) {
        buffer_append(&t->body, slice_from_string(json_string_value(t->job.body)));
        return !t->body.overflow;
    }
    return webhook_body(t->api, &t->job, &t->body) &&
           box_hook_keep(t->api->options.box, &t->job, buffer_slice(&t->body));
}

static void begin(struct api *api, const struct hook_job *job)
{
    struct webhook_try *t = calloc(1, sizeof *t);
    struct hook_job taken = *job;
    if (t == NULL) {
        hook_job_free(&taken);
        return;
    }
    struct moment now = loop_now(api->options.loop);
    t->api = api;
    t->job = taken;
    t->begun_wall_ms = now.wall_ms;
    t->begun_mono_ms = now.mono_ms;
    buffer_init(&t->body, BODY_MAX);
    buffer_init(&t->fields.text, 1);
    if (!webhook_wants(api, &t->job)) {
        settle(t, true, "");
        return;
    }
    if (!make_body(t) ||
        !webhook_fields(api, &t->job, buffer_slice(&t->body), now.wall_ms, &t->fields)) {
        settle(t, false, "what is to be sent could not be made");
        return;
    }
    t->ask.http = (struct http_request){
        .url = slice_from_string(json_text(t->job.hook, "url")), .fields = t->fields.all,
        .fields_count = t->fields.count, .body = buffer_slice(&t->body), .method = "POST",
        .answer_max = ANSWER_MAX, .timeout_ms = TIMEOUT_MS,
        .is_of_operator = t->job.is_of_operator,
    };
    t->ask.done = on_done;
    api->webhooks_under_way++;
    reach_begin(api->reach, &t->ask);
}

static void on_due(struct timer *timer)
{
    struct api *api = container_of(timer, struct api, webhooks_due);
    struct hook_job job;
    int64_t now = loop_now(api->options.loop).wall_ms;
    for (int i = 0; i < A_TURN && api->webhooks_under_way < UNDER_WAY_MAX &&
                    box_hook_next(api->options.box, now, &job); i++)
        begin(api, &job);
    int64_t due = api->webhooks_under_way < UNDER_WAY_MAX ? box_hook_due(api->options.box) : 0;
    if (due > 0) /* the clock may be set */
        timer_set(timer, due <= now ? 1 : due - now < LATEST_MS ? due - now : LATEST_MS);
}

static void on_happened(struct box_watcher *watcher, enum box_event event, int64_t workspace,
                        json_t *what)
{
    struct api *api = container_of(watcher, struct api, webhooks_watcher);
    (void)workspace;
    (void)what;
    if (event == BOX_HOOKS)
        timer_set(&api->webhooks_due, 0);
}

/* Each message of the common workspace, in Mailpit's form. */
static void set_operators(struct api *api)
{
    json_t *wish = api->options.webhook.len == 0 ? NULL
        : json_pack("{s:s, s:o, s:[s], s:i, s:i}", "dialect", "mailpit", "url",
                    json_slice(api->options.webhook), "events", hook_event_name(HOOK_RECEIVED),
                    "tries", WEBHOOK_TRIES_DEFAULT, "backoff_ms", WEBHOOK_BACKOFF_DEFAULT_MS);
    box_hook_of_operator(api->options.box, wish);
    json_decref(wish);
}

void webhooks_begin(struct api *api)
{
    set_operators(api);
    api->webhooks_watcher.happened = on_happened;
    box_watch(api->options.box, &api->webhooks_watcher);
    timer_init(&api->webhooks_due, api->options.loop, on_due);
    timer_set(&api->webhooks_due, 0);
}

void webhooks_end(struct api *api)
{
    box_unwatch(api->options.box, &api->webhooks_watcher);
    timer_clear(&api->webhooks_due);
}
