/* find.c: one address among the domains, users and aliases. */
#include "accounts/find_private.h"

#include "base/ascii.h"
#include "base/moment.h"
#include "wire/smtp/address.h"

static const struct slice postmaster = SLICE_INIT("postmaster");

static void stands_for(struct found *f, const struct slice *targets, size_t count)
{
    f->kind = ACCOUNT_ALIAS;
    f->targets = targets;
    f->targets_count = count;
}

/* local = name [ delimiter detail ]: what a name alone has, its subaddresses have
 * (RFC 5233 1); of one that stands there as it is this is not asked. */
static struct slice without_detail(const struct config_domain *domain, struct slice local)
{
    size_t at = slice_is_empty(domain->subaddress) || slice_is_empty(local)
                    ? SLICE_NOT_FOUND : slice_find(local, domain->subaddress.data[0]);
    return at == SLICE_NOT_FOUND || at == 0 ? local : slice_part(local, 0, at);
}

/* A Maildir is one person's; whoever else delivers may look at the detail itself. */
static void is_subaddress(const struct config *config, const struct config_domain *domain,
                          struct found *f)
{
    if (config_route(config, domain->name)->way == CONFIG_WAY_MAILDIR)
        stands_for(f, &f->user->address, 1);
    else
        f->kind = ACCOUNT_USER;
}

struct srs srs_of(const struct config *config)
{
    return (struct srs){
        .domain = config->srs.domain, .secrets = config->srs.secrets,
        .secrets_count = config->srs.secrets_count,
        .days_max = (uint32_t)srs_day(config->srs.max_age_ms),
    };
}

/* Whether somebody's bounce comes back to a sender that we wrote anew. */
static enum err find_return(const struct config *config, const struct config_domain *domain,
                            struct slice written, struct found *f)
{
    struct srs srs = srs_of(config);
    if (slice_is_empty(srs.domain) || !slice_equal(srs.domain, domain->name))
        return ERR_OK;
    struct buffer sender = { .memory = f->memory, .capacity = sizeof f->memory,
                             .max = sizeof f->memory };
    enum err error = srs_reverse(&srs, written, srs_day(moment_now().wall_ms), &sender);
    if (error == ERR_OK) {
        f->is_return = true;
        f->sender = buffer_slice(&sender);
    }
    return error == ERR_MEMORY ? error : ERR_OK;
}

static void find_in_domain(const struct config *config, const struct config_domain *domain,
                           struct slice local, struct slice whole, struct found *f)
{
    const struct config_alias *alias = config_domain_alias(domain, local);
    bool is_exact = true;
    f->user = config_domain_user(domain, local);
    if (alias == NULL && f->user == NULL) {
        struct slice base = without_detail(domain, local);
        is_exact = false;
        alias = config_domain_alias(domain, base);
        f->user = config_domain_user(domain, base);
    }
    if (alias == NULL && f->user == NULL)
        alias = config_domain_alias(domain, SLICE("*"));
    if (alias != NULL)
        stands_for(f, alias->targets, alias->targets_count);
    else if (f->user != NULL && is_exact)
        f->kind = ACCOUNT_USER;
    else if (f->user != NULL)
        is_subaddress(config, domain, f);
    else if (slice_equal(local, postmaster) && !slice_is_empty(config->postmaster) &&
             !slice_equal_nocase(config->postmaster, whole))
        stands_for(f, &config->postmaster, 1);
    else
        f->kind = ACCOUNT_UNKNOWN;
}

static void lower(struct buffer *b)
{
    for (size_t i = b->start; i < b->end; i++)
        b->memory[i] = ascii_lower(b->memory[i]);
}

/* key = what the local part means, in lower case where we know whose it is, then '@'
 * and the canonical domain. A meaning may hold an '@'; a domain never does. */
static enum err find_mailbox(const struct config *config,
                             const struct smtp_address *address, struct buffer *key,
                             struct found *f)
{
    struct buffer domain;
    buffer_init(&domain, SMTP_DOMAIN_MAX);
    if (!smtp_domain_canonical(address->domain, &domain) || domain.overflow) {
        bool overflow = domain.overflow;
        buffer_free(&domain);
        f->kind = ACCOUNT_UNKNOWN;
        return overflow ? ERR_MEMORY : ERR_OK;
    }
    const struct config_domain *ours = config_domain(config, buffer_slice(&domain));
    smtp_local_unquoted(address->local, key);
    size_t local_len = buffer_len(key);
    if (ours != NULL && ours->kind == CONFIG_DOMAIN_LOCAL)
        lower(key);
    buffer_append_byte(key, '@');
    buffer_append(key, buffer_slice(&domain));
    buffer_free(&domain);
    if (key->overflow)
        return ERR_MEMORY;
    if (ours != NULL && ours->kind == CONFIG_DOMAIN_LOCAL) {
        enum err error = find_return(config, ours, address->local, f);
        if (error != ERR_OK)
            return error;
    }
    if (f->is_return)
        f->kind = ACCOUNT_ALIAS;
    else if (ours == NULL)
        f->kind = ACCOUNT_FOREIGN;
    else if (ours->kind == CONFIG_DOMAIN_RELAY)
        f->kind = ACCOUNT_RELAY;
    else
        find_in_domain(config, ours, slice_part(buffer_slice(key), 0, local_len),
                       buffer_slice(key), f);
    return ERR_OK;
}

enum err find_account(const struct config *config, struct slice address,
                      struct buffer *key, struct found *out)
{
    struct smtp_address parsed;
    struct found *f = out;
    enum err result = ERR_OK;
    *f = (struct found){ .kind = ACCOUNT_UNKNOWN };
    buffer_clear(key);
    if (slice_equal_nocase(address, postmaster)) {
        buffer_append(key, postmaster);
        if (!slice_is_empty(config->postmaster))
            stands_for(f, &config->postmaster, 1);
        result = key->overflow ? ERR_MEMORY : ERR_OK;
    } else if (smtp_address_parse(address, SMTP_UTF8_ALLOWED, &parsed) == SMTP_PATH_OK) {
        result = find_mailbox(config, &parsed, key, f);
    }
    if (f->is_return)
        stands_for(f, &f->sender, 1);
    return result;
}

enum err accounts_find(const struct config *config, struct slice address,
                       enum account_kind *out_kind)
{
    struct buffer key;
    struct found found;
    buffer_init(&key, 1024);
    enum err result = find_account(config, address, &key, &found);
    buffer_free(&key);
    if (result == ERR_OK)
        *out_kind = found.kind;
    return result;
}
