/* operate_test.c: what an operator does, at every stage of a message's life. */
#include "queue/fake_world.h"

static void an_operator_holds_releases_retries_and_deletes(void **state)
{
    (void)state;
    w->answer = later;
    send_one("x@a.far");
    send_one("y@b.far");
    run_for(SECOND_MS);
    struct mail_id first = w->stored[0].id;
    assert_int_equal(act_on_id(first, QUEUE_HOLD).messages, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_HELD);
    assert_int_equal(act_on_id(first, QUEUE_HOLD).messages, 0);
    run_for(3 * HOUR_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_HELD);
    w->answer = take;
    assert_int_equal(act_on_id((struct mail_id){ 0 }, QUEUE_RETRY).messages, 1);
    run_for(SECOND_MS);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(queue_stats(w->queue).held, 1);
    assert_int_equal(act_on_id(first, QUEUE_RELEASE).messages, 1);
    run_for(SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    w->answer = later;
    send_one("z@a.far");
    run_for(SECOND_MS);
    assert_int_equal(act_on_id(w->stored[2].id, QUEUE_DELETE).messages, 1);
    assert_int_equal(w->stored[2].last[0].state, RECIPIENT_DELETED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
    assert_int_equal(w->reports_count, 0);
}

/* RFC 4865 4.2: nothing is released early but by name. */
static void what_may_not_leave_yet_waits(void **state)
{
    (void)state;
    int64_t begins = loop_now(w->loop).wall_ms + 10 * DAY_MS;
    w->not_before_wall_ms = begins;
    send_one("x@a.far");
    send_one("y@a.far");
    run_for(SECOND_MS);
    assert_int_equal(act_on_id((struct mail_id){ 0 }, QUEUE_RETRY).messages, 0);
    assert_int_equal(act_on_id(w->stored[0].id, QUEUE_HOLD).messages, 1);
    assert_int_equal(act_on_id(w->stored[0].id, QUEUE_RELEASE).messages, 1);
    assert_int_equal(w->stored[0].last[0].next_due_wall_ms, begins);
    run_for(9 * DAY_MS);
    assert_int_equal(w->tries_count, 0);
    assert_int_equal(act_on_id(w->stored[1].id, QUEUE_RETRY).messages, 1);
    run_for(SECOND_MS);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_RELAYED);
    w->answer = later; /* its lifetime of five days has only begun */
    run_for(4 * DAY_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_QUEUED);
    run_for(3 * DAY_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
}

/* What is said of a message under way is granted when its attempt is over. */
static void deleted_under_way_and_deferred_is_deleted(void **state)
{
    (void)state;
    w->answer = later;
    w->takes_ms = MINUTE_MS;
    send_one("x@a.far");
    run_for(SECOND_MS);
    struct queue_acted acted = act_on_id(w->stored[0].id, QUEUE_DELETE);
    assert_int_equal(acted.messages, 0);
    assert_int_equal(acted.in_flight, 1);
    run_for(DAY_MS);
    assert_int_equal(w->tries_count, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_DELETED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
    assert_int_equal(w->reports_count, 0);
}

static void deleted_under_way_and_taken_is_relayed(void **state)
{
    (void)state;
    w->takes_ms = MINUTE_MS;
    send_one("x@a.far");
    run_for(SECOND_MS);
    act_on_id(w->stored[0].id, QUEUE_DELETE);
    run_for(HOUR_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
}

static void held_under_way_of_a_dead_site_is_held(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    w->takes_ms = MINUTE_MS;
    send_one("x@mx.dead");
    run_for(SECOND_MS);
    assert_int_equal(act_on_id(w->stored[0].id, QUEUE_HOLD).in_flight, 1);
    run_for(DAY_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_HELD);
    assert_int_equal(queue_stats(w->queue).held, 1);
    assert_int_equal(w->tries_count, 1);
}

static void the_last_wish_counts(void **state)
{
    (void)state;
    w->answer = later;
    w->takes_ms = MINUTE_MS;
    send_one("x@a.far");
    run_for(SECOND_MS);
    act_on_id(w->stored[0].id, QUEUE_HOLD);
    act_on_id(w->stored[0].id, QUEUE_RELEASE);
    run_for(90 * SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_QUEUED);
    assert_int_equal(queue_stats(w->queue).waiting, 1);
}

struct listing {
    uint64_t last;
    size_t count;
    size_t most;
};

static bool list_one(void *context, const struct queue_message_info *message,
                     const struct queue_recipient_info *recipient)
{
    struct listing *l = context;
    (void)recipient;
    assert_true(message->id.value > l->last);
    l->last = message->id.value;
    return ++l->count < l->most;
}

/* More than are gathered at once; the ids come in any order. */
static void a_long_queue_is_listed_in_order(void **state)
{
    (void)state;
    enum { MESSAGES = 5000 };
    struct listing all = { .most = SIZE_MAX };
    struct listing part = { .last = 2000, .most = 1500 };
    struct spool_sink *sink = queue_sink(w->queue);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct spool_arrival *a = calloc(1, sizeof *a + sizeof(struct spool_recipient));
        a->id.value = 1 + i * 7919 % MESSAGES;
        a->recipients_count = 1;
        a->recipients[0] = (struct spool_recipient){ .address = SLICE("b@far.test"),
                                                     .state = RECIPIENT_HELD };
        sink->arrived(sink, a);
    }
    queue_each(w->queue, &everything, (struct mail_id){ 0 }, list_one, &all);
    assert_int_equal(all.count, MESSAGES);
    queue_each(w->queue, &everything, (struct mail_id){ 2000 }, list_one, &part);
    assert_int_equal(part.count, 1500);
    assert_int_equal(part.last, 3500);
}

static bool count_one(void *context, const struct queue_message_info *message,
                      const struct queue_recipient_info *recipient)
{
    (void)message;
    (void)recipient;
    ++*(size_t *)context;
    return true;
}

static size_t count_of(struct queue_filter filter)
{
    size_t count = 0;
    queue_each(w->queue, &filter, (struct mail_id){ 0 }, count_one, &count);
    return count;
}

/* All that is said has to fit. */
static void those_who_are_meant_are_found(void **state)
{
    (void)state;
    const char *two[] = { "x@a.far", "y@b.near" };
    w->answer = later;
    arrive("Ann@me.test", two, 2, 0);
    run_for(HOUR_MS);
    arrive("bob@me.test", two, 1, 0);
    arrive("", two + 1, 1, 0);
    run_for(SECOND_MS);
    assert_int_equal(count_of(everything), 4);
    assert_int_equal(count_of((struct queue_filter){ .domain = SLICE("a.far") }), 2);
    assert_int_equal(count_of((struct queue_filter){ .domain = SLICE("*.far") }), 2);
    assert_int_equal(count_of((struct queue_filter){ .domain = SLICE("far") }), 0);
    assert_int_equal(count_of((struct queue_filter){ .site = SLICE("near") }), 2);
    assert_int_equal(count_of((struct queue_filter){ .site = SLICE("default") }), 4);
    assert_int_equal(count_of((struct queue_filter){ .sender = SLICE("ann@ME.test") }), 2);
    assert_int_equal(count_of((struct queue_filter){ .sender = SLICE("@me.test") }), 3);
    assert_int_equal(count_of((struct queue_filter){ .sender = SLICE("<>") }), 1);
    assert_int_equal(count_of((struct queue_filter){ .reason = SLICE("LATE") }), 4);
    assert_int_equal(count_of((struct queue_filter){ .reason = SLICE("never") }), 0);
    assert_int_equal(count_of((struct queue_filter){ .older_ms = HOUR_MS }), 2);
    assert_int_equal(count_of((struct queue_filter){ .older_ms = HOUR_MS,
                                                     .domain = SLICE("a.far") }), 1);
    struct queue_filter filter = { .domain = SLICE("b.near"), .sender = SLICE("@me.test") };
    assert_int_equal(queue_act(w->queue, &filter, QUEUE_DELETE).messages, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_QUEUED);
    assert_int_equal(w->stored[0].last[1].state, RECIPIENT_DELETED);
    assert_int_equal(w->stored[2].last[0].state, RECIPIENT_QUEUED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_operator_holds_releases_retries_and_deletes),
        TEST(those_who_are_meant_are_found),
        TEST(what_may_not_leave_yet_waits),
        TEST(deleted_under_way_and_deferred_is_deleted),
        TEST(deleted_under_way_and_taken_is_relayed),
        TEST(held_under_way_of_a_dead_site_is_held),
        TEST(the_last_wish_counts),
        TEST(a_long_queue_is_listed_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
