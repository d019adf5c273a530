/* plan.c: exponential back-off (RFC 5321 4.5.4.1). */
#include "queue/plan.h"

int64_t plan_delay_ms(const struct config_queue *queue, uint32_t failures,
                      uint32_t random)
{
    int64_t delay = queue->retry_first_ms;
    for (uint32_t i = 1; i < failures && delay < queue->retry_max_ms; i++)
        delay = delay * queue->retry_factor_percent / 100;
    if (delay > queue->retry_max_ms)
        delay = queue->retry_max_ms;
    int64_t spread = delay * queue->retry_jitter_percent / 100;
    int64_t shift = spread == 0 ? 0 : (int64_t)random % (2 * spread + 1) - spread;
    delay += shift;
    return delay < 1 ? 1 : delay;
}
