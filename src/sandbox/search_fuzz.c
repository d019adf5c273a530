/* search_fuzz.c: whatever is searched for becomes SQL that SQLite takes, or is refused. */
#include "sandbox/box.h"
#include "sandbox/search.h"

#include "base/must.h"

#include <sqlite3.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sqlite3 *open_tables(void)
{
    sqlite3 *db;
    must(sqlite3_open(":memory:", &db) == SQLITE_OK);
    must(sqlite3_exec(db, "CREATE TABLE message (seq INTEGER PRIMARY KEY, is_read, attachments, "
                          "inlines, size, received, inbox); CREATE TABLE tag (seq, name); CREATE "
                          "TABLE inbox (id, uid, address); CREATE VIRTUAL TABLE fts USING fts5("
                          "subject, text, sender, receiver, cc, bcc, reply_to, message_id, "
                          "tokenize = 'trigram'); INSERT INTO fts VALUES ('a b', 'some text', "
                          "'x@y', 'z@y', '', '', '', 'id'); INSERT INTO message VALUES (1, 0, 1, "
                          "0, 10, 20, 0)", NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

static void bind(sqlite3_stmt *s, int at, const struct box_search_value *v)
{
    if (v->is_number)
        sqlite3_bind_int64(s, at, v->number);
    else
        sqlite3_bind_text64(s, at, buffer_len(&v->text) == 0 ? "" : v->text.memory,
                            buffer_len(&v->text), SQLITE_STATIC, SQLITE_UTF8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3 *db;
    struct box_search search;
    struct buffer sql;
    if (db == NULL)
        db = open_tables();
    const char *why = box_search_read(slice_make(data, size), 0, &search);
    buffer_init(&sql, 128 * 1024);
    buffer_append_string(&sql, "SELECT m.seq FROM message m JOIN fts ON m.seq = fts.rowid WHERE ");
    buffer_append_string(&sql, buffer_len(&search.match) > 0 ? "fts MATCH ?" : "1");
    buffer_append(&sql, buffer_slice(&search.sql));
    if (why == NULL) {
        sqlite3_stmt *s;
        must(sqlite3_prepare_v2(db, sql.memory, (int)buffer_len(&sql), &s, NULL) == SQLITE_OK);
        int at = 1;
        if (buffer_len(&search.match) > 0)
            sqlite3_bind_text64(s, at++, search.match.memory, buffer_len(&search.match),
                                SQLITE_STATIC, SQLITE_UTF8);
        for (size_t i = 0; i < search.count; i++)
            bind(s, at++, &search.values[i]);
        must(sqlite3_bind_parameter_count(s) == at - 1);
        int code;
        while ((code = sqlite3_step(s)) == SQLITE_ROW)
            ;
        must(code == SQLITE_DONE);
        sqlite3_finalize(s);
    }
    buffer_free(&sql);
    box_search_free(&search);
    return 0;
}
