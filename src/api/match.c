/* match.c: whether a message is the one that somebody waits for. */
#include "api/api_private.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

enum { PATTERN_MAX = 2000, MATCH_LIMIT = 200000, DEPTH_LIMIT = 500, HEAP_KIB = 4096 };

enum { GROUPS_MAX = 20 };

/* The match and its groups in *out; *out_count is 0 where there is none. */
static const char *search(struct slice pattern, struct slice text, struct slice out[GROUPS_MAX],
                          size_t *out_count)
{
    int error;
    size_t at;
    *out_count = 0;
    if (pattern.len > PATTERN_MAX)
        return "the pattern is too long";
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(pattern.len == 0 ? "" : pattern.data),
                                     pattern.len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error,
                                     &at, NULL);
    if (code == NULL)
        return "the pattern is no regular expression";
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    int found = PCRE2_ERROR_NOMEMORY;
    if (limits != NULL && data != NULL) {
        pcre2_set_match_limit(limits, MATCH_LIMIT);
        pcre2_set_depth_limit(limits, DEPTH_LIMIT);
        pcre2_set_heap_limit(limits, HEAP_KIB);
        found = pcre2_match(code, (PCRE2_SPTR)(text.len == 0 ? "" : text.data), text.len, 0, 0,
                            data, limits);
    }
    for (int i = 0; i < found && i < GROUPS_MAX; i++) {
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data) + 2 * i;
        out[i] = ends[0] == PCRE2_UNSET || ends[1] < ends[0]
                     ? slice_make(NULL, 0) : slice_part(text, ends[0], ends[1] - ends[0]);
        *out_count = (size_t)i + 1;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    pcre2_code_free(code);
    return found >= 0 || found == PCRE2_ERROR_NOMATCH ? NULL : "the pattern takes too long";
}

const char *match_regex(struct slice pattern, struct slice text, bool *out_matches)
{
    struct slice groups[GROUPS_MAX];
    size_t count;
    const char *why = search(pattern, text, groups, &count);
    *out_matches = count > 0;
    return why;
}

const char *match_find(struct slice pattern, struct slice text, struct slice *out)
{
    struct slice groups[GROUPS_MAX];
    size_t count;
    const char *why = search(pattern, text, groups, &count);
    *out = count == 0 ? slice_make(NULL, 0) : groups[count > 1 ? 1 : 0];
    return why;
}

const char *match_groups(struct slice pattern, struct slice text, json_t *out)
{
    struct slice groups[GROUPS_MAX];
    size_t count;
    const char *why = search(pattern, text, groups, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_slice(groups[i]));
    return why;
}

bool match_text(json_t *wish, struct slice text)
{
    json_t *equals = json_object_get(wish, "equals");
    json_t *contains = json_is_string(wish) ? wish : json_object_get(wish, "contains");
    json_t *pattern = json_object_get(wish, "matches"), *lacks = json_object_get(wish, "lacks");
    bool found;
    if (lacks != NULL && slice_contains_nocase(text, slice_from_string(json_string_value(lacks))))
        return false;
    if (equals != NULL && !slice_equal(text, slice_from_string(json_string_value(equals))))
        return false;
    if (contains != NULL &&
        !slice_contains_nocase(text, slice_from_string(json_string_value(contains))))
        return false;
    return pattern == NULL ||
           (match_regex(slice_from_string(json_string_value(pattern)), text, &found) == NULL &&
            found);
}

static bool address_fits(json_t *wish, json_t *address)
{
    struct buffer whole;
    buffer_init(&whole, 64 * 1024);
    buffer_append_string(&whole, json_text(address, "name"));
    buffer_append_string(&whole, " <");
    buffer_append_string(&whole, json_text(address, "address"));
    buffer_append_byte(&whole, '>');
    bool good = match_text(wish, slice_from_string(json_text(address, "address"))) ||
                match_text(wish, slice_from_string(json_text(address, "name"))) ||
                match_text(wish, buffer_slice(&whole));
    buffer_free(&whole);
    return good;
}

static bool any_address_fits(json_t *wish, json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (address_fits(wish, item))
            return true;
    return false;
}

static bool headers_fit(json_t *wanted, json_t *headers)
{
    const char *name;
    json_t *wish, *header;
    size_t i;
    json_object_foreach(wanted, name, wish) {
        bool found = false;
        json_array_foreach(headers, i, header)
            found = found ||
                (strcasecmp(json_string_value(json_array_get(header, 0)), name) == 0 &&
                 match_text(wish, slice_from_string(json_string_value(json_array_get(header, 2)))));
        if (!found)
            return false;
    }
    return true;
}

/* One of the people that a member of that name is about. */
static bool people_fit(const char *name, json_t *wish, json_t *m)
{
    if (strcmp(name, "from") == 0)
        return address_fits(wish, json_object_get(m, "from"));
    if (strcmp(name, "to") == 0)
        return any_address_fits(wish, json_object_get(m, "to")) ||
               any_address_fits(wish, json_object_get(m, "cc")) ||
               any_address_fits(wish, json_object_get(m, "bcc"));
    return any_address_fits(wish, json_object_get(m, name));
}

/* "lacks" is of all of them. */
static bool people_lack(const char *name, json_t *lacks, json_t *m)
{
    json_t *has = json_pack("{s:O}", "contains", lacks);
    bool one_has = people_fit(name, has, m);
    json_decref(has);
    return !one_has;
}

static bool member_fits(const char *name, json_t *wish, json_t *m)
{
    json_t *lacks = json_object_get(wish, "lacks");
    bool is_of_people = strcmp(name, "from") == 0 || strcmp(name, "to") == 0 ||
                        strcmp(name, "cc") == 0 || strcmp(name, "bcc") == 0;
    if (is_of_people && lacks != NULL && !people_lack(name, lacks, m))
        return false;
    if (is_of_people)
        return (lacks != NULL && json_object_size(wish) == 1) || people_fit(name, wish, m);
    if (strcmp(name, "header") == 0)
        return headers_fit(wish, json_object_get(m, "headers"));
    if (strcmp(name, "attachments") == 0)
        return (json_integer_value(json_object_get(m, "attachments")) > 0) ==
               json_is_true(wish);
    return match_text(wish, slice_from_string(json_text(m, name)));
}

bool match_message(json_t *wanted, json_t *message)
{
    const char *name;
    json_t *wish;
    json_object_foreach(wanted, name, wish)
        if (!member_fits(name, wish, message))
            return false;
    return true;
}

static const char *check_wish(json_t *wish)
{
    return member_wish(wish) ? NULL : "a match is a text, or an object with equals, contains, "
                                      "matches (a regular expression) or lacks: of texts";
}

const char *match_check(json_t *wanted)
{
    static const char *const texts[] = { "from", "to", "cc", "bcc", "subject", "messageId",
                                         "snippet" };
    const char *name, *why = NULL;
    json_t *wish, *one;
    const char *field;
    json_object_foreach(wanted, name, wish) {
        bool known = strcmp(name, "attachments") == 0 && json_is_boolean(wish);
        for (size_t i = 0; i < sizeof texts / sizeof *texts && !known; i++)
            if (strcmp(name, texts[i]) == 0) {
                known = true;
                why = why != NULL ? why : check_wish(wish);
            }
        if (strcmp(name, "header") == 0 && json_is_object(wish)) {
            known = true;
            json_object_foreach(wish, field, one)
                why = why != NULL ? why : check_wish(one);
        }
        if (!known)
            return "a match has from, to, cc, bcc, subject, messageId, header or attachments";
    }
    return why;
}
