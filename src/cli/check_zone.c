/* check_zone.c: answers from a zone written as JSON:
 *
 *   {"name": {"TXT": ["whole", ["part", "part"]], "A": ["192.0.2.1"], "AAAA": [...],
 *             "MX": [[10, "host"]], "PTR": ["name"], "CNAME": ["name"]},
 *    "other": "SERVFAIL"}
 *
 * A type may fail by itself: {"A": "TIMEOUT"}. What cannot be a record is left out. */
#include "cli/check_private.h"

#include "wire/dns/message.h"

#include <arpa/inet.h>

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

bool check_zone_answer(const json_t *zone, const struct lookup_question *question,
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
