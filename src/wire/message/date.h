/* date.h: dates of messages: RFC 5322 3.3, and 4.3 for old ones. Pure; any thread. */
#ifndef GODWIT_WIRE_MESSAGE_DATE_H
#define GODWIT_WIRE_MESSAGE_DATE_H

#include "base/buffer.h"

struct date {
    int64_t wall_ms;      /* the moment, since 1970-01-01T00:00:00Z */
    int16_t zone_minutes; /* east of Greenwich, as it was written */
};

/* The whole of `text` is a date-time; folds and comments may stand in it, years of
 * two and three digits and zones by name too (unknown ones and the military letters
 * mean +0000). The day of the week is not held against the date. False, *out_date
 * untouched, for anything else, also for a 30th of February. */
bool date_parse(struct slice text, struct date *out_date);

/* "Tue, 1 Jul 2003 10:52:37 +0200". A zone beyond a day is our bug. */
void date_append(struct buffer *out, int64_t wall_ms, int zone_minutes);

#endif
