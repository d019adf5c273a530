/* senders.c: as whom an account may send. */
#include "accounts/find_private.h"

#include "wire/smtp/address.h"

static bool is_among(struct slice account, const struct slice *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(all[i], account))
            return true;
    return false;
}

static bool is_in(struct slice account, const struct config_alias *senders)
{
    return senders != NULL && is_among(account, senders->targets, senders->targets_count);
}

/* Both parts of an address, as find_account() makes its key. */
static const struct config_domain *domain_of(const struct config *config, struct slice key,
                                             struct slice *out_local)
{
    size_t at = key.data == NULL ? SLICE_NOT_FOUND : slice_find_last(key, '@');
    if (at == SLICE_NOT_FOUND)
        return NULL;
    *out_local = slice_part(key, 0, at);
    return config_domain(config, slice_from(key, at + 1));
}

/* account = name "@" domain, as login_find() makes it */
static bool is_account(struct slice account, const struct config_user *user,
                       const struct config_domain *domain)
{
    return user != NULL && domain != NULL &&
           account.len == user->name.len + 1 + domain->name.len &&
           slice_equal(slice_part(account, 0, user->name.len), user->name) &&
           slice_equal(slice_from(account, user->name.len + 1), domain->name);
}

enum err accounts_may_send(const struct config *config, struct slice account,
                           struct slice address, bool *out_may)
{
    struct found found;
    struct buffer key;
    struct slice local;
    buffer_init(&key, 1024);
    enum err error = find_account(config, address, &key, &found);
    if (error == ERR_OK) {
        const struct config_domain *domain = domain_of(config, buffer_slice(&key), &local);
        bool is_own = is_account(account, found.user, domain);
        /* Who alone gets an alias's mail may answer as it. */
        bool is_alias = found.kind == ACCOUNT_ALIAS && found.targets_count == 1 &&
                        is_among(account, found.targets, 1) &&
                        domain != NULL && config_domain_alias(domain, local) != NULL;
        *out_may = is_own || is_alias ||
                   (domain != NULL && (is_in(account, config_domain_senders(domain, local)) ||
                                       is_in(account,
                                             config_domain_senders(domain, SLICE("*")))));
    }
    buffer_free(&key);
    return error;
}
