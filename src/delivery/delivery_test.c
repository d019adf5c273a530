/* delivery_test.c: jobs by SMTP and LMTP against peers on loopback. */
#include "delivery/delivery.h"

#include "delivery/fake_peer.h"
#include "delivery/fake_world.h"

#define PIPELINING "250-PIPELINING\r\n"
#define MESSAGE                                                                        \
    "Received: here\r\nSubject: x\r\n\r\n.dot\r\n..two\r\nlast\r\n"

static const struct fake_record no_names[] = { { NULL, 0, NULL } };

/* Two hosts on addresses where only the second one listens. */
static const struct fake_record names[] = {
    { "two.example", DNS_TYPE_MX, "10 dead.example" },
    { "two.example", DNS_TYPE_MX, "20 live.example" },
    { "dead.example", DNS_TYPE_A, "127.0.0.99" },
    { "live.example", DNS_TYPE_A, "127.0.0.1" },
    { "alldead.example", DNS_TYPE_MX, "10 dead.example" },
    { "servfail.example", FAKE_SERVFAIL, "" },
    { "null.example", DNS_TYPE_MX, "0 ." },
    { "pair.example", DNS_TYPE_MX, "10 live.example" },
    { "pair.example", DNS_TYPE_MX, "20 also.example" },
    { "also.example", DNS_TYPE_A, "127.0.0.1" },
    { NULL, 0, NULL },
};

static void deliver_to(struct world *w, const struct fake_peer *p)
{
    struct delivery_route route = { .way = DELIVERY_SMTP, .host = SLICE("127.0.0.1"),
                                    .port = net_address_port(&p->address) };
    world_deliver_by(w, &route, 1);
}

static void expect_kept(struct fake_peer *p, const char *want)
{
    char *kept = fake_peer_copy(p);
    assert_string_equal(kept, want);
    free(kept);
}

static void a_message_is_relayed(void **state)
{
    (void)state;
    static const char *const offers[] = { "", PIPELINING,
                                          PIPELINING "250-CHUNKING\r\n" };
    for (size_t i = 0; i < 3; i++) {
        struct world w;
        struct fake_peer peer;
        fake_peer_start(&peer, offers[i], NULL, NULL);
        world_open(&w, no_names);
        deliver_to(&w, &peer);
        struct world_job *job = world_post(&w, "y.example", 2, world_new);
        world_run(&w);
        struct slice remote = job->run.recipients[0].outcome.remote;
        assert_true(slice_starts_with_nocase(remote, SLICE("[127.0.0.1]:")));
        world_expect(job, "kept: b@y.example relayed 250 2.0.0 kept; "
                          "c@y.example relayed 250 2.0.0 kept;");
        expect_kept(&peer, i < 2 ? "a@x.example>b@y.example>c@y.example>\n" MESSAGE "\n"
                                 : "a@x.example>b@y.example>c@y.example>\n"
                                   "Received: here\r\nSubject: x\r\n\r\n.dot\r\n..two\r\n"
                                   "last\n");
        world_close(&w);
        assert_int_equal(atomic_load(&peer.connections), 1);
        fake_peer_stop(&peer);
    }
}

static void a_kept_connection_serves_again(void **state)
{
    (void)state;
    struct world w;
    struct fake_peer peer;
    struct attempt_connection connection = world_new;
    fake_peer_start(&peer, PIPELINING, NULL, NULL);
    world_open(&w, no_names);
    deliver_to(&w, &peer);
    for (int i = 0; i < 20; i++) {
        struct world_job *job = world_post(&w, "y.example", 1, connection);
        world_run(&w);
        assert_int_equal(job->run.end, ATTEMPT_KEPT);
        connection = job->run.connection;
        world_job_free(job);
    }
    assert_int_equal(atomic_load(&peer.connections), 1);
    assert_int_equal(atomic_load(&peer.messages), 20);
    /* told to close: QUIT is said, and jobs that still name it get a new one */
    struct attempt *attempt = delivery_attempt(w.delivery);
    attempt->ops->close(attempt, connection);
    attempt->ops->close(attempt, (struct attempt_connection){ 7, 7 });
    struct world_job *job = world_post(&w, "y.example", 1, connection);
    world_run(&w);
    assert_int_not_equal(job->run.connection.id, connection.id);
    world_expect(job, "kept: b@y.example relayed 250 2.0.0 kept;");
    assert_int_equal(atomic_load(&peer.connections), 2);
    assert_int_equal(atomic_load(&peer.quits), 1);
    assert_int_equal(w.lost_count, 0);
    world_close(&w);
    fake_peer_stop(&peer);
}

static void jobs_wait_behind_each_other(void **state)
{
    (void)state;
    struct world w;
    struct fake_peer peer;
    struct world_job *jobs[8];
    fake_peer_start(&peer, PIPELINING, NULL, NULL);
    world_open(&w, no_names);
    deliver_to(&w, &peer);
    struct world_job *first = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    for (int i = 0; i < 8; i++)
        jobs[i] = world_post(&w, "y.example", 1, first->run.connection);
    world_run(&w);
    for (int i = 0; i < 8; i++)
        world_expect(jobs[i], "kept: b@y.example relayed 250 2.0.0 kept;");
    world_job_free(first);
    assert_int_equal(atomic_load(&peer.connections), 1);
    assert_int_equal(atomic_load(&peer.messages), 9);
    world_close(&w);
    fake_peer_stop(&peer);
}

/* Routes that change between look-up and job: its connection would serve the wrong site. */
static void a_job_whose_route_has_changed_is_not_begun(void **state)
{
    (void)state;
    struct world w;
    struct fake_peer peer;
    struct delivery_routes *routes;
    struct delivery_route elsewhere = { .way = DELIVERY_SMTP, .host = SLICE("127.0.0.1"),
                                        .port = 1 };
    fake_peer_start(&peer, PIPELINING, NULL, NULL);
    world_open(&w, no_names);
    deliver_to(&w, &peer);
    struct world_job *first = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    assert_int_equal(delivery_routes_make(&elsewhere, 1, NULL, NULL, &routes), ERR_OK);
    struct delivery_change change = { .routes = routes };
    assert_true(delivery_configure(w.delivery, &change));
    delivery_routes_drop(&routes);
    struct world_job *job = world_post(&w, "y.example", 1, first->run.connection);
    world_run(&w);
    world_expect(job, "moved:  none;");
    world_job_free(first);
    assert_int_equal(atomic_load(&peer.messages), 1);
    world_close(&w);
    fake_peer_stop(&peer);
}

/* What a peer does to the second message on a connection: it goes to a new one. */
static void a_connection_that_died_is_replaced(void **state)
{
    (void)state;
    static const char *const ends[] = { FAKE_CLOSE, "421 4.3.2 enough" };
    for (size_t i = 0; i < 2; i++) {
        struct fake_rule rules[] = { { "MAIL", "250 ok", 1 }, { "MAIL", ends[i], 1 },
                                     { NULL, NULL, 0 } };
        struct world w;
        struct fake_peer peer;
        fake_peer_start(&peer, PIPELINING, NULL, rules);
        world_open(&w, no_names);
        deliver_to(&w, &peer);
        struct world_job *one = world_post(&w, "y.example", 1, world_new);
        world_run(&w);
        struct world_job *two = world_post(&w, "y.example", 1, one->run.connection);
        world_run(&w);
        assert_int_not_equal(one->run.connection.id, two->run.connection.id);
        world_expect(two, "kept: b@y.example relayed 250 2.0.0 kept;");
        world_job_free(one);
        assert_int_equal(atomic_load(&peer.connections), 2);
        assert_int_equal(atomic_load(&peer.messages), 2);
        assert_int_equal(w.lost_count, 0);
        world_close(&w);
        fake_peer_stop(&peer);
    }
}

static void idle_connections_end_and_are_told_of(void **state)
{
    (void)state;
    /* ours is over, or the other side closes behind its last reply */
    static const char *const ends[] = { "250 2.0.0 kept", "250 2.0.0 kept\r\n421 bye" };
    for (size_t i = 0; i < 2; i++) {
        struct fake_rule rules[] = { { ".", ends[i], 1 }, { NULL, NULL, 0 } };
        struct world w;
        struct fake_peer peer;
        fake_peer_start(&peer, "", NULL, rules);
        world_open(&w, no_names);
        w.options.times.idle_ms = 20;
        deliver_to(&w, &peer);
        struct world_job *job = world_post(&w, "y.example", 1, world_new);
        w.left++; /* the loss */
        if (i == 1)
            w.left--;
        world_run(&w);
        if (i == 0) {
            assert_int_equal(w.lost_count, 1);
            assert_int_equal(w.lost.id, job->run.connection.id);
        }
        world_job_free(job);
        world_close(&w);
        fake_peer_stop(&peer);
    }
}

static void replies_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        struct fake_rule rules[5];
        const char *want;
    } cases[] = {
        { { { "RCPT TO:<c@", "550 5.1.1 unknown", 0 } },
          "kept: b@y.example relayed 250 2.0.0 kept; c@y.example failed 550 5.1.1 "
          "unknown;" },
        { { { "RCPT", "452 4.2.2 full", 0 } },
          "kept: b@y.example deferred 452 4.2.2 full; c@y.example deferred 452 4.2.2 "
          "full;" },
        { { { "MAIL", "550 5.7.1 go away", 0 } },
          "kept: b@y.example failed 550 5.7.1 go away; c@y.example failed 550 5.7.1 go "
          "away;" },
        { { { "DATA", "451 4.3.0 later", 0 } },
          "kept: b@y.example deferred 451 4.3.0 later; c@y.example deferred 451 4.3.0 "
          "later;" },
        { { { ".", "554 5.6.0 spam", 0 } },
          "kept: b@y.example failed 554 5.6.0 spam; c@y.example failed 554 5.6.0 spam;" },
        { { { ".", FAKE_CLOSE, 0 } },
          "closed: b@y.example deferred 0 4.4.2 the other side closed the connection "
          "while the end of data was awaited; c@y.example deferred 0 4.4.2 the other "
          "side closed the connection while the end of data was awaited;" },
        { { { "RCPT TO:<c@", "421 4.3.2 bye", 0 } },
          "closed: b@y.example deferred 421 4.3.2 bye; c@y.example deferred 421 4.3.2 "
          "bye;" },
        { { { "connect", "554 5.7.1 not you", 0 } },
          "no site: failed 554 5.7.1 not you" },
        { { { "connect", "421 4.3.2 busy", 0 } }, "no site: deferred 421 4.3.2 busy" },
        { { { "connect", "hello", 0 } },
          "no site: deferred 0 4.5.0 the reply does not begin with a code" },
        { { { "EHLO", "550 no", 0 }, { "HELO", "550 5.7.1 no", 0 } },
          "no site: failed 550 5.7.1 no" },
        { { { "connect", FAKE_CLOSE, 0 } },
          "no site: deferred 0 4.4.2 the other side closed the connection while the "
          "banner was awaited" },
        { { { "MAIL", FAKE_CLOSE, 0 } },
          "no site: deferred 0 4.4.2 the other side closed the connection while MAIL "
          "was awaited" },
        { { { "connect", FAKE_SILENT_REPLY, 0 } },
          "no site: deferred 0 4.4.2 the other side did not answer in time while the "
          "banner was awaited" },
        { { { ".", FAKE_SILENT_REPLY, 0 } },
          "closed: b@y.example deferred 0 4.4.2 the other side did not answer in time "
          "while the end of data was awaited; c@y.example deferred 0 4.4.2 the other "
          "side did not answer in time while the end of data was awaited;" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct fake_peer peer;
        print_message("  %s\n", cases[i].want);
        fake_peer_start(&peer, "", NULL, cases[i].rules);
        world_open(&w, no_names);
        w.options.times.waits_ms[SMTP_CLIENT_WAIT_GREETING] = 200;
        w.options.times.waits_ms[SMTP_CLIENT_WAIT_DATA_END] = 200;
        deliver_to(&w, &peer);
        struct world_job *job = world_post(&w, "y.example", 2, world_new);
        world_run(&w);
        world_expect(job, cases[i].want);
        world_close(&w);
        fake_peer_stop(&peer);
    }
}

static void nobody_listens(void **state)
{
    (void)state;
    struct world w;
    struct fake_peer peer;
    fake_peer_start(&peer, "", NULL, NULL);
    world_open(&w, no_names);
    deliver_to(&w, &peer);
    fake_peer_stop(&peer);
    struct world_job *job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    assert_int_equal(job->run.recipients[0].outcome.kind, OUTCOME_NONE);
    assert_true(job->run.site_failure.remote.len > 0);
    world_expect(job, "no site: deferred 0 4.4.1 the connection was refused");
    world_close(&w);
}

static void mail_hosts_are_tried_in_order(void **state)
{
    (void)state;
    struct world w;
    struct fake_peer peer;
    struct delivery_route route = { .way = DELIVERY_MX };
    fake_peer_start(&peer, PIPELINING, NULL, NULL);
    world_open(&w, names);
    w.options.smtp_port = net_address_port(&peer.address);
    world_deliver_by(&w, &route, 1);
    for (int i = 0; i < 3; i++) { /* from the second on the dead one comes last */
        struct world_job *job = world_post(&w, "two.example", 1, world_new);
        world_run(&w);
        struct slice remote = job->run.recipients[0].outcome.remote;
        assert_true(slice_starts_with_nocase(remote, SLICE("live.example[127.0.0.1]:")));
        world_expect(job, "kept: b@y.example relayed 250 2.0.0 kept;");
    }
    static const struct {
        const char *domain;
        const char *want;
    } cases[] = {
        { "alldead.example", "no site: deferred 0 4.4.1 the connection was refused" },
        { "servfail.example", "no site: deferred 0 4.4.3 the DNS servers of this domain "
                              "fail" },
        { "absent.example", "no site: failed 0 5.1.2 the domain does not exist" },
        { "null.example", "no site: failed 556 5.1.10 the domain accepts no mail (null "
                          "MX)" },
        { "a..b", "no site: failed 0 5.1.2 this is not a name of a domain" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world_job *job = world_post(&w, cases[i].domain, 1, world_new);
        world_run(&w);
        world_expect(job, cases[i].want);
    }
    world_close(&w);
    fake_peer_stop(&peer);
}

static void one_host_for_now_outweighs_one_for_good(void **state)
{
    (void)state;
    static const struct {
        struct fake_rule rules[3];
        const char *want;
    } cases[] = {
        { { { "connect", "554 5.7.1 one", 1 }, { "connect", "421 4.3.2 two", 1 } },
          "no site: deferred 421 4.3.2 two" },
        { { { "connect", "421 4.3.2 one", 1 }, { "connect", "554 5.7.1 two", 1 } },
          "no site: deferred 421 4.3.2 one" },
        { { { "connect", "554 5.7.1 one", 1 }, { "connect", "521 5.3.2 two", 1 } },
          "no site: failed 554 5.7.1 one" },
        { { { "connect", "554 5.7.1 one", 1 } },
          "kept: b@y.example relayed 250 2.0.0 kept;" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct fake_peer peer;
        struct delivery_route route = { .way = DELIVERY_MX };
        fake_peer_start(&peer, "", NULL, cases[i].rules);
        world_open(&w, names);
        w.options.smtp_port = net_address_port(&peer.address);
        world_deliver_by(&w, &route, 1);
        struct world_job *job = world_post(&w, "pair.example", 1, world_new);
        world_run(&w);
        world_expect(job, cases[i].want);
        world_close(&w);
        fake_peer_stop(&peer);
    }
}

static void lmtp_answers_for_each(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/godwit-lmtp-%d.sock", (int)getpid());
    static const struct fake_rule rules[] = {
        { ".", "250 2.1.5 stored", 1 }, { ".", "452 4.2.2 full", 1 }, { NULL, NULL, 0 },
    };
    struct world w;
    struct fake_peer peer;
    struct delivery_route route = { .way = DELIVERY_LMTP,
                                    .host = slice_from_string(path) };
    fake_peer_start(&peer, PIPELINING, path, rules);
    peer.is_lmtp = true;
    world_open(&w, no_names);
    world_deliver_by(&w, &route, 1);
    struct world_job *job = world_post(&w, "y.example", 3, world_new);
    world_run(&w);
    assert_true(slice_equal(job->run.recipients[0].outcome.remote,
                            slice_from_string(path)));
    world_expect(job, "kept: b@y.example delivered 250 2.1.5 stored; c@y.example "
                      "deferred 452 4.2.2 full; d@z.example delivered 250 2.0.0 kept;");
    fake_peer_stop(&peer);
    unlink(path);
    job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    world_expect(job, "no site: deferred 0 4.4.1 the socket does not exist");
    world_close(&w);
}

static void a_large_message_arrives_whole(void **state)
{
    (void)state;
    enum { LINES = 40000 };
    static const char *const offers[] = { PIPELINING, PIPELINING "250-CHUNKING\r\n" };
    struct buffer content;
    buffer_init(&content, 2 * 1024 * 1024);
    for (unsigned i = 0; i < LINES; i++)
        buffer_append_format(&content, "%sline %u of many and more\r\n",
                             i % 7 == 0 ? "." : "", i);
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct fake_peer peer;
        fake_peer_start(&peer, offers[i], NULL, NULL);
        world_open(&w, no_names);
        w.content = buffer_slice(&content);
        deliver_to(&w, &peer);
        struct world_job *job = world_post(&w, "y.example", 1, world_new);
        world_run(&w);
        world_expect(job, "kept: b@y.example relayed 250 2.0.0 kept;");
        char *kept = fake_peer_copy(&peer);
        const char *head = "a@x.example>b@y.example>\nReceived: here\r\n";
        assert_int_equal(strncmp(kept, head, strlen(head)), 0);
        assert_int_equal(strlen(kept), strlen(head) + w.content.len + 1);
        assert_memory_equal(kept + strlen(head), w.content.data, w.content.len);
        free(kept);
        world_close(&w);
        fake_peer_stop(&peer);
    }
    buffer_free(&content);
}

static void a_message_that_is_gone(void **state)
{
    (void)state;
    struct world w;
    struct fake_peer peer;
    fake_peer_start(&peer, "", NULL, NULL);
    world_open(&w, no_names);
    deliver_to(&w, &peer);
    w.open_error = ERR_ABSENT;
    struct world_job *job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    struct attempt_connection connection = job->run.connection;
    world_expect(job, "kept:  failed 0 5.3.0 the message is damaged or gone here;");
    w.open_error = ERR_IO;
    job = world_post(&w, "y.example", 1, connection);
    world_run(&w);
    world_expect(job, "kept:  deferred 0 4.3.0 the message cannot be read now;");
    w.open_error = ERR_OK;
    job = world_post(&w, "y.example", 1, connection);
    world_run(&w);
    world_expect(job, "kept: b@y.example relayed 250 2.0.0 kept;");
    assert_int_equal(atomic_load(&peer.connections), 1);
    world_close(&w);
    fake_peer_stop(&peer);
}

static void stopping_ends_everything(void **state)
{
    (void)state;
    static const struct fake_rule rules[] = { { "RCPT", FAKE_SILENT_REPLY, 0 },
                                              { NULL, NULL, 0 } };
    struct world w;
    struct fake_peer peer;
    fake_peer_start(&peer, "", NULL, rules);
    world_open(&w, no_names);
    deliver_to(&w, &peer);
    struct world_job *one = world_post(&w, "y.example", 1, world_new);
    struct world_job *two = world_post(&w, "y.example", 1, world_new);
    world_settle(&w);
    delivery_stop(w.delivery);
    struct world_job *late = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    assert_int_not_equal(one->run.recipients[0].outcome.kind, OUTCOME_RELAYED);
    assert_int_not_equal(two->run.recipients[0].outcome.kind, OUTCOME_RELAYED);
    world_job_free(one);
    world_job_free(two);
    world_expect(late, "closed:  deferred 0 4.3.2 delivery was stopped;");
    world_close(&w);
    fake_peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_relayed),
        cmocka_unit_test(a_kept_connection_serves_again),
        cmocka_unit_test(jobs_wait_behind_each_other),
        cmocka_unit_test(a_job_whose_route_has_changed_is_not_begun),
        cmocka_unit_test(a_connection_that_died_is_replaced),
        cmocka_unit_test(idle_connections_end_and_are_told_of),
        cmocka_unit_test(replies_are_told_apart),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(mail_hosts_are_tried_in_order),
        cmocka_unit_test(one_host_for_now_outweighs_one_for_good),
        cmocka_unit_test(lmtp_answers_for_each),
        cmocka_unit_test(a_large_message_arrives_whole),
        cmocka_unit_test(a_message_that_is_gone),
        cmocka_unit_test(stopping_ends_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
