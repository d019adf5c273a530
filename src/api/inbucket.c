/* inbucket.c: Inbucket's API. A mailbox is whoever mail is for: the part of the address before
 * the "@", without "+" and what follows, or all of it. */
#include "api/api_private.h"

#include "crypto/checksum.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LIST_MAX = 1000, OCTETS_MAX = 100 * 1024 * 1024 };

static bool gone(struct api_request *r)
{
    return answer_text(r, 404, "404 page not found");
}

static bool names(const char *address, struct slice mailbox)
{
    struct slice whole = slice_from_string(address);
    size_t at = slice_find_last(whole, '@');
    struct slice local = slice_part(whole, 0, at == SLICE_NOT_FOUND ? whole.len : at);
    size_t plus = slice_find(local, '+');
    return slice_equal_nocase(whole, mailbox) || slice_equal_nocase(local, mailbox) ||
           (plus != SLICE_NOT_FOUND && slice_equal_nocase(slice_part(local, 0, plus), mailbox));
}

static bool is_for(json_t *message, struct slice mailbox)
{
    json_t *to = json_object_get(json_object_get(message, "envelope"), "to"), *one;
    size_t i;
    json_array_foreach(to, i, one)
        if (names(json_string_value(one), mailbox))
            return true;
    return false;
}

static json_t *person(json_t *a)
{
    char text[1024];
    const char *name = json_text(a, "name"), *address = json_text(a, "address");
    if (name[0] == '\0')
        snprintf(text, sizeof text, "%.900s", address);
    else
        snprintf(text, sizeof text, "%.500s <%.400s>", name, address);
    return json_slice(slice_from_string(text));
}

static json_t *people(json_t *list)
{
    json_t *made = json_array(), *one;
    size_t i;
    json_array_foreach(list, i, one)
        json_array_append_new(made, person(one));
    return made;
}

static json_t *header_of(json_t *m, struct slice mailbox)
{
    json_int_t created = json_integer_value(json_object_get(m, "created"));
    json_t *to = people(json_object_get(m, "to"));
    return json_pack("{s:o, s:O, s:o, s:o, s:O, s:o, s:I, s:O, s:O}", "mailbox",
        json_slice(mailbox), "id", json_object_get(m, "id"),
        "from", person(json_object_get(m, "from")), "to", to,
        "subject", json_object_get(m, "subject"), "date", json_time(created),
        "posix-millis", created, "size", json_object_get(m, "size"),
        "seen", json_object_get(m, "read"));
}

/* Whole messages of a mailbox, the oldest first. */
static json_t *messages_for(struct api *api, struct api_request *r)
{
    struct box_query query = { .workspace = r->workspace, .oldest_first = true,
                               .limit = LIST_MAX };
    struct box_found found;
    const char *why;
    json_t *list = json_array(), *summary;
    size_t i;
    if (!box_list(api->options.box, &query, &found, &why))
        return list;
    json_array_foreach(found.messages, i, summary) {
        json_t *m = box_message(api->options.box, r->workspace,
                                slice_from_string(json_text(summary, "id")));
        if (m != NULL && is_for(m, r->arguments[0]))
            json_array_append(list, m);
        json_decref(m);
    }
    json_decref(found.messages);
    return list;
}

static bool list(struct api *api, struct api_request *r)
{
    json_t *all = messages_for(api, r), *made = json_array(), *m;
    size_t i;
    json_array_foreach(all, i, m)
        json_array_append_new(made, header_of(m, r->arguments[0]));
    json_decref(all);
    return answer_json(r, 200, made);
}

static bool purge(struct api *api, struct api_request *r)
{
    json_t *all = messages_for(api, r), *m;
    size_t i;
    json_array_foreach(all, i, m)
        box_delete(api->options.box, r->workspace, slice_from_string(json_text(m, "id")));
    json_decref(all);
    return answer_json(r, 200, json_string("OK"));
}

/* ---- one ---- */

static bool open_for(struct api *api, struct api_request *r, struct opened *out)
{
    struct slice id = r->arguments[1];
    if (slice_equal(id, SLICE("latest"))) {
        json_t *all = messages_for(api, r);
        json_t *last = json_array_get(all, json_array_size(all) - 1);
        arena_copy(&r->arena, slice_from_string(json_text(last, "id")), &id);
        json_decref(all);
    }
    return message_open(api, r, id, out) && is_for(out->message, r->arguments[0]);
}

static json_t *attachments(const struct opened *o, struct api_request *r)
{
    json_t *list = json_array(), *file;
    size_t i;
    json_array_foreach(json_object_get(o->message, "files"), i, file) {
        struct buffer octets;
        const struct content_part *part;
        struct checksums sums = { .md5 = "" };
        char link[1024];
        buffer_init(&octets, OCTETS_MAX);
        if (message_part(o, slice_from_string(json_text(file, "part")), &octets, &part))
            checksums_of(buffer_slice(&octets), &sums);
        buffer_free(&octets);
        snprintf(link, sizeof link, "/serve/mailbox/%.*s/%s/attach/%s",
                 (int)slice_part(r->arguments[0], 0, 300).len, r->arguments[0].data,
                 json_text(o->message, "id"), json_text(file, "part"));
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:s}",
            "filename", json_text(file, "name"), "content-type", json_text(file, "type"),
            "download-link", json_slice(slice_from_string(link)),
            "view-link", json_slice(slice_from_string(link)), "md5", sums.md5));
    }
    return list;
}

static json_t *fields(json_t *m)
{
    json_t *made = json_object(), *header;
    size_t i;
    json_array_foreach(json_object_get(m, "headers"), i, header) {
        const char *name = json_string_value(json_array_get(header, 0));
        json_t *values = json_object_get(made, name);
        if (values == NULL) {
            json_object_set_new(made, name, json_array());
            values = json_object_get(made, name);
        }
        json_array_append(values, json_array_get(header, 2));
    }
    return made;
}

static bool get(struct api *api, struct api_request *r)
{
    struct opened o;
    if (open_for(api, r, &o)) {
        json_t *made = header_of(o.message, r->arguments[0]);
        json_object_set_new(made, "body", json_pack("{s:o, s:o}", "text",
            json_slice(o.content.text), "html", json_slice(o.content.html)));
        json_object_set_new(made, "header", fields(o.message));
        json_object_set_new(made, "attachments", attachments(&o, r));
        answer_json(r, 200, made);
    } else {
        gone(r);
    }
    message_close(&o);
    return true;
}

static bool source(struct api *api, struct api_request *r)
{
    struct opened o;
    if (open_for(api, r, &o))
        answer_octets(r, "text/plain; charset=utf-8", buffer_slice(&o.raw));
    else
        gone(r);
    message_close(&o);
    return true;
}

static bool change(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false);
    bool good = body != NULL && box_mark(api->options.box, r->workspace, r->arguments[1],
                                         json_is_true(json_object_get(body, "seen")));
    json_decref(body);
    return good ? answer_json(r, 200, json_string("OK")) : gone(r);
}

static bool delete_one(struct api *api, struct api_request *r)
{
    struct opened o;
    bool good = open_for(api, r, &o) &&
                box_delete(api->options.box, r->workspace,
                           slice_from_string(json_text(o.message, "id")));
    message_close(&o);
    return good ? answer_json(r, 200, json_string("OK")) : gone(r);
}

static bool attachment(struct api *api, struct api_request *r)
{
    struct opened o;
    struct buffer octets;
    const struct content_part *part;
    buffer_init(&octets, OCTETS_MAX);
    if (open_for(api, r, &o) && message_part(&o, r->arguments[2], &octets, &part)) {
        answer_octets(r, "application/octet-stream", buffer_slice(&octets));
        answer_disposition(r, true, part->filename);
    } else {
        gone(r);
    }
    buffer_free(&octets);
    message_close(&o);
    return true;
}

/* Of whom it is told: the first that it is for. */
static struct slice mailbox_of(json_t *summary)
{
    static const char *const lists[] = { "to", "cc", "bcc" };
    struct slice address = { .len = 0 };
    for (size_t i = 0; i < 3 && address.len == 0; i++)
        address = slice_from_string(json_text(json_array_get(json_object_get(summary, lists[i]),
                                                             0), "address"));
    return slice_part(address, 0, slice_find(address, '@'));
}

json_t *inbucket_frame(int dialect, enum box_event event, json_t *what)
{
    if (event == BOX_NEW && dialect == STREAM_INBUCKET)
        return header_of(what, mailbox_of(what));
    if (event == BOX_NEW)
        return json_pack("{s:s, s:n, s:o}", "variant", "message-stored", "identifier", "header",
                         header_of(what, mailbox_of(what)));
    if (event == BOX_DELETED && dialect == STREAM_INBUCKET_2)
        return json_pack("{s:s, s:{s:s, s:O}, s:n}", "variant", "message-deleted", "identifier",
                         "mailbox", "", "id", json_object_get(what, "id"), "header");
    return NULL;
}

static bool monitor(struct api *api, struct api_request *r)
{
    (void)api;
    r->stream = API_STREAM_SOCKET;
    r->stream_dialect = slice_contains_nocase(r->path, SLICE("/v2/")) ? STREAM_INBUCKET_2
                                                                      : STREAM_INBUCKET;
    return true;
}

const struct api_route inbucket_routes[] = {
    { API_GET, "/api/v1/mailbox/*", list },
    { API_DELETE, "/api/v1/mailbox/*", purge },
    { API_GET, "/api/v1/mailbox/*/*", get },
    { API_PATCH, "/api/v1/mailbox/*/*", change },
    { API_DELETE, "/api/v1/mailbox/*/*", delete_one },
    { API_GET, "/api/v1/mailbox/*/*/source", source },
    { API_GET, "/serve/mailbox/*/*/attach/*", attachment },
    { API_GET, "/api/v1/monitor/messages", monitor },
    { API_GET, "/api/v1/monitor/messages/*", monitor },
    { API_GET, "/api/v2/monitor/messages", monitor },
    { API_GET, "/api/v2/monitor/messages/*", monitor },
    { API_OTHER, NULL, NULL },
};
