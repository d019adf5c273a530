/* wheel.h: what is due later, by second, in lists: putting in and taking out cost the
 * same however many there are.
 *
 * Three rings: 256 slots of a second, 256 of 256 seconds, 256 of 65,536 seconds (half a
 * year). An entry far away is moved to a finer ring when its slot comes. Pure: time is
 * a parameter. One thread.
 */
#ifndef GODWIT_QUEUE_WHEEL_H
#define GODWIT_QUEUE_WHEEL_H

#include "base/list.h"

#include <stdint.h>

enum { WHEEL_SLOTS = 256, WHEEL_RINGS = 3 };

struct wheel_entry {
    struct list_node node;
    uint32_t due_s; /* since the wheel's start */
};

struct wheel {
    int64_t start_ms;
    uint32_t now_s; /* everything due up to here has been given out */
    size_t count;
    struct list rings[WHEEL_RINGS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, int64_t now_ms);

/* Puts the entry in; it must not be in. A time in the past is due at the next turn. */
void wheel_add(struct wheel *wheel, struct wheel_entry *entry, int64_t due_ms);

/* Harmless when it is not in. */
void wheel_remove(struct wheel *wheel, struct wheel_entry *entry);

/* Takes everything that is due at `now_ms` out and appends it to `due`. */
void wheel_turn(struct wheel *wheel, int64_t now_ms, struct list *due);

/* When to call wheel_turn() next: never later than the first entry is due, perhaps
 * earlier; -1 when the wheel is empty. */
int64_t wheel_next_ms(const struct wheel *wheel);

#endif
