/* policy.c: reading and matching. What is repeated counts the first time, what is unknown is
 * skipped, what breaks the grammar makes all of it void (RFC 8461 3.2). */
#include "transport/mtasts/policy.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/must.h"
#include "base/utf8.h"
#include "wire/dns/name.h"

#include <stdatomic.h>
#include <stdlib.h>

struct mtasts_policy {
    atomic_uint references;
    enum mtasts_mode mode;
    uint32_t age_s;
    size_t patterns_count;
    char *bytes;              /* of all patterns, in lower case */
    struct slice patterns[];
};

static bool is_name_octet(char c)
{
    return ascii_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/* name = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".") */
static bool is_name(struct slice s)
{
    if (s.len == 0 || s.len > 32 || !ascii_is_alnum(s.data[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!is_name_octet(s.data[i]))
            return false;
    return true;
}

/* ---- the record ---- */

/* sts-id = %s"id=" 1*32(ALPHA / DIGIT) */
static bool is_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.data[i]))
            return false;
    return s.len > 0 && s.len <= MTASTS_ID_MAX;
}

/* sts-ext-value = 1*(%x21-3A / %x3C / %x3E-7E) */
static bool is_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~' || s.data[i] == '=')
            return false;
    return s.len > 0;
}

#define VERSION SLICE("v=STSv1")

/* "v=STSv1;", with blanks before the semicolon or without. */
static bool is_record(struct slice text)
{
    if (!slice_equal(slice_part(text, 0, VERSION.len), VERSION))
        return false;
    struct cursor c = cursor_over(slice_from(text, VERSION.len));
    cursor_skip_blanks(&c);
    return cursor_sees(&c, ';');
}

/* sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
 * sts-field-delim = *WSP ";" *WSP
 * sts-field       = sts-id / sts-extension
 * sts-extension   = sts-ext-name "=" sts-ext-value */
static bool read_record(struct slice text, struct mtasts_id *out)
{
    struct slice rest = slice_from(text, slice_find(text, ';') + 1);
    struct slice field;
    struct mtasts_id id = { "" };
    while (slice_split(&rest, ';', &field)) {
        field = slice_trim(field);
        size_t equals = slice_find(field, '=');
        if (field.len == 0 && slice_trim(rest).len == 0)
            break; /* the delimiter at the end */
        if (equals == SLICE_NOT_FOUND)
            return false;
        struct slice name = slice_part(field, 0, equals);
        struct slice value = slice_from(field, equals + 1);
        bool names_id = slice_equal(name, SLICE("id"));
        if (!is_name(name) || (names_id ? !is_id(value) : !is_value(value)))
            return false;
        if (names_id && id.text[0] == '\0')
            memcpy(id.text, value.data, value.len);
    }
    if (id.text[0] == '\0')
        return false;
    *out = id;
    return true;
}

bool mtasts_record_read(const struct slice *texts, size_t count, struct mtasts_id *out)
{
    const struct slice *only = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!is_record(texts[i]))
            continue;
        if (only != NULL)
            return false;
        only = &texts[i];
    }
    return only != NULL && read_record(*only, out);
}

/* ---- the policy ---- */

struct reading {
    struct mtasts_policy *policy;
    bool has_version;
    bool has_mode;
    bool has_age;
    char *at; /* where the next pattern's bytes go */
};

/* sts-policy-mx-value = ["*."] Domain */
static bool take_pattern(struct reading *r, struct slice value)
{
    struct dns_name name;
    struct slice host = value;
    if (value.len > 2 && value.data[0] == '*' && value.data[1] == '.')
        host = slice_from(value, 2);
    if (!dns_name_parse(host, &name) || name.len == 0 || name.len != host.len)
        return false;
    struct mtasts_policy *p = r->policy;
    p->patterns[p->patterns_count++] = slice_make(r->at, value.len);
    for (size_t i = 0; i < value.len; i++)
        *r->at++ = ascii_lower(value.data[i]);
    return true;
}

static bool take_version(struct reading *r, struct slice value)
{
    bool is_first = !r->has_version;
    r->has_version = true;
    return !is_first || slice_equal(value, SLICE("STSv1"));
}

static bool take_mode(struct reading *r, struct slice value)
{
    static const enum mtasts_mode modes[] = { MTASTS_NONE, MTASTS_TESTING, MTASTS_ENFORCE };
    if (r->has_mode)
        return true;
    r->has_mode = true;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (slice_equal(value, slice_from_string(mtasts_mode_text(modes[i])))) {
            r->policy->mode = modes[i];
            return true;
        }
    return false;
}

/* sts-policy-max-age-value = 1*10(DIGIT) */
static bool take_age(struct reading *r, struct slice value)
{
    uint64_t age_s;
    if (r->has_age)
        return true;
    r->has_age = true;
    if (value.len > 10 || !slice_to_number(value, UINT64_C(9999999999), &age_s))
        return false;
    r->policy->age_s = age_s > MTASTS_AGE_MAX_S ? MTASTS_AGE_MAX_S : (uint32_t)age_s;
    return true;
}

static const struct field {
    struct slice name;
    bool (*take)(struct reading *r, struct slice value);
} fields[] = {
    { SLICE_INIT("version"), take_version },
    { SLICE_INIT("mode"), take_mode },
    { SLICE_INIT("max_age"), take_age },
    { SLICE_INIT("mx"), take_pattern },
};

/* sts-policy-field       = name sts-policy-field-delim value
 * sts-policy-field-delim = ":" *WSP */
static bool take_line(struct reading *r, struct slice line)
{
    size_t colon = slice_find(line, ':');
    if (colon == SLICE_NOT_FOUND)
        return false;
    struct slice name = slice_part(line, 0, colon);
    struct slice value = slice_trim(slice_from(line, colon + 1));
    if (!is_name(name) || value.len == 0)
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (slice_equal(name, fields[i].name))
            return fields[i].take(r, value);
    return true;
}

/* What may stand in a policy at all: UTF-8 and, of controls, line ends and tabs. */
static bool is_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool ends_line = c == '\n' || (c == '\r' && i + 1 < text.len && text.data[i + 1] == '\n');
        if (ascii_is_control(c) && c != '\t' && !ends_line)
            return false;
    }
    return utf8_is_valid(text);
}

/* sts-policy-record = sts-policy-field *WSP
 *                     *(sts-policy-term sts-policy-field *WSP) [sts-policy-term]
 * sts-policy-term   = LF / CRLF */
static const char *read_lines(struct reading *r, struct slice text)
{
    struct slice line;
    while (slice_split(&text, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        if (slice_trim(line).len > 0 && !take_line(r, line))
            return "the policy has a line that cannot be read";
    }
    if (!r->has_version)
        return "the policy names no version";
    if (!r->has_mode || !r->has_age)
        return "the policy lacks its mode or its age";
    if (r->policy->mode != MTASTS_NONE && r->policy->patterns_count == 0)
        return "the policy names no host";
    return NULL;
}

static struct mtasts_policy *allocate(struct slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    struct mtasts_policy *p = calloc(1, sizeof *p + lines * sizeof p->patterns[0]);
    if (p == NULL)
        return NULL;
    atomic_init(&p->references, 1);
    p->bytes = malloc(text.len + 1);
    if (p->bytes == NULL)
        mtasts_policy_drop(&p);
    return p;
}

const char *mtasts_policy_read(struct slice text, struct mtasts_policy **out)
{
    if (text.len > MTASTS_POLICY_MAX)
        return "the policy is too large";
    if (!is_text(text))
        return "the policy is no text";
    struct reading r = { .policy = allocate(text) };
    if (r.policy == NULL)
        return "there is no memory for the policy";
    r.at = r.policy->bytes;
    const char *why = read_lines(&r, text);
    if (why == NULL)
        *out = r.policy;
    else
        mtasts_policy_drop(&r.policy);
    return why;
}

struct mtasts_policy *mtasts_policy_hold(struct mtasts_policy *policy)
{
    atomic_fetch_add(&policy->references, 1);
    return policy;
}

void mtasts_policy_drop(struct mtasts_policy **place)
{
    struct mtasts_policy *p = *place;
    *place = NULL;
    if (p == NULL || atomic_fetch_sub(&p->references, 1) > 1)
        return;
    free(p->bytes);
    free(p);
}

const char *mtasts_mode_text(enum mtasts_mode mode)
{
    switch (mode) {
    case MTASTS_NONE:
        break;
    case MTASTS_TESTING:
        return "testing";
    case MTASTS_ENFORCE:
        return "enforce";
    }
    return "none";
}

void mtasts_policy_write(const struct mtasts_policy *p, struct buffer *out)
{
    buffer_append_format(out, "version: STSv1\nmode: %s\nmax_age: %u\n",
                         mtasts_mode_text(p->mode), p->age_s);
    for (size_t i = 0; i < p->patterns_count; i++) {
        buffer_append_string(out, "mx: ");
        buffer_append(out, p->patterns[i]);
        buffer_append_byte(out, '\n');
    }
}

enum mtasts_mode mtasts_policy_mode(const struct mtasts_policy *policy)
{
    return policy->mode;
}

uint32_t mtasts_policy_age_s(const struct mtasts_policy *policy)
{
    return policy->age_s;
}

struct slice mtasts_policy_pattern(const struct mtasts_policy *policy, size_t n)
{
    return n < policy->patterns_count ? policy->patterns[n] : slice_make(NULL, 0);
}

/* RFC 8461 4.1: "*" stands for exactly one leftmost label. */
static bool matches(struct slice pattern, struct slice host)
{
    if (pattern.data[0] != '*')
        return slice_equal_nocase(pattern, host);
    size_t dot = slice_find(host, '.');
    return dot != SLICE_NOT_FOUND && dot > 0 &&
           slice_equal_nocase(slice_from(pattern, 1), slice_from(host, dot));
}

bool mtasts_policy_has(const struct mtasts_policy *policy, struct slice host)
{
    for (size_t i = 0; i < policy->patterns_count; i++)
        if (matches(policy->patterns[i], host))
            return true;
    return false;
}
