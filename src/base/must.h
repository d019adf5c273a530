/* must.h: the assertion that stays on.
 *
 * must() is for our own bugs only: a condition that no input, no peer and no
 * machine fault can make false. It writes the place and the current trace id to
 * standard error and aborts; the supervisor restarts the engine and the spool
 * recovers. Never use it for a peer's bytes or a failed system call.
 */
#ifndef GODWIT_BASE_MUST_H
#define GODWIT_BASE_MUST_H

#include <stdint.h>

/* The id (session or message) that a failing must() on this thread reports. */
void must_trace_set(uint64_t id);

_Noreturn void must_fail(const char *condition, const char *file, int line);

#define must(condition)                                                        \
    ((condition) ? (void)0 : must_fail(#condition, __FILE__, __LINE__))

#endif
