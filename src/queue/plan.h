/* plan.h: when the next attempt is due. Pure. */
#ifndef GODWIT_QUEUE_PLAN_H
#define GODWIT_QUEUE_PLAN_H

#include "config/config.h"

/* The delay after `failures` failed attempts (from 1): the first delay, times the
 * factor for each further one, at most the greatest, with jitter: `random` (any
 * 32 bits) spreads it evenly over the jitter's range on both sides. */
int64_t plan_delay_ms(const struct config_queue *queue, uint32_t failures,
                      uint32_t random);

#endif
