/* search.c: terms, one after another. Every value is bound, none is written into the SQL.
 *
 * FTS5 finds parts of three characters and more by its index; shorter ones are looked for in
 * the texts themselves. */
#include "sandbox/search.h"

#include <time.h>

struct term {
    bool is_negated;
    struct slice field;          /* empty: everywhere */
    struct slice value;
};

struct field {
    struct slice name;
    const char *columns;         /* of `fts`, for its MATCH */
    const char *plain;           /* the same as SQL, where the value is too short for that */
};

static const struct field fields[] = {
    { SLICE_INIT(""), "{subject text sender receiver cc bcc reply_to message_id}",
      "subject||' '||text||' '||sender||' '||receiver||' '||cc||' '||bcc||' '||reply_to" },
    { SLICE_INIT("to"), "receiver", "receiver" },
    { SLICE_INIT("from"), "sender", "sender" },
    { SLICE_INIT("cc"), "cc", "cc" },
    { SLICE_INIT("bcc"), "bcc", "bcc" },
    { SLICE_INIT("reply-to"), "reply_to", "reply_to" },
    { SLICE_INIT("addressed"), "{sender receiver cc bcc reply_to}",
      "sender||' '||receiver||' '||cc||' '||bcc||' '||reply_to" },
    { SLICE_INIT("subject"), "subject", "subject" },
    { SLICE_INIT("message-id"), "message_id", "message_id" },
};

static bool add_value(struct box_search *s, struct slice text)
{
    if (s->count == SEARCH_TERMS_MAX)
        return false;
    struct box_search_value *v = &s->values[s->count++];
    *v = (struct box_search_value){ .is_number = false };
    buffer_init(&v->text, SEARCH_TEXT_MAX * 2);
    buffer_append(&v->text, text);
    return !v->text.overflow;
}

static bool add_number(struct box_search *s, int64_t number)
{
    if (s->count == SEARCH_TERMS_MAX)
        return false;
    s->values[s->count++] = (struct box_search_value){ .is_number = true, .number = number };
    return true;
}

static void add_condition(struct box_search *s, bool is_negated, const char *condition)
{
    buffer_append_string(&s->sql, is_negated ? " AND NOT (" : " AND (");
    buffer_append_string(&s->sql, condition);
    buffer_append_byte(&s->sql, ')');
}

static size_t characters(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

/* columns : "value", quotes doubled. */
static void append_match(struct buffer *out, const char *columns, struct slice value)
{
    buffer_append_string(out, columns);
    buffer_append_string(out, " : \"");
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '"')
            buffer_append_byte(out, '"');
        if (value.data[i] != '\0')
            buffer_append_byte(out, value.data[i]);
    }
    buffer_append_byte(out, '"');
}

/* '%' and '_' mean themselves. */
static bool add_pattern(struct box_search *s, struct slice value)
{
    if (!add_value(s, slice_make(NULL, 0)))
        return false;
    struct buffer *out = &s->values[s->count - 1].text;
    buffer_append_byte(out, '%');
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '%' || value.data[i] == '_' || value.data[i] == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, value.data[i]);
    }
    buffer_append_byte(out, '%');
    return !out->overflow;
}

static const char *add_short(struct box_search *s, const struct term *t, size_t field)
{
    buffer_append_string(&s->sql, t->is_negated ? " AND m.seq NOT IN (" : " AND m.seq IN (");
    buffer_append_string(&s->sql, "SELECT rowid FROM fts WHERE ");
    buffer_append_string(&s->sql, fields[field].plain);
    buffer_append_string(&s->sql, " LIKE ? ESCAPE '\\')");
    return add_pattern(s, t->value) ? NULL : "the search has too many words";
}

static const char *add_text(struct box_search *s, const struct term *t, size_t field)
{
    if (t->value.len == 0)
        return NULL;
    if (characters(t->value) < 3)
        return add_short(s, t, field);
    if (!t->is_negated) { /* all of them are asked at once */
        if (buffer_len(&s->match) > 0)
            buffer_append_string(&s->match, " AND ");
        append_match(&s->match, fields[field].columns, t->value);
        return NULL;
    }
    buffer_append_string(&s->sql,
                         " AND m.seq NOT IN (SELECT rowid FROM fts WHERE fts MATCH ?)");
    if (!add_value(s, slice_make(NULL, 0)))
        return "the search has too many words";
    append_match(&s->values[s->count - 1].text, fields[field].columns, t->value);
    return NULL;
}

/* ---- what is no text ---- */

struct word {
    struct slice field;
    struct slice value;
    const char *condition;
};

static const struct word words[] = {
    { SLICE_INIT("is"), SLICE_INIT("read"), "m.is_read" },
    { SLICE_INIT("is"), SLICE_INIT("unread"), "NOT m.is_read" },
    { SLICE_INIT("is"), SLICE_INIT("tagged"), "m.seq IN (SELECT seq FROM tag)" },
    { SLICE_INIT("has"), SLICE_INIT("attachment"), "m.attachments > 0" },
    { SLICE_INIT("has"), SLICE_INIT("attachments"), "m.attachments > 0" },
    { SLICE_INIT("has"), SLICE_INIT("inline"), "m.inlines > 0" },
    { SLICE_INIT("has"), SLICE_INIT("inlines"), "m.inlines > 0" },
};

static bool add_word(struct box_search *s, const struct term *t)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_equal_nocase(t->field, words[i].field) &&
            slice_equal_nocase(t->value, words[i].value)) {
            add_condition(s, t->is_negated, words[i].condition);
            return true;
        }
    return false;
}

/* 1*DIGIT [ "." 1*DIGIT ] [ "k" / "m" ] [ "b" ] */
static bool read_size(struct slice text, int64_t *out)
{
    double value = 0, unit = 1, scale = 1;
    size_t i = 0;
    bool has_dot = false;
    for (; i < text.len && i < 16; i++) {
        if (text.data[i] == '.' && !has_dot) {
            has_dot = true;
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9')
            break;
        value = value * 10 + (text.data[i] - '0');
        scale = has_dot ? scale * 10 : scale;
    }
    struct slice rest = slice_from(text, i);
    if (i == 0 || rest.len > 2)
        return false;
    if (rest.len > 0 && (rest.data[0] == 'k' || rest.data[0] == 'K'))
        unit = 1024;
    else if (rest.len > 0 && (rest.data[0] == 'm' || rest.data[0] == 'M'))
        unit = 1024 * 1024;
    else if (rest.len > 0 && rest.data[0] != 'b' && rest.data[0] != 'B')
        return false;
    *out = (int64_t)(value / scale * unit);
    return true;
}

/* 2026-01-31, 2026/01/31, with a time of day behind it or not. */
static bool read_date(struct slice text, int zone_minutes, int64_t *out_ms)
{
    unsigned numbers[6] = { 0, 1, 1, 0, 0, 0 };
    size_t count = 0;
    bool in_number = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9') {
            if (!in_number && count == 6)
                return false;
            if (!in_number)
                numbers[count++] = 0;
            numbers[count - 1] = numbers[count - 1] * 10 + (unsigned)(c - '0');
            if (numbers[count - 1] > 9999)
                return false;
            in_number = true;
        } else if (c == '-' || c == '/' || c == ':' || c == 'T' || c == ' ') {
            in_number = false;
        } else if (c != 'Z' || i + 1 != text.len) {
            return false;
        }
    }
    if (count < 1 || numbers[0] < 1970 || numbers[1] < 1 || numbers[1] > 12 ||
        numbers[2] < 1 || numbers[2] > 31 || numbers[3] > 23 || numbers[4] > 59)
        return false;
    struct tm t = { .tm_year = (int)numbers[0] - 1900, .tm_mon = (int)numbers[1] - 1,
                    .tm_mday = (int)numbers[2], .tm_hour = (int)numbers[3],
                    .tm_min = (int)numbers[4], .tm_sec = (int)numbers[5] };
    *out_ms = ((int64_t)timegm(&t) - zone_minutes * 60) * 1000;
    return true;
}

static const char *add_measure(struct box_search *s, const struct term *t, int zone_minutes)
{
    int64_t number;
    bool is_size = slice_equal_nocase(t->field, SLICE("larger")) ||
                   slice_equal_nocase(t->field, SLICE("smaller"));
    if (is_size && !read_size(t->value, &number))
        return "a size is a number such as 200k or 1.5M";
    if (!is_size && !read_date(t->value, zone_minutes, &number))
        return "a date is written as 2026-01-31";
    const char *condition = slice_equal_nocase(t->field, SLICE("larger"))    ? "m.size > ?"
                            : slice_equal_nocase(t->field, SLICE("smaller")) ? "m.size < ?"
                            : slice_equal_nocase(t->field, SLICE("after"))   ? "m.received >= ?"
                                                                             : "m.received < ?";
    add_condition(s, t->is_negated, condition);
    return add_number(s, number) ? NULL : "the search has too many words";
}

static const char *add_term(struct box_search *s, struct term *t, int zone_minutes)
{
    static const struct slice measures[] = { SLICE_INIT("larger"), SLICE_INIT("smaller"),
                                             SLICE_INIT("after"), SLICE_INIT("before") };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (slice_equal_nocase(t->field, fields[i].name))
            return add_text(s, t, i);
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        if (slice_equal_nocase(t->field, measures[i]))
            return add_measure(s, t, zone_minutes);
    if (slice_equal_nocase(t->field, SLICE("tag"))) {
        add_condition(s, t->is_negated,
                      "m.seq IN (SELECT seq FROM tag WHERE name = ? COLLATE NOCASE)");
        return add_value(s, t->value) ? NULL : "the search has too many words";
    }
    if (slice_equal_nocase(t->field, SLICE("inbox"))) {
        add_condition(s, t->is_negated,
                      "m.inbox IN (SELECT id FROM inbox WHERE uid = ? OR address = lower(?))");
        return add_value(s, t->value) && add_value(s, t->value)
            ? NULL : "the search has too many words";
    }
    return add_word(s, t) ? NULL : "";
}

/* ---- terms ---- */

/* A quoted value, or one up to the next space. */
static struct slice take_value(struct slice *rest)
{
    char quote = rest->len > 0 ? rest->data[0] : '\0';
    struct slice value;
    if (quote == '"') {
        *rest = slice_from(*rest, 1);
        size_t end = slice_find(*rest, quote);
        value = slice_part(*rest, 0, end == SLICE_NOT_FOUND ? rest->len : end);
        *rest = slice_from(*rest, end == SLICE_NOT_FOUND ? rest->len : end + 1);
        return value;
    }
    size_t end = slice_find(*rest, ' ');
    value = slice_part(*rest, 0, end == SLICE_NOT_FOUND ? rest->len : end);
    *rest = slice_from(*rest, value.len);
    return value;
}

/* A name of a field ends at a colon that comes before any space or quote. */
static size_t field_end(struct slice rest)
{
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.data[i];
        if (c == ':')
            return i;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'))
            break;
    }
    return 0;
}

static bool take_term(struct slice *rest, struct term *out, struct slice *out_whole)
{
    while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        *rest = slice_from(*rest, 1);
    if (rest->len == 0)
        return false;
    *out = (struct term){ .is_negated = rest->len > 1 && (rest->data[0] == '-' ||
                                                          rest->data[0] == '!') };
    if (out->is_negated)
        *rest = slice_from(*rest, 1);
    struct slice whole = *rest;
    size_t end = field_end(*rest);
    out->field = slice_part(*rest, 0, end);
    if (end > 0)
        *rest = slice_from(*rest, end + 1);
    out->value = take_value(rest);
    *out_whole = slice_part(whole, 0, whole.len - rest->len);
    return true;
}

const char *box_search_read(struct slice text, int zone_minutes, struct box_search *out)
{
    struct term term;
    struct slice whole;
    *out = (struct box_search){ .count = 0 };
    buffer_init(&out->sql, 64 * 1024);
    buffer_init(&out->match, 64 * 1024);
    if (text.len > SEARCH_TEXT_MAX)
        return "the search is too long";
    while (take_term(&text, &term, &whole)) {
        const char *why = add_term(out, &term, zone_minutes);
        if (why != NULL && why[0] == '\0') { /* no field of that name: words with a colon */
            struct term plain = { .is_negated = term.is_negated, .value = whole };
            why = add_text(out, &plain, 0);
        }
        if (why != NULL)
            return why;
    }
    return out->sql.overflow || out->match.overflow ? "the search is too long" : NULL;
}

void box_search_free(struct box_search *search)
{
    for (size_t i = 0; i < search->count; i++)
        if (!search->values[i].is_number)
            buffer_free(&search->values[i].text);
    buffer_free(&search->sql);
    buffer_free(&search->match);
}
