/* alias.c: whether every alias leads to somebody, once all domains are read.
 *
 * RFC 5321 3.9.1; HOSTILE 125. accounts/expand.c cuts what comes round to itself; an
 * alias behind which there is nothing but such a circle would keep mail for nobody, and
 * is refused here.
 */
#include "config/reader_private.h"

#include "base/list.h"
#include "wire/smtp/address.h"

enum { CIRCLE_SHOWN = 8 };

/* An alias that is looked at. */
struct visit {
    struct table_entry entry;        /* keyed by `alias`, the pointer */
    const struct config_domain *domain;
    const struct config_alias *alias;
    struct visit *next;
};

struct walk {
    struct reader *r;
    struct arena arena;
    struct table visits;
    struct visit *first;
    struct visit **last;             /* new ones go to the end */
};

/* The domain of ours that a canonical address is in, and what its local part means. */
static const struct config_domain *split(const struct config *c, struct slice address,
                                         struct buffer *local)
{
    size_t at = slice_find_last(address, '@');
    if (at == SLICE_NOT_FOUND)
        return NULL;
    smtp_local_unquoted(slice_part(address, 0, at), local);
    return config_domain(c, slice_from(address, at + 1));
}

bool domain_has_mailbox(const struct config_domain *domain, struct slice local)
{
    return domain->kind == CONFIG_DOMAIN_RELAY || config_domain_has_user(domain, local) ||
           config_domain_alias(domain, local) != NULL ||
           config_domain_alias(domain, SLICE("*")) != NULL;
}

bool address_exists(const struct config *c, struct slice address)
{
    struct buffer local;
    buffer_init(&local, SMTP_LOCAL_MAX);
    const struct config_domain *domain = split(c, address, &local);
    bool there = domain == NULL || domain_has_mailbox(domain, buffer_slice(&local));
    buffer_free(&local);
    return there;
}

/* The alias that an address stands for, or NULL when mail to it ends there. */
static const struct config_alias *alias_of(const struct config *c, struct slice address,
                                           const struct config_domain **out_domain)
{
    const struct config_alias *alias = NULL;
    struct buffer local;
    buffer_init(&local, SMTP_LOCAL_MAX);
    *out_domain = split(c, address, &local);
    if (*out_domain != NULL) {
        alias = config_domain_alias(*out_domain, buffer_slice(&local));
        if (alias == NULL && !config_domain_has_user(*out_domain, buffer_slice(&local)))
            alias = config_domain_alias(*out_domain, SLICE("*"));
    }
    buffer_free(&local);
    return alias;
}

static bool add_visit(struct walk *w, const struct config_domain *domain,
                      const struct config_alias *alias)
{
    struct visit *v = arena_alloc(&w->arena, sizeof *v);
    if (v == NULL)
        return reader_memory(w->r);
    *v = (struct visit){ .domain = domain, .alias = alias };
    *w->last = v;
    w->last = &v->next;
    return table_insert(&w->visits, &v->entry,
                        slice_make((const char *)&v->alias, sizeof v->alias)) ||
           reader_memory(w->r);
}

/* One target. It is somebody's when no alias of ours stands there; and when an alias
 * that was seen before has a user's name: "ann: [ann, bob]". */
static bool follow(struct walk *w, struct slice target, bool *out_is_somebody)
{
    const struct config_domain *domain;
    const struct config_alias *alias =
        alias_of(&w->r->snapshot->config, target, &domain);
    *out_is_somebody = alias == NULL;
    if (alias == NULL)
        return true;
    if (table_find(&w->visits, slice_make((const char *)&alias, sizeof alias)) == NULL)
        return add_visit(w, domain, alias);
    *out_is_somebody = config_domain_has_user(domain, alias->name);
    return true;
}

/* False only without memory. */
static bool leads_somewhere(struct reader *r, const struct config_domain *domain,
                            const struct config_alias *alias, bool *out_leads)
{
    struct walk w = { .r = r, .last = &w.first };
    bool found = false;
    arena_init(&w.arena, SIZE_MAX / 2);
    bool fine = add_visit(&w, domain, alias);
    for (struct visit *v = w.first; fine && !found && v != NULL; v = v->next)
        for (size_t i = 0; fine && !found && i < v->alias->targets_count; i++)
            fine = follow(&w, v->alias->targets[i], &found);
    table_free(&w.visits);
    arena_free(&w.arena);
    *out_leads = found;
    return fine;
}

/* From an alias that leads nowhere each target is an alias again: the first ones of
 * them, until one comes again or enough are shown. */
static void append_circle(const struct config *c, const struct config_alias *alias,
                          struct buffer *out)
{
    const struct config_domain *domain;
    const struct config_alias *seen[CIRCLE_SHOWN];
    for (size_t count = 0; count < CIRCLE_SHOWN; count++) {
        seen[count] = alias;
        buffer_append_format(out, " -> %.*s", (int)alias->targets[0].len,
                             alias->targets[0].data);
        alias = alias_of(c, alias->targets[0], &domain);
        for (size_t i = 0; i <= count; i++)
            if (alias == seen[i])
                return;
    }
    buffer_append(out, SLICE(" ..."));
}

/* Where an alias stands in the file. */
static const struct node *node_of(struct reader *r, const struct node *aliases,
                                  struct slice name)
{
    struct slice meant;
    for (const struct node *n = aliases->first; n != NULL; n = n->next)
        if (reader_local_part(r, n->name, &meant) == ERR_OK && slice_equal(meant, name))
            return n;
    return aliases;
}

static bool check_alias(struct reader *r, const struct node *aliases,
                        const struct config_domain *domain,
                        const struct config_alias *a)
{
    const struct config *c = &r->snapshot->config;
    struct buffer circle;
    bool leads;
    for (size_t i = 0; i < a->targets_count; i++)
        if (!address_exists(c, a->targets[i]))
            return reader_fail_name(r, node_of(r, aliases, a->name),
                                    "'%.*s' goes to %.*s, which does not exist",
                                    (int)a->name.len, a->name.data,
                                    (int)a->targets[i].len, a->targets[i].data);
    if (!leads_somewhere(r, domain, a, &leads))
        return false;
    if (leads)
        return true;
    buffer_init(&circle, CIRCLE_SHOWN * (SMTP_PATH_MAX + 8));
    append_circle(c, a, &circle);
    reader_fail_name(r, node_of(r, aliases, a->name),
                     "this alias goes round in a circle and reaches nobody: %.*s%.*s",
                     (int)a->name.len, a->name.data, (int)buffer_len(&circle),
                     buffer_slice(&circle).data);
    buffer_free(&circle);
    return false;
}

bool aliases_check(struct reader *r, const struct node *domain_node,
                   const struct config_domain *domain)
{
    const struct node *aliases = node_find(domain_node, SLICE("aliases"));
    for (size_t i = 0; i < domain->aliases_count; i++)
        if (!check_alias(r, aliases, domain, &domain->aliases[i]))
            return false;
    return true;
}
