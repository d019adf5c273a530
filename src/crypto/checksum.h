/* checksum.h: the digests that people hold files against: MD5, SHA-1 and SHA-256 as hex.
 *
 * Nothing is proven by the first two; tools show them all the same. Pure; any thread.
 */
#ifndef GODWIT_CRYPTO_CHECKSUM_H
#define GODWIT_CRYPTO_CHECKSUM_H

#include "base/err.h"
#include "base/slice.h"

/* Small letters, terminated. */
struct checksums {
    char md5[33];
    char sha1[41];
    char sha256[65];
};

/* ERR_MEMORY, also where the library has no such digest. */
enum err checksums_of(struct slice octets, struct checksums *out);

#endif
