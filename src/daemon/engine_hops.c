/* engine_hops.c: the routes of the configuration, as the delivery knows them.
 *
 * What a route needs beside its words is read here: issuers to be believed, certificates
 * of ours, passwords; each file once, each context once. Who names no issuers believes
 * those of the machine. Passwords are wiped wherever they have passed.
 */
#include "daemon/engine_private.h"

#include "base/crc32c.h"
#include "crypto/sasl_client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A context that is made: who names the same files has the same. */
struct made {
    uint32_t ca_file;
    uint32_t cert_file;
    uint32_t key_file;
    struct tls_client *client;
};

struct making {
    const struct config *config;
    const struct secrets *secrets;
    struct tls_trust *machine;                  /* NULL: nobody */
    struct tls_trust *trusts[CONFIG_FILES_MAX]; /* by file */
    struct buffer passwords[CONFIG_FILES_MAX];  /* likewise */
    struct made *made;
    size_t made_count;
    char *why;
    size_t why_size;
};

static const struct config_file *file_at(const struct making *m, uint32_t place)
{
    const struct config_file *f = m->config->files;
    while (--place > 0)
        f = f->next;
    return f;
}

static int descriptor_of(const struct making *m, uint32_t place)
{
    return m->secrets->fds[m->config->certificates_count * 2 + place - 1];
}

static bool complain(struct making *m, uint32_t place, const char *text)
{
    const struct config_file *f = file_at(m, place);
    snprintf(m->why, m->why_size, "%s: %.*s: %s", f->key, (int)f->path.len,
             f->path.data, text);
    return false;
}

static bool no_memory(struct making *m)
{
    snprintf(m->why, m->why_size, "there is no memory for the routes");
    return false;
}

static bool read_trust(struct making *m, uint32_t place, struct tls_trust **out)
{
    struct certificate_trouble trouble = { "it cannot be read" };
    struct buffer pem;
    buffer_init(&pem, ENGINE_FILE_MAX);
    enum err error = engine_read_file(descriptor_of(m, place), &pem)
                         ? tls_trust_read(buffer_slice(&pem), out, &trouble) : ERR_INVALID;
    buffer_free(&pem);
    if (error == ERR_MEMORY)
        return no_memory(m);
    return error == ERR_OK || complain(m, place, trouble.text);
}

/* The machine's issuers; without any nobody is believed, which each attempt will say. */
static void read_machine_trust(struct making *m)
{
    static const char debian[] = "/etc/ssl/certs/ca-certificates.crt";
    const char *other = secure_getenv("SSL_CERT_FILE");
    struct certificate_trouble trouble;
    struct buffer pem;
    int fd = open(other != NULL ? other : debian, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    buffer_init(&pem, ENGINE_FILE_MAX);
    if (engine_read_file(fd, &pem) &&
        tls_trust_read(buffer_slice(&pem), &m->machine, &trouble) != ERR_OK)
        m->machine = NULL;
    buffer_free(&pem);
    close(fd);
}

static bool read_certificate(struct making *m, const struct config_hop *hop,
                             struct certificate **out)
{
    struct certificate_trouble trouble;
    if (hop->cert_file == 0)
        return true;
    return engine_read_pair(descriptor_of(m, hop->cert_file),
                            descriptor_of(m, hop->key_file), out, &trouble) ||
           complain(m, hop->cert_file, trouble.text);
}

static bool make_client(struct making *m, const struct config_hop *hop,
                        struct tls_client **out)
{
    struct certificate *certificate = NULL;
    struct tls_trust *trust = m->machine;
    if (hop->ca_file != 0) {
        struct tls_trust **kept = &m->trusts[hop->ca_file - 1];
        if (*kept == NULL && !read_trust(m, hop->ca_file, kept))
            return false;
        trust = *kept;
    }
    if (!read_certificate(m, hop, &certificate))
        return false;
    enum err error = tls_client_open(trust, certificate, out);
    certificate_drop(&certificate);
    if (error == ERR_INVALID)
        return complain(m, hop->cert_file, "it cannot be used: its key is too weak");
    return error == ERR_OK || no_memory(m);
}

static bool client_for(struct making *m, const struct config_hop *hop,
                       struct tls_client **out)
{
    for (size_t i = 0; i < m->made_count; i++) {
        const struct made *one = &m->made[i];
        if (one->ca_file == hop->ca_file && one->cert_file == hop->cert_file &&
            one->key_file == hop->key_file) {
            *out = one->client;
            return true;
        }
    }
    struct made *more = reallocarray(m->made, m->made_count + 1, sizeof *more);
    if (more == NULL)
        return no_memory(m);
    m->made = more;
    if (!make_client(m, hop, out))
        return false;
    m->made[m->made_count++] = (struct made){ hop->ca_file, hop->cert_file, hop->key_file,
                                              *out };
    return true;
}

/* password-file = secret [CR] LF / secret */
static bool read_password(struct making *m, uint32_t place, struct slice *out)
{
    struct buffer *kept = &m->passwords[place - 1];
    if (kept->memory == NULL) {
        buffer_init(kept, ENGINE_FILE_MAX);
        if (!engine_read_file(descriptor_of(m, place), kept))
            return complain(m, place, "it cannot be read");
    }
    struct slice text = buffer_slice(kept);
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.data[text.len - 1] == '\r')
        text.len--;
    if (text.len == 0)
        return complain(m, place, "there is no password in it");
    if (text.len > SASL_SECRET_MAX)
        return complain(m, place, "the password is too long");
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ')
            return complain(m, place, "the password is more than one line of text");
    *out = text;
    return true;
}

bool engine_take_token_secret(const struct config *config, const struct secrets *secrets,
                              struct sasl *sasl, const struct engine_why *why)
{
    struct making m = { .config = config, .secrets = secrets, .why = why->text,
                        .why_size = why->size };
    uint32_t place = config->login.introspect_file;
    struct slice secret = slice_make(NULL, 0);
    bool good = place == 0 || read_password(&m, place, &secret);
    if (good)
        sasl_take_secret(sasl, secret);
    if (place != 0)
        engine_wipe(&m.passwords[place - 1]);
    return good;
}

static const enum transport_level levels[] = {
    [CONFIG_HOP_CLEAR] = TRANSPORT_CLEAR,
    [CONFIG_HOP_OPPORTUNISTIC] = TRANSPORT_OPPORTUNISTIC,
    [CONFIG_HOP_REQUIRED] = TRANSPORT_REQUIRED,
    [CONFIG_HOP_VERIFIED] = TRANSPORT_VERIFIED,
    [CONFIG_HOP_IMPLICIT] = TRANSPORT_VERIFIED,
};

static bool take_auth(struct making *m, const struct config_hop *hop,
                      struct delivery_auth *out)
{
    static const uint32_t mechanisms[] = {
        [CONFIG_AUTH_ANY] = SASL_USUAL,
        [CONFIG_AUTH_SCRAM_SHA_256] = SASL_SCRAM_SHA_256,
        [CONFIG_AUTH_SCRAM_SHA_1] = SASL_SCRAM_SHA_1,
        [CONFIG_AUTH_PLAIN] = SASL_PLAIN,
        [CONFIG_AUTH_LOGIN] = SASL_LOGIN,
        [CONFIG_AUTH_OAUTHBEARER] = SASL_OAUTHBEARER,
        [CONFIG_AUTH_XOAUTH2] = SASL_XOAUTH2,
    };
    if (hop->password_file == 0)
        return true;
    *out = (struct delivery_auth){ .user = hop->auth.user, .over = levels[hop->auth.over],
                                   .mechanisms = mechanisms[hop->auth.mechanism] };
    return read_password(m, hop->password_file, &out->secret);
}

static uint32_t sum_files(const struct making *m, const struct config_hop *hop)
{
    const uint32_t places[] = { hop->ca_file, hop->cert_file, hop->key_file,
                                hop->password_file };
    uint32_t sum = 0;
    for (size_t i = 0; i < 4; i++)
        if (places[i] != 0)
            sum = crc32c(crc32c(sum, file_at(m, places[i])->path), SLICE("\n"));
    return sum;
}

static bool has_tls(const struct config_deliver *d)
{
    bool is_socket = d->way == CONFIG_WAY_LMTP && d->port == 0;
    return d->way == CONFIG_WAY_MX || d->way == CONFIG_WAY_SMTP ||
           (d->way == CONFIG_WAY_LMTP && !is_socket);
}

static bool route_of(struct making *m, struct slice match, const struct config_deliver *d,
                     struct delivery_route *out)
{
    static const enum delivery_way ways[] = {
        [CONFIG_WAY_MX] = DELIVERY_MX,           [CONFIG_WAY_SMTP] = DELIVERY_SMTP,
        [CONFIG_WAY_LMTP] = DELIVERY_LMTP,       [CONFIG_WAY_MAILDIR] = DELIVERY_MAILDIR,
        [CONFIG_WAY_CAPTURE] = DELIVERY_MAILDIR, [CONFIG_WAY_DISCARD] = DELIVERY_DISCARD,
    };
    *out = (struct delivery_route){
        .match = match, .way = ways[d->way], .host = d->host, .port = d->port,
        .path = d->path, .quota_bytes = d->quota_bytes, .downgrade = d->downgrade,
        .downgrade_signed = d->downgrade_signed,
    };
    if (!has_tls(d))
        return true;
    out->security = (struct delivery_security){
        .level = levels[d->hop.tls], .is_implicit = d->hop.tls == CONFIG_HOP_IMPLICIT,
        .name = d->hop.name, .has_own_trust = d->hop.ca_file != 0,
        .files = sum_files(m, &d->hop),
    };
    return (d->hop.tls == CONFIG_HOP_CLEAR ||
            client_for(m, &d->hop, &out->security.tls)) &&
           take_auth(m, &d->hop, &out->auth);
}

/* The delivery matches names without '@'. */
static struct slice match_of(struct slice to)
{
    return to.len > 0 && to.data[0] == '@' ? slice_from(to, 1) : to;
}

/* Those of the domains, those of the routes, and the last resort. */
static bool fill(struct making *m, struct delivery_route *routes, size_t *out_count)
{
    static const struct config_deliver last = { .way = CONFIG_WAY_MX,
                                                .hop.tls = CONFIG_HOP_OPPORTUNISTIC };
    const struct config *c = m->config;
    struct table_entry *entry = NULL;
    size_t count = 0;
    while ((entry = table_next(&c->domains, entry)) != NULL) {
        const struct config_domain *d = container_of(entry, struct config_domain, entry);
        if (d->has_deliver && !route_of(m, d->name, &d->deliver, &routes[count++]))
            return false;
    }
    for (size_t i = 0; i < c->routes_count; i++)
        if (!route_of(m, match_of(c->routes[i].to), &c->routes[i].deliver,
                      &routes[count++]))
            return false;
    *out_count = count + 1;
    return route_of(m, slice_make(NULL, 0), &last, &routes[count]);
}

/* The first RSA key of the domain that seals, for not everybody reads Ed25519; else its
 * first. */
static bool read_sealing(struct making *m, struct delivery_sealing *out)
{
    const struct config_domain *d = config_domain(m->config, m->config->verify.arc_domain);
    if (d == NULL)
        return true;
    for (size_t i = 0; i < d->dkim_count; i++) {
        struct private_key *key;
        if (!engine_read_key(m->config, m->secrets, &d->dkim[i],
                             &(struct engine_why){ m->why, m->why_size }, &key))
            return false;
        bool is_better = out->key == NULL || (private_key_kind(out->key) != KEY_RSA &&
                                              private_key_kind(key) == KEY_RSA);
        if (is_better) {
            private_key_drop(&out->key);
            *out = (struct delivery_sealing){ .key = private_key_hold(key), .domain = d->name,
                                              .selector = d->dkim[i].selector };
        }
        private_key_drop(&key);
    }
    return true;
}

static void making_free(struct making *m)
{
    for (size_t i = 0; i < m->made_count; i++)
        tls_client_drop(&m->made[i].client);
    free(m->made);
    for (size_t i = 0; i < CONFIG_FILES_MAX; i++) {
        tls_trust_drop(&m->trusts[i]);
        engine_wipe(&m->passwords[i]);
    }
    tls_trust_drop(&m->machine);
}

struct delivery_routes *engine_routes(const struct config *config,
                                      const struct secrets *secrets, char *why,
                                      size_t why_size)
{
    struct making m = { .config = config, .secrets = secrets, .why = why,
                        .why_size = why_size };
    struct delivery_route *routes =
        calloc(config->domains.count + config->routes_count + 1, sizeof *routes);
    struct delivery_routes *made = NULL;
    struct delivery_sealing sealing = { .key = NULL };
    struct delivery_forwarding forwarding = { .domain = config->srs.domain };
    size_t count = 0;
    if (config->srs.secrets_count > 0)
        forwarding.secret = config->srs.secrets[0];
    if (routes == NULL) {
        no_memory(&m);
        return NULL;
    }
    read_machine_trust(&m);
    if (fill(&m, routes, &count) && read_sealing(&m, &sealing) &&
        delivery_routes_make(routes, count, &sealing, &forwarding, &made) != ERR_OK) {
        snprintf(why, why_size, "the routes cannot be used");
        made = NULL;
    }
    private_key_drop(&sealing.key);
    making_free(&m);
    free(routes);
    return made;
}
