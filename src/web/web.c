/* web.c: the daemon on our loop, and requests from their first octet to their answer. */
#include "web/web_private.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 2000, CONNECTION_MEMORY = 64 * 1024, TIMEOUT_S = 60 };

static void run_daemon(struct web *w)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(w->daemon);
    if (MHD_get_timeout(w->daemon, &ms) != MHD_YES)
        timer_clear(&w->timer);
    else
        timer_set(&w->timer, ms > 10000 ? 10000 : (int64_t)ms);
}

static void on_ready(struct watch *watch)
{
    run_daemon(container_of(watch, struct web, watch));
}

static void on_timer(struct timer *timer)
{
    run_daemon(container_of(timer, struct web, timer));
}

static void on_turn(struct deferred *deferred)
{
    run_daemon(container_of(deferred, struct web, turn));
}

void web_wake(struct web *w)
{
    loop_defer(w->options.loop, &w->turn);
}

/* ---- a request ---- */

static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct web_request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->web = context;
    r->connection = connection;
    r->uri = strlen(uri) <= URI_MAX ? strdup(uri) : NULL;
    buffer_init(&r->body, API_SEND_MAX + 1);
    return r;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct web_request *r = *state;
    (void)context;
    (void)connection;
    (void)code;
    *state = NULL;
    if (r == NULL)
        return;
    if (r->was_handled)
        api_request_free(r->web->options.api, &r->api);
    buffer_free(&r->body);
    free(r->uri);
    free(r);
}

static enum MHD_Result take_query(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_len, const char *value, size_t value_len)
{
    struct web_request *r = context;
    (void)kind;
    if (r->api.query_count == PAIRS_MAX)
        return MHD_NO;
    r->query[r->api.query_count++] = (struct api_pair){ slice_make(name, name_len),
                                                        slice_make(value, value_len) };
    return MHD_YES;
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    struct web_request *r = context;
    (void)kind;
    if (r->api.headers_count == PAIRS_MAX)
        return MHD_NO;
    r->headers[r->api.headers_count++] = (struct api_pair){ slice_make(name, name_len),
                                                            slice_make(value, value_len) };
    return MHD_YES;
}

static enum api_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum api_method method;
    } methods[] = { { "GET", API_GET }, { "HEAD", API_GET }, { "PUT", API_PUT },
                    { "POST", API_POST }, { "DELETE", API_DELETE }, { "PATCH", API_PATCH },
                    { "OPTIONS", API_OPTIONS } };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(name, methods[i].name) == 0)
            return methods[i].method;
    return API_OTHER;
}

/* Without the root and the query; false: it lies elsewhere. */
static bool set_path(struct web_request *r)
{
    struct slice path = slice_from_string(r->uri);
    struct slice root = r->web->options.root;
    size_t end = slice_find(path, '?');
    path = slice_part(path, 0, end == SLICE_NOT_FOUND ? path.len : end);
    if (root.len > 0 && (path.len < root.len || memcmp(path.data, root.data, root.len) != 0))
        return false;
    r->api.path = slice_from(path, root.len);
    if (r->api.path.len == 0)
        r->api.path = SLICE("/");
    return r->api.path.data[0] == '/';
}

/* When the header has come. MHD_YES and nothing queued: go on. */
static enum MHD_Result begin(struct web_request *r, const char *method, bool *out_refused)
{
    unsigned status = 400;
    const char *why = NULL;
    r->has_begun = true;
    r->api.method = method_of(method);
    r->is_head = strcmp(method, "HEAD") == 0;
    r->api.query = r->query;
    r->api.headers = r->headers;
    if (r->uri == NULL) {
        status = 414;
        why = "the address is too long";
    } else if (MHD_get_connection_values_n(r->connection, MHD_GET_ARGUMENT_KIND, take_query, r) < 0 ||
               MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, take_header, r) < 0 ||
               r->api.headers_count == PAIRS_MAX || r->api.query_count == PAIRS_MAX) {
        why = "too many fields";
    } else if (!set_path(r)) {
        status = 404;
        why = "404 page not found";
    } else {
        why = guard_request(r, &status);
    }
    *out_refused = why != NULL;
    return why == NULL ? MHD_YES : reply_refuse(r, status, why);
}

/* The answer of one that waited: looked at again by the daemon. */
static void on_answered(struct api_request *api)
{
    struct web_request *r = api->carrier;
    r->is_ready = true;
    if (r->is_suspended) {
        r->is_suspended = false;
        MHD_resume_connection(r->connection);
        web_wake(r->web);
    }
}

static enum MHD_Result answer(struct web_request *r)
{
    if (r->api.stream == API_STREAM_EVENTS)
        return events_begin(r);
    if (r->api.stream == API_STREAM_SOCKET)
        return socket_begin(r);
    return reply_send(r);
}

static enum MHD_Result finish(struct web_request *r)
{
    if (r->was_handled)
        return r->is_ready ? answer(r) : MHD_YES;
    if (r->is_too_large)
        return reply_refuse(r, 413, "the body is too large");
    r->was_handled = true;
    r->api.body = buffer_slice(&r->body);
    r->api.carrier = r;
    r->api.answered = on_answered;
    if (page_answer(r) || api_handle(r->web->options.api, &r->api)) {
        r->is_ready = true;
        return answer(r);
    }
    r->is_suspended = true;
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection,
                                 const char *url, const char *method, const char *version,
                                 const char *upload, size_t *upload_len, void **state)
{
    struct web_request *r = *state;
    bool refused = false;
    (void)context;
    (void)connection;
    (void)url;
    (void)version;
    if (r == NULL)
        return MHD_NO;
    if (!r->has_begun) {
        enum MHD_Result result = begin(r, method, &refused);
        return result;
    }
    if (*upload_len == 0)
        return finish(r);
    if (buffer_len(&r->body) + *upload_len > api_body_max(r->api.path))
        r->is_too_large = true;
    else
        buffer_append(&r->body, slice_make(upload, *upload_len));
    *upload_len = 0;
    return MHD_YES;
}

/* ---- opened and closed ---- */

enum err web_open(const struct web_options *options, struct web **out)
{
    struct web *w = calloc(1, sizeof *w);
    if (w == NULL)
        return ERR_MEMORY;
    w->options = *options;
    list_init(&w->sockets);
    list_init(&w->streams);
    w->turn.run = on_turn;
    timer_init(&w->timer, options->loop, on_timer);
    w->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, NULL, NULL, on_access, w,
        MHD_OPTION_LISTEN_SOCKET, options->fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, w,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, w, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        w->daemon == NULL ? NULL : MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        web_close(&w);
        return ERR_IO;
    }
    watch_init(&w->watch, options->loop, info->epoll_fd, on_ready, NULL);
    if (watch_read(&w->watch, true) != ERR_OK) {
        web_close(&w);
        return ERR_IO;
    }
    run_daemon(w);
    *out = w;
    return ERR_OK;
}

void web_close(struct web **web)
{
    struct web *w = *web;
    if (w == NULL)
        return;
    events_close_all(w);
    socket_close_all(w);
    timer_clear(&w->timer);
    watch_close(&w->watch);
    list_remove(&w->turn.node);
    if (w->daemon != NULL) {
        MHD_run(w->daemon); /* takes up what was resumed */
        MHD_quiesce_daemon(w->daemon);
        MHD_stop_daemon(w->daemon);
    }
    free(w);
    *web = NULL;
}
