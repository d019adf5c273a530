/* addresses.h: the addresses in From, To, Cc and their kin.
 *
 * RFC 5322 3.4 and 4.4, RFC 6532, RFC 6854 (groups in From). All or nothing: a value
 * with one thing in it that is no address is refused as a whole, so that nobody can
 * read another author out of it than we do (HOSTILE 84, 86). Old forms (routes, blanks
 * around dots, empty list members) are read. Encoded words stay as they are: a display
 * name is for people, and an encoded word never makes an address. Any thread.
 */
#ifndef GODWIT_WIRE_MESSAGE_ADDRESSES_H
#define GODWIT_WIRE_MESSAGE_ADDRESSES_H

#include "base/arena.h"
#include "base/cursor.h"

/* Lives in the arena given. */
struct header_address {
    struct header_address *next;
    struct slice name;   /* unquoted, words joined by one space; perhaps empty */
    struct slice local;  /* without blanks and comments; quotes kept */
    struct slice domain; /* likewise; a literal keeps its brackets */
    struct slice group;  /* the name of the group that it stands in, or empty */
    bool has_route;      /* "<@relay:a@b>" */
};

struct header_addresses {
    struct header_address *first; /* NULL when there is none */
    size_t count;
    size_t groups;                /* empty ones too */
};

enum header_addresses_result {
    HEADER_ADDRESSES_OK,
    HEADER_ADDRESSES_SYNTAX,
    HEADER_ADDRESSES_NO_ROOM, /* no memory, or over HEADER_ADDRESSES_MAX */
};

enum { HEADER_ADDRESSES_MAX = 10000 };

/* `value` is a field's value, folds and all. No address at all is no fault here. The
 * parts satisfy RFC 5322, not yet RFC 5321: ask smtp_address_parse() before sending. */
enum header_addresses_result header_addresses_parse(struct slice value, struct arena *arena,
                                                    struct header_addresses *out_addresses);

/* Takes the next "<id>" of Message-ID, In-Reply-To or References (RFC 5322 3.6.4), blanks
 * and comments before it skipped; *out_id is what stands between the brackets: printable,
 * without blanks or brackets, not empty. False at the end or where something else is. */
bool message_id_next(struct cursor *c, struct slice *out_id);

#endif
