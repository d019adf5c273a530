/* message.c: messages, listed and changed. A list is one statement made for its search; what
 * stands in it is bound. */
#include "sandbox/box_private.h"

#include "sandbox/search.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 100000, SQL_MAX = 128 * 1024, EXTENTS_MAX = 16 * 1024 * 1024,
       TAGS_MAX = 100, TAG_MAX = 100 };

json_t *message_summary(sqlite3_stmt *row)
{
    struct slice text = db_text(row, 7), tags = db_text(row, 8), inbox = db_text(row, 9);
    json_t *made = json_loadb(text.data, text.len, 0, NULL);
    if (made == NULL)
        return NULL;
    json_t *list = json_loadb(tags.data, tags.len, 0, NULL);
    json_object_set_new(made, "seq", json_integer(sqlite3_column_int64(row, 0)));
    json_object_set_new(made, "id", json_stringn(db_text(row, 1).data, db_text(row, 1).len));
    json_object_set_new(made, "session", json_integer(sqlite3_column_int64(row, 3)));
    json_object_set_new(made, "created", json_integer(sqlite3_column_int64(row, 4)));
    json_object_set_new(made, "size", json_integer(sqlite3_column_int64(row, 5)));
    json_object_set_new(made, "read", json_boolean(sqlite3_column_int(row, 6)));
    json_object_set_new(made, "tags", list == NULL ? json_array() : list);
    json_object_set_new(made, "inbox", inbox.len == 0 ? json_null()
                                                      : json_stringn(inbox.data, inbox.len));
    return made;
}

/* ---- which ones ---- */

struct selection {
    struct box_search search;
    struct buffer where;
    int64_t inbox;
    bool is_nothing;             /* no such inbox */
};

static const char *selection_make(struct box *box, const struct box_query *q,
                                  struct selection *out)
{
    const char *why = box_search_read(q->search, q->zone_minutes, &out->search);
    buffer_init(&out->where, SQL_MAX);
    out->inbox = q->inbox.len == 0 ? 0 : inbox_find(box, q->workspace, q->inbox);
    out->is_nothing = q->inbox.len > 0 && out->inbox == 0;
    struct buffer *w = &out->where;
    bool is_searched = buffer_len(&out->search.match) > 0;
    buffer_append_string(w, is_searched
        ? " FROM fts CROSS JOIN message m ON m.seq = fts.rowid WHERE fts MATCH ?"
        : " FROM message m WHERE 1");
    buffer_append_string(w, q->workspace == 0
        ? " AND m.space IN (SELECT space FROM workspace)"
        : " AND m.space = (SELECT space FROM workspace WHERE id = ?)");
    if (out->inbox != 0)
        buffer_append_string(w, " AND m.inbox = ?");
    if (q->since > 0)
        buffer_append_string(w, " AND m.seq > ?");
    if (q->before_ms > 0)
        buffer_append_string(w, " AND m.received < ?");
    if (q->after_ms > 0)
        buffer_append_string(w, " AND m.received >= ?");
    if (q->unread_only)
        buffer_append_string(w, " AND NOT m.is_read");
    buffer_append(w, buffer_slice(&out->search.sql));
    return why != NULL ? why : w->overflow ? "the search is too long" : NULL;
}

static void selection_free(struct selection *s)
{
    box_search_free(&s->search);
    buffer_free(&s->where);
}

static int bind(const struct selection *sel, const struct box_query *q, sqlite3_stmt *s)
{
    int at = 1;
    if (buffer_len(&sel->search.match) > 0)
        db_bind(s, at++, buffer_slice(&sel->search.match));
    if (q->workspace != 0)
        sqlite3_bind_int64(s, at++, q->workspace);
    if (sel->inbox != 0)
        sqlite3_bind_int64(s, at++, sel->inbox);
    if (q->since > 0)
        sqlite3_bind_int64(s, at++, q->since);
    if (q->before_ms > 0)
        sqlite3_bind_int64(s, at++, q->before_ms);
    if (q->after_ms > 0)
        sqlite3_bind_int64(s, at++, q->after_ms);
    for (size_t i = 0; i < sel->search.count; i++) {
        const struct box_search_value *v = &sel->search.values[i];
        if (v->is_number)
            sqlite3_bind_int64(s, at++, v->number);
        else
            db_bind(s, at++, buffer_slice(&v->text));
    }
    return at;
}

static sqlite3_stmt *prepare(struct box *box, const char *columns, const struct selection *sel,
                             const char *tail)
{
    sqlite3_stmt *s = NULL;
    struct buffer sql;
    buffer_init(&sql, SQL_MAX);
    buffer_append_string(&sql, columns);
    buffer_append(&sql, buffer_slice(&sel->where));
    buffer_append_string(&sql, tail);
    if (!sql.overflow)
        sqlite3_prepare_v2(box->db, sql.memory, (int)buffer_len(&sql), &s, NULL);
    buffer_free(&sql);
    return s;
}

/* Words alone, where all that there is is of one space: the index counts them without a look at
 * any message, while none was read. */
static bool count_by_index(struct box *box, const struct box_query *q,
                           const struct selection *sel, struct box_found *out)
{
    bool is_plain = buffer_len(&sel->search.match) > 0 && sel->inbox == 0 && q->since <= 0 &&
                    q->before_ms <= 0 && q->after_ms <= 0 && !q->unread_only &&
                    buffer_len(&sel->search.sql) == 0;
    if (!is_plain)
        return false;
    sqlite3_stmt *s = db_statement(box,
        "SELECT (SELECT min(space) FROM message) = (SELECT max(space) FROM message) AND "
        "(?1 = 0 OR (SELECT max(space) FROM message) = "
        "(SELECT space FROM workspace WHERE id = ?1))");
    sqlite3_bind_int64(s, 1, q->workspace);
    bool is_one_space = db_number(s, 0) != 0;
    bool any_read = db_number(db_statement(box, "SELECT 1 FROM message WHERE is_read LIMIT 1"), 0);
    if (!is_one_space || any_read)
        return false;
    s = db_statement(box, "SELECT count(*) FROM fts WHERE fts MATCH ?1");
    db_bind(s, 1, buffer_slice(&sel->search.match));
    out->count = out->unread = (uint64_t)db_number(s, 0);
    return true;
}

static void count_them(struct box *box, const struct box_query *q, const struct selection *sel,
                       struct box_found *out)
{
    if (count_by_index(box, q, sel, out))
        return;
    sqlite3_stmt *s = prepare(box, "SELECT count(*), count(*) - sum(m.is_read)", sel, "");
    if (s == NULL)
        return;
    bind(sel, q, s);
    if (sqlite3_step(s) == SQLITE_ROW) {
        out->count = (uint64_t)sqlite3_column_int64(s, 0);
        out->unread = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
}

/* The index gives rows in the order of its own. */
static const char *order_of(const struct box_query *q, bool is_searched)
{
    if (is_searched)
        return q->oldest_first ? " ORDER BY fts.rowid LIMIT ? OFFSET ?"
                               : " ORDER BY fts.rowid DESC LIMIT ? OFFSET ?";
    return q->oldest_first ? " ORDER BY m.seq LIMIT ? OFFSET ?"
                           : " ORDER BY m.seq DESC LIMIT ? OFFSET ?";
}

static void list_them(struct box *box, const struct box_query *q, const struct selection *sel,
                      json_t *out)
{
    sqlite3_stmt *s = prepare(box, "SELECT " MESSAGE_COLUMNS, sel,
                              order_of(q, buffer_len(&sel->search.match) > 0));
    if (s == NULL)
        return;
    int at = bind(sel, q, s);
    sqlite3_bind_int64(s, at, q->limit == 0 || q->limit > LIST_MAX ? LIST_MAX : q->limit);
    sqlite3_bind_int64(s, at + 1, q->start);
    while (sqlite3_step(s) == SQLITE_ROW)
        json_array_append_new(out, message_summary(s));
    sqlite3_finalize(s);
}

bool box_list(struct box *box, const struct box_query *q, struct box_found *out,
              const char **out_why)
{
    struct selection sel;
    *out = (struct box_found){ .messages = NULL };
    const char *why = selection_make(box, q, &sel);
    if (why == NULL) {
        out->messages = json_array();
        if (!sel.is_nothing) {
            count_them(box, q, &sel, out);
            list_them(box, q, &sel, out->messages);
        }
    }
    selection_free(&sel);
    *out_why = why;
    return why == NULL;
}

void box_count(struct box *box, int64_t workspace, uint64_t *out_total, uint64_t *out_unread)
{
    sqlite3_stmt *s = db_statement(box,
        "SELECT count(*), count(*) - coalesce(sum(is_read), 0) FROM message WHERE space IN (SELECT "
        "space FROM workspace WHERE id = ?1 OR ?1 = 0)");
    *out_total = *out_unread = 0;
    sqlite3_bind_int64(s, 1, workspace);
    if (db_row(s)) {
        *out_total = (uint64_t)sqlite3_column_int64(s, 0);
        *out_unread = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
}

/* ---- one ---- */

struct found_row {
    int64_t seq;
    int64_t workspace;
    int64_t body;
    int64_t inbox;
};

static bool find(struct box *box, int64_t workspace, struct slice id, struct found_row *out)
{
    sqlite3_stmt *s = db_statement(box,
        "SELECT seq, m.workspace, body, inbox FROM message m JOIN workspace w ON w.id = m.workspace AND "
        "w.space = m.space WHERE m.id = ?1 AND (w.id = ?2 OR ?2 = 0)");
    db_bind(s, 1, id);
    sqlite3_bind_int64(s, 2, workspace);
    if (!db_row(s))
        return false;
    *out = (struct found_row){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                               sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3) };
    sqlite3_reset(s);
    return true;
}

json_t *box_message(struct box *box, int64_t workspace, struct slice id)
{
    struct found_row row;
    json_t *made = NULL;
    if (!find(box, workspace, id, &row))
        return NULL;
    sqlite3_stmt *s = db_statement(box, "SELECT " MESSAGE_COLUMNS ", (SELECT whole FROM shown WHERE "
                                        "shown.seq = m.seq) FROM message m WHERE seq = ?1");
    sqlite3_bind_int64(s, 1, row.seq);
    if (db_row(s)) {
        struct slice text = db_text(s, 10);
        json_t *whole = json_loadb(text.data, text.len, 0, NULL);
        made = message_summary(s);
        if (made != NULL && whole != NULL)
            json_object_update(made, whole);
        json_decref(whole);
    }
    sqlite3_reset(s);
    return made;
}

static bool read_body(struct box *box, int64_t place, struct buffer *out)
{
    bool good = false;
    sqlite3_stmt *s = db_statement(box, "SELECT extents FROM body WHERE place = ?1");
    sqlite3_bind_int64(s, 1, place);
    if (db_row(s)) {
        const struct capture_extent *extents = sqlite3_column_blob(s, 0);
        size_t count = (size_t)sqlite3_column_bytes(s, 0) / sizeof *extents;
        good = capture_read_content(box->options.log, extents, count, out);
    }
    sqlite3_reset(s);
    return good;
}

bool box_raw(struct box *box, int64_t workspace, struct slice id, struct buffer *out)
{
    struct found_row row;
    return find(box, workspace, id, &row) && read_body(box, row.body, out);
}

static void tell_updated(struct box *box, const struct found_row *row, struct slice id,
                         const char *member, json_t *value)
{
    json_t *what = json_pack("{s:o, s:o}", "id", json_stringn(id.data, id.len), member, value);
    hooks_tell(box, HOOK_UPDATED, row->workspace, row->inbox, what);
    box_tell(box, BOX_UPDATED, row->workspace, what);
    json_decref(what);
}

bool box_mark(struct box *box, int64_t workspace, struct slice id, bool read)
{
    struct found_row row;
    if (!find(box, workspace, id, &row))
        return false;
    sqlite3_stmt *s = db_statement(box, "UPDATE message SET is_read = ?2 WHERE seq = ?1 AND is_read "
                                        "<> ?2");
    sqlite3_bind_int64(s, 1, row.seq);
    sqlite3_bind_int(s, 2, read);
    if (!db_run(s))
        return false;
    if (sqlite3_changes(box->db) > 0)
        tell_updated(box, &row, id, "read", json_boolean(read));
    return true;
}

/* ---- gone ---- */

static bool run_for(struct box *box, const char *sql, int64_t number)
{
    sqlite3_stmt *s = db_statement(box, sql);
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, number);
    return db_run(s);
}

static void release(struct box *box, int64_t place)
{
    sqlite3_stmt *s = db_statement(box, "SELECT extents FROM body WHERE place = ?1 AND uses <= 0");
    sqlite3_bind_int64(s, 1, place);
    if (db_row(s)) {
        const struct capture_extent *extents = sqlite3_column_blob(s, 0);
        size_t count = (size_t)sqlite3_column_bytes(s, 0) / sizeof *extents;
        for (size_t i = 0; i < count; i++)
            capture_release(box->options.log, extents[i].place, extents[i].length);
    }
    sqlite3_reset(s);
    run_for(box, "DELETE FROM body WHERE place = ?1 AND uses <= 0", place);
}

bool message_remove(struct box *box, int64_t seq)
{
    sqlite3_stmt *s = db_statement(box, "SELECT body FROM message WHERE seq = ?1");
    sqlite3_bind_int64(s, 1, seq);
    int64_t place = db_number(s, -1);
    bool good = run_for(box, "DELETE FROM fts WHERE rowid = ?1", seq) &&
                run_for(box, "DELETE FROM tag WHERE seq = ?1", seq) &&
                run_for(box, "DELETE FROM shown WHERE seq = ?1", seq) &&
                run_for(box, "DELETE FROM message WHERE seq = ?1", seq) &&
                run_for(box, "UPDATE body SET uses = uses - 1 WHERE place = ?1", place);
    if (good)
        release(box, place);
    return good;
}

bool box_delete(struct box *box, int64_t workspace, struct slice id)
{
    struct found_row row;
    if (!find(box, workspace, id, &row))
        return false;
    db_exec(box, "SAVEPOINT gone");
    bool good = message_remove(box, row.seq);
    db_exec(box, "RELEASE gone");
    if (good) {
        json_t *what = json_pack("{s:o}", "id", json_stringn(id.data, id.len));
        box->numbers.deleted++;
        hooks_tell(box, HOOK_DELETED, row.workspace, row.inbox, what);
        box_tell(box, BOX_DELETED, row.workspace, what);
        json_decref(what);
    }
    return good;
}

/* ---- many ---- */

static int64_t for_all(struct box *box, const struct box_query *q, const char **out_why,
                       bool (*act)(struct box *box, int64_t seq, bool read), bool read)
{
    struct selection sel;
    int64_t count = 0;
    const char *why = selection_make(box, q, &sel);
    sqlite3_stmt *s = why != NULL || sel.is_nothing ? NULL
                                                    : prepare(box, "SELECT m.seq", &sel, "");
    int64_t *rows = s == NULL ? NULL : calloc(LIST_MAX, sizeof *rows);
    if (rows != NULL) {
        bind(&sel, q, s);
        while (count < LIST_MAX && sqlite3_step(s) == SQLITE_ROW)
            rows[count++] = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    db_exec(box, "SAVEPOINT many");
    for (int64_t i = 0; i < count; i++)
        act(box, rows[i], read);
    db_exec(box, "RELEASE many");
    free(rows);
    selection_free(&sel);
    *out_why = why;
    return count;
}

static bool mark_row(struct box *box, int64_t seq, bool read)
{
    return run_for(box, read ? "UPDATE message SET is_read = 1 WHERE seq = ?1"
                             : "UPDATE message SET is_read = 0 WHERE seq = ?1", seq);
}

static bool delete_row(struct box *box, int64_t seq, bool read)
{
    (void)read;
    box->numbers.deleted++;
    return message_remove(box, seq);
}

int64_t box_mark_all(struct box *box, const struct box_query *q, bool read, const char **out_why)
{
    int64_t count = for_all(box, q, out_why, mark_row, read);
    if (count > 0)
        box_tell(box, BOX_EMPTIED, q->workspace, NULL);
    return count;
}

int64_t box_delete_all(struct box *box, const struct box_query *q, const char **out_why)
{
    int64_t count = for_all(box, q, out_why, delete_row, false);
    if (count > 0)
        box_tell(box, BOX_EMPTIED, q->workspace, NULL);
    return count;
}

/* ---- tags ---- */

static void add_tag(struct box *box, int64_t seq, const char *name)
{
    sqlite3_stmt *s = db_statement(box, "INSERT OR IGNORE INTO tag VALUES (?1, ?2)");
    if (s == NULL || name == NULL || name[0] == '\0' || strlen(name) > TAG_MAX)
        return;
    sqlite3_bind_int64(s, 1, seq);
    db_bind(s, 2, slice_from_string(name));
    db_run(s);
}

void message_add_tags(struct box *box, int64_t seq, json_t *tags)
{
    size_t i;
    json_t *tag;
    json_array_foreach(tags, i, tag)
        if (i < TAGS_MAX)
            add_tag(box, seq, json_string_value(tag));
}

bool box_tag(struct box *box, int64_t workspace, struct slice id, json_t *tags)
{
    struct found_row row;
    if (!find(box, workspace, id, &row))
        return false;
    db_exec(box, "SAVEPOINT tags");
    run_for(box, "DELETE FROM tag WHERE seq = ?1", row.seq);
    message_add_tags(box, row.seq, tags);
    db_exec(box, "RELEASE tags");
    tell_updated(box, &row, id, "tags", json_incref(tags));
    return true;
}

json_t *box_tags(struct box *box, int64_t workspace)
{
    json_t *made = json_object();
    sqlite3_stmt *s = db_statement(box,
        "SELECT name, count(*) FROM tag JOIN message m USING (seq) JOIN workspace w ON w.id = "
        "m.workspace AND w.space = m.space WHERE w.id = ?1 OR ?1 = 0 GROUP BY name ORDER BY name");
    sqlite3_bind_int64(s, 1, workspace);
    while (db_row(s))
        json_object_set_new(made, (const char *)sqlite3_column_text(s, 0),
                            json_integer(sqlite3_column_int64(s, 1)));
    return made;
}

static bool tags_run(struct box *box, const char *sql, int64_t workspace, struct slice tag)
{
    sqlite3_stmt *s = db_statement(box, sql);
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, workspace);
    db_bind(s, 2, tag);
    bool good = db_run(s);
    box_tell(box, BOX_EMPTIED, workspace, NULL);
    return good;
}

#define TAGGED "name = ?2 AND seq IN (SELECT seq FROM message WHERE workspace = ?1 OR ?1 = 0)"

bool box_tag_delete(struct box *box, int64_t workspace, struct slice tag)
{
    return tags_run(box, "DELETE FROM tag WHERE " TAGGED, workspace, tag);
}

bool box_tag_rename(struct box *box, int64_t workspace, struct slice from, struct slice to)
{
    sqlite3_stmt *s = db_statement(box, "INSERT OR IGNORE INTO tag SELECT seq, ?3 FROM tag WHERE "
                                        TAGGED);
    if (s == NULL || to.len == 0 || to.len > 100)
        return false;
    sqlite3_bind_int64(s, 1, workspace);
    db_bind(s, 2, from);
    db_bind(s, 3, to);
    return db_run(s) && box_tag_delete(box, workspace, from);
}
