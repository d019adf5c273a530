/* results.h: what an Authentication-Results payload says of one method (RFC 8601 2.2).
 *
 * Pure; any thread.
 */
#ifndef GODWIT_WIRE_MESSAGE_RESULTS_H
#define GODWIT_WIRE_MESSAGE_RESULTS_H

#include "base/slice.h"

/* The result that stands behind "method=" in the payload, "mx.example; spf=pass ...": that
 * of the first such part, a word of letters, borrowed from the payload. What stands in
 * quotes and in comments says nothing. False: the method is not there, or without a word. */
bool results_find(struct slice payload, struct slice method, struct slice *out_result);

#endif
