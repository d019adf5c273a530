/* engine_history.c: events to the log and the history, and what is asked of the history.
 *
 * Mail does not wait for it: where it cannot be opened the engine runs without. It has a file
 * of its own, so that a long search keeps nothing else of the store waiting.
 */
#include "daemon/engine_private.h"

#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>

/* Whatever an operator does is done on the queue's thread, in the call that asks for it. */
static bool is_by_operator(const struct mail_event *event)
{
    return event->kind == MAIL_HELD || event->kind == MAIL_RELEASED ||
           event->kind == MAIL_DELETED;
}

static void on_event(struct event_sink *sink, const struct mail_event *event)
{
    struct engine *e = container_of(sink, struct engine, events);
    struct mail_event named = *event;
    if (is_by_operator(event) && e->acting != NULL)
        named.account = slice_from_string(e->acting);
    event_emit(&e->log_of_events.sink, &named);
    if (e->history != NULL)
        event_emit(history_sink(e->history), &named);
    engine_trace_event(e->trace, &named);
}

void engine_events_init(struct engine *e)
{
    event_log_init(&e->log_of_events, e->options->is_quick_start);
    e->events.emit = on_event;
}

void engine_history_open(struct engine *e)
{
    static const struct store_module *const modules[] = { &history_module, NULL };
    char path[4200];
    int len = (int)e->config->data.len;
    struct store_options store = {
        .path = path, .modules = modules, .watcher = &e->store_watcher,
        .bytes_max = e->config->history.size_bytes + e->config->history.size_bytes / 2 +
                     UINT64_C(64) * 1024 * 1024,
    };
    snprintf(path, sizeof path, "%.*s/history.db", len, e->config->data.data);
    enum err error = store_open(&store, &e->store_of_history);
    if (error == ERR_OK) {
        struct history_options options = { .loop = e->queue_loop.loop,
                                           .store = e->store_of_history, .ring_path = path };
        snprintf(path, sizeof path, "%.*s/history.ring", len, e->config->data.data);
        error = history_open(&options, e->config, &e->history);
    }
    if (error != ERR_OK) {
        log_fault("history", "it cannot be opened: nothing is known of messages that are gone",
                  error);
        store_close(&e->store_of_history);
    }
}

/* ---- what an operator asks ---- */

struct asking {
    struct history_asked asked;
    struct engine *engine;
    struct control_call *call;
};

/* What is still in the queue says itself how it is. */
static void add_queue(struct engine *e, json_t *life)
{
    struct mail_id id;
    const char *text = json_string_value(json_object_get(life, "id"));
    if (mail_id_parse(slice_from_string(text), &id))
        json_object_set_new(life, "queue", operator_recipients(e, id));
}

static void on_lives(struct history_asked *asked, json_t *answer, const char *complaint)
{
    struct asking *a = container_of(asked, struct asking, asked);
    json_t *list = json_object_get(answer, "lives");
    json_t *one;
    size_t index;
    json_array_foreach(list, index, one) {
        add_queue(a->engine, one);
        control_say(a->call, json_incref(one));
    }
    if (answer != NULL)
        json_object_del(answer, "lives");
    control_done(a->call, complaint, answer);
    free(a);
}

static void on_events(struct history_asked *asked, json_t *answer, const char *complaint)
{
    struct asking *a = container_of(asked, struct asking, asked);
    json_t *list = json_object_get(answer, "events");
    json_t *one;
    size_t index;
    json_array_foreach(list, index, one)
        control_say(a->call, json_incref(one));
    if (answer != NULL)
        json_object_del(answer, "events");
    control_done(a->call, complaint, answer);
    free(a);
}

void engine_history_asked(struct engine *e, struct control_call *call, const json_t *request)
{
    struct slice what = slice_from_string(json_string_value(json_object_get(request, "command")));
    const char *whom = json_string_value(json_object_get(request, "what"));
    json_int_t after = json_integer_value(json_object_get(request, "after"));
    json_int_t limit = json_integer_value(json_object_get(request, "limit"));
    size_t most = limit > 0 && limit < 1000 ? (size_t)limit : 1000;
    if (e->history == NULL) {
        control_done(call, "there is no history", NULL);
        return;
    }
    struct asking *a = malloc(sizeof *a);
    bool good = a != NULL;
    if (good)
        *a = (struct asking){ .engine = e, .call = call };
    if (good && slice_equal(what, SLICE("history-why"))) {
        a->asked.done = on_lives;
        good = history_why(e->history, slice_from_string(whom == NULL ? "" : whom), most,
                           &a->asked);
    } else if (good) {
        a->asked.done = on_events;
        good = history_events(e->history, after > 0 ? (uint64_t)after : 0, most, &a->asked);
    }
    if (good)
        return;
    free(a);
    control_done(call, "the history cannot be asked now", NULL);
}
