/* hook_delivery.c: what is to be told to webhooks: queued, tried, told or dead, and the log. */
#include "sandbox/hook_private.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 20000, TIDY_ROWS = 500, TROUBLE_MAX = 300, ANSWER_SHOWN_MAX = 2048 };

static const char *const states[] = { "waiting", "under way", "delivered", "dead", "passed over" };

int hook_state_of(struct slice name)
{
    for (int i = 0; i < 5; i++)
        if (slice_equal(name, slice_from_string(states[i])))
            return i;
    return -1;
}

/* ---- queued ---- */

static bool queue_one(struct box *box, int64_t hook, enum hook_event event, json_t *what)
{
    sqlite3_stmt *s = db_statement(box, "INSERT INTO delivery VALUES (NULL, ?1, ?2, ?3, ?4, 0, 0, "
                                        "?4, ?5, ?6, NULL)");
    char bytes[32], *text = json_dumps(what == NULL ? json_null() : what,
                                       JSON_COMPACT | JSON_ENCODE_ANY);
    struct buffer uid = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    json_t *id = json_object_get(what, "id");
    bool good = s != NULL && text != NULL && box_random(24, &uid);
    if (good) {
        db_bind(s, 1, buffer_slice(&uid));
        sqlite3_bind_int64(s, 2, hook);
        sqlite3_bind_int(s, 3, (int)event);
        sqlite3_bind_int64(s, 4, loop_now(box->options.loop).wall_ms);
        if (json_is_string(id))
            db_bind(s, 5, slice_from_string(json_string_value(id)));
        db_bind(s, 6, slice_from_string(text));
        good = db_run(s);
    }
    free(text);
    return good;
}

bool hooks_tell(struct box *box, enum hook_event event, int64_t workspace, int64_t inbox,
                json_t *what)
{
    int64_t hooks[HOOKS_MAX];
    size_t count = 0;
    bool good = true;
    if (box->hooks == 0)
        return true;
    sqlite3_stmt *s = db_statement(box, "SELECT id FROM hook WHERE workspace = ?1 AND (inbox = 0 OR "
                                        "inbox = ?2) AND events & ?3");
    sqlite3_bind_int64(s, 1, workspace == 0 ? BOX_COMMON : workspace);
    sqlite3_bind_int64(s, 2, inbox == 0 ? -1 : inbox);
    sqlite3_bind_int(s, 3, (int)event);
    while (count < HOOKS_MAX && db_row(s))
        hooks[count++] = sqlite3_column_int64(s, 0);
    if (s != NULL)
        sqlite3_reset(s);
    for (size_t i = 0; good && i < count; i++)
        good = queue_one(box, hooks[i], event, what);
    if (count > 0)
        box_tell(box, BOX_HOOKS, workspace, NULL);
    return good;
}

json_t *box_hook_test(struct box *box, int64_t workspace, struct slice id)
{
    int64_t hook = hook_find(box, workspace, id);
    json_t *what = json_pack("{s:s}", "text", "a test of this webhook"), *made = NULL;
    if (hook != 0 && queue_one(box, hook, HOOK_TEST, what)) {
        sqlite3_stmt *s = db_statement(box, "SELECT uid FROM delivery WHERE id = ?1");
        sqlite3_bind_int64(s, 1, sqlite3_last_insert_rowid(box->db));
        if (db_row(s))
            made = json_string((const char *)sqlite3_column_text(s, 0));
        if (s != NULL)
            sqlite3_reset(s);
    }
    json_decref(what);
    box_tell(box, BOX_HOOKS, workspace, NULL);
    return made;
}

/* ---- told ---- */

/* One who is slow has no more than a few under way. */
#define MAY_BE_TOLD "d.state = 0 AND NOT h.is_paused AND (SELECT count(*) FROM delivery x WHERE " \
                    "x.hook = d.hook AND x.state = 1) < 4"

int64_t box_hook_due(struct box *box)
{
    if (box->hooks == 0)
        return 0;
    return db_number(db_statement(box, "SELECT d.due FROM delivery d JOIN hook h ON h.id = d.hook "
                                       "WHERE " MAY_BE_TOLD " ORDER BY d.due LIMIT 1"), 0);
}

static bool set_state(struct box *box, int64_t delivery, enum hook_state state)
{
    sqlite3_stmt *s = db_statement(box, "UPDATE delivery SET state = ?2 WHERE id = ?1");
    sqlite3_bind_int64(s, 1, delivery);
    sqlite3_bind_int(s, 2, (int)state);
    return db_run(s);
}

static void take_job(sqlite3_stmt *s, struct hook_job *out)
{
    struct slice data = db_text(s, 11), body = db_text(s, 12), uid = db_text(s, 8);
    *out = (struct hook_job){
        .workspace = sqlite3_column_int64(s, 1), .is_of_operator = sqlite3_column_int(s, 6) != 0,
        .id = sqlite3_column_int64(s, 7), .event = (enum hook_event)sqlite3_column_int(s, 9),
        .tries = (unsigned)sqlite3_column_int(s, 10), .hook = hook_shown(s),
        .data = json_loadb(data.data, data.len, JSON_DECODE_ANY, NULL),
        .body = body.data == NULL ? NULL : json_stringn(body.data, body.len),
        .created_ms = sqlite3_column_int64(s, 13),
    };
    if (uid.len < sizeof out->uid)
        memcpy(out->uid, uid.data, uid.len);
}

bool box_hook_next(struct box *box, int64_t now_ms, struct hook_job *out)
{
    sqlite3_stmt *s = db_statement(box,
        "SELECT h.uid, h.workspace, h.created, h.is_paused, h.wish, (SELECT uid FROM inbox WHERE "
        "inbox.id = h.inbox), h.is_of_operator, d.id, d.uid, d.event, d.tries, d.data, d.body, "
        "d.created FROM delivery d JOIN hook h ON h.id = d.hook WHERE " MAY_BE_TOLD " AND d.due <= ?1 "
        "ORDER BY d.due, d.id LIMIT 1");
    if (box->hooks == 0)
        return false;
    sqlite3_bind_int64(s, 1, now_ms);
    if (!db_row(s))
        return false;
    take_job(s, out);
    sqlite3_reset(s);
    if (out->hook != NULL && set_state(box, out->id, HOOK_UNDER_WAY))
        return true;
    hook_job_free(out);
    return false;
}

void hook_job_free(struct hook_job *job)
{
    json_decref(job->hook);
    json_decref(job->data);
    json_decref(job->body);
    job->hook = job->data = job->body = NULL;
}

bool box_hook_keep(struct box *box, const struct hook_job *job, struct slice body)
{
    sqlite3_stmt *s = db_statement(box, "UPDATE delivery SET body = ?2 WHERE id = ?1");
    sqlite3_bind_int64(s, 1, job->id);
    db_bind(s, 2, body);
    return db_run(s);
}

static bool add_attempt(struct box *box, const struct hook_job *job, const struct hook_outcome *o)
{
    sqlite3_stmt *s = db_statement(box, "INSERT INTO attempt SELECT ?1, (SELECT coalesce(max(number), "
                                        "0) + 1 FROM attempt WHERE delivery = ?1), ?2, ?3, ?4, ?5, "
                                        "?6");
    json_t *answer = box_text(slice_part(o->answer, 0, ANSWER_SHOWN_MAX));
    sqlite3_bind_int64(s, 1, job->id);
    sqlite3_bind_int64(s, 2, o->at_ms);
    sqlite3_bind_int64(s, 3, o->took_ms);
    sqlite3_bind_int64(s, 4, o->status);
    db_bind(s, 5, slice_part(slice_from_string(o->trouble), 0, TROUBLE_MAX));
    db_bind(s, 6, slice_from_string(json_string_value(answer)));
    bool good = db_run(s);
    json_decref(answer);
    return good;
}

/* Twice as long after each try. */
static int64_t pause_ms(const struct hook_job *job, unsigned tries)
{
    int64_t pause = json_integer_value(json_object_get(job->hook, "backoff_ms"));
    for (unsigned i = 1; i < tries && pause < HOOK_BACKOFF_MAX_MS; i++)
        pause *= 2;
    return pause < HOOK_BACKOFF_MAX_MS ? pause : HOOK_BACKOFF_MAX_MS;
}

void box_hook_done(struct box *box, const struct hook_job *job, const struct hook_outcome *o)
{
    unsigned tries = job->tries + (o->is_passed_over ? 0 : 1);
    json_int_t tries_max = json_integer_value(json_object_get(job->hook, "tries"));
    enum hook_state state = o->is_passed_over ? HOOK_PASSED_OVER
                          : o->is_good ? HOOK_DELIVERED
                          : o->is_hopeless || tries >= (unsigned)tries_max ? HOOK_DEAD : HOOK_WAITING;
    sqlite3_stmt *s = db_statement(box, "UPDATE delivery SET state = ?2, tries = ?3, due = ?4 WHERE "
                                        "id = ?1");
    db_exec(box, "SAVEPOINT told");
    sqlite3_bind_int64(s, 1, job->id);
    sqlite3_bind_int(s, 2, (int)state);
    sqlite3_bind_int64(s, 3, tries);
    sqlite3_bind_int64(s, 4, o->at_ms + o->took_ms + pause_ms(job, tries));
    /* it may have gone with its webhook meanwhile */
    if (db_run(s) && sqlite3_changes(box->db) > 0 && !o->is_passed_over)
        add_attempt(box, job, o);
    db_exec(box, "RELEASE told");
    box_tell(box, BOX_HOOKS, job->workspace, NULL);
}

int64_t box_redrive(struct box *box, int64_t workspace, struct slice hook, struct slice delivery)
{
    sqlite3_stmt *s = db_statement(box,
        "UPDATE delivery SET state = 0, tries = 0, due = ?4 WHERE hook IN (SELECT id FROM hook WHERE "
        "workspace = ?1 AND (uid = ?2 OR ?2 = '')) AND (uid = ?3 AND state IN (2, 3) OR ?3 = '' AND "
        "state = 3)");
    sqlite3_bind_int64(s, 1, workspace);
    db_bind(s, 2, hook);
    db_bind(s, 3, delivery);
    sqlite3_bind_int64(s, 4, loop_now(box->options.loop).wall_ms);
    int64_t count = db_run(s) ? sqlite3_changes(box->db) : 0;
    if (count > 0)
        box_tell(box, BOX_HOOKS, workspace, NULL);
    return count;
}

/* ---- shown ---- */

#define DELIVERY_COLUMNS "d.uid, h.uid, d.event, d.created, d.state, d.tries, d.due, d.subject"

static json_t *text_or_null(sqlite3_stmt *row, int column)
{
    struct slice text = db_text(row, column);
    return text.data == NULL ? json_null() : json_stringn(text.data, text.len);
}

static json_t *shown(sqlite3_stmt *row)
{
    int state = sqlite3_column_int(row, 4);
    const char *event = hook_event_name((enum hook_event)sqlite3_column_int(row, 2));
    json_t *made = json_object();
    json_object_set_new(made, "id", text_or_null(row, 0));
    json_object_set_new(made, "webhook", text_or_null(row, 1));
    json_object_set_new(made, "event", json_string(event == NULL ? "" : event));
    json_object_set_new(made, "created", json_integer(sqlite3_column_int64(row, 3)));
    json_object_set_new(made, "state", json_string(state >= 0 && state < 5 ? states[state] : ""));
    json_object_set_new(made, "tries", json_integer(sqlite3_column_int64(row, 5)));
    json_object_set_new(made, "due", state == HOOK_WAITING
                                         ? json_integer(sqlite3_column_int64(row, 6)) : json_null());
    json_object_set_new(made, "message", text_or_null(row, 7));
    return made;
}

json_t *box_deliveries(struct box *box, const struct hook_query *q)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box,
        "SELECT " DELIVERY_COLUMNS " FROM delivery d JOIN hook h ON h.id = d.hook WHERE h.workspace = "
        "?1 AND (h.uid = ?2 OR ?2 = '') AND (d.state = ?3 OR ?3 < 0) ORDER BY d.id DESC LIMIT ?4 "
        "OFFSET ?5");
    sqlite3_bind_int64(s, 1, q->workspace);
    db_bind(s, 2, q->hook);
    sqlite3_bind_int(s, 3, q->state.len == 0 ? -1 : hook_state_of(q->state));
    sqlite3_bind_int64(s, 4, q->limit);
    sqlite3_bind_int64(s, 5, q->start);
    while (db_row(s))
        json_array_append_new(list, shown(s));
    return list;
}

static json_t *attempts_of(struct box *box, int64_t delivery)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT at, ms, status, trouble, answer FROM attempt WHERE "
                                        "delivery = ?1 ORDER BY number");
    sqlite3_bind_int64(s, 1, delivery);
    while (db_row(s)) {
        json_t *one = json_object();
        json_object_set_new(one, "at", json_integer(sqlite3_column_int64(s, 0)));
        json_object_set_new(one, "ms", json_integer(sqlite3_column_int64(s, 1)));
        json_object_set_new(one, "status", json_integer(sqlite3_column_int64(s, 2)));
        json_object_set_new(one, "trouble", text_or_null(s, 3));
        json_object_set_new(one, "answer", text_or_null(s, 4));
        json_array_append_new(list, one);
    }
    return list;
}

json_t *box_delivery(struct box *box, int64_t workspace, struct slice id)
{
    json_t *made = NULL;
    int64_t delivery = 0;
    sqlite3_stmt *s = db_statement(box, "SELECT " DELIVERY_COLUMNS ", d.body, d.id FROM delivery d "
                                        "JOIN hook h ON h.id = d.hook WHERE d.uid = ?1 AND "
                                        "h.workspace = ?2");
    db_bind(s, 1, id);
    sqlite3_bind_int64(s, 2, workspace);
    if (db_row(s)) {
        made = shown(s);
        json_object_set_new(made, "body", text_or_null(s, 8));
        delivery = sqlite3_column_int64(s, 9);
        sqlite3_reset(s);
        json_object_set_new(made, "attempts", attempts_of(box, delivery));
    }
    return made;
}

uint64_t box_deliveries_count(struct box *box, int64_t workspace, struct slice hook, int state)
{
    sqlite3_stmt *s = db_statement(box, "SELECT count(*) FROM delivery WHERE hook = ?1 AND (state = "
                                        "?2 OR ?2 < 0)");
    sqlite3_bind_int64(s, 1, hook_find(box, workspace, hook));
    sqlite3_bind_int(s, 2, state);
    return (uint64_t)db_number(s, 0);
}

/* The oldest that are over, some at a time. */
void hooks_tidy(struct box *box)
{
    int64_t rows[TIDY_ROWS];
    size_t count = 0;
    if (box->hooks == 0)
        return;
    sqlite3_stmt *s = db_statement(box, "SELECT id FROM delivery WHERE state IN (2, 3, 4) AND id <= "
                                        "(SELECT max(id) FROM delivery) - ?1 LIMIT ?2");
    sqlite3_stmt *attempts = db_statement(box, "DELETE FROM attempt WHERE delivery = ?1");
    sqlite3_stmt *row = db_statement(box, "DELETE FROM delivery WHERE id = ?1");
    sqlite3_bind_int64(s, 1, KEPT_MAX);
    sqlite3_bind_int(s, 2, TIDY_ROWS);
    while (count < TIDY_ROWS && db_row(s))
        rows[count++] = sqlite3_column_int64(s, 0);
    if (s != NULL)
        sqlite3_reset(s);
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_int64(attempts, 1, rows[i]);
        sqlite3_bind_int64(row, 1, rows[i]);
        db_run(attempts);
        db_run(row);
    }
}
