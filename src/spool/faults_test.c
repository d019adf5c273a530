/* faults_test.c: flipped bytes, a full disk, and long churn in small segments. */
#include "spool/rig_private.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MESSAGES = 24 };

static struct rig_message message(size_t i)
{
    static const size_t sizes[] = { 0, 100, 3000, 4096, 9000, 26000 };
    return (struct rig_message){ .seed = (uint32_t)i + 1, .size = sizes[i % 6],
                                 .recipients = 1 + i % 3 };
}

struct closed {
    struct spool_fake *fake;
    uint64_t ids[MESSAGES];
};

/* A spool with a bit of everything, closed, or killed before the checkpoint. */
static struct closed make_closed(bool killed)
{
    struct closed closed = { 0 };
    struct rig *rig = rig_make(spool_fake_new());
    assert_int_equal(rig_open(rig), ERR_OK);
    for (size_t i = 0; i < MESSAGES; i++) {
        struct rig_message m = message(i);
        closed.ids[i] = rig_put(rig, &m).id.value;
        if (i % 4 == 3)
            assert_int_equal(rig_update(rig, closed.ids[i], 0, RECIPIENT_QUEUED, 1),
                             ERR_OK);
    }
    if (!killed)
        rig_close(rig);
    closed.fake = spool_fake_crash(rig->fake, spool_fake_changes(rig->fake), 1, false);
    rig_free(rig);
    return closed;
}

static char *file_at(struct spool_fake *fake, const char *path, size_t *out_len)
{
    const char *found;
    char *bytes;
    for (size_t i = 0; (bytes = spool_fake_file(fake, i, &found, out_len)) != NULL; i++)
        if (strcmp(found, path) == 0)
            return bytes;
    return NULL;
}

/* Opens with one byte changed: at most one message may suffer, and if one does,
 * somebody was told. */
static void judge_flip(const struct closed *closed, const char *path, size_t at)
{
    struct rig *rig = rig_make(spool_fake_crash(closed->fake, 0, 0, false));
    size_t len;
    char *bytes = file_at(rig->fake, path, &len);
    assert_non_null(bytes);
    bytes[at] ^= (char)(1 << at % 8);
    enum err error = rig_open(rig);
    if (error != ERR_OK)
        fail_msg("%s at %zu: open says %s", path, at, err_text(error));
    size_t damaged = 0;
    for (size_t i = 0; i < MESSAGES; i++) {
        struct rig_message m = message(i);
        bool there = rig_find(rig, closed->ids[i]) != NULL;
        damaged += !there || !rig_reads_back(rig, closed->ids[i], &m);
    }
    if (damaged > 1 || (damaged > 0 && rig->problems == 0))
        fail_msg("%s at %zu: %zu messages damaged, %zu problems", path, at, damaged,
                 (size_t)rig->problems);
    if (rig->arrivals_count > MESSAGES)
        fail_msg("%s at %zu: more messages than were put in", path, at);
    rig_free(rig);
}

static void flip_all(bool killed, size_t step)
{
    struct closed closed = make_closed(killed);
    size_t flips = 0;
    const char *path;
    size_t len;
    for (size_t i = 0; spool_fake_file(closed.fake, i, &path, &len) != NULL; i++) {
        if (len == 0 || strcmp(path, "checkpoint/reserve") == 0)
            continue;
        char *bytes = spool_fake_file(closed.fake, i, &path, &len);
        for (size_t at = 0; at < len; at++) {
            bool interesting = bytes[at] != 0 && at % step == at / step % step;
            if (!interesting && at % 20011 != 0)
                continue;
            judge_flip(&closed, path, at);
            flips++;
        }
    }
    print_message("%zu flips\n", flips);
    spool_fake_free(&closed.fake);
}

static void any_byte_may_flip_in_a_closed_spool(void **state)
{
    (void)state;
    flip_all(false, 41);
}

static void any_byte_may_flip_in_a_killed_spool(void **state)
{
    (void)state;
    flip_all(true, 43);
}

static void both_checkpoints_may_be_gone(void **state)
{
    (void)state;
    struct closed closed = make_closed(false);
    struct rig *rig = rig_make(closed.fake);
    const char *path;
    size_t len;
    char *bytes;
    for (size_t i = 0; (bytes = spool_fake_file(rig->fake, i, &path, &len)) != NULL; i++)
        if (strncmp(path, "checkpoint/", 11) == 0 && len > 20)
            bytes[len / 2] ^= 1;
    assert_int_equal(rig_open(rig), ERR_OK);
    for (size_t i = 0; i < MESSAGES; i++) {
        struct rig_message m = message(i);
        assert_non_null(rig_find(rig, closed.ids[i]));
        assert_true(rig_reads_back(rig, closed.ids[i], &m));
    }
    assert_true(rig->problems > 0);
    rig_free(rig);
}

/* Waits until the keeper has done what it does on its own. Bounded by the test's
 * time, not by a sleep: each round gives it work that wakes it. */
static void churn(struct rig *rig, uint64_t *kept, size_t count, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++) {
        struct rig_message m = message(i);
        size_t at = i % count;
        m.seed = (uint32_t)(i + 100);
        m.recipients = 1;
        struct rig_commit commit = rig_put(rig, &m);
        assert_int_equal(commit.result, ERR_OK);
        /* Most end at once; a few stay, so that segments become sparse. */
        if (i % 16 != 0) {
            assert_int_equal(rig_update(rig, commit.id.value, 0, RECIPIENT_DELIVERED, 1),
                             ERR_OK);
        } else {
            at = i / 16 % count;
            if (kept[2 * at] != 0)
                assert_int_equal(rig_update(rig, kept[2 * at], 0, RECIPIENT_RELAYED, 1),
                                 ERR_OK);
            kept[2 * at] = commit.id.value;
            kept[2 * at + 1] = i;
        }
        rig_forget_arrivals(rig);
    }
}

static void check_kept(struct rig *rig, const uint64_t *kept, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kept[2 * i] == 0)
            continue;
        struct rig_message m = message((size_t)kept[2 * i + 1]);
        m.seed = (uint32_t)(kept[2 * i + 1] + 100);
        m.recipients = 1;
        assert_true(rig_reads_back(rig, kept[2 * i], &m));
    }
}

static void churn_stays_small(void **state)
{
    (void)state;
    enum { KEPT = 40 };
    uint64_t kept[2 * KEPT] = { 0 };
    struct rig *rig = rig_make(spool_fake_new());
    assert_int_equal(rig_open(rig), ERR_OK);
    churn(rig, kept, KEPT, 3000);
    struct spool_stats stats = spool_stats(rig->spool);
    print_message("%zu segments, %zu checkpoints, %zu moved, %zu groups\n",
                  (size_t)stats.segments, (size_t)stats.checkpoints,
                  (size_t)stats.moved, (size_t)stats.groups);
    assert_int_equal(stats.messages, KEPT);
    assert_true(stats.checkpoints > 10);
    assert_true(stats.moved > 0);
    assert_true(stats.segments < 80);
    check_kept(rig, kept, KEPT);
    rig_close(rig);
    rig_forget_arrivals(rig);
    assert_int_equal(rig_open(rig), ERR_OK);
    assert_int_equal(rig->arrivals_count, KEPT);
    check_kept(rig, kept, KEPT);
    assert_int_equal(rig->problems, 0);
    rig_free(rig);
}

/* A disk that fills up: 452 while it is full, outcomes still kept, and service
 * again when the messages have left. */
static void a_full_disk_is_survived(void **state)
{
    (void)state;
    struct rig *rig = rig_make(spool_fake_new());
    uint64_t ids[512];
    size_t count = 0;
    rig->limits.compact_floor_bytes = 1 << 30;
    spool_fake_space(rig->fake, 1024 * 1024);
    assert_int_equal(rig_open(rig), ERR_OK);
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 1 };
    struct rig_commit commit;
    while ((commit = rig_put(rig, &m)).result == ERR_OK) {
        assert_true(count < 512);
        ids[count++] = commit.id.value;
    }
    assert_int_equal(commit.result, ERR_FULL);
    assert_true(count > 50);
    assert_true(spool_stats(rig->spool).is_full);
    struct intake_writer *writer;
    struct intake_begin begin = { .home = &rig->home.home };
    assert_int_equal(intake_begin(spool_intake(rig->spool), &begin, &writer), ERR_FULL);
    for (size_t i = 0; i < count; i++)
        assert_true(rig_reads_back(rig, ids[i], &m));
    /* The reserve is one segment: of 64 KiB, with groups that begin on 4 KiB, a dozen
     * outcomes said one by one. What they free makes room for the others, as soon as the
     * keeper has seen it; until then there is none. */
    for (size_t i = 0; i < count; i++) {
        enum err error;
        while ((error = rig_update(rig, ids[i], 0, RECIPIENT_DELIVERED, 1)) == ERR_FULL)
            assert_true(i >= 12);
        assert_int_equal(error, ERR_OK);
    }
    while (spool_stats(rig->spool).is_full)
        assert_int_equal(rig_update(rig, ids[0], 0, RECIPIENT_DELIVERED, 1), ERR_OK);
    assert_int_equal(rig_put(rig, &m).result, ERR_OK);
    assert_int_equal(rig->failures, 0);
    rig_free(rig);
}

/* Puts messages until the disk is full; every second one ends, some segments later.
 * How many; their ids, 0 for what ended. */
static size_t fill_disk(struct rig *rig, uint64_t *ids, size_t max)
{
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 1 };
    struct rig_commit commit;
    size_t count = 0;
    while ((commit = rig_put(rig, &m)).result == ERR_OK) {
        assert_true(count < max);
        ids[count++] = commit.id.value;
        if (count % 2 == 0 && count > 40) {
            assert_int_equal(rig_update(rig, ids[count - 40], 0, RECIPIENT_DELIVERED, 1),
                             ERR_OK);
            ids[count - 40] = 0;
        }
        rig_forget_arrivals(rig);
    }
    assert_int_equal(commit.result, ERR_FULL);
    return count;
}

/* Exactly these, each as it was. */
static void check_there(struct rig *rig, const uint64_t *ids, size_t count)
{
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 1 };
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == 0)
            continue;
        live++;
        if (rig_find(rig, ids[i]) == NULL)
            fail_msg("message %zu of %zu is lost", i, count);
        assert_true(rig_reads_back(rig, ids[i], &m));
    }
    assert_int_equal(rig->arrivals_count, live);
}

static void spoil_newest_checkpoint(struct spool_fake *fake)
{
    const char *path;
    const char *newest = "";
    char *bytes = NULL;
    size_t len;
    for (size_t i = 0; spool_fake_file(fake, i, &path, &len) != NULL; i++)
        if (strncmp(path, "checkpoint/0", 12) == 0 && strcmp(path, newest) > 0) {
            newest = path;
            bytes = spool_fake_file(fake, i, &path, &len) + len / 2;
        }
    assert_non_null(bytes);
    *bytes ^= 1;
}

/* The machine dies; the same disk in a second life, with its newest checkpoint spoilt. */
static void kill_and_open(struct rig **rig, uint64_t space, bool spoils)
{
    struct spool_fake *left = spool_fake_crash((*rig)->fake,
                                               spool_fake_changes((*rig)->fake), 1, false);
    struct spool_limits limits = (*rig)->limits;
    rig_free(*rig);
    *rig = rig_make(left);
    (*rig)->limits = limits;
    if (spoils)
        spoil_newest_checkpoint(left);
    spool_fake_space(left, space);
    enum err error = rig_open(*rig);
    if (error != ERR_OK)
        fail_msg("open says %s", err_text(error));
}

/* A busy writer takes segments with zeros first, which were made last; on a full disk
 * it comes back to the ones that were made before. Their order is that of their frames,
 * not of their names. */
static void segments_are_replayed_in_the_order_of_their_use(void **state)
{
    (void)state;
    enum { SPACE = 4 * 1024 * 1024, MAX = 1024 };
    static uint64_t ids[MAX];
    struct rig *rig = rig_make(spool_fake_new());
    rig->limits.compact_floor_bytes = rig->limits.checkpoint_bytes = 1 << 30;
    spool_fake_space(rig->fake, SPACE);
    assert_int_equal(rig_open(rig), ERR_OK);
    size_t count = fill_disk(rig, ids, MAX);
    assert_true(spool_stats(rig->spool).groups * 4096 > SPOOL_BUSY_BYTES);
    kill_and_open(&rig, SPACE, false);
    check_there(rig, ids, count);
    rig_free(rig);
}

static void keep_value(void *context, struct slice key, struct slice value)
{
    (void)key;
    *(struct slice *)context = value;
}

/* A recovery lets go of the last segment, of which the newest checkpoint knows the first
 * half: the checkpoint before needs what stood there. */
static void the_older_checkpoint_serves_after_a_recovery(void **state)
{
    (void)state;
    struct rig *rig = rig_make(spool_fake_new());
    rig->limits.checkpoint_bytes = 1 << 30;
    assert_int_equal(rig_open(rig), ERR_OK);
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 2 };
    uint64_t ended = rig_put(rig, &m).id.value;
    uint64_t half = rig_put(rig, &m).id.value;
    uint64_t first = spool_stats(rig->spool).segments;
    uint64_t last = 0;
    while (spool_stats(rig->spool).segments == first)
        last = rig_put(rig, &m).id.value;
    assert_int_equal(spool_note_set(rig->spool, SLICE("k"), SLICE("v")), ERR_OK);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(rig_update(rig, ended, i, RECIPIENT_RELAYED, 1), ERR_OK);
        assert_int_equal(rig_update(rig, last, i, RECIPIENT_RELAYED, 1), ERR_OK);
    }
    assert_int_equal(rig_update(rig, half, 1, RECIPIENT_FAILED, 1), ERR_OK);
    assert_int_equal(spool_note_set(rig->spool, SLICE("k"), SLICE("w")), ERR_OK);
    assert_int_equal(rig_update(rig, half, 0, RECIPIENT_QUEUED, 1), ERR_OK);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    kill_and_open(&rig, 0, false);
    assert_null(rig_find(rig, ended));
    kill_and_open(&rig, 0, true);
    assert_null(rig_find(rig, ended));
    assert_non_null(rig_find(rig, half));
    assert_int_equal(rig_find(rig, half)->recipients[1].state, RECIPIENT_FAILED);
    struct slice note = { 0 };
    spool_notes_each(rig->spool, keep_value, &note);
    assert_true(slice_equal(note, SLICE("w")));
    rig_free(rig);
}

/* Ends the message, and writes on until the next segment has begun; all of that ends. */
static void end_and_go_on(struct rig *rig, uint64_t id)
{
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 1 };
    uint64_t segment = 0;
    assert_int_equal(rig_update(rig, id, 0, RECIPIENT_RELAYED, 1), ERR_OK);
    for (size_t i = 0; i < 40; i++) {
        struct rig_commit commit = rig_put(rig, &m);
        assert_int_equal(commit.result, ERR_OK);
        assert_int_equal(rig_update(rig, commit.id.value, 0, RECIPIENT_RELAYED, 1), ERR_OK);
        pthread_mutex_lock(&rig->spool->lock);
        bool moved_on = segment != 0 && segment != rig->spool->log.applied_segment;
        segment = rig->spool->log.applied_segment;
        pthread_mutex_unlock(&rig->spool->lock);
        if (moved_on)
            return;
    }
    fail();
}

/* A segment that the newest checkpoint makes superfluous stays for the one before. */
static void a_segment_waits_for_two_checkpoints(void **state)
{
    (void)state;
    struct rig *rig = rig_make(spool_fake_new());
    struct rig_message m = { .seed = 1, .size = 3500, .recipients = 1 };
    rig->limits.checkpoint_bytes = 1 << 30;
    assert_int_equal(rig_open(rig), ERR_OK);
    spool_keeper_stop(rig->spool);
    uint64_t stays = rig_put(rig, &m).id.value; /* and its segment with it */
    uint64_t first = rig_put(rig, &m).id.value;
    uint64_t kept = rig_put(rig, &m).id.value;
    end_and_go_on(rig, first);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    end_and_go_on(rig, kept);
    assert_int_equal(rig_checkpoint(rig), ERR_OK);
    spool_free_segments(rig->spool);
    /* What was freed would be used again by now. */
    for (int i = 0; i < 4; i++)
        end_and_go_on(rig, first);
    kill_and_open(&rig, 0, true);
    assert_non_null(rig_find(rig, stays));
    assert_int_equal(rig->arrivals_count, 1);
    rig_free(rig);
}

static void commit_without_waiting(struct rig *rig, const struct rig_message *m,
                                   struct rig_commit *commit)
{
    struct intake_writer *writer;
    bool resumed;
    struct intake_begin begin = { .home = &rig->home.home, .resume = rig_resumed,
                                  .context = &resumed };
    assert_int_equal(intake_begin(spool_intake(rig->spool), &begin, &writer), ERR_OK);
    rig_write_body(rig, writer, m, &resumed);
    rig_commit_writer(writer, m, commit);
}

static bool is_taken(struct spool_log *log)
{
    pthread_mutex_lock(&log->mutex);
    bool taken = log->first == NULL;
    pthread_mutex_unlock(&log->mutex);
    return taken;
}

/* Half of a group was written when the disk was full: frames of it are whole, and must
 * not come back behind the VOID that stands for them. */
static void a_group_given_up_leaves_nothing(void **state)
{
    (void)state;
    enum { COUNT = 8, SECOND_GROUP = 3 }; /* after a write and two syncs */
    struct rig *rig = rig_make(spool_fake_new());
    struct rig_message m = { .seed = 1, .size = 1500, .recipients = 1 };
    struct rig_commit commits[COUNT] = { 0 };
    assert_int_equal(rig_open(rig), ERR_OK);
    while (spool_stats(rig->spool).segments_ready < SPOOL_READY_IDLE)
        sched_yield();
    spool_keeper_stop(rig->spool);
    /* The writer stands with the first, so that the others are one group. */
    pthread_mutex_lock(&rig->spool->lock);
    commit_without_waiting(rig, &m, &commits[0]);
    while (!is_taken(&rig->spool->log))
        sched_yield();
    for (size_t i = 1; i < COUNT; i++)
        commit_without_waiting(rig, &m, &commits[i]);
    spool_fake_fail(rig->fake, SECOND_GROUP, 1, ERR_FULL);
    pthread_mutex_unlock(&rig->spool->lock);
    for (size_t i = 0; i < COUNT; i++)
        while (!commits[i].done)
            rig_home_run(&rig->home, true);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(commits[i].result, i == 0 ? ERR_OK : ERR_FULL);
    kill_and_open(&rig, 0, false);
    assert_int_equal(rig->arrivals_count, 1);
    rig_free(rig);
}

/* A large body that finds no room is answered, and leaves nothing. */
static void a_large_body_may_find_no_room(void **state)
{
    (void)state;
    struct rig *rig = rig_make(spool_fake_new());
    spool_fake_space(rig->fake, 512 * 1024);
    assert_int_equal(rig_open(rig), ERR_OK);
    struct rig_message m = { .seed = 1, .size = 600 * 1024, .recipients = 1 };
    assert_int_equal(rig_put(rig, &m).result, ERR_FULL);
    struct rig_message small = { .seed = 2, .size = 1000, .recipients = 1 };
    assert_int_equal(rig_put(rig, &small).result, ERR_OK);
    rig_close(rig);
    const char *path;
    size_t len;
    for (size_t i = 0; spool_fake_file(rig->fake, i, &path, &len) != NULL; i++)
        assert_int_not_equal(strncmp(path, "large/", 6), 0);
    rig_free(rig);
}

static void after_a_failed_sync_nothing_is_promised(void **state)
{
    (void)state;
    struct rig *rig = rig_make(spool_fake_new());
    assert_int_equal(rig_open(rig), ERR_OK);
    struct rig_message m = { .seed = 1, .size = 100, .recipients = 1 };
    uint64_t id = rig_put(rig, &m).id.value;
    spool_fake_fail(rig->fake, 0, 1000, ERR_IO);
    assert_int_equal(rig_put(rig, &m).result, ERR_IO);
    spool_fake_fail(rig->fake, 0, 0, ERR_OK);
    assert_int_equal(rig_put(rig, &m).result, ERR_IO);
    assert_int_equal(rig_update(rig, id, 0, RECIPIENT_DELIVERED, 1), ERR_IO);
    assert_int_equal(rig->failures, 1);
    assert_true(spool_stats(rig->spool).is_failed);
    rig_free(rig);
}

/* Puts until one is refused, opens what is left; what was taken must be there. */
static void die_and_open(size_t syncs)
{
    enum { COUNT = 200 };
    uint64_t ids[COUNT];
    size_t taken = 0;
    struct rig *rig = rig_make(spool_fake_new());
    assert_int_equal(rig_open(rig), ERR_OK);
    spool_fake_die(rig->fake, syncs);
    for (size_t i = 0; i < COUNT; i++) {
        struct rig_message m = { .seed = (uint32_t)i, .size = 3000, .recipients = 1 };
        struct rig_commit commit = rig_put(rig, &m);
        if (commit.result != ERR_OK)
            break;
        ids[taken++] = commit.id.value;
    }
    assert_true(taken < COUNT);
    rig_close(rig);
    rig_forget_arrivals(rig);
    struct spool_fake *left = spool_fake_crash(rig->fake, spool_fake_changes(rig->fake),
                                               syncs + 1, true);
    must(left != NULL);
    spool_fake_free(&rig->fake);
    rig->fake = left;
    assert_int_equal(rig_open(rig), ERR_OK);
    for (size_t i = 0; i < taken; i++)
        assert_non_null(rig_find(rig, ids[i]));
    rig_free(rig);
}

static void a_file_system_that_dies_in_a_sync_costs_nothing(void **state)
{
    (void)state;
    for (size_t syncs = 0; syncs < 40; syncs++)
        die_and_open(syncs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_byte_may_flip_in_a_closed_spool),
        cmocka_unit_test(any_byte_may_flip_in_a_killed_spool),
        cmocka_unit_test(both_checkpoints_may_be_gone),
        cmocka_unit_test(churn_stays_small),
        cmocka_unit_test(a_full_disk_is_survived),
        cmocka_unit_test(segments_are_replayed_in_the_order_of_their_use),
        cmocka_unit_test(the_older_checkpoint_serves_after_a_recovery),
        cmocka_unit_test(a_segment_waits_for_two_checkpoints),
        cmocka_unit_test(a_group_given_up_leaves_nothing),
        cmocka_unit_test(a_large_body_may_find_no_room),
        cmocka_unit_test(after_a_failed_sync_nothing_is_promised),
        cmocka_unit_test(a_file_system_that_dies_in_a_sync_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
