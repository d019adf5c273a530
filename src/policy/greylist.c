/* greylist.c: the tables, and what they say of a visit. RFC 6647 2.4 and 5. */
#include "policy/greylist_private.h"

#include "base/ascii.h"
#include "mail/envelope.h"
#include "policy/greylist_gate.h"

#include <arpa/inet.h>

static const char *const steps[] = {
    "CREATE TABLE greylist ("
    " network TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, passed INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (network, sender, recipient)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX greylist_by_use ON greylist (passed, last);"
    "CREATE TABLE greylist_networks ("
    " network TEXT PRIMARY KEY, passes INTEGER NOT NULL, last INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID",
    NULL,
};

const struct store_module greylist_module = { "greylist", steps };

bool greylist_network(const struct net_address *client, struct buffer *out)
{
    struct net_address plain = *client;
    char text[INET6_ADDRSTRLEN];
    net_address_unmap(&plain);
    if (plain.any.sa_family == AF_INET) {
        const uint8_t *b = (const uint8_t *)&plain.v4.sin_addr;
        buffer_append_format(out, "%u.%u.%u", b[0], b[1], b[2]);
        return true;
    }
    if (plain.any.sa_family != AF_INET6)
        return false;
    memset((uint8_t *)&plain.v6.sin6_addr + 8, 0, 8);
    inet_ntop(AF_INET6, &plain.v6.sin6_addr, text, sizeof text);
    buffer_append_string(out, text);
    return true;
}

void greylist_sender(struct slice sender, struct buffer *out)
{
    struct slice domain = envelope_domain(sender);
    struct slice local = slice_part(sender, 0, sender.len - domain.len);
    bool was_digit = false, is_tag = false;
    for (size_t i = 0; i < local.len; i++) {
        char c = ascii_lower(local.data[i]);
        bool is_digit = ascii_is_digit(c);
        is_tag = (is_tag || c == '+') && !(domain.len > 0 && i + 1 == local.len); /* the '@' */
        if (!is_tag && (!is_digit || !was_digit))
            buffer_append_byte(out, is_digit ? '#' : c);
        was_digit = is_digit;
    }
    for (size_t i = 0; i < domain.len; i++)
        buffer_append_byte(out, ascii_lower(domain.data[i]));
}

static void bind_text(sqlite3_stmt *s, int index, struct slice text)
{
    sqlite3_bind_text64(s, index, text.data == NULL ? "" : text.data, text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

/* -1: the store failed. */
static int is_known(struct store *store, const struct greylist_visit *v)
{
    sqlite3_stmt *s = store_statement(store,
        "UPDATE greylist_networks SET last = ?2 WHERE network = ?1 AND passes >= ?3"
        " AND last > ?4");
    if (s == NULL)
        return -1;
    bind_text(s, 1, v->network);
    sqlite3_bind_int64(s, 2, v->now_ms);
    sqlite3_bind_int(s, 3, GREYLIST_KNOWN_AFTER);
    sqlite3_bind_int64(s, 4, v->now_ms - v->times.keep_ms);
    return store_step(s) ? sqlite3_changes(sqlite3_db_handle(s)) > 0 : -1;
}

/* As new ones come, old ones that never came again make room. */
static bool is_room(struct store *store)
{
    sqlite3_stmt *s = store_statement(store, "SELECT count(*) FROM greylist");
    return s != NULL && sqlite3_step(s) == SQLITE_ROW &&
           sqlite3_column_int64(s, 0) < GREYLIST_ROWS_MAX;
}

static bool note_first(struct store *store, const struct greylist_visit *v)
{
    sqlite3_stmt *s = store_statement(store,
        "INSERT INTO greylist (network, sender, recipient, first, last) VALUES (?1, ?2, ?3, ?4,"
        " ?4) ON CONFLICT DO UPDATE SET first = ?4, last = ?4, passed = 0");
    if (s == NULL)
        return false;
    bind_text(s, 1, v->network);
    bind_text(s, 2, v->sender);
    bind_text(s, 3, v->recipient);
    sqlite3_bind_int64(s, 4, v->now_ms);
    return store_step(s);
}

static bool note_pass(struct store *store, const struct greylist_visit *v, bool is_first)
{
    sqlite3_stmt *s = store_statement(store,
        "UPDATE greylist SET last = ?4, passed = 1 WHERE network = ?1 AND sender = ?2 AND"
        " recipient = ?3");
    if (s == NULL)
        return false;
    bind_text(s, 1, v->network);
    bind_text(s, 2, v->sender);
    bind_text(s, 3, v->recipient);
    sqlite3_bind_int64(s, 4, v->now_ms);
    if (!store_step(s))
        return false;
    if (!is_first)
        return true;
    s = store_statement(store,
        "INSERT INTO greylist_networks (network, passes, last) VALUES (?1, 1, ?2)"
        " ON CONFLICT (network) DO UPDATE SET passes = passes + 1, last = ?2");
    if (s == NULL)
        return false;
    bind_text(s, 1, v->network);
    sqlite3_bind_int64(s, 2, v->now_ms);
    return store_step(s);
}

bool greylist_decide(struct store *store, const struct greylist_visit *v, int64_t *out_wait_ms)
{
    int known = is_known(store, v);
    *out_wait_ms = 0;
    if (known != 0)
        return known > 0;
    sqlite3_stmt *s = store_statement(store,
        "SELECT first, last, passed FROM greylist WHERE network = ?1 AND sender = ?2 AND"
        " recipient = ?3");
    if (s == NULL)
        return false;
    bind_text(s, 1, v->network);
    bind_text(s, 2, v->sender);
    bind_text(s, 3, v->recipient);
    int code = sqlite3_step(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return false;
    int64_t first = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    int64_t last = code == SQLITE_ROW ? sqlite3_column_int64(s, 1) : 0;
    bool passed = code == SQLITE_ROW && sqlite3_column_int(s, 2) != 0;
    int64_t age = v->now_ms - first;
    if (passed && v->now_ms - last < v->times.keep_ms)
        return note_pass(store, v, false);
    bool is_new = code == SQLITE_DONE || passed || age > v->times.window_ms || age < 0;
    if (is_new && code == SQLITE_DONE && !is_room(store))
        return true; /* rather let through than forget who waits */
    if (is_new) {
        *out_wait_ms = v->times.delay_ms;
        return note_first(store, v);
    }
    if (age >= v->times.delay_ms)
        return note_pass(store, v, true);
    *out_wait_ms = v->times.delay_ms - age;
    return true;
}

bool greylist_expire(struct store *store, const struct config_greylist *times, int64_t now_ms)
{
    static const char *const statements[] = {
        "DELETE FROM greylist WHERE passed = 0 AND last < ?1",
        "DELETE FROM greylist WHERE passed = 1 AND last < ?2",
        "DELETE FROM greylist_networks WHERE last < ?2",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        sqlite3_stmt *s = store_statement(store, statements[i]);
        if (s == NULL)
            return false;
        sqlite3_bind_int64(s, 1, now_ms - times->window_ms);
        if (sqlite3_bind_parameter_count(s) > 1)
            sqlite3_bind_int64(s, 2, now_ms - times->keep_ms);
        if (!store_step(s))
            return false;
    }
    return true;
}
