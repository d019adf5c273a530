/* must.c: how the program ends when it finds itself wrong. */
#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local uint64_t trace_id;

void must_trace_set(uint64_t id)
{
    trace_id = id;
}

_Noreturn void must_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "godwit: bug: %s:%d: %s (trace %016" PRIx64 ")\n", file,
            line, condition, trace_id);
    fflush(stderr);
    abort();
}
