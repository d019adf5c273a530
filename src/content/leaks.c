/* leaks.c: marks of templates and values of programs, in subject, names, text and HTML. */
#include "content/leaks.h"

#include "content/html_private.h"


#include <string.h>

struct work {
    struct arena *arena;
    struct leaks found;
    bool is_full;
};

struct mark {
    const char *open;
    const char *close;
    bool is_name;         /* what is between is a name, so that prose is none */
};

static const struct mark marks[] = {
    { "{{", "}}", false }, { "{%", "%}", false }, { "<%", "%>", false }, { "${", "}", true },
    { "#{", "}", true },   { "*|", "|*", true },  { "[[", "]]", true },  { "%%", "%%", true },
    { "__", "__", true },  { "%", "%", true },    { "[%", "%]", false },
};

enum { WHAT_MAX = 80 };

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_character(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' || c == '-';
}

/* "100% of 50%" is no name between two marks; "%FIRSTNAME%" is. */
static bool is_name(struct slice s, bool needs_capitals)
{
    s = slice_trim(s);
    if (s.len < 2 || !(is_letter(s.data[0]) || s.data[0] == '_'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool small = s.data[i] >= 'a' && s.data[i] <= 'z';
        if (!is_name_character(s.data[i]) || (needs_capitals && small))
            return false;
    }
    return true;
}

static void add(struct work *w, enum leak_kind kind, struct slice text, size_t start, size_t len,
                const char *where, uint32_t line)
{
    w->found.total++;
    if (w->found.count == LEAKS_MAX)
        return;
    struct leak leak = { .kind = kind, .where = slice_from_string(where), .line = line };
    size_t from = start > 30 ? start - 30 : 0;
    size_t to = start + len + 30 < text.len ? start + len + 30 : text.len;
    while (from < start && ((unsigned char)text.data[from] & 0xC0) == 0x80)
        from++;
    while (to > start + len && to < text.len && ((unsigned char)text.data[to] & 0xC0) == 0x80)
        to--;
    struct slice context = slice_part(slice_part(text, from, to - from), 0, LEAK_CONTEXT_MAX);
    if (!arena_copy(w->arena, slice_part(text, start, len), &leak.what) ||
        !arena_copy(w->arena, context, &leak.context)) {
        w->is_full = true;
        return;
    }
    w->found.items[w->found.count++] = leak;
}

/* The length of a placeholder at the front, or 0. */
static size_t placeholder(struct slice s)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct slice open = slice_from_string(marks[i].open);
        struct slice close = slice_from_string(marks[i].close);
        if (s.len < open.len || memcmp(s.data, open.data, open.len) != 0)
            continue;
        for (size_t at = open.len; at + close.len <= s.len && at < WHAT_MAX && s.data[at] != '\n';
             at++) {
            if (memcmp(s.data + at, close.data, close.len) != 0)
                continue;
            struct slice inside = slice_part(s, open.len, at - open.len);
            bool one = open.len == 1 || open.data[0] == '_';
            if (inside.len > 0 && (!marks[i].is_name || is_name(inside, one)))
                return at + close.len;
            break;
        }
    }
    return 0;
}

static bool is_edge(struct slice s, size_t at)
{
    return at >= s.len || (!is_letter(s.data[at]) && s.data[at] != '-' && s.data[at] != '_' &&
                           (unsigned char)s.data[at] < 128 &&
                           !(s.data[at] >= '0' && s.data[at] <= '9'));
}

/* "null and void" and "None of these" are prose. */
static bool is_prose(struct slice s, size_t end)
{
    static const char *const after[] = { " and void", " of ", " hypothesis", " pointer", " value",
                                         " behavior", " behaviour" };
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        if (slice_starts_with_nocase(slice_from(s, end), slice_from_string(after[i])))
            return true;
    return false;
}

static size_t value(struct slice s, size_t at)
{
    static const char *const values[] = { "[object Object]", "undefined", "null", "NaN", "None",
                                          "(null)", "nil", "Infinity", "Invalid Date" };
    struct slice rest = slice_from(s, at);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct slice v = slice_from_string(values[i]);
        if (rest.len < v.len || memcmp(rest.data, v.data, v.len) != 0)
            continue;
        bool free = !is_letter(v.data[0]) ||
                    ((at == 0 || is_edge(s, at - 1)) && is_edge(s, at + v.len));
        bool is_word = strcmp(values[i], "None") == 0 || strcmp(values[i], "nil") == 0;
        /* a word of English or Latin is one only where a name would stand */
        bool is_named = !is_word || (at > 1 && (s.data[at - 2] == ',' || s.data[at - 2] == ':' ||
                                                slice_ends_with_nocase(slice_part(s, 0, at),
                                                                       SLICE("dear ")) ||
                                                slice_ends_with_nocase(slice_part(s, 0, at),
                                                                       SLICE("hi ")) ||
                                                slice_ends_with_nocase(slice_part(s, 0, at),
                                                                       SLICE("hello "))));
        struct slice head = slice_part(s, 0, at);
        bool has_article = slice_ends_with_nocase(head, SLICE(" an ")) ||
                           slice_ends_with_nocase(head, SLICE(" a ")) ||
                           slice_ends_with_nocase(head, SLICE(" the "));
        if (free && is_named && !has_article && !is_prose(s, at + v.len))
            return v.len;
    }
    return 0;
}

static void look(struct work *w, struct slice s, const char *where, bool has_lines)
{
    uint32_t line = 1;
    for (size_t at = 0; at < s.len && !w->is_full;) {
        size_t len = placeholder(slice_from(s, at));
        enum leak_kind kind = LEAK_PLACEHOLDER;
        if (len > 2 && len < s.len - at && s.data[at + 2] == '{' && s.data[at + len] == '}')
            len++; /* "{{{name}}}" */
        if (len == 0) {
            len = value(s, at);
            kind = LEAK_VALUE;
        }
        if (len > 0)
            add(w, kind, s, at, len, where, has_lines ? line : 0);
        line += s.data[at] == '\n';
        at += len > 0 ? len : 1;
    }
}

/* In HTML: the text that is seen, and what is in addresses. */
static void look_at_html(struct work *w, struct slice html)
{
    struct html tree;
    html_read(html, w->arena, &tree);
    const GumboNode *top = tree.root == NULL ? NULL : html_gumbo(tree.root);
    for (const GumboNode *n = top; n != NULL && !w->is_full;) {
        bool is_skipped = false;
        struct slice v;
        if (html_is_text(n)) {
            look(w, slice_from_string(n->v.text.text), "html", false);
        } else if (html_is_element(n)) {
            struct slice tag = html_tag_name(n);
            is_skipped = slice_equal(tag, SLICE("style")) || slice_equal(tag, SLICE("script"));
            if (html_attribute(n, "href", &v))
                look(w, v, "href", false);
            if (html_attribute(n, "src", &v))
                look(w, v, "src", false);
            if (html_attribute(n, "alt", &v))
                look(w, v, "alt", false);
        }
        n = html_next(top, n, is_skipped);
    }
}

static void look_at_names(struct work *w, const struct content_addresses *all, const char *where)
{
    for (size_t i = 0; i < all->count; i++)
        look(w, all->items[i].name, where, false);
}

bool leaks_find(const struct content_message *message, struct arena *arena,
                struct leaks *out_leaks)
{
    struct work *w = arena_alloc(arena, sizeof *w);
    if (w == NULL)
        return false;
    w->arena = arena;
    look(w, message->subject, "subject", false);
    look_at_names(w, &message->from, "From");
    look_at_names(w, &message->to, "To");
    if (!message->is_text_made)
        look(w, message->text, "text", true);
    if (message->html.len > 0)
        look_at_html(w, message->html);
    *out_leaks = w->found;
    return !w->is_full;
}
