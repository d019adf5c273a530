/* engine_reload.c: another configuration, without dropping a connection.
 *
 * A new snapshot is checked as a whole and handed to each thread; what began under the
 * old one ends under it. Listeners, threads, user and data folder belong to the start.
 */
#include "daemon/engine_private.h"

#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>

/* The delivery matches names without '@'. */
static struct slice match_of(struct slice to)
{
    return to.len > 0 && to.data[0] == '@' ? slice_from(to, 1) : to;
}

static struct delivery_route route_of(struct slice match, const struct config_deliver *d)
{
    static const enum delivery_way ways[] = {
        [CONFIG_WAY_MX] = DELIVERY_MX,           [CONFIG_WAY_SMTP] = DELIVERY_SMTP,
        [CONFIG_WAY_LMTP] = DELIVERY_LMTP,       [CONFIG_WAY_MAILDIR] = DELIVERY_MAILDIR,
        [CONFIG_WAY_CAPTURE] = DELIVERY_MAILDIR, [CONFIG_WAY_DISCARD] = DELIVERY_DISCARD,
    };
    return (struct delivery_route){
        .match = match, .way = ways[d->way], .host = d->host, .port = d->port,
        .path = d->path, .quota_bytes = d->quota_bytes, .downgrade = d->downgrade,
    };
}

struct delivery_routes *engine_routes(const struct config *config)
{
    size_t most = config->domains.count + config->routes_count;
    struct delivery_route *routes = calloc(most + 1, sizeof *routes);
    struct delivery_routes *made = NULL;
    size_t count = 0;
    if (routes == NULL)
        return NULL;
    struct table_entry *entry = NULL;
    while ((entry = table_next(&config->domains, entry)) != NULL) {
        const struct config_domain *d = container_of(entry, struct config_domain, entry);
        if (d->has_deliver)
            routes[count++] = route_of(d->name, &d->deliver);
    }
    for (size_t i = 0; i < config->routes_count; i++)
        routes[count++] = route_of(match_of(config->routes[i].to),
                                   &config->routes[i].deliver);
    enum err error = delivery_routes_make(routes, count, &made);
    free(routes);
    return error == ERR_OK ? made : NULL;
}

static void on_configured(struct task *task)
{
    struct engine_loop *l = container_of(task, struct engine_loop, drained);
    struct engine *e = l->engine;
    if (--e->configuring == 0) {
        config_drop(&e->config);
        e->config = e->next;
        e->next = NULL;
    }
}

static void on_configure(struct task *task)
{
    struct engine_loop *l = container_of(task, struct engine_loop, configure);
    struct engine *e = l->engine;
    if (l == &e->queue_loop) {
        queue_configure(e->queue, e->next);
        pickup_configure(e->pickup, e->next);
    } else {
        session_host_configure(l->host, e->next);
    }
    l->drained.run = on_configured;
    home_post(&e->main.home, &l->drained);
}

bool daemon_same_start(const struct config *a, const struct config *b)
{
    if (!slice_equal(a->data, b->data) || a->listeners_count != b->listeners_count)
        return false;
    for (size_t i = 0; i < a->listeners_count; i++)
        if (a->listeners[i].address.len != b->listeners[i].address.len ||
            memcmp(&a->listeners[i].address.storage, &b->listeners[i].address.storage,
                   a->listeners[i].address.len) != 0)
            return false;
    return true;
}

bool engine_reload(struct engine *e)
{
    struct config_error error;
    const struct config *next;
    if (e->next != NULL) {
        snprintf(e->error, sizeof e->error, "a reload is under way");
        return false;
    }
    if (config_load(e->options->config_file, &e->options->flags, &next, &error) != ERR_OK) {
        snprintf(e->error, sizeof e->error, "%s", error.text);
        return false;
    }
    if (!daemon_same_start(e->config, next)) {
        snprintf(e->error, sizeof e->error,
                 "listeners or the data folder changed: that takes a restart");
        config_drop(&next);
        return false;
    }
    struct delivery_routes *routes = engine_routes(next);
    if (routes == NULL) {
        snprintf(e->error, sizeof e->error, "the routes cannot be used");
        config_drop(&next);
        return false;
    }
    log_level_set((enum log_level)next->log_level);
    delivery_routes_set(e->delivery, routes);
    delivery_routes_drop(&e->routes);
    e->routes = routes;
    e->next = next;
    e->configuring = e->loops_count + 1;
    for (uint32_t i = 0; i < e->loops_count; i++) {
        e->loops[i].configure.run = on_configure;
        home_post(loop_home(e->loops[i].loop), &e->loops[i].configure);
    }
    e->queue_loop.configure.run = on_configure;
    home_post(loop_home(e->queue_loop.loop), &e->queue_loop.configure);
    log_note(LOG_INFO, "reloaded", "the new configuration holds from now on");
    return true;
}
