/* srs.h: the Sender Rewriting Scheme: senders of forwarded mail as addresses of our own.
 *
 *   SRS0=hash=day=domain=local@ours       of local@domain
 *   SRS1=hash=first=rest@ours             of an SRS0 address that `first` has made
 *
 * So the next server finds us in SPF, and what comes back to the address is sent on to the
 * sender, but only with a hash of ours and within its time: it opens no relay. As Shevek's
 * description of 2003 has it and libsrs2 and postsrsd write it; the hash is eight hexadecimal
 * digits, which survive a server that changes case, of HMAC-SHA-256. Pure; any thread.
 */
#ifndef GODWIT_MAIL_SRS_H
#define GODWIT_MAIL_SRS_H

#include "base/buffer.h"
#include "base/err.h"

struct srs {
    struct slice domain;         /* ours; empty: nothing is written anew */
    const struct slice *secrets; /* the first signs, all are believed */
    size_t secrets_count;
    uint32_t days_max;           /* how long an address is good; below 1024 */
};

/* Days since 1970 of a wall clock in milliseconds. */
int64_t srs_day(int64_t wall_ms);

/* Appends what stands for `sender`, an address that was checked, in the envelope of what is
 * forwarded. ERR_INVALID: it has no domain, or what would come of it is longer than an address
 * may be; ERR_MEMORY. `out` holds nothing more then. */
enum err srs_forward(const struct srs *srs, struct slice sender, int64_t day,
                     struct buffer *out);

/* Appends the address for which this local part, as it is written, of `srs->domain` stands.
 * ERR_ABSENT: it is none of this form; ERR_INVALID: it is, but not of our making, or its time
 * is over, or what it hides is no address; ERR_MEMORY. `out` holds nothing more then. */
enum err srs_reverse(const struct srs *srs, struct slice local, int64_t day,
                     struct buffer *out);

#endif
