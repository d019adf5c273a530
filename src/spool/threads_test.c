/* threads_test.c: many sessions, readers and a queue at once, on a real folder.
 *
 * Small segments and frequent checkpoints, so that everything runs beside
 * everything else; meant for the thread sanitizer too.
 */
#include "base/fake_folder.h"
#include "spool/rig_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, EACH = 400 };

struct queue {
    struct rig_home home;
    struct spool_sink sink;
    struct spool *spool;
    pthread_t thread;
    size_t arrived;
    size_t ended;      /* updates acknowledged */
    size_t pending;
    size_t kept;
    uint64_t kept_ids[THREADS * EACH];
};

static void queue_ended(void *context, enum err result)
{
    struct queue *queue = context;
    must(result == ERR_OK);
    queue->pending--;
    queue->ended++;
}

static uint32_t seed_of(const struct spool_arrival *arrival)
{
    return (uint32_t)(arrival->received_wall_ms - 1000);
}

static struct rig_message message(uint32_t seed)
{
    static const size_t sizes[] = { 50, 2000, 5000, 30000 };
    return (struct rig_message){ .seed = seed, .size = sizes[seed % 4],
                                 .recipients = 1 + seed % 2 };
}

/* Reads the message as a delivery would, then ends it, or keeps every tenth. */
static void queue_arrived(struct spool_sink *sink, struct spool_arrival *arrival)
{
    struct queue *queue = container_of(sink, struct queue, sink);
    struct rig reader = { .spool = queue->spool };
    struct rig_message m = message(seed_of(arrival));
    struct recipient_update updates[2];
    queue->arrived++;
    must(rig_reads_back(&reader, arrival->id.value, &m));
    if (seed_of(arrival) % 10 == 0) {
        queue->kept_ids[queue->kept++] = arrival->id.value;
    } else {
        for (uint32_t i = 0; i < m.recipients; i++)
            updates[i] = rig_state(arrival->id.value, i, RECIPIENT_RELAYED, 1);
        struct spool_update batch = { .updates = updates, .count = m.recipients,
                                      .home = &queue->home.home, .done = queue_ended,
                                      .context = queue };
        must(spool_update(queue->spool, &batch) == ERR_OK);
        queue->pending++;
    }
    spool_arrival_free(arrival);
}

static void *run_queue(void *argument)
{
    struct queue *queue = argument;
    while (queue->arrived < THREADS * EACH || queue->pending > 0)
        rig_home_run(&queue->home, true);
    return NULL;
}

struct sessions {
    struct spool *spool;
    pthread_t thread;
    uint32_t first;
};

static void *run_sessions(void *argument)
{
    struct sessions *sessions = argument;
    struct rig rig = { .spool = sessions->spool };
    rig_home_init(&rig.home);
    for (uint32_t i = 0; i < EACH; i++) {
        struct rig_message m = message(sessions->first + i);
        must(rig_put(&rig, &m).result == ERR_OK);
        if (i % 32 == 0)
            spool_note_set(rig.spool, SLICE("key"), SLICE("value"));
    }
    while (rig.home.first != NULL)
        rig_home_run(&rig.home, false);
    return NULL;
}

static void count_arrival(struct spool_sink *sink, struct spool_arrival *arrival)
{
    container_of(sink, struct queue, sink)->arrived++;
    spool_arrival_free(arrival);
}

static void all_at_once(void **state)
{
    (void)state;
    struct queue *queue = calloc(1, sizeof *queue);
    struct sessions sessions[THREADS];
    struct spool_fs *fs;
    must(queue != NULL);
    assert_int_equal(spool_fs_posix_open(fake_folder, &fs), ERR_OK);
    rig_home_init(&queue->home);
    queue->sink = (struct spool_sink){ .home = &queue->home.home,
                                       .arrived = queue_arrived };
    struct spool_options options = { .fs = fs, .sink = &queue->sink,
                                     .limits = rig_limits() };
    assert_int_equal(spool_open(&options, &queue->spool), ERR_OK);
    assert_int_equal(pthread_create(&queue->thread, NULL, run_queue, queue), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        sessions[i] = (struct sessions){ .spool = queue->spool, .first = i * EACH };
        pthread_create(&sessions[i].thread, NULL, run_sessions, &sessions[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(sessions[i].thread, NULL);
    pthread_join(queue->thread, NULL);
    struct spool_stats stats = spool_stats(queue->spool);
    print_message("%zu groups, %zu syncs, %zu checkpoints, %zu moved\n",
                  (size_t)stats.groups, (size_t)stats.syncs, (size_t)stats.checkpoints,
                  (size_t)stats.moved);
    assert_int_equal(stats.messages, queue->kept);
    assert_int_equal(queue->kept, THREADS * EACH / 10);
    spool_close(&queue->spool);
    queue->arrived = 0;
    queue->sink.arrived = count_arrival;
    assert_int_equal(spool_open(&options, &queue->spool), ERR_OK);
    assert_int_equal(queue->arrived, queue->kept);
    spool_close(&queue->spool);
    spool_fs_posix_close(&fs);
    free(queue);
}

static void a_foreign_folder_is_refused(void **state)
{
    (void)state;
    struct spool_fs *fs = NULL;
    must(chmod(fake_folder, 0777) == 0);
    assert_int_equal(spool_fs_posix_open(fake_folder, &fs), ERR_DENIED);
    must(chmod(fake_folder, 0700) == 0);
    const char *inside = fake_folder_at("link");
    must(symlink(fake_folder, inside) == 0);
    assert_int_equal(spool_fs_posix_open(inside, &fs), ERR_DENIED);
    assert_int_equal(spool_fs_posix_open(fake_folder, &fs), ERR_OK);
    int file;
    assert_int_equal(fs->ops->open(fs, "link", SPOOL_FS_WRITE, &file), ERR_INVALID);
    assert_int_equal(fs->ops->open(fs, "none", SPOOL_FS_READ, &file), ERR_ABSENT);
    assert_int_equal(fs->ops->open(fs, "made", SPOOL_FS_CREATE, &file), ERR_OK);
    struct iovec parts[2] = { { (char[]){ "ab" }, 2 }, { (char[]){ "cd" }, 2 } };
    char bytes[8];
    size_t len;
    assert_int_equal(fs->ops->write(fs, file, parts, 2, 3), ERR_OK);
    assert_int_equal(fs->ops->read(fs, file, bytes, sizeof bytes, 3, &len), ERR_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(bytes, "abcd", 4);
    fs->ops->close(fs, file);
    assert_int_equal(fs->ops->open(fs, "made", SPOOL_FS_CREATE, &file), ERR_EXISTS);
    spool_fs_posix_close(&fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_at_once, fake_folder_make, fake_folder_remove),
        cmocka_unit_test_setup_teardown(a_foreign_folder_is_refused, fake_folder_make,
                                        fake_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
