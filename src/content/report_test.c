/* report_test.c: reports that machines wrote, and what only looks like one. */
#include "content/dmarc_report.h"
#include "content/report.h"
#include "content/tls_report.h"
#include "content/unpack.h"
#include "content/xml_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *failure_of(struct slice xml)
{
    const char *failure = "none";
    json_decref(dmarc_report_read(xml, &failure));
    return failure;
}

#define HEAD "<?xml version=\"1.0\"?>\n"

static const struct { struct slice xml; const char *failure; } cases[] = {
    { SLICE_INIT("<feedback/>"), "none" },
    { SLICE_INIT(HEAD "<feedback><record><row/></record></feedback>"), "none" },
    { SLICE_INIT(""), "an empty report" },
    { SLICE_INIT("<feedback>"), "broken XML" },
    { SLICE_INIT("<feedback></feedback><feedback/>"), "broken XML" },
    { SLICE_INIT("<html/>"), "an XML document, but not a DMARC report" },
    { SLICE_INIT("<!DOCTYPE feedback [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]>"
                 "<feedback><version>&b;</version></feedback>"),
      "an XML document with a DOCTYPE, which is not read" },
    { SLICE_INIT("<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\"><feedback/>"),
      "an XML document with a DOCTYPE, which is not read" },
    { SLICE_INIT("<feedback><version>&a;</version></feedback>"), "broken XML" },
    { SLICE_INIT("<?xml version='1.0' encoding='ISO-8859-1'?><feedback/>"), "none" },
    { SLICE_INIT("<?xml version=\"1.0\" encoding = \"utf-8\" standalone='no'?><feedback/>"),
      "none" },
    { SLICE_INIT("<?xml version='1.0' encoding='UTF-7'?><feedback/>"),
      "XML in an encoding that is not read" },
    { SLICE_INIT("\x4c\x6f\xa7\x94\x93"), "XML in an encoding that is not read" },
    { SLICE_INIT("\xff\xfe<\0f\0e\0e\0d\0b\0a\0c\0k\0/\0>\0"), "none" },
};

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(failure_of(cases[i].xml), cases[i].failure);
}

static void repeat(struct buffer *out, const char *text, int count)
{
    while (count-- > 0)
        buffer_append(out, slice_from_string(text));
}

static void test_limits(void **state)
{
    (void)state;
    struct buffer xml;
    buffer_init(&xml, 32 * 1024 * 1024);
    repeat(&xml, "<feedback>", 1);
    repeat(&xml, "<x>", 40);
    repeat(&xml, "</x>", 40);
    repeat(&xml, "</feedback>", 1);
    assert_string_equal(failure_of(buffer_slice(&xml)), "XML elements more than 32 deep");

    buffer_clear(&xml);
    repeat(&xml, "<feedback>", 1);
    repeat(&xml, "<record/>", DMARC_REPORT_RECORDS_MAX + 1);
    repeat(&xml, "</feedback>", 1);
    assert_string_equal(failure_of(buffer_slice(&xml)), "too many records");

    buffer_clear(&xml);
    repeat(&xml, "<feedback><report_metadata>", 1);
    repeat(&xml, "<error/>", DMARC_REPORT_ITEMS_MAX + 1);
    repeat(&xml, "</report_metadata></feedback>", 1);
    assert_string_equal(failure_of(buffer_slice(&xml)), "too many records");
    buffer_free(&xml);
}

/* A text of any length is cut, and what is in an element that nobody knows is no value. */
static void test_values(void **state)
{
    (void)state;
    struct buffer xml;
    const char *failure = NULL;
    buffer_init(&xml, 1 << 20);
    repeat(&xml, "<f:feedback xmlns:f='urn:x'><f:report_metadata><f:email>", 1);
    repeat(&xml, "0123456789", 10000);
    repeat(&xml, "</f:email><f:report_id> a<x>b<email>c</email></x> </f:report_id>"
                 "</f:report_metadata><f:record><f:row><f:source_ip>::0001</f:source_ip>"
                 "<f:count>-1</f:count></f:row></f:record></f:feedback>", 1);
    json_t *report = dmarc_report_read(buffer_slice(&xml), &failure);
    assert_non_null(report);
    json_t *metadata = json_object_get(report, "report_metadata");
    assert_int_equal(json_string_length(json_object_get(metadata, "email")), 64 * 1024);
    json_t *row = json_object_get(json_array_get(json_object_get(report, "record"), 0), "row");
    assert_string_equal(json_string_value(json_object_get(row, "source_ip")), "::1");
    assert_int_equal(json_integer_value(json_object_get(row, "count")), 0);
    json_decref(report);
    buffer_free(&xml);
}

/* The cut never makes half a character of the last one. */
static void test_a_cut_in_a_character(void **state)
{
    (void)state;
    struct buffer xml;
    const char *failure = NULL;
    buffer_init(&xml, 1 << 20);
    repeat(&xml, "<feedback><report_metadata><email>", 1);
    repeat(&xml, "x", 64 * 1024 - 1);
    repeat(&xml, "\xc3\xa9</email></report_metadata></feedback>", 1);
    json_t *report = dmarc_report_read(buffer_slice(&xml), &failure);
    assert_non_null(report);
    json_t *email = json_object_get(json_object_get(report, "report_metadata"), "email");
    assert_int_equal(json_string_length(email), 64 * 1024 - 1);
    json_decref(report);
    buffer_free(&xml);
}

static void repeat_attributes(struct buffer *out, int count, char between)
{
    repeat(out, "<feedback", 1);
    for (int i = 0; i < count; i++)
        buffer_append_format(out, " a%d%c= '>'", i, between);
    repeat(out, "></feedback>", 1);
}

/* Each is held against all others: their number is bounded, whatever stands in them. */
static void test_attributes(void **state)
{
    (void)state;
    struct buffer xml;
    buffer_init(&xml, 1 << 20);
    repeat_attributes(&xml, XML_ATTRIBUTES_MAX, '\n');
    assert_string_equal(failure_of(buffer_slice(&xml)), "none");
    buffer_clear(&xml);
    repeat_attributes(&xml, XML_ATTRIBUTES_MAX + 1, ' ');
    assert_string_equal(failure_of(buffer_slice(&xml)), "an XML element with too many attributes");
    buffer_clear(&xml);
    repeat(&xml, "<feedback><record><row><source_ip>a=\"1\"</source_ip></row></record>", 1);
    repeat(&xml, "<x y=\"1\"/>", XML_ATTRIBUTES_MAX * 2);
    repeat(&xml, "</feedback>", 1);
    assert_string_equal(failure_of(buffer_slice(&xml)), "none");
    buffer_free(&xml);
}

/* Every beginning of a report is no report, and no beginning is read beyond its end. */
static void test_truncated(void **state)
{
    (void)state;
    static const char text[] = HEAD "<feedback><record><row><count>1</count></row></record>"
                                    "<extensions><extension name=\"a\"/></extensions></feedback>";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = strndup(text, len);
        assert_non_null(copy);
        assert_string_not_equal(failure_of(slice_make(copy, len)), "none");
        free(copy);
    }
    assert_string_equal(failure_of(slice_make(text, sizeof text - 1)), "none");
}

static void test_tls(void **state)
{
    (void)state;
    const char *failure = NULL;
    struct buffer json;
    json_t *report = tls_report_read(SLICE(
        "{\"date-range\":{\"start-datetime\":1},\"policies\":[{\"policy\":{\"mx-host\":\"a\"},"
        "\"summary\":{\"total-failure-session-count\":-1},\"x\":1},7]}"), &failure);
    json_t *wanted = json_loads("{\"date-range\":{},\"policies\":[{\"policy\":{\"mx-host\":"
                                "[\"a\"]},\"summary\":{}}]}", 0, NULL);
    assert_true(json_equal(report, wanted));
    json_decref(report);
    json_decref(wanted);
    assert_null(tls_report_read(SLICE("{\"date-range\":{}}"), &failure));
    assert_string_equal(failure, "JSON, but not a TLS report");
    assert_null(tls_report_read(SLICE("{\"policies\":1e999}"), &failure));
    assert_string_equal(failure, "broken JSON");
    report = tls_report_read(SLICE("\xef\xbb\xbf{\"date-range\":{},\"policies\":[]}"), &failure);
    assert_non_null(report);
    json_decref(report);
    buffer_init(&json, 1 << 20);
    repeat(&json, "{\"date-range\":{},\"policies\":[0", 1);
    repeat(&json, ",0", TLS_REPORT_VALUES_MAX);
    repeat(&json, "]}", 1);
    assert_null(tls_report_read(buffer_slice(&json), &failure));
    assert_string_equal(failure, "JSON of too many values");
    buffer_clear(&json);
    repeat(&json, "[", 100000);
    assert_null(tls_report_read(buffer_slice(&json), &failure));
    assert_string_equal(failure, "JSON more than 32 deep");
    buffer_free(&json);
}

static void test_finding(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 2 * CONTENT_UNPACKED_MAX);
    assert_string_equal(content_report_find(SLICE("Subject: hello\n\nhello\n"),
                                            CONTENT_REPORT_DMARC, &out), "no report in it");
    assert_null(content_report_find(SLICE("Content-Type: text/xml\n\n<feedback/>"),
                                    CONTENT_REPORT_DMARC, &out));
    assert_true(slice_equal(buffer_slice(&out), SLICE("<feedback/>")));
    assert_string_equal(content_report_find(SLICE("\x1f\x8b\x08"), CONTENT_REPORT_DMARC, &out),
                        "an empty or cut archive");
    assert_string_equal(content_report_find(SLICE("PK\x03\x04..."), CONTENT_REPORT_TLS, &out),
                        "a broken archive");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_values), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_a_cut_in_a_character), cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_tls), cmocka_unit_test(test_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
