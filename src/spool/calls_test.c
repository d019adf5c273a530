/* calls_test.c: the real file system, whose calls are interrupted and fall short.
 *
 * The names of the calls are taken over by this program: each second one is interrupted,
 * and those that go through do a part only.
 */
#undef _FORTIFY_SOURCE /* it would put its own pread() in the place of ours */

#include "base/fake_folder.h"
#include "spool/rig_private.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { PART_MAX = 5000 };

static _Atomic bool hostile;
static _Atomic size_t interrupted;
static _Atomic size_t shortened;

static bool interrupts(void)
{
    static _Atomic size_t calls;
    if (!hostile || calls++ % 2 == 0)
        return false;
    interrupted++;
    errno = EINTR;
    return true;
}

static size_t part_of(size_t len)
{
    if (!hostile || len <= PART_MAX)
        return len;
    shortened++;
    return PART_MAX;
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    if (interrupts())
        return -1;
    struct iovec first = { parts[0].iov_base, part_of(parts[0].iov_len) };
    if (!hostile)
        return syscall(SYS_pwritev, file, parts, count, offset, 0);
    shortened += count > 1;
    return syscall(SYS_pwritev, file, &first, 1, offset, 0);
}

ssize_t pread(int file, void *out, size_t len, off_t offset)
{
    if (interrupts())
        return -1;
    return syscall(SYS_pread64, file, out, part_of(len), offset);
}

int fallocate(int file, int mode, off_t offset, off_t len)
{
    return interrupts() ? -1 : (int)syscall(SYS_fallocate, file, mode, offset, len);
}

ssize_t pwrite(int file, const void *bytes, size_t len, off_t offset)
{
    if (interrupts())
        return -1;
    bool cuts = hostile && len > 4096; /* where O_DIRECT may be cut */
    return syscall(SYS_pwrite64, file, bytes, cuts ? len / 8192 * 4096 : len, offset);
}

static void interrupted_and_short_calls_are_finished(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 10, 4096, 9000, 30000, 120000 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    uint64_t ids[COUNT];
    struct spool_fs *fs;
    struct rig *rig = rig_make(spool_fake_new());
    hostile = true;
    assert_int_equal(spool_fs_posix_open(fake_folder, &fs), ERR_OK);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(rig_open_on(rig, fs), ERR_OK);
        for (size_t i = 0; i < COUNT; i++) {
            struct rig_message m = { .seed = (uint32_t)i, .size = sizes[i],
                                     .recipients = 2 };
            if (life == 0)
                ids[i] = rig_put(rig, &m).id.value;
            assert_true(rig_reads_back(rig, ids[i], &m));
        }
        assert_int_equal(rig->arrivals_count, COUNT);
        rig_close(rig);
        rig_forget_arrivals(rig);
    }
    assert_true(interrupted > 20 && shortened > 20);
    assert_int_equal(rig->problems + rig->failures, 0);
    spool_fs_posix_close(&fs);
    hostile = false;
    rig_free(rig);
}

/* The zeros of a new segment: past the cache, and where its size does not allow that. */
static void a_file_is_filled_all_the_same(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 4096, 1024 * 1024 + 12288, 300 * 1000 };
    struct spool_fs *fs;
    assert_int_equal(spool_fs_posix_open(fake_folder, &fs), ERR_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[] = "file0", bytes[8192];
        int file;
        uint64_t size = 0;
        size_t len = sizeof bytes;
        name[4] = (char)('0' + i);
        assert_int_equal(fs->ops->open(fs, name, SPOOL_FS_CREATE, &file), ERR_OK);
        hostile = sizes[i] > 8192 && sizes[i] % 4096 == 0;
        assert_int_equal(fs->ops->fill(fs, file, sizes[i]), ERR_OK);
        hostile = false;
        assert_int_equal(fcntl(file, F_GETFL) & O_DIRECT, 0);
        assert_int_equal(fs->ops->size(fs, file, &size), ERR_OK);
        assert_int_equal(size, sizes[i]);
        for (uint64_t at = 0; at < size; at += len) {
            assert_int_equal(fs->ops->read(fs, file, bytes, sizeof bytes, at, &len), ERR_OK);
            for (size_t n = 0; n < len; n++)
                assert_int_equal(bytes[n], 0);
        }
        fs->ops->close(fs, file);
    }
    spool_fs_posix_close(&fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interrupted_and_short_calls_are_finished,
                                        fake_folder_make, fake_folder_remove),
        cmocka_unit_test_setup_teardown(a_file_is_filled_all_the_same, fake_folder_make,
                                        fake_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
