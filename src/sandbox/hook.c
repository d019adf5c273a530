/* hook.c: webhooks as they are kept and shown. */
#include "sandbox/hook_private.h"

#include <stdlib.h>

#define HOOK_COLUMNS "h.uid, h.workspace, h.created, h.is_paused, h.wish, (SELECT uid FROM inbox " \
                     "WHERE inbox.id = h.inbox), h.id"

static const struct {
    enum hook_event event;
    const char *name;
} names[] = {
    { HOOK_RECEIVED, "message.received" }, { HOOK_UPDATED, "message.updated" },
    { HOOK_DELETED, "message.deleted" },   { HOOK_REFUSED, "session.refused" },
    { HOOK_BOUNCED, "message.bounced" },   { HOOK_TEST, "test" },
};

const char *hook_event_name(enum hook_event event)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].event == event)
            return names[i].name;
    return NULL;
}

enum hook_event hook_event_of(struct slice name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal(name, slice_from_string(names[i].name)))
            return names[i].event;
    return 0;
}

json_t *hook_shown(sqlite3_stmt *row)
{
    struct slice uid = db_text(row, 0), wish = db_text(row, 4), inbox = db_text(row, 5);
    json_t *made = json_loadb(wish.data, wish.len, 0, NULL);
    json_object_set_new(made, "id", json_stringn(uid.data == NULL ? "" : uid.data, uid.len));
    json_object_set_new(made, "created", json_integer(sqlite3_column_int64(row, 2)));
    json_object_set_new(made, "paused", json_boolean(sqlite3_column_int64(row, 3)));
    json_object_set_new(made, "inbox", inbox.len == 0 ? json_null()
                                                      : json_stringn(inbox.data, inbox.len));
    return made;
}

int64_t hook_find(struct box *box, int64_t workspace, struct slice id)
{
    sqlite3_stmt *s = db_statement(box, "SELECT id FROM hook WHERE uid = ?1 AND workspace = ?2");
    db_bind(s, 1, id);
    sqlite3_bind_int64(s, 2, workspace);
    return db_number(s, 0);
}

static void count(struct box *box)
{
    box->hooks = (uint64_t)db_number(db_statement(box, "SELECT count(*) FROM hook"), 0);
}

bool hooks_open(struct box *box)
{
    count(box);
    return db_exec(box, "UPDATE delivery SET state = 0 WHERE state = 1");
}

static int events_of(json_t *wish)
{
    int events = 0;
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(wish, "events"), i, name)
        if (json_is_string(name))
            events |= (int)hook_event_of(slice_from_string(json_string_value(name)));
    return events;
}

struct new_hook {
    int64_t workspace;
    int64_t inbox;
    bool is_of_operator;
    struct slice uid;
};

static bool add_row(struct box *box, const struct new_hook *hook, json_t *wish)
{
    sqlite3_stmt *s = db_statement(box, "INSERT INTO hook VALUES (NULL, ?1, ?2, ?3, ?4, 0, ?5, ?6, "
                                        "?7)");
    char *text = s == NULL ? NULL : json_dumps(wish, JSON_COMPACT);
    bool good = false;
    if (text != NULL) {
        db_bind(s, 1, hook->uid);
        sqlite3_bind_int64(s, 2, hook->workspace);
        sqlite3_bind_int64(s, 3, hook->inbox);
        sqlite3_bind_int64(s, 4, loop_now(box->options.loop).wall_ms);
        sqlite3_bind_int(s, 5, hook->is_of_operator);
        sqlite3_bind_int(s, 6, events_of(wish));
        db_bind(s, 7, slice_from_string(text));
        good = db_run(s);
    }
    free(text);
    count(box);
    return good;
}

json_t *box_hook_add(struct box *box, int64_t workspace, json_t *wish, const char **out_why)
{
    const char *inbox = json_string_value(json_object_get(wish, "inbox"));
    char bytes[32];
    struct buffer uid = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct new_hook hook = { .workspace = workspace };
    if (inbox != NULL)
        hook.inbox = inbox_find(box, workspace, slice_from_string(inbox));
    *out_why = inbox != NULL && hook.inbox == 0 ? "there is no such inbox"
             : events_of(wish) == 0 ? "events is a list, such as [\"message.received\"]"
             : box->hooks >= HOOKS_MAX ? "there are as many webhooks as there can be: delete some"
             : !box_random(20, &uid) ? "there is no chance to be had" : NULL;
    if (*out_why != NULL)
        return NULL;
    hook.uid = buffer_slice(&uid);
    if (!add_row(box, &hook, wish)) {
        *out_why = "the store has failed";
        return NULL;
    }
    return box_hook(box, workspace, buffer_slice(&uid));
}

bool box_hook_of_operator(struct box *box, json_t *wish)
{
    const struct new_hook hook = { .workspace = BOX_COMMON, .is_of_operator = true,
                                   .uid = SLICE("operator") };
    sqlite3_stmt *find = db_statement(box, "SELECT id FROM hook WHERE is_of_operator");
    sqlite3_stmt *change = db_statement(box, "UPDATE hook SET wish = ?1, events = ?2, is_paused = "
                                             "?3 WHERE is_of_operator");
    if (db_number(find, 0) == 0)
        return wish == NULL || add_row(box, &hook, wish);
    char *text = wish == NULL ? NULL : json_dumps(wish, JSON_COMPACT);
    db_bind(change, 1, slice_from_string(text == NULL ? "{}" : text));
    sqlite3_bind_int(change, 2, events_of(wish));
    sqlite3_bind_int(change, 3, wish == NULL);
    bool good = db_run(change);
    free(text);
    return good;
}

json_t *box_hooks(struct box *box, int64_t workspace)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT " HOOK_COLUMNS " FROM hook h WHERE workspace = ?1 "
                                        "ORDER BY id");
    sqlite3_bind_int64(s, 1, workspace);
    while (db_row(s))
        json_array_append_new(list, hook_shown(s));
    return list;
}

json_t *box_hook(struct box *box, int64_t workspace, struct slice id)
{
    json_t *made = NULL;
    sqlite3_stmt *s = db_statement(box, "SELECT " HOOK_COLUMNS " FROM hook h WHERE uid = ?1 AND "
                                        "workspace = ?2");
    db_bind(s, 1, id);
    sqlite3_bind_int64(s, 2, workspace);
    if (db_row(s))
        made = hook_shown(s);
    sqlite3_reset(s);
    return made;
}

bool box_hook_pause(struct box *box, int64_t workspace, struct slice id, bool paused)
{
    sqlite3_stmt *s = db_statement(box, "UPDATE hook SET is_paused = ?3 WHERE uid = ?1 AND workspace "
                                        "= ?2");
    db_bind(s, 1, id);
    sqlite3_bind_int64(s, 2, workspace);
    sqlite3_bind_int(s, 3, paused);
    bool good = db_run(s) && sqlite3_changes(box->db) > 0;
    box_tell(box, BOX_HOOKS, workspace, NULL);
    return good;
}

static bool remove_hook(struct box *box, int64_t hook)
{
    static const char *const sql[] = {
        "DELETE FROM attempt WHERE delivery IN (SELECT id FROM delivery WHERE hook = ?1)",
        "DELETE FROM delivery WHERE hook = ?1", "DELETE FROM hook WHERE id = ?1",
    };
    bool good = true;
    for (size_t i = 0; good && i < sizeof sql / sizeof *sql; i++) {
        sqlite3_stmt *s = db_statement(box, sql[i]);
        sqlite3_bind_int64(s, 1, hook);
        good = db_run(s);
    }
    return good;
}

bool box_hook_delete(struct box *box, int64_t workspace, struct slice id)
{
    int64_t hook = hook_find(box, workspace, id);
    if (hook == 0)
        return false;
    db_exec(box, "SAVEPOINT hook");
    bool good = remove_hook(box, hook);
    db_exec(box, "RELEASE hook");
    count(box);
    return good;
}

void hooks_of_inbox_gone(struct box *box, int64_t inbox)
{
    int64_t hook;
    do {
        sqlite3_stmt *s = db_statement(box, "SELECT id FROM hook WHERE inbox = ?1 LIMIT 1");
        sqlite3_bind_int64(s, 1, inbox);
        hook = box->hooks == 0 ? 0 : db_number(s, 0);
    } while (hook != 0 && remove_hook(box, hook));
    count(box);
}
