/* hop.c: what `deliver` says of TLS and of authentication: levels, files, a name.
 *
 * Files are named here and opened by who may; the configuration keeps them in the order
 * in which they stand. RFC 8314 3.3 and 4.2 (a password is for a verified host).
 */
#include "config/reader_private.h"

#include "wire/smtp/address.h"

const struct choice hop_levels[] = {
    { "none", CONFIG_HOP_CLEAR },         { "opportunistic", CONFIG_HOP_OPPORTUNISTIC },
    { "required", CONFIG_HOP_REQUIRED },  { "verified", CONFIG_HOP_VERIFIED },
    { "implicit", CONFIG_HOP_IMPLICIT },  { NULL, 0 },
};

static const struct choice mechanisms[] = {
    { "any", CONFIG_AUTH_ANY },
    { "scram-sha-256", CONFIG_AUTH_SCRAM_SHA_256 },
    { "scram-sha-1", CONFIG_AUTH_SCRAM_SHA_1 },
    { "plain", CONFIG_AUTH_PLAIN },
    { "login", CONFIG_AUTH_LOGIN },
    { "oauthbearer", CONFIG_AUTH_OAUTHBEARER },
    { "xoauth2", CONFIG_AUTH_XOAUTH2 },
    { NULL, 0 },
};

static const struct choice channels[] = {
    { "verified", CONFIG_HOP_VERIFIED }, { "encrypted", CONFIG_HOP_REQUIRED },
    { "clear", CONFIG_HOP_CLEAR },       { NULL, 0 },
};

const struct key hop_certificate_keys[] = {
    { .name = "cert", .type = &type_path, .is_required = true, .min = 1, .max = 4000,
      .offset = offsetof(struct config_certificate, cert),
      .help = "a PEM file with our certificate, then those of its issuers" },
    { .name = "key", .type = &type_path, .fallback = "", .max = 4000,
      .offset = offsetof(struct config_certificate, key),
      .help = "a PEM file with its key; none: the file of the certificate" },
    { .name = NULL },
};

const struct key hop_auth_keys[] = {
    { .name = "user", .type = &type_text, .is_required = true, .min = 1, .max = 255,
      .offset = offsetof(struct config_auth, user),
      .help = "the name that the other side knows us by" },
    { .name = "password_file", .type = &type_path, .is_required = true, .min = 1,
      .max = 4000, .offset = offsetof(struct config_auth, password_file),
      .help = "a file with the password or token, and nothing else" },
    { .name = "mechanism", .type = &type_choice, .choices = mechanisms, .fallback = "any",
      .offset = offsetof(struct config_auth, mechanism),
      .help = "any: the best that is offered, but for tokens" },
    { .name = "over", .type = &type_choice, .choices = channels, .fallback = "verified",
      .offset = offsetof(struct config_auth, over),
      .help = "the least that the password is said over" },
    { .name = NULL },
};

static bool add_files(struct reader *r, const struct node *map,
                      const struct hop_said *said, struct config_hop *hop)
{
    const struct config_certificate *c = &said->certificate;
    const struct { const char *key; struct slice path; uint32_t *place; } files[] = {
        { "deliver.ca", said->ca, &hop->ca_file },
        { "deliver.certificate.cert", c->cert, &hop->cert_file },
        { "deliver.certificate.key", c->key.len > 0 ? c->key : c->cert, &hop->key_file },
        { "deliver.auth.password_file", said->auth.password_file, &hop->password_file },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i].path.len == 0)
            continue;
        *files[i].place = reader_file(r, files[i].key, files[i].path);
        if (*files[i].place == 0)
            return reader_too_many_files(r, map);
    }
    return true;
}

/* name = [ "." ] domain / address */
static bool is_name(struct slice name)
{
    struct net_address address;
    if (net_host_parse(name, 0, &address))
        return name.data[0] != '[';
    return smtp_domain_is_valid(name.data[0] == '.' ? slice_from(name, 1) : name);
}

/* The key of the map that is the first of those named, or NULL. */
static const struct node *first_of(const struct node *map, const char *const *names)
{
    for (; *names != NULL; names++) {
        const struct node *n = node_find(map, slice_from_string(*names));
        if (n != NULL)
            return n;
    }
    return NULL;
}

static bool check_level(struct reader *r, const struct node *map,
                        const struct config_deliver *d)
{
    static const char *const of_tls[] = { "tls", "ca", "name", "certificate", "auth", NULL };
    bool is_socket = d->way == CONFIG_WAY_LMTP && d->port == 0;
    bool has_tls = d->way != CONFIG_WAY_MAILDIR && !is_socket;
    const struct node *said = first_of(map, of_tls);
    if (!has_tls && said != NULL)
        return reader_fail_name(r, said, "%s", is_socket
                                ? "a socket of this machine needs no TLS"
                                : "a Maildir has no other side");
    if (d->hop.tls == CONFIG_HOP_CLEAR && (said = first_of(map, of_tls + 1)) != NULL &&
        !slice_equal(said->name, SLICE("auth")))
        return reader_fail_name(r, said, "this needs TLS, which is none here");
    if (d->hop.tls == CONFIG_HOP_IMPLICIT && d->way != CONFIG_WAY_SMTP)
        return reader_fail(r, node_find(map, SLICE("tls")),
                           "implicit is for a host that is named, by smtp");
    return true;
}

static bool check_auth(struct reader *r, const struct node *map,
                       const struct config_deliver *d)
{
    const struct node *auth = node_find(map, SLICE("auth"));
    enum config_hop_tls had = d->hop.tls == CONFIG_HOP_IMPLICIT ? CONFIG_HOP_VERIFIED
                                                                : d->hop.tls;
    if (auth == NULL)
        return true;
    if (d->way != CONFIG_WAY_SMTP)
        return reader_fail_name(r, auth, "a password is for a host that is named, by smtp");
    if (had < d->hop.auth.over)
        return reader_fail_name(r, auth, "the password is said over %s only: say "
                                "tls: %s, or what it may be said over",
                                d->hop.auth.over == CONFIG_HOP_VERIFIED
                                    ? "verified TLS" : "TLS",
                                d->hop.auth.over == CONFIG_HOP_VERIFIED
                                    ? "verified or implicit" : "required");
    return true;
}

/* Without a word: TLS where it can be had; with a password TLS that is as good as that
 * needs. */
static enum config_hop_tls usual_level(const struct node *map,
                                       const struct config_deliver *d)
{
    if (d->way == CONFIG_WAY_MAILDIR || (d->way == CONFIG_WAY_LMTP && d->port == 0))
        return CONFIG_HOP_CLEAR;
    if (node_find(map, SLICE("auth")) != NULL && d->hop.auth.over > CONFIG_HOP_CLEAR)
        return d->hop.auth.over;
    return CONFIG_HOP_OPPORTUNISTIC;
}

bool hop_settle(struct reader *r, const struct node *map, const struct hop_said *said,
                struct config_deliver *out)
{
    const struct node *name = node_find(map, SLICE("name"));
    out->hop.auth = said->auth;
    out->hop.name = said->name;
    out->hop.tls = node_find(map, SLICE("tls")) != NULL ? said->tls : usual_level(map, out);
    if (name != NULL && !is_name(said->name))
        return reader_fail(r, name, "'%.*s' is not a host such as mail.example.com, "
                           "192.0.2.1, or .example.com for any below it",
                           (int)slice_part(said->name, 0, 80).len, said->name.data);
    return check_level(r, map, out) && check_auth(r, map, out) &&
           add_files(r, map, said, &out->hop);
}
