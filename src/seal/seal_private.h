/* seal_private.h: the keys, as the writers find them. */
#ifndef GODWIT_SEAL_SEAL_PRIVATE_H
#define GODWIT_SEAL_SEAL_PRIVATE_H

#include "auth/dkim/sign.h"
#include "base/table.h"
#include "seal/seal.h"

struct sealer {
    struct table_entry entry;    /* by the name of the domain; first */
    struct dkim_signing signings[DKIM_KEYS_MAX];
    size_t count;
    bool signs_below;
};

/* Who signs for that domain, or NULL. Borrowed from the keys. */
const struct sealer *seal_keys_find(const struct seal_keys *keys, struct slice domain);

bool seal_keys_are_none(const struct seal_keys *keys);

#endif
