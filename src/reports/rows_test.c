/* rows_test.c: what strangers can make us gather has an end. */
#include "reports/reports_private.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROWS_MAX = 500 };

static void note(struct reports *reports, int domain, int row)
{
    char name[32], text[32];
    snprintf(name, sizeof name, "d%d.test", domain);
    snprintf(text, sizeof text, "{\"n\":%d}", row);
    struct report_note n = {
        .kind = REPORT_DMARC, .day = 20000, .domain = slice_from_string(name),
        .policy = SLICE("{}"), .rua = SLICE("mailto:a@b.test"), .row = slice_from_string(text),
    };
    report_note(reports, &n);
}

struct counted {
    struct store_job job;
    int64_t reports, rows, times;
};

static bool run_count(struct store_job *job, struct store *store)
{
    struct counted *c = container_of(job, struct counted, job);
    sqlite3_stmt *s = store_statement(store,
        "SELECT (SELECT count(*) FROM reports), count(*), sum(count) FROM report_rows");
    if (s == NULL || sqlite3_step(s) != SQLITE_ROW)
        return false;
    c->reports = sqlite3_column_int64(s, 0);
    c->rows = sqlite3_column_int64(s, 1);
    c->times = sqlite3_column_int64(s, 2);
    return true;
}

/* The known ones are counted on. */
static void what_is_gathered_is_bounded_in_sum(void **state)
{
    (void)state;
    static const struct store_module *const modules[] = { &reports_module, NULL };
    const struct store_options options = { .path = ":memory:", .modules = modules };
    struct reports reports = { .rows_max = ROWS_MAX };
    struct counted c = { .job = { .run = run_count } };
    assert_int_equal(store_open(&options, &reports.options.store), ERR_OK);
    note(&reports, 1, 1);
    for (int i = 0; i < 4000; i++)
        note(&reports, i, i);
    for (int i = 0; i < 100; i++)
        note(&reports, 1, 1);
    assert_true(store_post(reports.options.store, &c.job));
    store_close(&reports.options.store);
    assert_int_equal(c.job.result, ERR_OK);
    print_message("%lld reports, %lld rows\n", (long long)c.reports, (long long)c.rows);
    /* They are counted now and then: a thousand more may be let in between. */
    assert_in_range(c.rows, ROWS_MAX / 2, ROWS_MAX + 1000);
    assert_int_equal(c.times, c.rows + 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_gathered_is_bounded_in_sum) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
