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

/* What the gate takes, it must be able to take in all. */
static const char *check_room(struct box *box, size_t len)
{
    if (len > FAULT_BYTES_MAX)
        return "the rule is too long";
    return db_number(db_statement(box, "SELECT count(*) FROM fault"), 0) >= FAULT_RULES_MAX
               ? "there are as many faults as there can be: delete some" : NULL;
}

static bool add_row(struct box *box, int64_t workspace, int64_t inbox, struct slice text)
{
    sqlite3_stmt *s = db_statement(box, "INSERT INTO fault VALUES (NULL, ?1, ?2, ?3, 0)");
    sqlite3_bind_int64(s, 1, workspace);
    sqlite3_bind_int64(s, 2, inbox);
    db_bind(s, 3, text);
    return db_run(s);
}

json_t *box_fault_add(struct box *box, int64_t workspace, json_t *rule, const char **out_why)
{
    json_t *said = json_object_get(rule, "inbox");
    int64_t inbox = !json_is_string(said) ? 0
        : inbox_find(box, workspace, slice_from_string(json_string_value(said)));
    char id[32], *text = NULL;
    *out_why = check(rule, workspace);
    if (*out_why == NULL && said != NULL && inbox == 0)
        *out_why = "there is no such inbox";
    if (*out_why == NULL && (text = json_dumps(rule, JSON_COMPACT)) == NULL)
        *out_why = "out of memory";
    if (*out_why == NULL)
        *out_why = check_room(box, strlen(text));
    if (*out_why == NULL && !add_row(box, workspace, inbox, slice_from_string(text)))
        *out_why = "the store has failed";
    free(text);
    if (*out_why != NULL)
        return NULL;
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

/* The addresses that a rule is for, once for all rules that are for the same ones. */
static void add_only(struct box *box, int64_t workspace, int64_t inbox, json_t *rule,
                     json_t *groups)
{
    char name[48];
    sqlite3_snprintf(sizeof name, name, "%lld/%lld", workspace, inbox);
    if (json_object_get(groups, name) == NULL) {
        json_t *addresses = json_array();
        add_addresses(box, workspace, inbox, addresses);
        json_object_set_new(groups, name, addresses);
    }
    json_object_set_new(rule, "only", json_string(name));
}

/* As they are for the gate: with the recipients that they are for. */
json_t *box_fault_rules(struct box *box)
{
    json_t *list = json_array(), *groups = json_object();
    sqlite3_stmt *s = db_statement(box, "SELECT id, rule, hits, workspace, inbox FROM fault ORDER BY "
                                        "id");
    while (db_row(s)) {
        json_t *rule = row_json(s);
        int64_t workspace = sqlite3_column_int64(s, 3), inbox = sqlite3_column_int64(s, 4);
        if (rule == NULL)
            continue;
        json_object_del(rule, "hits");
        json_object_del(rule, "only");
        if (workspace != BOX_COMMON || inbox != 0)
            add_only(box, workspace, inbox, rule, groups);
        json_array_append_new(list, rule);
    }
    return json_pack("{s:o, s:o}", "rules", list, "only", groups);
}

void faults_may_have_changed(struct box *box)
{
    sqlite3_stmt *s = db_statement(box, "SELECT 1 FROM fault LIMIT 1");
    if (db_number(s, 0) != 0)
        box_tell(box, BOX_RULES, BOX_COMMON, NULL);
}
