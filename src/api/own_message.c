/* own_message.c: messages in our own API: listed, whole, their octets and parts, what is found
 * in them. */
#include "api/api_private.h"

#include "content/found.h"
#include "content/select.h"

#include <string.h>

#define BASE "/api/godwit/v1"

enum { LIST_DEFAULT = 50, LIST_MAX = 10000, RAW_MAX = 256 * 1024 * 1024, SELECT_MOST = 1000 };

bool message_open(struct api *api, const struct api_request *r, struct slice id,
                  struct opened *out)
{
    *out = (struct opened){ .message = box_message(api->options.box, r->workspace, id) };
    buffer_init(&out->raw, RAW_MAX);
    arena_init(&out->arena, CONTENT_ARENA_BYTES);
    bool is_there = out->message != NULL &&
                    box_raw(api->options.box, r->workspace, id, &out->raw);
    bool is_opaque = json_text(out->message, "opaque")[0] != '\0';
    /* what ended a process is not read again */
    struct slice readable = is_opaque ? slice_make(NULL, 0) : buffer_slice(&out->raw);
    return is_there && content_message_read(readable, &out->arena, &out->content);
}

void message_close(struct opened *opened)
{
    json_decref(opened->message);
    buffer_free(&opened->raw);
    arena_free(&opened->arena);
}

bool message_part(const struct opened *opened, struct slice id, struct buffer *out,
                  const struct content_part **out_part)
{
    const struct content_part *part = content_message_part(&opened->content, id);
    if (part == NULL || part->has_parts)
        return false;
    content_decode_part(buffer_slice(&opened->raw), content_part_place(part), out);
    *out_part = part;
    return !out->overflow;
}

/* ---- codes and links ---- */

json_t *own_codes(const struct opened *opened)
{
    return found_codes(&opened->content);
}

json_t *own_links(const struct opened *opened)
{
    return found_links(&opened->content);
}

static json_t *own_leaks(const struct opened *opened)
{
    return found_leaks(&opened->content);
}

/* ---- shown ---- */

static json_t *shown(json_t *message)
{
    static const char *const times[] = { "created", "date" };
    for (size_t i = 0; i < 2; i++) {
        json_t *value = json_object_get(message, times[i]);
        if (json_is_integer(value))
            json_object_set_new(message, times[i], json_time(json_integer_value(value)));
    }
    return message;
}

/* Where parts lie in the octets is nobody's business. */
static void without_places(json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        json_object_del(item, "place");
}

static json_t *with_content(struct opened *o)
{
    json_t *m = json_incref(o->message);
    json_object_set_new(m, "text", json_slice(o->content.text));
    json_object_set_new(m, "html", json_slice(o->content.html));
    json_object_set_new(m, "codes", own_codes(o));
    json_object_set_new(m, "links", own_links(o));
    without_places(json_object_get(m, "files"));
    without_places(json_object_get(m, "parts"));
    return shown(m);
}

json_t *own_message(struct api *api, const struct api_request *r, struct slice id)
{
    struct opened o;
    json_t *made = message_open(api, r, id, &o) ? with_content(&o) : NULL;
    message_close(&o);
    return made;
}

static bool gone(struct api_request *r)
{
    return answer_error(r, 404, "no such message");
}

static struct box_query query_of(const struct api_request *r)
{
    return (struct box_query){
        .workspace = r->workspace, .inbox = request_query(r, "inbox"),
        .search = request_query(r, "search"), .zone_minutes = read_zone(request_query(r, "tz")),
        .since = (int64_t)request_number(r, "since", 0, INT64_MAX),
        .before_ms = read_time(request_query(r, "before")),
        .after_ms = read_time(request_query(r, "after")),
        .unread_only = request_flag(r, "unread"),
        .oldest_first = slice_equal(request_query(r, "order"), SLICE("oldest")),
        .start = (uint32_t)request_number(r, "start", 0, UINT32_MAX),
        .limit = (uint32_t)request_number(r, "limit", LIST_DEFAULT, LIST_MAX),
    };
}

#define FILTERS "inbox search tz since before after unread"

static bool list(struct api *api, struct api_request *r)
{
    struct box_found found;
    struct box_query query = query_of(r);
    const char *why = request_check(r, FILTERS " order start limit");
    size_t i;
    json_t *m;
    if (why != NULL || !box_list(api->options.box, &query, &found, &why))
        return answer_error(r, 400, why);
    json_array_foreach(found.messages, i, m)
        shown(m);
    return answer_json(r, 200, json_pack("{s:o, s:I, s:I, s:I}", "messages", found.messages,
        "count", (json_int_t)found.count, "unread", (json_int_t)found.unread,
        "cursor", own_cursor(api)));
}

static bool delete_list(struct api *api, struct api_request *r)
{
    struct box_query query = query_of(r);
    const char *why = request_check(r, FILTERS);
    query.limit = query.start = 0;
    if (why != NULL)
        return answer_error(r, 400, why);
    int64_t count = box_delete_all(api->options.box, &query, &why);
    return why != NULL ? answer_error(r, 400, why)
                       : answer_json(r, 200, json_pack("{s:I}", "deleted", (json_int_t)count));
}

static bool get(struct api *api, struct api_request *r)
{
    json_t *message = own_message(api, r, r->arguments[0]);
    return message == NULL ? gone(r) : answer_json(r, 200, message);
}

static bool change(struct api *api, struct api_request *r)
{
    static const struct member members[] = {
        { "read", member_flag, "is to be true or false" },
        { "tags", member_texts, "is to be a list of texts" }, { NULL, NULL, NULL },
    };
    json_t *body = request_json(r, true);
    if (body == NULL || !members_good(r, body, NULL, members)) {
        json_decref(body);
        return true;
    }
    json_t *read = json_object_get(body, "read"), *tags = json_object_get(body, "tags");
    bool good = (read == NULL || box_mark(api->options.box, r->workspace, r->arguments[0],
                                          json_is_true(read))) &&
                (tags == NULL ||
                 box_tag(api->options.box, r->workspace, r->arguments[0], tags));
    json_decref(body);
    return good ? get(api, r) : gone(r);
}

static bool delete_one(struct api *api, struct api_request *r)
{
    return box_delete(api->options.box, r->workspace, r->arguments[0])
               ? answer_json(r, 200, json_pack("{s:b}", "deleted", 1)) : gone(r);
}

static bool raw(struct api *api, struct api_request *r)
{
    struct buffer octets;
    buffer_init(&octets, RAW_MAX);
    bool good = box_raw(api->options.box, r->workspace, r->arguments[0], &octets);
    if (good)
        answer_octets(r, "message/rfc822", buffer_slice(&octets));
    else
        gone(r);
    buffer_free(&octets);
    return true;
}

static bool part(struct api *api, struct api_request *r)
{
    struct opened o;
    struct buffer octets;
    const struct content_part *found;
    buffer_init(&octets, RAW_MAX);
    if (message_open(api, r, r->arguments[0], &o) &&
        message_part(&o, r->arguments[1], &octets, &found)) {
        answer_octets(r, "application/octet-stream", buffer_slice(&octets));
        answer_disposition(r, true, found->filename);
    } else {
        gone(r);
    }
    buffer_free(&octets);
    message_close(&o);
    return true;
}

/* One of the looks at a message that are made when they are asked for. */
static bool look(struct api *api, struct api_request *r, json_t *(*make)(const struct opened *))
{
    struct opened o;
    if (message_open(api, r, r->arguments[0], &o))
        answer_json(r, 200, make(&o));
    else
        gone(r);
    message_close(&o);
    return true;
}

static bool codes(struct api *api, struct api_request *r)
{
    return look(api, r, own_codes);
}

static bool links(struct api *api, struct api_request *r)
{
    return look(api, r, own_links);
}

static bool leaks(struct api *api, struct api_request *r)
{
    return look(api, r, own_leaks);
}

static const char *select_json(const struct opened *o, struct slice selector, json_t **out)
{
    struct arena arena;
    struct html html;
    struct select_matches found = { .count = 0 };
    const char *why = "there is no HTML";
    arena_init(&arena, CONTENT_ARENA_BYTES);
    html_read(o->content.html, &arena, &html);
    if (o->content.html.len > 0)
        why = select_find(&html, selector, SELECT_MOST, &arena, &found);
    json_t *list = json_array();
    for (size_t i = 0; why == NULL && i < found.count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o}", "text",
            json_slice(found.items[i].text), "html", json_slice(found.items[i].outer)));
    *out = json_pack("{s:I, s:o}", "count", (json_int_t)found.total, "matches", list);
    arena_free(&arena);
    return why;
}

static bool selected(struct api *api, struct api_request *r)
{
    struct opened o;
    json_t *made = NULL;
    if (message_open(api, r, r->arguments[0], &o)) {
        const char *why = select_json(&o, request_query(r, "selector"), &made);
        if (why != NULL) {
            json_decref(made);
            answer_error(r, 400, why);
        } else {
            answer_json(r, 200, made);
        }
    } else {
        gone(r);
    }
    message_close(&o);
    return true;
}

const struct api_route own_message_routes[] = {
    { API_GET, BASE "/messages", list },
    { API_DELETE, BASE "/messages", delete_list },
    { API_GET, BASE "/messages/*", get },
    { API_PATCH, BASE "/messages/*", change },
    { API_DELETE, BASE "/messages/*", delete_one },
    { API_GET, BASE "/messages/*/raw", raw },
    { API_GET, BASE "/messages/*/parts/*", part },
    { API_GET, BASE "/messages/*/codes", codes },
    { API_GET, BASE "/messages/*/links", links },
    { API_GET, BASE "/messages/*/leaks", leaks },
    { API_GET, BASE "/messages/*/select", selected },
    { API_OTHER, NULL, NULL },
};
