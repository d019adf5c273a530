/* message_body.c: which parts are read in place and which are files; the text of HTML. */
#include "content/message_private.h"

#include "content/html_private.h"

#include "base/buffer.h"
#include "base/utf8.h"

enum { TEXT_ROOM = CONTENT_BODY_MAX + 16 };

static bool is_type(const struct content_part *p, const char *type)
{
    return slice_equal_nocase(p->type, slice_from_string(type));
}

static const struct content_part *parent_of(const struct content_message *m,
                                            const struct content_part *p)
{
    return p->parent == CONTENT_NO_PARENT ? NULL : &m->tree.parts[p->parent];
}

/* A part of a message that lies in this one is not this one's. */
static bool is_inside_message(const struct content_message *m, const struct content_part *p)
{
    for (p = parent_of(m, p); p != NULL; p = parent_of(m, p))
        if (is_type(p, "message/rfc822") || is_type(p, "message/global"))
            return true;
    return false;
}

/* Text that is not offered as a file is there to be read (RFC 2183 2.1). */
static bool is_read_in_place(const struct content_message *m, const struct content_part *p)
{
    return (is_type(p, "text/plain") || is_type(p, "text/html") || p->type.len == 0) &&
           !slice_equal_nocase(p->disposition, SLICE("attachment")) && p->filename.len == 0 &&
           !is_inside_message(m, p);
}

static bool is_inline(const struct content_message *m, const struct content_part *p)
{
    const struct content_part *parent = parent_of(m, p);
    bool is_related = parent != NULL && is_type(parent, "multipart/related");
    return slice_equal_nocase(p->disposition, SLICE("inline")) ||
           (p->disposition.len == 0 && p->content_id.len > 0 && is_related);
}

static void append_part(struct slice octets, const struct content_part *p, struct buffer *out)
{
    struct buffer decoded;
    buffer_init(&decoded, CONTENT_BODY_MAX * 4);
    content_decode_part(octets, content_part_place(p), &decoded);
    content_to_utf8(slice_part(buffer_slice(&decoded), 0, CONTENT_BODY_MAX), p->charset, out);
    buffer_free(&decoded);
}

/* CRLF and a CR alone become LF. */
static bool keep_lines(struct slice text, struct arena *arena, struct slice *out)
{
    char *memory = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (memory == NULL)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_cr = text.data[i] == '\r';
        if (is_cr && i + 1 < text.len && text.data[i + 1] == '\n')
            continue;
        memory[len++] = is_cr ? '\n' : text.data[i];
    }
    *out = slice_make(memory, len);
    return true;
}

/* ---- HTML as text ---- */

struct prose {
    struct buffer out;
    bool wants_space;
    unsigned wanted_lines;       /* line ends before the next word */
};

static void put_word(struct prose *p, struct slice word)
{
    if (buffer_len(&p->out) > 0 && p->wanted_lines > 0)
        for (unsigned i = 0; i < p->wanted_lines && i < 2; i++)
            buffer_append_byte(&p->out, '\n');
    else if (buffer_len(&p->out) > 0 && p->wants_space)
        buffer_append_byte(&p->out, ' ');
    p->wanted_lines = 0;
    p->wants_space = false;
    buffer_append(&p->out, word);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void put_text(struct prose *p, struct slice text)
{
    while (text.len > 0) {
        size_t len = 0;
        while (len < text.len && is_blank(text.data[len]))
            len++;
        p->wants_space = p->wants_space || len > 0;
        text = slice_from(text, len);
        for (len = 0; len < text.len && !is_blank(text.data[len]);)
            len++;
        if (len > 0)
            put_word(p, slice_part(text, 0, len));
        text = slice_from(text, len);
    }
}

static void want_lines(struct prose *p, unsigned count)
{
    if (p->wanted_lines < count)
        p->wanted_lines = count;
}

static bool is_one_of(struct slice tag, const char *const *names)
{
    for (; *names != NULL; names++)
        if (slice_equal(tag, slice_from_string(*names)))
            return true;
    return false;
}

/* What is not shown; true: what is in it is passed over. */
static bool enter(struct prose *p, const GumboNode *node)
{
    static const char *const hidden[] = { "head", "script", "style", "title", "template",
                                          "noscript", "textarea", "select", NULL };
    static const char *const blocks[] = { "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol",
                                          "table", "blockquote", "pre", "hr", NULL };
    static const char *const lines[] = { "div", "tr", "li", "br", "section", "article", "header",
                                         "footer", "center", "dt", "dd", "form", "body", NULL };
    struct slice tag = html_tag_name(node), alt;
    if (is_one_of(tag, hidden))
        return true;
    if (is_one_of(tag, blocks))
        want_lines(p, 2);
    else if (is_one_of(tag, lines))
        want_lines(p, 1);
    else if (slice_equal(tag, SLICE("td")) || slice_equal(tag, SLICE("th")))
        p->wants_space = true;
    else if (slice_equal(tag, SLICE("img")) && html_attribute(node, "alt", &alt) && alt.len > 0)
        put_text(p, alt);
    return false;
}

static bool is_block(const GumboNode *node)
{
    static const char *const ends[] = { "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol",
        "table", "blockquote", "pre", "div", "tr", "li", "section", "article", "header", "footer",
        "center", NULL };
    return html_is_element(node) && is_one_of(html_tag_name(node), ends);
}

static bool html_to_text(struct slice html, struct arena *arena, struct slice *out)
{
    struct html tree;
    struct prose p = { .wants_space = false };
    html_read(html, arena, &tree);
    buffer_init(&p.out, TEXT_ROOM);
    const GumboNode *top = tree.root == NULL ? NULL : html_gumbo(tree.root);
    const GumboNode *before = NULL;
    for (const GumboNode *node = top; node != NULL;) {
        bool is_skipped = false;
        if (before != NULL && is_block(before) && before->parent != node)
            want_lines(&p, 1);
        if (html_is_element(node))
            is_skipped = enter(&p, node);
        else if (html_is_text(node))
            put_text(&p, slice_from_string(node->v.text.text));
        if (node->parent != NULL && is_block(node->parent) && node->index_within_parent == 0)
            want_lines(&p, 0);
        before = node;
        node = html_next(top, node, is_skipped);
    }
    bool good = keep_lines(buffer_slice(&p.out), arena, out);
    buffer_free(&p.out);
    return good;
}

/* ---- what is read, and what is a file ---- */

static bool add_file(struct content_message *m, size_t part, struct arena *arena)
{
    const struct content_part *p = &m->tree.parts[part];
    if (m->files == NULL)
        m->files = arena_alloc_many(arena, m->tree.count, sizeof *m->files);
    if (m->files == NULL)
        return false;
    bool is_attachment = !is_inline(m, p);
    m->files[m->file_count++] = (struct content_file){
        .part = part, .place = content_part_place(p), .is_attachment = is_attachment,
    };
    m->attachment_count += is_attachment;
    return true;
}

/* A message in this one is a file, as a whole; so is each leaf that is not read. */
static bool sort_parts(struct slice octets, struct arena *arena, struct content_message *m,
                       struct buffer *text, struct buffer *html)
{
    for (size_t i = 0; i < m->tree.count; i++) {
        const struct content_part *p = &m->tree.parts[i];
        if (p->has_parts || is_inside_message(m, p))
            continue;
        if (!is_read_in_place(m, p)) {
            if (!add_file(m, i, arena))
                return false;
            continue;
        }
        struct buffer *out = is_type(p, "text/html") ? html : text;
        if (buffer_len(out) > 0)
            buffer_append_byte(out, '\n');
        append_part(octets, p, out);
    }
    return true;
}

/* One line, without controls, cut between characters. */
static bool make_snippet(struct slice text, struct arena *arena, struct slice *out)
{
    struct slice from = slice_part(text, 0, 4 * CONTENT_SNIPPET_MAX + 2000);
    char *memory = arena_alloc(arena, from.len + 1);
    size_t len = 0, characters = 0;
    bool wants_space = false;
    if (memory == NULL)
        return false;
    for (size_t i = 0; i < from.len && characters < CONTENT_SNIPPET_MAX;) {
        size_t octets = utf8_sequence_len(slice_from(from, i));
        unsigned char c = (unsigned char)from.data[i];
        if (octets == 0 || c <= ' ' || c == 127) {
            wants_space = len > 0;
            i += octets == 0 ? 1 : octets;
            continue;
        }
        if (wants_space) {
            memory[len++] = ' ';
            characters++;
            wants_space = false;
        }
        memcpy(memory + len, from.data + i, octets);
        len += octets;
        characters++;
        i += octets;
    }
    *out = slice_make(memory, len);
    return true;
}

bool message_read_body(struct slice octets, struct arena *arena, struct content_message *m)
{
    struct buffer text, html;
    if (m->tree.verdict != CONTENT_FITS)
        return true;
    buffer_init(&text, TEXT_ROOM);
    buffer_init(&html, TEXT_ROOM);
    bool good = sort_parts(octets, arena, m, &text, &html) &&
                keep_lines(buffer_slice(&text), arena, &m->text) &&
                arena_copy(arena, buffer_slice(&html), &m->html);
    if (good && slice_trim(m->text).len == 0 && m->html.len > 0) {
        m->is_text_made = true;
        good = html_to_text(m->html, arena, &m->text);
    }
    good = good && make_snippet(m->text, arena, &m->snippet);
    buffer_free(&text);
    buffer_free(&html);
    return good;
}
