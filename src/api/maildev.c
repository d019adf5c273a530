/* maildev.c: MailDev's API: a list that grows at its end, filtered by any member. */
#include "api/api_private.h"

#include <ctype.h>
#include <string.h>

enum { LIST_MAX = 10000, OCTETS_MAX = 100 * 1024 * 1024 };

static bool gone(struct api_request *r)
{
    return answer_json(r, 404, json_pack("{s:s}", "error", "email was not found"));
}

static json_t *fields(json_t *m)
{
    json_t *made = json_object(), *header;
    size_t i, at;
    char name[256];
    json_array_foreach(json_object_get(m, "headers"), i, header) {
        const char *given = json_string_value(json_array_get(header, 0));
        for (at = 0; given[at] != '\0' && at < sizeof name - 1; at++)
            name[at] = (char)tolower((unsigned char)given[at]);
        name[at] = '\0';
        json_object_set(made, name, json_array_get(header, 2));
    }
    return made;
}

static json_t *people(json_t *list)
{
    return list == NULL ? json_array() : json_incref(list);
}

static json_t *attachments(json_t *m)
{
    json_t *list = json_array(), *file;
    size_t i;
    json_array_foreach(json_object_get(m, "files"), i, file)
        json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:O, s:O}",
            "contentType", json_object_get(file, "type"),
            "fileName", json_object_get(file, "name"),
            "generatedFileName", json_object_get(file, "name"),
            "contentId", json_object_get(file, "id"), "length", json_object_get(file, "size")));
    return list;
}

static json_t *envelope(json_t *m)
{
    json_t *e = json_object_get(m, "envelope"), *to = json_array(), *one;
    size_t i;
    json_array_foreach(json_object_get(e, "to"), i, one)
        json_array_append_new(to, json_pack("{s:O, s:b}", "address", one, "args", 0));
    return json_pack("{s:{s:s, s:b}, s:o, s:s, s:s}", "from", "address", json_text(e, "from"),
                     "args", 0, "to", to, "host", json_text(e, "helo"), "remoteAddress",
                     json_text(e, "client"));
}

static json_t *item(const struct opened *o)
{
    json_t *m = o->message, *out = json_object();
    json_object_set(out, "id", json_object_get(m, "id"));
    json_object_set_new(out, "time",
                        json_time(json_integer_value(json_object_get(m, "created"))));
    json_object_set_new(out, "date",
                        json_time(json_integer_value(json_object_get(m, "created"))));
    json_object_set_new(out, "from", json_pack("[O]", json_object_get(m, "from")));
    json_object_set_new(out, "to", people(json_object_get(m, "to")));
    json_object_set_new(out, "cc", people(json_object_get(m, "cc")));
    json_object_set_new(out, "bcc", people(json_object_get(m, "bcc")));
    json_object_set(out, "subject", json_object_get(m, "subject"));
    json_object_set_new(out, "text", json_slice(o->content.text));
    json_object_set_new(out, "html", json_slice(o->content.html));
    json_object_set_new(out, "headers", fields(m));
    json_object_set(out, "read", json_object_get(m, "read"));
    json_object_set(out, "messageId", json_object_get(m, "messageId"));
    json_object_set_new(out, "priority", json_string("normal"));
    json_object_set_new(out, "attachments", attachments(m));
    json_object_set_new(out, "envelope", envelope(m));
    json_object_set(out, "size", json_object_get(m, "size"));
    return out;
}

/* "envelope.to.address": members of members; in a list, of any. */
static bool has_value(json_t *value, struct slice path, struct slice wanted)
{
    struct slice name;
    char key[128];
    size_t i;
    json_t *one;
    if (json_is_array(value)) {
        json_array_foreach(value, i, one)
            if (has_value(one, path, wanted))
                return true;
        return false;
    }
    if (!slice_split(&path, '.', &name))
        return json_is_string(value)
                   ? slice_equal(slice_from_string(json_string_value(value)), wanted)
                   : json_is_true(value) && slice_equal(wanted, SLICE("true"));
    if (name.len >= sizeof key)
        return false;
    memcpy(key, name.data, name.len);
    key[name.len] = '\0';
    return has_value(json_object_get(value, key), path, wanted);
}

static bool is_wanted(const struct api_request *r, json_t *mail)
{
    for (size_t i = 0; i < r->query_count; i++)
        if (!slice_equal(r->query[i].name, SLICE("skip")) &&
            !has_value(mail, r->query[i].name, r->query[i].value))
            return false;
    return true;
}

static bool list(struct api *api, struct api_request *r)
{
    struct box_query query = { .workspace = r->workspace, .oldest_first = true,
                               .limit = LIST_MAX,
                               .start = (uint32_t)request_number(r, "skip", 0, UINT32_MAX) };
    struct box_found found;
    const char *why;
    json_t *made = json_array(), *m;
    size_t i;
    box_list(api->options.box, &query, &found, &why);
    json_array_foreach(found.messages, i, m) {
        struct opened o;
        json_t *mail = message_open(api, r, slice_from_string(json_text(m, "id")), &o)
                           ? item(&o) : NULL;
        if (mail != NULL && is_wanted(r, mail))
            json_array_append(made, mail);
        json_decref(mail);
        message_close(&o);
    }
    json_decref(found.messages);
    return answer_json(r, 200, made);
}

static bool with_mail(struct api *api, struct api_request *r,
                      bool (*act)(struct api_request *r, struct opened *o))
{
    struct opened o;
    if (message_open(api, r, r->arguments[0], &o))
        act(r, &o);
    else
        gone(r);
    message_close(&o);
    return true;
}

static bool show(struct api_request *r, struct opened *o)
{
    return answer_json(r, 200, item(o));
}

static bool get(struct api *api, struct api_request *r)
{
    box_mark(api->options.box, r->workspace, r->arguments[0], true);
    return with_mail(api, r, show);
}

static bool show_html(struct api_request *r, struct opened *o)
{
    answer_octets(r, "text/html; charset=utf-8", o->content.html);
    answer_field(r, "Content-Security-Policy", SLICE("sandbox; default-src 'none'; style-src "
                                                     "'unsafe-inline'; img-src data:"));
    return true;
}

static bool html(struct api *api, struct api_request *r)
{
    return with_mail(api, r, show_html);
}

/* By its name: a name of a message, never of a file. */
static bool show_attachment(struct api_request *r, struct opened *o)
{
    json_t *file;
    size_t i;
    json_array_foreach(json_object_get(o->message, "files"), i, file) {
        struct buffer octets;
        const struct content_part *part;
        if (!slice_equal(r->arguments[1], slice_from_string(json_text(file, "name"))))
            continue;
        buffer_init(&octets, OCTETS_MAX);
        if (message_part(o, slice_from_string(json_text(file, "part")), &octets, &part)) {
            answer_octets(r, "application/octet-stream", buffer_slice(&octets));
            answer_disposition(r, true, part->filename);
        }
        buffer_free(&octets);
        return true;
    }
    return gone(r);
}

static bool attachment(struct api *api, struct api_request *r)
{
    return with_mail(api, r, show_attachment);
}

static bool show_source(struct api_request *r, struct opened *o)
{
    return answer_octets(r, "text/plain; charset=utf-8", buffer_slice(&o->raw));
}

static bool source(struct api *api, struct api_request *r)
{
    return with_mail(api, r, show_source);
}

static bool delete_one(struct api *api, struct api_request *r)
{
    return box_delete(api->options.box, r->workspace, r->arguments[0])
               ? answer_json(r, 200, json_true()) : gone(r);
}

static bool delete_all(struct api *api, struct api_request *r)
{
    box_reset(api->options.box, r->workspace);
    return answer_json(r, 200, json_true());
}

static bool config(struct api *api, struct api_request *r)
{
    (void)api;
    return answer_json(r, 200, json_pack("{s:s, s:b}", "version", GODWIT_VERSION,
                                         "isOutgoingEnabled", 0));
}

static bool healthy(struct api *api, struct api_request *r)
{
    (void)api;
    return answer_json(r, 200, json_true());
}

const struct api_route maildev_routes[] = {
    { API_GET, "/email", list },
    { API_DELETE, "/email/all", delete_all },
    { API_GET, "/email/*", get },
    { API_DELETE, "/email/*", delete_one },
    { API_GET, "/email/*/html", html },
    { API_GET, "/email/*/source", source },
    { API_GET, "/email/*/download", source },
    { API_GET, "/email/*/attachment/*", attachment },
    { API_GET, "/config", config },
    { API_GET, "/healthz", healthy },
    { API_OTHER, NULL, NULL },
};
