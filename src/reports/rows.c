/* rows.c: the tables of what is gathered, and every statement on them. */
#include "reports/reports_private.h"

#include "base/list.h"
#include "base/moment.h"
#include "log/log.h"

#include <stdlib.h>
#include <string.h>

static const char *const steps[] = {
    /* a report to come: of a day, a domain and its policy; part 0 takes more rows */
    "CREATE TABLE reports ("
    " id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, day INTEGER NOT NULL,"
    " domain TEXT NOT NULL, organizational TEXT NOT NULL, policy TEXT NOT NULL,"
    " rua TEXT NOT NULL, part INTEGER NOT NULL DEFAULT 0, rows INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL DEFAULT 0,"
    " changed INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '',"
    " UNIQUE (kind, day, domain, policy, part)) STRICT;"
    "CREATE INDEX reports_by_state ON reports (state, day);"
    "CREATE TABLE report_rows ("
    " report INTEGER NOT NULL REFERENCES reports (id) ON DELETE CASCADE,"
    " row TEXT NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY (report, row)) STRICT, WITHOUT ROWID;"
    /* those of others; data is what `godwit parse` prints of it */
    "CREATE TABLE received_reports ("
    " id INTEGER PRIMARY KEY, kind TEXT NOT NULL, organization TEXT NOT NULL,"
    " report_id TEXT NOT NULL, domain TEXT NOT NULL, begins INTEGER NOT NULL,"
    " ends INTEGER NOT NULL, arrived INTEGER NOT NULL, data TEXT NOT NULL,"
    " UNIQUE (kind, organization, report_id, domain)) STRICT;"
    "CREATE INDEX received_by_domain ON received_reports (domain, begins)",
    "ALTER TABLE received_reports ADD COLUMN size INTEGER NOT NULL DEFAULT 0;"
    "UPDATE received_reports SET size = length(data);"
    "CREATE INDEX received_by_age ON received_reports (arrived, size)",
    NULL,
};

const struct store_module reports_module = { "reports", steps };

/* ---- one row more ---- */

struct noted {
    struct store_job job;
    struct reports *reports;
    enum report_kind kind;
    int64_t day;
    struct slice domain;          /* all of these lie behind */
    struct slice organizational;
    struct slice policy;
    struct slice rua;
    struct slice row;
    char bytes[];
};

static void bind_slice(sqlite3_stmt *s, int index, struct slice text)
{
    sqlite3_bind_text64(s, index, text.data == NULL ? "" : text.data, text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

enum { COUNT_EVERY = 1000 };

/* Strangers say how many domains there are. What is known already is counted on; what is
 * new waits until old reports have gone. */
static bool is_full(struct store *store, struct reports *reports)
{
    if (reports->noted++ % COUNT_EVERY != 0)
        return reports->rows >= reports->rows_max;
    sqlite3_stmt *s = store_statement(store,
        "SELECT count(*) + coalesce(sum(rows), 0) FROM reports");
    if (s != NULL && sqlite3_step(s) == SQLITE_ROW)
        reports->rows = sqlite3_column_int64(s, 0);
    if (reports->rows >= reports->rows_max)
        log_note(LOG_WARNING, "reports", "too much is gathered: what is new is left out");
    return reports->rows >= reports->rows_max;
}

/* What names a report: ?1 to ?4. */
static void bind_report(sqlite3_stmt *s, const struct noted *n)
{
    sqlite3_bind_int(s, 1, (int)n->kind);
    sqlite3_bind_int64(s, 2, n->day);
    bind_slice(s, 3, n->domain);
    bind_slice(s, 4, n->policy);
}

/* 0: there is none; -1: the store failed. */
static int64_t known_report(struct store *store, const struct noted *n)
{
    sqlite3_stmt *s = store_statement(store,
        "SELECT id FROM reports WHERE kind = ?1 AND day = ?2 AND domain = ?3 AND policy = ?4"
        " AND part = 0");
    if (s == NULL)
        return -1;
    bind_report(s, n);
    int code = sqlite3_step(s);
    return code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : code == SQLITE_DONE ? 0 : -1;
}

/* Its id, or -1. */
static int64_t find_report(struct store *store, const struct noted *n, bool *out_has_room)
{
    sqlite3_stmt *s = store_statement(store,
        "INSERT INTO reports (kind, day, domain, policy, organizational, rua)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        " ON CONFLICT (kind, day, domain, policy, part) DO UPDATE SET rua = ?6"
        " RETURNING id, rows < ?7");
    if (s == NULL)
        return -1;
    bind_report(s, n);
    bind_slice(s, 5, n->organizational);
    bind_slice(s, 6, n->rua);
    sqlite3_bind_int(s, 7, REPORT_ROWS_MAX);
    int64_t id = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    *out_has_room = id >= 0 && sqlite3_column_int(s, 1) != 0;
    return id >= 0 && store_step(s) ? id : -1;
}

static bool run_note(struct store_job *job, struct store *store)
{
    struct noted *n = container_of(job, struct noted, job);
    bool has_room = false;
    bool full = is_full(store, n->reports);
    int64_t id = full ? known_report(store, n) : find_report(store, n, &has_room);
    if (id <= 0)
        return id == 0;
    sqlite3_stmt *s = store_statement(store,
        "UPDATE report_rows SET count = count + 1 WHERE report = ?1 AND row = ?2");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, id);
    bind_slice(s, 2, n->row);
    if (!store_step(s))
        return false;
    if (sqlite3_changes(sqlite3_db_handle(s)) > 0 || !has_room)
        return true;
    s = store_statement(store, "INSERT INTO report_rows (report, row, count)"
                               " VALUES (?1, ?2, 1)");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, id);
    bind_slice(s, 2, n->row);
    if (!store_step(s))
        return false;
    n->reports->rows++;
    s = store_statement(store, "UPDATE reports SET rows = rows + 1 WHERE id = ?1");
    sqlite3_bind_int64(s, 1, id);
    return store_step(s);
}

static void forget_note(struct store_job *job)
{
    free(container_of(job, struct noted, job));
}

static struct slice keep(char **at, struct slice text)
{
    struct slice kept = slice_make(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return kept;
}

void report_note(struct reports *reports, const struct report_note *note)
{
    size_t bytes = note->domain.len + note->organizational.len + note->policy.len +
                   note->rua.len + note->row.len;
    struct noted *n = bytes > (size_t)REPORT_TEXT_MAX * 4 ? NULL : malloc(sizeof *n + bytes);
    if (n == NULL)
        return;
    char *at = n->bytes;
    *n = (struct noted){
        .job = { .run = run_note, .forget = forget_note }, .reports = reports,
        .kind = note->kind, .day = note->day, .domain = keep(&at, note->domain),
        .organizational = keep(&at, note->organizational), .policy = keep(&at, note->policy),
        .rua = keep(&at, note->rua), .row = keep(&at, note->row),
    };
    if (!store_post(reports->options.store, &n->job))
        free(n);
}

/* ---- a whole report ---- */

void report_loaded_free(struct report_loaded *l)
{
    for (size_t i = 0; i < l->rows_count; i++)
        json_decref(l->rows[i].row);
    free(l->rows);
    json_decref(l->policy);
    free(l->domain);
    free(l->organizational);
    free(l->rua);
    *l = (struct report_loaded){ .id = 0 };
}

static char *copy_column(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return strdup(text == NULL ? "" : text);
}

static json_t *json_column(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text == NULL ? NULL : json_loads(text, 0, NULL);
}

static bool add_row(sqlite3_stmt *s, struct report_loaded *l)
{
    struct report_row *more = reallocarray(l->rows, l->rows_count + 1, sizeof *more);
    if (more == NULL)
        return false;
    l->rows = more;
    more[l->rows_count] = (struct report_row){ .row = json_column(s, 0),
                                               .count = (uint64_t)sqlite3_column_int64(s, 1) };
    if (more[l->rows_count].row != NULL)
        l->rows_count++;
    return true;
}

static bool load_rows(struct store *store, struct report_loaded *l)
{
    sqlite3_stmt *s = store_statement(store,
        "SELECT row, count FROM report_rows WHERE report = ?1 ORDER BY row");
    int code = SQLITE_ERROR;
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, l->id);
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        if (!add_row(s, l))
            return false;
    return code == SQLITE_DONE;
}

#define REPORT_COLUMNS "SELECT id, kind, day, domain, organizational, rua, policy FROM reports "

/* The statement's one row, if it has one. */
static bool load(struct store *store, sqlite3_stmt *s, struct report_loaded *out)
{
    struct report_loaded l = { .id = 0 };
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        l = (struct report_loaded){
            .id = sqlite3_column_int64(s, 0),
            .kind = (enum report_kind)sqlite3_column_int(s, 1),
            .day = sqlite3_column_int64(s, 2), .domain = copy_column(s, 3),
            .organizational = copy_column(s, 4), .rua = copy_column(s, 5),
            .policy = json_column(s, 6),
        };
    bool good = code == SQLITE_DONE ||
                (code == SQLITE_ROW && l.domain != NULL && l.organizational != NULL &&
                 l.rua != NULL && l.policy != NULL && load_rows(store, &l));
    if (good)
        *out = l;
    else
        report_loaded_free(&l);
    return good;
}

bool report_load_due(struct store *store, int64_t day, const struct report_place *after,
                     struct report_loaded *out)
{
    sqlite3_stmt *s = store_statement(store,
        REPORT_COLUMNS "WHERE state = 0 AND day < ?1 AND (day, id) > (?2, ?3)"
                       " ORDER BY day, id LIMIT 1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, day);
    sqlite3_bind_int64(s, 2, after->day);
    sqlite3_bind_int64(s, 3, after->id);
    return load(store, s, out);
}

bool report_load_of(struct store *store, struct slice domain, int64_t offset,
                    struct report_loaded *out)
{
    sqlite3_stmt *s = store_statement(store,
        REPORT_COLUMNS "WHERE state = 0 AND domain = ?1 COLLATE NOCASE ORDER BY day, id LIMIT 1 OFFSET ?2");
    if (s == NULL)
        return false;
    bind_slice(s, 1, domain);
    sqlite3_bind_int64(s, 2, offset);
    return load(store, s, out);
}

bool report_mark(struct store *store, int64_t id, enum report_state state, int64_t wall_ms,
                 const char *why)
{
    sqlite3_stmt *s = store_statement(store,
        "UPDATE reports SET state = ?2, changed = ?3, why = ?4, part = id WHERE id = ?1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int(s, 2, (int)state);
    sqlite3_bind_int64(s, 3, wall_ms);
    sqlite3_bind_text(s, 4, why, -1, SQLITE_STATIC);
    return store_step(s);
}

bool report_forget_before(struct store *store, int64_t day)
{
    sqlite3_stmt *s = store_statement(store, "DELETE FROM reports WHERE day < ?1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, day);
    if (!store_step(s))
        return false;
    s = store_statement(store, "DELETE FROM received_reports WHERE arrived < ?1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, day * DAY_MS);
    return store_step(s);
}

/* ---- for operators ---- */

static const char *state_name(int state)
{
    static const char *const names[] = {
        [REPORT_OPEN] = "open", [REPORT_SENT] = "sent", [REPORT_UNWANTED] = "unwanted",
        [REPORT_FAILED] = "failed",
    };
    return state >= 0 && state < 4 ? names[state] : "?";
}

static json_t *rows_value(struct store *store, int64_t id)
{
    struct report_loaded l = { .id = id };
    json_t *list = json_array();
    if (!load_rows(store, &l)) {
        report_loaded_free(&l);
        return list;
    }
    for (size_t i = 0; i < l.rows_count; i++) {
        json_t *row = json_deep_copy(l.rows[i].row);
        json_object_set_new(row, "count", json_integer((json_int_t)l.rows[i].count));
        json_array_append_new(list, row);
    }
    l.id = 0;
    report_loaded_free(&l);
    return list;
}

bool report_list(struct store *store, struct slice domain, json_t *out_list)
{
    sqlite3_stmt *s = store_statement(store,
        "SELECT r.id, r.kind, r.day, r.domain, r.rua, r.state, r.changed, r.why, r.policy,"
        " r.rows, (SELECT coalesce(sum(count), 0) FROM report_rows WHERE report = r.id)"
        " FROM reports r WHERE ?1 = '' OR r.domain = ?1 COLLATE NOCASE ORDER BY r.day DESC, r.domain, r.id"
        " LIMIT 1000");
    int code = SQLITE_ERROR;
    if (s == NULL)
        return false;
    bind_slice(s, 1, domain);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        json_t *one = json_pack(
            "{s:s,s:I,s:s,s:s,s:s,s:I,s:s,s:o,s:I,s:I}",
            "kind", sqlite3_column_int(s, 1) == REPORT_TLS ? "tls" : "dmarc",
            "day", (json_int_t)sqlite3_column_int64(s, 2),
            "domain", (const char *)sqlite3_column_text(s, 3),
            "rua", (const char *)sqlite3_column_text(s, 4),
            "state", state_name(sqlite3_column_int(s, 5)),
            "changed", (json_int_t)sqlite3_column_int64(s, 6),
            "why", (const char *)sqlite3_column_text(s, 7), "policy", json_column(s, 8),
            "rows", (json_int_t)sqlite3_column_int64(s, 9),
            "count", (json_int_t)sqlite3_column_int64(s, 10));
        if (one == NULL)
            return false;
        if (domain.len > 0)
            json_object_set_new(one, "records", rows_value(store, sqlite3_column_int64(s, 0)));
        json_array_append_new(out_list, one);
    }
    return code == SQLITE_DONE;
}
