/* dead.c: addresses that could not be reached lately, a few for each thread. They are
 * tried after all others, so that one dead host of many costs its timeout once. */
#include "delivery/delivery_private.h"

enum { DEAD_MS = 5 * MINUTE_MS };

static bool is_same(const struct net_address *a, const struct net_address *b)
{
    return a->len == b->len && net_address_equal_host(a, b) &&
           net_address_port(a) == net_address_port(b);
}

static struct dead_host *find(struct delivery_thread *t,
                              const struct net_address *address)
{
    for (uint32_t i = 0; i < DEAD_HOSTS_MAX; i++)
        if (t->dead[i].until_mono_ms != 0 && is_same(&t->dead[i].address, address))
            return &t->dead[i];
    return NULL;
}

bool dead_host_is_known(struct delivery_thread *t, const struct net_address *address)
{
    const struct dead_host *h = find(t, address);
    return h != NULL && h->until_mono_ms > loop_now(t->loop).mono_ms;
}

void dead_host_note(struct delivery_thread *t, const struct net_address *address)
{
    struct dead_host *h = find(t, address);
    if (h == NULL)
        h = &t->dead[t->dead_next++ % DEAD_HOSTS_MAX];
    h->address = *address;
    h->until_mono_ms = loop_now(t->loop).mono_ms + DEAD_MS;
}

void dead_host_forget(struct delivery_thread *t, const struct net_address *address)
{
    struct dead_host *h = find(t, address);
    if (h != NULL)
        h->until_mono_ms = 0;
}
