/* census_test.c: the queue by destination and age; the walk over it; what must never be. */
#include "queue/fake_world.h"

#include "queue/queue_private.h"

struct shaped {
    struct queue_census shape;
    unsigned calls;
    size_t count;
    struct queue_census_row all;
    struct queue_census_row first;
    char first_name[64];
};

static void on_shaped(struct queue_census *shape, const struct queue_census_row *const *rows,
                      size_t count, const struct queue_census_row *all)
{
    struct shaped *s = container_of(shape, struct shaped, shape);
    s->calls++;
    s->count = count;
    s->all = *all;
    if (count > 0) {
        s->first = *rows[0];
        snprintf(s->first_name, sizeof s->first_name, "%.*s", (int)rows[0]->name.len,
                 rows[0]->name.data);
    }
}

static void recipients_are_counted_by_domain_and_age(void **state)
{
    struct shaped s = { .shape.done = on_shaped };
    (void)state;
    w->answer = later;
    send_one("x@a.far");
    run_for(HOUR_MS);
    send_one("y@b.far");
    send_one("z@b.far");
    send_one("q@b.far");
    run_for(SECOND_MS);
    act_on_id(w->stored[3].id, QUEUE_HOLD);
    assert_true(queue_census(w->queue, &s.shape));
    assert_false(queue_census(w->queue, &s.shape)); /* one at a time */
    run_for(SECOND_MS);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.all.recipients, 4);
    assert_int_equal(s.all.bands[0], 3);
    assert_int_equal(s.all.bands[4], 1); /* from 40 to 80 minutes */
    assert_string_equal(s.first_name, "b.far");
    assert_int_equal(s.first.recipients, 3);
    assert_int_equal(s.first.held, 1);
}

static void an_empty_queue_has_no_rows(void **state)
{
    struct shaped s = { .shape = { .done = on_shaped, .by_site = true } };
    (void)state;
    assert_true(queue_census(w->queue, &s.shape));
    run_for(SECOND_MS);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.all.recipients, 0);
}

static unsigned seen[MESSAGES_MAX + 1];

static void note(void *context, struct queue_message *m)
{
    (void)context;
    seen[m->id.value]++;
}

/* The buckets double in between: 1024 at first. */
static void a_walk_sees_all_once_while_they_grow(void **state)
{
    struct queue_walk walk = { 0 };
    bool more = true;
    (void)state;
    memset(seen, 0, sizeof seen);
    atomic_store(&w->queue->recipients_max, 10000);
    w->answer = later;
    for (int i = 0; i < 1000; i++)
        send_one("x@a.far");
    run_for(SECOND_MS);
    for (int i = 0; i < 10; i++)
        more = queue_walk(w->queue, &walk, 90, note, NULL);
    assert_true(more);
    for (int i = 0; i < 200; i++)
        send_one("x@a.far");
    run_for(SECOND_MS);
    assert_int_equal(w->queue->buckets_count, 2048);
    while (queue_walk(w->queue, &walk, 90, note, NULL))
        continue;
    for (int i = 1; i <= 1000; i++)
        assert_int_equal(seen[i], 1);
    for (int i = 1001; i <= 1200; i++)
        assert_in_range(seen[i], 0, 1);
}

static void nothing_is_wrong_in_ordinary_lives(void **state)
{
    (void)state;
    w->answer = later;
    send_one("x@a.far");
    send_one("y@b.far");
    act_on_id(w->stored[1].id, QUEUE_HOLD);
    w->site_kind = OUTCOME_DEFERRED;
    run_for(7 * DAY_MS);
    assert_int_equal(queue_stats(w->queue).alarms, 0);
}

/* What is put where nobody looks is found, and told of once. */
static void a_ready_one_that_nobody_serves_is_found(void **state)
{
    (void)state;
    w->answer = later;
    send_one("x@a.far");
    run_for(SECOND_MS);
    struct queue_message *m = message_find(w->queue, w->stored[0].id);
    struct queue_recipient *r = &m->recipients[0];
    recipient_unschedule(w->queue, r);
    recipient_place(w->queue, r, PLACE_READY);
    r->domain->resolved_until_ms = INT64_MAX;
    list_append(&r->domain->ready[m->urgency], &r->wait.node);
    run_for(70 * SECOND_MS);
    assert_int_equal(queue_stats(w->queue).alarms, 0);
    run_for(2 * MINUTE_MS);
    assert_int_equal(queue_stats(w->queue).alarms, 1);
    run_for(HOUR_MS);
    assert_int_equal(queue_stats(w->queue).alarms, 1);
}

static void one_that_is_too_old_is_found(void **state)
{
    (void)state;
    w->answer = later;
    send_one("x@a.far");
    run_for(SECOND_MS);
    struct queue_message *m = message_find(w->queue, w->stored[0].id);
    recipient_unschedule(w->queue, &m->recipients[0]);
    recipient_wait(w->queue, &m->recipients[0], loop_now(w->loop).wall_ms + 30 * DAY_MS);
    run_for(5 * DAY_MS + HOUR_MS);
    assert_int_equal(queue_stats(w->queue).alarms, 0);
    run_for(DAY_MS);
    assert_int_equal(queue_stats(w->queue).alarms, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recipients_are_counted_by_domain_and_age, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_empty_queue_has_no_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_walk_sees_all_once_while_they_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_wrong_in_ordinary_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ready_one_that_nobody_serves_is_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_too_old_is_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
