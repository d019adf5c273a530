/* engine_seal.c: the keys of the configuration, as the seals know them.
 *
 * Each file is read once, whoever signs with it; what has gone through memory is wiped.
 */
#include "daemon/engine_private.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)CONFIG_DKIM_MAX == (int)DKIM_KEYS_MAX, "a pass signs with all of them");

struct making {
    const struct config *config;
    const struct secrets *secrets;
    struct private_key *keys[CONFIG_FILES_MAX]; /* by file */
    struct seal_key (*chosen)[CONFIG_DKIM_MAX]; /* by domain */
    struct seal_domain *domains;
    size_t count;
    char *why;
    size_t why_size;
};

bool engine_read_key(const struct config *config, const struct secrets *secrets,
                     const struct config_dkim *from, const struct engine_why *why,
                     struct private_key **out)
{
    struct key_trouble trouble = { "it cannot be read" };
    struct buffer pem;
    int fd = secrets->fds[config->certificates_count * 2 + from->file - 1];
    buffer_init(&pem, ENGINE_FILE_MAX);
    enum err error = engine_read_file(fd, &pem)
                         ? private_key_read(buffer_slice(&pem), out, &trouble) : ERR_INVALID;
    engine_wipe(&pem);
    if (error == ERR_MEMORY)
        snprintf(trouble.text, sizeof trouble.text, "there is no memory for it");
    if (error != ERR_OK)
        snprintf(why->text, why->size, "dkim.key: %.*s: %s", (int)from->path.len,
                 from->path.data, trouble.text);
    return error == ERR_OK;
}

static bool add_domain(struct making *m, const struct config_domain *d)
{
    struct seal_key *chosen = m->chosen[m->count];
    const struct engine_why why = { m->why, m->why_size };
    for (size_t i = 0; i < d->dkim_count; i++) {
        struct private_key **key = &m->keys[d->dkim[i].file - 1];
        if (*key == NULL && !engine_read_key(m->config, m->secrets, &d->dkim[i], &why, key))
            return false;
        chosen[i] = (struct seal_key){ .selector = d->dkim[i].selector, .key = *key };
    }
    m->domains[m->count++] = (struct seal_domain){
        .name = d->name, .keys = chosen, .keys_count = d->dkim_count,
        .signs_below = d->dkim_subdomains,
    };
    return true;
}

static bool add_domains(struct making *m)
{
    const struct table *domains = &m->config->domains;
    for (struct table_entry *e = NULL; (e = table_next(domains, e)) != NULL;) {
        const struct config_domain *d = container_of(e, struct config_domain, entry);
        if (d->dkim_count > 0 && !add_domain(m, d))
            return false;
    }
    return true;
}

struct seal_keys *engine_seal_keys(const struct config *config,
                                   const struct secrets *secrets, char *why, size_t why_size)
{
    struct making m = { .config = config, .secrets = secrets, .why = why,
                        .why_size = why_size };
    struct seal_keys *made = NULL;
    m.chosen = calloc(config->domains.count + 1, sizeof *m.chosen);
    m.domains = calloc(config->domains.count + 1, sizeof *m.domains);
    if (m.chosen == NULL || m.domains == NULL)
        snprintf(why, why_size, "there is no memory for the keys");
    else if (add_domains(&m) && seal_keys_make(m.domains, m.count, &made) != ERR_OK)
        snprintf(why, why_size, "the keys of the domains cannot be used");
    for (size_t i = 0; i < CONFIG_FILES_MAX; i++)
        private_key_drop(&m.keys[i]);
    free(m.chosen);
    free(m.domains);
    return made;
}
