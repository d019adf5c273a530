/* reason.h: texts of replies, each kept once however many recipients share it. */
#ifndef GODWIT_QUEUE_REASON_H
#define GODWIT_QUEUE_REASON_H

#include "base/list.h"
#include "base/table.h"

struct reason {
    struct table_entry entry;
    uint32_t references;
    char text[];
};

struct reasons {
    struct table table;
};

/* A reference to the text, cut to RECIPIENT_REASON_MAX; NULL for an empty one or
 * without memory. */
struct reason *reason_hold(struct reasons *reasons, struct slice text);

/* NULL is allowed. */
void reason_drop(struct reasons *reasons, struct reason *reason);

struct slice reason_text(const struct reason *reason);

#endif
