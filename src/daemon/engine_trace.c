/* engine_trace.c: events, and the lines of dialogues, to operators who look on.
 *
 * While nobody does, it costs whoever tells an event one look at a number. Else the event is
 * made a value where it happens and posted to the queue's thread, where each listener's
 * filter decides. Too many on their way, or a listener that does not read, lose lines: these
 * are counted, and told in their place. Mail never waits for it.
 */
#include "daemon/engine_private.h"

#include "net/network.h"

#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 20000, LISTENERS_MAX = 16, KNOWN_MAX = 4096, POLL_MS = 200,
       ALIVE_MS = 20 * 1000, QUEUED_MAX = 1024 * 1024, FOR_MAX_MS = 7 * 24 * 3600 * 1000 };

/* Ids and sessions that belong to what was asked for, in a ring. */
struct known {
    uint64_t all[KNOWN_MAX];
    size_t next;
};

struct listener {
    struct list_node node;
    struct control_call *call;
    struct network client;
    bool has_client;
    char *from;                /* NULL: any; likewise the next two */
    char *to;
    char *site;
    char id[MAIL_ID_CHARACTERS + 1]; /* or empty */
    struct known ids;
    struct known sessions;
    uint64_t lost;
    int64_t until_mono_ms;     /* 0: until it goes away */
    int64_t alive_mono_ms;     /* when something was said last */
};

struct told {
    struct task task;
    struct engine_trace *trace;
    uint64_t id;
    uint64_t session;
    json_t *value;
};

struct engine_trace {
    struct engine *engine;
    struct line_sink lines;    /* `is_wanted`: somebody listens */
    atomic_uint waiting;
    atomic_ullong lost;        /* not yet told */
    struct timer poll;
    struct list listeners;     /* on the queue's thread */
    size_t count;
};

/* ---- on any thread ---- */

static void run_told(struct task *task);

static void post(struct engine_trace *t, json_t *value, uint64_t id, uint64_t session)
{
    struct told *told = value == NULL ? NULL : malloc(sizeof *told);
    if (told == NULL || atomic_fetch_add(&t->waiting, 1) >= WAITING_MAX) {
        if (told != NULL)
            atomic_fetch_sub(&t->waiting, 1);
        atomic_fetch_add(&t->lost, 1);
        json_decref(value);
        free(told);
        return;
    }
    *told = (struct told){ .task.run = run_told, .trace = t, .id = id, .session = session,
                           .value = value };
    home_post(loop_home(t->engine->queue_loop.loop), &told->task);
}

void engine_trace_event(struct engine_trace *t, const struct mail_event *event)
{
    if (t == NULL || !atomic_load_explicit(&t->lines.is_wanted, memory_order_relaxed))
        return;
    post(t, history_event_value(event), event->id.value, event->session_id);
}

static void on_line(struct line_sink *sink, const struct mail_line *line)
{
    struct engine_trace *t = container_of(sink, struct engine_trace, lines);
    json_t *o = json_pack("{s:I,s:s,s:I,s:s}", "time", (json_int_t)line->at.wall_ms, "event",
                          "line", "session", (json_int_t)line->session_id, "who",
                          line->is_ours ? "godwit" : line->is_outbound ? "server" : "client");
    if (o != NULL) {
        json_object_set_new(o, "peer", operator_text(line->peer));
        json_object_set_new(o, "text", operator_text(line->text));
        json_object_set_new(o, "outbound", json_boolean(line->is_outbound));
    }
    post(t, o, 0, line->session_id);
}

/* ---- on the queue's thread: who wants it ---- */

static bool is_known(const struct known *k, uint64_t value)
{
    for (size_t i = 0; value != 0 && i < KNOWN_MAX; i++)
        if (k->all[i] == value)
            return true;
    return false;
}

static void note(struct known *k, uint64_t value)
{
    if (value == 0 || is_known(k, value))
        return;
    k->all[k->next] = value;
    k->next = (k->next + 1) % KNOWN_MAX;
}

static bool is_text(const json_t *value, const char *wanted)
{
    const char *text = json_string_value(value);
    return text != NULL && strcasecmp(text, wanted) == 0;
}

static bool has_to(const json_t *value, const char *wanted)
{
    const json_t *to = json_object_get(value, "to");
    for (size_t i = 0; i < json_array_size(to); i++)
        if (is_text(json_array_get(to, i), wanted))
            return true;
    return is_text(to, wanted);
}

static bool has_client(const struct listener *l, const json_t *value)
{
    struct net_address address;
    const char *peer = json_string_value(json_object_get(value, "peer"));
    return peer != NULL && net_address_parse(slice_from_string(peer), &address) &&
           network_has(&l->client, &address);
}

/* Whether it is itself what was asked for. */
static bool fits(const struct listener *l, const json_t *value)
{
    bool is_site = l->site != NULL && (is_text(json_object_get(value, "site"), l->site) ||
                                       is_text(json_object_get(value, "text"), l->site));
    return (!l->has_client || has_client(l, value)) &&
           (l->from == NULL || is_text(json_object_get(value, "from"), l->from)) &&
           (l->to == NULL || has_to(value, l->to)) && (l->site == NULL || is_site) &&
           (l->id[0] == '\0' || is_text(json_object_get(value, "id"), l->id));
}

/* What belongs to something that was, too: the rest of a message's life, of a session's
 * dialogue. An attempt at somebody else is not wanted because the message went to one. */
static bool wants(struct listener *l, const struct told *told)
{
    bool good = fits(l, told->value);
    if (good) {
        note(&l->ids, told->id);
        if (told->id == 0 || l->to == NULL)
            note(&l->sessions, told->session);
        return true;
    }
    if (told->id == 0)
        return is_known(&l->sessions, told->session);
    bool names_other = (l->to != NULL && json_object_get(told->value, "to") != NULL) ||
                       l->site != NULL;
    return !names_other && is_known(&l->ids, told->id);
}

static void say(struct engine_trace *t, struct listener *l, json_t *value)
{
    if (control_queued(l->call) > QUEUED_MAX) {
        l->lost++;
        return;
    }
    l->alive_mono_ms = loop_now(t->engine->queue_loop.loop).mono_ms;
    if (l->lost > 0)
        control_send(l->call, json_pack("{s:s,s:I}", "event", "lost", "count",
                                        (json_int_t)l->lost));
    l->lost = 0;
    control_send(l->call, json_incref(value));
}

static void run_told(struct task *task)
{
    struct told *told = container_of(task, struct told, task);
    struct engine_trace *t = told->trace;
    uint64_t lost = atomic_exchange(&t->lost, 0);
    atomic_fetch_sub(&t->waiting, 1);
    struct list_node *node = list_first(&t->listeners);
    for (; node != NULL; node = list_next(&t->listeners, node)) {
        struct listener *l = container_of(node, struct listener, node);
        l->lost += lost;
        if (wants(l, told))
            say(t, l, told->value);
    }
    json_decref(told->value);
    free(told);
}

/* ---- listeners come and go ---- */

static void listener_free(struct engine_trace *t, struct listener *l)
{
    list_remove(&l->node);
    t->count--;
    atomic_store(&t->lines.is_wanted, t->count > 0);
    free(l->from);
    free(l->to);
    free(l->site);
    free(l);
}

static void listener_end(struct engine_trace *t, struct listener *l)
{
    struct control_call *call = l->call;
    json_t *last = json_pack("{s:I}", "lost", (json_int_t)l->lost);
    listener_free(t, l);
    control_done(call, NULL, last);
}

static void on_poll(struct timer *timer)
{
    struct engine_trace *t = container_of(timer, struct engine_trace, poll);
    int64_t now = loop_now(t->engine->queue_loop.loop).mono_ms;
    struct list_node *node = list_first(&t->listeners);
    while (node != NULL) {
        struct listener *l = container_of(node, struct listener, node);
        node = list_next(&t->listeners, node);
        if (control_is_gone(l->call) || (l->until_mono_ms != 0 && now >= l->until_mono_ms))
            listener_end(t, l);
        else if (now - l->alive_mono_ms >= ALIVE_MS) {
            l->alive_mono_ms = now;
            control_send(l->call, json_pack("{s:b}", "alive", 1));
        }
    }
    if (t->count > 0)
        timer_set(timer, POLL_MS);
}

/* False: no memory. */
static bool take_text(const json_t *request, const char *key, char **out)
{
    const char *text = json_string_value(json_object_get(request, key));
    if (text == NULL)
        return true;
    *out = strdup(text);
    return *out != NULL;
}

static const char *fill(struct listener *l, const json_t *request)
{
    const char *client = json_string_value(json_object_get(request, "client"));
    const char *id = json_string_value(json_object_get(request, "id"));
    struct mail_id parsed;
    if (client != NULL) {
        l->has_client = true;
        if (!network_parse(slice_from_string(client), &l->client))
            return "that is no address or network";
    }
    if (id != NULL && !mail_id_parse(slice_from_string(id), &parsed))
        return "that is no message id";
    if (id != NULL)
        mail_id_text(parsed, l->id);
    return take_text(request, "from", &l->from) && take_text(request, "to", &l->to) &&
                   take_text(request, "site", &l->site)
               ? NULL : "there is no memory for it";
}

void engine_trace_asked(struct engine *e, struct control_call *call, const json_t *request)
{
    struct engine_trace *t = e->trace;
    struct listener *l = t == NULL || t->count >= LISTENERS_MAX ? NULL : calloc(1, sizeof *l);
    json_int_t for_ms = json_integer_value(json_object_get(request, "for_ms"));
    if (l == NULL) {
        control_done(call, "too many look on already", NULL);
        return;
    }
    l->call = call;
    l->alive_mono_ms = loop_now(e->queue_loop.loop).mono_ms;
    if (for_ms > 0 && for_ms <= FOR_MAX_MS)
        l->until_mono_ms = l->alive_mono_ms + for_ms;
    list_append(&t->listeners, &l->node);
    t->count++;
    const char *complaint = fill(l, request);
    if (complaint != NULL) {
        listener_free(t, l);
        control_done(call, complaint, NULL);
        return;
    }
    atomic_store(&t->lines.is_wanted, true);
    control_send(call, json_pack("{s:b}", "alive", 1)); /* from now on it is told */
    if (!timer_is_set(&t->poll))
        timer_set(&t->poll, POLL_MS);
}

struct line_sink *engine_trace_lines(struct engine *e)
{
    return e->trace == NULL ? NULL : &e->trace->lines;
}

void engine_trace_open(struct engine *e)
{
    struct engine_trace *t = calloc(1, sizeof *t);
    if (t == NULL)
        return;
    t->engine = e;
    t->lines.line = on_line;
    list_init(&t->listeners);
    timer_init(&t->poll, e->queue_loop.loop, on_poll);
    e->trace = t;
}

/* Before the control socket: the calls go with that. What is on its way stays undone. */
void engine_trace_close(struct engine *e)
{
    struct list_node *node;
    if (e->trace == NULL)
        return;
    while ((node = list_first(&e->trace->listeners)) != NULL)
        listener_free(e->trace, container_of(node, struct listener, node));
    timer_clear(&e->trace->poll);
}

void engine_trace_free(struct engine *e)
{
    free(e->trace);
    e->trace = NULL;
}
