/* known_test.c: what holds when: weeks of it in no time (RFC 8461 3.3, 5.1; HOSTILE 123). */
#include "transport/mtasts/known.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct moment at(int64_t seconds)
{
    return (struct moment){ .mono_ms = 5000 + seconds * SECOND_MS,
                            .wall_ms = INT64_C(1700000000000) + seconds * SECOND_MS };
}

static struct mtasts_policy *policy_of(const char *mode, unsigned age_s)
{
    struct mtasts_policy *policy;
    struct buffer text;
    buffer_init(&text, 200);
    buffer_append_format(&text, "version: STSv1\nmode: %s\nmax_age: %u\nmx: a.example\n", mode,
                         age_s);
    assert_null(mtasts_policy_read(buffer_slice(&text), &policy));
    buffer_free(&text);
    return policy;
}

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, WEEK_S = 7 * DAY_S };

static const struct mtasts_id one = { "one" }, two = { "two" };

/* Known under "one" since 0, for a week. */
static struct known known_for_a_week(void)
{
    struct known k = { .policy = NULL };
    assert_false(known_is_fresh(&k, at(0)));
    assert_true(known_take_record(&k, RECORD_FOUND, &one, 300, false, at(0)));
    known_take_policy(&k, policy_of("enforce", WEEK_S), &one, at(0));
    return k;
}

static void a_policy_holds_until_its_time_is_over(void **state)
{
    (void)state;
    static const enum known_record news[] = { RECORD_ABSENT, RECORD_FAILED };
    struct known k = known_for_a_week();
    assert_true(known_is_fresh(&k, at(299)));
    assert_false(known_is_fresh(&k, at(300)));
    for (int64_t day = 1; day < 7; day++) {
        assert_false(known_take_record(&k, news[day % 2], NULL, 0, false, at(day * DAY_S)));
        assert_non_null(known_live(&k, at(day * DAY_S)));
    }
    assert_non_null(known_live(&k, at(WEEK_S)));
    assert_null(known_live(&k, at(WEEK_S + 1)));
    assert_false(known_is_fresh(&k, at(WEEK_S + 1)));
    assert_false(known_take_record(&k, RECORD_ABSENT, NULL, 0, false, at(WEEK_S + 1)));
    assert_null(k.policy);
    assert_true(known_is_fresh(&k, at(WEEK_S + 2))); /* there is none: that is known */
}

static void the_same_record_is_not_fetched_again(void **state)
{
    (void)state;
    struct known k = known_for_a_week();
    assert_false(known_take_record(&k, RECORD_FOUND, &one, 300, false, at(DAY_S)));
    assert_true(known_take_record(&k, RECORD_FOUND, &two, 300, false, at(DAY_S)));
    known_take_policy(&k, policy_of("none", WEEK_S), &two, at(DAY_S));
    assert_int_equal(mtasts_policy_mode(known_live(&k, at(DAY_S))), MTASTS_NONE);
    assert_true(known_take_record(&k, RECORD_FOUND, &two, 300, false, at(DAY_S + WEEK_S + 1)));
    mtasts_policy_drop(&k.policy);
}

static void a_fetch_that_fails_changes_nothing_and_is_not_tried_at_once(void **state)
{
    (void)state;
    struct known k = known_for_a_week();
    for (int64_t s = DAY_S; s < WEEK_S; s += 5 * 60) {
        assert_true(known_take_record(&k, RECORD_FOUND, &two, 60, false, at(s)));
        known_take_policy(&k, NULL, &two, at(s));
        assert_false(known_take_record(&k, RECORD_FOUND, &two, 60, false, at(s + 299)));
        assert_int_equal(mtasts_policy_mode(known_live(&k, at(s))), MTASTS_ENFORCE);
    }
    assert_true(known_take_record(&k, RECORD_FOUND, &one, 60, false, at(WEEK_S + 1)));
    assert_null(known_live(&k, at(WEEK_S + 1)));
}

/* A minute: for those who waited for it, and so that it is not fetched for each message. */
static void a_policy_of_no_age_is_for_who_waited(void **state)
{
    (void)state;
    struct known k = known_for_a_week();
    assert_true(known_take_record(&k, RECORD_FOUND, &two, 3600, false, at(DAY_S)));
    known_take_policy(&k, policy_of("enforce", 0), &two, at(DAY_S));
    assert_non_null(known_live(&k, at(DAY_S + 60)));
    assert_true(known_is_fresh(&k, at(DAY_S + 60)));
    assert_null(known_live(&k, at(DAY_S + 61)));
    assert_false(known_is_fresh(&k, at(DAY_S + 61)));
    assert_true(known_take_record(&k, RECORD_FOUND, &two, 3600, false, at(DAY_S + 61)));
    assert_null(k.policy);
}

static int64_t refresh_s(const struct known *k, int64_t now_s)
{
    int64_t due = known_refresh_wall_ms(k, at(now_s));
    return due == INT64_MAX ? -1 : (due - at(0).wall_ms) / SECOND_MS;
}

static void policies_are_fetched_before_their_time_is_over(void **state)
{
    (void)state;
    static const struct { unsigned age_s; int64_t due_s; } cases[] = {
        { WEEK_S, DAY_S }, { DAY_S, DAY_S / 2 }, { HOUR_S, HOUR_S / 2 }, { HOUR_S - 1, -1 },
        { 0, -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known k = { .policy = NULL };
        known_take_policy(&k, policy_of("enforce", cases[i].age_s), &one, at(0));
        assert_int_equal(refresh_s(&k, 1), cases[i].due_s);
        mtasts_policy_drop(&k.policy);
    }
    struct known k = known_for_a_week();
    assert_true(known_take_record(&k, RECORD_FOUND, &one, 60, true, at(DAY_S)));
    known_take_policy(&k, NULL, &one, at(DAY_S));
    assert_int_equal(refresh_s(&k, DAY_S), DAY_S + 300); /* failed: five minutes later */
    assert_false(known_take_record(&k, RECORD_ABSENT, NULL, 0, true, at(2 * DAY_S)));
    assert_int_equal(refresh_s(&k, 2 * DAY_S), 2 * DAY_S + HOUR_S);
    assert_true(known_take_record(&k, RECORD_FOUND, &one, 60, true, at(3 * DAY_S)));
    known_take_policy(&k, policy_of("enforce", WEEK_S), &one, at(3 * DAY_S));
    assert_int_equal(refresh_s(&k, 3 * DAY_S), 4 * DAY_S);
    mtasts_policy_drop(&k.policy);
}

static void it_survives_a_start(void **state)
{
    (void)state;
    struct known k = known_for_a_week();
    struct known again = { .policy = NULL };
    struct buffer text;
    buffer_init(&text, 1000);
    known_describe(&k, &text);
    struct slice whole = buffer_slice(&text);
    assert_true(known_recall(&again, whole, at(WEEK_S)));
    assert_string_equal(again.id.text, "one");
    assert_int_equal(known_expires_wall_ms(&again), at(WEEK_S).wall_ms);
    assert_false(known_is_fresh(&again, at(1))); /* the record is asked for anew */
    assert_false(known_take_record(&again, RECORD_FOUND, &one, 60, false, at(1)));
    mtasts_policy_drop(&again.policy);
    assert_false(known_recall(&again, whole, at(WEEK_S + 1)));
    for (size_t len = 0; len + 1 < whole.len; len++)
        if (known_recall(&again, slice_part(whole, 0, len), at(1)))
            mtasts_policy_drop(&again.policy);
    assert_false(known_recall(&again, SLICE("x one\nversion: STSv1\n"), at(1)));
    assert_null(again.policy);
    mtasts_policy_drop(&k.policy);
    buffer_free(&text);
}

/* A clock that is set back ends no promise; one that is set forward ends it early. */
static void clocks_that_jump(void **state)
{
    (void)state;
    struct known k = known_for_a_week();
    struct moment back = { .mono_ms = at(10).mono_ms, .wall_ms = 1000 };
    assert_non_null(known_live(&k, back));
    mtasts_policy_drop(&k.policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_holds_until_its_time_is_over),
        cmocka_unit_test(the_same_record_is_not_fetched_again),
        cmocka_unit_test(a_fetch_that_fails_changes_nothing_and_is_not_tried_at_once),
        cmocka_unit_test(a_policy_of_no_age_is_for_who_waited),
        cmocka_unit_test(policies_are_fetched_before_their_time_is_over),
        cmocka_unit_test(it_survives_a_start),
        cmocka_unit_test(clocks_that_jump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
