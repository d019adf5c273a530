/* own.c: our own API below /api/godwit/v1: inboxes, waiting, sessions, what there is.
 *
 * Every answer is JSON; an error is {status, message}. Times are RFC 3339, sizes octets,
 * cursors the `seq` of messages. */
#include "api/api_private.h"

#include "net/listener.h"

#include <string.h>

#define BASE "/api/godwit/v1"

enum { COUNT_MAX = 1000, WAIT_DEFAULT_MS = 30 * 1000, LIST_DEFAULT = 50, LIST_MAX = 1000 };

static bool no_such(struct api_request *r, const char *what)
{
    return answer_error(r, 404, what);
}

/* A time as people read it. */
static void show_time(json_t *object, const char *member)
{
    json_t *value = json_object_get(object, member);
    if (json_is_integer(value))
        json_object_set_new(object, member, json_time(json_integer_value(value)));
}

json_t *own_inbox(json_t *inbox)
{
    show_time(inbox, "created");
    show_time(inbox, "expires");
    json_object_del(inbox, "workspace");
    return inbox;
}

/* ---- inboxes ---- */

static bool is_lifetime(const json_t *value)
{
    return (json_is_integer(value) && json_integer_value(value) > 0 &&
            json_integer_value(value) < INT32_MAX) ||
           (json_is_string(value) && json_duration(value) > 0);
}

static bool is_quota(const json_t *value)
{
    return member_count(value) && json_integer_value(value) <= 1000000;
}

static bool read_wish(struct api_request *r, json_t *body, struct box_inbox_wish *out)
{
    static const struct member members[] = {
        { "address", member_text, "is to be a text" }, { "name", member_text, "is to be a text" },
        { "description", member_text, "is to be a text" },
        { "ttl", is_lifetime, "is to be a number of seconds, or a text such as \"10m\"" },
        { "quota", is_quota, "is to be a number of messages" },
        { "tags", member_texts, "is to be a list of texts" },
        { "patterns", member_texts, "is to be a list of texts" }, { NULL, NULL, NULL },
    };
    json_t *lifetime = json_object_get(body, "ttl");
    if (!members_good(r, body, NULL, members))
        return false;
    *out = (struct box_inbox_wish){
        .address = slice_from_string(json_text(body, "address")),
        .name = slice_from_string(json_text(body, "name")),
        .description = slice_from_string(json_text(body, "description")),
        .lifetime_ms = lifetime == NULL ? 0 : json_is_integer(lifetime)
                           ? json_integer_value(lifetime) * 1000 : json_duration(lifetime),
        .quota = (uint32_t)json_integer_value(json_object_get(body, "quota")),
        .tags = json_object_get(body, "tags"), .patterns = json_object_get(body, "patterns"),
    };
    return true;
}

static bool inbox_create(struct api *api, struct api_request *r)
{
    json_t *body = r->body.len == 0 ? json_object() : request_json(r, true);
    struct box_inbox_wish wish;
    const char *why = NULL;
    if (body == NULL)
        return true;
    if (read_wish(r, body, &wish)) {
        json_t *made = box_inbox_create(api->options.box, r->workspace, &wish, &why);
        if (made != NULL)
            answer_json(r, 201, own_inbox(made));
        else
            answer_error(r, 400, why);
    }
    json_decref(body);
    return true;
}

static bool inbox_list(struct api *api, struct api_request *r)
{
    json_t *list = box_inboxes(api->options.box, r->workspace);
    size_t i;
    json_t *inbox;
    json_array_foreach(list, i, inbox)
        own_inbox(inbox);
    return answer_json(r, 200, json_pack("{s:o}", "inboxes", list));
}

static bool inbox_get(struct api *api, struct api_request *r)
{
    json_t *inbox = box_inbox(api->options.box, r->workspace, r->arguments[0]);
    return inbox == NULL ? no_such(r, "no such inbox") : answer_json(r, 200, own_inbox(inbox));
}

static bool inbox_change(struct api *api, struct api_request *r)
{
    static const struct member members[] = {
        { "name", member_text, "is to be a text" },
        { "description", member_text, "is to be a text" },
        { "tags", member_texts, "is to be a list of texts" },
        { "favourite", member_flag, "is to be true or false" },
        { "ttl", is_lifetime, "is to be a number of seconds, or a text such as \"10m\"" },
        { NULL, NULL, NULL },
    };
    json_t *body = request_json(r, true), *lifetime = json_object_get(body, "ttl");
    if (body == NULL || !members_good(r, body, NULL, members)) {
        json_decref(body);
        return true;
    }
    if (lifetime != NULL) {
        int64_t ms = json_is_integer(lifetime) ? json_integer_value(lifetime) * 1000
                                               : json_duration(lifetime);
        json_object_set_new(body, "expires",
                            json_integer((json_int_t)(loop_now(api->options.loop).wall_ms + ms)));
    }
    bool good = box_inbox_update(api->options.box, r->workspace, r->arguments[0], body);
    json_decref(body);
    return good ? inbox_get(api, r) : no_such(r, "no such inbox");
}

static bool inbox_delete(struct api *api, struct api_request *r)
{
    return box_inbox_delete(api->options.box, r->workspace, r->arguments[0])
               ? answer_json(r, 200, json_pack("{s:b}", "deleted", 1))
               : no_such(r, "no such inbox");
}

static bool inbox_empty(struct api *api, struct api_request *r)
{
    int64_t count = box_inbox_empty(api->options.box, r->workspace, r->arguments[0]);
    return count < 0 ? no_such(r, "no such inbox")
                     : answer_json(r, 200, json_pack("{s:I}", "deleted", (json_int_t)count));
}

static bool reset(struct api *api, struct api_request *r)
{
    return box_reset(api->options.box, r->workspace)
               ? answer_json(r, 200, json_pack("{s:b}", "reset", 1))
               : answer_error(r, 500, "the store has failed");
}

/* ---- waiting ---- */

/* Given once, as a parameter, a member of the body, or in its `match`. */
static json_t *wait_match(struct api_request *r, json_t *body)
{
    static const char *const members[] = { "from", "to", "subject" };
    json_t *given = json_object_get(body, "match");
    json_t *match = json_is_object(given) ? json_deep_copy(given) : json_object();
    for (size_t i = 0; i < 3; i++) {
        struct slice value = request_query(r, members[i]);
        json_t *member = json_object_get(body, members[i]);
        if (value.len > 0)
            json_object_set_new(match, members[i], json_slice(value));
        else if (member != NULL)
            json_object_set(match, members[i], member);
    }
    return match;
}

#define WAIT_MEMBERS "inbox search from to subject since count exact unread timeout none"

static bool wait_check(struct api_request *r, json_t *body)
{
    static const char duration[] = "is to be a duration such as 30s or 500ms";
    static const struct member members[] = {
        { "inbox", member_text, "is to be a text" }, { "search", member_text, "is to be a text" },
        { "from", member_any, "" }, { "to", member_any, "" }, { "subject", member_any, "" },
        { "match", member_object, "is to be an object" },
        { "since", member_count, "is to be a cursor, a number" },
        { "count", member_count, "is to be a number" },
        { "exact", member_flag, "is to be true or false" },
        { "unread", member_flag, "is to be true or false" },
        { "timeout", member_duration, duration }, { "none", member_duration, duration },
        { NULL, NULL, NULL },
    };
    return members_good(r, body, NULL, members);
}

static struct slice wait_text(struct api_request *r, json_t *body, const char *name)
{
    struct slice value = request_query(r, name), kept = { .len = 0 };
    if (value.len == 0)
        value = slice_from_string(json_text(body, name));
    arena_copy(&r->arena, value, &kept);
    return kept;
}

static int64_t wait_duration(struct api_request *r, json_t *body, const char *name,
                             int64_t otherwise)
{
    json_t *given = json_object_get(body, name);
    if (json_is_integer(given))
        return json_integer_value(given);
    struct slice text = wait_text(r, body, name);
    return text.len == 0 ? otherwise : read_duration(text);
}

static json_t *whole_messages(struct api *api, struct api_request *r, json_t *summaries)
{
    json_t *list = json_array(), *summary;
    size_t i;
    json_array_foreach(summaries, i, summary) {
        json_t *whole = own_message(api, r, slice_from_string(json_text(summary, "id")));
        if (whole != NULL)
            json_array_append_new(list, whole);
    }
    return list;
}

json_int_t own_cursor(struct api *api)
{
    struct box_numbers numbers;
    box_numbers(api->options.box, &numbers);
    return (json_int_t)numbers.newest;
}

static bool wait_done(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    json_t *list = whole_messages(api, r, messages), *last;
    size_t count = json_array_size(list);
    json_int_t cursor = own_cursor(api);
    json_t *answer = json_pack("{s:b, s:I, s:I, s:o}", "found", is_met, "count",
                               (json_int_t)count, "cursor", cursor, "messages", list);
    last = json_array_get(list, count == 0 ? 0 : count - 1);
    if (last != NULL) {
        json_t *codes = json_object_get(json_object_get(last, "codes"), "code");
        json_object_set(answer, "message", last);
        json_object_set(answer, "code", codes == NULL ? json_null() : codes);
        json_object_set(answer, "links", json_object_get(last, "links"));
    }
    if (!is_met)
        json_object_set_new(answer, "message", json_string(count == 0
            ? "no message of that kind came in time" : "not the number of messages asked for"));
    return answer_json(r, is_met ? 200 : 408, answer);
}

/* Not one that should not come: 200; one came: 409, and which. */
static bool none_done(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    json_t *answer = json_pack("{s:b, s:I, s:o}", "found", json_array_size(messages) > 0,
                               "cursor", own_cursor(api), "messages",
                               whole_messages(api, r, messages));
    if (!is_met)
        json_object_set_new(answer, "message", json_string("a message came that should not"));
    return answer_json(r, is_met ? 200 : 409, answer);
}

static const char *read_wait(struct api_request *r, json_t *body, struct wait_wish *w)
{
    json_t *count = json_object_get(body, "count"), *since = json_object_get(body, "since");
    int64_t none = wait_duration(r, body, "none", 0);
    uint64_t many = json_is_integer(count) ? (uint64_t)json_integer_value(count)
                                           : request_number(r, "count", 1, INT64_MAX);
    *w = (struct wait_wish){
        .workspace = r->workspace, .inbox = wait_text(r, body, "inbox"),
        .search = wait_text(r, body, "search"), .oldest_first = true,
        .since = json_is_integer(since) ? json_integer_value(since)
                                        : (int64_t)request_number(r, "since", 0, INT64_MAX),
        .count = (uint32_t)(many <= COUNT_MAX ? many : COUNT_MAX + 1),
        .is_exact = request_flag(r, "exact") || json_is_true(json_object_get(body, "exact")),
        .unread_only = request_flag(r, "unread") ||
                       json_is_true(json_object_get(body, "unread")),
        .is_none = none != 0,
        .timeout_ms = none != 0 ? none : wait_duration(r, body, "timeout", WAIT_DEFAULT_MS),
        .done = none != 0 ? none_done : wait_done,
    };
    if (w->timeout_ms < 0)
        return "timeout and none are durations such as 30s or 500ms";
    return w->count == 0 || w->count > COUNT_MAX ? "count is a number from 1 to 1000" : NULL;
}

static bool wait_for(struct api *api, struct api_request *r)
{
    json_t *body = r->body.len == 0 ? json_object() : request_json(r, true);
    struct wait_wish wish;
    if (body == NULL || !wait_check(r, body)) {
        json_decref(body);
        return true;
    }
    const char *why = request_check(r, WAIT_MEMBERS), *why_not = read_wait(r, body, &wish);
    json_t *match = wait_match(r, body);
    why = why != NULL ? why : why_not;
    json_decref(body);
    if (why == NULL)
        why = match_check(match);
    json_t *inbox = wish.inbox.len == 0 || why != NULL
                        ? NULL : box_inbox(api->options.box, r->workspace, wish.inbox);
    if (why != NULL || (wish.inbox.len > 0 && inbox == NULL)) {
        json_decref(match);
        return why != NULL ? answer_error(r, 400, why) : no_such(r, "no such inbox");
    }
    json_decref(inbox);
    wish.match = json_object_size(match) == 0 ? NULL : match;
    bool answered = wait_begin(api, r, &wish);
    json_decref(match);
    return answered;
}

/* ---- sessions ---- */

static json_t *shown_session(json_t *session)
{
    show_time(session, "opened");
    show_time(session, "closed");
    return session;
}

static bool session_list(struct api *api, struct api_request *r)
{
    const char *why = request_check(r, "refused start limit");
    if (why != NULL)
        return answer_error(r, 400, why);
    json_t *list = box_sessions(api->options.box, request_flag(r, "refused"),
                                (uint32_t)request_number(r, "start", 0, UINT32_MAX),
                                (uint32_t)request_number(r, "limit", LIST_DEFAULT, LIST_MAX));
    size_t i;
    json_t *session;
    json_array_foreach(list, i, session)
        shown_session(session);
    return answer_json(r, 200, json_pack("{s:o}", "sessions", list));
}

static bool session_get(struct api *api, struct api_request *r)
{
    uint64_t id;
    json_t *session = slice_to_number(r->arguments[0], INT64_MAX, &id)
                          ? box_session(api->options.box, (int64_t)id) : NULL;
    return session == NULL ? no_such(r, "no such session")
                           : answer_json(r, 200, shown_session(session));
}

/* ---- what there is ---- */

static bool info(struct api *api, struct api_request *r)
{
    struct box_numbers n;
    struct net_address smtp;
    uint64_t total, unread;
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer address = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    box_numbers(api->options.box, &n);
    box_count(api->options.box, r->workspace, &total, &unread);
    if (listener_address(api->options.smtp, &smtp) == ERR_OK)
        net_address_append(&address, &smtp);
    return answer_json(r, 200, json_pack(
        "{s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o}",
        "version", GODWIT_VERSION, "label", json_slice(api->options.label),
        "domain", json_slice(api->options.domain), "smtp", json_slice(buffer_slice(&address)),
        "messages", (json_int_t)total, "unread", (json_int_t)unread,
        "accepted", (json_int_t)n.accepted, "refused", (json_int_t)n.refused,
        "deleted", (json_int_t)n.deleted, "databaseBytes", (json_int_t)n.database_bytes,
        "started", json_time(n.started_ms), "cursor", (json_int_t)n.newest,
        "releaseTo", release_patterns(api)));
}

static bool events(struct api *api, struct api_request *r)
{
    (void)api;
    r->stream = API_STREAM_EVENTS;
    r->stream_dialect = STREAM_OWN;
    return true;
}

extern const char openapi_data[]; /* openapi.json */
extern const unsigned long openapi_size;

static bool document(struct api *api, struct api_request *r)
{
    (void)api;
    return answer_octets(r, "application/json", slice_make(openapi_data, openapi_size));
}

static bool alive(struct api *api, struct api_request *r)
{
    (void)api;
    return answer_text(r, 200, "ok");
}

const struct api_route own_routes[] = {
    { API_GET, "/livez", alive },
    { API_GET, "/readyz", alive },
    { API_GET, BASE "/openapi.json", document },
    { API_GET, BASE "/info", info },
    { API_POST, BASE "/inboxes", inbox_create },
    { API_GET, BASE "/inboxes", inbox_list },
    { API_GET, BASE "/inboxes/*", inbox_get },
    { API_PATCH, BASE "/inboxes/*", inbox_change },
    { API_DELETE, BASE "/inboxes/*", inbox_delete },
    { API_DELETE, BASE "/inboxes/*/messages", inbox_empty },
    { API_POST, BASE "/reset", reset },
    { API_GET, BASE "/wait", wait_for },
    { API_POST, BASE "/wait", wait_for },
    { API_GET, BASE "/sessions", session_list },
    { API_GET, BASE "/sessions/*", session_get },
    { API_GET, BASE "/events", events },
    { API_OTHER, NULL, NULL },
};
