/* seven_bit.h: a message as a hop of 7 bits may have it (RFC 6152 section 3), converted
 * while it is read; nothing of it is kept. */
#ifndef GODWIT_DELIVERY_SEVEN_BIT_H
#define GODWIT_DELIVERY_SEVEN_BIT_H

#include "mail/source.h"
#include "smtp/client/client.h"

struct seven_bit;

/* Reads the message twice, to find what is to be converted and how large it becomes:
 * for a worker. ERR_OK with *out NULL: there are no 8-bit octets, it cannot be done, or
 * the message is signed, which is converted only where that is said (RFC 6376 5.3: no
 * signature outlives it). Else ERR_MEMORY, or what the source said. */
enum err seven_bit_make(struct message_source *source, struct mail_id id,
                        bool takes_signed, struct seven_bit **out);

/* NULL inside is allowed. */
void seven_bit_free(struct seven_bit **made);

/* The content, to be read in order from its beginning, as often as it is asked for.
 * The view is of the same message and borrowed until the next call, or free. */
struct smtp_client_content *seven_bit_content(struct seven_bit *made,
                                              struct message_view *view);

/* The header prefix and the content behind it, exactly `len` bytes of them. */
enum err view_read_whole(struct message_view *view, uint64_t offset, char *out, size_t len);

#endif
