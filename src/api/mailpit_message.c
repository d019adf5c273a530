/* mailpit_message.c: messages as Mailpit's API shows them. */
#include "api/api_private.h"

#include "crypto/checksum.h"

#include <string.h>

static json_t *address(json_t *a)
{
    return json_is_object(a) ? json_pack("{s:s, s:s}", "Name", json_text(a, "name"), "Address",
                                         json_text(a, "address"))
                             : json_null();
}

static json_t *addresses(json_t *list)
{
    json_t *made = json_array(), *item;
    size_t i;
    json_array_foreach(list, i, item)
        json_array_append_new(made, address(item));
    return made;
}

static void set_common(json_t *out, json_t *m)
{
    static const char *const lists[][2] = { { "To", "to" }, { "Cc", "cc" }, { "Bcc", "bcc" },
                                            { "ReplyTo", "replyTo" } };
    json_object_set(out, "ID", json_object_get(m, "id"));
    json_object_set(out, "MessageID", json_object_get(m, "messageId"));
    json_object_set_new(out, "From", address(json_object_get(m, "from")));
    for (size_t i = 0; i < 4; i++)
        json_object_set_new(out, lists[i][0], addresses(json_object_get(m, lists[i][1])));
    json_object_set(out, "Subject", json_object_get(m, "subject"));
    json_object_set(out, "Tags", json_object_get(m, "tags"));
    json_object_set(out, "Username", json_object_get(m, "account"));
    json_object_set(out, "Size", json_object_get(m, "size"));
}

json_t *mailpit_summary(json_t *m)
{
    json_t *out = json_object();
    set_common(out, m);
    json_object_set(out, "Read", json_object_get(m, "read"));
    json_object_set_new(out, "Created",
                        json_time(json_integer_value(json_object_get(m, "created"))));
    json_object_set(out, "Attachments", json_object_get(m, "attachments"));
    json_object_set(out, "Snippet", json_object_get(m, "snippet"));
    return out;
}

static json_t *checksums(const struct opened *o, struct slice part)
{
    struct buffer octets;
    const struct content_part *found;
    struct checksums sums = { .md5 = "" };
    buffer_init(&octets, API_ANSWER_MAX);
    if (message_part(o, part, &octets, &found))
        checksums_of(buffer_slice(&octets), &sums);
    buffer_free(&octets);
    return json_pack("{s:s, s:s, s:s}", "MD5", sums.md5, "SHA1", sums.sha1, "SHA256", sums.sha256);
}

static json_t *files(const struct opened *o, bool attachments)
{
    json_t *made = json_array(), *f;
    size_t i;
    json_array_foreach(json_object_get(o->message, "files"), i, f) {
        if (json_is_true(json_object_get(f, "attachment")) != attachments)
            continue;
        json_t *file = json_object();
        json_object_set(file, "PartID", json_object_get(f, "part"));
        json_object_set(file, "FileName", json_object_get(f, "name"));
        json_object_set(file, "ContentType", json_object_get(f, "type"));
        json_object_set(file, "ContentID", json_object_get(f, "id"));
        json_object_set(file, "Size", json_object_get(f, "size"));
        json_object_set_new(file, "Checksums",
                            checksums(o, slice_from_string(json_text(f, "part"))));
        json_array_append_new(made, file);
    }
    return made;
}

json_t *mailpit_message(const struct opened *o)
{
    json_t *out = json_object(), *m = o->message;
    json_t *unsubscribe = json_object_get(m, "unsubscribe");
    json_t *date = json_object_get(m, "date");
    set_common(out, m);
    json_object_set_new(out, "ReturnPath",
                        json_string(json_text(json_object_get(m, "envelope"), "from")));
    json_object_set_new(out, "Date", json_time(json_integer_value(
        json_is_integer(date) ? date : json_object_get(m, "created"))));
    json_object_set_new(out, "ListUnsubscribe", json_pack("{s:s, s:O, s:s, s:s}",
        "Header", json_text(unsubscribe, "header"),
        "Links", json_object_get(unsubscribe, "links"),
        "Errors", json_text(unsubscribe, "failure"),
        "HeaderPost", json_text(unsubscribe, "post")));
    json_object_set_new(out, "Text", json_slice(o->content.text));
    json_object_set_new(out, "HTML", json_slice(o->content.html));
    json_object_set_new(out, "Inline", files(o, false));
    json_object_set_new(out, "Attachments", files(o, true));
    return out;
}
