/* full_test.c: a disk without room: what goes on, and what starts again by itself. */
#include "spool/rig_private.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    SEGMENT = 256 * 1024,
    /* docs/SPOOL.md, "The least disk" */
    LEAST_BYTES = 8 * SEGMENT + 2 * 1024 * 1024,
    MESSAGES_MAX = 4096,
};

static struct rig_message message(size_t i)
{
    static const size_t sizes[] = { 0, 100, 3000, 4096, 9000, 26000 };
    return (struct rig_message){ .seed = (uint32_t)i + 1, .size = sizes[i % 6],
                                 .recipients = 1 };
}

/* What was answered in one life after the other. */
struct ledger {
    uint64_t ids[MESSAGES_MAX];
    size_t count;
    size_t ended;    /* the oldest ones */
};

static void check_ledger(struct rig *rig, const struct ledger *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct rig_message m = message(i);
        bool there = rig_find(rig, l->ids[i]) != NULL;
        if (there != (i >= l->ended))
            fail_msg("message %zu is %s", i, there ? "back" : "lost");
        if (there)
            assert_true(rig_reads_back(rig, l->ids[i], &m));
    }
    assert_int_equal(rig->arrivals_count, l->count - l->ended);
}

/* Takes what comes until the disk is full, and as many outcomes as the reserve; lets the
 * older ones go, or with `ends` false only one: the disk stays full. */
static void live(struct rig *rig, struct ledger *l, size_t most, bool ends)
{
    enum err error = ERR_OK;
    for (size_t i = 0; i < most && error == ERR_OK; i++) {
        struct rig_message m = message(l->count);
        struct rig_commit commit = rig_put(rig, &m);
        error = commit.result;
        if (error == ERR_OK)
            l->ids[l->count++] = commit.id.value;
        else
            assert_int_equal(error, ERR_FULL);
    }
    for (size_t i = 0; i < 200 && !ends && l->count > l->ended; i++)
        rig_update(rig, l->ids[l->count - 1], 0, RECIPIENT_QUEUED, (uint16_t)i);
    size_t until = ends ? l->ended + (l->count - l->ended) * 3 / 4
                        : l->ended + (l->ended < l->count);
    for (; l->ended < until; l->ended++)
        while ((error = rig_update(rig, l->ids[l->ended], 0, RECIPIENT_RELAYED, 1)) !=
               ERR_OK) {
            assert_int_equal(error, ERR_FULL);
            if (!ends)
                return;
        }
}

static uint64_t used(struct spool_fake *fake)
{
    const char *path;
    size_t len;
    uint64_t bytes = 0;
    for (size_t i = 0; spool_fake_file(fake, i, &path, &len) != NULL; i++)
        bytes += len;
    return bytes;
}

/* A disk holds what it holds: files whose removal a loss of power took back are there
 * beside what was written to their room, which no file system would have given yet. */
static void set_space(struct spool_fake *left, uint64_t space)
{
    uint64_t held = used(left);
    spool_fake_space(left, held > space ? held : space);
}

/* The machine dies in the midst of recovering, at a point drawn from the number. */
static struct spool_fake *die_recovering(struct spool_fake *left,
                                         const struct spool_limits *limits,
                                         uint64_t space, size_t number)
{
    struct rig *rig = rig_make(left);
    rig->limits = *limits;
    set_space(left, space);
    assert_int_equal(rig_open(rig), ERR_OK);
    size_t changes = spool_fake_changes(left);
    struct spool_fake *after = spool_fake_crash(left, changes * (number % 13) / 13, number,
                                                number % 2 == 0);
    rig_free(rig);
    return after;
}

/* Each life fills the disk that SPOOL.md calls the least, and ends with a kill or a
 * loss of power, some of them again while recovering. The next one must start. */
static void crashes_in_a_row(uint64_t space, size_t lives, bool ends)
{
    struct ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    struct rig *rig = rig_make(spool_fake_new());
    rig->limits.segment_bytes = SEGMENT;
    struct spool_limits limits = rig->limits;
    spool_fake_space(rig->fake, space);
    assert_int_equal(rig_open(rig), ERR_OK);
    for (size_t life = 0; life < lives; life++) {
        live(rig, l, 1 + life % 60, ends);
        struct spool_fake *left = spool_fake_crash(rig->fake,
                                                   spool_fake_changes(rig->fake), life,
                                                   life % 2 == 0);
        rig_free(rig);
        for (size_t again = 0; again < life % 4; again++)
            left = die_recovering(left, &limits, space, life * 7 + again);
        rig = rig_make(left);
        rig->limits = limits;
        set_space(left, space);
        enum err error = rig_open(rig);
        if (error != ERR_OK)
            fail_msg("life %zu: open says %s", life, err_text(error));
        check_ledger(rig, l);
        assert_int_equal(rig->failures, 0);
    }
    rig_free(rig);
    free(l);
}

static void any_number_of_crashes_on_the_smallest_disk(void **state)
{
    (void)state;
    crashes_in_a_row(LEAST_BYTES, 60, true);
}

static void any_number_of_crashes_on_a_full_disk(void **state)
{
    (void)state;
    crashes_in_a_row(LEAST_BYTES, 60, false);
}

/* Messages of a size until no more are taken; how many. */
static size_t fill(struct rig *rig, size_t size, uint64_t *ids)
{
    struct rig_message m = { .seed = 1, .size = size, .recipients = 1 };
    struct rig_commit commit;
    size_t count = 0;
    while ((commit = rig_put(rig, &m)).result == ERR_OK) {
        assert_true(count < MESSAGES_MAX);
        ids[count++] = commit.id.value;
        rig_forget_arrivals(rig);
    }
    assert_int_equal(commit.result, ERR_FULL);
    assert_true(spool_stats(rig->spool).is_full);
    return count;
}

static struct rig *open_small(uint64_t space)
{
    struct rig *rig = rig_make(spool_fake_new());
    rig->limits.compact_floor_bytes = 1 << 30;
    rig->limits.segment_bytes = SEGMENT;
    spool_fake_space(rig->fake, space);
    assert_int_equal(rig_open(rig), ERR_OK);
    return rig;
}

static bool is_there(struct rig *rig, uint64_t id)
{
    struct message_view *view;
    if (message_open(spool_source(rig->spool), (struct mail_id){ id }, &view) != ERR_OK)
        return false;
    message_close(&view);
    return true;
}

/* A report, of one part or of many, together with the outcome that it reports. */
static void a_full_disk_takes_reports(void **state)
{
    (void)state;
    static uint64_t ids[MESSAGES_MAX];
    struct rig *rig = open_small(4 * 1024 * 1024);
    size_t count = fill(rig, 3500, ids);
    for (size_t i = 0; i < 3; i++) {
        struct recipient_update failed = rig_state(ids[i], 0, RECIPIENT_FAILED, 1);
        struct rig_message report = { .seed = 7, .size = i == 2 ? 9000 : 700,
                                      .recipients = 1, .is_report = true,
                                      .updates = &failed, .updates_count = 1 };
        struct rig_commit commit = rig_put(rig, &report);
        assert_int_equal(commit.result, ERR_OK);
        assert_true(rig_reads_back(rig, commit.id.value, &report));
        assert_false(is_there(rig, ids[i]));
    }
    assert_true(count > 3 && spool_stats(rig->spool).is_full);
    rig_free(rig);
}

/* However many reports come, the second half of the reserve is for outcomes. */
static void reports_leave_room_for_outcomes(void **state)
{
    (void)state;
    static uint64_t ids[MESSAGES_MAX];
    struct rig *rig = open_small(4 * 1024 * 1024);
    fill(rig, 3500, ids);
    struct rig_message report = { .seed = 7, .size = 3000, .recipients = 1,
                                  .is_report = true };
    struct rig_commit commit;
    while ((commit = rig_put(rig, &report)).result == ERR_OK)
        rig_forget_arrivals(rig);
    assert_int_equal(commit.result, ERR_FULL);
    for (size_t i = 0; i < SEGMENT / SPOOL_SECTOR / 4; i++)
        assert_int_equal(rig_update(rig, ids[i], 0, RECIPIENT_QUEUED, 1), ERR_OK);
    rig_free(rig);
}

/* Many more outcomes than the reserve holds, and nothing ends: what has only outcomes
 * is free after a checkpoint, and is the reserve again. */
static void outcomes_never_run_out_of_reserve(void **state)
{
    (void)state;
    static uint64_t ids[MESSAGES_MAX];
    struct rig *rig = open_small(4 * 1024 * 1024);
    size_t count = fill(rig, 3500, ids);
    for (size_t i = 0; i < 5 * SEGMENT / SPOOL_SECTOR; i++) {
        enum err error;
        while ((error = rig_update(rig, ids[i % count], 0, RECIPIENT_QUEUED,
                                   (uint16_t)i)) != ERR_OK)
            assert_int_equal(error, ERR_FULL);
    }
    assert_int_equal(spool_stats(rig->spool).messages, count);
    rig_free(rig);
}

/* Nothing but time passes: when there is room again, mail is taken again. */
static void room_again_is_found_without_help(void **state)
{
    (void)state;
    static uint64_t ids[MESSAGES_MAX];
    struct rig *rig = open_small(4 * 1024 * 1024);
    fill(rig, 3500, ids);
    spool_fake_space(rig->fake, 16 * 1024 * 1024);
    while (spool_stats(rig->spool).is_full)
        sched_yield();
    struct rig_message m = { .seed = 2, .size = 700, .recipients = 1 };
    assert_int_equal(rig_put(rig, &m).result, ERR_OK);
    rig_free(rig);
}

/* Two segments fit, and no third one. */
static void nothing_is_taken_before_there_is_a_reserve(void **state)
{
    (void)state;
    struct rig_message m = { .seed = 2, .size = 700, .recipients = 1 };
    struct rig *rig = open_small(5 * SEGMENT / 2);
    while (!spool_stats(rig->spool).is_full)
        sched_yield();
    assert_int_equal(rig_put(rig, &m).result, ERR_FULL);
    spool_fake_space(rig->fake, 16 * 1024 * 1024);
    while (spool_stats(rig->spool).is_full)
        sched_yield();
    assert_int_equal(rig_put(rig, &m).result, ERR_OK);
    rig_free(rig);
}

static struct rig *open_with_many(size_t count)
{
    struct rig *rig = rig_make(spool_fake_new());
    struct rig_message m = { .seed = 1, .size = 10, .recipients = 1 };
    rig->limits.segment_bytes = 1024 * 1024;
    rig->limits.checkpoint_bytes = 1 << 30;
    assert_int_equal(rig_open(rig), ERR_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rig_put(rig, &m).result, ERR_OK);
    return rig;
}

/* More than a step of the reserve, several times, with not a byte to spare. */
static void a_checkpoint_finds_room_on_a_full_disk(void **state)
{
    (void)state;
    enum { COUNT = 8000 };
    struct rig *rig = open_with_many(COUNT);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    spool_fake_space(rig->fake, used(rig->fake));
    for (int i = 0; i < 4; i++)
        assert_int_equal(rig_checkpoint(rig), ERR_OK);
    spool_fake_space(rig->fake, 0);
    assert_int_equal(spool_stats(rig->spool).messages, COUNT);
    rig_free(rig);
}

/* As many tries as a mark has values: the one that succeeds at last has everything. */
static void failed_checkpoints_forget_nobody(void **state)
{
    (void)state;
    enum { COUNT = 50, FIRST_WRITE = 2 };
    struct rig *rig = open_with_many(COUNT);
    while (spool_stats(rig->spool).segments_ready < SPOOL_READY_IDLE)
        sched_yield();
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    for (int i = 1; i < UINT8_MAX; i++) {
        spool_fake_fail(rig->fake, FIRST_WRITE, 1000, ERR_IO);
        assert_int_equal(rig_checkpoint(rig), ERR_IO);
    }
    spool_fake_fail(rig->fake, 0, 0, ERR_OK);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    struct rig *next = rig_make(spool_fake_crash(rig->fake, spool_fake_changes(rig->fake),
                                                 1, false));
    next->limits = rig->limits;
    rig_free(rig);
    assert_int_equal(rig_open(next), ERR_OK);
    assert_int_equal(next->arrivals_count, COUNT);
    rig_free(next);
}

/* The commit of a large body fails at its sync: the device may have kept it, so that
 * its file must not go. */
static void a_failed_commit_keeps_its_file(void **state)
{
    (void)state;
    struct rig_message m = { .seed = 1, .size = 60000, .recipients = 1 };
    for (size_t n = 0; n < 40; n++) {
        struct rig *next = rig_make(spool_fake_new());
        assert_int_equal(rig_open(next), ERR_OK);
        while (spool_stats(next->spool).segments_ready < SPOOL_READY_IDLE)
            sched_yield();
        spool_fake_fail(next->fake, n, 1, ERR_IO);
        struct rig_commit commit = rig_put(next, &m);
        spool_fake_fail(next->fake, 0, 0, ERR_OK);
        while (spool_stats(next->spool).writers > 0)
            sched_yield();
        struct spool_fake *left = spool_fake_crash(next->fake,
                                                   spool_fake_changes(next->fake), 1, false);
        rig_free(next);
        next = rig_make(left);
        assert_int_equal(rig_open(next), ERR_OK);
        for (size_t i = 0; i < next->arrivals_count; i++)
            assert_true(rig_reads_back(next, next->arrivals[i]->id.value, &m));
        assert_true(next->arrivals_count == 1 || commit.result != ERR_OK);
        assert_int_equal(spool_stats(next->spool).messages, next->arrivals_count);
        rig_free(next);
    }
}

/* No segment is left for a recovery, nor is there room for one. */
static struct rig *open_without_room(struct rig *before)
{
    struct spool_fake *left = spool_fake_crash(before->fake,
                                               spool_fake_changes(before->fake), 1, false);
    struct spool_fs *fs = spool_fake_fs(left);
    struct rig *next = rig_make(left);
    const char *path;
    const char *bytes;
    size_t len;
    next->limits = before->limits;
    rig_free(before);
    for (size_t i = 0; (bytes = spool_fake_file(left, i, &path, &len)) != NULL;) {
        bool is_unused = len == SEGMENT && strncmp(path, "log/", 4) == 0 &&
                         strnlen(bytes, SPOOL_FRAME_HEADER) == 0;
        if (is_unused)
            assert_int_equal(fs->ops->remove(fs, path), ERR_OK);
        else
            i++;
    }
    spool_fake_space(left, used(left));
    return next;
}

/* Those that the newest checkpoint made needless, and whose turn had not come. */
static void a_start_takes_the_room_of_empty_segments(void **state)
{
    (void)state;
    static uint64_t ids[MESSAGES_MAX];
    struct rig *rig = open_small(0);
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 1 };
    for (size_t i = 0; i < 200; i++)
        ids[i] = rig_put(rig, &m).id.value;
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    for (size_t i = 0; i < 199; i++)
        assert_int_equal(rig_update(rig, ids[i], 0, RECIPIENT_RELAYED, 1), ERR_OK);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    struct spool_fs *fs = spool_fake_fs(rig->fake);
    assert_int_equal(fs->ops->remove(fs, "checkpoint/reserve"), ERR_OK);
    struct rig *next = open_without_room(rig);
    assert_int_equal(rig_open(next), ERR_OK);
    assert_int_equal(next->arrivals_count, 1);
    assert_true(rig_reads_back(next, ids[199], &m));
    rig_free(next);
}

static void a_start_takes_the_reserve_of_a_checkpoint(void **state)
{
    (void)state;
    struct rig *rig = open_small(0);
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 1 };
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(rig_put(rig, &m).result, ERR_OK);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    struct rig *next = open_without_room(rig);
    assert_int_equal(rig_open(next), ERR_OK);
    assert_int_equal(next->arrivals_count, 200);
    for (size_t i = 0; i < 200; i++)
        assert_true(rig_reads_back(next, next->arrivals[i]->id.value, &m));
    rig_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_crashes_on_the_smallest_disk),
        cmocka_unit_test(any_number_of_crashes_on_a_full_disk),
        cmocka_unit_test(a_full_disk_takes_reports),
        cmocka_unit_test(reports_leave_room_for_outcomes),
        cmocka_unit_test(outcomes_never_run_out_of_reserve),
        cmocka_unit_test(room_again_is_found_without_help),
        cmocka_unit_test(nothing_is_taken_before_there_is_a_reserve),
        cmocka_unit_test(a_checkpoint_finds_room_on_a_full_disk),
        cmocka_unit_test(a_start_takes_the_room_of_empty_segments),
        cmocka_unit_test(a_start_takes_the_reserve_of_a_checkpoint),
        cmocka_unit_test(failed_checkpoints_forget_nobody),
        cmocka_unit_test(a_failed_commit_keeps_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
