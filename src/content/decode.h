/* decode.h: the octets of one part by their place in the message, and text as UTF-8.
 *
 * RFC 2045 6.7 and 6.8; HOSTILE 105 and 109. Lenient as mail readers are: what does not belong
 * is passed over, what is cut short ends. Conversion is iconv's, with the charsets that mail
 * says in place of those it means (ISO-8859-1 is Windows-1252, GB2312 is GB18030). In its own
 * process where mail comes from strangers; one thread at a time.
 */
#ifndef GODWIT_CONTENT_DECODE_H
#define GODWIT_CONTENT_DECODE_H

#include "base/buffer.h"

/* To be kept as numbers. */
enum content_encoding {
    CONTENT_ENCODING_NONE = 0, /* 7bit, 8bit, binary, or what nobody knows */
    CONTENT_ENCODING_BASE64 = 1,
    CONTENT_ENCODING_QUOTED = 2,
    CONTENT_ENCODING_UUENCODE = 3,
};

/* Where the encoded octets of a part lie in the message as it came. */
struct content_place {
    uint64_t offset;
    uint64_t length;
    enum content_encoding encoding;
};

/* Of the value of Content-Transfer-Encoding, any case. */
enum content_encoding content_encoding_of(struct slice name);

/* Appends what the octets at the place mean; a place beyond the message is cut to it. Never
 * more octets than there are; what `out` has no room for shows as its overflow. */
void content_decode_part(struct slice message, struct content_place place, struct buffer *out);

/* Appends the octets as UTF-8. What is none in that charset becomes U+FFFD, and so does NUL.
 * Without a charset, or one that nobody knows, or US-ASCII: UTF-8 where it is that, else
 * Windows-1252. */
void content_to_utf8(struct slice octets, struct slice charset, struct buffer *out);

/* Loads what conversions and GMime read from files, once. A process that gives up its files
 * calls this before; elsewhere nobody has to. */
void content_start(void);

#endif
