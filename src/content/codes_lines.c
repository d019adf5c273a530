/* codes_lines.c: text and HTML as lines of characters. */
#include "content/codes_private.h"

#include "content/html_private.h"

#include "base/buffer.h"

#include <glib.h>
#include <stdlib.h>

/* In the text that is made of HTML: what follows stands out, or does not any more. */
enum { STRONG_ON = 1, STRONG_OFF = 2, PROSE_MAX = 2 * 1024 * 1024 };

static bool is_space(gunichar c)
{
    return c == ' ' || c == '\t' || c == 0xA0 || c == 0x200B || c == 0xFEFF || c == 0x200C ||
           c == 0x200D || c == 0xAD || c == 0x200E || c == 0x200F || c == 0x2060 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x3000;
}

/* Characters that are not seen: marks of direction, joiners, soft hyphens. */
static bool is_nothing(gunichar c)
{
    return c == 0x200B || c == 0xFEFF || c == 0x200E || c == 0x200F || c == 0xAD ||
           c == 0x2060 || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x34F || c == 0x61C;
}

static struct line *new_line(struct codes_work *work, enum code_source source)
{
    if (work->lines_count == LINES_MAX)
        return NULL;
    struct line *line = arena_alloc(work->arena, sizeof *line);
    if (line == NULL) {
        work->is_full = true;
        return NULL;
    }
    line->source = source;
    line->is_blank = true;
    line->text = work->text;
    line->is_strong = work->is_strong;
    work->lines[work->lines_count++] = line;
    return line;
}

static void put(struct line *line, gunichar c, bool is_strong)
{
    bool space = is_space(c);
    if (line->len == LINE_MAX || (space && line->len > 0 && line->text[line->len - 1] == ' '))
        return;
    if (line->is_blank && c == '>')
        line->is_quoted = true;
    line->is_blank = line->is_blank && (space || c == '>');
    line->is_strong[line->len] = is_strong;
    int digit = g_unichar_digit_value(c);
    line->text[line->len++] = space ? ' ' : digit >= 0 ? (gunichar)('0' + digit) : c;
}

/* The end of a quoted mail is not known: what follows "wrote:" with ">" is. */
static void finish(struct codes_work *work, struct line *line)
{
    while (line->len > 0 && line->text[line->len - 1] == ' ')
        line->len--;
    line->text = arena_alloc_many(work->arena, line->len, sizeof *line->text);
    line->is_strong = arena_alloc_many(work->arena, line->len, sizeof *line->is_strong);
    if (line->text == NULL || line->is_strong == NULL) {
        line->len = 0;
        work->is_full = true;
        return;
    }
    memcpy(line->text, work->text, line->len * sizeof *line->text);
    memcpy(line->is_strong, work->is_strong, line->len * sizeof *line->is_strong);
    if (!words_find(work, line))
        work->is_full = true;
}

/* A comma or stop of full width parts numbers, which NFKC makes one that joins them; a blank
 * behind it keeps them apart. */
static char *normal_form(struct slice text)
{
    if (text.data == NULL)
        text = SLICE("");
    if (memmem(text.data, text.len, "\xef\xbc\x8c", 3) == NULL &&
        memmem(text.data, text.len, "\xef\xbc\x8e", 3) == NULL)
        return g_utf8_normalize(text.data, (gssize)text.len, G_NORMALIZE_NFKC);
    GString *parted = g_string_new(NULL);
    for (size_t i = 0; i < text.len; i++) {
        g_string_append_c(parted, text.data[i]);
        if (i >= 2 && (memcmp(text.data + i - 2, "\xef\xbc\x8c", 3) == 0 ||
                       memcmp(text.data + i - 2, "\xef\xbc\x8e", 3) == 0))
            g_string_append_c(parted, ' ');
    }
    char *normal = g_utf8_normalize(parted->str, (gssize)parted->len, G_NORMALIZE_NFKC);
    g_string_free(parted, TRUE);
    return normal;
}

static void add_line(struct codes_work *work, struct slice text, enum code_source source,
                     bool *is_strong)
{
    char *normal = normal_form(text);
    struct line *line = new_line(work, source);
    for (const char *at = normal; at != NULL && *at != '\0' && line != NULL;
         at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c == STRONG_ON || c == STRONG_OFF)
            *is_strong = c == STRONG_ON;
        else if (!is_nothing(c))
            put(line, c, *is_strong);
        if (line->len == LINE_MAX) {
            finish(work, line);
            line = new_line(work, source);
        }
    }
    if (line != NULL)
        finish(work, line);
    g_free(normal);
}

void lines_add_text(struct codes_work *work, struct slice text, enum code_source source)
{
    struct slice line;
    bool is_strong = false;
    while (slice_split(&text, '\n', &line) && work->lines_count < LINES_MAX && !work->is_full)
        add_line(work, line, source, &is_strong);
}

/* ---- HTML ---- */

struct walk {
    struct buffer out;
    const GumboNode *strong;     /* the element that stands out, while inside of it */
};

static bool has(struct slice style, const char *part)
{
    return slice_contains_nocase(style, slice_from_string(part));
}

/* Without blanks, so that "display: none" is one thing. */
static struct slice squeezed(struct slice style, char room[600])
{
    size_t len = 0;
    for (size_t i = 0; i < style.len && len < 600; i++)
        if ((unsigned char)style.data[i] > ' ')
            room[len++] = style.data[i];
    return slice_make(room, len);
}

static bool is_hidden(const GumboNode *node)
{
    static const char *const none[] = { "display:none", "visibility:hidden", "max-height:0",
                                        "font-size:0", "opacity:0;", "mso-hide:all" };
    struct slice value;
    char room[600];
    if (html_attribute(node, "hidden", &value))
        return true;
    if (!html_attribute(node, "style", &value))
        return false;
    struct slice style = squeezed(value, room);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (has(style, none[i]) && !has(style, "font-size:0."))
            return true;
    return slice_ends_with_nocase(style, SLICE("opacity:0"));
}

/* The size in pixels that a style says, or 0. */
static unsigned font_size(struct slice style)
{
    for (size_t i = 0; i + 10 < style.len; i++) {
        if (!slice_starts_with_nocase(slice_from(style, i), SLICE("font-size:")))
            continue;
        unsigned size = 0;
        size_t at = i + 10;
        while (at < style.len && style.data[at] >= '0' && style.data[at] <= '9' && size < 1000)
            size = size * 10 + (unsigned)(style.data[at++] - '0');
        if (slice_starts_with_nocase(slice_from(style, at), SLICE("em")) ||
            slice_starts_with_nocase(slice_from(style, at), SLICE("rem")))
            size *= 16;
        if (slice_starts_with_nocase(slice_from(style, at), SLICE("pt")))
            size = size * 4 / 3;
        return size;
    }
    return 0;
}

static bool stands_out(const GumboNode *node)
{
    static const char *const tags[] = { "b", "strong", "h1", "h2", "h3", "code", "kbd", "tt",
                                        "big", "pre", "mark", "samp", "em" };
    struct slice tag = html_tag_name(node), value;
    char room[600];
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (slice_equal(tag, slice_from_string(tags[i])))
            return true;
    if (!html_attribute(node, "style", &value))
        return false;
    struct slice style = squeezed(value, room);
    return font_size(style) >= 20 || has(style, "letter-spacing:") || has(style, "monospace") ||
           has(style, "font-weight:bold") || has(style, "font-weight:6") ||
           has(style, "font-weight:7") || has(style, "font-weight:8");
}

static bool is_one_of(struct slice tag, const char *const *names)
{
    for (; *names != NULL; names++)
        if (slice_equal(tag, slice_from_string(*names)))
            return true;
    return false;
}

static bool is_block(const GumboNode *node)
{
    static const char *const blocks[] = { "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol",
        "li", "table", "tr", "div", "section", "article", "header", "footer", "center",
        "blockquote", "pre", "hr", "dt", "dd", "form", "body", NULL };
    return html_is_element(node) && is_one_of(html_tag_name(node), blocks);
}

static void end_line(struct walk *w)
{
    struct slice s = buffer_slice(&w->out);
    if (s.len > 0 && s.data[s.len - 1] != '\n')
        buffer_append_byte(&w->out, '\n');
}

/* Line ends in HTML are blanks. */
static void put_text(struct walk *w, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool blank = c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == STRONG_ON ||
                     c == STRONG_OFF;
        buffer_append_byte(&w->out, blank ? ' ' : c);
    }
}

enum { SMALL_NODES_MAX = 32 }; /* so that boxes in boxes are not counted again and again */

/* A box with much in it is a line of its own; one with a character is a part of a row. */
static bool is_small(const GumboNode *node)
{
    size_t letters = 0, nodes = 0;
    for (const GumboNode *n = html_next(node, node, false); n != NULL;
         n = html_next(node, n, false)) {
        if (++nodes > SMALL_NODES_MAX)
            return false;
        if (html_is_text(n))
            for (const char *c = n->v.text.text; *c != '\0'; c++)
                letters += (unsigned char)*c > ' ' && ((unsigned char)*c & 0xC0) != 0x80;
    }
    return letters <= 2;
}

/* One digit or letter of a code, in a box of its own; empty boxes are no such thing. */
static bool is_digit_box(const GumboNode *node)
{
    return is_small(node) && html_children(node) != NULL && html_children(node)->length > 0;
}

/* What a field shows: codes come in read-only fields, a digit in each. */
static void put_field(struct walk *w, const GumboNode *node)
{
    struct slice value;
    if (node->v.element.tag != GUMBO_TAG_INPUT ||
        (html_attribute(node, "type", &value) && slice_equal_nocase(value, SLICE("hidden"))) ||
        !html_attribute(node, "value", &value))
        return;
    buffer_append_byte(&w->out, ' ');
    put_text(w, value);
    buffer_append_byte(&w->out, ' ');
}

static bool enter(struct walk *w, const GumboNode *node)
{
    static const char *const hidden[] = { "head", "script", "style", "title", "template",
                                          "noscript", "textarea", "select", NULL };
    struct slice tag = html_tag_name(node);
    if (is_one_of(tag, hidden) || is_hidden(node))
        return true;
    bool is_cell = slice_equal(tag, SLICE("td")) || slice_equal(tag, SLICE("th"));
    if (slice_equal(tag, SLICE("br")) || ((is_cell || is_block(node)) && !is_digit_box(node)))
        end_line(w);
    else if (is_cell || is_block(node))
        buffer_append_byte(&w->out, ' ');
    if (w->strong == NULL && stands_out(node)) {
        w->strong = node;
        buffer_append_byte(&w->out, STRONG_ON);
    }
    put_field(w, node);
    return false;
}

static bool is_within(const GumboNode *node, const GumboNode *above)
{
    for (; node != NULL; node = node->parent)
        if (node == above)
            return true;
    return false;
}

/* Elements that end between one node and the next. */
static void leave(struct walk *w, const GumboNode *from, const GumboNode *to)
{
    if (w->strong != NULL && !is_within(to, w->strong)) {
        w->strong = NULL;
        buffer_append_byte(&w->out, STRONG_OFF);
    }
    for (; from != NULL && !is_within(to, from); from = from->parent)
        if (is_block(from) && !is_digit_box(from)) {
            end_line(w);
            return;
        }
}

void lines_add_html(struct codes_work *work, struct slice html)
{
    struct html tree;
    struct walk w = { .strong = NULL };
    html_read(html, work->arena, &tree);
    const GumboNode *top = tree.root == NULL ? NULL : html_gumbo(tree.root);
    buffer_init(&w.out, PROSE_MAX);
    for (const GumboNode *node = top; node != NULL;) {
        bool is_skipped = html_is_element(node) && enter(&w, node);
        if (html_is_text(node))
            put_text(&w, slice_from_string(node->v.text.text));
        const GumboNode *next = html_next(top, node, is_skipped);
        leave(&w, node, next);
        node = next;
    }
    lines_add_text(work, buffer_slice(&w.out), CODE_IN_HTML);
    buffer_free(&w.out);
}
