/* zone_store.c: the test DNS of a workspace: a zone as JSON (verdict/zone.h), whole. */
#include "sandbox/box_private.h"

#include <stdlib.h>

json_t *box_zone(struct box *box, int64_t workspace)
{
    json_t *zone = NULL;
    sqlite3_stmt *s = db_statement(box, "SELECT text FROM zone WHERE workspace = ?1");
    sqlite3_bind_int64(s, 1, workspace);
    if (db_row(s)) {
        struct slice text = db_text(s, 0);
        zone = json_loadb(text.data, text.len, 0, NULL);
    }
    if (s != NULL)
        sqlite3_reset(s);
    return zone != NULL ? zone : json_object();
}

json_t *box_zone_common(struct box *box)
{
    if (box->zone == NULL)
        box->zone = box_zone(box, BOX_COMMON);
    return box->zone;
}

bool box_zone_set(struct box *box, int64_t workspace, json_t *zone)
{
    sqlite3_stmt *s = db_statement(box, "INSERT OR REPLACE INTO zone VALUES (?1, ?2)");
    char *text = json_dumps(zone, JSON_COMPACT);
    bool good = s != NULL && text != NULL;
    if (good) {
        sqlite3_bind_int64(s, 1, workspace);
        db_bind(s, 2, slice_from_string(text));
        good = db_run(s);
    }
    free(text);
    if (workspace == BOX_COMMON) {
        json_decref(box->zone);
        box->zone = NULL;
    }
    return good;
}
