/* mailhog.c: MailHog's API, versions 1 and 2. Bodies stay as they were coded; its clients
 * decode them, and read header fields by the case in which they were written. */
#include "api/api_private.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000 };

static json_t *path_of(const char *address)
{
    const char *at = strrchr(address, '@');
    return json_pack("{s:n, s:o, s:s, s:s}", "Relays", "Mailbox",
        json_stringn(address, at == NULL ? strlen(address) : (size_t)(at - address)),
        "Domain", at == NULL ? "" : at + 1, "Params", "");
}

static json_t *paths_of(json_t *addresses)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach(addresses, i, one)
        json_array_append_new(list, path_of(json_string_value(one)));
    return list;
}

static void add_field(json_t *headers, struct slice name, json_t *value)
{
    char key[256];
    size_t len = name.len < sizeof key - 1 ? name.len : sizeof key - 1;
    memcpy(key, name.data, len);
    key[len] = '\0';
    json_t *list = json_object_get(headers, key);
    if (list == NULL && json_object_set_new(headers, key, json_array()) == 0)
        list = json_object_get(headers, key);
    if (list != NULL)
        json_array_append_new(list, value);
    else
        json_decref(value);
}

/* Lines of a header, folds joined. */
static json_t *fields_of(struct slice header)
{
    json_t *headers = json_object();
    struct slice line, name = { .len = 0 };
    struct buffer value;
    buffer_init(&value, 1024 * 1024);
    while (slice_split(&header, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        bool is_fold = line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t');
        if (is_fold) {
            buffer_append_byte(&value, ' ');
            buffer_append(&value, slice_trim(line));
            continue;
        }
        if (name.len > 0)
            add_field(headers, name, json_slice(buffer_slice(&value)));
        size_t colon = slice_find(line, ':');
        name = slice_part(line, 0, colon == SLICE_NOT_FOUND ? 0 : colon);
        buffer_clear(&value);
        buffer_append(&value, slice_trim(slice_from(line, name.len + 1)));
    }
    if (name.len > 0)
        add_field(headers, name, json_slice(buffer_slice(&value)));
    buffer_free(&value);
    return headers;
}

/* Where the body begins: behind the first empty line. */
static size_t body_start(struct slice octets)
{
    for (size_t at = 0; at < octets.len;) {
        size_t end = slice_find(slice_from(octets, at), '\n');
        if (end == SLICE_NOT_FOUND)
            return octets.len;
        if (end == 0 || (end == 1 && octets.data[at] == '\r'))
            return at + end + 1;
        at += end + 1;
    }
    return octets.len;
}

/* The header that stands before a part's octets, back to the line of its boundary. */
static struct slice part_header(struct slice raw, size_t start)
{
    size_t at = start;
    while (at > 2 && !(raw.data[at - 1] == '\n' && raw.data[at] == '-' && at + 1 < raw.len &&
                       raw.data[at + 1] == '-' && at < start))
        at--;
    size_t line = slice_find(slice_from(raw, at), '\n');
    size_t from = line == SLICE_NOT_FOUND ? start : at + line + 1;
    return from < start ? slice_part(raw, from, start - from) : slice_make(NULL, 0);
}

static json_t *mime_of(const struct opened *o)
{
    json_t *parts = json_array();
    struct slice raw = buffer_slice(&o->raw);
    const struct content_tree *tree = &o->content.tree;
    if (tree->count < 2) {
        json_decref(parts);
        return json_null();
    }
    for (size_t i = 1; i < tree->count; i++) {
        const struct content_part *p = &tree->parts[i];
        if (p->has_parts)
            continue;
        struct slice body = slice_part(raw, p->offset, p->length);
        json_array_append_new(parts, json_pack("{s:o, s:o, s:I, s:n}",
            "Headers", fields_of(part_header(raw, p->offset)), "Body", json_slice(body),
            "Size", (json_int_t)body.len, "MIME"));
    }
    return json_pack("{s:o}", "Parts", parts);
}

static json_t *item(const struct opened *o)
{
    json_t *m = o->message, *envelope = json_object_get(m, "envelope");
    struct slice raw = buffer_slice(&o->raw);
    size_t start = body_start(raw);
    json_t *to = json_object_get(envelope, "to");
    json_t *content = json_pack("{s:o, s:o, s:I, s:n}",
        "Headers", fields_of(slice_part(raw, 0, start)),
        "Body", json_slice(slice_from(raw, start)), "Size", (json_int_t)raw.len, "MIME");
    return json_pack("{s:O, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:O, s:o, s:s}}",
        "ID", json_object_get(m, "id"), "From", path_of(json_text(envelope, "from")),
        "To", paths_of(to), "Content", content,
        "Created", json_time(json_integer_value(json_object_get(m, "created"))),
        "MIME", mime_of(o), "Raw", "From", json_text(envelope, "from"), "To", to,
        "Data", json_slice(raw), "Helo", json_text(envelope, "helo"));
}

static bool answer_list(struct api *api, struct api_request *r, struct slice search)
{
    struct box_query query = {
        .workspace = r->workspace, .search = search,
        .start = (uint32_t)request_number(r, "start", 0, UINT32_MAX),
        .limit = (uint32_t)request_number(r, "limit", LIMIT_DEFAULT, LIMIT_MAX),
    };
    struct box_found found;
    const char *why;
    json_t *items = json_array(), *m;
    size_t i;
    if (!box_list(api->options.box, &query, &found, &why)) {
        json_decref(items);
        return answer_text(r, 400, why);
    }
    json_array_foreach(found.messages, i, m) {
        struct opened o;
        if (message_open(api, r, slice_from_string(json_text(m, "id")), &o))
            json_array_append_new(items, item(&o));
        message_close(&o);
    }
    json_decref(found.messages);
    return answer_json(r, 200, json_pack("{s:I, s:I, s:I, s:o}", "total", (json_int_t)found.count,
        "count", (json_int_t)json_array_size(items), "start", (json_int_t)query.start,
        "items", items));
}

static bool messages(struct api *api, struct api_request *r)
{
    return answer_list(api, r, slice_make(NULL, 0));
}

/* What is looked for, as one word of our search. */
static bool search(struct api *api, struct api_request *r)
{
    struct slice kind = request_query(r, "kind"), query = request_query(r, "query");
    struct buffer b;
    buffer_init(&b, 8192);
    if (slice_equal(kind, SLICE("from")) || slice_equal(kind, SLICE("to"))) {
        buffer_append(&b, kind);
        buffer_append_byte(&b, ':');
    } else if (!slice_equal(kind, SLICE("containing"))) {
        buffer_free(&b);
        return answer_text(r, 400, "");
    }
    buffer_append_byte(&b, '"');
    for (size_t i = 0; i < query.len; i++)
        if (query.data[i] != '"')
            buffer_append_byte(&b, query.data[i]);
    buffer_append_byte(&b, '"');
    bool answered = answer_list(api, r, buffer_slice(&b));
    buffer_free(&b);
    return answered;
}

static bool get(struct api *api, struct api_request *r)
{
    struct opened o;
    if (message_open(api, r, r->arguments[0], &o))
        answer_json(r, 200, item(&o));
    else
        answer_text(r, 404, "");
    message_close(&o);
    return true;
}

static bool delete_one(struct api *api, struct api_request *r)
{
    return answer_text(r, box_delete(api->options.box, r->workspace, r->arguments[0]) ? 200 : 404,
                       "");
}

static bool download(struct api *api, struct api_request *r)
{
    struct opened o;
    if (message_open(api, r, r->arguments[0], &o))
        answer_octets(r, "message/rfc822", buffer_slice(&o.raw));
    else
        answer_text(r, 404, "");
    message_close(&o);
    return true;
}

const struct api_route mailhog_routes[] = {
    { API_GET, "/api/v2/messages", messages },
    { API_GET, "/api/v2/search", search },
    { API_GET, "/api/v1/messages/*", get },
    { API_DELETE, "/api/v1/messages/*", delete_one },
    { API_GET, "/api/v1/messages/*/download", download },
    { API_OTHER, NULL, NULL },
};
