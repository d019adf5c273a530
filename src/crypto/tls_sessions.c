/* tls_sessions.c: sessions that may be resumed, one a place, a bounded number. */
#include "base/list.h"
#include "base/table.h"
#include "crypto/tls_private.h"
#include "crypto/tls_sessions_private.h"

#include <stdlib.h>

struct kept {
    struct table_entry entry;
    struct list_node node;
    SSL_SESSION *session;
    char key[];
};

struct tls_sessions {
    struct table table;
    struct list order; /* the one used longest ago first */
    size_t max;
};

enum err tls_sessions_open(size_t max, struct tls_sessions **out)
{
    struct tls_sessions *all = calloc(1, sizeof *all);
    if (all == NULL)
        return ERR_MEMORY;
    list_init(&all->order);
    all->max = max;
    *out = all;
    return ERR_OK;
}

static void forget(struct tls_sessions *all, struct kept *k)
{
    table_remove(&all->table, &k->entry);
    list_remove(&k->node);
    SSL_SESSION_free(k->session);
    free(k);
}

void tls_sessions_close(struct tls_sessions **sessions)
{
    struct tls_sessions *all = *sessions;
    struct list_node *node;
    *sessions = NULL;
    if (all == NULL)
        return;
    while ((node = list_first(&all->order)) != NULL)
        forget(all, container_of(node, struct kept, node));
    table_free(&all->table);
    free(all);
}

static struct kept *find(struct tls_sessions *all, const char *key)
{
    struct table_entry *e = table_find(&all->table, slice_from_string(key));
    return e == NULL ? NULL : container_of(e, struct kept, entry);
}

SSL_SESSION *tls_sessions_find(struct tls_sessions *all, const char *key)
{
    struct kept *k = find(all, key);
    if (k == NULL)
        return NULL;
    list_remove(&k->node);
    list_append(&all->order, &k->node);
    return k->session;
}

void tls_sessions_forget(struct tls_sessions *all, const char *key)
{
    struct kept *k = find(all, key);
    if (k != NULL)
        forget(all, k);
}

static struct kept *make(struct tls_sessions *all, const char *key)
{
    size_t len = strlen(key);
    if (all->max == 0)
        return NULL;
    while (all->table.count >= all->max)
        forget(all, container_of(list_first(&all->order), struct kept, node));
    struct kept *k = calloc(1, sizeof *k + len + 1);
    if (k == NULL)
        return NULL;
    memcpy(k->key, key, len);
    if (!table_insert(&all->table, &k->entry, slice_make(k->key, len))) {
        free(k);
        return NULL;
    }
    list_append(&all->order, &k->node);
    return k;
}

bool tls_sessions_keep(struct tls_sessions *all, const char *key, SSL_SESSION *session)
{
    struct kept *k = find(all, key);
    if (k == NULL)
        k = make(all, key);
    if (k == NULL)
        return false;
    SSL_SESSION_free(k->session);
    k->session = session;
    return true;
}
