/* parameter.h: what may follow the path in MAIL and RCPT.
 *
 * RFC 5321 4.1.2 (Mail-parameters, Rcpt-parameters), with the values of SIZE (RFC
 * 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and
 * ORCPT (RFC 3461, RFC 6533), AUTH (RFC 4954 section 5), HOLDFOR and HOLDUNTIL (RFC 4865),
 * MT-PRIORITY (RFC 6710), REQUIRETLS (RFC 8689)
 * and BY (RFC 2852).
 * Which parameter may
 * stand where, and twice, is the caller's to say: smtp_keyword_bit() makes a set.
 * Pure; any thread; results borrow from the input.
 */
#ifndef GODWIT_WIRE_SMTP_PARAMETER_H
#define GODWIT_WIRE_SMTP_PARAMETER_H

#include "base/buffer.h"
#include "base/cursor.h"

enum smtp_keyword {
    SMTP_KEYWORD_UNKNOWN, /* 555 5.5.4 */
    SMTP_KEYWORD_SIZE,
    SMTP_KEYWORD_BODY,
    SMTP_KEYWORD_SMTPUTF8,
    SMTP_KEYWORD_RET,
    SMTP_KEYWORD_ENVID,
    SMTP_KEYWORD_NOTIFY,
    SMTP_KEYWORD_ORCPT,
    SMTP_KEYWORD_AUTH,
    SMTP_KEYWORD_HOLDFOR,
    SMTP_KEYWORD_HOLDUNTIL,
    SMTP_KEYWORD_MT_PRIORITY,
    SMTP_KEYWORD_REQUIRETLS,
    SMTP_KEYWORD_BY,
};

static inline uint32_t smtp_keyword_bit(enum smtp_keyword keyword)
{
    return 1u << keyword;
}

struct smtp_parameter {
    enum smtp_keyword keyword;
    struct slice name;  /* as written */
    struct slice value; /* printable ASCII or valid UTF-8; empty when there is none */
    bool has_value;
};

enum smtp_parameter_result {
    SMTP_PARAMETER_TAKEN,
    SMTP_PARAMETER_END,
    SMTP_PARAMETER_SYNTAX, /* 501 5.5.4 */
};

/* Takes the next of *( SP esmtp-param ) from the cursor, which stands behind the
 * path. Several spaces, and spaces at the end, are let pass. *out_parameter is set
 * with SMTP_PARAMETER_TAKEN only. */
enum smtp_parameter_result smtp_parameter_next(struct cursor *c,
                                               struct smtp_parameter *out_parameter);

/* xtext of RFC 3461 section 4. Decoding appends the octets meant; false, with some
 * perhaps appended, when it is not xtext: the hex digits are upper case. */
bool smtp_xtext_decode(struct slice xtext, struct buffer *out);
void smtp_xtext_encode(struct slice octets, struct buffer *out);

/* 1*20DIGIT; a number beyond 64 bits becomes UINT64_MAX, which no limit allows. */
bool smtp_size_parse(struct slice value, uint64_t *out_size);

/* The values are those of mail/envelope.h. */
enum smtp_body {
    SMTP_BODY_7BIT,
    SMTP_BODY_8BITMIME,
    SMTP_BODY_BINARYMIME,
};
bool smtp_body_parse(struct slice value, enum smtp_body *out_body);

enum smtp_ret {
    SMTP_RET_UNSPECIFIED,
    SMTP_RET_FULL,
    SMTP_RET_HEADERS,
};
bool smtp_ret_parse(struct slice value, enum smtp_ret *out_ret);

enum {
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8,
};

/* "NEVER" alone, or a list of the others; one said twice is said once. */
bool smtp_notify_parse(struct slice value, uint8_t *out_notify);

enum {
    SMTP_ENVID_MAX = 100, /* RFC 3461 4.4, as xtext */
    SMTP_ORCPT_MAX = 500, /* 4.2 */
};

/* Whether it is xtext of printable ASCII, 1 to 100 characters. */
bool smtp_envid_is_valid(struct slice value);

struct smtp_orcpt {
    struct slice type;    /* "rfc822", "utf-8" */
    struct slice address; /* still encoded */
};

/* addr-type ";" xtext, which may be empty; at most 500 characters. For the type utf-8 the
 * forms of RFC 6533 section 3 are taken; only there the value may hold octets above 127,
 * which the caller refuses without SMTPUTF8. */
bool smtp_orcpt_parse(struct slice value, struct smtp_orcpt *out_orcpt);

/* Appends UTF-8 as utf-8-addr-xtext (RFC 6533 3): what is not ASCII as \x{HEXPOINT}, and
 * `with_specials` also controls, space, backslash, '+' and '='; without, `text` is one of those
 * forms already. */
void smtp_unicode_embed(struct slice text, bool with_specials, struct buffer *out);

/* Appends the address meant, in UTF-8 for the type utf-8; control bytes stay out
 * (each becomes '?'). */
void smtp_orcpt_append_address(struct buffer *out, const struct smtp_orcpt *orcpt);

/* 1*9DIGIT, at least 1: seconds (RFC 4865 3). */
bool smtp_hold_for_parse(struct slice value, uint32_t *out_seconds);

/* A date-time of RFC 3339 in UTC ("Z"), as milliseconds since 1970; parts of a second count
 * up, so that nothing is too early. A leap second is the one that follows. */
bool smtp_date_time_parse(struct slice value, int64_t *out_wall_ms);
/* Appends it so, in whole seconds, the rest cut off. */
void smtp_date_time_append(struct buffer *out, int64_t wall_ms);

/* ["-" / "+"] 1*9DIGIT ";" ("N" / "R") ["T"], where R takes no time that is over (RFC 2852
 * 4). */
struct smtp_by {
    int32_t seconds;
    bool returns;
    bool traces;
};
bool smtp_by_parse(struct slice value, struct smtp_by *out);

/* ["-"] 1-9, or 0 (RFC 6710 7). */
bool smtp_priority_parse(struct slice value, int8_t *out_priority);

/* AUTH=: "<>" gives an empty slice, else xtext whose decoded form is appended to
 * `decoded` and must hold no control bytes; *out_mailbox borrows from `decoded`. */
bool smtp_auth_parse(struct slice value, struct buffer *decoded,
                     struct slice *out_mailbox);

#endif
