/* content_type_private.h: what a Content-Type field says, as far as a message's
 * structure hangs on it (RFC 2045 5.1, RFC 2046 5). */
#ifndef GODWIT_WIRE_MESSAGE_CONTENT_TYPE_PRIVATE_H
#define GODWIT_WIRE_MESSAGE_CONTENT_TYPE_PRIVATE_H

#include "base/buffer.h"
#include "wire/message/downgrade.h"

enum content_class {
    CONTENT_TEXT,
    CONTENT_MULTIPART,      /* with a usable boundary */
    CONTENT_MESSAGE,        /* message/rfc822 */
    CONTENT_OTHER,
    CONTENT_OPAQUE,         /* may not be coded, or nobody knows what it is */
};

struct content_type {
    enum content_class class;
    bool is_signed;         /* multipart/signed */
    bool is_digest;         /* multipart/digest: its parts are messages by default */
    uint16_t boundary_len;
    char boundary[DOWNGRADE_BOUNDARY_MAX];
};

/* The value of the field, folds kept. What cannot be read is CONTENT_OPAQUE. */
void content_type_read(struct slice value, struct content_type *out);

/* encoding := "7bit" / "8bit" / "binary" / "quoted-printable" / "base64" / token */
enum content_label {
    LABEL_NONE,             /* no such field */
    LABEL_7BIT,
    LABEL_8BIT,             /* or binary */
    LABEL_ENCODED,          /* any other */
};

enum content_label content_label_read(struct slice value);

#endif
