/* moment.c: the one place where the clocks are read. */
#include "base/moment.h"

#include <time.h>

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * SECOND_MS + t.tv_nsec / 1000000;
}

struct moment moment_now(void)
{
    return (struct moment){
        .mono_ms = clock_ms(CLOCK_MONOTONIC),
        .wall_ms = clock_ms(CLOCK_REALTIME),
    };
}
