/* same_start.c: what of a configuration belongs to the start.
 *
 * Ports are bound by the supervisor, perhaps as root; the spool, the resolver and the
 * log were opened with what was said then. A reload that would change any of it is
 * refused as a whole, so that it never holds by halves.
 */
#include "daemon/daemon_private.h"

#include <stdio.h>

static bool address_equal(const struct net_address *a, const struct net_address *b)
{
    return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

static bool has_listener(const struct config *c, const struct net_address *address)
{
    for (size_t i = 0; i < c->listeners_count; i++)
        if (address_equal(&c->listeners[i].address, address))
            return true;
    return false;
}

/* The first listener of `a` that `b` does not have, or NULL. */
static const struct net_address *missing(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < a->listeners_count; i++)
        if (!has_listener(b, &a->listeners[i].address))
            return &a->listeners[i].address;
    return NULL;
}

static bool same_order(const struct config *a, const struct config *b)
{
    if (a->listeners_count != b->listeners_count)
        return false;
    for (size_t i = 0; i < a->listeners_count; i++)
        if (!address_equal(&a->listeners[i].address, &b->listeners[i].address))
            return false;
    return true;
}

static bool same_servers(const struct config_dns *a, const struct config_dns *b)
{
    if (a->servers_count != b->servers_count)
        return false;
    for (size_t i = 0; i < a->servers_count; i++)
        if (!address_equal(&a->servers[i], &b->servers[i]))
            return false;
    return slice_equal(a->trust_anchor, b->trust_anchor) &&
           a->allow_private == b->allow_private && a->timeout_ms == b->timeout_ms;
}

static void say(struct buffer *out, const char *key, const char *what)
{
    buffer_append_format(out, "%s %s: that takes a restart; until then the old "
                         "configuration holds", key, what);
}

static void say_listener(struct buffer *out, const struct net_address *address,
                         const char *what)
{
    struct buffer text;
    buffer_init(&text, 256);
    buffer_append_string(&text, "the listener ");
    net_address_append(&text, address);
    buffer_append_byte(&text, '\0');
    say(out, text.overflow ? "a listener" : text.memory, what);
    buffer_free(&text);
}

static bool same_listeners(const struct config *a, const struct config *b,
                           struct buffer *out)
{
    const struct net_address *gone = missing(a, b);
    const struct net_address *new = missing(b, a);
    if (new != NULL)
        say_listener(out, new, "is new");
    else if (gone != NULL)
        say_listener(out, gone, "is gone");
    else if (!same_order(a, b))
        say(out, "the order of the listeners", "has changed");
    else
        return true;
    return false;
}

/* The first key, other than listen, that differs and must not; or NULL. */
static const char *changed_key(const struct config *a, const struct config *b)
{
    const struct { const char *key; bool same; } checks[] = {
        { "hostname", slice_equal(a->hostname, b->hostname) },
        { "data", slice_equal(a->data, b->data) },
        { "user", slice_equal(a->user, b->user) },
        { "sandbox", a->sandbox == b->sandbox },
        { "threads", a->threads == b->threads },
        { "limits.message", a->limits.message_bytes == b->limits.message_bytes },
        { "limits.body_memory", a->limits.body_memory_bytes == b->limits.body_memory_bytes },
        { "dns", same_servers(&a->dns, &b->dns) },
        { "log.form", a->log_form == b->log_form },
        { "log.file", slice_equal(a->log_file, b->log_file) },
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!checks[i].same)
            return checks[i].key;
    return NULL;
}

bool daemon_same_start(const struct config *a, const struct config *b,
                       char *why, size_t why_size)
{
    struct buffer out;
    const char *key = changed_key(a, b);
    buffer_init(&out, 512);
    if (key != NULL)
        say(&out, key, "has changed");
    bool same = key == NULL && same_listeners(a, b, &out);
    if (!same)
        snprintf(why, why_size, "%.*s", (int)buffer_len(&out), out.memory);
    buffer_free(&out);
    return same;
}
