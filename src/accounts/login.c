#include "accounts/login.h"

#include "base/ascii.h"
#include "wire/smtp/address.h"

static bool has_logins(const struct config_domain *d)
{
    for (size_t i = 0; i < d->users_count; i++)
        if (!slice_is_empty(d->users[i].secret))
            return true;
    return false;
}

/* The only domain in which somebody can log in, or NULL. */
static const struct config_domain *only_domain(const struct config *config)
{
    const struct config_domain *found = NULL;
    for (const struct table_entry *e = table_next(&config->domains, NULL); e != NULL;
         e = table_next(&config->domains, e)) {
        const struct config_domain *d = config_domain(config, e->key);
        if (!has_logins(d))
            continue;
        if (found != NULL)
            return NULL;
        found = d;
    }
    return found;
}

static const struct config_user *find_at(const struct config_domain *domain,
                                         struct slice local, struct buffer *account)
{
    buffer_clear(account);
    smtp_local_unquoted(local, account);
    for (size_t i = account->start; i < account->end; i++)
        account->memory[i] = ascii_lower(account->memory[i]);
    const struct config_user *user = config_domain_user(domain, buffer_slice(account));
    buffer_append_byte(account, '@');
    buffer_append(account, domain->name);
    return user;
}

enum err login_find(const struct config *config, struct slice name, struct buffer *account,
                    const struct config_user **out_user)
{
    const struct config_domain *domain = NULL;
    const struct config_user *user = NULL;
    struct smtp_address address;
    struct buffer canonical;
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    buffer_clear(account);
    buffer_append(account, name);
    if (name.len > LOGIN_NAME_MAX) {
        buffer_truncate(account, 0);
    } else if (slice_find(name, '@') == SLICE_NOT_FOUND) {
        domain = only_domain(config);
        if (domain != NULL)
            user = find_at(domain, name, account);
    } else if (smtp_address_parse(name, SMTP_UTF8_ALLOWED, &address) == SMTP_PATH_OK &&
               smtp_domain_canonical(address.domain, &canonical)) {
        domain = config_domain(config, buffer_slice(&canonical));
        if (domain != NULL && domain->kind == CONFIG_DOMAIN_LOCAL)
            user = find_at(domain, address.local, account);
    }
    bool overflow = account->overflow || canonical.overflow;
    buffer_free(&canonical);
    if (overflow)
        return ERR_MEMORY;
    *out_user = user;
    return ERR_OK;
}
