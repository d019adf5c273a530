/* keys.c: who signs with what; and for which names. */
#include "seal/seal_private.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/must.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { ARENA_MAX = 256 * 1024 * 1024 };

struct seal_keys {
    atomic_uint references;
    struct table domains;        /* of struct sealer */
    struct arena arena;
};

/* What a signature cannot have shows here, and not when a message waits for it. */
static enum err try_out(const struct sealer *s)
{
    struct dkim_signer *signer = NULL;
    enum dkim_signing_fault fault;
    enum err error = dkim_signer_new(s->signings, s->count, SLICE("From: x@x.test\r\n"),
                                     &signer, &fault);
    dkim_signer_free(&signer);
    return error;
}

static enum err add(struct seal_keys *keys, const struct seal_domain *from)
{
    struct sealer *s = arena_alloc(&keys->arena, sizeof *s);
    struct slice name;
    must(from->keys_count > 0 && from->keys_count <= DKIM_KEYS_MAX);
    if (s == NULL || !arena_copy(&keys->arena, from->name, &name) ||
        !table_insert(&keys->domains, &s->entry, name))
        return ERR_MEMORY;
    s->signs_below = from->signs_below;
    for (size_t i = 0; i < from->keys_count; i++) {
        struct dkim_signing *one = &s->signings[i];
        *one = (struct dkim_signing){ .domain = name, .header = CANONICAL_RELAXED,
                                      .body = CANONICAL_RELAXED, .signed_at_s = -1,
                                      .expires_at_s = -1 };
        if (!arena_copy(&keys->arena, from->keys[i].selector, &one->selector))
            return ERR_MEMORY;
        one->key = private_key_hold(from->keys[i].key);
        s->count++;
    }
    return try_out(s);
}

enum err seal_keys_make(const struct seal_domain *domains, size_t count,
                        struct seal_keys **out)
{
    struct seal_keys *keys = calloc(1, sizeof *keys);
    enum err error = keys == NULL ? ERR_MEMORY : ERR_OK;
    if (keys != NULL) {
        atomic_init(&keys->references, 1);
        table_init(&keys->domains);
        arena_init(&keys->arena, ARENA_MAX);
    }
    for (size_t i = 0; error == ERR_OK && i < count; i++)
        error = add(keys, &domains[i]);
    if (error == ERR_OK)
        *out = keys;
    else
        seal_keys_drop(&keys);
    return error;
}

struct seal_keys *seal_keys_hold(struct seal_keys *keys)
{
    atomic_fetch_add(&keys->references, 1);
    return keys;
}

void seal_keys_drop(struct seal_keys **keys)
{
    struct seal_keys *k = *keys;
    *keys = NULL;
    if (k == NULL || atomic_fetch_sub(&k->references, 1) > 1)
        return;
    for (struct table_entry *e = NULL; (e = table_next(&k->domains, e)) != NULL;) {
        struct sealer *s = container_of(e, struct sealer, entry);
        for (size_t i = 0; i < s->count; i++)
            private_key_drop(&s->signings[i].key);
    }
    table_free(&k->domains);
    arena_free(&k->arena);
    free(k);
}

bool seal_keys_are_none(const struct seal_keys *keys)
{
    return keys->domains.count == 0;
}

const struct sealer *seal_keys_find(const struct seal_keys *keys, struct slice domain)
{
    for (bool is_itself = true; domain.len > 0; is_itself = false) {
        const struct table_entry *e = table_find(&keys->domains, domain);
        const struct sealer *s = e == NULL ? NULL : container_of(e, struct sealer, entry);
        if (s != NULL && (is_itself || s->signs_below))
            return s;
        size_t dot = slice_find(domain, '.');
        domain = dot == SLICE_NOT_FOUND ? slice_make(NULL, 0) : slice_from(domain, dot + 1);
    }
    return NULL;
}
