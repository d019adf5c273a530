/* assert_check.c: whether expectations can be understood: one that is not would pass. */
#include "api/api_private.h"

#include "content/select.h"

enum { COUNT_MAX = 1000 };

static bool is_count(const json_t *value)
{
    return member_count(value) && json_integer_value(value) <= COUNT_MAX;
}

static bool is_code(const json_t *value)
{
    return json_is_string(value) || json_is_boolean(value);
}

static bool is_false(const json_t *value)
{
    return json_is_false(value);
}

static bool is_header_wish(const json_t *value)
{
    return json_is_null(value) || member_wish(value);
}

static bool is_selector(const json_t *value)
{
    struct arena arena;
    struct html tree;
    struct select_matches found = { .count = 0 };
    if (!json_is_string(value))
        return false;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    html_read(slice_make(NULL, 0), &arena, &tree);
    bool good = select_find(&tree, slice_from_string(json_string_value(value)), 1, &arena,
                            &found) == NULL;
    arena_free(&arena);
    return good;
}

static bool are_headers_good(struct api_request *r, json_t *headers)
{
    const char *name;
    json_t *wish;
    json_object_foreach(headers, name, wish) {
        const struct member one[] = {
            { name, is_header_wish,
              "is to be a text, {equals, contains, matches, lacks}, or null" },
            { NULL, NULL, NULL },
        };
        json_t *alone = json_pack("{s:O}", name, wish);
        bool good = members_good(r, alone, "headers", one);
        json_decref(alone);
        if (!good)
            return false;
    }
    return true;
}

static bool are_selects_good(struct api_request *r, json_t *list)
{
    static const struct member members[] = {
        { "selector", is_selector, "is to be a CSS selector" },
        { "text", member_wish, "is to be a text, or {equals, contains, matches, lacks}" },
        { "count", is_count, "is to be a number from 0 to 1000" },
        { NULL, NULL, NULL },
    };
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        if (!json_is_object(one) || json_object_get(one, "selector") == NULL)
            return !answer_error(r, 400, "select is a list of objects with a selector");
        if (!members_good(r, one, "select", members))
            return false;
    }
    return true;
}

bool assert_check(struct api_request *r, json_t *body)
{
    static const char text[] = "is to be a text, or {equals, contains, matches, lacks}";
    static const struct member members[] = {
        { "inbox", member_text, "is to be a text" }, { "search", member_text, "is to be a text" },
        { "match", member_object, "is to be an object" },
        { "since", member_count, "is to be a cursor, a number" },
        { "timeout", member_duration, "is to be a duration such as 30s or 500ms" },
        { "count", is_count, "is to be a number from 0 to 1000" },
        { "subject", member_wish, text }, { "from", member_wish, text },
        { "to", member_wish, text }, { "text", member_wish, text }, { "html", member_wish, text },
        { "headers", member_object, "is to be an object of names" },
        { "select", member_list, "is to be a list" },
        { "links", member_object, "is to be an object" },
        { "code", is_code, "is to be a text, true or false" },
        { "attachments", member_texts, "is to be a list of names" },
        { "leaks", is_false, "is to be false" },
        { "auth", member_object, "is to be an object" },
        { "lint", member_object, "is to be an object" },
        { NULL, NULL, NULL },
    };
    static const struct member links[] = {
        { "contains", member_texts, "is to be a list of texts" },
        { "hosts", member_texts, "is to be a list of names" },
        { "alive", member_texts, "is to be a list of the hosts that may be asked" },
        { NULL, NULL, NULL },
    };
    static const char result[] = "is to be a result, such as pass";
    static const struct member auth[] = {
        { "spf", member_text, result }, { "dkim", member_text, result },
        { "dmarc", member_text, result }, { "arc", member_text, result },
        { "client", member_text, "is to be an address" },
        { "helo", member_text, "is to be a text" },
        { "sender", member_text, "is to be a text" }, { NULL, NULL, NULL },
    };
    static const struct member lint[] = {
        { "score", member_count, "is to be a number, the least" },
        { "passes", member_texts, "is to be a list of rules" }, { NULL, NULL, NULL },
    };
    return members_good(r, body, NULL, members) &&
           members_good(r, json_object_get(body, "lint"), "lint", lint) &&
           members_good(r, json_object_get(body, "auth"), "auth", auth) &&
           members_good(r, json_object_get(body, "links"), "links", links) &&
           are_headers_good(r, json_object_get(body, "headers")) &&
           are_selects_good(r, json_object_get(body, "select"));
}
