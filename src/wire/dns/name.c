/* name.c: RFC 1035 3.1: a name is a row of labels, each behind its length, the last
 * one empty. */
#include "wire/dns/name.h"

#include "base/ascii.h"

enum { LABEL_MAX = 63 };

static bool is_label_octet(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool is_any_octet(char c)
{
    return c > ' ' && c <= '~' && c != '.';
}

static bool append_label(struct dns_name *name, struct slice label, bool (*is)(char))
{
    size_t dot = name->len > 0 ? 1 : 0;
    if (label.len == 0 || label.len > LABEL_MAX ||
        name->len + dot + label.len > DNS_NAME_MAX)
        return false;
    if (dot == 1)
        name->text[name->len++] = '.';
    for (size_t i = 0; i < label.len; i++) {
        if (!is(label.data[i]))
            return false;
        name->text[name->len++] = ascii_lower(label.data[i]);
    }
    return true;
}

/* domain-name = *( length label ) 0x00 */
static bool take_name(struct cursor *c, bool (*is)(char), struct dns_name *out)
{
    struct cursor at = *c;
    struct dns_name name = { .len = 0 };
    for (;;) {
        int len = cursor_take(&at);
        struct slice label;
        if (len == 0)
            break;
        if (len < 0 || len > LABEL_MAX ||
            !cursor_take_part(&at, (size_t)len, &label) || !append_label(&name, label, is))
            return false;
    }
    *c = at;
    *out = name;
    return true;
}

bool dns_name_take(struct cursor *c, struct dns_name *out)
{
    return take_name(c, is_label_octet, out);
}

bool dns_name_take_any(struct cursor *c, struct dns_name *out)
{
    return take_name(c, is_any_octet, out);
}

/* <domain> ::= <label> *( "." <label> ) [ "." ] (RFC 1035 2.3.1) */
bool dns_name_parse(struct slice text, struct dns_name *out)
{
    struct dns_name name = { .len = 0 };
    if (slice_equal(text, SLICE("."))) {
        *out = name;
        return true;
    }
    if (text.len > 0 && text.data[text.len - 1] == '.')
        text.len--;
    if (text.len == 0)
        return false;
    for (;;) {
        size_t dot = slice_find(text, '.');
        if (!append_label(&name, slice_part(text, 0, dot), is_label_octet))
            return false;
        if (dot == SLICE_NOT_FOUND)
            break;
        text = slice_from(text, dot + 1);
    }
    *out = name;
    return true;
}
