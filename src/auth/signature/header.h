/* header.h: the hash over the header fields that a signature covers (RFC 6376 3.7, 5.4.2).
 * One owner, one thread.
 */
#ifndef GODWIT_AUTH_SIGNATURE_HEADER_H
#define GODWIT_AUTH_SIGNATURE_HEADER_H

#include "base/arena.h"
#include "crypto/digest.h"
#include "wire/message/canonical.h"

/* The fields of one message. The header is borrowed for the life of this. */
struct signature_header {
    const struct header_field *fields;
    const uint32_t *hashes; /* of their names in lower case */
    bool *is_taken;      /* by the signature that is being hashed */
    size_t count;
    struct buffer scratch;
};

/* ERR_FULL: more than HEADER_FIELDS_MAX fields. ERR_MEMORY. In all cases it may be given to
 * signature_header_free(), once. */
enum err signature_header_read(struct slice header, struct arena *arena,
                               struct signature_header *out);
void signature_header_free(struct signature_header *header);

/* Whether a field may stand before this header: one that begins with a blank would become
 * the end of that field. */
bool signature_header_may_follow(struct slice header);

/* Which fields, in which form. */
struct signature_choice {
    struct slice names;  /* with colons between: each stands for the lowest field of that
                            name that was not yet chosen, or for nothing */
    enum canonical_kind form;
    size_t without;      /* the place of the signature's own field, or SIZE_MAX */
};

/* ERR_MEMORY. */
enum err signature_header_hash(struct signature_header *header,
                               const struct signature_choice *choice,
                               struct digest *digest);

/* One field; `without` is what is left out of it. With `is_last` without its CRLF, as the
 * signature's own field is taken. ERR_MEMORY. */
enum err signature_header_hash_field(struct signature_header *header,
                                     enum canonical_kind form,
                                     const struct header_field *field,
                                     struct slice without, struct digest *digest);
enum err signature_header_hash_last(struct signature_header *header,
                                    enum canonical_kind form,
                                    const struct header_field *field,
                                    struct slice without, struct digest *digest);

#endif
