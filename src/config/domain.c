/* domain.c: the types of what mail is taken for: domains, users, aliases. */
#include "config/reader_private.h"

#include "base/ascii.h"
#include "wire/smtp/address.h"

#include <stdlib.h>

enum { USERS_FILE_MAX = 64 * 1024 * 1024 };

/* As the tables read it; the domain first. */
struct domain_said {
    struct config_domain domain;
    bool relay;
    uint64_t quota_bytes;
};

/* The order in which a domain's users and aliases stand. */
static int by_slice(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

_Static_assert(offsetof(struct config_alias, name) == 0 &&
                   offsetof(struct config_user, name) == 0, "by_slice() sorts by names");

enum err reader_local_part(struct reader *r, struct slice written, struct slice *out)
{
    struct smtp_address address;
    struct buffer text;
    enum err result = ERR_INVALID;
    buffer_init(&text, SMTP_LOCAL_MAX + 16);
    buffer_append(&text, written);
    buffer_append(&text, SLICE("@x.invalid"));
    if (!text.overflow &&
        smtp_address_parse(buffer_slice(&text), SMTP_UTF8_ALLOWED, &address) ==
            SMTP_PATH_OK &&
        address.local.len == written.len) {
        struct buffer meant;
        buffer_init(&meant, SMTP_LOCAL_MAX);
        smtp_local_unquoted(address.local, &meant);
        for (size_t i = meant.start; i < meant.end; i++)
            meant.memory[i] = ascii_lower(meant.memory[i]);
        result = reader_keep(r, &meant, out) ? ERR_OK : ERR_MEMORY;
    }
    buffer_free(&text);
    return result;
}

/* ---- users ---- */

static bool fail_user(struct reader *r, const struct node *node, struct slice file,
                      uint32_t line, struct slice name)
{
    struct slice shown = slice_part(name, 0, 80);
    if (line == 0)
        return reader_fail(r, node, "'%.*s' is not a local part, which is the name before "
                           "the '@'", (int)shown.len, shown.data);
    return reader_fail(r, node, "%.*s:%u: '%.*s' is not a local part, which is the name "
                       "before the '@'", (int)slice_part(file, 0, 200).len, file.data, line,
                       (int)shown.len, shown.data);
}

static bool take_user(struct reader *r, const struct node *node, uint32_t line,
                      struct slice name, struct slice *out)
{
    enum err result = slice_equal(name, SLICE("*")) ? ERR_INVALID
                                                    : reader_local_part(r, name, out);
    if (result == ERR_INVALID)
        return fail_user(r, node, node->text, line, name);
    return result == ERR_OK;
}

/* name "@" domain, the name quoted where it has to be */
static bool name_address(struct reader *r, const struct config_domain *domain,
                         struct config_user *user)
{
    struct buffer address, quoted;
    buffer_init(&address, SMTP_PATH_MAX * 2);
    buffer_init(&quoted, SMTP_LOCAL_MAX * 2 + 2);
    buffer_append_byte(&quoted, '"');
    for (size_t i = 0; i < user->name.len; i++) {
        if (user->name.data[i] == '"' || user->name.data[i] == '\\')
            buffer_append_byte(&quoted, '\\');
        buffer_append_byte(&quoted, user->name.data[i]);
    }
    buffer_append_byte(&quoted, '"');
    smtp_local_canonical(buffer_slice(&quoted), &address);
    buffer_free(&quoted);
    buffer_append_byte(&address, '@');
    buffer_append(&address, domain->name);
    return reader_keep(r, &address, &user->address);
}

static bool sort_users(struct reader *r, const struct node *node,
                       struct config_domain *domain)
{
    for (size_t i = 0; i < domain->users_count; i++)
        if (!name_address(r, domain, &domain->users[i]))
            return false;
    if (domain->users_count > 1)
        qsort(domain->users, domain->users_count, sizeof *domain->users, by_slice);
    for (size_t i = 1; i < domain->users_count; i++)
        if (slice_equal(domain->users[i - 1].name, domain->users[i].name))
            return reader_fail(r, node, "the user '%.*s' stands here twice",
                               (int)domain->users[i].name.len, domain->users[i].name.data);
    return true;
}

/* line = name [ ":" secret ], blanks around each; a comment has an empty name. */
static struct config_user split_line(struct slice line)
{
    struct config_user user = { .name = slice_make(NULL, 0) };
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    line = slice_trim(line);
    if (line.len > 0 && line.data[0] == '#')
        return user;
    size_t colon = slice_find(line, ':');
    if (colon != SLICE_NOT_FOUND)
        user.secret = slice_trim(slice_from(line, colon + 1));
    user.name = slice_trim(colon == SLICE_NOT_FOUND ? line : slice_part(line, 0, colon));
    return user;
}

static size_t count_lines(struct slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static bool holds(struct slice text, struct slice what)
{
    return text.data != NULL && memmem(text.data, text.len, what.data, what.len) != NULL;
}

static void note_secret(struct config *c, struct slice secret)
{
    bool is_first = !c->has_logins;
    if (slice_is_empty(secret))
        return;
    c->has_logins = true;
    c->logins_have_scram_sha256 = (is_first || c->logins_have_scram_sha256) &&
                                  holds(secret, SLICE("SCRAM-SHA-256$"));
    c->logins_have_scram_sha1 = (is_first || c->logins_have_scram_sha1) &&
                                holds(secret, SLICE("SCRAM-SHA-1$"));
}

static bool users_of_text(struct reader *r, const struct node *node, struct slice text,
                          struct config_domain *domain)
{
    uint32_t number = 0;
    struct slice line;
    domain->users = arena_alloc_many(r->arena, count_lines(text), sizeof *domain->users);
    if (domain->users == NULL)
        return reader_memory(r);
    while (slice_split(&text, '\n', &line)) {
        struct config_user said = split_line(line);
        struct config_user *user = &domain->users[domain->users_count];
        number++;
        if (slice_is_empty(said.name))
            continue;
        if (!take_user(r, node, number, said.name, &user->name))
            return false;
        if (!arena_copy(r->arena, said.secret, &user->secret))
            return reader_memory(r);
        note_secret(&r->snapshot->config, user->secret);
        domain->users_count++;
    }
    return true;
}

static bool users_of_file(struct reader *r, const struct node *node,
                          struct config_domain *domain)
{
    struct arena arena;
    struct slice text;
    arena_init(&arena, USERS_FILE_MAX + 4096);
    enum err result = file_read(&arena, node->text, USERS_FILE_MAX, &text);
    bool fine = result == ERR_OK;
    if (fine)
        fine = users_of_text(r, node, text, domain);
    else
        reader_fail(r, node, "the users file '%.*s' cannot be read: %s%s",
                    (int)slice_part(node->text, 0, 200).len, node->text.data,
                    result == ERR_FULL ? "it is larger than 64 MiB" : err_text(result),
                    result == ERR_ABSENT ? "; `godwit user add NAME --file FILE` makes it"
                                         : "");
    arena_free(&arena);
    return fine;
}

static bool read_users(struct reader *r, const struct key *key, struct node *node,
                       void *place)
{
    struct config_domain *domain = place;
    if (node->kind == NODE_MAP)
        return reader_expected(r, key, node);
    if (node->kind == NODE_TEXT) {
        domain->users_file = node->text;
        return users_of_file(r, node, domain) && sort_users(r, node, domain);
    }
    domain->users = arena_alloc_many(r->arena, node_count(node) + 1, sizeof *domain->users);
    if (domain->users == NULL)
        return reader_memory(r);
    for (const struct node *n = node->first; n != NULL; n = n->next) {
        if (!reader_text(r, key, n) ||
            !take_user(r, n, 0, n->text, &domain->users[domain->users_count].name))
            return false;
        domain->users_count++;
    }
    return sort_users(r, node, domain);
}

/* ---- aliases ---- */

/* Programs, files and includes are no addresses, and are not made ones (HOSTILE 52). */
static bool looks_like_no_address(struct slice text)
{
    return text.len > 0 && (text.data[0] == '|' || text.data[0] == '/' ||
                            text.data[0] == ':');
}

static bool fail_target(struct reader *r, const struct node *node)
{
    struct slice shown = slice_part(node->text, 0, 80);
    return reader_fail(r, node, "'%.*s' is neither an address nor a local part of this "
                       "domain", (int)shown.len, shown.data);
}

static bool take_target(struct reader *r, const struct node *node, struct slice domain,
                        struct slice *out)
{
    struct smtp_address address;
    struct buffer text, canonical;
    bool fine = false;
    if (looks_like_no_address(node->text))
        return reader_fail(r, node, "mail goes to addresses only, not to programs or files");
    buffer_init(&text, SMTP_PATH_MAX * 2);
    buffer_init(&canonical, SMTP_PATH_MAX * 2);
    buffer_append(&text, node->text);
    if (!text.overflow &&
        smtp_address_parse(node->text, SMTP_UTF8_ALLOWED, &address) != SMTP_PATH_OK) {
        buffer_append_byte(&text, '@');
        buffer_append(&text, domain);
    }
    if (text.overflow || smtp_address_parse(buffer_slice(&text), SMTP_UTF8_ALLOWED,
                                            &address) != SMTP_PATH_OK) {
        fail_target(r, node);
    } else {
        smtp_address_canonical(&address, &canonical);
        fine = reader_keep(r, &canonical, out);
    }
    buffer_free(&canonical);
    buffer_free(&text);
    return fine;
}

static bool take_targets(struct reader *r, const struct key *key, const struct node *node,
                         struct slice domain, struct config_alias *alias)
{
    bool is_list = node->kind == NODE_LIST;
    size_t count = is_list ? node_count(node) : 1;
    if (node->kind == NODE_MAP)
        return reader_expected(r, key, node);
    if (count == 0)
        return reader_fail(r, node, "an alias needs at least one target");
    alias->targets = arena_alloc_many(r->arena, count, sizeof *alias->targets);
    if (alias->targets == NULL)
        return reader_memory(r);
    for (const struct node *n = is_list ? node->first : node; n != NULL;
         n = is_list ? n->next : NULL) {
        if (!reader_text(r, key, n) ||
            !take_target(r, n, domain, &alias->targets[alias->targets_count]))
            return false;
        alias->targets_count++;
    }
    return true;
}

static bool take_alias(struct reader *r, const struct key *key, const struct node *node,
                       struct slice domain, struct config_alias *alias)
{
    enum err result = reader_local_part(r, node->name, &alias->name);
    if (result == ERR_INVALID)
        return reader_fail_name(r, node, "an alias is a local part, which is the name "
                                "before the '@', or \"*\" for every other");
    return result == ERR_OK && take_targets(r, key, node, domain, alias);
}

/* A map of names to addresses, sorted. */
static bool read_names(struct reader *r, const struct key *key, struct node *node,
                       struct slice domain, struct config_alias **out)
{
    size_t count = 0;
    if (node->kind != NODE_MAP)
        return reader_expected(r, key, node);
    struct config_alias *all = arena_alloc_many(r->arena, node_count(node) + 1, sizeof *all);
    if (all == NULL)
        return reader_memory(r);
    for (const struct node *n = node->first; n != NULL; n = n->next)
        if (!take_alias(r, key, n, domain, &all[count++]))
            return false;
    if (count > 1)
        qsort(all, count, sizeof *all, by_slice);
    for (size_t i = 1; i < count; i++)
        if (slice_equal(all[i - 1].name, all[i].name))
            return reader_fail(r, node, "'%.*s' stands here twice", (int)all[i].name.len,
                               all[i].name.data);
    *out = all;
    return true;
}

static bool read_aliases(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    struct config_domain *domain = place;
    bool read = read_names(r, key, node, domain->name, &domain->aliases);
    domain->aliases_count = read ? node_count(node) : 0;
    return read;
}

static bool read_senders(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    struct config_domain *domain = place;
    bool read = read_names(r, key, node, domain->name, &domain->senders);
    domain->senders_count = read ? node_count(node) : 0;
    return read;
}

/* ---- domains ---- */

static const struct key domain_keys[] = {
    { .name = "users", .type = &type_users,
      .help = "a list of local parts, or a file with one a line" },
    { .name = "aliases", .type = &type_aliases,
      .help = "names with a target or a list of them; \"*\" is every other name" },
    { .name = "subaddress", .type = &type_text, .fallback = "+", .max = 1,
      .offset = offsetof(struct domain_said, domain.subaddress),
      .help = "what follows it in a local part is not looked at; \"\": none" },
    { .name = "senders", .type = &type_senders,
      .help = "names with the accounts that may send as them; \"*\" is every name" },
    { .name = "hide_client", .type = &type_bool, .fallback = "false",
      .offset = offsetof(struct domain_said, domain.hide_client),
      .help = "Received fields do not tell from where its accounts send" },
    { .name = "deliver", .type = &type_deliver,
      .offset = offsetof(struct domain_said, domain.deliver),
      .help = "where their mail goes; without it the routes decide" },
    { .name = "dkim", .type = &type_dkim,
      .help = "the keys that sign what the domain sends" },
    { .name = "dkim_subdomains", .type = &type_bool, .fallback = "false",
      .offset = offsetof(struct domain_said, domain.dkim_subdomains),
      .help = "they sign for names under it too, where no nearer domain has keys" },
    { .name = "relay", .type = &type_bool, .fallback = "false",
      .offset = offsetof(struct domain_said, relay),
      .help = "taken for somebody else: every local part is accepted" },
    { .name = "quota", .type = &type_size64, .min = 1,
      .offset = offsetof(struct domain_said, quota_bytes),
      .help = "the most that one Maildir holds" },
    { .name = NULL },
};

static bool finish_domain(struct reader *r, const struct node *node,
                          struct domain_said *said)
{
    struct config_domain *d = &said->domain;
    const struct node *quota = node_find(node, SLICE("quota"));
    d->has_deliver = node_find(node, SLICE("deliver")) != NULL;
    d->kind = said->relay ? CONFIG_DOMAIN_RELAY : CONFIG_DOMAIN_LOCAL;
    if (said->relay && (d->users_count > 0 || d->aliases_count > 0))
        return reader_fail(r, node, "a relay domain takes every local part: it has neither "
                           "users nor aliases");
    if (quota != NULL && (!d->has_deliver || d->deliver.way != CONFIG_WAY_MAILDIR))
        return reader_fail_name(r, quota, "a quota needs deliver: { maildir: path }");
    d->deliver.quota_bytes = said->quota_bytes;
    return dkim_check(r, node, d);
}

static bool domain_name(struct reader *r, const struct node *node, struct slice *out)
{
    struct buffer canonical;
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    if (!smtp_domain_canonical(node->name, &canonical)) {
        buffer_free(&canonical);
        return reader_fail_name(r, node, "not a domain name");
    }
    return reader_keep(r, &canonical, out);
}

static bool read_domain(struct reader *r, struct node *node, struct table *domains)
{
    struct slice name;
    struct domain_said *said = arena_alloc(r->arena, sizeof *said);
    if (said == NULL)
        return reader_memory(r);
    if (!domain_name(r, node, &name))
        return false;
    if (table_find(domains, name) != NULL)
        return reader_fail_name(r, node, "the domain stands here twice");
    said->domain.name = name;
    if (!reader_map(r, node, domain_keys, said) || !finish_domain(r, node, said))
        return false;
    return table_insert(domains, &said->domain.entry, name) || reader_memory(r);
}

static bool read_domains(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    if (node->kind != NODE_MAP)
        return reader_expected(r, key, node);
    for (struct node *n = node->first; n != NULL; n = n->next)
        if (!read_domain(r, n, place))
            return false;
    return true;
}

/* ---- schemas ---- */

static void schema_users(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"array\",\"string\"],"
                             "\"items\":{\"type\":\"string\"}"));
}

static void schema_aliases(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"object\",\"additionalProperties\":{"
                             "\"type\":[\"array\",\"string\"],\"minItems\":1,"
                             "\"items\":{\"type\":\"string\"}}"));
}

static void schema_domains(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"object\",\"additionalProperties\":{"));
    schema_of_keys(domain_keys, out);
    buffer_append_byte(out, '}');
}

const struct key_type type_users = {
    .expected = "a list of local parts, or the path of a file", .read = read_users,
    .schema = schema_users, .kind = NODE_LIST,
};
const struct key_type type_aliases = {
    .expected = "a map such as { postmaster: ops, \"*\": [a, b@example.org] }",
    .read = read_aliases, .schema = schema_aliases, .kind = NODE_MAP,
};
const struct key_type type_senders = {
    .expected = "a map such as { sales: [ann, bob], \"*\": ann }",
    .read = read_senders, .schema = schema_aliases, .kind = NODE_MAP,
};
const struct key_type type_domains = {
    .expected = "a map of domains such as { example.com: { users: [ann] } }",
    .read = read_domains, .schema = schema_domains, .kind = NODE_MAP,
};
