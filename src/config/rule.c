/* rule.c: the type of `rules`: who may do what, to be read aloud. */
#include "config/reader_private.h"

#include "base/ascii.h"
#include "wire/smtp/address.h"

enum { REPLY_MAX = 300 };

static const struct choice roles[] = {
    { "relay", CONFIG_NO }, { "submission", CONFIG_YES }, { NULL, 0 },
};
static const struct choice yes_or_no[] = {
    { "yes", CONFIG_YES }, { "no", CONFIG_NO }, { "true", CONFIG_YES }, { "false", CONFIG_NO },
    { NULL, 0 },
};
static const struct choice thens[] = {
    { "accept", CONFIG_THEN_ACCEPT }, { "relay", CONFIG_THEN_RELAY },
    { "reject", CONFIG_THEN_REJECT }, { "defer", CONFIG_THEN_DEFER },
    { "discard", CONFIG_THEN_DISCARD }, { "hold", CONFIG_THEN_HOLD },
    { "delay", CONFIG_THEN_DELAY }, { "close", CONFIG_THEN_CLOSE }, { NULL, 0 },
};

/* ---- patterns ---- */

static bool canonical_domain(struct slice text, struct buffer *out)
{
    return smtp_domain_canonical(text, out) && !out->overflow;
}

/* pattern = domain / "*." domain / "none"; out: the same in canonical form */
static bool host_pattern(struct slice text, struct buffer *out)
{
    if (slice_equal_nocase(text, SLICE("none"))) {
        buffer_append(out, SLICE("none"));
        return true;
    }
    if (text.len > 2 && text.data[0] == '*' && text.data[1] == '.') {
        buffer_append(out, SLICE("*."));
        text = slice_from(text, 2);
    }
    return canonical_domain(text, out);
}

/* as host_pattern(), where there is always a name */
static bool name_pattern(struct slice text, struct buffer *out)
{
    return !slice_equal_nocase(text, SLICE("none")) && host_pattern(text, out);
}

/* pattern = "<>" / "@" host-pattern / mailbox */
static bool address_pattern(struct slice text, struct buffer *out)
{
    struct smtp_address address;
    if (slice_equal(text, SLICE("<>"))) {
        buffer_append(out, text);
        return true;
    }
    if (text.len > 0 && text.data[0] == '@') {
        buffer_append_byte(out, '@');
        return host_pattern(slice_from(text, 1), out) && buffer_len(out) > 1;
    }
    if (smtp_address_parse(text, SMTP_UTF8_ALLOWED, &address) != SMTP_PATH_OK)
        return false;
    smtp_address_canonical(&address, out);
    for (size_t i = out->start; i < out->end; i++)
        out->memory[i] = ascii_lower(out->memory[i]);
    return true;
}

/* as address_pattern(), of one mailbox */
static bool mailbox_pattern(struct slice text, struct buffer *out)
{
    return text.len > 0 && text.data[0] != '<' && text.data[0] != '@' &&
           address_pattern(text, out);
}

static bool account_pattern(struct slice text, struct buffer *out)
{
    if (slice_equal(text, SLICE("*")) || slice_equal_nocase(text, SLICE("none"))) {
        buffer_append(out, slice_equal(text, SLICE("*")) ? text : SLICE("none"));
        return true;
    }
    return text.len > 0 && text.data[0] != '<' && address_pattern(text, out);
}

struct pattern_kind {
    bool (*take)(struct slice text, struct buffer *out);
    const char *expected;
};

static const struct pattern_kind hosts = {
    host_pattern, "a name such as mail.example.com, *.example.com, or none",
};
static const struct pattern_kind names = {
    name_pattern, "a domain such as lists.example.com or *.example.com",
};
static const struct pattern_kind addresses = {
    address_pattern, "an address such as ann@example.com, @example.com, @*.example.com, <>",
};
static const struct pattern_kind mailboxes = {
    mailbox_pattern, "an address such as dmarc@example.com",
};
static const struct pattern_kind accounts = {
    account_pattern, "an account such as ann@example.com, @example.com, * or none",
};

static bool read_patterns(struct reader *r, const struct key *key, struct node *node,
                          void *place, const struct pattern_kind *kind)
{
    struct config_slices all = { .count = 0 };
    struct node *n = node->kind == NODE_LIST ? node->first : node;
    if (node->kind == NODE_MAP)
        return reader_expected(r, key, node);
    all.all = arena_alloc_many(r->arena, node->kind == NODE_LIST ? node_count(node) + 1 : 1,
                               sizeof *all.all);
    if (all.all == NULL)
        return reader_memory(r);
    for (; n != NULL; n = node->kind == NODE_LIST ? n->next : NULL) {
        struct buffer text;
        if (!reader_text(r, key, n))
            return false;
        buffer_init(&text, SMTP_PATH_MAX * 4);
        if (!kind->take(n->text, &text) || text.overflow) {
            buffer_free(&text);
            return reader_fail(r, n, "'%.*s' is not %s", (int)slice_part(n->text, 0, 80).len,
                               n->text.data, kind->expected);
        }
        if (!reader_keep(r, &text, &all.all[all.count++]))
            return false;
    }
    memcpy(place, &all, sizeof all);
    return true;
}

static bool read_hosts(struct reader *r, const struct key *key, struct node *node, void *place)
{
    return read_patterns(r, key, node, place, &hosts);
}

static bool read_names(struct reader *r, const struct key *key, struct node *node, void *place)
{
    return read_patterns(r, key, node, place, &names);
}

static bool read_addresses(struct reader *r, const struct key *key, struct node *node,
                           void *place)
{
    return read_patterns(r, key, node, place, &addresses);
}

static bool read_mailboxes(struct reader *r, const struct key *key, struct node *node,
                           void *place)
{
    return read_patterns(r, key, node, place, &mailboxes);
}

static bool read_accounts(struct reader *r, const struct key *key, struct node *node,
                          void *place)
{
    return read_patterns(r, key, node, place, &accounts);
}

/* ---- lists in the DNS ---- */

/* dnsbl = zone [ "=" IPv4 ] */
static bool take_dnsbl(struct reader *r, const struct node *node, struct config_dnsbl *out)
{
    struct slice zone = node->text;
    struct net_address value;
    struct buffer canonical;
    size_t equals = slice_find(zone, '=');
    if (equals != SLICE_NOT_FOUND) {
        out->value = slice_from(zone, equals + 1);
        zone = slice_part(zone, 0, equals);
        if (!net_host_parse(out->value, 0, &value) || value.any.sa_family != AF_INET)
            return reader_fail(r, node, "behind '=' an address such as 127.0.0.2 is expected");
    }
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    if (zone.len == 0 || zone.data[0] == '[' || !smtp_domain_canonical(zone, &canonical)) {
        buffer_free(&canonical);
        return reader_fail(r, node, "'%.*s' is not a zone such as dnsbl.example.net",
                           (int)slice_part(zone, 0, 80).len, zone.data);
    }
    return reader_keep(r, &canonical, &out->zone);
}

struct dnsbls {
    struct config_dnsbl *all;
    size_t count;
};
_Static_assert(offsetof(struct config_rule, dnsbl_count) ==
                   offsetof(struct config_rule, dnsbl) + offsetof(struct dnsbls, count),
               "an array is followed by its count");

static bool read_dnsbl(struct reader *r, const struct key *key, struct node *node, void *place)
{
    struct dnsbls all = { .count = 0 };
    struct node *n = node->kind == NODE_LIST ? node->first : node;
    if (node->kind == NODE_MAP)
        return reader_expected(r, key, node);
    all.all = arena_alloc_many(r->arena, node->kind == NODE_LIST ? node_count(node) + 1 : 1,
                               sizeof *all.all);
    if (all.all == NULL)
        return reader_memory(r);
    for (; n != NULL; n = node->kind == NODE_LIST ? n->next : NULL)
        if (!reader_text(r, key, n) || !take_dnsbl(r, n, &all.all[all.count++]))
            return false;
    memcpy(place, &all, sizeof all);
    return true;
}

static void schema_texts(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"array\",\"string\"],"
                             "\"items\":{\"type\":\"string\"}"));
}

static const struct key_type type_hosts = {
    .expected = "a list of names such as [mail.example.com, \"*.example.com\", none]",
    .read = read_hosts, .schema = schema_texts, .kind = NODE_LIST,
};
const struct key_type type_names = {
    .expected = "a list of domains such as [lists.example.com, \"*.example.com\"]",
    .read = read_names, .schema = schema_texts, .kind = NODE_LIST,
};
const struct key_type type_mailboxes = {
    .expected = "a list of addresses such as [dmarc@example.com]",
    .read = read_mailboxes, .schema = schema_texts, .kind = NODE_LIST,
};
static const struct key_type type_patterns = {
    .expected = "a list of addresses such as [ann@example.com, \"@example.com\"]",
    .read = read_addresses, .schema = schema_texts, .kind = NODE_LIST,
};
static const struct key_type type_accounts = {
    .expected = "a list of accounts such as [ann@example.com, \"*\"]",
    .read = read_accounts, .schema = schema_texts, .kind = NODE_LIST,
};
static const struct key_type type_dnsbl = {
    .expected = "a list of zones such as [dnsbl.example.net, \"list.example=127.0.0.2\"]",
    .read = read_dnsbl, .schema = schema_texts, .kind = NODE_LIST,
};

/* ---- what kind of name a client gives itself ---- */

static const struct choice helo_kinds[] = {
    { "literal", CONFIG_HELO_LITERAL }, { "bare", CONFIG_HELO_BARE },
    { "ours", CONFIG_HELO_OURS }, { "unknown", CONFIG_HELO_UNKNOWN }, { NULL, 0 },
};

static bool read_helo_kinds(struct reader *r, const struct key *key, struct node *node,
                            void *place)
{
    uint32_t all = 0;
    struct node *n = node->kind == NODE_LIST ? node->first : node;
    if (node->kind == NODE_MAP)
        return reader_expected(r, key, node);
    for (; n != NULL; n = node->kind == NODE_LIST ? n->next : NULL) {
        const struct choice *c = helo_kinds;
        if (!reader_text(r, key, n))
            return false;
        while (c->name != NULL && !slice_equal(n->text, slice_from_string(c->name)))
            c++;
        if (c->name == NULL)
            return reader_fail(r, n, "'%.*s' is not one of literal, bare, ours, unknown",
                               (int)slice_part(n->text, 0, 80).len, n->text.data);
        all |= (uint32_t)c->value;
    }
    memcpy(place, &all, sizeof all);
    return true;
}

static const struct key_type type_helo_kinds = {
    .expected = "a list of kinds such as [literal, bare, ours, unknown]",
    .read = read_helo_kinds, .schema = schema_texts, .kind = NODE_LIST,
};

static const struct key when_keys[] = {
    { .name = "client", .type = &type_networks,
      .offset = offsetof(struct config_rule, clients), .help = "its networks" },
    { .name = "name", .type = &type_hosts, .offset = offsetof(struct config_rule, names),
      .help = "its names by reverse look-up, which must lead back to it; none: it has none" },
    { .name = "helo", .type = &type_hosts, .offset = offsetof(struct config_rule, helo),
      .help = "what it calls itself" },
    { .name = "helo_is", .type = &type_helo_kinds,
      .offset = offsetof(struct config_rule, helo_is),
      .help = "of which kind that is: literal, bare, ours, unknown" },
    { .name = "from", .type = &type_patterns, .offset = offsetof(struct config_rule, from),
      .help = "the sender" },
    { .name = "to", .type = &type_patterns, .offset = offsetof(struct config_rule, to),
      .help = "the recipient" },
    { .name = "account", .type = &type_accounts,
      .offset = offsetof(struct config_rule, accounts),
      .help = "who has logged in; * is anybody, none is nobody" },
    { .name = "dnsbl", .type = &type_dnsbl, .offset = offsetof(struct config_rule, dnsbl),
      .help = "zones of which one lists the client" },
    { .name = "role", .type = &type_choice, .choices = roles,
      .offset = offsetof(struct config_rule, role), .help = "that of the listener" },
    { .name = "tls", .type = &type_choice, .choices = yes_or_no,
      .offset = offsetof(struct config_rule, tls), .help = "whether it encrypts" },
    { .name = NULL },
};

static bool read_when(struct reader *r, const struct key *key, struct node *node, void *place)
{
    if (node->kind != NODE_MAP)
        return reader_expected(r, key, node);
    return reader_map(r, node, when_keys, place);
}

static void schema_when(const struct key *key, struct buffer *out)
{
    (void)key;
    schema_of_keys(when_keys, out);
}

static const struct key_type type_when = {
    .expected = "a map such as { client: 192.0.2.0/24 }",
    .read = read_when, .schema = schema_when, .kind = NODE_MAP,
};

static const struct key rule_keys[] = {
    { .name = "when", .type = &type_when, .help = "all of it must hold; without it, always" },
    { .name = "then", .type = &type_choice, .choices = thens, .is_required = true,
      .offset = offsetof(struct config_rule, then), .help = "what is done" },
    { .name = "delay", .type = &type_duration,
      .offset = offsetof(struct config_rule, delay_ms), .fallback = "5s", .min = 1,
      .max = 600000, .help = "how long, of then: delay" },
    { .name = "reply", .type = &type_text, .offset = offsetof(struct config_rule, reply),
      .fallback = "", .max = REPLY_MAX, .help = "the words of reject, defer and close" },
    { .name = NULL },
};

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_control(text.data[i]) || ascii_is_high(text.data[i]))
            return false;
    return true;
}

static bool read_rule(struct reader *r, struct node *node, struct config_rule *rule)
{
    if (node->kind != NODE_MAP)
        return reader_fail(r, node, "a rule such as { when: { client: 192.0.2.0/24 }, then: "
                           "reject } is expected");
    if (!reader_map(r, node, rule_keys, rule))
        return false;
    rule->line = node->line;
    if (!is_printable(rule->reply))
        return reader_fail_name(r, node_find(node, SLICE("reply")),
                                "a reply is printable ASCII");
    return true;
}

struct rules {
    struct config_rule *all;
    size_t count;
};
_Static_assert(offsetof(struct config, rules_count) ==
                   offsetof(struct config, rules) + offsetof(struct rules, count),
               "an array is followed by its count");

static bool read_rules(struct reader *r, const struct key *key, struct node *node, void *place)
{
    struct rules all = { .count = 0 };
    if (node->kind != NODE_LIST)
        return reader_expected(r, key, node);
    all.all = arena_alloc_many(r->arena, node_count(node) + 1, sizeof *all.all);
    if (all.all == NULL)
        return reader_memory(r);
    for (struct node *n = node->first; n != NULL; n = n->next)
        if (!read_rule(r, n, &all.all[all.count++]))
            return false;
    memcpy(place, &all, sizeof all);
    return true;
}

static void schema_rules(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"array\",\"items\":{"));
    schema_of_keys(rule_keys, out);
    buffer_append_byte(out, '}');
}

const struct key_type type_rules = {
    .expected = "a list of rules such as [{ when: { dnsbl: dnsbl.example.net }, then: reject }]",
    .read = read_rules, .schema = schema_rules, .kind = NODE_LIST,
};
