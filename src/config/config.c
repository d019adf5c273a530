/* config.c: the life of a snapshot, and the questions that are asked of it. */
#include "config/reader_private.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FILE_BYTES_MAX = 4 * 1024 * 1024,
};
#define SNAPSHOT_BYTES_MAX ((size_t)1 << 30)

/* A config is only ever made as the first member of a snapshot. */
static struct snapshot *snapshot_of(const struct config *config)
{
    return (struct snapshot *)(uintptr_t)config;
}

static void snapshot_free(struct snapshot *s)
{
    table_free(&s->config.domains);
    arena_free(&s->arena);
    free(s);
}

static struct snapshot *snapshot_new(void)
{
    struct snapshot *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->references = 1;
    arena_init(&s->arena, SNAPSHOT_BYTES_MAX);
    table_init(&s->config.domains);
    return s;
}

static bool read_snapshot(struct reader *r, struct slice yaml, struct slice file)
{
    struct snapshot *s = r->snapshot;
    if (!slice_is_empty(file) && !arena_copy(&s->arena, file, &s->file))
        return reader_memory(r);
    return yaml_read(r, yaml, &s->tree) && tree_complete(r, s->tree) &&
           reader_map(r, s->tree, config_keys, &s->config) && snapshot_check(r);
}

static enum err finish(struct reader *r, bool done, const struct config **out_config)
{
    must(done == (r->result == ERR_OK));
    if (!done) {
        snapshot_free(r->snapshot);
        return r->result;
    }
    *out_config = &r->snapshot->config;
    return ERR_OK;
}

static struct reader reader_over(struct snapshot *snapshot, const struct config_flags *flags,
                                 struct config_error *error)
{
    static const struct config_flags none = { .hold = false };
    return (struct reader){
        .snapshot = snapshot, .arena = snapshot == NULL ? NULL : &snapshot->arena,
        .flags = flags == NULL ? &none : flags, .error = error,
    };
}

enum err config_load_text(struct slice yaml, struct slice file,
                          const struct config_flags *flags,
                          const struct config **out_config, struct config_error *out_error)
{
    struct reader r = reader_over(snapshot_new(), flags, out_error);
    if (r.snapshot == NULL) {
        reader_memory(&r);
        return ERR_MEMORY;
    }
    return finish(&r, read_snapshot(&r, yaml, file), out_config);
}

static void say_file(struct config_error *error, struct slice file, enum err result)
{
    const char *why = result == ERR_FULL      ? "is larger than 4 MiB"
                      : result == ERR_INVALID ? "is not a file"
                                              : err_text(result);
    struct buffer shown;
    buffer_init(&shown, 4096);
    buffer_append_escaped(&shown, slice_part(file, 0, 300));
    struct slice s = buffer_slice(&shown);
    *error = (struct config_error){ .line = 0 };
    snprintf(error->text, sizeof error->text, "%.*s: %s", (int)s.len, s.data, why);
    buffer_free(&shown);
}

enum err config_load(struct slice file, const struct config_flags *flags,
                     const struct config **out_config, struct config_error *out_error)
{
    struct slice yaml = { .len = 0 };
    struct arena arena;
    enum err result = ERR_OK;
    arena_init(&arena, FILE_BYTES_MAX + 4096);
    if (!slice_is_empty(file))
        result = file_read(&arena, file, FILE_BYTES_MAX, &yaml);
    if (result != ERR_OK) {
        say_file(out_error, file, result);
        result = result == ERR_FULL ? ERR_INVALID : result;
    } else {
        result = config_load_text(yaml, file, flags, out_config, out_error);
    }
    arena_free(&arena);
    return result;
}

const struct config *config_hold(const struct config *config)
{
    __atomic_fetch_add(&snapshot_of(config)->references, 1, __ATOMIC_RELAXED);
    return config;
}

void config_drop(const struct config **config)
{
    if (*config == NULL)
        return;
    struct snapshot *s = snapshot_of(*config);
    *config = NULL;
    uint32_t before = __atomic_fetch_sub(&s->references, 1, __ATOMIC_ACQ_REL);
    must(before > 0);
    if (before == 1)
        snapshot_free(s);
}

bool config_name_matches(struct slice pattern, struct slice name)
{
    if (slice_starts_with_nocase(pattern, SLICE("*.")))
        return name.len > pattern.len - 1 &&
               slice_ends_with_nocase(name, slice_from(pattern, 1));
    return slice_equal_nocase(pattern, name);
}

const struct config_domain *config_domain(const struct config *config,
                                          struct slice canonical)
{
    /* The entry stands first in the domain. */
    return (const struct config_domain *)(const void *)table_find(&config->domains,
                                                                  canonical);
}

static int compare_name(const void *key, const void *item)
{
    return slice_compare(*(const struct slice *)key, *(const struct slice *)item);
}

/* Users and aliases begin with their name. */
static const void *find_name(struct slice name, const void *items, size_t count,
                             size_t item_size)
{
    return count == 0 ? NULL : bsearch(&name, items, count, item_size, compare_name);
}

const struct config_user *config_domain_user(const struct config_domain *domain,
                                             struct slice local)
{
    return find_name(local, domain->users, domain->users_count, sizeof *domain->users);
}

const struct config_alias *config_domain_alias(const struct config_domain *domain,
                                               struct slice local)
{
    return find_name(local, domain->aliases, domain->aliases_count,
                     sizeof *domain->aliases);
}

const struct config_alias *config_domain_senders(const struct config_domain *domain,
                                                 struct slice local)
{
    return find_name(local, domain->senders, domain->senders_count,
                     sizeof *domain->senders);
}

/* "" takes all, "@example.com" that domain, "@*.example.com" all that lies under it. */
static bool route_takes(const struct config_route *route, struct slice canonical)
{
    struct slice to = route->to;
    if (slice_is_empty(to))
        return true;
    if (slice_starts_with_nocase(to, SLICE("@*."))) {
        struct slice under = slice_from(to, 2);
        return canonical.len > under.len && slice_ends_with_nocase(canonical, under);
    }
    return slice_equal(slice_from(to, 1), canonical);
}

const struct config_deliver *config_route(const struct config *config,
                                          struct slice canonical)
{
    static const struct config_deliver mx = {
        .way = CONFIG_WAY_MX, .hop.tls = CONFIG_HOP_OPPORTUNISTIC,
    };
    const struct config_domain *domain = config_domain(config, canonical);
    if (domain != NULL && domain->has_deliver)
        return &domain->deliver;
    for (size_t i = 0; i < config->routes_count; i++)
        if (route_takes(&config->routes[i], canonical))
            return &config->routes[i].deliver;
    return &mx;
}
