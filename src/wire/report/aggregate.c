/* aggregate.c: RFC 9990 Appendix A, element by element. */
#include "wire/report/aggregate.h"

#include "base/ascii.h"
#include "base/utf8.h"

#include <inttypes.h>

/* What XML 1.0 cannot hold becomes '?'. */
static void append_text(struct buffer *out, struct slice text)
{
    text = slice_part(text, 0, AGGREGATE_TEXT_MAX);
    while (text.len > 0) {
        size_t len = utf8_sequence_len(text);
        char c = text.data[0];
        if (len > 1 && !utf8_is_control(text))
            buffer_append(out, slice_part(text, 0, len));
        else if (len != 1 || ascii_is_control(c))
            buffer_append_byte(out, '?');
        else if (c == '<')
            buffer_append_string(out, "&lt;");
        else if (c == '>')
            buffer_append_string(out, "&gt;");
        else if (c == '&')
            buffer_append_string(out, "&amp;");
        else
            buffer_append_byte(out, c);
        text = slice_from(text, len == 0 ? 1 : len);
    }
}

static void append_element(struct buffer *out, const char *name, struct slice text)
{
    buffer_append_format(out, "<%s>", name);
    append_text(out, text);
    buffer_append_format(out, "</%s>\n", name);
}

static void append_known(struct buffer *out, const char *name, struct slice text)
{
    if (text.len > 0)
        append_element(out, name, text);
}

static void append_mode(struct buffer *out, const char *name, bool is_strict)
{
    append_element(out, name, is_strict ? SLICE("s") : SLICE("r"));
}

void aggregate_append_head(struct buffer *out, const struct aggregate_head *h)
{
    buffer_append_string(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                              "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
                              "<report_metadata>\n");
    append_element(out, "org_name", h->organization);
    append_element(out, "email", h->email);
    append_known(out, "extra_contact_info", h->contact);
    append_element(out, "report_id", h->report_id);
    buffer_append_format(out, "<date_range><begin>%" PRId64 "</begin><end>%" PRId64
                         "</end></date_range>\n", h->begin_s, h->end_s);
    append_element(out, "generator", SLICE("godwit " GODWIT_VERSION));
    buffer_append_string(out, "</report_metadata>\n<policy_published>\n");
    append_element(out, "domain", h->domain);
    append_element(out, "p", h->p);
    append_known(out, "sp", h->sp);
    append_known(out, "np", h->np);
    append_mode(out, "adkim", h->is_dkim_strict);
    append_mode(out, "aspf", h->is_spf_strict);
    append_element(out, "discovery_method", SLICE("treewalk"));
    append_known(out, "fo", h->fo);
    append_element(out, "testing", h->is_test ? SLICE("y") : SLICE("n"));
    buffer_append_string(out, "</policy_published>\n");
}

static void append_row(struct buffer *out, const struct aggregate_record *r)
{
    buffer_append_string(out, "<row>\n");
    append_element(out, "source_ip", r->source);
    buffer_append_format(out, "<count>%" PRIu64 "</count>\n<policy_evaluated>\n", r->count);
    append_element(out, "disposition", r->disposition);
    append_element(out, "dkim", r->is_dkim_aligned ? SLICE("pass") : SLICE("fail"));
    append_element(out, "spf", r->is_spf_aligned ? SLICE("pass") : SLICE("fail"));
    for (size_t i = 0; i < r->reasons_count; i++) {
        buffer_append_string(out, "<reason>\n");
        append_element(out, "type", r->reasons[i].type);
        append_known(out, "comment", r->reasons[i].comment);
        buffer_append_string(out, "</reason>\n");
    }
    buffer_append_string(out, "</policy_evaluated>\n</row>\n");
}

void aggregate_append_record(struct buffer *out, const struct aggregate_record *r)
{
    buffer_append_string(out, "<record>\n");
    append_row(out, r);
    buffer_append_string(out, "<identifiers>\n");
    append_element(out, "header_from", r->header_from);
    append_known(out, "envelope_from", r->envelope_from);
    buffer_append_string(out, "</identifiers>\n<auth_results>\n");
    for (size_t i = 0; i < r->signatures_count; i++) {
        buffer_append_string(out, "<dkim>\n");
        append_element(out, "domain", r->signatures[i].domain);
        append_element(out, "selector", r->signatures[i].selector);
        append_element(out, "result", r->signatures[i].result);
        buffer_append_string(out, "</dkim>\n");
    }
    if (r->spf_domain.len > 0) {
        buffer_append_string(out, "<spf>\n");
        append_element(out, "domain", r->spf_domain);
        append_element(out, "scope", SLICE("mfrom"));
        append_element(out, "result", r->spf_result);
        buffer_append_string(out, "</spf>\n");
    }
    buffer_append_string(out, "</auth_results>\n</record>\n");
}

void aggregate_append_tail(struct buffer *out)
{
    buffer_append_string(out, "</feedback>\n");
}
