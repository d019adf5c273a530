/* route.c: the table of routes: names by hash, patterns in order.
 *
 * The first match wins over both: a pattern counts only if it stands before the name
 * that was found.
 */
#include "delivery/route.h"

#include "base/ascii.h"
#include "base/list.h"
#include "base/table.h"

#include <stdatomic.h>
#include <stdlib.h>

struct entry {
    struct delivery_route route;
    struct table_entry name; /* of routes that match one domain */
    size_t place;
};

struct delivery_routes {
    atomic_uint references;
    struct table names;
    size_t *patterns;        /* places of those that are no plain name */
    size_t patterns_count;
    size_t count;
    char *bytes;             /* of all slices */
    size_t bytes_len;
    struct delivery_sealing sealing;
    struct delivery_forwarding forwarding;
    struct entry entries[];
};

static const struct delivery_route by_mx = { .way = DELIVERY_MX };

static bool is_pattern(struct slice match)
{
    return match.len == 0 || match.data[0] == '*';
}

static bool has_nul(struct slice s)
{
    return slice_find(s, '\0') != SLICE_NOT_FOUND;
}

static bool is_usable(const struct delivery_route *r)
{
    bool is_path = r->host.len > 0 && r->host.data[0] == '/';
    if ((r->security.level >= TRANSPORT_OPPORTUNISTIC || r->security.is_implicit) &&
        r->security.tls == NULL)
        return false;
    if (r->security.is_implicit && r->security.level < TRANSPORT_REQUIRED)
        return false;
    if (is_pattern(r->match) && r->match.len > 0 &&
        (r->match.len < 3 || r->match.data[1] != '.'))
        return false;
    switch (r->way) {
    case DELIVERY_MX:
    case DELIVERY_DISCARD:
        return true;
    case DELIVERY_SMTP:
        return r->host.len > 0 && r->host.len <= 255 && !is_path && r->port != 0;
    case DELIVERY_LMTP:
        return r->host.len > 0 && r->host.len <= 255 && !has_nul(r->host) &&
               (is_path ? r->host.len <= 107 : r->port != 0);
    case DELIVERY_MAILDIR:
        return r->path.len > 1 && r->path.len <= 1000 && r->path.data[0] == '/' &&
               !has_nul(r->path);
    }
    return false;
}

static struct slice copy(char **at, struct slice s)
{
    struct slice kept = slice_make(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.data, s.len);
    *at += s.len;
    return kept;
}

static struct delivery_routes *allocate(const struct delivery_route *routes, size_t count,
                                        const struct delivery_sealing *sealing,
                                        const struct delivery_forwarding *forwarding)
{
    struct delivery_routes *made =
        calloc(1, sizeof *made + count * sizeof made->entries[0]);
    size_t bytes = 1 + sealing->domain.len + sealing->selector.len +
                   forwarding->domain.len + forwarding->secret.len;
    for (size_t i = 0; i < count; i++)
        bytes += routes[i].match.len + routes[i].host.len + routes[i].path.len +
                 routes[i].security.name.len + routes[i].auth.user.len +
                 routes[i].auth.secret.len;
    if (made == NULL)
        return NULL;
    atomic_init(&made->references, 1);
    made->count = count;
    made->bytes = malloc(bytes);
    made->bytes_len = bytes;
    made->patterns = calloc(count + 1, sizeof made->patterns[0]);
    if (made->bytes == NULL || made->patterns == NULL)
        delivery_routes_drop(&made);
    return made;
}

static bool add(struct delivery_routes *table, const struct delivery_route *route,
                size_t place, char **at)
{
    struct entry *e = &table->entries[place];
    e->place = place;
    e->route = *route;
    e->route.match = copy(at, route->match);
    e->route.host = copy(at, route->host);
    e->route.path = copy(at, route->path);
    e->route.security.name = copy(at, route->security.name);
    e->route.auth.user = copy(at, route->auth.user);
    e->route.auth.secret = copy(at, route->auth.secret);
    if (route->security.tls != NULL)
        e->route.security.tls = tls_client_hold(route->security.tls);
    if (is_pattern(route->match)) {
        table->patterns[table->patterns_count++] = place;
        return true;
    }
    return table_find(&table->names, e->route.match) != NULL ||
           table_insert(&table->names, &e->name, e->route.match);
}

enum err delivery_routes_make(const struct delivery_route *routes, size_t count,
                              const struct delivery_sealing *sealing,
                              const struct delivery_forwarding *forwarding,
                              struct delivery_routes **out)
{
    static const struct delivery_sealing nobody = { .key = NULL };
    static const struct delivery_forwarding nothing = { .domain = { NULL, 0 } };
    if (sealing == NULL)
        sealing = &nobody;
    if (forwarding == NULL)
        forwarding = &nothing;
    for (size_t i = 0; i < count; i++)
        if (!is_usable(&routes[i]))
            return ERR_INVALID;
    struct delivery_routes *made = allocate(routes, count, sealing, forwarding);
    if (made == NULL)
        return ERR_MEMORY;
    char *at = made->bytes;
    made->sealing = (struct delivery_sealing){
        .key = sealing->key == NULL ? NULL : private_key_hold(sealing->key),
        .domain = copy(&at, sealing->domain), .selector = copy(&at, sealing->selector),
    };
    made->forwarding = (struct delivery_forwarding){
        .domain = copy(&at, forwarding->domain), .secret = copy(&at, forwarding->secret),
    };
    for (size_t i = 0; i < count; i++)
        if (!add(made, &routes[i], i, &at)) {
            delivery_routes_drop(&made);
            return ERR_MEMORY;
        }
    *out = made;
    return ERR_OK;
}

const struct delivery_sealing *delivery_routes_sealing(const struct delivery_routes *routes)
{
    return routes->sealing.key == NULL ? NULL : &routes->sealing;
}

const struct delivery_forwarding *delivery_routes_forwarding(
    const struct delivery_routes *routes)
{
    return slice_is_empty(routes->forwarding.domain) ? NULL : &routes->forwarding;
}

struct delivery_routes *delivery_routes_hold(struct delivery_routes *routes)
{
    atomic_fetch_add(&routes->references, 1);
    return routes;
}

void delivery_routes_drop(struct delivery_routes **place)
{
    struct delivery_routes *routes = *place;
    *place = NULL;
    if (routes == NULL || atomic_fetch_sub(&routes->references, 1) > 1)
        return;
    for (size_t i = 0; i < routes->count; i++)
        tls_client_drop(&routes->entries[i].route.security.tls);
    private_key_drop(&routes->sealing.key);
    table_free(&routes->names);
    free(routes->patterns);
    if (routes->bytes != NULL)
        explicit_bzero(routes->bytes, routes->bytes_len);
    free(routes->bytes);
    free(routes);
}

/* "*.example.com" matches what lies below example.com, not itself. */
static bool matches(struct slice pattern, struct slice domain)
{
    if (pattern.len == 0)
        return true;
    struct slice suffix = slice_from(pattern, 1);
    return domain.len > suffix.len && slice_ends_with_nocase(domain, suffix);
}

static size_t find_name(const struct delivery_routes *routes, struct slice domain)
{
    char lower[256];
    if (domain.len > sizeof lower)
        return routes->count;
    for (size_t i = 0; i < domain.len; i++)
        lower[i] = ascii_lower(domain.data[i]);
    struct table_entry *found = table_find(&routes->names, slice_make(lower, domain.len));
    return found == NULL ? routes->count : container_of(found, struct entry, name)->place;
}

const struct delivery_route *delivery_routes_find(const struct delivery_routes *routes,
                                                  struct slice domain)
{
    size_t place = find_name(routes, domain);
    for (size_t i = 0; i < routes->patterns_count && routes->patterns[i] < place; i++)
        if (matches(routes->entries[routes->patterns[i]].route.match, domain))
            place = routes->patterns[i];
    return place == routes->count ? &by_mx : &routes->entries[place].route;
}
