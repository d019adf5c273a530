/* nearest.h: the name that somebody may have meant. */
#ifndef GODWIT_CLI_NEAREST_H
#define GODWIT_CLI_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *wanted;
    const char *best;    /* NULL: nothing is near enough */
    size_t distance;     /* of it */
};

/* Begins with nothing found; names further away than three edits, or than half of
 * the word, are not near. */
struct nearest nearest_to(const char *wanted);
void nearest_offer(struct nearest *n, const char *name);

#endif
