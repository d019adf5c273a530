/* spool_fs_posix.c: the file system itself, under one folder held open.
 *
 * Interrupted and short calls are finished here; nothing else is repeated.
 */
#include "spool/spool_fs.h"

#include "base/list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILL_ALIGN = 4096, FILL_BYTES = 256 * 1024 };

struct posix_fs {
    struct spool_fs fs;
    int folder;
};

static int folder_of(struct spool_fs *fs)
{
    return container_of(fs, struct posix_fs, fs)->folder;
}

static enum err last_error(void)
{
    return err_from_errno(errno);
}

static enum err posix_open(struct spool_fs *fs, const char *path,
                           enum spool_fs_mode mode, int *out_file)
{
    static const int flags[] = {
        [SPOOL_FS_READ] = O_RDONLY,
        [SPOOL_FS_WRITE] = O_RDWR,
        [SPOOL_FS_CREATE] = O_RDWR | O_CREAT | O_EXCL,
    };
    struct stat status;
    int file = openat(folder_of(fs), path,
                      flags[mode] | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (file < 0)
        return errno == ELOOP ? ERR_INVALID : last_error();
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_uid != geteuid()) {
        close(file);
        return ERR_INVALID;
    }
    *out_file = file;
    return ERR_OK;
}

static void posix_close(struct spool_fs *fs, int file)
{
    (void)fs;
    close(file);
}

/* Drops `done` bytes from the front; returns the parts that are left. */
static struct iovec *skip_written(struct iovec *part, int *count, size_t done)
{
    while (*count > 0 && done >= part->iov_len) {
        done -= part->iov_len;
        part++;
        (*count)--;
    }
    if (*count > 0) {
        part->iov_base = (char *)part->iov_base + done;
        part->iov_len -= done;
    }
    return part;
}

static enum err posix_write(struct spool_fs *fs, int file, struct iovec *parts,
                            int count, uint64_t offset)
{
    (void)fs;
    parts = skip_written(parts, &count, 0);
    while (count > 0) {
        ssize_t done = pwritev(file, parts, count, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return last_error();
        if (done == 0)
            return ERR_IO;
        offset += (uint64_t)done;
        parts = skip_written(parts, &count, (size_t)done);
    }
    return ERR_OK;
}

static enum err posix_read(struct spool_fs *fs, int file, void *out, size_t len,
                           uint64_t offset, size_t *out_len)
{
    (void)fs;
    size_t have = 0;
    while (have < len) {
        ssize_t done = pread(file, (char *)out + have, len - have,
                             (off_t)(offset + have));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return last_error();
        if (done == 0)
            break;
        have += (size_t)done;
    }
    *out_len = have;
    return ERR_OK;
}

/* Any failure of a sync means that what was written may be gone: it is never
 * anything milder than ERR_IO. */
static enum err posix_sync(struct spool_fs *fs, int file)
{
    (void)fs;
    return fdatasync(file) == 0 ? ERR_OK : ERR_IO;
}

static enum err posix_size(struct spool_fs *fs, int file, uint64_t *out_bytes)
{
    (void)fs;
    struct stat status;
    if (fstat(file, &status) != 0)
        return last_error();
    *out_bytes = (uint64_t)status.st_size;
    return ERR_OK;
}

static enum err posix_disk_size(struct spool_fs *fs, uint64_t *out_bytes)
{
    struct statvfs disk;
    if (fstatvfs(folder_of(fs), &disk) != 0)
        return last_error();
    if (disk.f_blocks == 0)
        return ERR_INVALID;
    *out_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    return ERR_OK;
}

static enum err posix_truncate(struct spool_fs *fs, int file, uint64_t bytes)
{
    (void)fs;
    return ftruncate(file, (off_t)bytes) == 0 ? ERR_OK : last_error();
}

static enum err posix_allocate(struct spool_fs *fs, int file, uint64_t bytes)
{
    (void)fs;
    while (fallocate(file, 0, 0, (off_t)bytes) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return ERR_INVALID;
        if (errno != EINTR)
            return last_error();
    }
    return ERR_OK;
}

/* One write at `at`, past the page cache if that can be: it saves the copy, and pages
 * that nobody will read. */
static enum err fill_piece(int file, size_t len, uint64_t at)
{
    static alignas(FILL_ALIGN) const char zeros[FILL_BYTES];
    size_t have = 0;
    while (have < len) {
        ssize_t done = pwrite(file, zeros + have, len - have, (off_t)(at + have));
        if (done < 0 && errno != EINTR)
            return last_error();
        if (done == 0)
            return ERR_IO;
        have += done < 0 ? 0 : (size_t)done;
    }
    return ERR_OK;
}

/* Where O_DIRECT is not to be had, each piece is on its way to the disk before the next
 * is written. */
static enum err posix_fill(struct spool_fs *fs, int file, uint64_t bytes)
{
    enum err error = posix_allocate(fs, file, bytes);
    if (error != ERR_OK && error != ERR_INVALID)
        return error;
    int flags = fcntl(file, F_GETFL);
    bool direct = bytes % FILL_ALIGN == 0 && flags >= 0 &&
                  fcntl(file, F_SETFL, flags | O_DIRECT) == 0;
    error = ERR_OK;
    for (uint64_t at = 0; at < bytes && error == ERR_OK; at += FILL_BYTES) {
        size_t len = bytes - at < FILL_BYTES ? (size_t)(bytes - at) : FILL_BYTES;
        error = fill_piece(file, len, at);
        if (error == ERR_INVALID && direct) {
            direct = fcntl(file, F_SETFL, flags) != 0;
            error = fill_piece(file, len, at);
        }
        if (error == ERR_OK && !direct)
            sync_file_range(file, (off_t)at, (off_t)len,
                            SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    }
    if (direct && fcntl(file, F_SETFL, flags) != 0 && error == ERR_OK)
        error = last_error();
    return error == ERR_OK ? posix_sync(fs, file) : error;
}

static enum err posix_rename(struct spool_fs *fs, const char *from, const char *to)
{
    int folder = folder_of(fs);
    return renameat(folder, from, folder, to) == 0 ? ERR_OK : last_error();
}

static enum err posix_remove(struct spool_fs *fs, const char *path)
{
    return unlinkat(folder_of(fs), path, 0) == 0 ? ERR_OK : last_error();
}

/* A folder of ours: not a link, owned by us, not writable by others. */
static enum err open_folder(int parent, const char *path, int *out_folder)
{
    struct stat status;
    int folder = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ELOOP || errno == ENOTDIR ? ERR_DENIED : last_error();
    if (fstat(folder, &status) != 0 || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        close(folder);
        return ERR_DENIED;
    }
    *out_folder = folder;
    return ERR_OK;
}

static enum err make_folder_at(int parent, const char *path)
{
    int folder;
    if (mkdirat(parent, path, 0700) != 0 && errno != EEXIST)
        return last_error();
    enum err error = open_folder(parent, path, &folder);
    if (error == ERR_OK)
        close(folder);
    return error;
}

static enum err posix_make_folder(struct spool_fs *fs, const char *path)
{
    return make_folder_at(folder_of(fs), path);
}

static enum err posix_sync_folder(struct spool_fs *fs, const char *path)
{
    int folder;
    enum err error = open_folder(folder_of(fs), path, &folder);
    if (error != ERR_OK)
        return error;
    if (fsync(folder) != 0)
        error = ERR_IO;
    close(folder);
    return error;
}

static enum err posix_list(struct spool_fs *fs, const char *path,
                           void (*each)(void *context, const char *name), void *context)
{
    int folder;
    enum err error = open_folder(folder_of(fs), path, &folder);
    if (error != ERR_OK)
        return error;
    DIR *stream = fdopendir(folder);
    if (stream == NULL) {
        close(folder);
        return ERR_MEMORY;
    }
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL)
            break;
        struct slice name = slice_from_string(entry->d_name);
        if (!slice_equal(name, SLICE(".")) && !slice_equal(name, SLICE("..")))
            each(context, entry->d_name);
    }
    if (errno != 0)
        error = last_error();
    closedir(stream);
    return error;
}

static enum err posix_lock(struct spool_fs *fs, const char *path, int *out_file)
{
    int file = openat(folder_of(fs), path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                      0600);
    if (file < 0)
        return errno == ELOOP ? ERR_INVALID : last_error();
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        enum err error = errno == EWOULDBLOCK ? ERR_BUSY : last_error();
        close(file);
        return error;
    }
    *out_file = file;
    return ERR_OK;
}

/* So that the folder itself outlives a loss of power. */
static enum err sync_parent(int folder)
{
    int parent = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return last_error();
    enum err error = fsync(parent) == 0 ? ERR_OK : ERR_IO;
    close(parent);
    return error;
}

enum err spool_fs_posix_open(const char *path, struct spool_fs **out_fs)
{
    static const struct spool_fs_ops ops = {
        .open = posix_open, .close = posix_close, .write = posix_write,
        .read = posix_read, .sync = posix_sync, .size = posix_size,
        .disk_size = posix_disk_size,
        .truncate = posix_truncate, .allocate = posix_allocate,
        .fill = posix_fill,
        .rename = posix_rename, .remove = posix_remove,
        .make_folder = posix_make_folder, .sync_folder = posix_sync_folder,
        .list = posix_list, .lock = posix_lock,
    };
    struct posix_fs *fs = malloc(sizeof *fs);
    if (fs == NULL)
        return ERR_MEMORY;
    *fs = (struct posix_fs){ .fs.ops = &ops, .folder = -1 };
    enum err error = make_folder_at(AT_FDCWD, path);
    if (error == ERR_OK)
        error = open_folder(AT_FDCWD, path, &fs->folder);
    if (error == ERR_OK)
        error = sync_parent(fs->folder);
    if (error != ERR_OK) {
        if (fs->folder >= 0)
            close(fs->folder);
        free(fs);
        return error;
    }
    *out_fs = &fs->fs;
    return ERR_OK;
}

void spool_fs_posix_close(struct spool_fs **fs)
{
    if (*fs == NULL)
        return;
    struct posix_fs *posix = container_of(*fs, struct posix_fs, fs);
    close(posix->folder);
    free(posix);
    *fs = NULL;
}
