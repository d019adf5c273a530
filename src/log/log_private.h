/* log_private.h: between the maker of lines and the rings. */
#ifndef GODWIT_LOG_LOG_PRIVATE_H
#define GODWIT_LOG_LOG_PRIVATE_H

#include "log/log.h"

#include <stdatomic.h>

struct log_state {
    enum log_form form; /* set before the threads start */
    _Atomic int least;
};

extern struct log_state log_state;

/* Hands a whole line, with its LF, to the calling thread's ring. */
void log_put(const char *text, size_t len);

#endif
