/* select.c: a selector into compounds, and compounds against elements, from right to left.
 *
 *   selectors = complex *( "," complex )
 *   complex   = compound *( combinator compound )
 *   compound  = [ type / "*" ] *( "#" id / "." class / attribute / pseudo )
 *
 * Backtracking costs at most a walk up for each compound; the work has an end.
 */
#include "content/select.h"

#include "content/html_private.h"

#include "base/cursor.h"
#include "base/buffer.h"

#include <string.h>

enum { WORK_MAX = 20 * 1000 * 1000, NAME_MAX_ = 256 };

enum simple_kind { SIMPLE_TYPE, SIMPLE_ID, SIMPLE_CLASS, SIMPLE_ATTRIBUTE, SIMPLE_NTH,
                   SIMPLE_NTH_LAST, SIMPLE_NTH_OF_TYPE, SIMPLE_NTH_LAST_OF_TYPE, SIMPLE_ONLY,
                   SIMPLE_EMPTY, SIMPLE_ROOT };

struct simple {
    enum simple_kind kind;
    bool is_not;
    bool any_case;
    char op;                /* of an attribute: '=', '~', '|', '^', '$', '*'; 0: it is there */
    struct slice name;
    struct slice value;
    int a, b;               /* an + b */
};

struct compound {
    char combinator;        /* to the one before: ' ', '>', '+', '~'; 0: the first */
    size_t first;
    size_t count;
};

struct selector {
    struct simple simples[SELECT_PARTS_MAX];
    size_t simples_count;
    struct compound compounds[SELECT_PARTS_MAX];
    size_t compounds_count;
    size_t ends[SELECT_PARTS_MAX]; /* of the complex ones, behind their last compound */
    size_t ends_count;
    struct arena *arena;
    size_t work;
};

static const char *const bad = "that is no selector";

/* ---- read ---- */

static bool is_name_character(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c > 127;
}

static void skip_blanks(struct cursor *c)
{
    while (cursor_peek(c) == ' ' || cursor_peek(c) == '\t' || cursor_peek(c) == '\n' ||
           cursor_peek(c) == '\r' || cursor_peek(c) == '\f')
        cursor_take(c);
}

/* ident, with backslashes before what is no letter of one */
static bool read_name(struct selector *s, struct cursor *c, struct slice *out)
{
    char bytes[NAME_MAX_];
    size_t len = 0;
    while (is_name_character(cursor_peek(c)) || cursor_peek(c) == '\\') {
        if (cursor_take_byte(c, '\\') && cursor_at_end(c))
            return false;
        if (len == sizeof bytes)
            return false;
        bytes[len++] = (char)cursor_take(c);
    }
    return len > 0 && arena_copy(s->arena, slice_make(bytes, len), out);
}

static bool read_value(struct selector *s, struct cursor *c, struct slice *out)
{
    int quote = cursor_peek(c);
    if (quote != '"' && quote != '\'')
        return read_name(s, c, out);
    cursor_take(c);
    struct cursor start = *c;
    while (!cursor_at_end(c) && cursor_peek(c) != quote)
        cursor_take(c);
    *out = cursor_since(c, &start);
    return cursor_take(c) == quote;
}

static struct simple *add_simple(struct selector *s)
{
    if (s->simples_count == SELECT_PARTS_MAX)
        return NULL;
    struct simple *made = &s->simples[s->simples_count++];
    *made = (struct simple){ .kind = SIMPLE_TYPE };
    return made;
}

/* "[" name [ op value [ "i" ] ] "]" */
static bool read_attribute(struct selector *s, struct cursor *c, struct simple *out)
{
    out->kind = SIMPLE_ATTRIBUTE;
    skip_blanks(c);
    if (!read_name(s, c, &out->name))
        return false;
    skip_blanks(c);
    int op = cursor_peek(c);
    if (op != ']') {
        if (op != '=' && (op == -1 || strchr("~|^$*", op) == NULL))
            return false;
        out->op = (char)cursor_take(c);
        if (op != '=' && !cursor_take_byte(c, '='))
            return false;
        skip_blanks(c);
        if (!read_value(s, c, &out->value))
            return false;
        skip_blanks(c);
        out->any_case = cursor_take_byte(c, 'i') || cursor_take_byte(c, 'I');
        skip_blanks(c);
    }
    return cursor_take_byte(c, ']');
}

static bool read_int(struct cursor *c, int *out)
{
    uint64_t value;
    if (!cursor_take_number(c, 100000, &value))
        return false;
    *out = (int)value;
    return true;
}

/* "odd" / "even" / [sign] [integer] "n" [ sign integer ] / [sign] integer */
static bool read_nth(struct cursor *c, struct simple *out)
{
    skip_blanks(c);
    if (cursor_take_literal(c, SLICE("odd"))) {
        out->a = 2;
        out->b = 1;
    } else if (cursor_take_literal(c, SLICE("even"))) {
        out->a = 2;
    } else {
        int sign = cursor_take_byte(c, '-') ? -1 : 1, number = 1;
        cursor_take_byte(c, '+');
        bool has_number = read_int(c, &number);
        if (!cursor_take_byte(c, 'n') && !cursor_take_byte(c, 'N')) {
            out->b = sign * number;
            if (!has_number)
                return false;
        } else {
            out->a = sign * number;
            skip_blanks(c);
            int plus = cursor_take_byte(c, '+') ? 1 : cursor_take_byte(c, '-') ? -1 : 0;
            skip_blanks(c);
            if (plus != 0 && !read_int(c, &number))
                return false;
            out->b = plus == 0 ? 0 : plus * number;
        }
    }
    skip_blanks(c);
    return cursor_take_byte(c, ')');
}

struct pseudo {
    const char *name;
    enum simple_kind kind;
    bool has_argument;
    int b;
};

static const struct pseudo pseudos[] = {
    { "nth-child", SIMPLE_NTH, true, 0 },
    { "nth-last-child", SIMPLE_NTH_LAST, true, 0 },
    { "nth-of-type", SIMPLE_NTH_OF_TYPE, true, 0 },
    { "nth-last-of-type", SIMPLE_NTH_LAST_OF_TYPE, true, 0 },
    { "first-child", SIMPLE_NTH, false, 1 },
    { "last-child", SIMPLE_NTH_LAST, false, 1 },
    { "first-of-type", SIMPLE_NTH_OF_TYPE, false, 1 },
    { "last-of-type", SIMPLE_NTH_LAST_OF_TYPE, false, 1 },
    { "only-child", SIMPLE_ONLY, false, 0 },
    { "empty", SIMPLE_EMPTY, false, 0 },
    { "root", SIMPLE_ROOT, false, 0 },
};

static bool read_pseudo(struct selector *s, struct cursor *c, struct simple *out)
{
    struct slice name;
    if (!read_name(s, c, &name))
        return false;
    for (size_t i = 0; i < sizeof pseudos / sizeof *pseudos; i++) {
        if (!slice_equal_nocase(name, slice_from_string(pseudos[i].name)))
            continue;
        out->kind = pseudos[i].kind;
        out->b = pseudos[i].b;
        return !pseudos[i].has_argument || (cursor_take_byte(c, '(') && read_nth(c, out));
    }
    return false;
}

static bool read_simple(struct selector *s, struct cursor *c, bool is_not);

/* ":not(" compound ")" */
static bool read_not(struct selector *s, struct cursor *c)
{
    skip_blanks(c);
    size_t before = s->simples_count;
    while (!cursor_sees(c, ')'))
        if (!read_simple(s, c, true))
            return false;
    return cursor_take_byte(c, ')') && s->simples_count == before + 1;
}

static bool read_simple(struct selector *s, struct cursor *c, bool is_not)
{
    if (!is_not && cursor_take_literal(c, SLICE(":not(")))
        return read_not(s, c);
    struct simple *made = add_simple(s);
    if (made == NULL)
        return false;
    made->is_not = is_not;
    if (cursor_take_byte(c, '*')) {
        made->name = SLICE("*");
        return true;
    }
    if (cursor_take_byte(c, '#')) {
        made->kind = SIMPLE_ID;
        return read_name(s, c, &made->name);
    }
    if (cursor_take_byte(c, '.')) {
        made->kind = SIMPLE_CLASS;
        return read_name(s, c, &made->name);
    }
    if (cursor_take_byte(c, '['))
        return read_attribute(s, c, made);
    if (cursor_take_byte(c, ':'))
        return read_pseudo(s, c, made);
    return read_name(s, c, &made->name);
}

static bool begins_simple(const struct cursor *c)
{
    int next = cursor_peek(c);
    return is_name_character(next) || next == '*' || next == '#' || next == '.' || next == '[' ||
           next == ':' || next == '\\';
}

static bool read_compound(struct selector *s, struct cursor *c, char combinator)
{
    if (s->compounds_count == SELECT_PARTS_MAX || !begins_simple(c))
        return false;
    struct compound *made = &s->compounds[s->compounds_count++];
    *made = (struct compound){ .combinator = combinator, .first = s->simples_count };
    while (begins_simple(c))
        if (!read_simple(s, c, false))
            return false;
    made->count = s->simples_count - made->first;
    return true;
}

static bool read_complex(struct selector *s, struct cursor *c)
{
    skip_blanks(c);
    if (!read_compound(s, c, 0))
        return false;
    for (;;) {
        bool blank = cursor_peek(c) == ' ' || cursor_peek(c) == '\t' || cursor_peek(c) == '\n';
        skip_blanks(c);
        int next = cursor_peek(c);
        if (next == -1 || next == ',')
            break;
        char combinator = next == '>' || next == '+' || next == '~' ? (char)cursor_take(c) : ' ';
        if (combinator == ' ' && !blank)
            return false;
        skip_blanks(c);
        if (!read_compound(s, c, combinator))
            return false;
    }
    s->ends[s->ends_count++] = s->compounds_count;
    return true;
}

static const char *read_selector(struct selector *s, struct slice text)
{
    struct cursor c = cursor_over(text);
    if (text.len > SELECT_TEXT_MAX)
        return "the selector is too long";
    do {
        if (s->ends_count == SELECT_PARTS_MAX || !read_complex(s, &c))
            return bad;
    } while (cursor_take_byte(&c, ','));
    return cursor_at_end(&c) ? NULL : bad;
}

/* ---- matched ---- */

static const GumboNode *parent_of(const GumboNode *node)
{
    return node->parent != NULL && html_is_element(node->parent) ? node->parent : NULL;
}

static const GumboNode *sibling_before(const GumboNode *node)
{
    const GumboVector *all = node->parent == NULL ? NULL : html_children(node->parent);
    for (size_t i = node->index_within_parent; all != NULL && i > 0; i--) {
        const GumboNode *other = all->data[i - 1];
        if (html_is_element(other))
            return other;
    }
    return NULL;
}

static bool has_word(struct slice list, struct slice word)
{
    while (list.len > 0) {
        size_t len = 0;
        while (len < list.len && (unsigned char)list.data[len] > ' ')
            len++;
        if (len > 0 && slice_equal(slice_part(list, 0, len), word))
            return true;
        list = slice_from(list, len + 1);
    }
    return false;
}

static bool contains(struct slice s, struct slice part, bool any_case)
{
    if (any_case)
        return slice_contains_nocase(s, part);
    return s.len >= part.len && memmem(s.data, s.len, part.data, part.len) != NULL;
}

static bool equal(struct slice a, struct slice b, bool any_case)
{
    return any_case ? slice_equal_nocase(a, b) : slice_equal(a, b);
}

static bool attribute_fits(const struct simple *p, const GumboNode *node)
{
    struct slice v;
    char name[NAME_MAX_ + 1];
    memcpy(name, p->name.data, p->name.len);
    name[p->name.len] = '\0';
    if (!html_attribute(node, name, &v))
        return false;
    switch (p->op) {
    case 0:
        return true;
    case '=':
        return equal(v, p->value, p->any_case);
    case '~':
        return p->value.len > 0 && has_word(v, p->value);
    case '|':
        return equal(v, p->value, p->any_case) ||
               (v.len > p->value.len && v.data[p->value.len] == '-' &&
                equal(slice_part(v, 0, p->value.len), p->value, p->any_case));
    case '^':
        return p->value.len > 0 &&
               equal(slice_part(v, 0, p->value.len), p->value, p->any_case);
    case '$':
        return p->value.len > 0 && v.len >= p->value.len &&
               equal(slice_from(v, v.len - p->value.len), p->value, p->any_case);
    case '*':
        return p->value.len > 0 && contains(v, p->value, p->any_case);
    }
    return false;
}

/* Its place among its siblings, from 1. */
static int place_of(struct selector *s, const GumboNode *node, bool from_end, bool of_type)
{
    const GumboVector *all = node->parent == NULL ? NULL : html_children(node->parent);
    struct slice tag = html_tag_name(node);
    int place = 1;
    for (size_t i = 0; all != NULL && i < all->length; i++) {
        const GumboNode *other = all->data[i];
        bool counts = from_end ? i > node->index_within_parent : i < node->index_within_parent;
        s->work++;
        if (counts && html_is_element(other) &&
            (!of_type || slice_equal(html_tag_name(other), tag)))
            place++;
    }
    return place;
}

/* Whether place = a * n + b for an n of 0 and more. */
static bool nth_fits(const struct simple *p, int place)
{
    int rest = place - p->b;
    return p->a == 0 ? rest == 0 : rest % p->a == 0 && rest / p->a >= 0;
}

static bool is_empty(const GumboNode *node)
{
    const GumboVector *all = html_children(node);
    for (size_t i = 0; all != NULL && i < all->length; i++) {
        const GumboNode *child = all->data[i];
        if (html_is_element(child) || html_is_text(child))
            return false;
    }
    return true;
}

static bool simple_fits(struct selector *s, const struct simple *p, const GumboNode *node)
{
    struct slice v;
    switch (p->kind) {
    case SIMPLE_TYPE:
        return slice_equal(p->name, SLICE("*")) || slice_equal_nocase(html_tag_name(node), p->name);
    case SIMPLE_ID:
        return html_attribute(node, "id", &v) && slice_equal(v, p->name);
    case SIMPLE_CLASS:
        return html_attribute(node, "class", &v) && has_word(v, p->name);
    case SIMPLE_ATTRIBUTE:
        return attribute_fits(p, node);
    case SIMPLE_NTH:
        return nth_fits(p, place_of(s, node, false, false));
    case SIMPLE_NTH_LAST:
        return nth_fits(p, place_of(s, node, true, false));
    case SIMPLE_NTH_OF_TYPE:
        return nth_fits(p, place_of(s, node, false, true));
    case SIMPLE_NTH_LAST_OF_TYPE:
        return nth_fits(p, place_of(s, node, true, true));
    case SIMPLE_ONLY:
        return place_of(s, node, false, false) == 1 && place_of(s, node, true, false) == 1;
    case SIMPLE_EMPTY:
        return is_empty(node);
    case SIMPLE_ROOT:
        return parent_of(node) == NULL;
    }
    return false;
}

static bool compound_fits(struct selector *s, const struct compound *c, const GumboNode *node)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct simple *p = &s->simples[c->first + i];
        s->work++;
        if (simple_fits(s, p, node) == p->is_not)
            return false;
    }
    return true;
}

/* The compounds from `first` to `at`, the last of which is for this node. What was tried and
 * did not fit is tried again further up: "a b c" is no chain of nearest ones. */
static bool complex_fits(struct selector *s, size_t first, size_t at, const GumboNode *node)
{
    if (s->work > WORK_MAX || !compound_fits(s, &s->compounds[at], node))
        return false;
    if (at == first)
        return true;
    switch (s->compounds[at].combinator) {
    case '>':
        node = parent_of(node);
        return node != NULL && complex_fits(s, first, at - 1, node);
    case '+':
        node = sibling_before(node);
        return node != NULL && complex_fits(s, first, at - 1, node);
    case '~':
        while ((node = sibling_before(node)) != NULL)
            if (complex_fits(s, first, at - 1, node))
                return true;
        return false;
    default:
        while ((node = parent_of(node)) != NULL)
            if (complex_fits(s, first, at - 1, node))
                return true;
        return false;
    }
}

static bool fits(struct selector *s, const GumboNode *node)
{
    size_t first = 0;
    for (size_t i = 0; i < s->ends_count; i++) {
        if (complex_fits(s, first, s->ends[i] - 1, node))
            return true;
        first = s->ends[i];
    }
    return false;
}

/* ---- what was found ---- */

static bool text_of(const GumboNode *top, struct arena *arena, struct slice *out)
{
    struct buffer b;
    buffer_init(&b, HTML_BYTES_MAX * 2);
    for (const GumboNode *n = html_next(top, top, false); n != NULL; n = html_next(top, n, false)) {
        struct slice text = html_is_text(n) ? slice_from_string(n->v.text.text)
                                            : slice_make(NULL, 0);
        for (size_t i = 0; i < text.len; i++) {
            bool blank = (unsigned char)text.data[i] <= ' ';
            struct slice so_far = buffer_slice(&b);
            if (!blank)
                buffer_append_byte(&b, text.data[i]);
            else if (so_far.len > 0 && so_far.data[so_far.len - 1] != ' ')
                buffer_append_byte(&b, ' ');
        }
    }
    bool good = arena_copy(arena, slice_trim(buffer_slice(&b)), out);
    buffer_free(&b);
    return good;
}

static struct slice outer_of(const struct html *html, const GumboNode *node)
{
    const GumboElement *e = &node->v.element;
    size_t start = e->start_pos.offset;
    size_t end = e->original_end_tag.length > 0 ? e->end_pos.offset + e->original_end_tag.length
                                       : start + e->original_tag.length;
    if (e->original_tag.length == 0 || end < start || end > html->source.len)
        return slice_make(NULL, 0);
    return slice_part(html->source, start, end - start);
}

const char *select_find(const struct html *html, struct slice selector, size_t most,
                        struct arena *arena, struct select_matches *out_matches)
{
    struct selector *s = arena_alloc(arena, sizeof *s);
    struct select_matches found = { .count = 0 };
    if (most > SELECT_MATCHES_MAX)
        most = SELECT_MATCHES_MAX;
    found.items = arena_alloc_many(arena, most + 1, sizeof *found.items);
    if (s == NULL || found.items == NULL)
        return "out of memory";
    s->arena = arena;
    const char *why = read_selector(s, selector);
    const GumboNode *top = why != NULL || html->root == NULL ? NULL : html_gumbo(html->root);
    for (const GumboNode *n = top; n != NULL; n = html_next(top, n, false)) {
        if (!html_is_element(n) || !fits(s, n))
            continue;
        found.total++;
        if (found.count == most)
            continue;
        struct select_match *m = &found.items[found.count++];
        *m = (struct select_match){ .node = html_node_of(n), .outer = outer_of(html, n) };
        if (!text_of(n, arena, &m->text))
            return "out of memory";
    }
    if (s->work > WORK_MAX)
        return "the selector takes too long";
    *out_matches = found;
    return why;
}
