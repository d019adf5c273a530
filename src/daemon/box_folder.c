/* box_folder.c: the folder of a sandbox. Without --data it lies in memory (/dev/shm) where
 * there is room, else under TMPDIR, and goes with the process; what a killed one has left
 * there goes with the next start. */
#include "daemon/box_private.h"

#include "crypto/password.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#define PREFIX "godwit-sandbox-"
#define ROOM (UINT64_C(1) << 30)

static int complain(const char *what, const char *path)
{
    fprintf(stderr, "godwit: %s %s: %s\n", what, path, strerror(errno));
    return EX_CANTCREAT;
}

static void remove_below(int folder)
{
    DIR *names = fdopendir(dup(folder));
    struct dirent *entry;
    if (names == NULL)
        return;
    rewinddir(names);
    while ((entry = readdir(names)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(folder, entry->d_name, 0) == 0 || errno != EISDIR)
            continue;
        int below = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) {
            remove_below(below);
            close(below);
        }
        unlinkat(folder, entry->d_name, AT_REMOVEDIR);
    }
    closedir(names);
}

/* The lock is held for as long as one of our processes lives. */
static int lock(int folder)
{
    int fd = openat(folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Ours, of nobody who lives. */
static void remove_stale(int above, const char *name)
{
    struct stat status;
    int folder = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return;
    int held = fstat(folder, &status) == 0 && status.st_uid == geteuid() ? lock(folder) : -1;
    if (held >= 0) {
        remove_below(folder);
        unlinkat(above, name, AT_REMOVEDIR);
        close(held);
    }
    close(folder);
}

static void remove_all_stale(const char *above)
{
    DIR *names = opendir(above);
    struct dirent *entry;
    if (names == NULL)
        return;
    while ((entry = readdir(names)) != NULL)
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0)
            remove_stale(dirfd(names), entry->d_name);
    closedir(names);
}

static const char *place(void)
{
    struct statvfs room;
    const char *named = getenv("TMPDIR");
    if (statvfs("/dev/shm", &room) == 0 && (uint64_t)room.f_bavail * room.f_frsize >= ROOM &&
        access("/dev/shm", W_OK | X_OK) == 0)
        return "/dev/shm";
    return named != NULL && named[0] == '/' ? named : "/tmp";
}

static int make_own(struct box_shared *s)
{
    const char *above = place();
    remove_all_stale(above);
    if (asprintf(&s->folder, "%s/" PREFIX "XXXXXX", above) < 0)
        return EX_OSERR;
    return mkdtemp(s->folder) != NULL ? 0 : complain("cannot make a folder in", above);
}

static int open_file(struct box_shared *s, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", s->folder, name) < 0)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    free(path);
    return fd;
}

/* Accounts that were made before are known again. */
static int read_secret(struct box_shared *s)
{
    int fd = open_file(s, "accounts.secret");
    bool good = fd >= 0;
    if (good && pread(fd, s->secret, sizeof s->secret, 0) != (ssize_t)sizeof s->secret)
        good = crypto_random(s->secret, sizeof s->secret) == ERR_OK &&
               pwrite(fd, s->secret, sizeof s->secret, 0) == (ssize_t)sizeof s->secret;
    if (fd >= 0)
        close(fd);
    return good ? 0 : complain("cannot keep a secret in", s->folder);
}

int box_folder_open(struct box_shared *s)
{
    struct slice named = s->options->flags.data;
    s->is_kept = named.len > 0;
    int code = 0;
    if (s->is_kept)
        s->folder = slice_to_string(named);
    else
        code = make_own(s);
    if (code != 0 || s->folder == NULL)
        return code != 0 ? code : EX_OSERR;
    if (mkdir(s->folder, 0700) != 0 && errno != EEXIST)
        return complain("cannot make the folder", s->folder);
    int folder = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return complain("cannot open the folder", s->folder);
    int held = lock(folder);
    close(folder);
    if (held < 0) {
        fprintf(stderr, "godwit: another sandbox uses the folder %s\n", s->folder);
        return EX_UNAVAILABLE;
    }
    s->log = open_file(s, "capture.log");
    return s->log >= 0 ? read_secret(s) : complain("cannot open capture.log in", s->folder);
}

void box_folder_close(struct box_shared *s)
{
    int folder = s->folder == NULL || s->is_kept
                     ? -1 : open(s->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0) {
        remove_below(folder);
        close(folder);
        rmdir(s->folder);
    }
    free(s->folder);
    s->folder = NULL;
}
