/* written_test.c: a report that is larger than one may be. */
#include "reports/reports_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 50 };

static size_t count(const char *text, const char *what)
{
    size_t found = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        found++;
    return found;
}

/* Whatever the room: whole records, and an end. */
static void what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    const struct config *config;
    const struct config_flags flags = { .hostname = SLICE("mx.our.test") };
    struct config_error error;
    struct report_row rows[ROWS];
    char domain[] = "far.test";
    struct report_loaded loaded = { .id = 1, .domain = domain, .policy = json_object(),
                                    .rows = rows, .rows_count = ROWS };
    size_t most = 0;
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = (struct report_row){ json_pack("{s:s}", "ip", "192.0.2.1"), i };
    assert_int_equal(config_load(SLICE(""), &flags, &config, &error), ERR_OK);
    for (size_t room = 2000; room < 64 * 1024; room += 61) {
        struct buffer out;
        buffer_init(&out, room);
        assert_true(report_dmarc_write(&loaded, config, SLICE("1@mx.our.test"), &out));
        buffer_append_byte(&out, '\0');
        size_t records = count(out.memory, "<record>");
        assert_true(records >= most);
        assert_int_equal(records, count(out.memory, "</record>"));
        assert_int_equal(count(out.memory, "</feedback>"), 1);
        most = records;
        buffer_free(&out);
    }
    assert_int_equal(most, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        json_decref(rows[i].row);
    json_decref(loaded.policy);
    config_drop(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_does_not_fit_is_left_out) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
