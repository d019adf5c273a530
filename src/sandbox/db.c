/* db.c: the tables and their statements.
 *
 * What is looked through row by row (`message`) is narrow; what is shown of a message stands in
 * `shown`. `fts` holds what can be searched for, cut into runs of three characters, so that any part of
 * a word is found by an index. `body` says how many messages have the same octets.
 */
#include "sandbox/box_private.h"

#include "base/must.h"

#include <stdio.h>

enum { VERSION = 2 };

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE workspace (id INTEGER PRIMARY KEY, key TEXT UNIQUE, space INTEGER NOT NULL);"
    "INSERT INTO workspace VALUES (1, NULL, 1);"
    "CREATE TABLE inbox (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, workspace INTEGER "
    "NOT NULL, address TEXT NOT NULL UNIQUE, name TEXT, description TEXT, tags TEXT NOT NULL, "
    "favourite INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER, quota INTEGER NOT "
    "NULL, patterns TEXT NOT NULL);"
    "CREATE INDEX inbox_expiry ON inbox (expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE pattern (domain TEXT NOT NULL, below INTEGER NOT NULL, inbox INTEGER NOT "
    "NULL, PRIMARY KEY (domain, below)) WITHOUT ROWID;"
    "CREATE TABLE body (place INTEGER PRIMARY KEY, extents BLOB NOT NULL, uses INTEGER NOT "
    "NULL);"
    "CREATE TABLE message (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
    "workspace INTEGER NOT NULL, space INTEGER NOT NULL, inbox INTEGER NOT NULL, session "
    "INTEGER NOT NULL, received INTEGER NOT NULL, size INTEGER NOT NULL, is_read INTEGER NOT "
    "NULL, attachments INTEGER NOT NULL, inlines INTEGER NOT NULL, body INTEGER NOT NULL);"
    "CREATE TABLE shown (seq INTEGER PRIMARY KEY, summary TEXT NOT NULL, whole TEXT NOT NULL);"
    "CREATE TABLE gone (space INTEGER PRIMARY KEY);"
    "CREATE INDEX message_space ON message (space, seq, is_read);"
    "CREATE INDEX message_read ON message (seq) WHERE is_read;"
    "CREATE INDEX message_session ON message (session);"
    "CREATE INDEX message_inbox ON message (inbox, seq, is_read) WHERE inbox <> 0;"
    "CREATE TABLE tag (seq INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (seq, name)) "
    "WITHOUT ROWID;"
    "CREATE INDEX tag_name ON tag (name);"
    "CREATE TABLE session (id INTEGER PRIMARY KEY, opened INTEGER NOT NULL, closed INTEGER, "
    "refusals INTEGER NOT NULL, aborted INTEGER NOT NULL, facts TEXT NOT NULL);"
    "CREATE INDEX session_refused ON session (id) WHERE refusals > 0 OR aborted > 0;"
    "CREATE TABLE line (session INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT "
    "NULL, is_ours INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (session, number)) "
    "WITHOUT ROWID;"
    "CREATE TABLE fault (id INTEGER PRIMARY KEY AUTOINCREMENT, workspace INTEGER NOT NULL, inbox "
    "INTEGER NOT NULL, rule TEXT NOT NULL, hits INTEGER NOT NULL);"
    "CREATE TABLE met (session INTEGER NOT NULL, fault TEXT NOT NULL, at INTEGER NOT NULL);"
    "CREATE INDEX met_session ON met (session);"
    "CREATE VIRTUAL TABLE fts USING fts5(subject, text, sender, receiver, cc, bcc, reply_to, "
    "message_id, tokenize = 'trigram', columnsize = 0);";

/* What the second version has and the first had not. */
static const char second[] =
    "CREATE TABLE hook (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, workspace "
    "INTEGER NOT NULL, inbox INTEGER NOT NULL, created INTEGER NOT NULL, is_paused INTEGER NOT "
    "NULL, is_of_operator INTEGER NOT NULL, events INTEGER NOT NULL, wish TEXT NOT NULL);"
    "CREATE TABLE delivery (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, hook "
    "INTEGER NOT NULL, event INTEGER NOT NULL, created INTEGER NOT NULL, state INTEGER NOT NULL, "
    "tries INTEGER NOT NULL, due INTEGER NOT NULL, subject TEXT, data TEXT NOT NULL, body TEXT);"
    "CREATE INDEX delivery_due ON delivery (due) WHERE state = 0;"
    "CREATE INDEX delivery_hook ON delivery (hook, id);"
    "CREATE INDEX delivery_over ON delivery (id) WHERE state IN (2, 3, 4);"
    "CREATE INDEX delivery_under_way ON delivery (hook) WHERE state = 1;"
    "CREATE TABLE zone (workspace INTEGER PRIMARY KEY, text TEXT NOT NULL);"
    "CREATE TABLE attempt (delivery INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT "
    "NULL, ms INTEGER NOT NULL, status INTEGER NOT NULL, trouble TEXT NOT NULL, answer TEXT NOT "
    "NULL, PRIMARY KEY (delivery, number)) WITHOUT ROWID;";

bool db_exec(struct box *box, const char *sql)
{
    return sqlite3_exec(box->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int64_t version_of(struct box *box)
{
    sqlite3_stmt *s;
    int64_t version = -1;
    if (sqlite3_prepare_v2(box->db, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(s) == SQLITE_ROW)
        version = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return version;
}

/* From the version that is there, 0 in a new file. */
static bool make_tables(struct box *box, int64_t version)
{
    return db_exec(box, "BEGIN") && (version > 0 || db_exec(box, schema)) &&
           db_exec(box, second) && db_exec(box, "PRAGMA user_version = 2") &&
           db_exec(box, "COMMIT");
}

enum err db_open(struct box *box)
{
    if (sqlite3_open_v2(box->options.path, &box->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK)
        return ERR_IO;
    sqlite3_extended_result_codes(box->db, 1);
    sqlite3_busy_timeout(box->db, 2000);
    if (!db_exec(box, "PRAGMA journal_mode = WAL; PRAGMA temp_store = MEMORY; "
                      "PRAGMA cache_size = -32768; PRAGMA journal_size_limit = 16777216;") ||
        !db_exec(box, box->options.is_durable ? "PRAGMA synchronous = NORMAL"
                                              : "PRAGMA synchronous = OFF"))
        return ERR_IO;
    int64_t version = version_of(box);
    if (version > VERSION)
        return ERR_VERSION;
    return version == VERSION || make_tables(box, version) ? ERR_OK : ERR_IO;
}

void db_close(struct box *box)
{
    for (size_t i = 0; i < box->statements_count; i++)
        sqlite3_finalize(box->statements[i].statement);
    sqlite3_close(box->db);
}

sqlite3_stmt *db_statement(struct box *box, const char *sql)
{
    for (size_t i = 0; i < box->statements_count; i++)
        if (box->statements[i].sql == sql) {
            sqlite3_reset(box->statements[i].statement);
            sqlite3_clear_bindings(box->statements[i].statement);
            return box->statements[i].statement;
        }
    must(box->statements_count < STATEMENTS_MAX);
    struct kept_statement made = { .sql = sql };
    if (sqlite3_prepare_v3(box->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made.statement,
                           NULL) != SQLITE_OK)
        return NULL;
    box->statements[box->statements_count++] = made;
    return made.statement;
}

bool db_run(sqlite3_stmt *s)
{
    int code = SQLITE_ERROR;
    if (s != NULL)
        while ((code = sqlite3_step(s)) == SQLITE_ROW)
            ;
    if (s != NULL)
        sqlite3_reset(s);
    return code == SQLITE_DONE;
}

bool db_row(sqlite3_stmt *s)
{
    if (s == NULL)
        return false;
    if (sqlite3_step(s) == SQLITE_ROW)
        return true;
    sqlite3_reset(s);
    return false;
}

void db_bind(sqlite3_stmt *s, int at, struct slice text)
{
    if (s != NULL)
        sqlite3_bind_text64(s, at, text.len == 0 ? "" : text.data, text.len, SQLITE_STATIC,
                            SQLITE_UTF8);
}

void db_bind_blob(sqlite3_stmt *s, int at, struct slice octets)
{
    if (s != NULL)
        sqlite3_bind_blob64(s, at, octets.len == 0 ? "" : octets.data, octets.len,
                            SQLITE_STATIC);
}

struct slice db_text(sqlite3_stmt *s, int column)
{
    const void *text = sqlite3_column_text(s, column);
    return slice_make(text, text == NULL ? 0 : (size_t)sqlite3_column_bytes(s, column));
}

int64_t db_number(sqlite3_stmt *s, int64_t otherwise)
{
    int64_t number = otherwise;
    if (db_row(s))
        number = sqlite3_column_int64(s, 0);
    if (s != NULL)
        sqlite3_reset(s);
    return number;
}
