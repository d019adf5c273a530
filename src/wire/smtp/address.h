/* address.h: the one address parser of the system.
 *
 * RFC 5321 4.1.2 and 4.1.3, RFC 6531 3.3; header fields come here by way of
 * wire/message/lexer.h, which holds the tokens. Strict in the local part and in
 * control bytes; lenient in one thing only: '_' may stand in a domain's labels, as
 * it does in real mail. Domains of one label are addresses; a domain that ends in a
 * dot, an empty label, a label over 63 octets or with '-' at an end is none. Any
 * label that is not plain ASCII, or begins with "xn--", must be valid by IDNA2008,
 * without mapping: neither U+3002 nor a fullwidth '@' is ever read as '.' or '@'.
 *
 * What is syntactically right may still be what policy refuses: "r%out", "out!r"
 * and a quoted "r@out" are local parts like any other, and mean nothing more here.
 *
 * Pure but for libidn2's own memory, which plain ASCII never touches. Any thread.
 */
#ifndef GODWIT_WIRE_SMTP_ADDRESS_H
#define GODWIT_WIRE_SMTP_ADDRESS_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "wire/smtp/reply.h"

enum {
    SMTP_LOCAL_MAX = 255,  /* octets; RFC 5321 4.5.3.1.1 asks for 64 at least, and real
                              ones (VERP, SRS) are longer */
    SMTP_DOMAIN_MAX = 255, /* 4.5.3.1.2 */
    SMTP_PATH_MAX = 1024,  /* 4.5.3.1.3 asks for 256; with brackets and source route */
    SMTP_LABEL_MAX = 63,
};

enum smtp_domain_kind {
    SMTP_DOMAIN_NONE, /* the null path, or <Postmaster> */
    SMTP_DOMAIN_NAME,
    SMTP_DOMAIN_IPV4, /* "[192.0.2.1]" */
    SMTP_DOMAIN_IPV6, /* "[IPv6:2001:db8::1]" */
};

/* Borrows from what was parsed. */
struct smtp_address {
    struct slice text;   /* local-part@domain as written; empty for <> */
    struct slice local;  /* as written, quotes kept */
    struct slice domain; /* as written; a literal keeps its brackets */
    enum smtp_domain_kind kind;
    bool utf8;           /* an octet above 127 somewhere */
};

enum smtp_path_result {
    SMTP_PATH_OK,
    SMTP_PATH_SYNTAX,     /* 501 5.1.3 or 5.1.7 */
    SMTP_PATH_NO_DOMAIN,  /* no '@' at all between the brackets: 553 5.1.3 / 5.1.7 */
    SMTP_PATH_TOO_LONG,   /* one of the limits above: 501 5.1.3 / 5.1.7 */
    SMTP_PATH_NEEDS_UTF8, /* right, but not ASCII and not asked for: 553 5.6.7 */
};

enum smtp_path_role {
    SMTP_PATH_SENDER,
    SMTP_PATH_RECIPIENT,
};

/* For `utf8`. In MAIL the SMTPUTF8 parameter stands behind the path: parse with
 * SMTP_UTF8_ALLOWED, then hold address.utf8 against the parameters. */
enum smtp_utf8 {
    SMTP_UTF8_REFUSED,
    SMTP_UTF8_ALLOWED,
};

/* Reverse-path = Path / "<>". The cursor stands on '<'; afterwards behind '>', where
 * only a space or the end may follow. On any other result than SMTP_PATH_OK neither
 * the cursor nor *out_address has changed. Source routes are checked and dropped. */
enum smtp_path_result smtp_reverse_path_parse(struct cursor *c, enum smtp_utf8 utf8,
                                              struct smtp_address *out_address);

/* Forward-path = Path / "<Postmaster>", the latter in any case of letters and
 * without a domain (RFC 5321 4.1.1.3). Otherwise as above. */
enum smtp_path_result smtp_forward_path_parse(struct cursor *c, enum smtp_utf8 utf8,
                                              struct smtp_address *out_address);

/* The whole of `text` is one Mailbox, without brackets. */
enum smtp_path_result smtp_address_parse(struct slice text, enum smtp_utf8 utf8,
                                         struct smtp_address *out_address);

/* What to answer to a result other than SMTP_PATH_OK; static text. */
struct smtp_reply smtp_path_reply(enum smtp_path_result result,
                                  enum smtp_path_role role);

/* The same mailbox: local parts octet by octet after unquoting, domains in their
 * canonical form. */
bool smtp_address_equal(const struct smtp_address *a, const struct smtp_address *b);

/* Appends the local part with no more quoting than it needs: "a\b" quoted is ab. */
void smtp_local_canonical(struct slice local, struct buffer *out);

/* Appends what the local part means, without quotes and backslashes: what a mailbox
 * is looked up by. */
void smtp_local_unquoted(struct slice local, struct buffer *out);

/* Appends a domain's or a literal's canonical form: lower case, labels as A-labels;
 * an IPv6 literal as inet_ntop() writes it. False, nothing appended, when it is
 * neither. A final dot is refused here too. */
bool smtp_domain_canonical(struct slice domain, struct buffer *out);

/* Both parts; the null path appends nothing, <Postmaster> "postmaster". */
void smtp_address_canonical(const struct smtp_address *address, struct buffer *out);

/* Whether it is a domain name as above (no literal). */
bool smtp_domain_is_valid(struct slice domain);

/* What a client said after HELO or EHLO. */
struct smtp_helo {
    struct slice name;
    enum smtp_domain_kind kind; /* SMTP_DOMAIN_NONE when it is not valid */
    bool is_valid;              /* RFC 5321 4.1.1.1: Domain or address-literal, with
                                   '_' as above */
};

/* False for what can be no name at all: empty, longer than 255, with spaces, control
 * bytes, non-ASCII, or one of <>()",;@ or backslash. True with is_valid false for
 * the rest of what real clients say; whoever asked may refuse that too. */
bool smtp_helo_parse(struct slice argument, struct smtp_helo *out_helo);

#endif
