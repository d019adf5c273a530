/* check.c: what follows from several keys together, once all are read. */
#include "config/reader_private.h"

#include "base/list.h"
#include "wire/smtp/address.h"

#include <unistd.h>

static const struct slice postmaster = SLICE_INIT("postmaster");

static bool capture_path(struct reader *r, struct slice *out_path)
{
    struct buffer path;
    struct slice data = r->snapshot->config.data;
    char here[4096];
    buffer_init(&path, 16384);
    if (data.len > 0 && data.data[0] != '/' && getcwd(here, sizeof here) != NULL) {
        /* A Maildir's path is absolute; the data folder's need not be. */
        buffer_append_string(&path, here);
        buffer_append_byte(&path, '/');
    }
    buffer_append(&path, data);
    buffer_append(&path, SLICE("/captured"));
    return reader_keep(r, &path, out_path);
}

/* Where captured mail goes depends on the data folder, which any key may follow. */
static bool settle_captures(struct reader *r)
{
    struct config *c = &r->snapshot->config;
    struct slice captured;
    if (!capture_path(r, &captured))
        return false;
    for (size_t i = 0; i < c->routes_count; i++)
        if (c->routes[i].deliver.way == CONFIG_WAY_CAPTURE)
            c->routes[i].deliver.path = captured;
    for (struct table_entry *e = table_next(&c->domains, NULL); e != NULL;
         e = table_next(&c->domains, e)) {
        struct config_domain *d = container_of(e, struct config_domain, entry);
        if (d->deliver.way == CONFIG_WAY_CAPTURE)
            d->deliver.path = captured;
    }
    return true;
}

/* Where nobody can log in nobody is asked to, unless that was said. */
static bool settle_auth(struct reader *r, const struct node *item,
                        struct config_listener *listener)
{
    struct node *said = node_find(item, SLICE("auth"));
    if (r->snapshot->config.has_logins || listener->auth == CONFIG_AUTH_NONE)
        return true;
    if (said->origin != NODE_DEFAULT)
        return reader_fail_name(r, said, "nobody can log in: no user has a password "
                                "(`godwit user add` sets one)");
    listener->auth = CONFIG_AUTH_NONE;
    said->text = SLICE("none");
    return true;
}

static bool check_listeners(struct reader *r)
{
    struct config *c = &r->snapshot->config;
    const struct node *list = node_find(r->snapshot->tree, SLICE("listen"));
    if (c->listeners_count == 0)
        return reader_fail(r, list, "at least one listener is needed");
    const struct node *item = list->kind == NODE_LIST ? list->first : list;
    for (size_t i = 0; i < c->listeners_count; i++, item = item->next) {
        if (c->listeners[i].proxy && c->proxy_from_count == 0)
            return reader_fail_name(r, node_find(item, SLICE("proxy")),
                                    "say in proxy_from who may send a PROXY header");
        if (!settle_auth(r, item, &c->listeners[i]))
            return false;
    }
    return true;
}

static bool check_domain(struct reader *r, const struct node *node)
{
    const struct config *c = &r->snapshot->config;
    struct buffer name;
    buffer_init(&name, SMTP_DOMAIN_MAX);
    smtp_domain_canonical(node->name, &name);
    const struct config_domain *domain = config_domain(c, buffer_slice(&name));
    buffer_free(&name);
    /* MX records of a domain that lives here lead back to here. */
    if (domain->kind == CONFIG_DOMAIN_LOCAL && domain->users_count > 0 &&
        config_route(c, domain->name)->way == CONFIG_WAY_MX)
        return reader_fail_name(r, node, "nothing says where mail for these users goes: add "
                                "deliver: { maildir: path } or { lmtp: host:port }");
    return aliases_check(r, node, domain);
}

static bool check_domains(struct reader *r)
{
    const struct node *domains = node_find(r->snapshot->tree, SLICE("domains"));
    for (const struct node *n = domains->first; n != NULL; n = n->next)
        if (!check_domain(r, n))
            return false;
    return true;
}

static bool postmaster_at(struct reader *r, struct slice domain, struct slice *out)
{
    struct buffer address;
    buffer_init(&address, SMTP_PATH_MAX * 2);
    buffer_append(&address, postmaster);
    buffer_append_byte(&address, '@');
    buffer_append(&address, domain);
    return reader_keep(r, &address, out);
}

/* A postmaster by name is better than one by the catch-all; then the first by name. */
static bool is_better(const struct config_domain *a, const struct config_domain *b)
{
    bool a_named = config_domain_has_user(a, postmaster) ||
                   config_domain_alias(a, postmaster) != NULL;
    bool b_named = config_domain_has_user(b, postmaster) ||
                   config_domain_alias(b, postmaster) != NULL;
    return a_named != b_named ? a_named : slice_compare(a->name, b->name) < 0;
}

static const struct config_domain *domain_with_postmaster(const struct config *c)
{
    const struct config_domain *found = NULL;
    for (const struct table_entry *e = table_next(&c->domains, NULL); e != NULL;
         e = table_next(&c->domains, e)) {
        const struct config_domain *d = config_domain(c, e->key);
        if (d->kind == CONFIG_DOMAIN_LOCAL && domain_has_mailbox(d, postmaster) &&
            (found == NULL || is_better(d, found)))
            found = d;
    }
    return found;
}

/* RFC 5321 4.5.1: <postmaster> without a domain is somebody, wherever that is possible:
 * at the hostname, else in one of the domains. */
static bool settle_postmaster(struct reader *r)
{
    struct config *c = &r->snapshot->config;
    struct node *node = node_find(r->snapshot->tree, SLICE("postmaster"));
    const struct config_domain *host = config_domain(c, c->hostname);
    const struct config_domain *found = NULL;
    if (!slice_is_empty(c->postmaster))
        return address_exists(c, c->postmaster) ||
               reader_fail(r, node, "%.*s does not exist", (int)c->postmaster.len,
                           c->postmaster.data);
    found = host != NULL && domain_has_mailbox(host, postmaster) ? host : domain_with_postmaster(c);
    if (host != NULL && found == NULL)
        return true;
    if (!postmaster_at(r, found == NULL ? c->hostname : found->name, &c->postmaster))
        return false;
    node->text = c->postmaster;
    return true;
}

/* Dovecot knows passwords, and no keys for SCRAM. */
static void settle_logins(struct config *c)
{
    if (!slice_is_empty(c->client_ca) && !c->has_logins) {
        c->has_logins = true; /* by certificates alone */
        c->logins_have_passwords = false;
    } else {
        c->logins_have_passwords = c->has_logins;
    }
    if (slice_is_empty(c->login.dovecot))
        return;
    c->has_logins = c->logins_have_passwords = true;
    c->logins_have_scram_sha256 = c->logins_have_scram_sha1 = false;
}

/* Tokens are asked about over TLS; by them alone people may log in, too (RFC 7662). */
static bool settle_tokens(struct reader *r)
{
    struct config *c = &r->snapshot->config;
    struct config_login *login = &c->login;
    const struct node *auth = node_find(r->snapshot->tree, SLICE("auth"));
    const struct node *url = node_find(auth, SLICE("introspect"));
    struct slice https = SLICE("https://");
    if (slice_is_empty(login->introspect))
        return true;
    struct slice rest = slice_from(login->introspect, https.len);
    if (!slice_starts_with_nocase(login->introspect, https) || rest.len == 0 ||
        rest.data[0] == '/' || slice_find(rest, '@') != SLICE_NOT_FOUND ||
        slice_find(rest, ' ') != SLICE_NOT_FOUND)
        return reader_fail(r, url, "'%.*s' is not a URL such as https://id.example.com/introspect",
                           (int)slice_part(login->introspect, 0, 80).len,
                           login->introspect.data);
    if (slice_is_empty(login->introspect_client) || slice_is_empty(login->introspect_secret))
        return reader_fail_name(r, url, "say introspect_client and introspect_secret, too: who "
                                "we are at that server");
    login->introspect_file = reader_file(r, "auth.introspect_secret", login->introspect_secret);
    c->has_logins = true;
    return login->introspect_file != 0 || reader_too_many_files(r, url);
}

/* Who seals (RFC 8617) is a domain with keys of its own. */
static bool settle_sealer(struct reader *r)
{
    struct config *c = &r->snapshot->config;
    const struct node *node = node_find(node_find(r->snapshot->tree, SLICE("verify")),
                                        SLICE("arc_seal"));
    struct buffer name;
    if (slice_is_empty(c->verify.arc_domain))
        return true;
    buffer_init(&name, SMTP_DOMAIN_MAX);
    const struct config_domain *d =
        smtp_domain_canonical(c->verify.arc_domain, &name)
            ? config_domain(c, buffer_slice(&name)) : NULL;
    buffer_free(&name);
    if (d == NULL || d->dkim_count == 0)
        return reader_fail(r, node, "'%.*s' is not one of the domains that have keys (dkim)",
                           (int)slice_part(c->verify.arc_domain, 0, 80).len,
                           c->verify.arc_domain.data);
    c->verify.arc_domain = d->name;
    return true;
}

/* ---- senders of what is forwarded ---- */

enum { SRS_FILE_MAX = 64 * 1024, SRS_SECRET_MIN = 16, SRS_SECRET_MAX = 1024, SRS_SECRETS_MAX = 20 };

static bool keep_secrets(struct reader *r, const struct node *node, struct slice text)
{
    struct config_srs *srs = &r->snapshot->config.srs;
    srs->secrets = arena_alloc_many(r->arena, SRS_SECRETS_MAX, sizeof *srs->secrets);
    if (srs->secrets == NULL)
        return reader_memory(r);
    while (text.len > 0) {
        size_t end = slice_find(text, '\n');
        struct slice line = end == SLICE_NOT_FOUND ? text : slice_part(text, 0, end);
        text = end == SLICE_NOT_FOUND ? slice_make(NULL, 0) : slice_from(text, end + 1);
        if (line.len == 0)
            continue;
        if (line.len < SRS_SECRET_MIN || line.len > SRS_SECRET_MAX)
            return reader_fail(r, node, "each line of the file is a secret of %d to %d octets",
                               SRS_SECRET_MIN, SRS_SECRET_MAX);
        if (srs->secrets_count == SRS_SECRETS_MAX)
            return reader_fail(r, node, "at most %d secrets may be in the file",
                               SRS_SECRETS_MAX);
        if (!arena_copy(r->arena, line, &srs->secrets[srs->secrets_count++]))
            return reader_memory(r);
    }
    return srs->secrets_count > 0 ||
           reader_fail(r, node, "the file has no secret: one of 16 octets at least is needed");
}

static bool read_secrets(struct reader *r, const struct node *node)
{
    const struct config_srs *srs = &r->snapshot->config.srs;
    struct arena arena;
    struct slice text;
    arena_init(&arena, SRS_FILE_MAX + 4096);
    enum err result = file_read(&arena, srs->secret, SRS_FILE_MAX, &text);
    bool fine = result == ERR_OK;
    if (fine)
        fine = keep_secrets(r, node, text);
    else
        reader_fail(r, node, "the file '%.*s' cannot be read: %s",
                    (int)slice_part(srs->secret, 0, 200).len, srs->secret.data,
                    result == ERR_FULL ? "it is larger than 64 KiB" : err_text(result));
    if (result == ERR_OK)
        explicit_bzero((char *)(uintptr_t)text.data, text.len);
    arena_free(&arena);
    return fine;
}

static bool settle_srs(struct reader *r)
{
    struct config *c = &r->snapshot->config;
    const struct node *srs = node_find(r->snapshot->tree, SLICE("srs"));
    struct buffer name;
    if (slice_is_empty(c->srs.domain))
        return slice_is_empty(c->srs.secret) ||
               reader_fail_name(r, node_find(srs, SLICE("secret")), "say the domain, too");
    buffer_init(&name, SMTP_DOMAIN_MAX);
    const struct config_domain *d = smtp_domain_canonical(c->srs.domain, &name)
                                        ? config_domain(c, buffer_slice(&name)) : NULL;
    buffer_free(&name);
    const struct node *node = node_find(srs, SLICE("domain"));
    if (d == NULL || d->kind != CONFIG_DOMAIN_LOCAL)
        return reader_fail(r, node, "'%.*s' is not one of the domains whose users are ours",
                           (int)slice_part(c->srs.domain, 0, 80).len, c->srs.domain.data);
    if (slice_is_empty(c->srs.secret))
        return reader_fail_name(r, node, "say secret, too: a file with a line of random text");
    c->srs.domain = d->name;
    return read_secrets(r, node_find(srs, SLICE("secret")));
}

/* Nothing is refused there that a test may want to send, and nobody is slowed down. */
static void settle_sandbox(struct config *c)
{
    c->accepts_any_login = c->has_logins = c->logins_have_passwords = true;
    c->refuse_early_talkers = false;
    c->limits.connections_per_client = c->limits.connections;
    c->limits.errors = c->limits.junk_commands = UINT32_MAX;
    c->limits.hops = UINT32_MAX;
    c->limits.line_bytes = c->limits.message_bytes;
    c->tarpit = (struct config_tarpit){ 0 };
    c->client_limits = (struct config_client_limits){ 0 };
    for (size_t i = 0; i < c->listeners_count; i++) {
        c->listeners[i].bare_line_end = LINE_END_KEEP;
        c->listeners[i].auth_in_clear = true;
        if (c->listeners[i].auth == CONFIG_AUTH_NONE)
            c->listeners[i].auth = CONFIG_AUTH_OFFERED;
    }
}

bool snapshot_check(struct reader *r)
{
    settle_logins(&r->snapshot->config);
    if (r->flags->sandbox)
        settle_sandbox(&r->snapshot->config);
    return settle_tokens(r) && settle_captures(r) && check_listeners(r) && check_domains(r) &&
           settle_postmaster(r) && settle_sealer(r) && settle_srs(r);
}
