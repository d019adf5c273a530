/* message_unsubscribe.c: List-Unsubscribe (RFC 2369 2 and 3.2). */
#include "content/message_private.h"

#include "base/cursor.h"

enum { UNSUBSCRIBE_LINKS_MAX = 8 };

static void skip_comments(struct cursor *c)
{
    for (cursor_skip_blanks(c); cursor_sees(c, '('); cursor_skip_blanks(c)) {
        struct slice rest = cursor_rest(c);
        size_t end = slice_find(rest, ')');
        c->at += end == SLICE_NOT_FOUND ? rest.len : end + 1;
    }
}

static bool is_mailto(struct slice link)
{
    return slice_starts_with_nocase(link, SLICE("mailto:")) && link.len > 7;
}

static bool is_web(struct slice link)
{
    return (slice_starts_with_nocase(link, SLICE("http://")) && link.len > 7) ||
           (slice_starts_with_nocase(link, SLICE("https://")) && link.len > 8);
}

/* "<" url ">" *( "," "<" url ">" ), comments between; NULL, or what is wrong. */
static const char *read_links(struct slice value, struct content_unsubscribe *out)
{
    struct cursor c = cursor_over(value);
    const char *failure = NULL;
    for (skip_comments(&c); !cursor_at_end(&c); skip_comments(&c)) {
        struct slice rest = cursor_rest(&c);
        size_t end = slice_find(rest, '>');
        if (!cursor_sees(&c, '<') || end == SLICE_NOT_FOUND)
            return "a link is not enclosed in <>";
        struct slice link = slice_part(rest, 1, end - 1);
        c.at += end + 1;
        if (slice_find(link, ' ') != SLICE_NOT_FOUND)
            failure = "a link holds spaces";
        else if (!is_mailto(link) && !is_web(link))
            failure = "a link is neither mailto: nor http(s):";
        else if (out->count == UNSUBSCRIBE_LINKS_MAX)
            return "too many links";
        else
            out->links[out->count++] = link;
        skip_comments(&c);
        if (!cursor_at_end(&c) && !cursor_take_byte(&c, ','))
            return "links are not parted by a comma";
    }
    return failure == NULL && out->count == 0 ? "there is no link" : failure;
}

bool message_read_unsubscribe(struct slice value, struct arena *arena,
                              struct content_unsubscribe *out)
{
    out->header = value;
    if (value.len == 0)
        return true;
    out->links = arena_alloc_many(arena, UNSUBSCRIBE_LINKS_MAX, sizeof *out->links);
    if (out->links == NULL)
        return false;
    const char *failure = read_links(value, out);
    out->failure = failure == NULL ? "" : failure;
    return true;
}
