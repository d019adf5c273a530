/* tls.c: from a session with a next hop to a row, and from rows to a report (RFC 8460 4).
 *
 *   record = "v=TLSRPTv1" field-delim "rua=" URI *( "," URI ) *( field-delim extension )
 */
#include "reports/reports_private.h"

#include "base/ascii.h"
#include "base/list.h"
#include "reports/tls_record.h"
#include "transport/dane/dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TEXT_MAX = 2048, HEX_MAX = 512 };

static json_t *text_of(struct slice s)
{
    json_t *value = json_stringn(s.data == NULL ? "" : s.data, s.len);
    return value != NULL ? value : json_string("");
}

/* ---- a row ---- */

/* The lines of the policy, and the patterns among them. */
static void add_sts(json_t *policy, struct slice text)
{
    json_t *lines = json_array(), *hosts = json_array();
    struct slice line;
    while (slice_split(&text, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            continue;
        json_array_append_new(lines, text_of(line));
        if (slice_starts_with_nocase(line, SLICE("mx:"))) {
            struct slice host = slice_from(line, 3);
            while (host.len > 0 && ascii_is_blank(host.data[0]))
                host = slice_from(host, 1);
            json_array_append_new(hosts, text_of(host));
        }
    }
    json_object_set_new(policy, "policy-string", lines);
    json_object_set_new(policy, "mx-host", hosts);
}

static void add_tlsa(json_t *policy, const struct dane *dane)
{
    json_t *lines = json_array();
    for (size_t i = 0; dane != NULL && i < dane->associations_count; i++) {
        const struct tls_association *a = &dane->associations[i];
        struct buffer text;
        buffer_init(&text, TEXT_MAX);
        buffer_append_format(&text, "%u %u %u ", a->usage, a->selector, a->matching);
        for (size_t n = 0; n < a->data.len && n < HEX_MAX; n++)
            buffer_append_format(&text, "%02x", (unsigned char)a->data.data[n]);
        json_array_append_new(lines, text_of(buffer_slice(&text)));
        buffer_free(&text);
    }
    json_object_set_new(policy, "policy-string", lines);
}

static json_t *policy_of(const struct delivery_tls_session *session)
{
    static const char *const types[] = {
        [TRANSPORT_NO_PROMISE] = "no-policy-found", [TRANSPORT_DANE] = "tlsa",
        [TRANSPORT_DANE_UNUSABLE] = "tlsa", [TRANSPORT_STS] = "sts",
        [TRANSPORT_STS_TESTING] = "sts",
    };
    enum transport_promise kind = session->facts->promise;
    json_t *policy = json_pack("{s:s,s:o}", "policy-type", types[kind], "policy-domain",
                               text_of(session->domain));
    if (policy == NULL)
        return NULL;
    if (kind == TRANSPORT_STS || kind == TRANSPORT_STS_TESTING)
        add_sts(policy, session->policy);
    else if (kind != TRANSPORT_NO_PROMISE)
        add_tlsa(policy, session->dane);
    return policy;
}

/* An empty one: a session that was as promised. */
static json_t *row_of(const struct delivery_tls_session *session)
{
    const struct transport_facts *f = session->facts;
    json_t *row = json_object();
    struct buffer address;
    if (row == NULL || f->failure == TRANSPORT_NO_FAILURE)
        return row;
    json_object_set_new(row, "result-type", json_string(transport_failure_text(f->failure)));
    json_object_set_new(row, "receiving-mx-hostname", text_of(session->host));
    if (session->address != NULL) {
        buffer_init(&address, 128);
        net_host_append(&address, session->address);
        json_object_set_new(row, "receiving-ip", text_of(buffer_slice(&address)));
        buffer_free(&address);
    }
    if (f->trouble != NULL)
        json_object_set_new(row, "failure-reason-code", json_string(f->trouble));
    return row;
}

void report_tls_watch(struct delivery_tls_watcher *watcher, const struct delivery_tls_session *session)
{
    struct reports *r = container_of(watcher, struct reports, tls_watcher);
    if (!atomic_load(&r->wants_tls))
        return;
    json_t *row = row_of(session), *policy = policy_of(session);
    char *row_text = row == NULL ? NULL : json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
    char *policy_text = policy == NULL ? NULL
                                       : json_dumps(policy, JSON_COMPACT | JSON_SORT_KEYS);
    if (row_text != NULL && policy_text != NULL)
        report_note(r, &(struct report_note){
            .kind = REPORT_TLS, .day = session->wall_ms / DAY_MS, .domain = session->domain,
            .policy = slice_from_string(policy_text), .row = slice_from_string(row_text) });
    free(row_text);
    free(policy_text);
    json_decref(row);
    json_decref(policy);
}

/* ---- the report ---- */

static void append_time(json_t *range, const char *key, int64_t wall_s)
{
    char text[64];
    time_t at = (time_t)wall_s;
    struct tm parts;
    if (gmtime_r(&at, &parts) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0)
        json_object_set_new(range, key, json_string(text));
}

/* Sessions that were as promised, and details of those that were not. */
static json_t *results_of(const struct report_loaded *l)
{
    json_int_t good = 0, bad = 0;
    json_t *details = json_array();
    for (size_t i = 0; i < l->rows_count; i++) {
        json_int_t count = (json_int_t)l->rows[i].count;
        if (json_object_get(l->rows[i].row, "result-type") == NULL) {
            good += count;
            continue;
        }
        json_t *one = json_deep_copy(l->rows[i].row);
        json_object_set_new(one, "failed-session-count", json_integer(count));
        json_array_append_new(details, one);
        bad += count;
    }
    return json_pack("{s:O,s:{s:I,s:I},s:o}", "policy", l->policy, "summary",
                     "total-successful-session-count", good, "total-failure-session-count",
                     bad, "failure-details", details);
}

bool report_tls_write(const struct report_loaded *l, const struct config *config,
               struct slice report_id, struct buffer *out)
{
    const struct config_reports *c = &config->reports;
    json_t *range = json_object();
    append_time(range, "start-datetime", l->day * (DAY_MS / 1000));
    append_time(range, "end-datetime", (l->day + 1) * (DAY_MS / 1000) - 1);
    json_t *report = json_pack(
        "{s:o,s:o,s:o,s:o,s:[o]}", "organization-name",
        text_of(c->organization.len > 0 ? c->organization : config->hostname), "date-range",
        range, "contact-info", text_of(c->from), "report-id", text_of(report_id), "policies",
        results_of(l));
    char *text = report == NULL ? NULL : json_dumps(report, JSON_INDENT(1));
    if (text != NULL)
        buffer_append_string(out, text);
    bool good = text != NULL && !out->overflow;
    free(text);
    json_decref(report);
    return good;
}
