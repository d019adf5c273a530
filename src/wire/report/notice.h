/* notice.h: what a bounce says to people, where nothing in it is for programs: whom it is
 * about, and what was said of each. Qmail, Exim and old Sendmail tell no other way.
 *
 * A guess by how such texts look: a line that begins with an address begins what is said
 * of it; where there is none, an address in the middle of a line is taken. Linear in the
 * size of the text. Pure; any thread.
 */
#ifndef GODWIT_WIRE_REPORT_NOTICE_H
#define GODWIT_WIRE_REPORT_NOTICE_H

#include "base/arena.h"

enum {
    NOTICE_RECIPIENTS_MAX = 200,
    NOTICE_TEXTS_MAX = 4,          /* places that speak of one recipient */
    NOTICE_ADDRESS_MAX = 320,
};

/* Borrows from the content. */
struct notice_recipient {
    struct slice address;          /* without brackets */
    struct slice texts[NOTICE_TEXTS_MAX];
    size_t texts_count;
};

struct notice {
    struct slice text;             /* what is for people */
    struct slice original;         /* what follows: the message that was not delivered */
    struct notice_recipient *recipients;
    size_t count;
};

/* `content` has lines that end in CRLF. Addresses that occur in `strangers` (the values of
 * the report's own To and From fields) are taken only when there are no others. False: the
 * arena has no room. */
bool notice_read(struct slice content, struct slice strangers, struct arena *arena,
                 struct notice *out_notice);

/* Takes the text up to and with the next address; false when there is none. */
bool notice_address_next(struct slice *text, struct slice *out_address);

/* Where in `text` the literal is, any case; SLICE_NOT_FOUND. `lower` has no capitals. */
size_t notice_find(struct slice text, struct slice lower);

#endif
