/* reason.h: why a message did not arrive, in one word. A closed list, so that it can be
 * counted. */
#ifndef GODWIT_BOUNCE_REASON_H
#define GODWIT_BOUNCE_REASON_H

#include "base/slice.h"

enum bounce_reason {
    BOUNCE_UNDEFINED,       /* nothing was said */
    BOUNCE_AUTHFAILURE,     /* SPF, DKIM or DMARC failed */
    BOUNCE_BADREPUTATION,   /* the client's or the domain's standing is too low */
    BOUNCE_BLOCKED,         /* the client's address or name is refused or listed */
    BOUNCE_CONTENTERROR,    /* the form of the message: header, MIME, characters */
    BOUNCE_DELIVERED,       /* no failure at all */
    BOUNCE_EXCEEDLIMIT,     /* larger than this recipient takes */
    BOUNCE_EXPIRED,         /* tried for too long, or still being tried */
    BOUNCE_FEEDBACK,        /* a complaint */
    BOUNCE_FILTERED,        /* the recipient's own settings, or refused after the content */
    BOUNCE_HASMOVED,        /* the mailbox has another address now */
    BOUNCE_HOSTUNKNOWN,     /* the domain does not exist */
    BOUNCE_MAILBOXFULL,
    BOUNCE_MAILERERROR,     /* a program that delivers locally failed */
    BOUNCE_MESGTOOBIG,      /* larger than the system takes */
    BOUNCE_NETWORKERROR,    /* routing, the DNS, a lost connection */
    BOUNCE_NORELAYING,
    BOUNCE_NOTACCEPT,       /* the domain takes no mail */
    BOUNCE_NOTCOMPLIANTRFC, /* the message breaks RFC 5322 */
    BOUNCE_ONHOLD,          /* what was said is not understood */
    BOUNCE_POLICYVIOLATION,
    BOUNCE_REJECTED,        /* the sender's address is refused */
    BOUNCE_REQUIREPTR,      /* the client's address has no name */
    BOUNCE_SECURITYERROR,   /* authentication or encryption is asked for */
    BOUNCE_SPAMDETECTED,
    BOUNCE_SPEEDING,        /* too much in too short a time */
    BOUNCE_SUSPEND,         /* the mailbox is switched off */
    BOUNCE_SYNTAXERROR,     /* of commands or addresses */
    BOUNCE_SYSTEMERROR,     /* of the receiving system: configuration, loops */
    BOUNCE_SYSTEMFULL,      /* its disk */
    BOUNCE_TOOMANYCONN,
    BOUNCE_USERUNKNOWN,
    BOUNCE_VACATION,        /* an answer by a machine */
    BOUNCE_VIRUSDETECTED,
    BOUNCE_REASONS,         /* how many there are */
};

/* "userunknown" */
const char *bounce_reason_name(enum bounce_reason reason);

/* Whether sending to that address again is pointless. */
bool bounce_reason_is_hard(enum bounce_reason reason);

/* The detail of the status x.0.9nn that stands for a reason where a report has none;
 * 0: none does. No other system gives such codes. */
uint16_t bounce_reason_detail(enum bounce_reason reason);

#endif
