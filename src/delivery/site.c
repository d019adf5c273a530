/* site.c: keys of sites: what has one connection pool and one set of limits.
 *
 * For mail hosts the key is the sorted set of their names, so that all domains of one
 * provider share a site. A set too long for a key is named by its checksums; two
 * domains that collide would share limits, nothing more. Whether content may be
 * downgraded belongs to the key: the recipients of one job share their content. So does
 * what a route asks of TLS and says of us, where it says anything: a connection that is
 * good enough for one route need not be so for another.
 */
#include "base/crc32c.h"
#include "delivery/delivery_private.h"

#include <stdlib.h>

enum { SITE_TEXT_MAX = 1024 };

static void set_key(struct site_key *key, const struct buffer *text)
{
    struct slice s = slice_part(buffer_slice(text), 0, SITE_KEY_MAX);
    key->len = (uint8_t)s.len;
    memcpy(key->text, s.data, s.len);
}

/* The whole text, or its kind and checksums where that is too long. */
static void set_key_or_sum(struct site_key *key, struct buffer *text, size_t kind_len)
{
    struct slice s = buffer_slice(text);
    if (s.len > SITE_KEY_MAX) {
        uint32_t one = crc32c(0, s);
        uint32_t two = crc32c(one ^ 0x5bd1e995u, s);
        buffer_truncate(text, kind_len);
        buffer_append_format(text, "#%08x%08x", one, two);
    }
    set_key(key, text);
}

static const char *const kinds[] = {
    [DELIVERY_MX] = "mx",           [DELIVERY_SMTP] = "smtp",
    [DELIVERY_LMTP] = "lmtp",       [DELIVERY_MAILDIR] = "maildir",
    [DELIVERY_DISCARD] = "discard",
};

/* Of names, files and users: they would make a key long, and are nobody's business. */
static uint32_t sum_of(const struct delivery_route *r)
{
    uint32_t sum = crc32c(r->security.files, r->security.name);
    sum = crc32c(sum, r->auth.user);
    if (r->auth.secret.len > 0) {
        uint32_t rest[] = { r->auth.mechanisms, (uint32_t)r->auth.over };
        sum = crc32c(sum, slice_make(rest, sizeof rest));
    }
    return sum;
}

/* kind = way *( ";" option ) ":" */
static void append_kind(struct buffer *text, const struct delivery_route *r)
{
    const struct delivery_security *s = &r->security;
    bool has_more = s->files != 0 || s->name.len > 0 || r->auth.secret.len > 0;
    buffer_append_string(text, kinds[r->way]);
    if (r->downgrade)
        buffer_append_string(text, r->downgrade_signed ? ";downgrade=always"
                                                       : ";downgrade");
    if (s->is_implicit)
        buffer_append(text, SLICE(";implicit"));
    if (s->level != TRANSPORT_UNSAID && s->level != TRANSPORT_OPPORTUNISTIC)
        buffer_append_format(text, ";tls=%s", transport_level_text(s->level));
    if (has_more)
        buffer_append_format(text, ";%08x", sum_of(r));
    buffer_append_byte(text, ':');
}

void site_of_route(const struct delivery_route *route, struct slice domain,
                   struct site_key *out)
{
    char bytes[SITE_TEXT_MAX]; /* each job asks: no memory is fetched for it */
    struct buffer text = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct net_address address;
    append_kind(&text, route);
    size_t kind_len = buffer_len(&text);
    if (route->way != DELIVERY_SMTP && route->way != DELIVERY_LMTP) {
        buffer_append(&text, domain);
    } else if (net_host_parse(route->host, route->port, &address)) {
        net_address_append(&text, &address);
    } else {
        buffer_append(&text, route->host);
        if (route->host.data[0] != '/')
            buffer_append_format(&text, ":%u", route->port);
    }
    set_key_or_sum(out, &text, kind_len);
}

bool site_fits_route(const struct site_key *site, const struct delivery_route *route,
                     struct slice domain)
{
    struct slice text = slice_make(site->text, site->len);
    struct site_key now;
    char bytes[SITE_KEY_MAX];
    struct buffer kind = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (route->way == DELIVERY_MX) { /* which hosts, the DNS says anew each time */
        append_kind(&kind, route);
        return slice_starts_with_nocase(text, buffer_slice(&kind));
    }
    site_of_route(route, domain, &now);
    return slice_equal(text, slice_make(now.text, now.len));
}

static int by_name(const void *a, const void *b)
{
    const struct dns_name *const *one = a;
    const struct dns_name *const *two = b;
    return slice_compare(dns_name_slice(*one), dns_name_slice(*two));
}

void site_of_hosts(const struct delivery_route *route, const struct dns_hosts *hosts,
                   struct slice domain, struct site_key *out)
{
    const struct dns_name *names[DNS_HOSTS_MAX];
    struct buffer text;
    for (uint32_t i = 0; i < hosts->count; i++)
        names[i] = &hosts->hosts[i].name;
    qsort(names, hosts->count, sizeof names[0], by_name);
    buffer_init(&text, SITE_KEY_MAX + DNS_HOSTS_MAX * (DNS_NAME_MAX + 1));
    append_kind(&text, route);
    size_t kind_len = buffer_len(&text);
    for (uint32_t i = 0; i < hosts->count; i++) {
        if (i > 0)
            buffer_append_byte(&text, ',');
        buffer_append(&text, names[i]->len == 0 ? domain : dns_name_slice(names[i]));
    }
    set_key_or_sum(out, &text, kind_len);
    buffer_free(&text);
}
