/* hook_private.h: webhooks (hook.c), and what is to be told to them (hook_delivery.c). */
#ifndef GODWIT_SANDBOX_HOOK_PRIVATE_H
#define GODWIT_SANDBOX_HOOK_PRIVATE_H

#include "sandbox/box_private.h"
#include "sandbox/hook.h"

/* hook.c: of a row whose first columns are uid, workspace, created, is_paused, wish, inbox. */
json_t *hook_shown(sqlite3_stmt *row);
int64_t hook_find(struct box *box, int64_t workspace, struct slice id); /* 0: none */

#endif
