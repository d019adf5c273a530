/* steps.h: the steps that led to a verdict, as short texts for people: which key was asked
 * for, which hash failed and why. At most so many of at most so many octets; all printable
 * ASCII, whatever a message or the DNS said.
 */
#ifndef GODWIT_AUTH_SIGNATURE_STEPS_H
#define GODWIT_AUTH_SIGNATURE_STEPS_H

#include <stddef.h>

enum { SIGNATURE_STEPS_MAX = 12, SIGNATURE_STEP_BYTES = 200 };

struct signature_steps {
    size_t count;
    char text[SIGNATURE_STEPS_MAX][SIGNATURE_STEP_BYTES]; /* each ended by NUL */
};

/* Adds a step; what does not fit is cut, what is one too many is dropped. */
void signature_step(struct signature_steps *steps, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
