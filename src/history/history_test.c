/* history_test.c: a real store and a real ring in a folder of its own: what is told is found,
 * once, also after an end without notice; what is old or too much goes. */
#include "history/history_private.h"

#include "base/must.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char folder[64];
    char ring[100];
    char db[100];
    const struct config *config;
    struct loop *loop;
    struct store *store;
    struct history *history;
    struct history_asked asked;
    json_t *answer;
};

static struct world *w;

static void start(const char *more)
{
    static const struct store_module *const modules[] = { &history_module, NULL };
    struct store_options store = { .path = w->db, .modules = modules };
    struct config_error error;
    char path[100];
    snprintf(path, sizeof path, "%s/c.yaml", w->folder);
    FILE *f = fopen(path, "w");
    fprintf(f, "hostname: mx.test\ndata: %s\n%s\n", w->folder, more);
    fclose(f);
    must(config_load(slice_from_string(path), NULL, &w->config, &error) == ERR_OK);
    must(loop_open(&w->loop) == ERR_OK);
    must(store_open(&store, &w->store) == ERR_OK);
    struct history_options options = { .loop = w->loop, .store = w->store, .ring_path = w->ring };
    must(history_open(&options, w->config, &w->history) == ERR_OK);
}

/* As kill -9 would: what is in the ring is not written. */
static void end(bool by_notice)
{
    if (by_notice)
        history_stop(w->history);
    else
        w->history->is_stopped = true;
    timer_clear(&w->history->timer);
    timer_clear(&w->history->tidy);
    store_close(&w->store);
    history_close(&w->history);
    loop_close(&w->loop);
    config_drop(&w->config);
}

static int set_up(void **state)
{
    (void)state;
    w = calloc(1, sizeof *w);
    snprintf(w->folder, sizeof w->folder, "/tmp/history-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->ring, sizeof w->ring, "%s/ring", w->folder);
    snprintf(w->db, sizeof w->db, "%s/db", w->folder);
    start("");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(true);
    DIR *d = opendir(w->folder);
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL)
        unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
    rmdir(w->folder);
    free(w);
    return 0;
}

static void on_answer(struct history_asked *asked, json_t *answer, const char *complaint)
{
    (void)asked;
    assert_null(complaint);
    w->answer = answer;
    loop_stop(w->loop);
}

static json_t *why(const char *what, size_t limit)
{
    w->asked.done = on_answer;
    assert_true(history_why(w->history, slice_from_string(what), limit, &w->asked));
    loop_run(w->loop);
    return w->answer;
}

static json_t *events_after(uint64_t after, size_t limit)
{
    w->asked.done = on_answer;
    assert_true(history_events(w->history, after, limit, &w->asked));
    loop_run(w->loop);
    return w->answer;
}

static void arrive(uint64_t id, const char *to)
{
    struct envelope_recipient recipient = { .address = slice_from_string(to) };
    struct envelope envelope = { .recipients = &recipient, .recipients_count = 1 };
    char name[40];
    snprintf(name, sizeof name, "n%d@client.test", (int)id);
    struct mail_event event = {
        .kind = MAIL_ACCEPTED, .at = moment_now(), .id = { id }, .envelope = &envelope,
        .sender = SLICE("a@client.test"), .message_id = slice_from_string(name),
        .peer = SLICE("[192.0.2.9]:4242"),
    };
    event_emit(history_sink(w->history), &event);
}

static void relay(uint64_t id, const char *to)
{
    struct outcome outcome = { .kind = OUTCOME_RELAYED, .code = 250, .status = { 2, 0, 0 },
                               .text = SLICE("Ok") };
    struct mail_event event = {
        .kind = MAIL_RELAYED, .at = moment_now(), .id = { id }, .outcome = &outcome,
        .recipient = slice_from_string(to), .attempts = 1,
    };
    event_emit(history_sink(w->history), &event);
}

static size_t lives(json_t *answer)
{
    size_t count = json_array_size(json_object_get(answer, "lives"));
    json_decref(answer);
    return count;
}

static void a_message_is_found_by_all_its_names(void **state)
{
    static const char *const names[] = { "0000000000007", "b7@far.test", "B7@Far.Test",
                                         "<n7@client.test>", "n7@client.test" };
    (void)state;
    for (uint64_t id = 1; id < 20; id++) {
        char to[40];
        snprintf(to, sizeof to, "b%d@far.test", (int)id);
        arrive(id, to);
        relay(id, to);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *answer = why(names[i], 10);
        json_t *life = json_array_get(json_object_get(answer, "lives"), 0);
        assert_string_equal(json_string_value(json_object_get(life, "id")), "0000000000007");
        assert_int_equal(json_array_size(json_object_get(life, "events")), 2);
        assert_int_equal(lives(answer), 1);
    }
    assert_int_equal(lives(why("nobody@far.test", 10)), 0);
    json_t *answer = why("a@client.test", 5);
    json_t *first = json_array_get(json_object_get(answer, "lives"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), "000000000000k");
    assert_true(json_is_true(json_object_get(answer, "more")));
    assert_int_equal(lives(answer), 5);
}

static void an_end_without_notice_loses_nothing_and_doubles_nothing(void **state)
{
    (void)state;
    arrive(1, "b@far.test");
    json_decref(events_after(0, 10)); /* in the tables, and in the ring still */
    arrive(2, "b@far.test");
    end(false);
    start("");
    arrive(3, "b@far.test");
    json_t *answer = events_after(0, 10);
    json_t *events = json_object_get(answer, "events");
    assert_int_equal(json_array_size(events), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(events, i),
                                                            "cursor")), i + 1);
    json_decref(answer);
}

static void a_damaged_ring_ends_where_the_damage_is(void **state)
{
    (void)state;
    arrive(1, "b@far.test");
    arrive(2, "b@far.test");
    end(false);
    FILE *f = fopen(w->ring, "r+");
    fseek(f, 4096 + 170, SEEK_SET); /* in the second one */
    fputc('!', f);
    fclose(f);
    start("");
    assert_int_equal(lives(why("0000000000001", 1)), 1);
    assert_int_equal(lives(why("0000000000002", 1)), 0);
    arrive(3, "b@far.test");
    assert_int_equal(lives(why("0000000000003", 1)), 1);
}

static void a_reader_goes_on_where_it_was(void **state)
{
    uint64_t after = 0;
    size_t count = 0;
    (void)state;
    for (uint64_t id = 1; id <= 50; id++) {
        arrive(id, "b@far.test");
        relay(id, "b@far.test");
    }
    for (;;) { /* also within a row */
        json_t *answer = events_after(after, 7);
        json_t *events = json_object_get(answer, "events");
        size_t n = json_array_size(events);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(json_integer_value(json_object_get(json_array_get(events, i),
                                                                "cursor")), ++count);
        after = (uint64_t)json_integer_value(json_object_get(answer, "after"));
        json_decref(answer);
        if (n == 0)
            break;
    }
    assert_int_equal(count, 100);
}

static void without_room_events_are_lost_and_the_gap_is_told(void **state)
{
    uint64_t told = 0;
    (void)state;
    while (history_counts(w->history).lost < 5) {
        arrive(1000 + told, "somebody.with.a.long.name@somewhere.far.example");
        told++;
    }
    w->asked.done = on_answer;
    timer_set(&w->history->timer, 1); /* written, and the ring is empty again */
    while (!ring_is_empty(w->history->ring))
        json_decref(events_after(1000000, 1));
    arrive(1, "b@far.test");
    json_t *answer = events_after(told - 5, 10);
    json_t *events = json_object_get(answer, "events");
    bool is_told = false;
    for (size_t i = 0; i < json_array_size(events); i++) {
        json_t *e = json_array_get(events, i);
        is_told |= strcmp(json_string_value(json_object_get(e, "event")), "lost") == 0 &&
                   json_integer_value(json_object_get(e, "count")) == 5;
    }
    assert_true(is_told);
    json_decref(answer);
}

struct forget {
    struct store_job job;
    int64_t now_wall_ms;
};

static bool run_forget(struct store_job *job, struct store *store)
{
    struct forget *f = container_of(job, struct forget, job);
    return rows_forget(w->history, store, f->now_wall_ms, 0);
}

static void on_forgot(struct store_job *job)
{
    assert_int_equal(job->result, ERR_OK);
    loop_stop(w->loop);
}

static void forget(int64_t now_wall_ms)
{
    struct forget f = { .job = { .home = loop_home(w->loop), .run = run_forget,
                                 .done = on_forgot }, .now_wall_ms = now_wall_ms };
    assert_true(store_post(w->store, &f.job));
    loop_run(w->loop);
}

static void what_is_old_goes_in_steps(void **state)
{
    int64_t now = moment_now().wall_ms;
    (void)state;
    for (uint64_t id = 1; id <= 700; id++)
        arrive(id, "b@far.test");
    assert_int_equal(lives(why("000000000000a", 1)), 1);
    forget(now + 29 * DAY_MS);
    assert_int_equal(lives(why("000000000000a", 1)), 1);
    forget(now + 31 * DAY_MS);
    assert_int_equal(lives(why("000000000000a", 1)), 0);
    json_t *answer = events_after(0, 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "first")), 501);
    json_decref(answer);
    forget(now + 31 * DAY_MS);
    answer = events_after(0, 1);
    assert_int_equal(json_array_size(json_object_get(answer, "events")), 0);
    json_decref(answer);
}

static void what_is_too_much_goes(void **state)
{
    (void)state;
    for (uint64_t id = 1; id <= 20000; id++)
        arrive(id, "somebody.with.a.long.name@somewhere.far.example");
    json_decref(events_after(0, 1));
    atomic_store(&w->history->size_bytes, 1 << 20);
    forget(moment_now().wall_ms);
    json_t *answer = events_after(0, 1);
    assert_true(json_integer_value(json_object_get(answer, "first")) > 500);
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_found_by_all_its_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_without_notice_loses_nothing_and_doubles_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_ring_ends_where_the_damage_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reader_goes_on_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_room_events_are_lost_and_the_gap_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_old_goes_in_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_much_goes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
