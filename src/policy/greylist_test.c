/* greylist_test.c: who passes when, over days that take no time. */
#include "policy/greylist_private.h"

#include "base/fake_folder.h"
#include "base/list.h"
#include "base/moment.h"
#include "policy/greylist_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

static const struct config_greylist times = {
    .on = true, .delay_ms = 5 * MINUTE_MS, .window_ms = DAY_MS, .keep_ms = 36 * DAY_MS,
};

struct asking {
    struct store_job job;
    struct greylist_visit visit;
    int64_t wait_ms;
    struct home home;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_done;
};

static bool run(struct store_job *job, struct store *store)
{
    struct asking *a = container_of(job, struct asking, job);
    return a->visit.network.len == 0 ? greylist_expire(store, &times, a->visit.now_ms)
                                     : greylist_decide(store, &a->visit, &a->wait_ms);
}

static void nothing(struct store_job *job)
{
    (void)job;
}

static void on_post(struct home *home, struct task *first, struct task *last)
{
    struct asking *a = container_of(home, struct asking, home);
    (void)first, (void)last;
    pthread_mutex_lock(&a->mutex);
    a->is_done = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->mutex);
}

/* How many seconds to wait; 0: it passes. */
static int64_t visit(struct store *store, const char *network, const char *sender,
                     const char *recipient, int64_t minutes)
{
    struct asking a = {
        .job = { .run = run, .done = nothing }, .home.post = on_post,
        .mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER,
        .visit = { slice_from_string(network), slice_from_string(sender),
                   slice_from_string(recipient), times, minutes * MINUTE_MS },
    };
    a.job.home = &a.home;
    must(store_post(store, &a.job));
    pthread_mutex_lock(&a.mutex);
    while (!a.is_done)
        pthread_cond_wait(&a.wake, &a.mutex);
    pthread_mutex_unlock(&a.mutex);
    must(a.job.result == ERR_OK);
    return a.wait_ms / 1000;
}

static int begin(void **state)
{
    static const struct store_module *const modules[] = { &greylist_module, NULL };
    struct store_options options = { .modules = modules };
    struct store *store = NULL;
    if (fake_folder_make(NULL) != 0)
        return 1;
    options.path = fake_folder_at("store.db");
    int code = store_open(&options, &store) == ERR_OK ? 0 : 1;
    *state = store;
    return code;
}

static int end(void **state)
{
    struct store *store = *state;
    store_close(&store);
    return fake_folder_remove(NULL);
}

enum { START = 1000 * 1440, HOUR = 60, DAY = 1440 };

static void who_is_new_comes_again(void **state)
{
    struct store *s = *state;
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START), 300);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 2), 180);
    assert_int_equal(visit(s, "192.0.2", "a@x", "c@y", START + 2), 300); /* somebody else */
    assert_int_equal(visit(s, "192.0.3", "a@x", "b@y", START + 5), 300); /* from elsewhere */
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 5), 0);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 5), 0);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 30 * DAY), 0);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 65 * DAY), 0); /* was used */
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 102 * DAY), 300);
}

static void who_comes_too_late_is_new(void **state)
{
    struct store *s = *state;
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START), 300);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + DAY + 1), 300);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + DAY + 7), 0);
}

static void a_clock_that_goes_back_holds_nobody_for_long(void **state)
{
    struct store *s = *state;
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START), 300);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START - 10 * DAY), 300);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START - 10 * DAY + 5), 0);
}

static void a_network_becomes_known(void **state)
{
    static const char *const to[] = { "1@y", "2@y", "3@y", "4@y", "5@y" };
    struct store *s = *state;
    for (size_t i = 0; i < GREYLIST_KNOWN_AFTER; i++) {
        assert_int_equal(visit(s, "192.0.2", "a@x", to[i], START), 300);
        assert_int_equal(visit(s, "192.0.2", "a@x", to[i], START + 10), 0);
        assert_int_equal(visit(s, "192.0.2", "a@x", to[i], START + 11), 0); /* counts once */
    }
    assert_int_equal(visit(s, "192.0.2", "new@x", "new@y", START + HOUR), 0);
    assert_int_equal(visit(s, "192.0.3", "new@x", "new@y", START + HOUR), 300);
    assert_int_equal(visit(s, "192.0.2", "new@x", "new@y", START + 40 * DAY), 300);
}

static void what_is_not_used_is_forgotten(void **state)
{
    struct store *s = *state;
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START), 300);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 5), 0);
    visit(s, "", "", "", START + 2 * DAY);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 2 * DAY), 0);
    visit(s, "", "", "", START + 80 * DAY);
    assert_int_equal(visit(s, "192.0.2", "a@x", "b@y", START + 80 * DAY), 300);
}

static void keys(void **state)
{
    static const struct { const char *text; const char *key; } senders[] = {
        { "Ann@Far.TEST", "ann@far.test" }, { "list-1234-ann+x=y@far.test", "list-#-ann@far.test" },
        { "", "" }, { "1@a1.test", "#@a1.test" }, { "a+b", "a" },
    };
    static const struct { const char *text; const char *key; } clients[] = {
        { "192.0.2.200", "192.0.2" }, { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
        { "::ffff:192.0.2.9", "192.0.2" },
    };
    struct buffer b;
    (void)state;
    buffer_init(&b, 1024);
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
        buffer_clear(&b);
        greylist_sender(slice_from_string(senders[i].text), &b);
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(senders[i].key)));
    }
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        struct net_address address;
        buffer_clear(&b);
        assert_true(net_host_parse(slice_from_string(clients[i].text), 25, &address));
        assert_true(greylist_network(&address, &b));
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(clients[i].key)));
    }
    buffer_free(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(who_is_new_comes_again), TEST(who_comes_too_late_is_new),
        TEST(a_clock_that_goes_back_holds_nobody_for_long), TEST(a_network_becomes_known),
        TEST(what_is_not_used_is_forgotten), cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
