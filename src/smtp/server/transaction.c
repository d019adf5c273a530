/* transaction.c: the one mail transaction of a session, and its end.
 *
 * RFC 5321 3.3 and 4.1.1.5. All that MAIL, RCPT and the content leave behind lies in
 * here and nowhere else, so that dropping it forgets everything.
 */
#include "smtp/server/server_private.h"

#include <stdlib.h>

void transaction_init(struct transaction *t)
{
    *t = (struct transaction){ 0 };
    arena_init(&t->arena, TRANSACTION_BYTES_MAX);
}

void transaction_drop(struct smtp_server *s)
{
    struct transaction *t = &s->txn;
    if (t->intake_begun)
        s->dropped = true;
    free(t->recipients);
    arena_reset(&t->arena); /* keeps one small block: the next MAIL is near */
    *t = (struct transaction){ .arena = t->arena };
}

static bool make_room(struct transaction *t)
{
    if (t->envelope.recipients_count < t->recipients_room)
        return true;
    size_t room = t->recipients_room == 0 ? 1 : t->recipients_room * 4;
    struct envelope_recipient *more =
        reallocarray(t->recipients, room, sizeof *more);
    if (more == NULL)
        return false;
    t->recipients = more;
    t->recipients_room = room;
    t->envelope.recipients = more;
    return true;
}

bool transaction_add(struct transaction *t, const struct envelope_recipient *r)
{
    struct envelope_recipient copy = *r;
    if (!make_room(t) || !arena_copy(&t->arena, r->address, &copy.address) ||
        !arena_copy(&t->arena, r->orcpt, &copy.orcpt))
        return false;
    t->recipients[t->envelope.recipients_count++] = copy;
    return true;
}
