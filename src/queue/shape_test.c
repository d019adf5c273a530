/* shape_test.c: rates, paces, suspensions, and limits that several sites share. In virtual
 * time. */
#include "queue/fake_world.h"

static void configure(const char *yaml)
{
    const struct config *next = configuration(yaml);
    queue_configure(w->queue, next);
    config_drop(&w->config);
    w->config = next;
}

static void assert_slice_text(struct slice value, const char *text)
{
    if (!slice_equal(value, slice_from_string(text)))
        fail_msg("%.*s, not %s", (int)value.len, value.data, text);
}

static size_t delivered(void)
{
    size_t count = 0;
    for (size_t i = 0; i < w->stored_count; i++)
        count += w->stored[i].last[0].state == RECIPIENT_RELAYED;
    return count;
}

static void send_many(const char *to, int count)
{
    for (int i = 0; i < count; i++)
        send_one(to);
}

static bool keep_info(void *context, const struct queue_site_info *site)
{
    *(struct queue_site_info *)context = *site;
    return true;
}

static struct queue_site_info info_of(const char *name)
{
    struct queue_site_info info = { .name = { NULL, 0 } };
    assert_true(queue_each_site(w->queue, slice_from_string(name), keep_info, &info) > 0);
    return info;
}

static void a_rate_is_even(void **state)
{
    (void)state;
    configure("sites: { default: { rate: 20/min } }");
    send_many("x@a.one", 40);
    run_for(SECOND_MS);
    assert_int_equal(w->tries_count, 1);
    struct queue_site_info info = info_of("one");
    assert_int_equal(info.limit, QUEUE_LIMIT_RATE);
    assert_int_equal(info.ready, 39);
    assert_int_equal(info.rate.count, 20);
    assert_true(info.until_wall_ms > loop_now(w->loop).wall_ms);
    run_for(2 * MINUTE_MS);
    assert_int_equal(delivered(), 40);
    for (size_t i = 1; i < w->tries_count; i++)
        assert_in_range(w->tries[i].at_ms - w->tries[i - 1].at_ms, 2980, 3020);
    assert_int_equal(info_of("one").limit, QUEUE_LIMIT_NO_MAIL);
}

/* Faster than the clock of the loop ticks: a few at a time, in sum as many as it says. */
static void a_fast_rate_is_kept_too(void **state)
{
    (void)state;
    configure("sites: { default: { rate: 2000/s, connections: 1000 } }");
    w->takes_ms = 1;
    send_many("x@a.one", 400);
    run_for(100);
    assert_in_range(w->tries_count, 190, 225);
    run_for(200);
    assert_int_equal(delivered(), 400);
}

static void unused_time_is_not_saved(void **state)
{
    (void)state;
    configure("sites: { default: { rate: 60/min } }");
    send_one("x@a.one");
    run_for(HOUR_MS);
    size_t before = w->tries_count;
    send_many("x@a.one", 20);
    run_for(5 * SECOND_MS);
    assert_in_range(w->tries_count - before, 5, 6);
}

static void sites_without_a_name_do_not_share(void **state)
{
    (void)state;
    configure("sites: { default: { rate: 60/min } }");
    send_many("x@a.one", 20);
    send_many("x@a.two", 20);
    run_for(10 * SECOND_MS);
    assert_in_range(w->tries_count, 20, 22);
}

/* One rate for all that lead to a name, in turn. */
static void a_name_has_one_rate(void **state)
{
    (void)state;
    configure("sites: { big: { hosts: '*.big', rate: 60/min } }");
    send_many("x@a.one.big", 20);
    send_many("x@a.two.big", 20);
    send_many("x@a.other", 5);
    run_for(10 * SECOND_MS);
    size_t sites[2] = { 0, 0 };
    for (size_t i = 0; i < w->tries_count; i++) {
        struct slice site = slice_make(w->tries[i].site.text, w->tries[i].site.len);
        sites[0] += slice_equal(site, SLICE("one.big"));
        sites[1] += slice_equal(site, SLICE("two.big"));
    }
    assert_in_range(sites[0], 5, 6);
    assert_in_range(sites[1], 5, 6);
    assert_int_equal(w->tries_count - sites[0] - sites[1], 5);
    assert_slice_text(info_of("big/one.big").name, "big");
}

/* What is idle at one of its sites gives way; what is busy is worn out first. */
static void a_name_has_its_connections_together(void **state)
{
    (void)state;
    configure("sites: { big: { hosts: '*.big', connections: 2, messages_per_connection: 10 } }");
    w->keep = true;
    send_many("x@a.one.big", 40);
    send_many("x@a.two.big", 40);
    run_for(10 * MINUTE_MS);
    assert_int_equal(delivered(), 80);
    assert_in_range(w->open_most, 1, 2 * 2); /* each with one more job behind */
    assert_in_range(w->connections, 8, 12);  /* not one for each message */
    w->open_most = 0;
    send_one("x@a.three.big");
    run_for(SECOND_MS);
    assert_int_equal(delivered(), 81);
}

static void a_domain_may_have_limits_of_its_own(void **state)
{
    (void)state;
    configure("sites: { slow: { domains: a.one, rate: 1/min } }");
    send_many("x@a.one", 5);
    send_many("x@b.one", 5);
    run_for(10 * SECOND_MS);
    assert_int_equal(w->tries_count, 6);
    assert_slice_text(info_of("a.one").name, "slow");
    assert_slice_text(info_of("a.one").site, "slow/one");
    assert_slice_text(info_of("b.one").name, "default");
}

/* ---- replies ---- */

static int64_t minute_of_throttle;
static unsigned taken_in_minute;
static unsigned refused;

static bool twenty_a_minute(struct world *world, struct attempt_run *run,
                            struct attempt_recipient *r)
{
    int64_t minute = loop_now(world->loop).mono_ms / MINUTE_MS;
    if (minute != minute_of_throttle) {
        minute_of_throttle = minute;
        taken_in_minute = 0;
    }
    if (taken_in_minute >= 20) {
        refused++;
        return say(r, OUTCOME_DEFERRED, 421, (struct smtp_status){ 4, 7, 28 },
                   SLICE("our system has detected an unusual rate of mail"));
    }
    taken_in_minute++;
    return take(world, run, r);
}

#define THROTTLED "sites: { default: { connections: 20, " \
                  "replies: [{ status: 4.7.28, then: slow, for: 15m }] } }"

/* The pace that it takes is found; little is refused, and nothing waits for days. */
static void a_throttle_is_found(void **state)
{
    (void)state;
    minute_of_throttle = 0;
    taken_in_minute = refused = 0;
    configure(THROTTLED);
    w->answer = twenty_a_minute;
    send_many("x@a.one", 600);
    run_for(3 * HOUR_MS);
    assert_int_equal(delivered(), 600);
    assert_in_range(refused, 1, 120);
}

static bool refuses_for_a_moment(struct world *world, struct attempt_run *run,
                                 struct attempt_recipient *r)
{
    if (loop_now(world->loop).mono_ms > 2000)
        return take(world, run, r);
    refused++;
    return say(r, OUTCOME_DEFERRED, 421, (struct smtp_status){ 4, 7, 28 }, SLICE("slow"));
}

/* All that were under way are one trouble: halved once. */
static void replies_of_one_moment_count_once(void **state)
{
    (void)state;
    refused = 0;
    configure(THROTTLED);
    w->answer = refuses_for_a_moment;
    w->takes_ms = 500;
    send_many("x@a.one", 60);
    run_for(600);
    assert_int_equal(refused, 20);
    struct queue_site_info info = info_of("one");
    assert_in_range(info.connections_max, 9, 10);
    assert_int_equal(info.pace, 60);
    assert_int_equal(info.limit, QUEUE_LIMIT_PACE);
    assert_slice_text(info.reason, "slow");
    assert_int_equal(info.code, 421);
    run_for(2 * DAY_MS);
    assert_int_equal(delivered(), 60);
    assert_int_equal(queue_each_site(w->queue, SLICE("one"), keep_info, &info), 0);
}

static bool block_listed(struct world *world, struct attempt_run *run,
                         struct attempt_recipient *r)
{
    if (loop_now(world->loop).mono_ms > HOUR_MS)
        return take(world, run, r);
    return say(r, OUTCOME_FAILED, 550, (struct smtp_status){ 5, 7, 1 },
               SLICE("blocked (S3150)"));
}

/* One message pays for it; the others wait. */
static void a_reply_suspends(void **state)
{
    (void)state;
    configure("sites: { default: { connections: 1, replies: [{ code: 550, text: '(s3150)', "
              "then: suspend, for: 2h }] } }");
    w->answer = block_listed;
    send_many("x@a.one", 50);
    run_for(MINUTE_MS);
    assert_int_equal(w->tries_count, 2); /* and the bounce */
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    struct queue_site_info info = info_of("one");
    assert_int_equal(info.limit, QUEUE_LIMIT_SUSPENDED);
    assert_false(info.by_operator);
    assert_true(info.until_wall_ms > loop_now(w->loop).wall_ms + HOUR_MS);
    run_for(HOUR_MS + 58 * MINUTE_MS);
    assert_int_equal(w->tries_count, 2);
    run_for(2 * MINUTE_MS);
    assert_int_equal(delivered(), 49);
}

static void a_reply_may_mean_something_else(void **state)
{
    (void)state;
    configure("sites: { default: { replies: [{ code: 550, text: such, then: defer },"
              " { code: 451, then: bounce }] } }");
    w->answer = never;
    send_one("x@a.one");
    run_for(SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_QUEUED);
    assert_int_equal(w->stored[0].last[0].status.class, 4);
    assert_int_equal(w->stored[0].last[0].code, 550);
    w->answer = later;
    send_one("x@a.one");
    run_for(SECOND_MS);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->stored[1].last[0].status.class, 5);
    assert_int_equal(w->reports_count, 1);
}

static void a_site_may_have_a_retry_plan_of_its_own(void **state)
{
    (void)state;
    configure("sites: { one: { hosts: one, retry_first: 30m, retry_max: 30m } }");
    w->answer = later;
    send_one("x@a.one");
    send_one("x@a.two");
    run_for(SECOND_MS);
    int64_t now = loop_now(w->loop).wall_ms;
    assert_in_range(w->stored[0].last[0].next_due_wall_ms - now, 24 * MINUTE_MS, 36 * MINUTE_MS);
    assert_in_range(w->stored[1].last[0].next_due_wall_ms - now, 4 * MINUTE_MS, 6 * MINUTE_MS);
    run_for(36 * MINUTE_MS);
    now = loop_now(w->loop).wall_ms;
    assert_in_range(w->stored[0].last[0].next_due_wall_ms - now, 11 * MINUTE_MS, 36 * MINUTE_MS);
}

static bool keep_reason(void *context, const struct queue_message_info *message,
                        const struct queue_recipient_info *recipient)
{
    (void)message;
    *(struct queue_recipient_info *)context = *recipient;
    return false;
}

/* Nobody has to ask twice why a message waits. */
static void what_is_ready_says_what_it_waits_for(void **state)
{
    (void)state;
    struct queue_recipient_info info;
    configure("sites: { default: { rate: 1/h } }");
    send_many("x@a.one", 2);
    run_for(SECOND_MS);
    queue_each(w->queue, &everything, (struct mail_id){ 0 }, keep_reason, &info);
    assert_slice_text(info.reason, "it waits for its turn: the rate of its site");
    assert_in_range(info.next_due_wall_ms - loop_now(w->loop).wall_ms, 59 * MINUTE_MS - SECOND_MS,
                    HOUR_MS);
    queue_suspend(w->queue, SLICE("one"), 2 * HOUR_MS, SLICE("they asked us to"));
    queue_each(w->queue, &everything, (struct mail_id){ 0 }, keep_reason, &info);
    assert_slice_text(info.reason, "they asked us to");
    assert_int_equal(info.next_due_wall_ms - loop_now(w->loop).wall_ms, 2 * HOUR_MS);
}

/* ---- an operator ---- */

static void an_operator_suspends_and_resumes(void **state)
{
    (void)state;
    configure("sites: { big: { hosts: '*.big' } }");
    send_one("x@a.one.big");
    send_one("x@a.two.big");
    run_for(SECOND_MS);
    assert_int_equal(delivered(), 2);
    assert_int_equal(queue_suspend(w->queue, SLICE("big"), 0, SLICE("their request")), 2);
    send_many("x@a.one.big", 5);
    send_one("x@a.other");
    run_for(2 * DAY_MS);
    assert_int_equal(delivered(), 3);
    struct queue_site_info info = info_of("a.one.big");
    assert_int_equal(info.limit, QUEUE_LIMIT_SUSPENDED);
    assert_true(info.by_operator);
    assert_slice_text(info.reason, "their request");
    assert_int_equal(queue_resume(w->queue, SLICE("one.big")), 0);
    assert_int_equal(queue_resume(w->queue, SLICE("big/one.big")), 1);
    run_for(SECOND_MS);
    assert_int_equal(delivered(), 8);
    assert_int_equal(queue_suspend(w->queue, SLICE("nobody"), 0, SLICE("x")), 0);
}

/* Nobody tries it: it comes back all the same, and the rest does not. */
static void mail_expires_behind_a_suspension(void **state)
{
    (void)state;
    configure("queue: { lifetime: 1h }\nsites: { default: { connections: 1 } }");
    send_one("x@a.one");
    run_for(SECOND_MS);
    queue_suspend(w->queue, SLICE("one"), 0, SLICE("they asked us to"));
    send_many("x@a.one", 3);
    run_for(30 * MINUTE_MS);
    send_one("y@a.one");
    run_for(35 * MINUTE_MS);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_FAILED);
        assert_int_equal(w->stored[i].last[0].status.class, 5);
    }
    assert_true(report_says("they asked us to"));
    assert_int_equal(info_of("one").ready, 1);
    assert_int_equal(queue_stats(w->queue).alarms, 0);
    queue_resume(w->queue, SLICE("one"));
    run_for(SECOND_MS);
    assert_int_equal(w->stored[4].last[0].state, RECIPIENT_RELAYED);
}

static void a_suspension_may_have_an_end(void **state)
{
    (void)state;
    send_one("x@a.one");
    run_for(SECOND_MS);
    assert_int_equal(queue_suspend(w->queue, SLICE("a.one"), HOUR_MS, SLICE("a while")), 1);
    send_one("x@a.one");
    run_for(HOUR_MS - 2 * SECOND_MS);
    assert_int_equal(delivered(), 1);
    run_for(3 * SECOND_MS);
    assert_int_equal(delivered(), 2);
}

static void another_configuration_counts_at_once(void **state)
{
    (void)state;
    configure("sites: { default: { rate: 1/d } }");
    send_many("x@a.one", 20);
    run_for(MINUTE_MS);
    assert_int_equal(delivered(), 1);
    configure("sites: { default: { rate: 10/s } }");
    run_for(3 * SECOND_MS);
    assert_int_equal(delivered(), 20);
    configure("sites: { one: { hosts: one, rate: 1/d } }");
    send_many("x@a.one", 5);
    run_for(MINUTE_MS);
    assert_int_equal(delivered(), 21);
    configure("sites: { two: { hosts: two } }"); /* the name is gone */
    run_for(MINUTE_MS);
    assert_int_equal(delivered(), 25);
}

/* A look at a hundred sites of one name takes each its turn. */
static void many_sites_of_a_name_get_their_turns(void **state)
{
    (void)state;
    char to[40];
    configure("sites: { big: { hosts: '*.big', connections: 3 } }");
    for (int i = 0; i < 100; i++) {
        snprintf(to, sizeof to, "x@a.s%d.big", i);
        send_one(to);
        send_one(to);
    }
    run_for(MINUTE_MS);
    assert_int_equal(delivered(), 200);
    assert_in_range(w->open_most, 1, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_rate_is_even),
        TEST(a_fast_rate_is_kept_too),
        TEST(unused_time_is_not_saved),
        TEST(sites_without_a_name_do_not_share),
        TEST(a_name_has_one_rate),
        TEST(a_name_has_its_connections_together),
        TEST(a_domain_may_have_limits_of_its_own),
        TEST(a_throttle_is_found),
        TEST(replies_of_one_moment_count_once),
        TEST(a_reply_suspends),
        TEST(a_reply_may_mean_something_else),
        TEST(a_site_may_have_a_retry_plan_of_its_own),
        TEST(what_is_ready_says_what_it_waits_for),
        TEST(an_operator_suspends_and_resumes),
        TEST(mail_expires_behind_a_suspension),
        TEST(a_suspension_may_have_an_end),
        TEST(another_configuration_counts_at_once),
        TEST(many_sites_of_a_name_get_their_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
