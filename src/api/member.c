/* member.c: what the object of a request may hold: names that are known, values of their types.
 * What is not understood is refused by its name, never passed over. */
#include "api/api_private.h"

#include <string.h>

bool member_text(const json_t *value)
{
    return json_is_string(value);
}

bool member_any(const json_t *value)
{
    return value != NULL;
}

bool member_object(const json_t *value)
{
    return json_is_object(value);
}

bool member_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

bool member_list(const json_t *value)
{
    return json_is_array(value);
}

bool member_flag(const json_t *value)
{
    return json_is_boolean(value);
}

bool member_duration(const json_t *value)
{
    return member_count(value) ||
           (json_is_string(value) &&
            read_duration(slice_from_string(json_string_value(value))) >= 0);
}

bool member_texts(const json_t *value)
{
    size_t i;
    json_t *one;
    if (!json_is_array(value))
        return false;
    json_array_foreach((json_t *)value, i, one)
        if (!json_is_string(one))
            return false;
    return true;
}

bool member_wish(const json_t *value)
{
    static const char *const kinds[] = { "equals", "contains", "matches", "lacks" };
    const char *name;
    json_t *text;
    if (json_is_string(value))
        return true;
    if (!json_is_object(value) || json_object_size(value) == 0)
        return false;
    json_object_foreach((json_t *)value, name, text) {
        bool is_known = false;
        bool found;
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            is_known = is_known || strcmp(kinds[i], name) == 0;
        if (!is_known || !json_is_string(text))
            return false;
        if (strcmp(name, "matches") == 0 &&
            match_regex(slice_from_string(json_string_value(text)), SLICE(""), &found) != NULL)
            return false;
    }
    return true;
}

static bool refuse(struct api_request *r, const char *name, const char *within, const char *why)
{
    struct buffer b;
    buffer_init(&b, 1024);
    buffer_append_byte(&b, '\'');
    buffer_append_escaped(&b, slice_part(slice_from_string(name), 0, 100));
    buffer_append_format(&b, "' %s%s%s", within == NULL ? "" : "in ",
                         within == NULL ? "" : within, within == NULL ? "" : " ");
    buffer_append_string(&b, why);
    answer_json(r, 400, json_pack("{s:i, s:o}", "status", 400, "message",
                                  json_slice(buffer_slice(&b))));
    buffer_free(&b);
    return false;
}

bool members_good(struct api_request *r, json_t *object, const char *within,
                  const struct member *known)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        const struct member *m = known;
        while (m->name != NULL && strcmp(m->name, name) != 0)
            m++;
        if (m->name == NULL)
            return refuse(r, name, within, "is not known");
        if (!m->is_good(value))
            return refuse(r, name, within, m->is);
    }
    return true;
}
