/* mailpit_send.c: Mailpit's way to send. */
#include "api/api_private.h"

enum { TAGS_BYTES_MAX = 8192 };

static bool refuse(struct api_request *r, unsigned status, const char *why)
{
    return answer_json(r, status, json_pack("{s:s}", "Error", why));
}

static bool on_sent(struct api *api, struct api_request *r, const char *why, struct slice id)
{
    (void)api;
    return why != NULL ? refuse(r, 400, why)
                       : answer_json(r, 200, json_pack("{s:o}", "ID", json_slice(id)));
}

/* {Email, Name} */
static json_t *person(json_t *given)
{
    return json_pack("{s:s, s:s}", "name", json_text(given, "Name"), "address",
                     json_is_string(given) ? json_string_value(given)
                                           : json_text(given, "Email"));
}

static json_t *people(json_t *given)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach(given, i, one)
        json_array_append_new(list, person(one));
    return list;
}

static json_t *files(json_t *given)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach(given, i, one)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}",
            "name", json_text(one, "Filename"), "type", json_text(one, "ContentType"),
            "id", json_text(one, "ContentID"), "base64", json_text(one, "Content")));
    return list;
}

/* The header fields that were asked for, with the tags as Mailpit writes them; NULL: these are
 * too long. */
static json_t *headers(json_t *body)
{
    json_t *given = json_object_get(body, "Headers"), *tag;
    json_t *made = json_is_object(given) ? json_copy(given) : json_object();
    struct buffer all;
    size_t i;
    buffer_init(&all, TAGS_BYTES_MAX);
    json_array_foreach(json_object_get(body, "Tags"), i, tag) {
        const char *name = json_string_value(tag);
        if (buffer_len(&all) > 0)
            buffer_append(&all, SLICE(", "));
        buffer_append_string(&all, name == NULL ? "" : name);
    }
    bool fits = !all.overflow;
    if (fits && buffer_len(&all) > 0)
        json_object_set_new(made, "X-Tags", json_slice(buffer_slice(&all)));
    else if (!fits)
        json_decref(made);
    buffer_free(&all);
    return fits ? made : NULL;
}

bool mailpit_send(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, false);
    if (body == NULL)
        return refuse(r, 400, "the body is no JSON object");
    json_t *fields = headers(body);
    if (fields == NULL) {
        json_decref(body);
        return refuse(r, 400, "the tags are too long");
    }
    json_t *mail = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o}",
        "from", person(json_object_get(body, "From")), "to", people(json_object_get(body, "To")),
        "cc", people(json_object_get(body, "Cc")), "bcc", people(json_object_get(body, "Bcc")),
        "replyTo", people(json_object_get(body, "ReplyTo")),
        "subject", json_text(body, "Subject"), "text", json_text(body, "Text"),
        "html", json_text(body, "HTML"),
        "headers", fields,
        "files", files(json_object_get(body, "Attachments")));
    json_decref(body);
    return send_mail(api, r, mail, on_sent);
}
