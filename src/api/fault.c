/* fault.c: scripted faults: taken in, told to the process that speaks SMTP, and answered when
 * they are in force there. Mailpit's chaos and MailHog's jim are rules as well, with chances. */
#include "api/api_private.h"

#include "log/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BASE "/api/godwit/v1"

enum { SEND_PATIENCE_MS = 1000, FORCE_PATIENCE_MS = 5000, ANSWER_MAX = 4096 };

struct api_forced {
    struct api_request *request;
    struct api *api;
    struct list_node node;
    struct timer timer;
    int64_t revision;
};

/* A line of some size, over a socket that does not block: the other side reads. */
static bool send_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t put = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (put < 0 && errno == EAGAIN && poll(&p, 1, SEND_PATIENCE_MS) <= 0)
            return false;
        bytes = slice_from(bytes, put > 0 ? (size_t)put : 0);
    }
    return true;
}

static void tell_rules(struct api *api)
{
    json_t *said = box_fault_rules(api->options.box);
    json_object_set_new(said, "revision", json_integer((json_int_t)++api->revision));
    char *text = json_dumps(said, JSON_COMPACT);
    bool good = text != NULL && send_all(api->options.channel, slice_from_string(text)) &&
                send_all(api->options.channel, SLICE("\n"));
    if (!good)
        log_note(LOG_WARNING, "faults", "they could not be told to the process for SMTP");
    free(text);
    json_decref(said);
}

static void on_happened(struct box_watcher *watcher, enum box_event event, int64_t workspace,
                        json_t *what)
{
    (void)workspace;
    (void)what;
    if (event == BOX_RULES)
        tell_rules(container_of(watcher, struct api, rules_watcher));
}

static void release(struct api_forced *f)
{
    struct api_request *r = f->request;
    force_end(r);
    r->answered(r);
}

static void on_force_late(struct timer *timer)
{
    struct api_forced *f = container_of(timer, struct api_forced, timer);
    answer_error(f->request, 503, "the fault is kept, but not in force yet");
    release(f);
}

/* "?": it has begun anew; a number: this revision is in force. */
static void take_line(struct api *api, struct slice line)
{
    uint64_t revision;
    struct list_node *node;
    if (slice_equal(line, SLICE("?"))) {
        tell_rules(api);
        return;
    }
    if (!slice_to_number(line, INT64_MAX, &revision))
        return;
    api->in_force = (int64_t)revision;
    while ((node = list_first(&api->forced)) != NULL &&
           container_of(node, struct api_forced, node)->revision <= (int64_t)revision)
        release(container_of(node, struct api_forced, node));
}

static void on_channel(struct watch *watch)
{
    struct api *api = container_of(watch, struct api, channel);
    char *room = buffer_reserve(&api->heard, ANSWER_MAX);
    ssize_t got = room == NULL ? -1 : recv(watch->fd, room, ANSWER_MAX, 0);
    if (room == NULL)
        buffer_free(&api->heard);
    if (got <= 0)
        return;
    buffer_added(&api->heard, (size_t)got);
    for (size_t end; (end = slice_find(buffer_slice(&api->heard), '\n')) != SLICE_NOT_FOUND;) {
        take_line(api, slice_part(buffer_slice(&api->heard), 0, end));
        buffer_consume(&api->heard, end + 1);
    }
}

enum err faults_begin(struct api *api)
{
    list_init(&api->forced);
    buffer_init(&api->heard, 4 * ANSWER_MAX);
    api->rules_watcher.happened = on_happened;
    box_watch(api->options.box, &api->rules_watcher);
    watch_init(&api->channel, api->options.loop, api->options.channel, on_channel, NULL);
    tell_rules(api); /* the other process may have begun before us */
    return watch_read(&api->channel, true);
}

void faults_end(struct api *api)
{
    box_unwatch(api->options.box, &api->rules_watcher);
    watch_close(&api->channel);
    buffer_free(&api->heard);
}

void force_end(struct api_request *r)
{
    if (r->forced == NULL)
        return;
    list_remove(&r->forced->node);
    timer_clear(&r->forced->timer);
    free(r->forced);
    r->forced = NULL;
}

/* The answer that stands in the request goes out when the last revision is in force. */
static bool when_in_force(struct api *api, struct api_request *r)
{
    if (api->in_force == api->revision)
        return true; /* nothing has changed */
    struct api_forced *f = calloc(1, sizeof *f);
    if (f == NULL)
        return answer_error(r, 500, "out of memory");
    *f = (struct api_forced){ .request = r, .api = api, .revision = api->revision };
    timer_init(&f->timer, api->options.loop, on_force_late);
    timer_set(&f->timer, FORCE_PATIENCE_MS);
    list_append(&api->forced, &f->node);
    r->forced = f;
    return false;
}

/* ---- our own ---- */

static bool add(struct api *api, struct api_request *r)
{
    static const struct member members[] = {
        { "name", member_text, "is to be a text" }, { "step", member_text, "is to be a text" },
        { "when", member_object, "is to be an object" },
        { "inbox", member_text, "is to be a text" },
        { "skip", member_count, "is to be a number" },
        { "times", member_count, "is to be a number" },
        { "percent", member_count, "is to be a number" },
        { "then", member_object, "is to be an object" }, { NULL, NULL, NULL },
    };
    json_t *rule = request_json(r, true), *made = NULL;
    const char *why = NULL;
    if (rule != NULL && members_good(r, rule, NULL, members))
        made = box_fault_add(api->options.box, r->workspace, rule, &why);
    json_decref(rule);
    if (made == NULL)
        return why == NULL ? true : answer_error(r, 400, why);
    answer_json(r, 201, made);
    return when_in_force(api, r);
}

static bool list(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, json_pack("{s:o}", "faults",
                                         box_faults(api->options.box, r->workspace)));
}

static bool get(struct api *api, struct api_request *r)
{
    json_t *fault = box_fault(api->options.box, r->workspace, r->arguments[0]);
    return fault == NULL ? answer_error(r, 404, "no such fault") : answer_json(r, 200, fault);
}

static bool delete_one(struct api *api, struct api_request *r)
{
    if (!box_fault_delete(api->options.box, r->workspace, r->arguments[0]))
        return answer_error(r, 404, "no such fault");
    answer_json(r, 200, json_pack("{s:b}", "deleted", 1));
    return when_in_force(api, r);
}

static bool delete_all(struct api *api, struct api_request *r)
{
    box_fault_delete(api->options.box, r->workspace, slice_make(NULL, 0));
    answer_json(r, 200, json_pack("{s:b}", "deleted", 1));
    return when_in_force(api, r);
}

/* ---- chances ---- */

/* Rules that a dialect has made are told apart by a name. */
static void forget_named(struct api *api, const char *name)
{
    json_t *all = box_faults(api->options.box, BOX_COMMON), *rule;
    size_t i;
    json_array_foreach(all, i, rule)
        if (strcmp(json_text(rule, "name"), name) == 0)
            box_fault_delete(api->options.box, BOX_COMMON,
                             slice_from_string(json_text(rule, "id")));
    json_decref(all);
}

static void add_named(struct api *api, const char *name, const char *step, json_int_t percent,
                      json_t *then)
{
    const char *why;
    json_t *rule = json_pack("{s:s, s:s, s:I, s:o}", "name", name, "step", step, "percent",
                             percent, "then", then);
    json_decref(box_fault_add(api->options.box, BOX_COMMON, rule, &why));
    json_decref(rule);
}

struct trigger {
    const char *name;
    const char *step;
    json_int_t code;
    const char *reply;
};

static const struct trigger triggers[] = {
    { "Sender", "mail", 451, "Chaos sender error" },
    { "Recipient", "rcpt", 451, "Chaos recipient error" },
    { "Authentication", "login", 535, "Chaos authentication error" },
};

static json_t *chaos_json(struct api *api)
{
    json_t *out = json_object(), *all = box_faults(api->options.box, BOX_COMMON), *rule;
    size_t i;
    for (size_t t = 0; t < 3; t++)
        json_object_set_new(out, triggers[t].name, json_pack("{s:I, s:i}", "ErrorCode",
                                                             triggers[t].code, "Probability", 0));
    json_array_foreach(all, i, rule) {
        if (strcmp(json_text(rule, "name"), "chaos") != 0)
            continue;
        for (size_t t = 0; t < 3; t++)
            if (strcmp(json_text(rule, "step"), triggers[t].step) == 0) {
                json_t *shown = json_object_get(out, triggers[t].name);
                const char *reply = json_text(json_object_get(rule, "then"), "reply");
                uint64_t code = 0;
                slice_to_number(slice_part(slice_from_string(reply), 0, 3), 999, &code);
                json_object_set_new(shown, "ErrorCode", json_integer((json_int_t)code));
                json_object_set(shown, "Probability", json_object_get(rule, "percent"));
            }
    }
    json_decref(all);
    return out;
}

static bool chaos_get(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, chaos_json(api));
}

static const char *check_triggers(json_t *body)
{
    for (size_t t = 0; t < 3; t++) {
        json_t *said = json_object_get(body, triggers[t].name);
        json_int_t code = json_integer_value(json_object_get(said, "ErrorCode"));
        json_int_t percent = json_integer_value(json_object_get(said, "Probability"));
        if (said != NULL && ((code != 0 && (code < 400 || code > 599)) || percent < 0 ||
                             percent > 100))
            return "ErrorCode is 400 to 599, Probability 0 to 100";
    }
    return NULL;
}

static bool chaos_put(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false);
    const char *why = body == NULL ? "the body is no JSON object" : check_triggers(body);
    if (why != NULL) {
        json_decref(body);
        return answer_text(r, 400, why);
    }
    forget_named(api, "chaos");
    for (size_t t = 0; t < 3; t++) {
        json_t *said = json_object_get(body, triggers[t].name);
        json_int_t code = json_integer_value(json_object_get(said, "ErrorCode"));
        json_int_t percent = json_integer_value(json_object_get(said, "Probability"));
        char reply[100];
        if (percent == 0)
            continue;
        snprintf(reply, sizeof reply, "%lld %s", (long long)(code == 0 ? triggers[t].code : code),
                 triggers[t].reply);
        add_named(api, "chaos", triggers[t].step, percent, json_pack("{s:s}", "reply", reply));
    }
    json_decref(body);
    answer_json(r, 200, chaos_json(api));
    return when_in_force(api, r);
}

/* ---- jim: chances from 0 to 1 ---- */

static const char *const chances[] = { "DisconnectChance", "AcceptChance", "LinkSpeedAffect",
    "LinkSpeedMin", "LinkSpeedMax", "RejectSenderChance", "RejectRecipientChance",
    "RejectAuthChance" };

static json_t *jim_of(struct api *api)
{
    json_t *all = box_faults(api->options.box, BOX_COMMON), *rule, *found = NULL;
    size_t i;
    json_array_foreach(all, i, rule)
        if (strcmp(json_text(rule, "name"), "jim") == 0)
            found = json_object_get(rule, "jim");
    json_incref(found);
    json_decref(all);
    return found;
}

static bool jim_get(struct api *api, struct api_request *r)
{
    json_t *jim = jim_of(api);
    return jim == NULL ? answer_text(r, 404, "") : answer_json(r, 200, jim);
}

static void add_chance(struct api *api, json_t *jim, double chance, const char *step,
                       json_t *then)
{
    json_int_t percent = (json_int_t)(chance * 100 + 0.5);
    const char *why;
    json_t *rule = json_pack("{s:s, s:s, s:I, s:o, s:O}", "name", "jim", "step", step, "percent",
                             percent < 0 ? 0 : percent > 100 ? 100 : percent, "then", then, "jim",
                             jim);
    json_decref(box_fault_add(api->options.box, BOX_COMMON, rule, &why));
    json_decref(rule);
}

static double chance_of(json_t *jim, const char *name)
{
    return json_number_value(json_object_get(jim, name));
}

static bool jim_set(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false), *jim = json_object();
    for (size_t i = 0; i < sizeof chances / sizeof *chances; i++)
        json_object_set_new(jim, chances[i], json_real(chance_of(body, chances[i])));
    forget_named(api, "jim");
    add_chance(api, jim, json_object_get(body, "AcceptChance") == NULL
                             ? 0 : 1 - chance_of(jim, "AcceptChance"), "connect",
               json_pack("{s:b}", "drop", 1));
    add_chance(api, jim, chance_of(jim, "DisconnectChance"), "helo", json_pack("{s:b}", "drop", 1));
    add_chance(api, jim, chance_of(jim, "RejectSenderChance"), "mail",
               json_pack("{s:s}", "reply", "550 Invalid sender"));
    add_chance(api, jim, chance_of(jim, "RejectRecipientChance"), "rcpt",
               json_pack("{s:s}", "reply", "550 Invalid recipient"));
    add_chance(api, jim, chance_of(jim, "RejectAuthChance"), "login",
               json_pack("{s:s}", "reply", "535 Authentication unsuccessful"));
    json_decref(body);
    json_decref(jim);
    answer_text(r, r->method == API_POST ? 201 : 200, "");
    return when_in_force(api, r);
}

static bool jim_delete(struct api *api, struct api_request *r)
{
    json_t *jim = jim_of(api);
    if (jim == NULL)
        return answer_text(r, 404, "");
    json_decref(jim);
    forget_named(api, "jim");
    answer_text(r, 200, "");
    return when_in_force(api, r);
}

const struct api_route fault_routes[] = {
    { API_POST, BASE "/faults", add },
    { API_GET, BASE "/faults", list },
    { API_DELETE, BASE "/faults", delete_all },
    { API_GET, BASE "/faults/*", get },
    { API_DELETE, BASE "/faults/*", delete_one },
    { API_GET, "/api/v1/chaos", chaos_get },
    { API_PUT, "/api/v1/chaos", chaos_put },
    { API_GET, "/api/v2/jim", jim_get },
    { API_POST, "/api/v2/jim", jim_set },
    { API_PUT, "/api/v2/jim", jim_set },
    { API_DELETE, "/api/v2/jim", jim_delete },
    { API_OTHER, NULL, NULL },
};
