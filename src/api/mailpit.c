/* mailpit.c: Mailpit's API, version 1, as its clients use it.
 *
 * Errors are text, changes answer "ok", keys have capitals but in the envelope of a list. An id
 * may be "latest", of those that match `query`. */
#include "api/api_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LIMIT_DEFAULT = 50 };

static bool ok(struct api_request *r)
{
    return answer_text(r, 200, "ok");
}

static bool bad(struct api_request *r, const char *why)
{
    return answer_text(r, 400, why);
}

static bool gone(struct api_request *r)
{
    return answer_text(r, 404, "404 page not found");
}

/* ---- lists ---- */

static json_t *tag_names(struct api *api, int64_t workspace)
{
    json_t *counts = box_tags(api->options.box, workspace), *list = json_array(), *count;
    const char *name;
    json_object_foreach(counts, name, count)
        json_array_append_new(list, json_string(name));
    json_decref(counts);
    return list;
}

static bool answer_list(struct api *api, struct api_request *r, const struct box_query *query)
{
    struct box_found found;
    const char *why;
    uint64_t total, unread;
    json_t *list = json_array(), *m;
    size_t i;
    if (!box_list(api->options.box, query, &found, &why)) {
        json_decref(list);
        return bad(r, why);
    }
    box_count(api->options.box, r->workspace, &total, &unread);
    json_array_foreach(found.messages, i, m)
        json_array_append_new(list, mailpit_summary(m));
    json_decref(found.messages);
    return answer_json(r, 200, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
        "total", (json_int_t)total, "unread", (json_int_t)unread,
        "count", (json_int_t)json_array_size(list),
        "messages_count", (json_int_t)found.count,
        "messages_unread", (json_int_t)found.unread, "start", (json_int_t)query->start,
        "tags", tag_names(api, r->workspace), "messages", list));
}

static struct box_query query_of(const struct api_request *r)
{
    return (struct box_query){
        .workspace = r->workspace, .search = request_query(r, "query"),
        .zone_minutes = read_zone(request_query(r, "tz")),
        .before_ms = read_time(request_query(r, "before")),
        .start = (uint32_t)request_number(r, "start", 0, UINT32_MAX),
        .limit = (uint32_t)request_number(r, "limit", LIMIT_DEFAULT, UINT32_MAX),
    };
}

static bool messages(struct api *api, struct api_request *r)
{
    struct box_query query = query_of(r);
    query.search = slice_make(NULL, 0);
    return answer_list(api, r, &query);
}

static bool search(struct api *api, struct api_request *r)
{
    struct box_query query = query_of(r);
    if (slice_trim(query.search).len == 0)
        return bad(r, "Error: no search query");
    return answer_list(api, r, &query);
}

static bool search_delete(struct api *api, struct api_request *r)
{
    struct box_query query = query_of(r);
    const char *why;
    if (slice_trim(query.search).len == 0)
        return bad(r, "Error: no search query");
    query.limit = query.start = 0;
    box_delete_all(api->options.box, &query, &why);
    return why != NULL ? bad(r, why) : ok(r);
}

/* The same request means the same to MailHog, whose client takes an answer for JSON where there
 * is one, and says nothing of itself. */
static bool is_mailhog(const struct api_request *r)
{
    return r->body.len == 0 && request_header(r, "Accept").len == 0 &&
           request_header(r, "User-Agent").len == 0;
}

/* What is no object, and an object without ids, means all of them. */
static bool messages_delete(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false), *id;
    json_t *ids = json_object_get(body, "IDs");
    size_t i;
    if (json_array_size(ids) == 0)
        box_reset(api->options.box, r->workspace);
    json_array_foreach(ids, i, id)
        box_delete(api->options.box, r->workspace, slice_from_string(json_string_value(id)));
    json_decref(body);
    return is_mailhog(r) ? answer_text(r, 200, "") : ok(r);
}

static bool messages_mark(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false), *id;
    if (body == NULL)
        return bad(r, "the body is no JSON object");
    json_t *ids = json_object_get(body, "IDs");
    const char *wanted = json_text(body, "Search"), *why = NULL;
    bool read = json_is_true(json_object_get(body, "Read"));
    size_t i;
    struct box_query query = { .workspace = r->workspace, .search = slice_from_string(wanted),
                               .zone_minutes = read_zone(request_query(r, "tz")) };
    if (json_array_size(ids) > 0 && wanted[0] != '\0')
        why = "IDs and Search cannot be used together";
    else if (json_array_size(ids) == 0)
        box_mark_all(api->options.box, &query, read, &why);
    json_array_foreach(ids, i, id)
        if (why == NULL)
            box_mark(api->options.box, r->workspace, slice_from_string(json_string_value(id)),
                     read);
    bool good = why == NULL ? ok(r) : bad(r, why);
    json_decref(body);
    return good;
}

/* ---- one message ---- */

/* "latest" is the newest that matches `query`. In the arena. */
static struct slice id_of(struct api *api, struct api_request *r)
{
    struct slice id = r->arguments[0], found_id = { .len = 0 };
    struct box_query query = { .workspace = r->workspace, .limit = 1,
                               .search = request_query(r, "query"),
                               .zone_minutes = read_zone(request_query(r, "tz")) };
    struct box_found found;
    const char *why;
    if (!slice_equal(id, SLICE("latest")))
        return id;
    if (box_list(api->options.box, &query, &found, &why))
        arena_copy(&r->arena, slice_from_string(json_text(json_array_get(found.messages, 0),
                                                          "id")), &found_id);
    json_decref(found.messages);
    return found_id;
}

static bool with_message(struct api *api, struct api_request *r,
                         bool (*act)(struct api_request *r, struct opened *o))
{
    struct opened o;
    if (message_open(api, r, id_of(api, r), &o))
        act(r, &o);
    else
        gone(r);
    message_close(&o);
    return true;
}

static bool show_message(struct api_request *r, struct opened *o)
{
    return answer_json(r, 200, mailpit_message(o));
}

static bool message(struct api *api, struct api_request *r)
{
    struct slice id = id_of(api, r);
    box_mark(api->options.box, r->workspace, id, true);
    return with_message(api, r, show_message);
}

/* As Go's textproto writes them: "message-id" is "Message-Id". */
static void canonical(const char *name, char out[256])
{
    bool upper = true;
    size_t i = 0;
    for (; name[i] != '\0' && i < 255; i++) {
        out[i] = (char)(upper ? toupper((unsigned char)name[i]) : tolower((unsigned char)name[i]));
        upper = name[i] == '-';
    }
    out[i] = '\0';
}

static bool show_headers(struct api_request *r, struct opened *o)
{
    json_t *made = json_object(), *header;
    size_t i;
    char name[256];
    json_array_foreach(json_object_get(o->message, "headers"), i, header) {
        canonical(json_string_value(json_array_get(header, 0)), name);
        json_t *values = json_object_get(made, name);
        if (values == NULL) {
            json_object_set_new(made, name, json_array());
            values = json_object_get(made, name);
        }
        json_array_append(values, json_array_get(header, 2));
    }
    return answer_json(r, 200, made);
}

static bool headers(struct api *api, struct api_request *r)
{
    return with_message(api, r, show_headers);
}

static bool show_raw(struct api_request *r, struct opened *o)
{
    struct buffer name;
    answer_octets(r, "text/plain; charset=utf-8", buffer_slice(&o->raw));
    if (request_has(r, "dl")) {
        buffer_init(&name, 100);
        buffer_append_string(&name, json_text(o->message, "id"));
        buffer_append_string(&name, ".eml");
        answer_disposition(r, true, buffer_slice(&name));
        buffer_free(&name);
    }
    return true;
}

static bool raw(struct api *api, struct api_request *r)
{
    return with_message(api, r, show_raw);
}

/* As it is called; what a browser does with it, the policy beside it says. */
static const char *type_of(struct api_request *r, struct slice type)
{
    char *kept = arena_alloc(&r->arena, type.len + 1);
    if (kept == NULL || type.len == 0 || type.len > 200)
        return "application/octet-stream";
    for (size_t i = 0; i < type.len; i++)
        if ((unsigned char)type.data[i] <= ' ' || (unsigned char)type.data[i] >= 127)
            return "application/octet-stream";
    memcpy(kept, type.data, type.len);
    return kept;
}

static bool show_part(struct api_request *r, struct opened *o)
{
    struct buffer octets;
    const struct content_part *part;
    buffer_init(&octets, API_ANSWER_MAX);
    if (message_part(o, r->arguments[1], &octets, &part)) {
        answer_octets(r, type_of(r, part->type), buffer_slice(&octets));
        answer_disposition(r, false, part->filename);
        answer_field(r, "Content-Security-Policy", SLICE("sandbox; default-src 'none'; "
                                                         "style-src 'unsafe-inline'; img-src data:"));
        /* the message's HTML, which is of no origin, shows its images */
        if (slice_starts_with_nocase(part->type, SLICE("image/")))
            answer_field(r, "Cross-Origin-Resource-Policy", SLICE("cross-origin"));
    } else {
        gone(r);
    }
    buffer_free(&octets);
    return true;
}

static bool part(struct api *api, struct api_request *r)
{
    return with_message(api, r, show_part);
}

static bool thumb(struct api *api, struct api_request *r)
{
    (void)api;
    return gone(r);
}

/* ---- tags ---- */

static bool tags(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, tag_names(api, r->workspace));
}

static bool tags_set(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false), *id;
    json_t *list = json_object_get(body, "Tags"), *ids = json_object_get(body, "IDs");
    size_t i;
    if (body == NULL || json_array_size(ids) == 0) {
        json_decref(body);
        return bad(r, "the body has no IDs");
    }
    json_array_foreach(ids, i, id)
        box_tag(api->options.box, r->workspace, slice_from_string(json_string_value(id)), list);
    json_decref(body);
    return ok(r);
}

static bool tag_rename(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false);
    bool good = body != NULL && box_tag_rename(api->options.box, r->workspace, r->arguments[0],
                                               slice_from_string(json_text(body, "Name")));
    json_decref(body);
    return good ? ok(r) : bad(r, "Error: a tag needs a Name");
}

static bool tag_delete(struct api *api, struct api_request *r)
{
    box_tag_delete(api->options.box, r->workspace, r->arguments[0]);
    return ok(r);
}

/* ---- what there is ---- */

static uint64_t memory_used(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static bool info(struct api *api, struct api_request *r)
{
    struct box_numbers n;
    uint64_t total, unread;
    box_numbers(api->options.box, &n);
    box_count(api->options.box, r->workspace, &total, &unread);
    int64_t uptime = (loop_now(api->options.loop).wall_ms - n.started_ms) / 1000;
    return answer_json(r, 200, json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}",
        "Version", "v" GODWIT_VERSION, "LatestVersion", "", "Database", "sandbox.db",
        "DatabaseSize", (json_int_t)n.database_bytes, "Messages", (json_int_t)total,
        "Unread", (json_int_t)unread, "Tags", box_tags(api->options.box, r->workspace),
        "RuntimeStats", "Uptime", (json_int_t)uptime, "Memory", (json_int_t)memory_used(),
        "MessagesDeleted", (json_int_t)n.deleted, "SMTPAccepted", (json_int_t)n.accepted,
        "SMTPAcceptedSize", (json_int_t)n.accepted_bytes,
        "SMTPRejected", (json_int_t)n.refused, "SMTPIgnored", (json_int_t)0));
}

/* As they were said; it would have a regular expression. */
static json_t *allowed(struct api *api)
{
    struct buffer b;
    buffer_init(&b, 64 * 1024);
    for (size_t i = 0; i < api->options.release_to_count; i++) {
        buffer_append_string(&b, i > 0 ? "|" : "");
        buffer_append(&b, api->options.release_to[i]);
    }
    json_t *made = json_slice(buffer_slice(&b));
    buffer_free(&b);
    return made;
}

static bool webui(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, json_pack(
        "{s:o, s:{s:b, s:s, s:s, s:o, s:s, s:s, s:b}, s:b, s:b, s:b, s:b}",
        "Label", json_slice(api->options.label), "MessageRelay", "Enabled",
        release_is_on(api), "SMTPServer", "", "ReturnPath", "", "AllowedRecipients", allowed(api),
        "BlockedRecipients", "", "OverrideFrom", "",
        "PreserveMessageIDs", 0, "SpamAssassin", 0, "ChaosEnabled", 1, "DuplicatesIgnored", 0,
        "HideDeleteAllButton", 0));
}

static void metric(struct buffer *out, const char *name, const char *type, uint64_t value)
{
    buffer_append_format(out, "# TYPE mailpit_%s %s\nmailpit_%s %llu\n", name, type, name,
                         (unsigned long long)value);
}

/* A label's value: \, " and line ends escaped. */
static void append_label(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, *text == '\n' ? ' ' : *text);
    }
}

static bool metrics(struct api *api, struct api_request *r)
{
    struct box_numbers n;
    uint64_t total, unread;
    struct buffer *b = &r->answer;
    json_t *counts = box_tags(api->options.box, r->workspace), *count;
    const char *name;
    box_numbers(api->options.box, &n);
    box_count(api->options.box, r->workspace, &total, &unread);
    answer_text(r, 200, "");
    r->type = "text/plain; version=0.0.4; charset=utf-8";
    metric(b, "messages", "gauge", total);
    metric(b, "messages_unread", "gauge", unread);
    metric(b, "database_size_bytes", "gauge", n.database_bytes);
    metric(b, "memory_usage_bytes", "gauge", memory_used());
    metric(b, "uptime_seconds", "gauge",
           (uint64_t)(loop_now(api->options.loop).wall_ms - n.started_ms) / 1000);
    metric(b, "messages_deleted_total", "counter", n.deleted);
    metric(b, "smtp_accepted_total", "counter", n.accepted);
    metric(b, "smtp_accepted_size_bytes_total", "counter", n.accepted_bytes);
    metric(b, "smtp_rejected_total", "counter", n.refused);
    metric(b, "smtp_ignored_total", "counter", 0);
    json_object_foreach(counts, name, count) {
        buffer_append_string(b, "mailpit_tag_messages{tag=\"");
        append_label(b, name);
        buffer_append_format(b, "\"} %lld\n", (long long)json_integer_value(count));
    }
    json_decref(counts);
    return true;
}

static bool events(struct api *api, struct api_request *r)
{
    (void)api;
    r->stream = API_STREAM_SOCKET;
    r->stream_dialect = STREAM_MAILPIT;
    return true;
}

/* ---- the message by itself ---- */

/* The part that has this Content-ID; empty: none. */
static struct slice part_of_id(const struct opened *o, struct slice id)
{
    for (size_t i = 0; i < o->content.tree.count; i++) {
        struct slice have = o->content.tree.parts[i].content_id;
        if (have.len > 1 && have.data[0] == '<')
            have = slice_part(have, 1, have.len - 2);
        if (have.len > 0 && slice_equal(have, id))
            return o->content.tree.parts[i].id;
    }
    return slice_make(NULL, 0);
}

/* "cid:ID" becomes where the part is, beside the page that shows it (RFC 2392). */
static void append_html(const struct opened *o, struct buffer *out)
{
    struct slice rest = o->content.html;
    const char *id = json_text(o->message, "id");
    while (rest.len > 0) {
        size_t at = slice_find(rest, 'c');
        buffer_append(out, slice_part(rest, 0, at));
        if (at == SLICE_NOT_FOUND)
            return;
        rest = slice_from(rest, at);
        size_t end = 4;
        if (slice_starts_with_nocase(rest, SLICE("cid:")))
            while (end < rest.len && strchr("\"'> )\n\r\t", rest.data[end]) == NULL)
                end++;
        struct slice part = end > 4 ? part_of_id(o, slice_part(rest, 4, end - 4))
                                    : slice_make(NULL, 0);
        if (part.len > 0) {
            buffer_append_format(out, "../api/v1/message/%s/part/%.*s", id, (int)part.len,
                                 part.data);
            rest = slice_from(rest, end);
        } else {
            buffer_append_byte(out, rest.data[0]);
            rest = slice_from(rest, 1);
        }
    }
}

static bool show_html(struct api_request *r, struct opened *o)
{
    if (o->content.html.len == 0)
        return gone(r);
    answer_octets(r, "text/html; charset=utf-8", slice_make(NULL, 0));
    append_html(o, &r->answer);
    answer_field(r, "Content-Security-Policy",
                 SLICE("sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' "
                       "data:; font-src data:; base-uri 'none'; form-action 'none'"));
    return true;
}

static bool show_text(struct api_request *r, struct opened *o)
{
    return answer_octets(r, "text/plain; charset=utf-8", o->content.text);
}

/* "/view/ID.html", "/view/ID.txt", "/view/latest" */
static bool view(struct api *api, struct api_request *r)
{
    struct slice name = r->arguments[0];
    if (slice_ends_with_nocase(name, SLICE(".html"))) {
        r->arguments[0] = slice_part(name, 0, name.len - 5);
        return with_message(api, r, show_html);
    }
    if (slice_ends_with_nocase(name, SLICE(".txt"))) {
        r->arguments[0] = slice_part(name, 0, name.len - 4);
        return with_message(api, r, show_text);
    }
    struct slice id = id_of(api, r);
    if (!slice_equal(name, SLICE("latest")) || id.len == 0)
        return gone(r);
    struct buffer where;
    buffer_init(&where, 200);
    buffer_append_string(&where, "/view/");
    buffer_append(&where, id);
    answer_text(r, 302, "");
    answer_field(r, "Location", buffer_slice(&where));
    buffer_free(&where);
    return true;
}

const struct api_route mailpit_routes[] = {
    { API_GET, "/api/v1/messages", messages },
    { API_PUT, "/api/v1/messages", messages_mark },
    { API_DELETE, "/api/v1/messages", messages_delete },
    { API_GET, "/api/v1/search", search },
    { API_DELETE, "/api/v1/search", search_delete },
    { API_GET, "/api/v1/message/*", message },
    { API_GET, "/api/v1/message/*/headers", headers },
    { API_GET, "/api/v1/message/*/raw", raw },
    { API_GET, "/api/v1/message/*/part/*", part },
    { API_GET, "/api/v1/message/*/part/*/thumb", thumb },
    { API_GET, "/api/v1/tags", tags },
    { API_PUT, "/api/v1/tags", tags_set },
    { API_PUT, "/api/v1/tags/*", tag_rename },
    { API_DELETE, "/api/v1/tags/*", tag_delete },
    { API_POST, "/api/v1/send", mailpit_send },
    { API_GET, "/api/v1/info", info },
    { API_GET, "/api/v1/webui", webui },
    { API_GET, "/api/events", events },
    { API_GET, "/metrics", metrics },
    { API_GET, "/view/*", view },
    { API_OTHER, NULL, NULL },
};
