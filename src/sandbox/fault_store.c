/* fault_store.c: scripted faults, kept by workspace. What a key may do ends at its own inboxes. */
#include "sandbox/box_private.h"

#include "sandbox/fault.h"

#include <stdlib.h>

static json_t *row_json(sqlite3_stmt *s)
{
    struct slice text = db_text(s, 1);
    json_t *made = json_loadb(text.data, text.len, 0, NULL);
    char id[32];
    if (made == NULL)
        return NULL;
    sqlite3_snprintf(sizeof id, id, "%lld", sqlite3_column_int64(s, 0));
    json_object_set_new(made, "id", json_string(id));
    json_object_set_new(made, "hits", json_integer(sqlite3_column_int64(s, 2)));
    return made;
}

json_t *box_faults(struct box *box, int64_t workspace)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT id, rule, hits FROM fault WHERE workspace = ?1 "
                                        "ORDER BY id");
    sqlite3_bind_int64(s, 1, workspace);
    while (db_row(s))
        json_array_append_new(list, row_json(s));
    return list;
}

json_t *box_fault(struct box *box, int64_t workspace, struct slice id)
{
    uint64_t number;
    json_t *made = NULL;
    sqlite3_stmt *s = db_statement(box, "SELECT id, rule, hits FROM fault WHERE workspace = ?1 AND "
                                        "id = ?2");
    if (!slice_to_number(id, INT64_MAX, &number))
        return NULL;
    sqlite3_bind_int64(s, 1, workspace);
    sqlite3_bind_int64(s, 2, (int64_t)number);
    if (db_row(s))
        made = row_json(s);
    sqlite3_reset(s);
    return made;
}

/* A key has no say over sessions of others: only where a recipient is known. */
static const char *check(json_t *rule, int64_t workspace)
{
    const char *step = json_string_value(json_object_get(rule, "step"));
    json_t *whole = json_is_object(rule) ? json_copy(rule) : json_object();
    json_object_set_new(whole, "id", json_string("new"));
    const char *why = fault_check(whole);
    json_decref(whole);
    if (why != NULL)
        return why;
    bool has_recipient = strcmp(step, "rcpt") == 0 || strcmp(step, "data") == 0;
    return workspace != BOX_COMMON && !has_recipient
               ? "with a key, step is rcpt or data: a fault is for mail to your own inboxes" : NULL;
}

json_t *box_fault_add(struct box *box, int64_t workspace, json_t *rule, const char **out_why)
{
    const char *inbox_id = json_string_value(json_object_get(rule, "inbox"));
    int64_t inbox = inbox_id == NULL ? 0
                                     : inbox_find(box, workspace, slice_from_string(inbox_id));
    *out_why = check(rule, workspace);
    if (*out_why == NULL && inbox_id != NULL && inbox == 0)
        *out_why = "there is no such inbox";
    sqlite3_stmt *s = *out_why != NULL ? NULL : db_statement(box,
        "INSERT INTO fault VALUES (NULL, ?1, ?2, ?3, 0)");
    char *text = s == NULL ? NULL : json_dumps(rule, JSON_COMPACT);
    bool good = false;
    if (text != NULL) {
        sqlite3_bind_int64(s, 1, workspace);
        sqlite3_bind_int64(s, 2, inbox);
        db_bind(s, 3, slice_from_string(text));
        good = db_run(s);
    }
    free(text);
    if (*out_why == NULL && !good)
        *out_why = "the store has failed";
    if (!good)
        return NULL;
    char id[32];
    sqlite3_snprintf(sizeof id, id, "%lld", sqlite3_last_insert_rowid(box->db));
    box_tell(box, BOX_RULES, workspace, NULL);
    return box_fault(box, workspace, slice_from_string(id));
}

bool box_fault_delete(struct box *box, int64_t workspace, struct slice id)
{
    uint64_t number = 0;
    sqlite3_stmt *s = db_statement(box, "DELETE FROM fault WHERE workspace = ?1 AND (id = ?2 OR ?2 = "
                                        "0)");
    if (s == NULL || (id.len > 0 && (!slice_to_number(id, INT64_MAX, &number) || number == 0)))
        return false;
    sqlite3_bind_int64(s, 1, workspace);
    sqlite3_bind_int64(s, 2, (int64_t)number);
    bool good = db_run(s) && (sqlite3_changes(box->db) > 0 || id.len == 0);
    box_tell(box, BOX_RULES, workspace, NULL);
    return good;
}

/* The addresses of an inbox, or of all of a workspace; their patterns too. */
static void add_addresses(struct box *box, int64_t workspace, int64_t inbox, json_t *out)
{
    sqlite3_stmt *s = db_statement(box, "SELECT address, patterns FROM inbox WHERE workspace = ?1 "
                                        "AND (id = ?2 OR ?2 = 0)");
    sqlite3_bind_int64(s, 1, workspace);
    sqlite3_bind_int64(s, 2, inbox);
    while (db_row(s)) {
        struct slice address = db_text(s, 0), patterns = db_text(s, 1);
        size_t at = slice_find_last(address, '@');
        char tagged[400];
        json_array_append_new(out, json_stringn(address.data, address.len));
        sqlite3_snprintf(sizeof tagged, tagged, "%.*s+*%.*s", (int)at, address.data,
                         (int)(address.len - at), address.data + at);
        json_array_append_new(out, json_string(tagged));
        json_t *list = json_loadb(patterns.data, patterns.len, 0, NULL);
        json_array_extend(out, list);
        json_decref(list);
    }
}

/* As they are for the gate: with the recipients that they are for. */
json_t *box_fault_rules(struct box *box)
{
    json_t *list = json_array();
    sqlite3_stmt *s = db_statement(box, "SELECT id, rule, hits, workspace, inbox FROM fault ORDER BY "
                                        "id");
    while (db_row(s)) {
        json_t *rule = row_json(s);
        int64_t workspace = sqlite3_column_int64(s, 3), inbox = sqlite3_column_int64(s, 4);
        if (rule == NULL)
            continue;
        json_object_del(rule, "hits");
        if (workspace != BOX_COMMON || inbox != 0) {
            json_t *recipients = json_array();
            add_addresses(box, workspace, inbox, recipients);
            json_object_set_new(rule, "only", recipients);
        }
        json_array_append_new(list, rule);
    }
    return list;
}

void faults_may_have_changed(struct box *box)
{
    sqlite3_stmt *s = db_statement(box, "SELECT 1 FROM fault LIMIT 1");
    if (db_number(s, 0) != 0)
        box_tell(box, BOX_RULES, BOX_COMMON, NULL);
}
