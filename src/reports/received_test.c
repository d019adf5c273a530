/* received_test.c: reports of others have a part of the store, never all of it. */
#include "reports/reports_private.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { REPORTS = 9, ROOM_FOR = 3 };

static const struct store_module *const modules[] = { &reports_module, NULL };

/* Asserts belong to the test's thread: the store's thread fills this. */
struct result {
    struct store_job job;
    json_t *list;
    bool good;
};

static json_t *dmarc_report(int id)
{
    char text[16];
    snprintf(text, sizeof text, "%d", id);
    return json_pack("{s:{s:s,s:s},s:{s:s}}", "report_metadata", "org_name", "Them",
                     "report_id", text, "policy_published", "domain", "our.test");
}

static bool run_trim(struct store_job *job, struct store *store)
{
    struct result *o = container_of(job, struct result, job);
    size_t octets = 0;
    o->good = true;
    for (int i = 1; o->good && i <= REPORTS; i++) {
        json_t *report = dmarc_report(i);
        char *text = json_dumps(report, JSON_COMPACT);
        octets = strlen(text);
        o->good = received_keep(store, report, i) && received_keep(store, report, i);
        free(text);
        json_decref(report);
    }
    o->good = o->good && received_trim(store, (int64_t)octets * (ROOM_FOR + 1) - 1) &&
              received_list(store, SLICE("OUR.test"), o->list);
    return o->good;
}

static void run_in_store(struct result *o, bool (*run)(struct store_job *, struct store *))
{
    const struct store_options options = { .path = ":memory:", .modules = modules };
    struct store *store;
    *o = (struct result){ .job = { .run = run }, .list = json_array() };
    assert_int_equal(store_open(&options, &store), ERR_OK);
    assert_true(store_post(store, &o->job));
    store_close(&store);
    assert_true(o->good);
}

static const char *id_at(const struct result *o, size_t index)
{
    return json_string_value(json_object_get(json_array_get(o->list, index), "report_id"));
}

static void the_oldest_go_when_there_is_no_room(void **state)
{
    (void)state;
    struct result o;
    run_in_store(&o, run_trim);
    assert_int_equal(json_array_size(o.list), ROOM_FOR);
    assert_string_equal(id_at(&o, 0), "9");
    assert_string_equal(id_at(&o, 2), "7");
    json_decref(o.list);
}

static const struct { const char *written; int64_t seconds; } dates[] = {
    { "2026-11-25T00:00:00Z", 1795564800 },
    { "2026-11-25T02:00:00.25+02:00", 1795564800 },
    { "2026-11-25", 0 },
    { "2026-11-25T00:00:00", 0 },
    { "", 0 },
};

static bool run_dates(struct store_job *job, struct store *store)
{
    struct result *o = container_of(job, struct result, job);
    o->good = true;
    for (size_t i = 0; o->good && i < sizeof dates / sizeof *dates; i++) {
        json_t *report = json_pack("{s:{s:s},s:s,s:[{s:{s:s}}]}", "date-range",
                                   "start-datetime", dates[i].written, "report-id",
                                   dates[i].written, "policies", "policy", "policy-domain",
                                   "our.test");
        o->good = received_keep(store, report, (int64_t)i);
        json_decref(report);
    }
    o->good = o->good && received_list(store, SLICE("our.test"), o->list);
    return o->good;
}

static void a_tls_report_has_its_day(void **state)
{
    (void)state;
    struct result o;
    size_t count = sizeof dates / sizeof *dates;
    run_in_store(&o, run_dates);
    assert_int_equal(json_array_size(o.list), count);
    for (size_t i = 0; i < count; i++) /* the newest first */
        assert_int_equal(json_integer_value(json_object_get(json_array_get(o.list, i), "begins")),
                         dates[count - 1 - i].seconds);
    json_decref(o.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_go_when_there_is_no_room),
        cmocka_unit_test(a_tls_report_has_its_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
