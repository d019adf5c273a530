/* inbox.c: who gets what, and until when. */
#include "sandbox/box_private.h"

#include "crypto/password.h"

#include <stdlib.h>

enum { ADDRESS_MAX = 254, TEXT_MAX = 1000, PATTERNS_MAX = 20, TAGS_MAX = 50 };

#define INBOX_COLUMNS                                                                     \
    "id, uid, workspace, address, name, description, tags, favourite, created, expires, " \
    "quota, patterns, (SELECT count(*) FROM message WHERE message.inbox = i.id), "         \
    "(SELECT count(*) FROM message WHERE message.inbox = i.id AND is_read = 0)"

static json_t *parsed(struct slice text)
{
    json_t *made = json_loadb(text.data, text.len, 0, NULL);
    return made != NULL ? made : json_array();
}

static json_t *row_text(sqlite3_stmt *s, int column)
{
    struct slice text = db_text(s, column);
    return text.len == 0 ? json_null() : json_stringn(text.data, text.len);
}

static json_t *inbox_json(sqlite3_stmt *s)
{
    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:I, s:o, s:I, s:I}",
        "id", row_text(s, 1), "workspace", (json_int_t)sqlite3_column_int64(s, 2),
        "address", row_text(s, 3), "name", row_text(s, 4), "description", row_text(s, 5),
        "tags", parsed(db_text(s, 6)), "favourite", sqlite3_column_int(s, 7),
        "created", (json_int_t)sqlite3_column_int64(s, 8),
        "expires", sqlite3_column_type(s, 9) == SQLITE_NULL
            ? json_null() : json_integer(sqlite3_column_int64(s, 9)),
        "quota", (json_int_t)sqlite3_column_int64(s, 10), "patterns", parsed(db_text(s, 11)),
        "messages", (json_int_t)sqlite3_column_int64(s, 12),
        "unread", (json_int_t)sqlite3_column_int64(s, 13));
}

static void append_lower(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        buffer_append_byte(out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
}

int64_t inbox_find(struct box *box, int64_t workspace, struct slice id)
{
    char bytes[ADDRESS_MAX + 1];
    struct buffer lower = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    append_lower(&lower, id);
    sqlite3_stmt *s = db_statement(box, "SELECT id FROM inbox WHERE (uid = ?1 OR address = ?1) "
                                        "AND (workspace = ?2 OR ?2 = 0)");
    if (s == NULL || lower.overflow || id.len == 0)
        return 0;
    db_bind(s, 1, buffer_slice(&lower));
    sqlite3_bind_int64(s, 2, workspace);
    return db_number(s, 0);
}

json_t *box_inbox(struct box *box, int64_t workspace, struct slice id)
{
    json_t *made = NULL;
    sqlite3_stmt *s = db_statement(box, "SELECT " INBOX_COLUMNS " FROM inbox i WHERE id = ?1");
    sqlite3_bind_int64(s, 1, inbox_find(box, workspace, id));
    if (db_row(s))
        made = inbox_json(s);
    sqlite3_reset(s);
    return made;
}

json_t *box_inboxes(struct box *box, int64_t workspace)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT " INBOX_COLUMNS " FROM inbox i WHERE workspace = "
                                        "?1 OR ?1 = 0 ORDER BY id");
    sqlite3_bind_int64(s, 1, workspace);
    while (db_row(s))
        json_array_append_new(list, inbox_json(s));
    return list;
}

/* ---- made ---- */

/* xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx (RFC 9562 5.4), of which no other can be guessed. */
static bool make_uid(struct buffer *out)
{
    uint8_t bytes[16];
    if (crypto_random(bytes, sizeof bytes) != ERR_OK)
        return false;
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    for (int i = 0; i < 16; i++)
        buffer_append_format(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                             bytes[i]);
    return !out->overflow;
}

static bool make_address(struct box *box, struct slice wish, struct buffer *out)
{
    if (wish.len > ADDRESS_MAX)
        return false;
    append_lower(out, wish);
    if (wish.len == 0 && !box_random(12, out))
        return false;
    if (slice_find(wish, '@') == SLICE_NOT_FOUND) {
        buffer_append_byte(out, '@');
        buffer_append(out, box->options.domain);
    }
    return !out->overflow && buffer_len(out) <= ADDRESS_MAX;
}

static bool is_address(struct slice text)
{
    size_t at = slice_find_last(text, '@');
    if (at == SLICE_NOT_FOUND || at == 0 || at + 1 == text.len)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 127 || text.data[i] == '<' ||
            text.data[i] == '>' || text.data[i] == ',')
            return false;
    return slice_find(slice_part(text, 0, at), '@') == SLICE_NOT_FOUND;
}

/* "*@domain" or "*@*.domain". */
static bool split_pattern(struct slice pattern, bool *out_below, struct slice *out_domain)
{
    if (!slice_starts_with_nocase(pattern, SLICE("*@")))
        return false;
    struct slice domain = slice_from(pattern, 2);
    *out_below = slice_starts_with_nocase(domain, SLICE("*."));
    *out_domain = *out_below ? slice_from(domain, 2) : domain;
    return out_domain->len > 0 && out_domain->len < ADDRESS_MAX &&
           slice_find(*out_domain, '*') == SLICE_NOT_FOUND &&
           slice_find(*out_domain, '@') == SLICE_NOT_FOUND;
}

static const char *add_pattern(struct box *box, int64_t inbox, const char *text)
{
    bool below;
    struct slice domain;
    char bytes[ADDRESS_MAX + 1];
    struct buffer lower = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    sqlite3_stmt *s = db_statement(box, "INSERT INTO pattern VALUES (?1, ?2, ?3)");
    if (s == NULL || text == NULL || !split_pattern(slice_from_string(text), &below, &domain))
        return "a pattern is \"*@domain\" or \"*@*.domain\"";
    append_lower(&lower, domain);
    db_bind(s, 1, buffer_slice(&lower));
    sqlite3_bind_int(s, 2, below);
    sqlite3_bind_int64(s, 3, inbox);
    return db_run(s) ? NULL : "the pattern is another inbox's";
}

static const char *add_patterns(struct box *box, int64_t inbox, json_t *patterns)
{
    size_t i;
    json_t *item;
    const char *why = NULL;
    if (json_array_size(patterns) > PATTERNS_MAX)
        return "too many patterns";
    json_array_foreach(patterns, i, item)
        if (why == NULL)
            why = add_pattern(box, inbox, json_string_value(item));
    return why;
}

static void bind_json(sqlite3_stmt *s, int at, json_t *list)
{
    char *text = list == NULL ? NULL : json_dumps(list, JSON_COMPACT);
    sqlite3_bind_text(s, at, text == NULL ? "[]" : text, -1, SQLITE_TRANSIENT);
    free(text);
}

static const char *insert(struct box *box, int64_t workspace, const struct box_inbox_wish *wish,
                          struct slice uid, struct slice address)
{
    int64_t now = loop_now(box->options.loop).wall_ms;
    sqlite3_stmt *s = db_statement(box,
        "INSERT INTO inbox VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    if (s == NULL)
        return "the store has failed";
    db_bind(s, 1, uid);
    sqlite3_bind_int64(s, 2, workspace);
    db_bind(s, 3, address);
    db_bind(s, 4, wish->name);
    db_bind(s, 5, wish->description);
    bind_json(s, 6, wish->tags);
    sqlite3_bind_int(s, 7, wish->favourite);
    sqlite3_bind_int64(s, 8, now);
    if (wish->lifetime_ms > 0)
        sqlite3_bind_int64(s, 9, now + wish->lifetime_ms);
    sqlite3_bind_int64(s, 10, wish->quota);
    bind_json(s, 11, wish->patterns);
    if (!db_run(s))
        return "that address is another inbox's";
    return add_patterns(box, sqlite3_last_insert_rowid(box->db), wish->patterns);
}

json_t *box_inbox_create(struct box *box, int64_t workspace, const struct box_inbox_wish *wish,
                         const char **out_why)
{
    char uid_bytes[40], address_bytes[ADDRESS_MAX + 80];
    struct buffer uid = { .memory = uid_bytes, .capacity = 40, .max = 40 };
    struct buffer address = { .memory = address_bytes, .capacity = sizeof address_bytes,
                              .max = sizeof address_bytes };
    *out_why = NULL;
    if (!make_uid(&uid) || !make_address(box, wish->address, &address) ||
        !is_address(buffer_slice(&address)))
        *out_why = "that is no address";
    else if (wish->name.len > TEXT_MAX || wish->description.len > TEXT_MAX ||
             json_array_size(wish->tags) > TAGS_MAX)
        *out_why = "name, description or tags are too long";
    if (*out_why != NULL)
        return NULL;
    db_exec(box, "SAVEPOINT inbox");
    *out_why = insert(box, workspace, wish, buffer_slice(&uid), buffer_slice(&address));
    if (*out_why != NULL)
        db_exec(box, "ROLLBACK TO inbox");
    db_exec(box, "RELEASE inbox");
    faults_may_have_changed(box);
    return *out_why == NULL ? box_inbox(box, workspace, buffer_slice(&uid)) : NULL;
}

/* ---- changed and ended ---- */

static bool update(struct box *box, int64_t inbox, const char *sql, json_t *value)
{
    sqlite3_stmt *s = db_statement(box, sql);
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, inbox);
    if (json_is_string(value))
        sqlite3_bind_text(s, 2, json_string_value(value), -1, SQLITE_TRANSIENT);
    else if (json_is_array(value))
        bind_json(s, 2, value);
    else if (json_is_integer(value))
        sqlite3_bind_int64(s, 2, json_integer_value(value));
    else if (json_is_boolean(value))
        sqlite3_bind_int(s, 2, json_is_true(value));
    return db_run(s);
}

bool box_inbox_update(struct box *box, int64_t workspace, struct slice id, json_t *change)
{
    static const struct {
        const char *member;
        const char *sql;
    } members[] = {
        { "name", "UPDATE inbox SET name = ?2 WHERE id = ?1" },
        { "description", "UPDATE inbox SET description = ?2 WHERE id = ?1" },
        { "tags", "UPDATE inbox SET tags = ?2 WHERE id = ?1" },
        { "favourite", "UPDATE inbox SET favourite = ?2 WHERE id = ?1" },
        { "expires", "UPDATE inbox SET expires = ?2 WHERE id = ?1" },
    };
    int64_t inbox = inbox_find(box, workspace, id);
    bool good = inbox != 0;
    for (size_t i = 0; good && i < sizeof members / sizeof *members; i++) {
        json_t *value = json_object_get(change, members[i].member);
        if (value != NULL)
            good = update(box, inbox, members[i].sql, value);
    }
    return good;
}

static int64_t empty(struct box *box, int64_t inbox)
{
    int64_t count = 0;
    for (;;) {
        sqlite3_stmt *s = db_statement(box, "SELECT seq FROM message WHERE inbox = ?1 LIMIT 1");
        sqlite3_bind_int64(s, 1, inbox);
        int64_t seq = db_number(s, 0);
        if (seq == 0 || !message_remove(box, seq))
            return count;
        count++;
    }
}

static bool drop(struct box *box, int64_t inbox)
{
    sqlite3_stmt *patterns = db_statement(box, "DELETE FROM pattern WHERE inbox = ?1");
    sqlite3_stmt *row = db_statement(box, "DELETE FROM inbox WHERE id = ?1");
    if (patterns == NULL || row == NULL)
        return false;
    db_exec(box, "SAVEPOINT gone");
    empty(box, inbox);
    sqlite3_bind_int64(patterns, 1, inbox);
    sqlite3_bind_int64(row, 1, inbox);
    bool good = db_run(patterns) && db_run(row);
    hooks_of_inbox_gone(box, inbox);
    db_exec(box, "RELEASE gone");
    faults_may_have_changed(box);
    return good;
}

bool box_inbox_delete(struct box *box, int64_t workspace, struct slice id)
{
    int64_t inbox = inbox_find(box, workspace, id);
    return inbox != 0 && drop(box, inbox);
}

int64_t box_inbox_empty(struct box *box, int64_t workspace, struct slice id)
{
    int64_t inbox = inbox_find(box, workspace, id);
    if (inbox == 0)
        return -1;
    db_exec(box, "SAVEPOINT empty");
    int64_t count = empty(box, inbox);
    db_exec(box, "RELEASE empty");
    return count;
}

void inbox_expire(struct box *box, int64_t now_ms)
{
    for (;;) {
        sqlite3_stmt *s = db_statement(box, "SELECT id FROM inbox WHERE expires <= ?1 LIMIT 1");
        sqlite3_bind_int64(s, 1, now_ms);
        int64_t inbox = db_number(s, 0);
        if (inbox == 0 || !drop(box, inbox))
            return;
    }
}

/* ---- found ---- */

static bool take_ref(sqlite3_stmt *s, struct inbox_ref *out)
{
    if (!db_row(s))
        return false;
    *out = (struct inbox_ref){ .id = sqlite3_column_int64(s, 0),
                               .workspace = sqlite3_column_int64(s, 1),
                               .quota = (uint32_t)sqlite3_column_int64(s, 2) };
    sqlite3_reset(s);
    return true;
}

static bool by_address(struct box *box, struct slice address, struct inbox_ref *out)
{
    sqlite3_stmt *s = db_statement(box, "SELECT id, workspace, quota FROM inbox WHERE address = "
                                        "?1 OR uid = ?1");
    db_bind(s, 1, address);
    return take_ref(s, out);
}

static bool by_pattern(struct box *box, struct slice domain, bool below, struct inbox_ref *out)
{
    sqlite3_stmt *s = db_statement(box, "SELECT i.id, workspace, quota FROM pattern p JOIN inbox i "
                                        "ON i.id = p.inbox WHERE domain = ?1 AND below = ?2");
    db_bind(s, 1, domain);
    if (s != NULL)
        sqlite3_bind_int(s, 2, below);
    return take_ref(s, out);
}

/* Before the first "+", if there is one in the local part. */
static bool by_base(struct box *box, struct slice address, struct inbox_ref *out)
{
    size_t at = slice_find_last(address, '@');
    size_t plus = slice_find(address, '+');
    char bytes[ADDRESS_MAX + 1];
    struct buffer base = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (plus == SLICE_NOT_FOUND || plus == 0 || plus > at)
        return false;
    buffer_append(&base, slice_part(address, 0, plus));
    buffer_append(&base, slice_from(address, at));
    return !base.overflow && by_address(box, buffer_slice(&base), out);
}

static bool by_domain(struct box *box, struct slice domain, struct inbox_ref *out)
{
    if (by_pattern(box, domain, false, out))
        return true;
    for (size_t dot; (dot = slice_find(domain, '.')) != SLICE_NOT_FOUND;) {
        domain = slice_from(domain, dot + 1);
        if (by_pattern(box, domain, true, out))
            return true;
    }
    return false;
}

bool inbox_for(struct box *box, struct slice address, struct slice account,
               struct inbox_ref *out)
{
    char bytes[ADDRESS_MAX + 2], account_bytes[ADDRESS_MAX + 2];
    struct buffer lower = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct buffer who = { .memory = account_bytes, .capacity = sizeof account_bytes,
                          .max = sizeof account_bytes };
    append_lower(&lower, address);
    append_lower(&who, account);
    struct slice domain = envelope_domain(buffer_slice(&lower));
    return (!lower.overflow && (by_address(box, buffer_slice(&lower), out) ||
                                by_base(box, buffer_slice(&lower), out) ||
                                by_domain(box, domain, out))) ||
           (!who.overflow && buffer_len(&who) > 0 && by_address(box, buffer_slice(&who), out));
}
