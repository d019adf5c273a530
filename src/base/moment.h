/* moment.h: time as a value.
 *
 * Logic never reads a clock: it is given a moment. Due times, timeouts and ages
 * use the monotonic part; what is shown, sent or kept over a restart uses the
 * wall part. Only the event loop, the log and the threads of floor 3 call
 * moment_now().
 */
#ifndef GODWIT_BASE_MOMENT_H
#define GODWIT_BASE_MOMENT_H

#include <stdint.h>

struct moment {
    int64_t mono_ms; /* since boot, never jumps, no meaning after a reboot */
    int64_t wall_ms; /* since 1970-01-01T00:00:00Z, may jump */
};

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

struct moment moment_now(void);

/* The wall time that a monotonic time has, seen from `now`. */
static inline int64_t moment_wall_of(struct moment now, int64_t mono_ms)
{
    return now.wall_ms + (mono_ms - now.mono_ms);
}

/* The monotonic time that a wall time has, seen from `now`. */
static inline int64_t moment_mono_of(struct moment now, int64_t wall_ms)
{
    return now.mono_ms + (wall_ms - now.wall_ms);
}

#endif
