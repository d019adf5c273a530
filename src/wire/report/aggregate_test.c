/* aggregate_test.c: a whole report, letter by letter, and texts that mean harm. */
#include "wire/report/aggregate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char whole[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n<report_metadata>\n"
    "<org_name>Us</org_name>\n<email>r@us.test</email>\n<report_id>1@us.test</report_id>\n"
    "<date_range><begin>86400</begin><end>172799</end></date_range>\n"
    "<generator>godwit " GODWIT_VERSION "</generator>\n</report_metadata>\n"
    "<policy_published>\n<domain>far.test</domain>\n<p>reject</p>\n<np>none</np>\n"
    "<adkim>s</adkim>\n<aspf>r</aspf>\n<discovery_method>treewalk</discovery_method>\n"
    "<testing>y</testing>\n</policy_published>\n"
    "<record>\n<row>\n<source_ip>192.0.2.1</source_ip>\n<count>3</count>\n"
    "<policy_evaluated>\n<disposition>none</disposition>\n<dkim>fail</dkim>\n<spf>pass</spf>\n"
    "<reason>\n<type>local_policy</type>\n<comment>a &lt;b&gt; &amp; c?d</comment>\n</reason>\n"
    "</policy_evaluated>\n</row>\n<identifiers>\n<header_from>far.test</header_from>\n"
    "<envelope_from>b.far.test</envelope_from>\n</identifiers>\n<auth_results>\n"
    "<dkim>\n<domain>far.test</domain>\n<selector>s1</selector>\n<result>fail</result>\n</dkim>\n"
    "<spf>\n<domain>b.far.test</domain>\n<scope>mfrom</scope>\n<result>pass</result>\n</spf>\n"
    "</auth_results>\n</record>\n</feedback>\n";

static void a_report_is_written(void **state)
{
    const struct aggregate_head head = {
        .organization = SLICE("Us"), .email = SLICE("r@us.test"),
        .report_id = SLICE("1@us.test"), .begin_s = 86400, .end_s = 172799,
        .domain = SLICE("far.test"), .p = SLICE("reject"), .np = SLICE("none"),
        .is_dkim_strict = true, .is_test = true,
    };
    const struct aggregate_reason reason = { SLICE("local_policy"), SLICE("a <b> & c\nd") };
    const struct aggregate_signature signature = { SLICE("far.test"), SLICE("s1"),
                                                   SLICE("fail") };
    const struct aggregate_record record = {
        .source = SLICE("192.0.2.1"), .count = 3, .disposition = SLICE("none"),
        .is_spf_aligned = true, .reasons = &reason, .reasons_count = 1,
        .header_from = SLICE("far.test"), .envelope_from = SLICE("b.far.test"),
        .signatures = &signature, .signatures_count = 1, .spf_domain = SLICE("b.far.test"),
        .spf_result = SLICE("pass"),
    };
    struct buffer out;
    (void)state;
    buffer_init(&out, 8192);
    aggregate_append_head(&out, &head);
    aggregate_append_record(&out, &record);
    aggregate_append_tail(&out);
    buffer_append_byte(&out, '\0');
    assert_string_equal(buffer_slice(&out).data, whole);
    buffer_free(&out);
}

static void no_text_leaves_its_element(void **state)
{
    static const struct { const char *text; const char *becomes; } cases[] = {
        { "</domain><p>", "&lt;/domain&gt;&lt;p&gt;" }, { "\xff\xfe" "a", "??a" },
        { "\x01\x7f", "??" }, { "\xc3\xa4.test", "\xc3\xa4.test" },
        { "\xe2\x80\xae" "x", "?x" }, { "]]>", "]]&gt;" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct aggregate_head head = { .domain = slice_from_string(cases[i].text) };
        struct buffer out, wanted;
        buffer_init(&out, 8192);
        buffer_init(&wanted, 8192);
        aggregate_append_head(&out, &head);
        buffer_append_format(&wanted, "<domain>%s</domain>", cases[i].becomes);
        assert_non_null(memmem(out.memory, buffer_len(&out), wanted.memory,
                               buffer_len(&wanted)));
        buffer_free(&out);
        buffer_free(&wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_written),
        cmocka_unit_test(no_text_leaves_its_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
