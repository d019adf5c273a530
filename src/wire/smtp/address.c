/* address.c: paths, mailboxes, HELO names. RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2, 4.1.3,
 * 4.5.3.1; RFC 6531 3.3. Domains are in domain.c. */
#include "wire/smtp/address.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/message/lexer.h"
#include "wire/smtp/domain_private.h"

/* What compatibility folding turns into '@': in a local part it could only mislead. */
static bool has_false_at(struct slice s)
{
    return memmem(s.data, s.len, "\xef\xbc\xa0", 3) != NULL || /* U+FF20 */
           memmem(s.data, s.len, "\xef\xb9\xab", 3) != NULL;   /* U+FE6B */
}

/* Local-part = Dot-string / Quoted-string */
static bool take_local(struct cursor *c, struct slice *out_local)
{
    struct cursor ahead = *c;
    struct slice local;
    if (!lexer_take_dot_atom(&ahead, &local) &&
        !lexer_take_quoted(&ahead, LEXER_ENVELOPE, &local))
        return false;
    if (has_false_at(local))
        return false;
    *c = ahead;
    *out_local = local;
    return true;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static bool take_mailbox(struct cursor *c, struct smtp_address *out_address)
{
    struct cursor ahead = *c;
    struct smtp_address a = { .kind = SMTP_DOMAIN_NONE };
    if (!take_local(&ahead, &a.local) || !cursor_take_byte(&ahead, '@') ||
        !domain_take(&ahead, &a.domain, &a.kind))
        return false;
    a.text = cursor_since(&ahead, c);
    a.utf8 = !slice_is_ascii(a.text);
    *c = ahead;
    *out_address = a;
    return true;
}

/* A-d-l = At-domain *( "," At-domain ); At-domain = "@" Domain
 * Path = "<" [ A-d-l ":" ] Mailbox ">" */
static bool skip_route(struct cursor *c)
{
    if (!cursor_sees(c, '@'))
        return true;
    struct slice domain;
    enum smtp_domain_kind kind;
    do {
        if (!cursor_take_byte(c, '@') || !domain_take(c, &domain, &kind))
            return false;
    } while (cursor_take_byte(c, ','));
    return cursor_take_byte(c, ':');
}

static enum smtp_path_result check_limits(const struct smtp_address *a,
                                          enum smtp_utf8 utf8)
{
    if (a->local.len > SMTP_LOCAL_MAX || a->domain.len > SMTP_DOMAIN_MAX ||
        a->text.len > SMTP_PATH_MAX - 2)
        return SMTP_PATH_TOO_LONG;
    if (a->utf8 && utf8 == SMTP_UTF8_REFUSED)
        return SMTP_PATH_NEEDS_UTF8;
    return SMTP_PATH_OK;
}

/* Why a path that does not parse does not. */
static enum smtp_path_result name_fault(const struct cursor *c)
{
    struct slice rest = cursor_rest(c);
    size_t close = slice_find_last(rest, '>');
    if (!cursor_sees(c, '<') || close == SLICE_NOT_FOUND || close < 2)
        return SMTP_PATH_SYNTAX;
    struct slice inside = slice_part(rest, 1, close - 1);
    return slice_find(inside, '@') == SLICE_NOT_FOUND && slice_is_ascii(inside)
               ? SMTP_PATH_NO_DOMAIN : SMTP_PATH_SYNTAX;
}

/* What may stand between the brackets besides a Path's own content. */
static bool take_inside(struct cursor *c, enum smtp_path_role role,
                        struct smtp_address *out_address)
{
    if (role == SMTP_PATH_SENDER && cursor_sees(c, '>')) {
        *out_address = (struct smtp_address){ .kind = SMTP_DOMAIN_NONE };
        return true;
    }
    struct cursor ahead = *c;
    if (role == SMTP_PATH_RECIPIENT &&
        cursor_take_literal(&ahead, SLICE("postmaster")) && cursor_sees(&ahead, '>')) {
        struct slice text = cursor_since(&ahead, c);
        *out_address = (struct smtp_address){ .text = text, .local = text };
        *c = ahead;
        return true;
    }
    return skip_route(c) && take_mailbox(c, out_address);
}

static enum smtp_path_result parse_path(struct cursor *c, enum smtp_utf8 utf8,
                                        enum smtp_path_role role,
                                        struct smtp_address *out_address)
{
    struct cursor ahead = *c;
    struct smtp_address a;
    if (!cursor_take_byte(&ahead, '<') || !take_inside(&ahead, role, &a) ||
        !cursor_take_byte(&ahead, '>') ||
        (!cursor_at_end(&ahead) && !cursor_sees(&ahead, ' ')))
        return name_fault(c);
    enum smtp_path_result result = check_limits(&a, utf8);
    if (result == SMTP_PATH_OK && cursor_since(&ahead, c).len > SMTP_PATH_MAX)
        result = SMTP_PATH_TOO_LONG;
    if (result != SMTP_PATH_OK)
        return result;
    *c = ahead;
    *out_address = a;
    return SMTP_PATH_OK;
}

enum smtp_path_result smtp_reverse_path_parse(struct cursor *c, enum smtp_utf8 utf8,
                                              struct smtp_address *out_address)
{
    return parse_path(c, utf8, SMTP_PATH_SENDER, out_address);
}

enum smtp_path_result smtp_forward_path_parse(struct cursor *c, enum smtp_utf8 utf8,
                                              struct smtp_address *out_address)
{
    return parse_path(c, utf8, SMTP_PATH_RECIPIENT, out_address);
}

enum smtp_path_result smtp_address_parse(struct slice text, enum smtp_utf8 utf8,
                                         struct smtp_address *out_address)
{
    struct cursor c = cursor_over(text);
    struct smtp_address a;
    if (!take_mailbox(&c, &a) || !cursor_at_end(&c))
        return slice_find(text, '@') == SLICE_NOT_FOUND ? SMTP_PATH_NO_DOMAIN
                                                        : SMTP_PATH_SYNTAX;
    enum smtp_path_result result = check_limits(&a, utf8);
    if (result == SMTP_PATH_OK)
        *out_address = a;
    return result;
}

struct smtp_reply smtp_path_reply(enum smtp_path_result result,
                                  enum smtp_path_role role)
{
    bool sender = role == SMTP_PATH_SENDER;
    uint16_t detail = sender ? 7 : 3;
    switch (result) {
    case SMTP_PATH_OK:
        break;
    case SMTP_PATH_SYNTAX:
        return smtp_reply_make(501, 5, 1, detail,
                               sender ? SLICE("That is not a sender address")
                                      : SLICE("That is not a recipient address"));
    case SMTP_PATH_NO_DOMAIN:
        return smtp_reply_make(553, 5, 1, detail,
                               sender ? SLICE("The sender address has no domain")
                                      : SLICE("The recipient address has no domain"));
    case SMTP_PATH_TOO_LONG:
        return smtp_reply_make(501, 5, 1, detail, SLICE("The address is too long"));
    case SMTP_PATH_NEEDS_UTF8:
        return smtp_reply_make(553, 5, 6, 7,
                               SLICE("The address is not ASCII and SMTPUTF8 was not asked for"));
    }
    return smtp_reply_make(250, 2, 1, sender ? 0 : 5, SLICE("OK"));
}

void smtp_local_unquoted(struct slice local, struct buffer *out)
{
    lexer_append_unquoted(out, local);
}

void smtp_local_canonical(struct slice local, struct buffer *out)
{
    size_t before = buffer_len(out);
    lexer_append_unquoted(out, local);
    if (local.len == 0 || local.data[0] != '"' || out->overflow)
        return;
    struct cursor c = cursor_over(slice_from(buffer_slice(out), before));
    struct slice atom;
    if (lexer_take_dot_atom(&c, &atom) && cursor_at_end(&c))
        return;
    buffer_truncate(out, before);
    lexer_append_requoted(out, local);
}

static int next_of_local(struct cursor *c, bool quoted)
{
    return quoted ? lexer_next_meant(c) : cursor_take(c);
}

static bool local_equal(struct slice a, struct slice b)
{
    struct cursor first = cursor_over(a);
    struct cursor second = cursor_over(b);
    bool first_quoted = lexer_inside_quotes(a, &first);
    bool second_quoted = lexer_inside_quotes(b, &second);
    int octet;
    do {
        octet = next_of_local(&first, first_quoted);
        if (octet != next_of_local(&second, second_quoted))
            return false;
    } while (octet >= 0);
    return true;
}

bool smtp_address_equal(const struct smtp_address *a, const struct smtp_address *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == SMTP_DOMAIN_NONE)
        return slice_equal_nocase(a->local, b->local);
    return local_equal(a->local, b->local) && domain_equal(a->domain, b->domain);
}

void smtp_address_canonical(const struct smtp_address *address, struct buffer *out)
{
    if (address->kind == SMTP_DOMAIN_NONE) {
        if (address->local.len > 0)
            buffer_append(out, SLICE("postmaster"));
        return;
    }
    smtp_local_canonical(address->local, out);
    buffer_append_byte(out, '@');
    if (!smtp_domain_canonical(address->domain, out))
        buffer_append(out, address->domain);
}

static bool helo_may_hold(char c)
{
    return c > ' ' && c < 0x7f && strchr("<>()\",;@\\", c) == NULL;
}

/* helo = "HELO" SP Domain; ehlo = "EHLO" SP ( Domain / address-literal ) */
bool smtp_helo_parse(struct slice argument, struct smtp_helo *out_helo)
{
    struct cursor c = cursor_over(argument);
    struct slice name = cursor_take_while(&c, helo_may_hold);
    if (name.len == 0 || name.len > SMTP_DOMAIN_MAX || !cursor_at_end(&c))
        return false;
    struct cursor strict = cursor_over(name);
    struct slice domain;
    struct smtp_helo helo = { .name = name, .kind = SMTP_DOMAIN_NONE };
    enum smtp_domain_kind kind;
    if (domain_take(&strict, &domain, &kind) && cursor_at_end(&strict)) {
        helo.kind = kind;
        helo.is_valid = true;
    }
    *out_helo = helo;
    return true;
}
