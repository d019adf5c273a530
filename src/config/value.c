/* value.c: the types of single values. */
#include "config/reader_private.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/moment.h"
#include "base/utf8.h"
#include "wire/smtp/address.h"

struct unit {
    struct slice name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    { SLICE_INIT("ms"), 1 },       { SLICE_INIT("s"), SECOND_MS },
    { SLICE_INIT("m"), MINUTE_MS }, { SLICE_INIT("h"), HOUR_MS },
    { SLICE_INIT("d"), DAY_MS },
};

static const struct unit size_units[] = {
    { SLICE_INIT(""), 1 },
    { SLICE_INIT("B"), 1 },
    { SLICE_INIT("KiB"), UINT64_C(1) << 10 },
    { SLICE_INIT("MiB"), UINT64_C(1) << 20 },
    { SLICE_INIT("GiB"), UINT64_C(1) << 30 },
    { SLICE_INIT("TiB"), UINT64_C(1) << 40 },
};

/* value = 1*DIGIT [ unit ] */
static bool with_unit(struct slice text, const struct unit *units, size_t count,
                      uint64_t *out)
{
    struct cursor c = cursor_over(text);
    uint64_t number;
    if (!cursor_take_number(&c, INT64_MAX, &number))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(cursor_rest(&c), units[i].name))
            continue;
        if (number > INT64_MAX / units[i].factor)
            return false;
        *out = number * units[i].factor;
        return true;
    }
    return false;
}

bool value_duration(struct slice text, int64_t *out_ms)
{
    uint64_t value;
    if (!with_unit(text, duration_units,
                   sizeof duration_units / sizeof duration_units[0], &value))
        return false;
    *out_ms = (int64_t)value;
    return true;
}

bool value_size(struct slice text, uint64_t *out_bytes)
{
    return with_unit(text, size_units, sizeof size_units / sizeof size_units[0],
                     out_bytes);
}

static bool in_range(struct reader *r, const struct key *key, const struct node *node,
                     uint64_t value, uint64_t type_max)
{
    uint64_t max = key->max == 0 ? type_max : key->max;
    if (value < key->min)
        return reader_fail(r, node, "'%.*s' is too little, at least %llu%s is allowed",
                           (int)node->text.len, node->text.data,
                           (unsigned long long)key->min,
                           key->type == &type_duration ? " ms" : "");
    if (value > max)
        return reader_fail(r, node, "'%.*s' is too much, at most %llu%s is allowed",
                           (int)node->text.len, node->text.data, (unsigned long long)max,
                           key->type == &type_duration ? " ms" : "");
    return true;
}

static bool read_duration(struct reader *r, const struct key *key, struct node *node,
                          void *place)
{
    int64_t value;
    if (!reader_text(r, key, node))
        return false;
    if (!value_duration(node->text, &value))
        return reader_expected(r, key, node);
    if (!in_range(r, key, node, (uint64_t)value, INT64_MAX))
        return false;
    memcpy(place, &value, sizeof value);
    return true;
}

static bool read_u64(struct reader *r, const struct key *key, struct node *node,
                     bool is_size, uint64_t max, uint64_t *out)
{
    uint64_t value;
    if (!reader_text(r, key, node))
        return false;
    if (is_size ? !value_size(node->text, &value)
                : !slice_to_number(node->text, INT64_MAX, &value))
        return reader_expected(r, key, node);
    if (!in_range(r, key, node, value, max))
        return false;
    *out = value;
    return true;
}

static bool read_64(struct reader *r, const struct key *key, struct node *node, void *place)
{
    uint64_t value;
    if (!read_u64(r, key, node, key->type == &type_size64, INT64_MAX, &value))
        return false;
    memcpy(place, &value, sizeof value);
    return true;
}

static bool read_32(struct reader *r, const struct key *key, struct node *node, void *place)
{
    uint64_t value;
    if (!read_u64(r, key, node, key->type == &type_size32, UINT32_MAX, &value))
        return false;
    uint32_t narrow = (uint32_t)value;
    memcpy(place, &narrow, sizeof narrow);
    return true;
}

static bool read_bool(struct reader *r, const struct key *key, struct node *node,
                      void *place)
{
    bool value;
    if (!reader_text(r, key, node))
        return false;
    if (slice_equal(node->text, SLICE("true")) || slice_equal(node->text, SLICE("yes")))
        value = true;
    else if (slice_equal(node->text, SLICE("false")) ||
             slice_equal(node->text, SLICE("no")))
        value = false;
    else
        return reader_expected(r, key, node);
    memcpy(place, &value, sizeof value);
    return true;
}

static const char *choice_at(const void *from, size_t index)
{
    const struct choice *choices = from;
    return choices[index].name;
}

static bool read_choice(struct reader *r, const struct key *key, struct node *node,
                        void *place)
{
    struct buffer all;
    if (!reader_text(r, key, node))
        return false;
    for (const struct choice *c = key->choices; c->name != NULL; c++) {
        if (slice_equal(node->text, slice_from_string(c->name))) {
            memcpy(place, &c->value, sizeof c->value);
            return true;
        }
    }
    struct name_list names = { .at = choice_at, .from = key->choices };
    const char *nearest = nearest_name(node->text, &names);
    buffer_init(&all, 256);
    for (const struct choice *c = key->choices; c->name != NULL; c++)
        buffer_append_format(&all, "%s%s", c == key->choices ? "" : ", ", c->name);
    struct slice said = buffer_slice(&all);
    struct slice shown = slice_part(node->text, 0, 80);
    reader_fail(r, node, "'%.*s' is none of: %.*s%s%s%s", (int)shown.len, shown.data,
                (int)said.len, said.data, nearest == NULL ? "" : "; did you mean '",
                nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?");
    buffer_free(&all);
    return false;
}

/* Of two words, which are false and true. */
static bool read_either(struct reader *r, const struct key *key, struct node *node,
                        void *place)
{
    uint32_t value;
    if (!read_choice(r, key, node, &value))
        return false;
    bool truth = value != 0;
    memcpy(place, &truth, sizeof truth);
    return true;
}

static bool is_clean(struct slice text)
{
    if (!utf8_is_valid(text))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_control(text.data[i]))
            return false;
    return true;
}

static bool read_text(struct reader *r, const struct key *key, struct node *node,
                      void *place)
{
    if (!reader_text(r, key, node))
        return false;
    if (!is_clean(node->text) || node->text.len < key->min ||
        (key->max != 0 && node->text.len > key->max))
        return reader_expected(r, key, node);
    memcpy(place, &node->text, sizeof node->text);
    return true;
}

static bool read_hostname(struct reader *r, const struct key *key, struct node *node,
                          void *place)
{
    struct buffer canonical;
    struct slice kept;
    if (!reader_text(r, key, node))
        return false;
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    if (!smtp_domain_is_valid(node->text) ||
        !smtp_domain_canonical(node->text, &canonical)) {
        buffer_free(&canonical);
        return reader_expected(r, key, node);
    }
    if (!reader_keep(r, &canonical, &kept))
        return false;
    memcpy(place, &kept, sizeof kept);
    return true;
}

static bool read_mailbox(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    struct smtp_address address;
    struct buffer canonical;
    struct slice kept = { .len = 0 };
    if (!reader_text(r, key, node))
        return false;
    if (!slice_is_empty(node->text)) {
        if (smtp_address_parse(node->text, SMTP_UTF8_ALLOWED, &address) != SMTP_PATH_OK)
            return reader_expected(r, key, node);
        buffer_init(&canonical, SMTP_PATH_MAX * 2);
        smtp_address_canonical(&address, &canonical);
        if (!reader_keep(r, &canonical, &kept))
            return false;
    }
    memcpy(place, &kept, sizeof kept);
    return true;
}

static bool read_address(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    struct net_address address;
    if (!reader_text(r, key, node))
        return false;
    if (!net_address_parse(node->text, &address))
        return reader_expected(r, key, node);
    memcpy(place, &address, sizeof address);
    return true;
}

static bool read_section(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    return reader_map(r, node, key->keys, place);
}

static void schema_string(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"string\""));
}

static void schema_duration(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|m|h|d)$\""));
}

static void schema_size(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"integer\",\"string\"],"
                             "\"pattern\":\"^[0-9]+(B|KiB|MiB|GiB|TiB)?$\",\"minimum\":0"));
}

static void schema_count(const struct key *key, struct buffer *out)
{
    buffer_append_format(out, "\"type\":\"integer\",\"minimum\":%llu",
                         (unsigned long long)key->min);
    if (key->max != 0)
        buffer_append_format(out, ",\"maximum\":%llu", (unsigned long long)key->max);
}

static void schema_bool(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"boolean\""));
}

static void schema_choice(const struct key *key, struct buffer *out)
{
    buffer_append(out, SLICE("\"enum\":["));
    for (const struct choice *c = key->choices; c->name != NULL; c++)
        buffer_append_format(out, "%s\"%s\"", c == key->choices ? "" : ",", c->name);
    buffer_append_byte(out, ']');
}

static void schema_section(const struct key *key, struct buffer *out)
{
    schema_of_keys(key->keys, out);
}

static void schema_address(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"string\",\"integer\"]"));
}

const struct key_type type_text = {
    .expected = "a text without control characters", .read = read_text,
    .schema = schema_string, .kind = NODE_TEXT,
};
const struct key_type type_path = {
    .expected = "a path", .read = read_text, .schema = schema_string, .kind = NODE_TEXT,
};
const struct key_type type_bool = {
    .expected = "true or false", .read = read_bool, .schema = schema_bool,
    .kind = NODE_TEXT,
};
const struct key_type type_choice = {
    .expected = "one word of a few", .read = read_choice, .schema = schema_choice,
    .kind = NODE_TEXT,
};
const struct key_type type_either = {
    .expected = "one word of two", .read = read_either, .schema = schema_choice,
    .kind = NODE_TEXT,
};
const struct key_type type_count32 = {
    .expected = "a whole number", .read = read_32, .schema = schema_count,
    .kind = NODE_TEXT,
};
const struct key_type type_count64 = {
    .expected = "a whole number", .read = read_64, .schema = schema_count,
    .kind = NODE_TEXT,
};
const struct key_type type_size32 = {
    .expected = "a size such as 4096, 64KiB, 50MiB or 1GiB", .read = read_32,
    .schema = schema_size, .kind = NODE_TEXT,
};
const struct key_type type_size64 = {
    .expected = "a size such as 4096, 64KiB, 50MiB or 1GiB", .read = read_64,
    .schema = schema_size, .kind = NODE_TEXT,
};
const struct key_type type_duration = {
    .expected = "a duration such as 250ms, 30s, 5m, 4h or 5d", .read = read_duration,
    .schema = schema_duration, .kind = NODE_TEXT,
};
const struct key_type type_hostname = {
    .expected = "a domain name such as mx.example.com", .read = read_hostname,
    .schema = schema_string, .kind = NODE_TEXT,
};
const struct key_type type_mailbox = {
    .expected = "an address such as ops@example.com", .read = read_mailbox,
    .schema = schema_string, .kind = NODE_TEXT,
};
const struct key_type type_address = {
    .expected = "an address and port such as \"*:25\", \"192.0.2.1:25\" or "
                "\"[2001:db8::1]:25\", or the path of a socket",
    .read = read_address, .schema = schema_address, .kind = NODE_TEXT,
};
const struct key_type type_section = {
    .expected = "a map of keys and values", .read = read_section,
    .schema = schema_section, .kind = NODE_MAP,
};
