/* sealed.h: the ARC set of a message that came from a stranger and goes on elsewhere
 * (RFC 8617 5.1): what we found when it came in, sealed over what leaves.
 */
#ifndef GODWIT_DELIVERY_SEALED_H
#define GODWIT_DELIVERY_SEALED_H

#include "base/buffer.h"
#include "delivery/route.h"
#include "mail/source.h"

/* Reads the message once, for a worker. The set, three whole fields, is appended to `out`;
 * nothing is where the message has no Authentication-Results of ours before its content, or
 * where no seal may be added (RFC 8617 5.1.2: the chain has failed; 50 sets). ERR_MEMORY, or
 * what the source said. */
enum err sealed_make(struct message_source *source, struct mail_id id,
                     const struct delivery_sealing *how, int64_t now_s, struct buffer *out);

#endif
