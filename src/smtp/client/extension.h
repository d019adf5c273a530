/* extension.h: what a server says it can do, read from its reply to EHLO or LHLO
 * (RFC 5321 4.1.1.1). A value. */
#ifndef GODWIT_SMTP_CLIENT_EXTENSION_H
#define GODWIT_SMTP_CLIENT_EXTENSION_H

#include "base/slice.h"

enum {
    SMTP_EXTENSION_PIPELINING = 1 << 0,      /* RFC 2920 */
    SMTP_EXTENSION_SIZE = 1 << 1,            /* RFC 1870 */
    SMTP_EXTENSION_8BITMIME = 1 << 2,        /* RFC 6152 */
    SMTP_EXTENSION_SMTPUTF8 = 1 << 3,        /* RFC 6531 */
    SMTP_EXTENSION_CHUNKING = 1 << 4,        /* RFC 3030 */
    SMTP_EXTENSION_BINARYMIME = 1 << 5,      /* RFC 3030 */
    SMTP_EXTENSION_DSN = 1 << 6,             /* RFC 3461 */
    SMTP_EXTENSION_ENHANCED_STATUS = 1 << 7, /* RFC 2034 */
    SMTP_EXTENSION_LIMITS = 1 << 8,          /* RFC 9422 */
    SMTP_EXTENSION_STARTTLS = 1 << 9,        /* RFC 3207 */
    SMTP_EXTENSION_AUTH = 1 << 10,           /* RFC 4954 */
    SMTP_EXTENSION_MT_PRIORITY = 1 << 11,    /* RFC 6710 */
    SMTP_EXTENSION_REQUIRETLS = 1 << 12,     /* RFC 8689 */
    SMTP_EXTENSION_DELIVERBY = 1 << 13,      /* RFC 2852 */
};

/* Mechanisms of AUTH that are known here. */
enum {
    SMTP_AUTH_SCRAM_SHA_256 = 1 << 0, /* RFC 7677 */
    SMTP_AUTH_SCRAM_SHA_1 = 1 << 1,   /* RFC 5802 */
    SMTP_AUTH_PLAIN = 1 << 2,         /* RFC 4616 */
    SMTP_AUTH_LOGIN = 1 << 3,
    SMTP_AUTH_OAUTHBEARER = 1 << 4,   /* RFC 7628 */
    SMTP_AUTH_XOAUTH2 = 1 << 5,
};

struct smtp_extensions {
    uint32_t offered;        /* SMTP_EXTENSION_* */
    uint32_t by_min_s;       /* the least time of BY=; 0: none said */
    uint64_t size_max;       /* in bytes; 0: none said */
    uint32_t recipients_max; /* RCPT commands in a transaction; 0: none said */
    uint32_t mails_max;      /* MAIL commands in a session; 0: none said */
    uint32_t auth;           /* SMTP_AUTH_* */
};

/* Reads the lines of the reply's text; the first is the greeting and is skipped.
 * Unknown keywords, and known ones with a value that does not parse, are as if they
 * had not been said; a SIZE without a usable number states no limit. */
struct smtp_extensions smtp_extensions_read(struct slice text);

#endif
