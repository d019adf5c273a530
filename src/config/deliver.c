/* deliver.c: where mail goes: `deliver`, and `to` of a route. */
#include "config/reader_private.h"

#include "base/ascii.h"
#include "wire/smtp/address.h"

enum { SMTP_PORT = 25, SUBMISSIONS_PORT = 465 };

enum downgrade { DOWNGRADE_NONE, DOWNGRADE_UNSIGNED, DOWNGRADE_ALL };

struct deliver_said {
    bool mx;
    struct slice smtp;
    struct slice lmtp;
    struct slice maildir;
    enum downgrade downgrade;
    struct hop_said hop;
};

static const struct choice downgrades[] = {
    { "bounce", DOWNGRADE_NONE }, { "quoted-printable", DOWNGRADE_UNSIGNED },
    { "always", DOWNGRADE_ALL },  { NULL, 0 },
};

static const struct key deliver_keys[] = {
    { .name = "mx", .type = &type_bool, .offset = offsetof(struct deliver_said, mx),
      .help = "true: the mail hosts of the domain" },
    { .name = "smtp", .type = &type_text, .offset = offsetof(struct deliver_said, smtp),
      .min = 1, .max = 300, .help = "a host, or host:port" },
    { .name = "lmtp", .type = &type_text, .offset = offsetof(struct deliver_said, lmtp),
      .min = 1, .max = 300, .help = "host:port, or the path of a socket" },
    { .name = "maildir", .type = &type_path, .min = 1, .max = 4000,
      .offset = offsetof(struct deliver_said, maildir),
      .help = "a folder; {user} and {domain} stand for the recipient's" },
    { .name = "downgrade", .type = &type_choice, .choices = downgrades,
      .offset = offsetof(struct deliver_said, downgrade),
      .help = "8-bit mail to a hop that takes 7 bits only" },
    { .name = "tls", .type = &type_choice, .choices = hop_levels,
      .offset = offsetof(struct deliver_said, hop.tls),
      .help = "required: from anybody; verified, implicit: from the host itself" },
    { .name = "ca", .type = &type_path, .min = 1, .max = 4000,
      .offset = offsetof(struct deliver_said, hop.ca),
      .help = "a PEM file with the issuers to believe; none: the machine's" },
    { .name = "name", .type = &type_text, .min = 1, .max = 255,
      .offset = offsetof(struct deliver_said, hop.name),
      .help = "the name in its certificate; .example.com: any below" },
    { .name = "certificate", .type = &type_section, .keys = hop_certificate_keys,
      .offset = offsetof(struct deliver_said, hop.certificate),
      .help = "what is shown of us" },
    { .name = "auth", .type = &type_section, .keys = hop_auth_keys,
      .offset = offsetof(struct deliver_said, hop.auth),
      .help = "who we are" },
    { .name = NULL },
};

/* hop = host [ ":" port ] / "[" IPv6 "]" [ ":" port ] / IPv6 */
static bool split_hop(struct slice text, uint16_t port, struct config_deliver *out)
{
    struct net_address address;
    struct slice host = text;
    uint64_t number = port;
    if (!net_host_parse(text, 0, &address)) {
        size_t colon = slice_find_last(text, ':');
        if (colon != SLICE_NOT_FOUND) {
            host = slice_part(text, 0, colon);
            if (!slice_to_number(slice_from(text, colon + 1), 65535, &number))
                return false;
        }
    }
    if (number == 0)
        return false;
    if (net_host_parse(host, 0, &address)) {
        if (host.data[0] == '[')
            host = slice_part(host, 1, host.len - 2);
        else if (host.len != text.len && slice_find(host, ':') != SLICE_NOT_FOUND)
            return false; /* "::1:25" may mean either */
    } else if (!smtp_domain_is_valid(host)) {
        return false;
    }
    out->host = host;
    out->port = (uint16_t)number;
    return true;
}

static bool placeholders_are_known(struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        struct slice rest = slice_from(path, i);
        if (rest.data[0] == '}')
            return false;
        if (rest.data[0] != '{')
            continue;
        if (slice_equal(slice_part(rest, 0, 6), SLICE("{user}")))
            i += 5;
        else if (slice_equal(slice_part(rest, 0, 8), SLICE("{domain}")))
            i += 7;
        else
            return false;
    }
    return true;
}

static bool take_smtp(struct reader *r, const struct node *node, struct slice text,
                      const struct hop_said *hop, struct config_deliver *out)
{
    out->way = CONFIG_WAY_SMTP;
    bool is_implicit = hop->tls == CONFIG_HOP_IMPLICIT;
    return split_hop(text, is_implicit ? SUBMISSIONS_PORT : SMTP_PORT, out) ||
           reader_fail(r, node, "'%.*s' is not a host such as mail.example.com, "
                       "192.0.2.1:2525 or [2001:db8::1]:25", (int)text.len, text.data);
}

static bool take_lmtp(struct reader *r, const struct node *node, struct slice text,
                      struct config_deliver *out)
{
    struct net_address address;
    out->way = CONFIG_WAY_LMTP;
    if (text.data[0] == '/' && net_address_parse(text, &address)) {
        out->host = text;
        return true;
    }
    /* RFC 2033 section 5: never port 25, and none is assigned. */
    if (split_hop(text, 0, out) && out->port != SMTP_PORT)
        return true;
    return reader_fail(r, node, "'%.*s' is neither the path of a socket nor a host with "
                       "a port other than 25", (int)text.len, text.data);
}

static bool take_maildir(struct reader *r, const struct node *node, struct slice text,
                         struct config_deliver *out)
{
    out->way = CONFIG_WAY_MAILDIR;
    out->path = text;
    if (text.data[0] != '/')
        return reader_fail(r, node, "the path of a Maildir begins with '/'");
    return placeholders_are_known(text) ||
           reader_fail(r, node, "only {user} and {domain} may stand in braces");
}

static bool take_way(struct reader *r, const struct node *node,
                     const struct deliver_said *said, struct config_deliver *out)
{
    if (said->mx)
        return true;
    if (!slice_is_empty(said->smtp))
        return take_smtp(r, node_find(node, SLICE("smtp")), said->smtp, &said->hop, out);
    if (!slice_is_empty(said->lmtp))
        return take_lmtp(r, node_find(node, SLICE("lmtp")), said->lmtp, out);
    return take_maildir(r, node_find(node, SLICE("maildir")), said->maildir, out);
}

static bool take_map(struct reader *r, struct node *node, struct config_deliver *out)
{
    struct deliver_said said = { .downgrade = DOWNGRADE_NONE };
    if (!reader_map(r, node, deliver_keys, &said))
        return false;
    const struct node *mx = node_find(node, SLICE("mx"));
    if (mx != NULL && !said.mx)
        return reader_fail(r, mx, "only 'mx: true' says anything");
    int ways = said.mx + !slice_is_empty(said.smtp) + !slice_is_empty(said.lmtp) +
               !slice_is_empty(said.maildir);
    if (ways != 1)
        return reader_fail(r, node, "one of mx, smtp, lmtp and maildir is expected, not "
                           "%d of them", ways);
    const struct node *downgrade = node_find(node, SLICE("downgrade"));
    if (downgrade != NULL && !slice_is_empty(said.maildir))
        return reader_fail_name(r, downgrade, "a Maildir takes 8-bit mail");
    out->downgrade = said.downgrade != DOWNGRADE_NONE;
    out->downgrade_signed = said.downgrade == DOWNGRADE_ALL;
    return take_way(r, node, &said, out) && hop_settle(r, node, &said.hop, out);
}

static bool read_deliver(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    struct config_deliver deliver = { .way = CONFIG_WAY_MX,
                                      .hop.tls = CONFIG_HOP_OPPORTUNISTIC };
    if (node->kind == NODE_LIST)
        return reader_expected(r, key, node);
    if (node->kind == NODE_MAP) {
        if (!take_map(r, node, &deliver))
            return false;
    } else if (slice_equal(node->text, SLICE("discard"))) {
        deliver.way = CONFIG_WAY_DISCARD;
    } else if (slice_equal(node->text, SLICE("capture"))) {
        deliver.way = CONFIG_WAY_CAPTURE; /* its path follows when all is read */
    } else if (!slice_equal(node->text, SLICE("mx"))) {
        return reader_expected(r, key, node);
    }
    memcpy(place, &deliver, sizeof deliver);
    return true;
}

static void schema_deliver(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"anyOf\":[{\"enum\":[\"mx\",\"discard\",\"capture\"]},{"));
    schema_of_keys(deliver_keys, out);
    buffer_append(out, SLICE("}]"));
}

const struct key_type type_deliver = {
    .expected = "mx, discard, capture, { mx: true, tls: level }, { smtp: host:port }, "
                "{ lmtp: host:port or path } or { maildir: path }",
    .read = read_deliver, .schema = schema_deliver, .kind = NODE_TEXT,
};

/* to = "*" / "@" [ "*." ] domain; kept as "", "@domain", "@*.domain" in canonical form */
static bool read_route_to(struct reader *r, const struct key *key, struct node *node,
                          void *place)
{
    struct buffer text;
    struct slice kept = { .len = 0 };
    if (!reader_text(r, key, node))
        return false;
    if (!slice_equal(node->text, SLICE("*"))) {
        struct slice domain = slice_from(node->text, 1);
        buffer_init(&text, SMTP_DOMAIN_MAX + 3);
        buffer_append_byte(&text, '@');
        if (slice_starts_with_nocase(domain, SLICE("*."))) {
            buffer_append(&text, SLICE("*."));
            domain = slice_from(domain, 2);
        }
        if (node->text.len == 0 || node->text.data[0] != '@' ||
            !smtp_domain_canonical(domain, &text)) {
            buffer_free(&text);
            return reader_expected(r, key, node);
        }
        if (!reader_keep(r, &text, &kept))
            return false;
    }
    memcpy(place, &kept, sizeof kept);
    return true;
}

static void schema_route_to(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"string\",\"pattern\":\"^([*]|@.+)$\""));
}

const struct key_type type_route_to = {
    .expected = "\"@example.com\", \"@*.example.com\" for what lies under it, or \"*\"",
    .read = read_route_to, .schema = schema_route_to, .kind = NODE_TEXT,
};
