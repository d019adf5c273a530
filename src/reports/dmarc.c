/* dmarc.c: from a verdict to a row, and from rows to a report (RFC 9990 3.1). */
#include "reports/reports_private.h"

#include "base/list.h"
#include "net/address.h"
#include "wire/report/aggregate.h"

#include <stdlib.h>

enum { SIGNATURES_MAX = 100, REASONS_SAID_MAX = 4, TAIL_ROOM = 64 };

static json_t *text_of(struct slice s)
{
    json_t *value = json_stringn(s.data == NULL ? "" : s.data, s.len);
    return value != NULL ? value : json_string(""); /* no UTF-8 */
}

static json_t *word_of(struct slice s)
{
    return json_stringn(s.data, s.len);
}

/* What was done in the words of RFC 9990: "pass" is a pass under a policy that asks for
 * something. */
static const char *disposition_of(const struct verify_facts *facts,
                                  const struct dmarc_verdict *v)
{
    if (v->result == DMARC_PASS)
        return v->policy == DMARC_POLICY_NONE ? "none" : "pass";
    if (facts->action == GATE_REPLY)
        return "reject";
    if (facts->action == GATE_HOLD)
        return "quarantine";
    /* in the results of a message that is delivered */
    return facts->overridden == NULL && v->disposition == DMARC_POLICY_QUARANTINE ? "quarantine"
                                                                                 : "none";
}

static void add_reason(json_t *list, const char *type, const char *comment)
{
    json_array_append_new(list, json_pack("[s,s]", type, comment));
}

/* Why it is not what the domain asks for; RFC 9990 3.1.6. */
static json_t *reasons_of(const struct verify_facts *facts, const struct dmarc_verdict *v,
                          const char *disposition)
{
    json_t *list = json_array();
    struct slice wished = dmarc_policy_name(v->disposition);
    if (v->result == DMARC_PASS || list == NULL)
        return list;
    if (v->record->is_test && v->policy != v->disposition)
        add_reason(list, "policy_test_mode", "t=y");
    if (facts->overridden != NULL)
        add_reason(list, "trusted_forwarder", facts->overridden);
    else if (facts->is_spf_refusal)
        add_reason(list, "local_policy", "refused for SPF");
    else if (!slice_equal(wished, slice_from_string(disposition)))
        add_reason(list, "local_policy", "as configured here");
    return list;
}

static json_t *signatures_of(const struct dkim_verifier *dkim)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < dkim_verifier_count(dkim); i++) {
        struct dkim_verdict v;
        dkim_verifier_verdict(dkim, i, &v);
        if (v.domain.len > 0 && v.selector.len > 0)
            json_array_append_new(list, json_pack("[o,o,s]", text_of(v.domain),
                                                  text_of(v.selector),
                                                  dkim_result_text(v.result)));
    }
    return list;
}

static json_t *row_of(const struct verify_facts *facts, const struct dmarc_verdict *v)
{
    const char *disposition = disposition_of(facts, v);
    struct buffer address;
    buffer_init(&address, 128);
    net_host_append(&address, facts->question->address);
    json_t *row = json_pack("{s:o,s:s,s:b,s:b,s:o,s:o,s:o,s:o}", "ip",
                            text_of(buffer_slice(&address)), "disposition", disposition,
                            "dkim", v->is_dkim_aligned, "spf", v->is_spf_aligned,
                            "reasons", reasons_of(facts, v, disposition),
                            "from", text_of(v->author_domain), "envelope_from",
                            text_of(envelope_domain(facts->question->envelope->sender)),
                            "signatures", signatures_of(auth_dkim(facts->auth)));
    buffer_free(&address);
    const struct spf *spf = auth_spf(facts->auth);
    if (row != NULL && spf != NULL && spf_verdict(spf).domain.len > 0) {
        json_object_set_new(row, "spf_domain", text_of(spf_verdict(spf).domain));
        json_object_set_new(row, "spf_result", word_of(spf_result_name(spf_verdict(spf).result)));
    }
    return row;
}

static void set_policy(json_t *policy, const char *key, const struct dmarc_request_tag *tag)
{
    if (tag->state == DMARC_TAG_VALID)
        json_object_set_new(policy, key, word_of(dmarc_policy_name(tag->policy)));
}

static json_t *policy_of(const struct dmarc_record *record)
{
    json_t *policy = json_pack("{s:s,s:b,s:b,s:b,s:o}", "p", "none", "adkim",
                               record->is_dkim_strict, "aspf", record->is_spf_strict, "t",
                               record->is_test, "fo", text_of(record->fo));
    if (policy != NULL) {
        set_policy(policy, "p", &record->domain);
        set_policy(policy, "sp", &record->subdomains);
        set_policy(policy, "np", &record->non_existent);
    }
    return policy;
}

static void note(struct reports *r, const struct verify_facts *facts,
                 const struct dmarc_verdict *v)
{
    json_t *row = row_of(facts, v), *policy = policy_of(v->record);
    char *row_text = row == NULL ? NULL : json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
    char *policy_text = policy == NULL ? NULL
                                       : json_dumps(policy, JSON_COMPACT | JSON_SORT_KEYS);
    if (row_text != NULL && policy_text != NULL)
        report_note(r, &(struct report_note){
            .kind = REPORT_DMARC, .day = facts->question->now.wall_ms / DAY_MS,
            .domain = v->policy_domain, .organizational = v->organizational_domain,
            .policy = slice_from_string(policy_text), .rua = v->record->rua,
            .row = slice_from_string(row_text) });
    free(row_text);
    free(policy_text);
    json_decref(row);
    json_decref(policy);
}

/* Only of domains that ask for it: nothing else is kept of anybody. */
void report_dmarc_watch(struct verify_watcher *watcher, const struct verify_facts *facts)
{
    struct reports *r = container_of(watcher, struct reports, verify_watcher);
    if (!atomic_load(&r->wants_dmarc) || auth_dmarc(facts->auth) == NULL)
        return;
    struct dmarc_verdict v = dmarc_verdict(auth_dmarc(facts->auth));
    bool is_evaluated = v.result == DMARC_PASS || v.result == DMARC_FAIL;
    if (is_evaluated && v.record != NULL && v.record->rua.len > 0)
        note(r, facts, &v);
}

/* ---- the report ---- */

static struct slice string_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return slice_from_string(text == NULL ? "" : text);
}

static struct slice item_of(const json_t *list, size_t index)
{
    const char *text = json_string_value(json_array_get(list, index));
    return slice_from_string(text == NULL ? "" : text);
}

static void append_record(struct buffer *out, const struct report_row *from)
{
    struct aggregate_reason reasons[REASONS_SAID_MAX];
    struct aggregate_signature signatures[SIGNATURES_MAX];
    const json_t *said = json_object_get(from->row, "reasons");
    const json_t *signed_by = json_object_get(from->row, "signatures");
    struct aggregate_record r = {
        .source = string_of(from->row, "ip"), .count = from->count,
        .disposition = string_of(from->row, "disposition"),
        .is_dkim_aligned = json_is_true(json_object_get(from->row, "dkim")),
        .is_spf_aligned = json_is_true(json_object_get(from->row, "spf")),
        .reasons = reasons, .header_from = string_of(from->row, "from"),
        .envelope_from = string_of(from->row, "envelope_from"), .signatures = signatures,
        .spf_domain = string_of(from->row, "spf_domain"),
        .spf_result = string_of(from->row, "spf_result"),
    };
    for (; r.reasons_count < json_array_size(said) && r.reasons_count < REASONS_SAID_MAX;
         r.reasons_count++) {
        const json_t *one = json_array_get(said, r.reasons_count);
        reasons[r.reasons_count] = (struct aggregate_reason){ item_of(one, 0), item_of(one, 1) };
    }
    for (; r.signatures_count < json_array_size(signed_by) &&
           r.signatures_count < SIGNATURES_MAX; r.signatures_count++) {
        const json_t *one = json_array_get(signed_by, r.signatures_count);
        signatures[r.signatures_count] = (struct aggregate_signature){
            item_of(one, 0), item_of(one, 1), item_of(one, 2) };
    }
    aggregate_append_record(out, &r);
}

/* As many as there is room for: who writes mail in a domain's name could make its report too
 * large, and none would be worse than a part. */
static void append_records(struct buffer *out, const struct report_loaded *l)
{
    struct buffer one;
    bool fits = true;
    buffer_init(&one, out->max);
    for (size_t i = 0; fits && i < l->rows_count; i++) {
        buffer_clear(&one);
        append_record(&one, &l->rows[i]);
        fits = !one.overflow && buffer_len(&one) + TAIL_ROOM <= out->max - buffer_len(out);
        if (fits)
            buffer_append(out, buffer_slice(&one));
    }
    buffer_free(&one);
}

bool report_dmarc_write(const struct report_loaded *l, const struct config *config,
                 struct slice report_id, struct buffer *out)
{
    const struct config_reports *c = &config->reports;
    const struct aggregate_head head = {
        .organization = c->organization.len > 0 ? c->organization : config->hostname,
        .email = c->from, .contact = c->contact, .report_id = report_id,
        .begin_s = l->day * (DAY_MS / 1000), .end_s = (l->day + 1) * (DAY_MS / 1000) - 1,
        .domain = slice_from_string(l->domain), .p = string_of(l->policy, "p"),
        .sp = string_of(l->policy, "sp"), .np = string_of(l->policy, "np"),
        .fo = string_of(l->policy, "fo"),
        .is_dkim_strict = json_is_true(json_object_get(l->policy, "adkim")),
        .is_spf_strict = json_is_true(json_object_get(l->policy, "aspf")),
        .is_test = json_is_true(json_object_get(l->policy, "t")),
    };
    aggregate_append_head(out, &head);
    append_records(out, l);
    aggregate_append_tail(out);
    return !out->overflow;
}
