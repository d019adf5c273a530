/* dkim.c: the type of what a domain signs with: selectors and the files of their keys.
 *
 * Files are named here and opened by who may. RFC 6376 3.1 and 3.6.2.1 (what a selector
 * is, and where its key stands in the DNS).
 */
#include "config/reader_private.h"

#include "wire/smtp/address.h"

enum { NAME_MAX_OCTETS = 253 };

#define BETWEEN SLICE("._domainkey.")

static const struct key dkim_keys[] = {
    { .name = "selector", .type = &type_text, .is_required = true, .min = 1, .max = 200,
      .offset = offsetof(struct config_dkim, selector),
      .help = "the name that its public half has in the DNS" },
    { .name = "key", .type = &type_path, .is_required = true, .min = 1, .max = 4000,
      .offset = offsetof(struct config_dkim, path),
      .help = "a PEM file with the private key: RSA or Ed25519" },
    { .name = NULL },
};

/* selector = sub-domain *( "." sub-domain ), kept in lower case */
static bool take_selector(struct reader *r, const struct node *map, struct config_dkim *out)
{
    const struct node *at = node_find(map, SLICE("selector"));
    struct buffer canonical;
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    if (!smtp_domain_canonical(out->selector, &canonical)) {
        buffer_free(&canonical);
        return reader_fail(r, at, "'%.*s' is not a selector such as s2026",
                           (int)slice_part(out->selector, 0, 80).len, out->selector.data);
    }
    return reader_keep(r, &canonical, &out->selector);
}

static bool read_one(struct reader *r, struct node *map, struct config_dkim *out)
{
    if (!reader_map(r, map, dkim_keys, out) || !take_selector(r, map, out))
        return false;
    out->file = reader_file(r, "dkim.key", out->path);
    return out->file != 0 || reader_too_many_files(r, map);
}

static bool read_dkim(struct reader *r, const struct key *key, struct node *node,
                      void *place)
{
    struct config_domain *domain = place;
    size_t count = node_count(node);
    if (node->kind != NODE_LIST)
        return reader_expected(r, key, node);
    if (count > CONFIG_DKIM_MAX)
        return reader_fail(r, node, "at most %d keys sign for a domain", CONFIG_DKIM_MAX);
    domain->dkim = arena_alloc_many(r->arena, count + 1, sizeof *domain->dkim);
    if (domain->dkim == NULL)
        return reader_memory(r);
    for (struct node *n = node->first; n != NULL; n = n->next) {
        struct config_dkim *one = &domain->dkim[domain->dkim_count];
        if (!read_one(r, n, one))
            return false;
        for (size_t i = 0; i < domain->dkim_count; i++)
            if (slice_equal(domain->dkim[i].selector, one->selector))
                return reader_fail(r, n, "the selector '%.*s' stands here twice",
                                   (int)one->selector.len, one->selector.data);
        domain->dkim_count++;
    }
    return true;
}

bool dkim_check(struct reader *r, const struct node *node, const struct config_domain *d)
{
    const struct node *dkim = node_find(node, SLICE("dkim"));
    const struct node *below = node_find(node, SLICE("dkim_subdomains"));
    if (d->dkim_count == 0 && d->dkim_subdomains)
        return reader_fail_name(r, below, "there are no keys: say dkim");
    if (d->dkim_count > 0 && slice_find(d->name, '.') == SLICE_NOT_FOUND)
        return reader_fail_name(r, dkim, "a name without a dot signs nothing");
    for (size_t i = 0; i < d->dkim_count; i++)
        if (d->dkim[i].selector.len + BETWEEN.len + d->name.len > NAME_MAX_OCTETS)
            return reader_fail_name(r, dkim, "the name of a key is too long for the DNS");
    return true;
}

static void schema_dkim(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append_format(out, "\"type\":\"array\",\"maxItems\":%d,\"items\":{",
                         CONFIG_DKIM_MAX);
    schema_of_keys(dkim_keys, out);
    buffer_append_byte(out, '}');
}

const struct key_type type_dkim = {
    .expected = "a list of keys such as [{ selector: s2026, key: /etc/godwit/s2026.pem }]",
    .read = read_dkim, .schema = schema_dkim, .kind = NODE_LIST,
};
