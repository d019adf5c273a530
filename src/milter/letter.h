/* letter.h: a message as filters see it, and what they change of it.
 *
 * The header is a row of fields, each with its CRLF; a body is held elsewhere. Whatever a
 * filter says becomes whole fields and checked addresses: no line end of its own gets
 * through (HOSTILE 13). A fork shares all texts with its original, so that what a filter
 * that fails has begun is forgotten by dropping the fork. Pure; one owner, one thread.
 */
#ifndef GODWIT_MILTER_LETTER_H
#define GODWIT_MILTER_LETTER_H

#include "base/arena.h"
#include "mail/envelope.h"

struct letter_limits {
    size_t header_bytes;
    size_t header_fields;
    size_t recipients;
};

struct letter {
    struct arena *arena;          /* outlives it; what is new lies there */
    struct letter_limits limits;
    struct slice *fields;         /* whole lines; one that is no field keeps its place */
    size_t fields_count;
    size_t fields_room;
    size_t header_bytes;
    bool has_end;                 /* the empty line stands behind them */
    struct slice sender;
    struct slice envid;
    enum dsn_ret ret;
    struct envelope_recipient *recipients;
    size_t recipients_count;
    size_t recipients_room;
    bool is_utf8;                 /* an address that was put in is not ASCII */
    bool has_8bit;                /* likewise a field */
    bool hold;
    unsigned header_edits;
    unsigned envelope_edits;
};

/* Copies the header block, with its empty line if it has one, and borrows the parts of the
 * envelope. False without memory. */
bool letter_make(struct letter *letter, struct arena *arena,
                 const struct letter_limits *limits, struct slice header,
                 const struct envelope *envelope);

/* Puts the fields of another block before all others, and before these the place of our own
 * Received field, an empty slice: as with Sendmail and Postfix no filter sees that field, but
 * it counts where one says a place for a new field. False without memory. */
bool letter_prepend(struct letter *letter, struct slice header);

/* The same message, to be changed apart; false without memory. */
bool letter_fork(const struct letter *letter, struct letter *out);

/* Name and value of a field: what follows the colon, without its CRLF. False: these lines are
 * none, and no filter sees them. */
bool letter_field(const struct letter *letter, size_t index, struct slice *out_name,
                  struct slice *out_value);

/* The edits. NULL when it is done, else what is wrong with it: static text. `is_exact`: the
 * value has its own space in front. */
const char *letter_add(struct letter *letter, struct slice name, struct slice value,
                       bool is_exact);
/* Before the field that is the `index`-th, from 0; behind all when there are fewer. */
const char *letter_insert(struct letter *letter, uint32_t index, struct slice name,
                          struct slice value, bool is_exact);
/* The `index`-th of that name, from 1; an empty value takes it out. One that is not there is
 * added. */
const char *letter_change(struct letter *letter, uint32_t index, struct slice name,
                          struct slice value, bool is_exact);
/* recipients.c. "<" and ">" may stand around an address. */
const char *letter_add_recipient(struct letter *letter, struct slice text,
                                 struct slice parameters);
const char *letter_delete_recipient(struct letter *letter, struct slice text);
const char *letter_set_sender(struct letter *letter, struct slice text,
                              struct slice parameters);

#endif
