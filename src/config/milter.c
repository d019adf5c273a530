/* milter.c: the type of `milters`: filters that are asked about mail. */
#include "config/reader_private.h"

static const struct choice failures[] = {
    { "accept", CONFIG_MILTER_ACCEPT }, { "tempfail", CONFIG_MILTER_TEMPFAIL },
    { "reject", CONFIG_MILTER_REJECT }, { "quarantine", CONFIG_MILTER_QUARANTINE },
    { NULL, 0 },
};

static const struct choice listeners[] = {
    { "any", CONFIG_MILTER_ANY }, { "relay", CONFIG_MILTER_RELAY },
    { "submission", CONFIG_MILTER_SUBMISSION }, { NULL, 0 },
};

enum { TIMEOUT_MIN_MS = 10, TIMEOUT_MAX_MS = 60 * 60 * 1000 };

static const struct key timeout_keys[] = {
    { .name = "connect", .type = &type_duration, .fallback = "30s", .min = TIMEOUT_MIN_MS,
      .max = TIMEOUT_MAX_MS, .offset = offsetof(struct config_milter_timeouts, connect_ms),
      .help = "until it has taken the connection" },
    { .name = "command", .type = &type_duration, .fallback = "30s", .min = TIMEOUT_MIN_MS,
      .max = TIMEOUT_MAX_MS, .offset = offsetof(struct config_milter_timeouts, command_ms),
      .help = "for the answer to a command" },
    { .name = "content", .type = &type_duration, .fallback = "5m", .min = TIMEOUT_MIN_MS,
      .max = TIMEOUT_MAX_MS, .offset = offsetof(struct config_milter_timeouts, content_ms),
      .help = "for the answer to a piece of a message" },
    { .name = "end_of_message", .type = &type_duration, .fallback = "5m",
      .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS,
      .offset = offsetof(struct config_milter_timeouts, end_of_message_ms),
      .help = "for what it says of the whole message" },
    { .name = NULL },
};

static const struct key milter_keys[] = {
    { .name = "socket", .type = &type_text, .is_required = true, .min = 1, .max = 255,
      .offset = offsetof(struct config_milter, socket),
      .help = "where it listens: a path, or an address and a port" },
    { .name = "name", .type = &type_text, .fallback = "", .max = 64,
      .offset = offsetof(struct config_milter, name),
      .help = "what the log calls it; none: its socket" },
    { .name = "listener", .type = &type_choice, .fallback = "any", .choices = listeners,
      .offset = offsetof(struct config_milter, listener),
      .help = "for mail that comes in where" },
    { .name = "skip_accounts", .type = &type_bool, .fallback = "false",
      .offset = offsetof(struct config_milter, skip_accounts),
      .help = "it is not asked about mail of who has logged in" },
    { .name = "skip_relay_clients", .type = &type_bool, .fallback = "false",
      .offset = offsetof(struct config_milter, skip_relay_clients),
      .help = "nor about mail from relay_clients" },
    { .name = "on_failure", .type = &type_choice, .fallback = "tempfail",
      .choices = failures, .offset = offsetof(struct config_milter, on_failure),
      .help = "what becomes of mail when it does not answer" },
    { .name = "timeouts", .type = &type_section, .fallback = "", .keys = timeout_keys,
      .offset = offsetof(struct config_milter, timeouts),
      .help = "how long it may take" },
    { .name = NULL },
};

/* socket = [ "unix:" / "local:" ] path / [ "inet:" / "inet6:" ] ( host ":" port / port "@" host )
 * The prefixes and the second form are those of other mail servers and of milters. */
static bool parse_socket(struct slice text, struct net_address *out)
{
    static const char *const prefixes[] = { "unix:", "local:", "inet:", "inet6:" };
    uint64_t port;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        struct slice prefix = slice_from_string(prefixes[i]);
        if (!slice_starts_with_nocase(text, prefix))
            continue;
        text = slice_from(text, prefix.len);
        if (i < 2)
            return text.len > 0 && text.data[0] == '/' && net_address_parse(text, out);
        break;
    }
    size_t at = slice_find(text, '@');
    if (at != SLICE_NOT_FOUND && text.data[0] != '/') {
        struct slice host = slice_from(text, at + 1);
        if (slice_equal_nocase(host, SLICE("localhost")))
            host = SLICE("127.0.0.1");
        return slice_to_number(slice_part(text, 0, at), 65535, &port) && port > 0 &&
               net_host_parse(host, (uint16_t)port, out);
    }
    if (slice_starts_with_nocase(text, SLICE("*")) || slice_to_number(text, UINT64_MAX, &port))
        return false;
    return net_address_parse(text, out) &&
           (out->any.sa_family == AF_UNIX || net_address_port(out) != 0);
}

static bool read_milter(struct reader *r, struct node *node, struct config_milter *m)
{
    if (node->kind != NODE_MAP)
        return reader_fail(r, node, "a filter such as { socket: /run/rspamd/milter.sock } is "
                           "expected");
    if (!reader_map(r, node, milter_keys, m))
        return false;
    if (!parse_socket(m->socket, &m->address))
        return reader_fail(r, node_find(node, SLICE("socket")),
                           "'%.*s' is not a socket such as /run/rspamd/milter.sock or "
                           "127.0.0.1:11332 (names are not looked up)",
                           (int)slice_part(m->socket, 0, 80).len, m->socket.data);
    if (m->name.len == 0)
        m->name = m->socket;
    return true;
}

struct milters {
    struct config_milter *all;
    size_t count;
};
_Static_assert(offsetof(struct config, milters_count) ==
                   offsetof(struct config, milters) + offsetof(struct milters, count),
               "an array is followed by its count");

static bool read_milters(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    struct milters all = { .count = 0 };
    if (node->kind != NODE_LIST)
        return reader_expected(r, key, node);
    if (node_count(node) > CONFIG_MILTERS_MAX)
        return reader_fail(r, node, "there are at most %d filters", CONFIG_MILTERS_MAX);
    all.all = arena_alloc_many(r->arena, node_count(node) + 1, sizeof *all.all);
    if (all.all == NULL)
        return reader_memory(r);
    for (struct node *n = node->first; n != NULL; n = n->next)
        if (!read_milter(r, n, &all.all[all.count++]))
            return false;
    memcpy(place, &all, sizeof all);
    return true;
}

static void schema_milters(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"array\",\"items\":{"));
    schema_of_keys(milter_keys, out);
    buffer_append_byte(out, '}');
}

const struct key_type type_milters = {
    .expected = "a list of filters such as [{ socket: /run/rspamd/milter.sock }]",
    .read = read_milters, .schema = schema_milters, .kind = NODE_LIST,
};

bool config_milter_applies(const struct config_milter *m, bool is_submission,
                           bool is_account, bool is_relay_client)
{
    if ((m->skip_accounts && is_account) || (m->skip_relay_clients && is_relay_client))
        return false;
    return m->listener == CONFIG_MILTER_ANY ||
           (m->listener == CONFIG_MILTER_SUBMISSION) == is_submission;
}
