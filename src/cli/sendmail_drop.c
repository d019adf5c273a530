/* sendmail_drop.c: a message left for the next godwit that starts: written under a name
 * nobody looks for, synced, renamed, and the folder synced. */
#include "cli/sendmail_private.h"

#include "base/moment.h"
#include "mail/maildrop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int complain(const char *data)
{
    cli_complain("cannot leave the message in %s/%s: %s", data, MAILDROP_FOLDER,
                 strerror(errno));
    return EX_TEMPFAIL;
}

/* What root makes belongs to whom the folder belongs: the engine reads it. */
static int give_away(int fd, int folder)
{
    struct stat owner;
    if (geteuid() != 0)
        return 0;
    return fstat(folder, &owner) != 0 ? -1 : fchown(fd, owner.st_uid, owner.st_gid);
}

static int open_folder(const char *data)
{
    int above = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above < 0)
        return -1;
    bool is_new = mkdirat(above, MAILDROP_FOLDER, 0700) == 0;
    int folder = openat(above, MAILDROP_FOLDER,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0 && is_new && (give_away(folder, above) != 0 || fsync(above) != 0)) {
        close(folder);
        folder = -1;
    }
    close(above);
    return folder;
}

static bool write_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t done = write(fd, s.data, s.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        s = slice_from(s, (size_t)done);
    }
    return true;
}

static bool write_file(int folder, const char *name, struct slice head, struct slice content)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool done = give_away(fd, folder) == 0 && write_all(fd, head) &&
                write_all(fd, content) && fsync(fd) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

int sendmail_drop(const char *data, const struct envelope *envelope, struct slice content)
{
    char hidden[97];
    char name[96];
    uint64_t random = 0;
    struct buffer head;
    int folder = open_folder(data);
    if (folder < 0)
        return complain(data);
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint64_t)moment_now().mono_ms;
    snprintf(name, sizeof name, "%lld.%ld.%016llx" MAILDROP_SUFFIX,
             (long long)moment_now().wall_ms, (long)getpid(), (unsigned long long)random);
    snprintf(hidden, sizeof hidden, ".%s", name);
    buffer_init(&head, MAILDROP_HEAD_MAX);
    maildrop_append_head(&head, envelope, content.len);
    errno = EMSGSIZE;
    bool done = !head.overflow && write_file(folder, hidden, buffer_slice(&head), content) &&
                renameat(folder, hidden, folder, name) == 0 && fsync(folder) == 0;
    int code = done ? 0 : complain(data);
    if (!done)
        unlinkat(folder, hidden, 0);
    buffer_free(&head);
    close(folder);
    return code;
}
