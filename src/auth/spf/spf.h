/* spf.h: whether a client may use a domain, by the domain's SPF record.
 *
 * RFC 7208, with RFC 8616 4 for internationalized mail. A step machine without I/O and
 * clock: ask spf_next() for a question, give spf_answer() its answer, until spf_next()
 * says that it is done. At most 10 terms with look-ups, 2 void ones, 10 hosts of an MX
 * and 10 names of a PTR (RFC 7208 4.6.4, HOSTILE 96): never more than 123 questions.
 * Whoever runs out of patience gives LOOKUP_FAILED to what is still asked. One owner, one
 * thread; any memory that is missing makes a temperror.
 */
#ifndef GODWIT_AUTH_SPF_SPF_H
#define GODWIT_AUTH_SPF_SPF_H

#include "base/err.h"
#include "mail/lookup.h"
#include "mail/reasons.h"

/* RFC 7208 2.6 */
enum spf_result {
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR,
};

/* "none" and so on; static. */
struct slice spf_result_name(enum spf_result result);

/* What was checked. A null sender stands for the host: postmaster at what it said with
 * HELO (RFC 7208 2.4), and the verdict is one of SPF_HELO. */
enum spf_identity {
    SPF_MAIL_FROM,
    SPF_HELO,
};

struct slice spf_identity_name(enum spf_identity identity); /* "mailfrom", "helo" */

struct spf_client {
    bool is_v6;
    uint8_t bytes[16]; /* the first 4 of IPv4 */
};

/* "192.0.2.1" or "2001:db8::1". IPv4 mapped into IPv6 is IPv4 (RFC 7208 5). */
bool spf_client_parse(struct slice text, struct spf_client *out);

/* The same for an address at hand; 4 or 16 bytes. */
void spf_client_make(const void *bytes, size_t len, struct spf_client *out);

enum { SPF_INPUT_MAX = 1024 }; /* of each text below; what is longer has no record */

/* Copied by spf_begin(). */
struct spf_request {
    struct spf_client client;
    enum spf_identity identity; /* SPF_HELO: the sender is not looked at */
    struct slice helo;          /* as the client said it; may be no name at all */
    struct slice mail_from;     /* local@domain, without brackets; empty: the null sender */
    struct slice receiver;      /* our own name, for explanations; may be empty */
    int64_t now_s;              /* since 1970, for explanations */
};

struct spf;

/* ERR_MEMORY. */
enum err spf_begin(const struct spf_request *request, struct spf **out);

/* NULL inside is allowed. */
void spf_free(struct spf **spf);

/* True: *out_question is to be answered; the same until it was. False: it is done. */
bool spf_next(struct spf *spf, struct lookup_question *out_question);

/* Only when spf_next() has asked. */
void spf_answer(struct spf *spf, const struct lookup_answer *answer);

/* Lives as long as the check. */
struct spf_verdict {
    enum spf_result result;
    enum spf_identity identity;
    struct slice domain;      /* that was checked, as A-labels where it is a name */
    struct slice explanation; /* of a fail, by the domain's owner; printable; or empty */
    struct slice mechanism;   /* the term that decided, as published; or empty */
    struct slice problem;     /* of an error, in words of ours; or empty */
    const struct reasons *reasons;
};

/* Only when spf_next() is done. */
struct spf_verdict spf_verdict(const struct spf *spf);

/* Appends a whole "Received-SPF" field with its CRLF (RFC 7208 9.1). */
void spf_append_received_field(const struct spf *spf, struct buffer *out);

/* Appends "spf=pass smtp.mailfrom=..." for Authentication-Results (RFC 7208 9.2,
 * RFC 8601 2.7.2). Nothing in it can end the field or begin another result. */
void spf_append_result(const struct spf *spf, struct buffer *out);

#endif
