/* windows.h: how much somebody has had in a while, in a sliding window.
 *
 * Three sums for each key. What was had in the window before counts in part, as much of that
 * one as still lies within reach. In memory only: a restart begins anew. Any thread; a lock
 * for each call.
 */
#ifndef GODWIT_POLICY_WINDOWS_H
#define GODWIT_POLICY_WINDOWS_H

#include "base/err.h"
#include "base/slice.h"

enum { WINDOWS_SUMS = 3, WINDOWS_KEYS_MAX = 2 };

struct windows_sums {
    uint64_t of[WINDOWS_SUMS];
};

/* Who has something, and the most of each in a window; 0: as much as it likes. */
struct windows_key {
    struct slice key;
    struct windows_sums max;
};

struct windows;

/* Remembers at most `keys_max`; of more the longest quiet are forgotten. ERR_OK, or
 * ERR_MEMORY. */
enum err windows_open(size_t keys_max, struct windows **out);
void windows_close(struct windows **windows); /* NULL inside is allowed */

/* Whether each of the keys, WINDOWS_KEYS_MAX at most, may have `more`; where all may and
 * `counts`, they have had it from now on. What may not be had does not count, so who asks on
 * and on gets what is allowed and no more. Times in milliseconds of one clock that does not
 * go back. Without memory everybody may. */
bool windows_take(struct windows *windows, const struct windows_key *keys, size_t keys_count,
                  int64_t now_ms, int64_t window_ms, const struct windows_sums *more,
                  bool counts);

#endif
