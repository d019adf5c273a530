/* record.c: RFC 7208 4.5, 4.6.1, 5, 6 and 12: a record's terms, all checked before the
 * first is evaluated (RFC 7208 4.6). Nothing is kept: terms are read again when their
 * turn comes, so that a record of 64 KiB costs no more than its bytes. */
#include "auth/spf/record_private.h"

#include "auth/spf/macro_private.h"
#include "base/ascii.h"

#include <arpa/inet.h>

enum { V4_BITS = 32, V6_BITS = 128 };

static const struct slice version = SLICE_INIT("v=spf1");

/* What may follow a mechanism's name. */
enum argument {
    ARGUMENT_NONE,
    ARGUMENT_DOMAIN,          /* ":" domain-spec */
    ARGUMENT_MAYBE_DOMAIN,    /* [ ":" domain-spec ] */
    ARGUMENT_MAYBE_WITH_CIDR, /* [ ":" domain-spec ] [ dual-cidr-length ] */
    ARGUMENT_NETWORK4,        /* ":" ip4-network [ ip4-cidr-length ] */
    ARGUMENT_NETWORK6,        /* ":" ip6-network [ ip6-cidr-length ] */
};

static const struct {
    struct slice name;
    enum spf_mechanism mechanism;
    enum argument argument;
} mechanisms[] = {
    { SLICE_INIT("all"), SPF_MECHANISM_ALL, ARGUMENT_NONE },
    { SLICE_INIT("include"), SPF_MECHANISM_INCLUDE, ARGUMENT_DOMAIN },
    { SLICE_INIT("a"), SPF_MECHANISM_A, ARGUMENT_MAYBE_WITH_CIDR },
    { SLICE_INIT("mx"), SPF_MECHANISM_MX, ARGUMENT_MAYBE_WITH_CIDR },
    { SLICE_INIT("ptr"), SPF_MECHANISM_PTR, ARGUMENT_MAYBE_DOMAIN },
    { SLICE_INIT("ip4"), SPF_MECHANISM_IP4, ARGUMENT_NETWORK4 },
    { SLICE_INIT("ip6"), SPF_MECHANISM_IP6, ARGUMENT_NETWORK6 },
    { SLICE_INIT("exists"), SPF_MECHANISM_EXISTS, ARGUMENT_DOMAIN },
};

/* record = version terms *SP; the version ends at a space or at the end. */
bool spf_record_is_spf(struct slice text)
{
    return slice_starts_with_nocase(text, version) &&
           (text.len == version.len || text.data[version.len] == ' ');
}

/* Takes "/" 1*DIGIT, or what `slashes` says, from the end of *text. False: the digits are
 * there and are no length up to `max`. */
static bool cut_length(struct slice *text, struct slice slashes, uint8_t max,
                       uint8_t *out_bits)
{
    size_t digits = 0;
    while (digits < text->len && ascii_is_digit(text->data[text->len - 1 - digits]))
        digits++;
    struct slice before = slice_part(*text, 0, text->len - digits);
    if (digits == 0 || !slice_ends_with_nocase(before, slashes))
        return true;
    struct slice number = slice_from(*text, before.len);
    uint64_t bits;
    if ((number.data[0] == '0' && number.len > 1) || !slice_to_number(number, max, &bits))
        return false;
    *out_bits = (uint8_t)bits;
    *text = slice_part(before, 0, before.len - slashes.len);
    return true;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ] */
static bool cut_dual_length(struct slice *text, struct spf_term *term)
{
    return cut_length(text, SLICE("//"), V6_BITS, &term->v6_bits) &&
           cut_length(text, SLICE("/"), V4_BITS, &term->v4_bits);
}

/* ip4-network = qnum "." qnum "." qnum "." qnum
 * ip6-network = <as per Section 2.2 of RFC 4291> */
static bool read_network(struct slice text, int family, struct spf_term *term)
{
    char written[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof written ||
        slice_find(text, '\0') != SLICE_NOT_FOUND)
        return false;
    memcpy(written, text.data, text.len);
    written[text.len] = '\0';
    return inet_pton(family, written, term->address) == 1;
}

static bool read_domain(struct slice text, bool may_be_absent, struct spf_term *term)
{
    if (text.len == 0)
        return may_be_absent;
    term->domain_spec = slice_from(text, 1);
    return text.data[0] == ':' && spf_macro_is_valid(term->domain_spec, SPF_MACRO_DOMAIN);
}

static bool read_argument(enum argument argument, struct slice text, struct spf_term *term)
{
    switch (argument) {
    case ARGUMENT_NONE:
        return text.len == 0;
    case ARGUMENT_DOMAIN:
        return read_domain(text, false, term);
    case ARGUMENT_MAYBE_DOMAIN:
        return read_domain(text, true, term);
    case ARGUMENT_MAYBE_WITH_CIDR:
        return cut_dual_length(&text, term) && read_domain(text, true, term);
    case ARGUMENT_NETWORK4:
        return text.len > 0 && text.data[0] == ':' &&
               cut_length(&text, SLICE("/"), V4_BITS, &term->v4_bits) &&
               read_network(slice_from(text, 1), AF_INET, term);
    case ARGUMENT_NETWORK6:
        return text.len > 0 && text.data[0] == ':' &&
               cut_length(&text, SLICE("/"), V6_BITS, &term->v6_bits) &&
               read_network(slice_from(text, 1), AF_INET6, term);
    }
    return false;
}

/* qualifier = "+" / "-" / "?" / "~" */
static enum spf_result take_qualifier(struct cursor *c)
{
    if (cursor_take_byte(c, '-'))
        return SPF_FAIL;
    if (cursor_take_byte(c, '~'))
        return SPF_SOFTFAIL;
    if (cursor_take_byte(c, '?'))
        return SPF_NEUTRAL;
    cursor_take_byte(c, '+');
    return SPF_PASS;
}

static bool is_before_argument(char c)
{
    return c != ':' && c != '/';
}

/* directive = [ qualifier ] mechanism */
static bool read_directive(struct slice text, struct spf_term *out)
{
    struct cursor c = cursor_over(text);
    *out = (struct spf_term){ .text = text, .v4_bits = V4_BITS, .v6_bits = V6_BITS };
    out->result = take_qualifier(&c);
    struct slice name = cursor_take_while(&c, is_before_argument);
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++)
        if (slice_equal_nocase(name, mechanisms[i].name)) {
            out->mechanism = mechanisms[i].mechanism;
            return read_argument(mechanisms[i].argument, cursor_rest(&c), out);
        }
    return false;
}

static bool is_name_octet(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

/* modifier = name "=" ...; name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static bool is_modifier(struct slice text, struct slice *out_name, struct slice *out_value)
{
    struct cursor c = cursor_over(text);
    struct slice name = cursor_take_while(&c, is_name_octet);
    if (name.len == 0 || !ascii_is_alpha(name.data[0]) || !cursor_take_byte(&c, '='))
        return false;
    *out_name = name;
    *out_value = cursor_rest(&c);
    return true;
}

/* redirect = "redirect" "=" domain-spec; explanation = "exp" "=" domain-spec; each at
 * most once (RFC 7208 6). */
static bool read_modifier(struct slice name, struct slice value, struct spf_record *record)
{
    struct slice *known = slice_equal_nocase(name, SLICE("redirect")) ? &record->redirect
                          : slice_equal_nocase(name, SLICE("exp"))    ? &record->explanation
                                                                      : NULL;
    if (known == NULL)
        return spf_macro_is_valid(value, SPF_MACRO_MODIFIER);
    if (known->len > 0 || !spf_macro_is_valid(value, SPF_MACRO_DOMAIN))
        return false;
    *known = value;
    return true;
}

static bool is_no_space(char c)
{
    return c != ' ';
}

/* terms = *( 1*SP ( directive / modifier ) ) */
static bool take_term(struct cursor *c, struct slice *out_term)
{
    while (cursor_take_byte(c, ' '))
        ;
    *out_term = cursor_take_while(c, is_no_space);
    return out_term->len > 0;
}

bool spf_record_parse(struct slice text, struct spf_record *out, struct slice *out_wrong)
{
    struct spf_record record = { .terms = slice_from(text, version.len) };
    struct cursor c = cursor_over(record.terms);
    struct slice term;
    while (take_term(&c, &term)) {
        struct spf_term directive;
        struct slice name;
        struct slice value;
        bool is_right = is_modifier(term, &name, &value)
                            ? read_modifier(name, value, &record)
                            : read_directive(term, &directive);
        if (!is_right) {
            *out_wrong = term;
            return false;
        }
        if (!is_modifier(term, &name, &value) && directive.mechanism == SPF_MECHANISM_ALL)
            record.has_all = true;
    }
    *out = record;
    return true;
}

bool spf_record_next(struct cursor *c, struct spf_term *out)
{
    struct slice term;
    struct slice name;
    struct slice value;
    while (take_term(c, &term))
        if (!is_modifier(term, &name, &value) && read_directive(term, out))
            return true;
    return false;
}
