/* junit.c: testsuites, testsuite, testcase, failure. */
#include "cli/junit.h"

#include <string.h>

/* Char of XML 1.0, section 2.2, as far as octets tell; U+FFFE and U+FFFF are "\xEF\xBF\xBE" and
 * "\xEF\xBF\xBF". */
static size_t strange(const char *at)
{
    unsigned char c = (unsigned char)*at;
    if (c < ' ' && c != '\t' && c != '\n')
        return 1;
    return strncmp(at, "\xEF\xBF\xBE", 3) == 0 || strncmp(at, "\xEF\xBF\xBF", 3) == 0 ? 3 : 0;
}

static void append_text(struct buffer *out, const char *text)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" },
                     { '\n', "&#10;" }, { '\t', "&#9;" } };
    for (const char *at = text; *at != '\0';) {
        size_t width = strange(at);
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
            if (entities[i].c == *at)
                entity = entities[i].entity;
        if (width > 0)
            buffer_append_byte(out, '?');
        else if (entity != NULL)
            buffer_append_string(out, entity);
        else
            buffer_append_byte(out, *at);
        at += width > 0 ? width : 1;
    }
}

static const char *text_of(json_t *result, const char *member)
{
    const char *text = json_string_value(json_object_get(result, member));
    return text == NULL ? "" : text;
}

static void append_case(struct buffer *out, const char *suite, json_t *result)
{
    buffer_append_string(out, "  <testcase classname=\"");
    append_text(out, suite);
    buffer_append_string(out, "\" name=\"");
    append_text(out, text_of(result, "name"));
    if (json_is_true(json_object_get(result, "pass"))) {
        buffer_append_string(out, "\"/>\n");
        return;
    }
    buffer_append_string(out, "\">\n   <failure message=\"");
    append_text(out, text_of(result, "message"));
    buffer_append_string(out, "\"/>\n  </testcase>\n");
}

void junit_append(struct buffer *out, const char *suite, json_t *results)
{
    size_t i, failures = 0;
    json_t *result;
    json_array_foreach(results, i, result)
        failures += !json_is_true(json_object_get(result, "pass"));
    buffer_append_format(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                         "<testsuites tests=\"%zu\" failures=\"%zu\">\n <testsuite name=\"",
                         json_array_size(results), failures);
    append_text(out, suite);
    buffer_append_format(out, "\" tests=\"%zu\" failures=\"%zu\">\n", json_array_size(results),
                         failures);
    json_array_foreach(results, i, result)
        append_case(out, suite, result);
    buffer_append_string(out, " </testsuite>\n</testsuites>\n");
}
