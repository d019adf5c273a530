/* spool_test.c: what goes in comes out, over a close and over a kill. */
#include "spool/rig_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct rig *fresh(void)
{
    struct rig *rig = rig_make(spool_fake_new());
    assert_int_equal(rig_open(rig), ERR_OK);
    return rig;
}

static void reopen(struct rig *rig)
{
    rig_close(rig);
    rig_forget_arrivals(rig);
    assert_int_equal(rig_open(rig), ERR_OK);
}

/* As after kill -9 at this moment: the same bytes, no close. */
static void kill_and_reopen(struct rig *rig)
{
    struct spool_fake *left = spool_fake_crash(rig->fake, spool_fake_changes(rig->fake),
                                               1, false);
    rig_close(rig);
    rig_forget_arrivals(rig);
    spool_fake_free(&rig->fake);
    rig->fake = left;
    assert_int_equal(rig_open(rig), ERR_OK);
}

static const size_t sizes[] = { 0, 1, 63, 999, 4095, 4096, 4097, 8192, 12289, 19999,
                                20000, 20001, 24000, 61440, 100000 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static void every_size_comes_back(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    uint64_t ids[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        struct rig_message m = { .seed = (uint32_t)i, .size = sizes[i],
                                 .recipients = 1 + i % 4 };
        struct rig_commit commit = rig_put(rig, &m);
        assert_int_equal(commit.result, ERR_OK);
        ids[i] = commit.id.value;
        assert_true(rig_reads_back(rig, ids[i], &m));
        assert_non_null(rig_find(rig, ids[i]));
    }
    for (int round = 0; round < 4; round++) {
        if (round % 2 == 0)
            reopen(rig);
        else
            kill_and_reopen(rig);
        assert_int_equal(rig->arrivals_count, SIZES);
        for (size_t i = 0; i < SIZES; i++) {
            struct rig_message m = { .seed = (uint32_t)i, .size = sizes[i],
                                     .recipients = 1 + i % 4 };
            assert_true(rig_reads_back(rig, ids[i], &m));
            struct spool_arrival *arrival = rig_find(rig, ids[i]);
            assert_non_null(arrival);
            assert_int_equal(arrival->content_size, sizes[i]);
            assert_int_equal(arrival->recipients_count, m.recipients);
            assert_int_equal(arrival->recipients[0].state, RECIPIENT_QUEUED);
        }
    }
    assert_int_equal(rig->problems, 0);
    rig_free(rig);
}

static void states_are_kept_and_end_the_message(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    struct rig_message m = { .seed = 7, .size = 30000, .recipients = 3, .hold = true };
    uint64_t id = rig_put(rig, &m).id.value;
    assert_int_equal(rig->arrivals[0]->recipients[2].state, RECIPIENT_HELD);
    assert_int_equal(rig_update(rig, id, 0, RECIPIENT_DELIVERED, 1), ERR_OK);
    assert_int_equal(rig_update(rig, id, 1, RECIPIENT_QUEUED, 2), ERR_OK);
    for (int round = 0; round < 3; round++) {
        if (round == 0)
            kill_and_reopen(rig);
        else
            reopen(rig);
        assert_int_equal(rig->arrivals_count, 1);
        struct spool_recipient *r = rig->arrivals[0]->recipients;
        assert_int_equal(r[0].state, RECIPIENT_DELIVERED);
        assert_int_equal(r[1].state, RECIPIENT_QUEUED);
        assert_int_equal(r[1].attempts, 2);
        assert_int_equal(r[1].next_due_wall_ms, 5002);
        assert_int_equal(r[1].code, 451);
        assert_int_equal(r[1].status.class, 4);
        assert_int_equal(r[1].status.subject, 2);
        assert_int_equal(r[1].status.detail, 345);
        assert_true(slice_equal(r[1].reason, SLICE("try again later")));
        assert_int_equal(r[2].state, RECIPIENT_HELD);
        assert_true(slice_equal(r[2].address, SLICE("user7.2@example2.test")));
        assert_int_equal(spool_stats(rig->spool).recipients_live, 2);
    }
    struct recipient_update last[2] = { rig_state(id, 1, RECIPIENT_FAILED, 3),
                                        rig_state(id, 2, RECIPIENT_DELETED, 0) };
    assert_int_equal(rig_update_many(rig, last, 2), ERR_OK);
    assert_int_equal(spool_stats(rig->spool).messages, 0);
    assert_int_equal(spool_stats(rig->spool).live_bytes, 0);
    assert_false(rig_reads_back(rig, id, &m));
    kill_and_reopen(rig);
    assert_int_equal(rig->arrivals_count, 0);
    rig_free(rig);
}

static void a_bounce_and_what_it_reports_are_one(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    struct rig_message m = { .seed = 1, .size = 100, .recipients = 2 };
    uint64_t id = rig_put(rig, &m).id.value;
    struct recipient_update updates[2] = { rig_state(id, 0, RECIPIENT_FAILED, 1),
                                           rig_state(id, 1, RECIPIENT_FAILED, 1) };
    struct rig_message bounce = { .seed = 2, .size = 50, .recipients = 1,
                                  .is_report = true, .updates = updates,
                                  .updates_count = 2 };
    uint64_t bounce_id = rig_put(rig, &bounce).id.value;
    assert_int_equal(spool_stats(rig->spool).messages, 1);
    kill_and_reopen(rig);
    assert_int_equal(rig->arrivals_count, 1);
    assert_int_equal(rig->arrivals[0]->id.value, bounce_id);
    assert_true(rig->arrivals[0]->is_report);
    assert_true(rig_reads_back(rig, bounce_id, &bounce));
    rig_free(rig);
}

static struct intake_writer *begin(struct rig *rig, bool *resumed, uint64_t hint)
{
    struct intake_writer *writer;
    struct intake_begin how = { .home = &rig->home.home, .resume = rig_resumed,
                                .context = resumed, .size_hint = hint };
    assert_int_equal(intake_begin(spool_intake(rig->spool), &how, &writer), ERR_OK);
    return writer;
}

static void what_was_not_committed_is_not_there(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    for (size_t i = 0; i < SIZES; i++) {
        struct rig_message m = { .seed = 9, .size = sizes[i], .recipients = 1 };
        bool resumed;
        struct intake_writer *writer = begin(rig, &resumed, i % 2 == 0 ? 0 : 1000000);
        rig_write_body(rig, writer, &m, &resumed);
        intake_abort(&writer);
        assert_null(writer);
    }
    struct intake_writer *none = NULL;
    intake_abort(&none);
    kill_and_reopen(rig);
    assert_int_equal(rig->arrivals_count, 0);
    reopen(rig);
    rig_close(rig);
    const char *path;
    size_t len;
    for (size_t i = 0; spool_fake_file(rig->fake, i, &path, &len) != NULL; i++)
        assert_int_not_equal(strncmp(path, "large/", 6), 0);
    rig_free(rig);
}

static void rewind_forgets_all_but_the_id(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    for (size_t i = 0; i < SIZES * SIZES; i++) {
        struct rig_message first = { .seed = 3, .size = sizes[i / SIZES] };
        struct rig_message then = { .seed = 4, .size = sizes[i % SIZES],
                                    .recipients = 1 };
        struct rig_commit commit = { 0 };
        bool resumed;
        struct intake_writer *writer = begin(rig, &resumed, 0);
        uint64_t id = writer->id.value;
        rig_write_body(rig, writer, &first, &resumed);
        intake_rewind(writer);
        rig_write_body(rig, writer, &then, &resumed);
        rig_commit_writer(writer, &then, &commit);
        while (!commit.done)
            rig_home_run(&rig->home, true);
        assert_int_equal(commit.result, ERR_OK);
        assert_int_equal(commit.id.value, id);
        assert_true(rig_reads_back(rig, id, &then));
        if (i % 3 != 0)
            assert_int_equal(rig_update(rig, id, 0, RECIPIENT_RELAYED, 1), ERR_OK);
    }
    kill_and_reopen(rig);
    assert_int_equal(rig->arrivals_count, SIZES * SIZES / 3);
    assert_int_equal(rig->problems, 0);
    rig_free(rig);
}

static void ids_are_never_given_twice(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    uint64_t last = 0;
    for (int i = 0; i < 6; i++) {
        bool resumed;
        struct intake_writer *writer = begin(rig, &resumed, 0);
        assert_true(writer->id.value > last);
        last = writer->id.value;
        intake_abort(&writer);
        if (i % 2 == 0)
            kill_and_reopen(rig);
        else
            reopen(rig);
    }
    rig_free(rig);
}

static void refusals_keep_nothing(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    struct rig_message m = { .seed = 1, .size = 9000, .recipients = 2 };
    rig->refuses = true;
    assert_int_equal(rig_put(rig, &m).result, ERR_FULL);
    rig->refuses = false;
    assert_int_equal(rig->reserved, 0);
    m.recipients = 0;
    assert_int_equal(rig_put(rig, &m).result, ERR_INVALID);
    assert_int_equal(spool_stats(rig->spool).messages, 0);
    rig_close(rig);
    rig->limits.message_bytes = 8000;
    assert_int_equal(rig_open(rig), ERR_OK);
    m.recipients = 1;
    assert_int_equal(rig_put(rig, &m).result, ERR_FULL);
    m.size = 8000;
    assert_int_equal(rig_put(rig, &m).result, ERR_OK);
    rig_free(rig);
}

static void memory_pressure_spills_and_refuses(void **state)
{
    (void)state;
    struct rig *rig = rig_make(spool_fake_new());
    rig->limits.chunk_bytes = 16384;
    rig->limits.large_bytes = 200000;
    rig->limits.budget_soft_bytes = 20000;
    rig->limits.budget_hard_bytes = 40000;
    assert_int_equal(rig_open(rig), ERR_OK);
    struct intake_writer *writers[10];
    bool resumed[10] = { 0 };
    size_t count = 0;
    char bytes[3000];
    struct rig_message m = { .seed = 5, .size = 6000, .recipients = 1 };
    rig_fill(5, 0, bytes, sizeof bytes);
    while (count < 9) {
        writers[count] = begin(rig, &resumed[count], 0);
        intake_write(writers[count++], slice_make(bytes, sizeof bytes));
    }
    assert_true(spool_stats(rig->spool).budget_bytes > 20000);
    struct intake_begin how = { .home = &rig->home.home };
    writers[9] = NULL;
    while (spool_stats(rig->spool).budget_bytes <= 40000) {
        intake_write(writers[8], slice_make(bytes, 900));
        if (spool_stats(rig->spool).budget_bytes < 36000)
            break;
    }
    rig_fill(5, 3000, bytes, sizeof bytes);
    for (size_t i = 0; i < 8; i++) {
        enum intake_flow flow = intake_write(writers[i], slice_make(bytes, 3000));
        while (flow == INTAKE_WAIT && !resumed[i])
            rig_home_run(&rig->home, true);
    }
    for (size_t i = 0; i < 8; i++) {
        struct rig_commit commit = { 0 };
        rig_commit_writer(writers[i], &m, &commit);
        while (!commit.done)
            rig_home_run(&rig->home, true);
        assert_int_equal(commit.result, ERR_OK);
        assert_true(rig_reads_back(rig, commit.id.value, &m));
    }
    intake_abort(&writers[8]);
    while (spool_stats(rig->spool).writers > 0)
        rig_home_run(&rig->home, false);
    assert_int_equal(spool_stats(rig->spool).budget_bytes, 0);
    (void)how;
    rig_free(rig);
}

struct seen {
    size_t count;
    char value[64];
};

static void see_note(void *context, struct slice key, struct slice value)
{
    struct seen *seen = context;
    seen->count++;
    if (slice_equal(key, SLICE("site.test")))
        memcpy(seen->value, value.data, value.len);
}

static struct seen look(struct rig *rig)
{
    struct seen seen = { 0 };
    spool_notes_each(rig->spool, see_note, &seen);
    return seen;
}

static void notes_are_kept(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    struct rig_message m = { .seed = 1, .size = 10, .recipients = 1 };
    assert_int_equal(spool_note_set(rig->spool, SLICE("site.test"), SLICE("one")),
                     ERR_OK);
    assert_int_equal(spool_note_set(rig->spool, SLICE("other"), SLICE("x")), ERR_OK);
    assert_int_equal(spool_note_set(rig->spool, SLICE("site.test"), SLICE("two")),
                     ERR_OK);
    assert_int_equal(spool_note_set(rig->spool, slice_make(NULL, 0), SLICE("x")),
                     ERR_INVALID);
    rig_put(rig, &m);
    kill_and_reopen(rig);
    assert_int_equal(look(rig).count, 2);
    assert_string_equal(look(rig).value, "two");
    reopen(rig);
    assert_int_equal(look(rig).count, 2);
    spool_note_set(rig->spool, SLICE("other"), slice_make(NULL, 0));
    rig_put(rig, &m);
    for (int i = 0; i < 3; i++) {
        kill_and_reopen(rig);
        assert_int_equal(look(rig).count, 1);
    }
    rig_free(rig);
}

static void only_one_may_have_it_open(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    struct rig *other = rig_make(rig->fake);
    assert_int_equal(rig_open(other), ERR_BUSY);
    rig_close(rig);
    assert_int_equal(rig_open(other), ERR_OK);
    rig_close(other);
    other->limits.segment_bytes = 100;
    assert_int_equal(rig_open(other), ERR_INVALID);
    other->fake = NULL;
    rig_free(other);
    rig_free(rig);
}

/* The content of the format file is told by its words, not by its version alone. */
static void an_unknown_format_is_refused(void **state)
{
    (void)state;
    struct rig *rig = fresh();
    rig_close(rig);
    const char *path;
    char *bytes = NULL;
    size_t len;
    for (size_t i = 0; (bytes = spool_fake_file(rig->fake, i, &path, &len)) != NULL; i++)
        if (strcmp(path, "format") == 0)
            break;
    assert_non_null(bytes);
    bytes[9] ^= 1;
    assert_int_equal(rig_open(rig), ERR_OK); /* the second copy serves */
    rig_close(rig);
    bytes[SPOOL_SECTOR + 9] ^= 1;
    assert_int_equal(rig_open(rig), ERR_CORRUPT);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_back),
        cmocka_unit_test(states_are_kept_and_end_the_message),
        cmocka_unit_test(a_bounce_and_what_it_reports_are_one),
        cmocka_unit_test(what_was_not_committed_is_not_there),
        cmocka_unit_test(rewind_forgets_all_but_the_id),
        cmocka_unit_test(ids_are_never_given_twice),
        cmocka_unit_test(refusals_keep_nothing),
        cmocka_unit_test(memory_pressure_spills_and_refuses),
        cmocka_unit_test(notes_are_kept),
        cmocka_unit_test(only_one_may_have_it_open),
        cmocka_unit_test(an_unknown_format_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
