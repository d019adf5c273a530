/* zone.c: answers from a zone written as JSON:
 *
 *   {"name": {"TXT": ["whole", ["part", "part"]], "A": ["192.0.2.1"], "AAAA": [...],
 *             "MX": [[10, "host"]], "PTR": ["name"], "CNAME": ["name"]},
 *    "other": "SERVFAIL"}
 *
 * A type may fail by itself: {"A": "TIMEOUT"}. What cannot be a record is left out. */
#include "verdict/zone.h"

#include "base/ascii.h"
#include "wire/dns/message.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    CNAMES_MAX = 8,
    LABEL_MAX = 63,
    STRING_MAX = 255,
    RECORD_MAX = 65535,
    TTL_S = 300,
};

static struct slice text_of(const json_t *value)
{
    return slice_make(json_string_value(value), json_string_length(value));
}

static struct slice without_dot(struct slice name)
{
    if (name.len > 1 && name.data[name.len - 1] == '.')
        name.len--;
    return name;
}

static const json_t *find_name(const json_t *zone, struct slice name)
{
    const char *key;
    size_t key_len;
    json_t *value;
    char plain[ZONE_NAME_MAX + 1];
    struct slice bare = without_dot(name);
    if (bare.len < sizeof plain) {
        for (size_t i = 0; i < bare.len; i++)
            plain[i] = ascii_lower(bare.data[i]);
        value = json_object_getn(zone, plain, bare.len);
        if (value != NULL)
            return value;
    }
    json_object_keylen_foreach((json_t *)zone, key, key_len, value)
        if (slice_equal_nocase(without_dot(slice_make(key, key_len)), without_dot(name)))
            return value;
    return NULL;
}

/* A name as labels; false when it cannot be one. */
static bool append_name(struct buffer *out, struct slice name)
{
    struct slice rest = without_dot(name);
    struct slice label;
    if (slice_equal(rest, SLICE(".")))
        rest.len = 0;
    while (slice_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX)
            return false;
        buffer_append_byte(out, (char)label.len);
        buffer_append(out, label);
    }
    buffer_append_byte(out, '\0');
    return true;
}

static bool append_name_record(struct buffer *out, const json_t *record)
{
    return json_is_string(record) && append_name(out, text_of(record));
}

static bool append_mx(struct buffer *out, const json_t *record)
{
    json_int_t preference = json_integer_value(json_array_get(record, 0));
    const json_t *host = json_array_get(record, 1);
    buffer_append_byte(out, (char)(preference >> 8 & 255));
    buffer_append_byte(out, (char)(preference & 255));
    return json_is_string(host) && append_name(out, text_of(host));
}

static void append_string(struct buffer *out, struct slice s)
{
    do {
        struct slice part = slice_part(s, 0, STRING_MAX);
        buffer_append_byte(out, (char)part.len);
        buffer_append(out, part);
        s = slice_from(s, part.len);
    } while (s.len > 0);
}

static bool append_txt(struct buffer *out, const json_t *record)
{
    if (json_is_string(record)) {
        append_string(out, text_of(record));
        return true;
    }
    for (size_t i = 0; i < json_array_size(record); i++)
        append_string(out, text_of(json_array_get(record, i)));
    return json_array_size(record) > 0;
}

static bool append_address(struct buffer *out, const json_t *record, int family)
{
    uint8_t bytes[16];
    if (!json_is_string(record) || inet_pton(family, json_string_value(record), bytes) != 1)
        return false;
    buffer_append(out, slice_make(bytes, family == AF_INET6 ? 16 : 4));
    return true;
}

static bool append_a(struct buffer *out, const json_t *record)
{
    return append_address(out, record, AF_INET);
}

static bool append_aaaa(struct buffer *out, const json_t *record)
{
    return append_address(out, record, AF_INET6);
}

static const struct {
    uint16_t type;
    const char *name;
    bool (*append)(struct buffer *out, const json_t *record);
} types[] = {
    { DNS_TYPE_A, "A", append_a },
    { DNS_TYPE_AAAA, "AAAA", append_aaaa },
    { DNS_TYPE_CNAME, "CNAME", append_name_record },
    { DNS_TYPE_MX, "MX", append_mx },
    { DNS_TYPE_PTR, "PTR", append_name_record },
    { DNS_TYPE_TXT, "TXT", append_txt },
};

static bool make_records(const json_t *list, size_t type, struct arena *arena,
                         struct lookup_answer *out)
{
    size_t count = json_array_size(list);
    struct slice *records = arena_alloc_many(arena, count + 1, sizeof *records);
    struct buffer data;
    bool fits = records != NULL;
    buffer_init(&data, RECORD_MAX);
    for (size_t i = 0; fits && i < count; i++) {
        buffer_clear(&data);
        if (types[type].append(&data, json_array_get(list, i)) && !data.overflow)
            fits = arena_copy(arena, buffer_slice(&data), &records[out->records_count++]);
    }
    buffer_free(&data);
    out->records = records;
    if (out->records_count > 0)
        out->kind = LOOKUP_FOUND;
    return fits;
}

bool zone_answer(const json_t *zone, const struct lookup_question *question,
                       struct arena *arena, struct lookup_answer *out)
{
    struct slice name = question->name;
    *out = (struct lookup_answer){ .kind = LOOKUP_FAILED, .ttl_s = TTL_S };
    for (unsigned links = 0; links <= CNAMES_MAX; links++) {
        const json_t *found = find_name(zone, name);
        if (found == NULL)
            out->kind = LOOKUP_NXDOMAIN;
        if (!json_is_object(found))
            return true;
        size_t type = 0;
        while (type < sizeof types / sizeof types[0] && types[type].type != question->type)
            type++;
        const json_t *list = type == sizeof types / sizeof types[0]
                                 ? NULL : json_object_get(found, types[type].name);
        const json_t *alias = json_array_get(json_object_get(found, "CNAME"), 0);
        if (list == NULL && json_is_string(alias)) {
            name = text_of(alias);
            continue;
        }
        if (json_is_string(list))
            return true;
        out->kind = LOOKUP_NODATA;
        return make_records(list, type, arena, out);
    }
    return true;
}

static const json_t *list_of(const json_t *records, uint16_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return json_object_get(records, types[i].name);
    return NULL;
}

bool zone_alias(const json_t *zone, struct slice name, uint16_t type, struct slice *out)
{
    const json_t *records = find_name(zone, name);
    const json_t *alias = json_array_get(json_object_get(records, "CNAME"), 0);
    if (!json_is_string(alias) || type == DNS_TYPE_CNAME || list_of(records, type) != NULL)
        return false;
    *out = text_of(alias);
    return true;
}

bool zone_is_silent(const json_t *zone, struct slice name, uint16_t type)
{
    const json_t *records = find_name(zone, name), *list = list_of(records, type);
    const char *text = json_string_value(json_is_string(records) ? records : list);
    return text != NULL && strcmp(text, "TIMEOUT") == 0;
}

/* ---- checked, for those who write one ---- */

static const char *check_list(size_t type, const json_t *list)
{
    struct buffer data;
    const char *why = NULL;
    size_t i;
    json_t *record;
    if (!json_is_array(list))
        return "a type has a list of records, or \"SERVFAIL\" or \"TIMEOUT\"";
    buffer_init(&data, RECORD_MAX);
    json_array_foreach((json_t *)list, i, record) {
        buffer_clear(&data);
        if (why == NULL && (!types[type].append(&data, record) || data.overflow))
            why = "a record is none of its type";
    }
    buffer_free(&data);
    return why;
}

static bool is_failure(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && (strcmp(text, "SERVFAIL") == 0 || strcmp(text, "TIMEOUT") == 0);
}

static const char *check_alias(const json_t *list)
{
    struct buffer data;
    buffer_init(&data, RECORD_MAX);
    bool good = json_array_size(list) == 1 && append_name_record(&data, json_array_get(list, 0)) &&
                !data.overflow;
    buffer_free(&data);
    return good ? NULL : "CNAME is a list of one name";
}

static const char *check_records(json_t *records)
{
    const char *name, *why = NULL;
    json_t *list;
    if (is_failure(records))
        return NULL;
    if (!json_is_object(records))
        return "a name has an object of types, or \"SERVFAIL\" or \"TIMEOUT\"";
    json_object_foreach(records, name, list) {
        size_t type = 0;
        while (type < sizeof types / sizeof *types && strcmp(types[type].name, name) != 0)
            type++;
        if (why == NULL && strcmp(name, "CNAME") == 0)
            why = check_alias(list);
        else if (why == NULL && type == sizeof types / sizeof *types)
            why = "types are A, AAAA, CNAME, MX, PTR and TXT";
        else if (why == NULL && !is_failure(list))
            why = check_list(type, list);
    }
    return why;
}

const char *zone_check(const json_t *zone, const char **out_name)
{
    const char *name;
    json_t *records;
    struct buffer data;
    buffer_init(&data, ZONE_NAME_MAX + 2);
    json_object_foreach((json_t *)zone, name, records) {
        const char *why = check_records(records);
        buffer_clear(&data);
        *out_name = name;
        if (!append_name(&data, slice_from_string(name)) || data.overflow)
            why = "this is no name";
        if (why != NULL) {
            buffer_free(&data);
            return why;
        }
    }
    buffer_free(&data);
    return json_object_size(zone) > ZONE_NAMES_MAX ? "there are too many names" : NULL;
}
