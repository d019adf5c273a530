/* transport.h: what is asked of the way to one next hop, and what was had.
 *
 * A policy is made for one host, by whoever has a say: the route, what the host or its
 * domain promises, what the host has shown before. The strictest holds. RFC 7435
 * (opportunistic security), RFC 3207 4.1.
 */
#ifndef GODWIT_MAIL_TRANSPORT_H
#define GODWIT_MAIL_TRANSPORT_H

#include "base/slice.h"

enum transport_level {
    TRANSPORT_UNSAID,        /* nobody says anything: in clear, and not worth a word */
    TRANSPORT_CLEAR,
    TRANSPORT_OPPORTUNISTIC, /* TLS where it can be had, whoever it is; else in clear */
    TRANSPORT_REQUIRED,      /* TLS, whoever it is; else the mail waits */
    TRANSPORT_VERIFIED,      /* TLS, with a certificate that is the host's; else it waits */
};

/* What the next hop says itself of its TLS. */
enum transport_promise {
    TRANSPORT_NO_PROMISE,
    TRANSPORT_DANE,          /* a certificate that the DNS vouches for: RFC 7672 */
    TRANSPORT_DANE_UNUSABLE, /* TLS: RFC 7672 2.2 */
    TRANSPORT_STS,           /* a host and a certificate of the policy's: RFC 8461 */
    TRANSPORT_STS_TESTING,   /* the same, and mail goes where it fails */
};

/* Why TLS was not what was promised, in the words of RFC 8460 4.3: to be counted. */
enum transport_failure {
    TRANSPORT_NO_FAILURE,
    TRANSPORT_STARTTLS_NOT_SUPPORTED,
    TRANSPORT_CERTIFICATE_HOST_MISMATCH,
    TRANSPORT_CERTIFICATE_EXPIRED,
    TRANSPORT_CERTIFICATE_NOT_TRUSTED,
    TRANSPORT_VALIDATION_FAILURE,
    TRANSPORT_TLSA_INVALID,
    TRANSPORT_DNSSEC_INVALID,
};

enum { TRANSPORT_NAMES_MAX = 3 };

struct transport_policy {
    enum transport_level level;
    bool is_implicit;         /* TLS from the first byte: RFC 8314 3 */
    const char *why;          /* who asked for the level: "the route"; static */
    struct slice names[TRANSPORT_NAMES_MAX]; /* that the certificate may have: a host, an
                                                address, or ".example.com" */
    size_t names_count;
};

/* A value: all texts are static. */
struct transport_facts {
    enum transport_level wanted;
    enum transport_level had;    /* TRANSPORT_CLEAR, _REQUIRED or _VERIFIED */
    enum transport_level before; /* more than `had`: what the host has shown before; else
                                    TRANSPORT_UNSAID */
    const char *why;             /* who asked for the level; NULL: nobody */
    enum transport_promise promise;
    enum transport_failure failure; /* also where mail went all the same */
    const char *version;         /* "TLSv1.3"; NULL: in clear */
    const char *cipher;
    const char *trouble;         /* why it is in clear, or not verified; NULL: neither */
    bool is_resumed;
    bool is_authenticated;       /* we said who we are */
};

/* "dane"; static; empty: none. */
static inline const char *transport_promise_text(enum transport_promise promise)
{
    switch (promise) {
    case TRANSPORT_NO_PROMISE:
        break;
    case TRANSPORT_DANE:
        return "dane";
    case TRANSPORT_DANE_UNUSABLE:
        return "dane-unusable";
    case TRANSPORT_STS:
        return "sts";
    case TRANSPORT_STS_TESTING:
        return "sts-testing";
    }
    return "";
}

/* "certificate-expired"; static; empty: none. */
static inline const char *transport_failure_text(enum transport_failure failure)
{
    switch (failure) {
    case TRANSPORT_NO_FAILURE:
        break;
    case TRANSPORT_STARTTLS_NOT_SUPPORTED:
        return "starttls-not-supported";
    case TRANSPORT_CERTIFICATE_HOST_MISMATCH:
        return "certificate-host-mismatch";
    case TRANSPORT_CERTIFICATE_EXPIRED:
        return "certificate-expired";
    case TRANSPORT_CERTIFICATE_NOT_TRUSTED:
        return "certificate-not-trusted";
    case TRANSPORT_VALIDATION_FAILURE:
        return "validation-failure";
    case TRANSPORT_TLSA_INVALID:
        return "tlsa-invalid";
    case TRANSPORT_DNSSEC_INVALID:
        return "dnssec-invalid";
    }
    return "";
}

/* "opportunistic"; static. */
static inline const char *transport_level_text(enum transport_level level)
{
    switch (level) {
    case TRANSPORT_UNSAID:
        break;
    case TRANSPORT_CLEAR:
        return "none";
    case TRANSPORT_OPPORTUNISTIC:
        return "opportunistic";
    case TRANSPORT_REQUIRED:
        return "required";
    case TRANSPORT_VERIFIED:
        return "verified";
    }
    return "";
}

#endif
