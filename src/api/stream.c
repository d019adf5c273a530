/* stream.c: what happens, to whoever listens, as text of a dialect. */
#include "api/api_private.h"

#include <stdlib.h>
#include <string.h>

enum { FRAME_MAX = 1024 * 1024, BACKLOG_MAX = 1000 };

struct api_stream {
    struct api *api;
    struct box_watcher watcher;
    int dialect;
    enum api_stream_kind kind;
    int64_t workspace;
    void (*push)(void *context, struct slice text);
    void *context;
    struct buffer text;
};

static int append(const char *text, size_t len, void *context)
{
    buffer_append(context, slice_make(text, len));
    return 0;
}

/* A frame of it, or an event with its cursor as id. */
static void send_frame(struct api_stream *s, const char *name, int64_t cursor, json_t *value)
{
    buffer_clear(&s->text);
    if (s->kind == API_STREAM_EVENTS) {
        if (cursor > 0)
            buffer_append_format(&s->text, "id: %lld\n", (long long)cursor);
        buffer_append_format(&s->text, "event: %s\ndata: ", name);
    }
    json_dump_callback(value, append, &s->text, JSON_COMPACT);
    if (s->kind == API_STREAM_EVENTS)
        buffer_append(&s->text, SLICE("\n\n"));
    if (!s->text.overflow)
        s->push(s->context, buffer_slice(&s->text));
    json_decref(value);
}

static const char *const own_names[] = {
    [BOX_NEW] = "message", [BOX_UPDATED] = "updated", [BOX_DELETED] = "deleted",
    [BOX_EMPTIED] = "emptied", [BOX_REFUSED] = "refused", [BOX_FAULT] = "fault",
    [BOX_RULES] = "rules", [BOX_HOOKS] = "webhooks",
};

static void tell_own(struct api_stream *s, enum box_event event, json_t *what)
{
    int64_t cursor = event == BOX_NEW ? json_integer_value(json_object_get(what, "seq")) : 0;
    json_t *shown = what == NULL ? json_object() : json_copy(what);
    if (event == BOX_NEW)
        json_object_set_new(shown, "created",
                            json_time(json_integer_value(json_object_get(what, "created"))));
    send_frame(s, own_names[event], cursor, shown);
}

static json_t *mailpit_stats(struct api_stream *s)
{
    uint64_t total, unread;
    box_count(s->api->options.box, s->workspace, &total, &unread);
    return json_pack("{s:s, s:{s:I, s:I, s:s}}", "Type", "stats", "Data", "Total",
                     (json_int_t)total, "Unread", (json_int_t)unread, "Version",
                     "v" GODWIT_VERSION);
}

static json_t *mailpit_frame(enum box_event event, json_t *what)
{
    switch (event) {
    case BOX_NEW:
        return json_pack("{s:s, s:o}", "Type", "new", "Data", mailpit_summary(what));
    case BOX_UPDATED:
        if (json_object_get(what, "read") != NULL)
            return json_pack("{s:s, s:{s:O, s:O}}", "Type", "update", "Data", "ID",
                             json_object_get(what, "id"), "Read", json_object_get(what, "read"));
        return json_pack("{s:s, s:{s:O, s:O}}", "Type", "update", "Data", "ID",
                         json_object_get(what, "id"), "Tags", json_object_get(what, "tags"));
    case BOX_DELETED:
        return json_pack("{s:s, s:{s:O}}", "Type", "delete", "Data", "ID",
                         json_object_get(what, "id"));
    case BOX_EMPTIED:
        return json_pack("{s:s, s:n}", "Type", "truncate", "Data");
    case BOX_REFUSED:
        return json_pack("{s:s, s:{s:s, s:s, s:s, s:O}}", "Type", "error", "Data", "Level",
                         "warning", "Type", "smtp", "IP", "", "Message",
                         json_object_get(what, "line"));
    case BOX_FAULT:
    case BOX_RULES:
    case BOX_HOOKS:
        break;
    }
    return NULL;
}

static void tell_mailpit(struct api_stream *s, enum box_event event, json_t *what)
{
    json_t *frame = mailpit_frame(event, what);
    if (frame != NULL)
        send_frame(s, "message", 0, frame);
    if (event != BOX_REFUSED && event != BOX_FAULT && event != BOX_RULES)
        send_frame(s, "message", 0, mailpit_stats(s));
}

static void on_happened(struct box_watcher *watcher, enum box_event event, int64_t workspace,
                        json_t *what)
{
    struct api_stream *s = container_of(watcher, struct api_stream, watcher);
    if (workspace != s->workspace && workspace != 0)
        return;
    if (s->dialect == STREAM_OWN) {
        tell_own(s, event, what);
    } else if (s->dialect == STREAM_MAILPIT) {
        tell_mailpit(s, event, what);
    } else {
        json_t *frame = inbucket_frame(s->dialect, event, what);
        if (frame != NULL)
            send_frame(s, "message", 0, frame);
    }
}

/* What came while nobody listened. */
static void catch_up(struct api_stream *s, const struct api_request *r)
{
    struct box_query query = { .workspace = s->workspace, .oldest_first = true,
                               .limit = BACKLOG_MAX };
    struct box_found found;
    const char *why;
    uint64_t since = request_number(r, "since", 0, INT64_MAX);
    slice_to_number(request_header(r, "Last-Event-ID"), INT64_MAX, &since);
    query.since = (int64_t)since;
    if (s->dialect != STREAM_OWN || (since == 0 && !request_has(r, "since")) ||
        !box_list(s->api->options.box, &query, &found, &why))
        return;
    size_t i;
    json_t *m;
    json_array_foreach(found.messages, i, m)
        tell_own(s, BOX_NEW, m);
    json_decref(found.messages);
}

struct api_stream *api_stream_open(struct api *api, const struct api_request *r,
                                   void (*push)(void *context, struct slice text),
                                   void *context)
{
    struct api_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct api_stream){
        .api = api, .dialect = r->stream_dialect, .kind = r->stream,
        .workspace = r->workspace, .push = push, .context = context,
        .watcher.happened = on_happened,
    };
    buffer_init(&s->text, FRAME_MAX);
    catch_up(s, r);
    box_watch(api->options.box, &s->watcher);
    return s;
}

void api_stream_close(struct api_stream **stream)
{
    struct api_stream *s = *stream;
    if (s == NULL)
        return;
    box_unwatch(s->api->options.box, &s->watcher);
    buffer_free(&s->text);
    free(s);
    *stream = NULL;
}
