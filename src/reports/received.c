/* received.c: reports of others, as `godwit parse` shows them, kept once each. */
#include "reports/reports_private.h"

#include "base/moment.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

struct head {
    const char *kind;
    const char *organization;
    const char *id;
    const char *domain;
    int64_t begins_s;
    int64_t ends_s;
};

static struct head dmarc_head(const json_t *report)
{
    const json_t *meta = json_object_get(report, "report_metadata");
    const json_t *range = json_object_get(meta, "date_range");
    return (struct head){
        .kind = "dmarc", .organization = text_at(meta, "org_name"),
        .id = text_at(meta, "report_id"),
        .domain = text_at(json_object_get(report, "policy_published"), "domain"),
        .begins_s = json_integer_value(json_object_get(range, "begin")),
        .ends_s = json_integer_value(json_object_get(range, "end")),
    };
}

/* date-time of RFC 3339, in seconds since 1970; 0: it is none. */
static int64_t seconds_of(const char *text)
{
    struct tm parts = { .tm_sec = 0 }, zone = { .tm_gmtoff = 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == NULL)
        return 0;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (strptime(rest, "%z", &zone) == NULL)
        return 0;
    return (int64_t)timegm(&parts) - zone.tm_gmtoff;
}

static struct head tls_head(const json_t *report)
{
    const json_t *range = json_object_get(report, "date-range");
    const json_t *first = json_array_get(json_object_get(report, "policies"), 0);
    return (struct head){
        .kind = "tls", .organization = text_at(report, "organization-name"),
        .id = text_at(report, "report-id"),
        .domain = text_at(json_object_get(first, "policy"), "policy-domain"),
        .begins_s = seconds_of(text_at(range, "start-datetime")),
        .ends_s = seconds_of(text_at(range, "end-datetime")),
    };
}

bool received_keep(struct store *store, const json_t *report, int64_t wall_ms)
{
    struct head h = json_object_get(report, "report_metadata") != NULL ? dmarc_head(report)
                                                                       : tls_head(report);
    char *data = json_dumps(report, JSON_COMPACT);
    sqlite3_stmt *s = store_statement(store,
        "INSERT INTO received_reports"
        " (kind, organization, report_id, domain, begins, ends, arrived, data, size)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        " ON CONFLICT (kind, organization, report_id, domain) DO UPDATE SET data = ?8,"
        " size = ?9");
    if (data == NULL || s == NULL) {
        free(data);
        return false;
    }
    sqlite3_bind_text(s, 1, h.kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, h.organization, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, h.id, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, h.domain, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, h.begins_s);
    sqlite3_bind_int64(s, 6, h.ends_s);
    sqlite3_bind_int64(s, 7, wall_ms);
    sqlite3_bind_int64(s, 9, (sqlite3_int64)strlen(data));
    sqlite3_bind_text(s, 8, data, -1, free);
    return store_step(s) && received_trim(store, REPORT_RECEIVED_MAX);
}

bool received_trim(struct store *store, int64_t octets_max)
{
    sqlite3_stmt *s = store_statement(store,
        "DELETE FROM received_reports WHERE id IN (SELECT id FROM (SELECT id,"
        " sum(size) OVER (ORDER BY arrived DESC, id DESC) AS total FROM received_reports)"
        " WHERE total > ?1)");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, octets_max);
    return store_step(s);
}

bool received_list(struct store *store, struct slice domain, json_t *out_list)
{
    sqlite3_stmt *s = store_statement(store,
        "SELECT kind, organization, report_id, domain, begins, ends, arrived,"
        " CASE WHEN ?1 = '' THEN '' ELSE data END FROM received_reports"
        " WHERE ?1 = '' OR domain = ?1 COLLATE NOCASE ORDER BY arrived DESC, id DESC LIMIT 1000");
    int code = SQLITE_ERROR;
    if (s == NULL)
        return false;
    sqlite3_bind_text64(s, 1, domain.data == NULL ? "" : domain.data, domain.len,
                        SQLITE_STATIC, SQLITE_UTF8);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        json_t *one = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I}", "kind",
                                (const char *)sqlite3_column_text(s, 0), "organization",
                                (const char *)sqlite3_column_text(s, 1), "report_id",
                                (const char *)sqlite3_column_text(s, 2), "domain",
                                (const char *)sqlite3_column_text(s, 3), "begins",
                                (json_int_t)sqlite3_column_int64(s, 4), "ends",
                                (json_int_t)sqlite3_column_int64(s, 5), "arrived",
                                (json_int_t)sqlite3_column_int64(s, 6));
        if (one == NULL)
            return false;
        json_t *data = json_loads((const char *)sqlite3_column_text(s, 7), 0, NULL);
        if (data != NULL)
            json_object_set_new(one, "report", data);
        json_array_append_new(out_list, one);
    }
    return code == SQLITE_DONE;
}
