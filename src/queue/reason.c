/* reason.c: a table of texts with counts. */
#include "queue/reason.h"

#include "mail/outcome.h"

#include <stdlib.h>

struct reason *reason_hold(struct reasons *reasons, struct slice text)
{
    text = slice_part(text, 0, RECIPIENT_REASON_MAX);
    if (text.len == 0)
        return NULL;
    struct table_entry *entry = table_find(&reasons->table, text);
    if (entry != NULL) {
        struct reason *known = container_of(entry, struct reason, entry);
        known->references++;
        return known;
    }
    struct reason *r = malloc(sizeof *r + text.len);
    if (r == NULL)
        return NULL;
    r->references = 1;
    memcpy(r->text, text.data, text.len);
    if (!table_insert(&reasons->table, &r->entry, slice_make(r->text, text.len))) {
        free(r);
        return NULL;
    }
    return r;
}

void reason_drop(struct reasons *reasons, struct reason *reason)
{
    if (reason == NULL || --reason->references > 0)
        return;
    table_remove(&reasons->table, &reason->entry);
    free(reason);
}

struct slice reason_text(const struct reason *reason)
{
    return reason == NULL ? slice_make(NULL, 0) : reason->entry.key;
}
