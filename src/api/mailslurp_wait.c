/* mailslurp_wait.c: MailSlurp's waits. What does not come in time is 408, with its words. */
#include "api/api_private.h"

#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 60 * 1000, TIMEOUT_MAX_MS = 300 * 1000 - 1 };

static json_t *previews(json_t *messages)
{
    json_t *list = json_array(), *m;
    size_t i;
    json_array_foreach(messages, i, m)
        json_array_append_new(list, mailslurp_preview(m));
    return list;
}

/* The wish is in the request's arguments: its inbox, then its count and its time. */
static bool not_in_time(struct api_request *r, size_t found)
{
    char text[400];
    struct slice inbox = r->arguments[0];
    snprintf(text, sizeof text, "Failed to satisfy email query for inbox ID `%.*s`. Expected "
             "minimum message count of `%.*s`. Found at most `%zu` (after max timeout of "
             "`%.*s ms`)", (int)inbox.len, inbox.data == NULL ? "" : inbox.data,
             (int)r->arguments[1].len, r->arguments[1].data, found, (int)r->arguments[2].len,
             r->arguments[2].data);
    return answer_error(r, 408, text);
}

static bool list_done(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    (void)api;
    return is_met ? answer_json(r, 200, previews(messages))
                  : not_in_time(r, json_array_size(messages));
}

static bool answer_email(struct api *api, struct api_request *r, json_t *summary)
{
    json_t *email = mailslurp_email(api, r, slice_from_string(json_text(summary, "id")));
    return email == NULL ? answer_error(r, 404, "Email not found") : answer_json(r, 200, email);
}

/* Of those found, the newest. */
static bool latest_done(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    size_t i;
    json_t *m, *best = NULL;
    json_array_foreach(messages, i, m)
        if (best == NULL || json_integer_value(json_object_get(m, "seq")) >
                                json_integer_value(json_object_get(best, "seq")))
            best = m;
    return is_met && best != NULL ? answer_email(api, r, best)
                                  : not_in_time(r, json_array_size(messages));
}

static bool nth_done(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    uint64_t index = request_number(r, "index", 0, 999);
    return is_met ? answer_email(api, r, json_array_get(messages, (size_t)index))
                  : not_in_time(r, json_array_size(messages));
}

static bool first_done(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    return is_met ? answer_email(api, r, json_array_get(messages, 0))
                  : not_in_time(r, json_array_size(messages));
}

/* ---- matches ---- */

static const char *add_match(json_t *match, json_t *given)
{
    static const char *const fields[][2] = { { "SUBJECT", "subject" }, { "TO", "to" },
        { "CC", "cc" }, { "BCC", "bcc" }, { "FROM", "from" } };
    static const char *const ways[][2] = { { "MATCH", "matches" }, { "CONTAIN", "contains" },
                                           { "EQUAL", "equals" } };
    const char *field = json_text(given, "field"), *should = json_text(given, "should");
    const char *way = NULL, *member = NULL;
    for (size_t i = 0; i < 5; i++)
        if (strcmp(field, fields[i][0]) == 0)
            member = fields[i][1];
    for (size_t i = 0; i < 3; i++)
        if (strcmp(should, ways[i][0]) == 0)
            way = ways[i][1];
    if (member == NULL || way == NULL)
        return "a match has field SUBJECT, TO, CC, BCC or FROM, should MATCH, CONTAIN or EQUAL, "
               "and value";
    json_t *wish = json_object_get(match, member);
    if (wish == NULL) {
        json_object_set_new(match, member, json_object());
        wish = json_object_get(match, member);
    }
    json_object_set(wish, way, json_object_get(given, "value"));
    return NULL;
}

static const char *read_matches(json_t *body, json_t *match)
{
    size_t i;
    json_t *given;
    const char *why = NULL;
    json_array_foreach(json_object_get(body, "matches"), i, given)
        why = why != NULL ? why : add_match(match, given);
    json_array_foreach(json_object_get(body, "conditions"), i, given)
        if (strcmp(json_text(given, "condition"), "HAS_ATTACHMENTS") == 0)
            json_object_set_new(match, "attachments",
                                json_boolean(strcmp(json_text(given, "value"), "TRUE") == 0));
    return why != NULL ? why : match_check(match);
}

/* ---- the wish ---- */

static struct slice keep(struct api_request *r, struct slice text)
{
    struct slice kept = { .len = 0 };
    arena_copy(&r->arena, text, &kept);
    return kept;
}

static struct slice keep_number(struct api_request *r, int64_t number)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    return keep(r, slice_make(text, (size_t)len));
}

static int64_t number_of(struct api_request *r, json_t *body, const char *name, int64_t otherwise)
{
    json_t *given = json_object_get(body, name);
    return json_is_integer(given) ? json_integer_value(given)
                                  : (int64_t)request_number(r, name, (uint64_t)otherwise,
                                                            INT64_MAX);
}

static struct slice text_of(struct api_request *r, json_t *body, const char *name)
{
    struct slice value = request_query(r, name);
    return keep(r, value.len > 0 ? value : slice_from_string(json_text(body, name)));
}

static bool begin(struct api *api, struct api_request *r, json_t *body, struct wait_wish *w)
{
    struct slice inbox_id = r->arguments[0].len > 0 ? r->arguments[0]
                                                    : text_of(r, body, "inboxId");
    json_t *match = json_object();
    const char *why = read_matches(body, match);
    json_t *inbox = inbox_id.len == 0 ? NULL
                                      : box_inbox(api->options.box, r->workspace, inbox_id);
    bool is_known = inbox != NULL || inbox_id.len == 0;
    json_decref(inbox);
    if (why != NULL || !is_known) {
        json_decref(match);
        return answer_error(r, why != NULL ? 400 : 404, why != NULL ? why : "Inbox not found");
    }
    w->workspace = r->workspace;
    w->inbox = inbox_id;
    w->match = json_object_size(match) == 0 ? NULL : match;
    w->after_ms = read_time(text_of(r, body, "since"));
    w->before_ms = read_time(text_of(r, body, "before"));
    w->unread_only = request_flag(r, "unreadOnly") ||
                     json_is_true(json_object_get(body, "unreadOnly"));
    struct slice sort = text_of(r, body, "sort");
    if (sort.len == 0)
        sort = text_of(r, body, "sortDirection");
    if (w->done != latest_done)
        w->oldest_first = !slice_equal_nocase(sort, SLICE("DESC"));
    if (w->timeout_ms > TIMEOUT_MAX_MS)
        w->timeout_ms = TIMEOUT_MAX_MS;
    r->arguments[0] = inbox_id;
    r->arguments[1] = keep_number(r, w->count);
    r->arguments[2] = keep_number(r, w->timeout_ms);
    bool answered = wait_begin(api, r, w);
    json_decref(match);
    return answered;
}

static bool begin_simple(struct api *api, struct api_request *r, uint32_t count,
                         bool (*done)(struct api *, struct api_request *, json_t *, bool))
{
    json_t *body = r->body.len == 0 ? NULL : request_json(r, false);
    struct wait_wish wish = { .count = count, .done = done,
                              .timeout_ms = number_of(r, body, "timeout", TIMEOUT_MS) };
    bool answered = begin(api, r, body, &wish);
    json_decref(body);
    return answered;
}

static uint32_t count_of(struct api_request *r, const char *name)
{
    uint64_t count = request_number(r, name, 1, 1000);
    return count == 0 ? 1 : (uint32_t)count;
}

static bool latest(struct api *api, struct api_request *r)
{
    return begin_simple(api, r, 1, latest_done);
}

static bool nth(struct api *api, struct api_request *r)
{
    return begin_simple(api, r, (uint32_t)request_number(r, "index", 0, 999) + 1, nth_done);
}

static bool counted(struct api *api, struct api_request *r)
{
    return begin_simple(api, r, count_of(r, "count"), list_done);
}

static bool matching_first(struct api *api, struct api_request *r)
{
    return begin_simple(api, r, 1, first_done);
}

static bool wait_for(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, true);
    if (body == NULL)
        return true;
    struct wait_wish wish = {
        .count = (uint32_t)number_of(r, body, "count", 1), .done = list_done,
        .timeout_ms = number_of(r, body, "timeout", TIMEOUT_MS),
        .is_exact = strcmp(json_text(body, "countType"), "EXACTLY") == 0,
    };
    bool answered = begin(api, r, body, &wish);
    json_decref(body);
    return answered;
}

/* A list that waits where it was asked to. */
static bool emails(struct api *api, struct api_request *r)
{
    uint32_t least = (uint32_t)request_number(r, "minCount", 0, 1000);
    struct wait_wish wish = {
        .count = least, .done = list_done,
        .timeout_ms = least == 0 ? 0 : (int64_t)request_number(r, "retryTimeout", 0, INT64_MAX),
    };
    return begin(api, r, NULL, &wish);
}

const struct api_route mailslurp_wait_routes[] = {
    { API_GET, "/waitForLatestEmail", latest },
    { API_GET, "/waitForNthEmail", nth },
    { API_GET, "/waitForEmailCount", counted },
    { API_POST, "/waitForMatchingEmails", counted },
    { API_POST, "/waitForMatchingFirstEmail", matching_first },
    { API_POST, "/waitFor", wait_for },
    { API_GET, "/inboxes/*/emails", emails },
    { API_OTHER, NULL, NULL },
};
