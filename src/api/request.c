/* request.c: reading what was asked. */
#include "api/api_private.h"

#include <string.h>
#include <time.h>

enum { JSON_DEPTH = 64 };

static struct slice find(const struct api_pair *pairs, size_t count, const char *name,
                         bool any_case, bool *out_found)
{
    struct slice wanted = slice_from_string(name);
    for (size_t i = 0; i < count; i++)
        if (any_case ? slice_equal_nocase(pairs[i].name, wanted)
                     : slice_equal(pairs[i].name, wanted)) {
            *out_found = true;
            return pairs[i].value;
        }
    *out_found = false;
    return slice_make(NULL, 0);
}

struct slice request_header(const struct api_request *r, const char *name)
{
    bool found;
    return find(r->headers, r->headers_count, name, true, &found);
}

struct slice request_query(const struct api_request *r, const char *name)
{
    bool found;
    return find(r->query, r->query_count, name, false, &found);
}

bool request_has(const struct api_request *r, const char *name)
{
    bool found;
    find(r->query, r->query_count, name, false, &found);
    return found;
}

bool request_flag(const struct api_request *r, const char *name)
{
    struct slice value = request_query(r, name);
    return request_has(r, name) && !slice_equal_nocase(value, SLICE("false")) &&
           !slice_equal(value, SLICE("0"));
}

uint64_t request_number(const struct api_request *r, const char *name, uint64_t otherwise,
                        uint64_t max)
{
    uint64_t value = otherwise;
    slice_to_number(request_query(r, name), INT64_MAX, &value);
    return value < max ? value : max;
}

static bool is_word_of(struct slice list, struct slice name)
{
    struct slice word;
    while (slice_split(&list, ' ', &word))
        if (slice_equal(word, name))
            return true;
    return false;
}

const char *request_check(const struct api_request *r, const char *known)
{
    uint64_t number;
    for (size_t i = 0; i < r->query_count; i++) {
        struct slice name = r->query[i].name, value = r->query[i].value;
        if (!is_word_of(slice_from_string(known), name))
            return "there is a parameter that is not known";
        if (is_word_of(SLICE("start limit since count"), name) && value.len > 0 &&
            !slice_to_number(value, INT64_MAX, &number))
            return "start, limit, since and count are numbers";
        if (is_word_of(SLICE("before after"), name) && value.len > 0 && read_time(value) == 0)
            return "before and after are times such as 2026-01-31 or 2026-01-31T10:00:00Z";
    }
    return NULL;
}

/* 1*DIGIT [ "ms" / "s" / "m" / "h" / "d" ] */
int64_t read_duration(struct slice text)
{
    static const struct {
        struct slice unit;
        int64_t ms;
    } units[] = { { SLICE_INIT("ms"), 1 }, { SLICE_INIT("s"), SECOND_MS },
                  { SLICE_INIT("m"), MINUTE_MS }, { SLICE_INIT("h"), HOUR_MS },
                  { SLICE_INIT("d"), DAY_MS }, { SLICE_INIT(""), 1 } };
    uint64_t number;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_ends_with_nocase(text, units[i].unit) &&
            slice_to_number(slice_part(text, 0, text.len - units[i].unit.len), 1000000000,
                            &number))
            return (int64_t)number * units[i].ms;
    return -1;
}

static bool take_number(struct slice *rest, size_t digits, unsigned *out)
{
    uint64_t value;
    if (!slice_to_number(slice_part(*rest, 0, digits), 9999, &value) || rest->len < digits)
        return false;
    *out = (unsigned)value;
    *rest = slice_from(*rest, digits);
    return true;
}

static bool take_byte(struct slice *rest, char byte)
{
    if (rest->len == 0 || rest->data[0] != byte)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* "Z" or ("+" / "-") 2DIGIT ":" 2DIGIT */
static int take_zone(struct slice rest)
{
    unsigned hours, minutes = 0;
    bool west = take_byte(&rest, '-');
    if (!west && !take_byte(&rest, '+') && !take_byte(&rest, ' '))
        return 0;
    if (!take_number(&rest, 2, &hours))
        return 0;
    take_byte(&rest, ':');
    take_number(&rest, 2, &minutes);
    int zone = (int)(hours * 60 + minutes);
    return west ? -zone : zone;
}

int read_zone(struct slice text)
{
    return take_zone(text);
}

/* Nothing, "Z", or "+02:00"; a plus that was not encoded is a blank by now. */
static bool is_zone(struct slice text)
{
    unsigned hours, minutes;
    if (text.len == 0 || slice_equal_nocase(text, SLICE("Z")))
        return true;
    return (take_byte(&text, '+') || take_byte(&text, '-') || take_byte(&text, ' ')) &&
           take_number(&text, 2, &hours) && take_byte(&text, ':') &&
           take_number(&text, 2, &minutes) && text.len == 0 && hours < 24 && minutes < 60;
}

int64_t json_duration(const json_t *value)
{
    return json_is_integer(value) ? json_integer_value(value)
                                  : read_duration(slice_from_string(json_string_value(value)));
}

/* full-date [ "T" partial-time [ zone ] ] of RFC 3339 5.6 */
int64_t read_time(struct slice text)
{
    unsigned year, month, day, hour = 0, minute = 0, second = 0, ms = 0;
    if (!take_number(&text, 4, &year) || !take_byte(&text, '-') ||
        !take_number(&text, 2, &month) || !take_byte(&text, '-') || !take_number(&text, 2, &day))
        return 0;
    if ((take_byte(&text, 'T') || take_byte(&text, ' ')) &&
        (!take_number(&text, 2, &hour) || !take_byte(&text, ':') ||
         !take_number(&text, 2, &minute)))
        return 0;
    if (take_byte(&text, ':') && !take_number(&text, 2, &second))
        return 0;
    if (take_byte(&text, '.')) {
        unsigned scale = 100;
        while (text.len > 0 && text.data[0] >= '0' && text.data[0] <= '9') {
            ms += (unsigned)(text.data[0] - '0') * scale;
            scale /= 10;
            text = slice_from(text, 1);
        }
    }
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 60 || !is_zone(text))
        return 0;
    struct tm t = { .tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day,
                    .tm_hour = (int)hour, .tm_min = (int)minute, .tm_sec = (int)second };
    return ((int64_t)timegm(&t) - take_zone(text) * 60) * 1000 + ms;
}

/* Jansson calls itself for each level. */
static bool is_deep(struct slice text)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

json_t *request_json(struct api_request *r, bool needed)
{
    json_t *made = is_deep(r->body) ? NULL
                                    : json_loadb(r->body.data, r->body.len,
                                                 JSON_REJECT_DUPLICATES, NULL);
    if (made != NULL && !json_is_object(made)) {
        json_decref(made);
        made = NULL;
    }
    if (made == NULL && needed)
        answer_error(r, 400, "the body is no JSON object");
    return made;
}

const char *json_text(json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text == NULL ? "" : text;
}
