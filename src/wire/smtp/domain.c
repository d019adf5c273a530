/* domain.c: domain names and address literals: RFC 5321 4.1.2 and 4.1.3, RFC 6531
 * 3.3, and their canonical form by IDNA2008 (RFC 5890, RFC 5891) through libidn2. */
#include "wire/smtp/domain_private.h"

#include "base/ascii.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <idn2.h>

/* Room for a canonical name or literal; longer ones are refused. */
struct canonical {
    char text[SMTP_DOMAIN_MAX];
    size_t len;
};

static bool canonical_add(struct canonical *out, struct slice s)
{
    if (s.len > sizeof out->text - out->len)
        return false;
    if (s.len > 0)
        memcpy(out->text + out->len, s.data, s.len);
    out->len += s.len;
    return true;
}

static struct slice canonical_slice(const struct canonical *from)
{
    return slice_make(from->text, from->len);
}

static bool may_be_in_name(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_' || c == '.' || ascii_is_high(c);
}

static bool label_needs_idna(struct slice label)
{
    return slice_starts_with_nocase(label, SLICE("xn--")) || !slice_is_ascii(label);
}

/* A-label of a label that is not plain. IDNA2008 without the mappings of UTS 46: what
 * looks like another character is refused, not read as that character. Only ASCII
 * letters are made lower case before. */
static bool label_to_ascii(struct slice label, struct canonical *out)
{
    char lower[SMTP_DOMAIN_MAX + 1];
    if (label.len > SMTP_DOMAIN_MAX || !utf8_is_valid(label))
        return false;
    for (size_t i = 0; i < label.len; i++)
        lower[i] = ascii_lower(label.data[i]);
    lower[label.len] = '\0';
    uint8_t *ascii = NULL;
    int status = idn2_lookup_u8((const uint8_t *)lower, &ascii,
                                IDN2_NFC_INPUT | IDN2_NO_TR46);
    bool good = status == IDN2_OK;
    if (good) {
        struct slice made = slice_from_string((const char *)ascii);
        good = made.len <= SMTP_LABEL_MAX && canonical_add(out, made);
    }
    idn2_free(ascii);
    return good;
}

/* sub-domain = Let-dig [Ldh-str], and '_' anywhere in it; or a U-label */
static bool label_is_shaped(struct slice label)
{
    return label.len > 0 && label.data[0] != '-' && label.data[label.len - 1] != '-' &&
           (label.len <= SMTP_LABEL_MAX || !slice_is_ascii(label));
}

static bool name_to_canonical(struct slice name, struct canonical *out)
{
    struct slice rest = name;
    struct slice label;
    out->len = 0;
    if (name.len == 0 || name.data[name.len - 1] == '.')
        return false;
    while (slice_split(&rest, '.', &label)) {
        if (!label_is_shaped(label) || (out->len > 0 && !canonical_add(out, SLICE("."))))
            return false;
        if (label_needs_idna(label)) {
            if (!label_to_ascii(label, out))
                return false;
            continue;
        }
        for (size_t i = 0; i < label.len; i++) {
            char c = ascii_lower(label.data[i]);
            if (!canonical_add(out, slice_make(&c, 1)))
                return false;
        }
    }
    return true;
}

/* The check alone, without a copy: what plain ASCII, the common case, costs. A name
 * that is too long has the right shape; its length is somebody else's to judge. */
static bool name_is_valid(struct slice name)
{
    struct slice rest = name;
    struct slice label;
    struct canonical unused = { .len = 0 };
    if (name.len == 0 || name.data[name.len - 1] == '.')
        return false;
    while (slice_split(&rest, '.', &label)) {
        if (!label_is_shaped(label))
            return false;
        unused.len = 0;
        if (label_needs_idna(label) && !label_to_ascii(label, &unused))
            return false;
    }
    return true;
}

static enum smtp_domain_kind address_kind(struct slice inside, unsigned char out_octets[16])
{
    char text[INET6_ADDRSTRLEN + 1];
    struct cursor c = cursor_over(inside);
    bool is_ipv6 = cursor_take_literal(&c, SLICE("IPv6:"));
    struct slice digits = cursor_rest(&c);
    if (digits.len >= sizeof text || slice_find(digits, '\0') != SLICE_NOT_FOUND)
        return SMTP_DOMAIN_NONE;
    memcpy(text, digits.data, digits.len);
    text[digits.len] = '\0';
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, out_octets) != 1)
        return SMTP_DOMAIN_NONE;
    return is_ipv6 ? SMTP_DOMAIN_IPV6 : SMTP_DOMAIN_IPV4;
}

/* address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"
 * General-address-literal has no registered tag but IPv6's, and is refused. */
static bool take_literal(struct cursor *c, enum smtp_domain_kind *out_kind)
{
    struct cursor ahead = *c;
    unsigned char octets[16];
    if (!cursor_take_byte(&ahead, '['))
        return false;
    size_t close = slice_find(cursor_rest(&ahead), ']');
    struct slice inside;
    if (close == SLICE_NOT_FOUND || !cursor_take_part(&ahead, close, &inside))
        return false;
    enum smtp_domain_kind kind = address_kind(inside, octets);
    if (kind == SMTP_DOMAIN_NONE || !cursor_take_byte(&ahead, ']'))
        return false;
    *out_kind = kind;
    *c = ahead;
    return true;
}

/* Domain = sub-domain *("." sub-domain) */
bool domain_take(struct cursor *c, struct slice *out_domain,
                 enum smtp_domain_kind *out_kind)
{
    struct cursor ahead = *c;
    enum smtp_domain_kind kind = SMTP_DOMAIN_NAME;
    if (cursor_sees(c, '[')) {
        if (!take_literal(&ahead, &kind))
            return false;
    } else if (!name_is_valid(cursor_take_while(&ahead, may_be_in_name))) {
        return false;
    }
    *out_domain = cursor_since(&ahead, c);
    *out_kind = kind;
    *c = ahead;
    return true;
}

bool smtp_domain_is_valid(struct slice domain)
{
    struct cursor c = cursor_over(domain);
    struct slice name;
    enum smtp_domain_kind kind;
    return domain.len <= SMTP_DOMAIN_MAX && domain_take(&c, &name, &kind) &&
           cursor_at_end(&c) && kind == SMTP_DOMAIN_NAME;
}

static bool literal_to_canonical(struct slice domain, struct canonical *out)
{
    unsigned char octets[16];
    char text[INET6_ADDRSTRLEN];
    if (domain.data[domain.len - 1] != ']')
        return false;
    enum smtp_domain_kind kind =
        address_kind(slice_part(domain, 1, domain.len - 2), octets);
    if (kind == SMTP_DOMAIN_NONE)
        return false;
    bool is_ipv6 = kind == SMTP_DOMAIN_IPV6;
    if (inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, octets, text, sizeof text) == NULL)
        return false;
    out->len = 0;
    return canonical_add(out, is_ipv6 ? SLICE("[IPv6:") : SLICE("[")) &&
           canonical_add(out, slice_from_string(text)) &&
           canonical_add(out, SLICE("]"));
}

static bool to_canonical(struct slice domain, struct canonical *out)
{
    if (domain.len > 1 && domain.data[0] == '[')
        return literal_to_canonical(domain, out);
    struct cursor c = cursor_over(domain);
    struct slice name = cursor_take_while(&c, may_be_in_name);
    return cursor_at_end(&c) && name_to_canonical(name, out);
}

bool smtp_domain_canonical(struct slice domain, struct buffer *out)
{
    struct canonical made;
    if (!to_canonical(domain, &made))
        return false;
    buffer_append(out, canonical_slice(&made));
    return true;
}

bool domain_equal(struct slice a, struct slice b)
{
    if (slice_equal_nocase(a, b))
        return true;
    struct canonical first;
    struct canonical second;
    return to_canonical(a, &first) && to_canonical(b, &second) &&
           slice_equal(canonical_slice(&first), canonical_slice(&second));
}
