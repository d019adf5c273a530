/* codes_tokens.c: what has the shape of a code: runs of digits, in groups or not, and of letters
 * with digits. What is plainly something else (an amount, a date, a time, a part of an address)
 * is none. */
#include "content/codes_private.h"

#include <glib.h>

enum { GROUPS_MAX = 12 };

struct group {
    uint32_t start;
    uint32_t end;
};

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_ascii_alpha(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token_character(uint32_t c)
{
    return is_digit(c) || is_ascii_alpha(c);
}

static uint32_t at(const struct line *l, uint32_t i)
{
    return i < l->len ? l->text[i] : ' ';
}

static uint32_t before(const struct line *l, uint32_t i)
{
    return i == 0 ? ' ' : l->text[i - 1];
}

static bool is_dash(uint32_t c)
{
    return c == '-' || c == 0x2010 || c == 0x2011 || c == 0x2012 || c == 0x2013 || c == 0x2212;
}

static uint32_t run_end(const struct line *l, uint32_t start)
{
    uint32_t end = start;
    while (end < l->len && is_token_character(l->text[end]))
        end++;
    return end;
}

static bool all_digits(const struct line *l, uint32_t start, uint32_t end)
{
    for (uint32_t i = start; i < end; i++)
        if (!is_digit(l->text[i]))
            return false;
    return end > start;
}

/* Groups parted by one blank or dash each. */
static size_t read_groups(const struct line *l, uint32_t start, bool digits_only,
                          struct group groups[GROUPS_MAX])
{
    size_t count = 0;
    while (count < GROUPS_MAX) {
        uint32_t end = run_end(l, start);
        if (end == start || (digits_only && !all_digits(l, start, end)))
            break;
        groups[count++] = (struct group){ start, end };
        uint32_t c = at(l, end);
        bool is_parted = is_dash(c) || (digits_only && c == ' ');
        uint32_t next = end + 1;
        if (digits_only && c == ' ' && is_dash(at(l, next)) && at(l, next + 1) == ' ')
            next += 2; /* "123 - 456" */
        if (!is_parted || !is_token_character(at(l, next)))
            break;
        start = next;
    }
    return count;
}

static size_t digits_in(const struct group *groups, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += groups[i].end - groups[i].start;
    return sum;
}

static bool are_alike(const struct group *groups, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (groups[i].end - groups[i].start != groups[0].end - groups[0].start)
            return false;
    return true;
}

static void add(struct codes_work *work, uint32_t line, uint32_t start, uint32_t end,
                bool is_grouped)
{
    const struct line *l = work->lines[line];
    struct token t = { .line = line, .start = start, .end = end, .is_grouped = is_grouped };
    size_t len = 0;
    bool joins = true; /* digits are typed without what parts them, letters with it */
    for (uint32_t i = start; i < end; i++)
        joins = joins && !is_ascii_alpha(l->text[i]);
    for (uint32_t i = start; i < end; i++) {
        uint32_t c = l->text[i];
        bool kept = is_token_character(c) || (!joins && is_dash(c));
        if (!kept)
            continue;
        if (len == TOKEN_MAX)
            return;
        t.code[len++] = is_dash(c) ? '-' : (char)c;
        t.digits += is_digit(c);
        t.letters += is_ascii_alpha(c);
        t.is_strong = l->is_strong[i] != 0;
    }
    if (work->tokens_count < TOKENS_MAX)
        work->tokens[work->tokens_count++] = t;
}

/* What stands at its edges makes a number something else. */
static bool is_part_of_more(const struct line *l, uint32_t start, uint32_t end)
{
    uint32_t b = before(l, start), a = at(l, end);
    uint32_t bb = start < 2 ? ' ' : l->text[start - 2], aa = at(l, end + 1);
    if (b == '@' || b == '/' || b == '=' || b == '_' || b == '&' || b == '+' || b == '?' ||
        b == '\\' || a == '@' || a == '/' || a == '=' || a == '_' || a == '\\')
        return true;
    if (((b == '.' || b == ',') && is_token_character(bb)) || (b == ':' && is_digit(bb)))
        return true;
    if ((a == '.' || a == ',' || a == ':') && is_digit(aa))
        return true;
    if (a == '.' && is_ascii_alpha(aa) && at(l, end + 2) != ' ')
        return true; /* "abc123.example" */
    if (is_dash(b) && is_token_character(bb))
        return true;
    return (g_unichar_isalpha(b) && !is_ascii_alpha(b) &&
            g_unichar_get_script(b) == G_UNICODE_SCRIPT_LATIN) ||
           (g_unichar_isalpha(a) && g_unichar_get_script(a) == G_UNICODE_SCRIPT_LATIN &&
            !is_ascii_alpha(a));
}

/* 31-12-2026, 2026-12-31, 31 12 2026 */
static bool is_date(const struct line *l, const struct group *g, size_t count)
{
    if (count != 3)
        return false;
    size_t a = g[0].end - g[0].start, b = g[1].end - g[1].start, c = g[2].end - g[2].start;
    uint32_t first = l->text[g[0].start], last = l->text[g[2].start];
    return (a == 4 && b == 2 && c == 2 && (first == '1' || first == '2')) ||
           (a <= 2 && b <= 2 && c == 4 && (last == '1' || last == '2'));
}

/* Digits: one run, or groups that together are one. Returns where to go on. */
static uint32_t take_digits(struct codes_work *work, uint32_t line, uint32_t start)
{
    const struct line *l = work->lines[line];
    struct group g[GROUPS_MAX];
    size_t count = read_groups(l, start, true, g);
    uint32_t end = g[count - 1].end;
    size_t all = digits_in(g, count), first = g[0].end - g[0].start;
    bool is_phone = before(l, start) == '+' || before(l, start) == '(' || at(l, g[0].end) == ')';
    if (is_phone || is_date(l, g, count) || is_part_of_more(l, start, end))
        return end;
    if (count == 1) {
        if (all >= 4 && all <= 10)
            add(work, line, start, end, false);
        return end;
    }
    bool singles = first == 1 && are_alike(g, count);
    bool groups = are_alike(g, count) && first >= 2 && first <= 4 && count <= 4;
    bool is_uneven = count == 2 && first >= 2 && first <= 4 && all >= 5 && all <= 8;
    if (all >= 4 && all <= 9 && (singles || groups || is_uneven)) {
        add(work, line, start, end, true);
        return end;
    }
    for (size_t i = 0; i < count && all < 12; i++) { /* each by itself */
        size_t len = g[i].end - g[i].start;
        bool is_free = at(l, g[i].end) == ' ' || i + 1 == count;
        if (len >= 4 && len <= 8 && is_free)
            add(work, line, g[i].start, g[i].end, false);
    }
    return end;
}

struct shape {
    uint32_t digits, upper, lower;
};

static struct shape shape_of(const struct line *l, uint32_t start, uint32_t end)
{
    struct shape s = { 0 };
    for (uint32_t i = start; i < end; i++) {
        s.digits += is_digit(l->text[i]);
        s.upper += l->text[i] >= 'A' && l->text[i] <= 'Z';
        s.lower += l->text[i] >= 'a' && l->text[i] <= 'z';
    }
    return s;
}

/* "G-123456" */
static bool take_prefixed(struct codes_work *work, uint32_t line, const struct group *g,
                          size_t count)
{
    const struct line *l = work->lines[line];
    if (count != 2 || g[0].end - g[0].start != 1 || l->text[g[0].start] < 'A' ||
        l->text[g[0].start] > 'Z' || !all_digits(l, g[1].start, g[1].end) ||
        g[1].end - g[1].start < 4 || g[1].end - g[1].start > 8)
        return false;
    add(work, line, g[1].start, g[1].end, false);
    return true;
}

static uint32_t take_letters(struct codes_work *work, uint32_t line, uint32_t start)
{
    const struct line *l = work->lines[line];
    struct group g[GROUPS_MAX];
    size_t count = read_groups(l, start, false, g);
    uint32_t end = g[count - 1].end;
    if (is_part_of_more(l, start, end) || take_prefixed(work, line, g, count))
        return end;
    struct shape s = shape_of(l, start, end);
    size_t all = s.digits + s.upper + s.lower;
    bool is_mixed = s.digits > 0 && (s.upper == 0 || s.lower == 0 || s.digits > 1);
    bool is_shouted = s.digits == 0 && s.lower == 0;
    bool fits = count > 1 ? are_alike(g, count) && g[0].end - g[0].start >= 2 &&
                                g[0].end - g[0].start <= 5 && all <= 12 && s.lower == 0
                          : all >= 4 && all <= 10;
    if (fits && (is_mixed || is_shouted))
        add(work, line, start, end, count > 1);
    return end;
}

static void find_in(struct codes_work *work, uint32_t line)
{
    const struct line *l = work->lines[line];
    for (uint32_t i = 0; i < l->len;) {
        if (!is_token_character(l->text[i])) {
            i++;
            continue;
        }
        uint32_t end = run_end(l, i);
        uint32_t next = all_digits(l, i, end) ? take_digits(work, line, i)
                                              : take_letters(work, line, i);
        i = next > i ? next : end;
    }
}

void tokens_find(struct codes_work *work)
{
    for (uint32_t i = 0; i < work->lines_count; i++)
        if (!work->lines[i]->is_blank)
            find_in(work, i);
}
