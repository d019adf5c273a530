/* xml_guard.c: the declaration, and the attributes, octet by octet. */
#include "content/xml_guard.h"

#include "base/ascii.h"

enum { HEAD_MAX = 512 };

struct head {
    char octets[HEAD_MAX]; /* the first ones that are not zero */
    size_t len;
    bool is_wide;          /* there are zeros between, or there may be */
};

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

static bool begins(struct slice text, struct slice with)
{
    return slice_equal(slice_part(text, 0, with.len), with);
}

static void take_head(struct slice xml, struct head *out)
{
    *out = (struct head){ .is_wide = begins(xml, SLICE("\xfe\xff")) ||
                                     begins(xml, SLICE("\xff\xfe")) };
    if (out->is_wide)
        xml = slice_from(xml, 2);
    else if (begins(xml, SLICE("\xef\xbb\xbf")))
        xml = slice_from(xml, 3);
    for (size_t i = 0; i < xml.len && out->len < HEAD_MAX; i++) {
        if (xml.data[i] == '\0' && i < 4)
            out->is_wide = true;
        else if (xml.data[i] != '\0')
            out->octets[out->len++] = xml.data[i];
    }
}

static size_t find(struct slice text, struct slice what)
{
    size_t at = 0;
    while (at < text.len && !begins(slice_from(text, at), what))
        at++;
    return at;
}

static bool is_like_ascii(struct slice name)
{
    static const struct slice known[] = {
        SLICE_INIT("utf-8"), SLICE_INIT("utf8"), SLICE_INIT("utf-16"), SLICE_INIT("us-ascii"),
        SLICE_INIT("ascii"), SLICE_INIT("iso-8859-"), SLICE_INIT("latin1"),
        SLICE_INIT("windows-125"), SLICE_INIT("cp125"),
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_starts_with_nocase(name, known[i]))
            return true;
    return false;
}

/* EncodingDecl = S "encoding" S? "=" S? ( DQUOTE EncName DQUOTE / "'" EncName "'" ); without
 * one it is UTF-8 or UTF-16, unless the first octets are those of EBCDIC. */
static bool encoding_is_read(const struct head *head)
{
    struct slice text = slice_make(head->octets, head->len);
    if (!begins(text, SLICE("<?xml")))
        return !begins(text, SLICE("\x4c\x6f\xa7\x94"));
    size_t end = find(text, SLICE("?>"));
    if (end == text.len)
        return head->len < HEAD_MAX; /* cut: no document at all */
    text = slice_part(text, 0, end);
    text = slice_from(text, find(text, SLICE("encoding")));
    if (text.len == 0)
        return true;
    text = slice_from(text, sizeof "encoding" - 1);
    while (text.len > 0 && (is_space(text.data[0]) || text.data[0] == '=' ||
                            text.data[0] == '"' || text.data[0] == '\''))
        text = slice_from(text, 1);
    return is_like_ascii(text);
}

/* Attribute = Name S? "=" S? quote; '<' is never in one, but half of a wide character may
 * look like it. */
static bool has_too_many_attributes(struct slice xml, bool is_wide)
{
    size_t max = is_wide ? XML_WIDE_ATTRIBUTES_MAX : XML_ATTRIBUTES_MAX;
    size_t count = 0;
    bool is_behind_equals = false;
    for (size_t i = 0; i < xml.len; i++) {
        char c = xml.data[i];
        if (c == '<' && !is_wide)
            count = 0;
        if (is_behind_equals && (c == '"' || c == '\'') && ++count > max)
            return true;
        if (c != '\0' && !is_space(c))
            is_behind_equals = c == '=';
    }
    return false;
}

const char *xml_guard(struct slice xml)
{
    struct head head;
    take_head(xml, &head);
    if (!encoding_is_read(&head))
        return "XML in an encoding that is not read";
    return has_too_many_attributes(xml, head.is_wide) ? "an XML element with too many attributes"
                                                      : NULL;
}
