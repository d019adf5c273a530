/* held.h: a body that waits for what filters say of it: a little in memory, the rest in a
 * file without a name, which is gone when the process is.
 *
 * Written once from front to back, read in any order. The file is touched by the worker
 * pool alone. It belongs to one thread, on which all calls are made and `ready` is called.
 */
#ifndef GODWIT_MILTER_HELD_H
#define GODWIT_MILTER_HELD_H

#include "base/err.h"
#include "base/slice.h"
#include "base/task.h"
#include "event/workers.h"

struct held_options {
    struct workers *workers;     /* outlives it */
    struct home *home;           /* of its thread; likewise */
    const char *folder;          /* where the file is; likewise */
    uint64_t bytes_max;
};

struct held;

enum held_result {
    HELD_OK,
    HELD_WAIT,                   /* ready() follows, never from inside of the call */
    HELD_FAILED,                 /* held_trouble() says why; so it stays */
};

/* ERR_MEMORY. No file is made before one is needed. */
enum err held_open(const struct held_options *options, struct held **out);

/* May be called while it waits: ready() does not follow then. NULL inside is allowed. */
void held_close(struct held **held);

/* Who is told; NULL: nobody. */
void held_tell(struct held *held, void (*ready)(void *context), void *context);

/* Copies the octets. With HELD_WAIT they are taken; append no more before ready(), but for
 * what is in hand already. ERR_FULL beyond bytes_max. */
enum held_result held_append(struct held *held, struct slice bytes);

/* What stands from `at` on, as much as is at hand; nothing at the end. Borrowed until the next
 * call. */
enum held_result held_read(struct held *held, uint64_t at, struct slice *out);

uint64_t held_size(const struct held *held);
bool held_is_busy(const struct held *held);
enum err held_trouble(const struct held *held);

#endif
