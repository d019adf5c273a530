/* hmac.h: HMAC-SHA-256 of octets in one piece (RFC 2104). Any thread. */
#ifndef GODWIT_CRYPTO_HMAC_H
#define GODWIT_CRYPTO_HMAC_H

#include "base/err.h"
#include "base/slice.h"

enum { HMAC_BYTES = 32 };

/* ERR_MEMORY. */
enum err hmac_make(struct slice key, struct slice octets, uint8_t out[HMAC_BYTES]);

#endif
