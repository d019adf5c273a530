/* gate.h: the filters that the configuration names (`milters`), as a gate.
 *
 * Each session speaks to each of them over a connection of its own. At every command they are
 * asked in their order; at the end of data the message goes through one after the other,
 * and each sees what those before it have changed. The content is kept back meanwhile
 * (held.h), and given back with the answer to GATE_END.
 *
 * What a filter began to change before it failed counts for nothing: a message goes on as it
 * was before that filter, or as the filter left it, never between.
 */
#ifndef GODWIT_MILTER_GATE_H
#define GODWIT_MILTER_GATE_H

#include "base/err.h"
#include "event/loop.h"
#include "event/workers.h"
#include "mail/gate.h"

/* Of one loop's thread, whose sessions alone may ask it. `folder` is copied; messages that are
 * not small wait there in files without names. The others outlive it. ERR_MEMORY. */
enum err milter_gate_open(struct loop *loop, struct workers *workers, struct slice folder,
                          struct gate **out);

/* No session is left. NULL inside is allowed. */
void milter_gate_close(struct gate **gate);

#endif
