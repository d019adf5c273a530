/* spool_fs.h: every call that the spool makes to the file system.
 *
 * The seam for fault tests: the real one is spool_fs_posix.c; the tests have one
 * that records, fails and forgets. Paths are relative to the spool's folder, of our
 * own making, with no "..". Any thread. Errors are those of err.h; no call is ever
 * repeated by the spool after ERR_IO.
 */
#ifndef GODWIT_SPOOL_SPOOL_FS_H
#define GODWIT_SPOOL_SPOOL_FS_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/uio.h>

struct spool_fs;

enum spool_fs_mode {
    SPOOL_FS_READ,   /* must exist */
    SPOOL_FS_WRITE,  /* must exist; read and write */
    SPOOL_FS_CREATE, /* must not exist; read and write, 0600 */
};

struct spool_fs_ops {
    /* Never follows a symbolic link; refuses what is no regular file
     * (ERR_INVALID). ERR_ABSENT, ERR_EXISTS. */
    enum err (*open)(struct spool_fs *fs, const char *path, enum spool_fs_mode mode,
                     int *out_file);
    void (*close)(struct spool_fs *fs, int file);
    /* All bytes or an error; part of them may be there after an error. The array
     * may be changed. */
    enum err (*write)(struct spool_fs *fs, int file, struct iovec *parts, int count,
                      uint64_t offset);
    /* *out_len is less than `len` only at the end of the file. */
    enum err (*read)(struct spool_fs *fs, int file, void *out, size_t len,
                     uint64_t offset, size_t *out_len);
    enum err (*sync)(struct spool_fs *fs, int file);
    enum err (*size)(struct spool_fs *fs, int file, uint64_t *out_bytes);
    /* How much the file system holds in all, used or not. ERR_INVALID: not known. */
    enum err (*disk_size)(struct spool_fs *fs, uint64_t *out_bytes);
    enum err (*truncate)(struct spool_fs *fs, int file, uint64_t bytes);
    /* Gives the file its size and blocks at once; ERR_INVALID where the file system
     * cannot. */
    enum err (*allocate)(struct spool_fs *fs, int file, uint64_t bytes);
    /* Writes zeros to a new file until it has its size, and syncs it. In small pieces,
     * so that syncs of other files do not queue behind all of them. ERR_FULL. */
    enum err (*fill)(struct spool_fs *fs, int file, uint64_t bytes);
    enum err (*rename)(struct spool_fs *fs, const char *from, const char *to);
    enum err (*remove)(struct spool_fs *fs, const char *path);
    /* 0700; one that is there already is fine if it is ours (ERR_DENIED). */
    enum err (*make_folder)(struct spool_fs *fs, const char *path);
    enum err (*sync_folder)(struct spool_fs *fs, const char *path);
    /* Calls each() with the name of every entry but "." and "..". */
    enum err (*list)(struct spool_fs *fs, const char *path,
                     void (*each)(void *context, const char *name), void *context);
    /* Creates the file if needed and holds it locked until closed. ERR_BUSY. */
    enum err (*lock)(struct spool_fs *fs, const char *path, int *out_file);
};

struct spool_fs {
    const struct spool_fs_ops *ops;
};

/* The real one, on the folder `path`, made if it is not there (its parent must be).
 * ERR_DENIED: it belongs to another user or is open to others for writing. */
enum err spool_fs_posix_open(const char *path, struct spool_fs **out_fs);
void spool_fs_posix_close(struct spool_fs **fs);

#endif
