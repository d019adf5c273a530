/* watch.c: those who want to know what happens; and texts for them. */
#include "sandbox/box_private.h"

void box_watch(struct box *box, struct box_watcher *watcher)
{
    list_append(&box->watchers, &watcher->node);
}

void box_unwatch(struct box *box, struct box_watcher *watcher)
{
    (void)box;
    list_remove(&watcher->node);
}

/* A watcher may go while it is told. */
void box_tell(struct box *box, enum box_event event, int64_t workspace, json_t *what)
{
    struct list_node *node = list_first(&box->watchers);
    while (node != NULL) {
        struct list_node *next = list_next(&box->watchers, node);
        struct box_watcher *watcher = container_of(node, struct box_watcher, node);
        watcher->happened(watcher, event, workspace, what);
        node = next;
    }
}

json_t *box_text(struct slice text)
{
    json_t *made = json_stringn(text.data == NULL ? "" : text.data, text.len);
    struct buffer escaped;
    if (made != NULL)
        return made;
    buffer_init(&escaped, 4 * text.len + 1);
    buffer_append_escaped(&escaped, text);
    made = json_stringn(escaped.memory, buffer_len(&escaped));
    buffer_free(&escaped);
    return made;
}
