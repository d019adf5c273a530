/* crc32c.h: the Castagnoli CRC (RFC 3720 B.4), with the processor's instruction
 * where it has one. crc32c(0, x) is the CRC of x; crc32c(crc32c(0, x), y) that of
 * x followed by y. */
#ifndef GODWIT_BASE_CRC32C_H
#define GODWIT_BASE_CRC32C_H

#include "base/slice.h"

uint32_t crc32c(uint32_t crc, struct slice s);

#endif
