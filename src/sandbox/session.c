/* session.c: dialogues, joined to the messages in them. A reply of 4xx or 5xx makes a session
 * one that is shown among the refused; one that ends inside of a transaction was aborted. */
#include "sandbox/box_private.h"

#include <stdlib.h>

enum { SESSIONS_MAX = 100000 };

static void bind_facts(sqlite3_stmt *s, int at, const struct capture_facts *f)
{
    json_t *facts = json_pack("{s:o, s:o, s:o, s:o, s:o}", "client", box_text(f->client), "helo",
                              box_text(f->helo), "account", box_text(f->account), "tls",
                              box_text(f->tls_version), "cipher", box_text(f->tls_cipher));
    char *text = json_dumps(facts, JSON_COMPACT);
    sqlite3_bind_text(s, at, text == NULL ? "{}" : text, -1, SQLITE_TRANSIENT);
    free(text);
    json_decref(facts);
}

static bool take_opened(struct box *box, const struct capture_item *item)
{
    sqlite3_stmt *s = db_statement(box, "INSERT OR IGNORE INTO session VALUES (?1, ?2, NULL, 0, 0, "
                                        "?3)");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)item->place + 1);
    sqlite3_bind_int64(s, 2, item->session.wall_ms);
    bind_facts(s, 3, &item->session.facts);
    return db_run(s);
}

static int64_t lines_of(struct box *box, int64_t session)
{
    sqlite3_stmt *s = db_statement(box, "SELECT coalesce(max(number), 0) FROM line WHERE session = "
                                        "?1");
    sqlite3_bind_int64(s, 1, session);
    return db_number(s, 0);
}

static bool is_refusal(const struct capture_line *line)
{
    return line->is_ours && line->text.len >= 4 &&
           (line->text.data[0] == '4' || line->text.data[0] == '5') && line->text.data[3] == ' ';
}

static void tell_refused(struct box *box, int64_t session, const struct capture_line *line)
{
    json_t *what = json_pack("{s:I, s:o}", "session", (json_int_t)session, "line",
                             box_text(line->text));
    box->numbers.refused++;
    hooks_tell(box, HOOK_REFUSED, BOX_COMMON, 0, what);
    box_tell(box, BOX_REFUSED, 0, what);
    json_decref(what);
}

static bool add_line(struct box *box, int64_t session, int64_t number,
                     const struct capture_line *line)
{
    sqlite3_stmt *s = db_statement(box, "INSERT OR REPLACE INTO line VALUES (?1, ?2, ?3, ?4, ?5)");
    struct buffer escaped;
    if (s == NULL)
        return false;
    buffer_init(&escaped, 4 * line->text.len + 1);
    buffer_append_escaped(&escaped, line->text);
    sqlite3_bind_int64(s, 1, session);
    sqlite3_bind_int64(s, 2, number);
    sqlite3_bind_int64(s, 3, line->wall_ms);
    sqlite3_bind_int(s, 4, line->is_ours);
    db_bind(s, 5, buffer_slice(&escaped));
    bool good = db_run(s);
    buffer_free(&escaped);
    return good;
}

static bool take_lines(struct box *box, const struct capture_session *said)
{
    int64_t session = (int64_t)said->place, number = lines_of(box, session), refusals = 0;
    for (size_t i = 0; i < said->lines_count; i++) {
        if (!add_line(box, session, ++number, &said->lines[i]))
            return false;
        if (is_refusal(&said->lines[i])) {
            refusals++;
            tell_refused(box, session, &said->lines[i]);
        }
    }
    if (refusals == 0)
        return true;
    sqlite3_stmt *s = db_statement(box, "UPDATE session SET refusals = refusals + ?2 WHERE id = ?1");
    sqlite3_bind_int64(s, 1, session);
    sqlite3_bind_int64(s, 2, refusals);
    return db_run(s);
}

/* The client did not say QUIT. */
static bool is_aborted(struct box *box, int64_t session)
{
    sqlite3_stmt *s = db_statement(box,
        "SELECT NOT EXISTS (SELECT 1 FROM line WHERE session = ?1 AND NOT is_ours AND "
        "upper(rtrim(text)) = 'QUIT')");
    sqlite3_bind_int64(s, 1, session);
    return db_number(s, 0) != 0;
}

/* Of very many the oldest go. */
static void forget_oldest(struct box *box)
{
    sqlite3_stmt *count = db_statement(box, "SELECT count(*) FROM session");
    if (db_number(count, 0) <= SESSIONS_MAX)
        return;
    db_run(db_statement(box, "DELETE FROM line WHERE session = (SELECT min(id) FROM session)"));
    db_run(db_statement(box, "DELETE FROM session WHERE id = (SELECT min(id) FROM session)"));
}

static bool take_closed(struct box *box, const struct capture_session *closed)
{
    bool aborted = is_aborted(box, (int64_t)closed->place);
    sqlite3_stmt *s = db_statement(box, "UPDATE session SET closed = ?2, aborted = ?3, facts = ?4 "
                                        "WHERE id = ?1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)closed->place);
    sqlite3_bind_int64(s, 2, closed->wall_ms);
    sqlite3_bind_int(s, 3, aborted);
    bind_facts(s, 4, &closed->facts);
    bool good = db_run(s);
    forget_oldest(box);
    return good;
}

static bool take_fault(struct box *box, const struct capture_session *met)
{
    sqlite3_stmt *hit = db_statement(box, "UPDATE fault SET hits = hits + 1 WHERE id = ?1");
    sqlite3_stmt *row = db_statement(box, "INSERT INTO met VALUES (?1, ?2, ?3)");
    uint64_t id = 0;
    if (hit == NULL || row == NULL)
        return false;
    slice_to_number(met->fault, INT64_MAX, &id);
    sqlite3_bind_int64(hit, 1, (int64_t)id);
    sqlite3_bind_int64(row, 1, (int64_t)met->place);
    db_bind(row, 2, met->fault);
    sqlite3_bind_int64(row, 3, met->wall_ms);
    return db_run(hit) && db_run(row);
}

bool session_take(struct box *box, const struct capture_item *item)
{
    json_t *what;
    switch (item->kind) {
    case CAPTURE_OPENED:
        return take_opened(box, item);
    case CAPTURE_LINES:
        return take_lines(box, &item->session);
    case CAPTURE_CLOSED:
        return take_closed(box, &item->session);
    case CAPTURE_FAULT:
        if (!take_fault(box, &item->session))
            return false;
        what = json_pack("{s:I, s:o}", "session", (json_int_t)item->session.place, "fault",
                         box_text(item->session.fault));
        box_tell(box, BOX_FAULT, 0, what);
        json_decref(what);
        return true;
    case CAPTURE_BODY:
    case CAPTURE_MESSAGE:
        break;
    }
    return true;
}

/* ---- shown ---- */

static json_t *session_json(sqlite3_stmt *s)
{
    struct slice facts = db_text(s, 5);
    json_t *made = json_loadb(facts.data, facts.len, 0, NULL);
    if (made == NULL)
        made = json_object();
    json_object_set_new(made, "id", json_integer(sqlite3_column_int64(s, 0)));
    json_object_set_new(made, "opened", json_integer(sqlite3_column_int64(s, 1)));
    json_object_set_new(made, "closed", sqlite3_column_type(s, 2) == SQLITE_NULL
        ? json_null() : json_integer(sqlite3_column_int64(s, 2)));
    json_object_set_new(made, "refusals", json_integer(sqlite3_column_int64(s, 3)));
    json_object_set_new(made, "aborted", json_boolean(sqlite3_column_int(s, 4)));
    return made;
}

static void add_messages(struct box *box, int64_t id, json_t *out)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT id FROM message WHERE session = ?1 ORDER BY seq");
    sqlite3_bind_int64(s, 1, id);
    while (db_row(s))
        json_array_append_new(list, json_stringn(db_text(s, 0).data, db_text(s, 0).len));
    json_object_set_new(out, "messages", list);
}

static void add_lines(struct box *box, int64_t id, json_t *out)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT at, is_ours, text FROM line WHERE session = ?1 "
                                        "ORDER BY number");
    sqlite3_bind_int64(s, 1, id);
    while (db_row(s))
        json_array_append_new(list, json_pack("{s:I, s:s, s:o}",
            "at", (json_int_t)sqlite3_column_int64(s, 0),
            "from", sqlite3_column_int(s, 1) ? "server" : "client",
            "text", box_text(db_text(s, 2))));
    json_object_set_new(out, "lines", list);
}

static void add_faults(struct box *box, int64_t id, json_t *out)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT fault FROM met WHERE session = ?1 ORDER BY at");
    sqlite3_bind_int64(s, 1, id);
    while (db_row(s))
        json_array_append_new(list, box_text(db_text(s, 0)));
    json_object_set_new(out, "faults", list);
}

json_t *box_session(struct box *box, int64_t id)
{
    json_t *made = NULL;
    sqlite3_stmt *s = db_statement(box, "SELECT * FROM session WHERE id = ?1");
    sqlite3_bind_int64(s, 1, id);
    if (db_row(s))
        made = session_json(s);
    sqlite3_reset(s);
    if (made != NULL) {
        add_messages(box, id, made);
        add_lines(box, id, made);
        add_faults(box, id, made);
    }
    return made;
}

json_t *box_sessions(struct box *box, bool refused_only, uint32_t start, uint32_t limit)
{
    json_t *list = json_array();
    sqlite3_stmt *s = refused_only
        ? db_statement(box, "SELECT * FROM session WHERE refusals > 0 OR aborted > 0 ORDER BY id "
                            "DESC LIMIT ?1 OFFSET ?2")
        : db_statement(box, "SELECT * FROM session ORDER BY id DESC LIMIT ?1 OFFSET ?2");
    sqlite3_bind_int64(s, 1, limit);
    sqlite3_bind_int64(s, 2, start);
    while (db_row(s))
        json_array_append_new(list, session_json(s));
    return list;
}
