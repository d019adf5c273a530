/* quota.c: the file maildirsize of Maildir++.
 *
 * Its first line is the quota, "1000000S,200C"; each later one a change, "size
 * count". Programs append to it with one write; whoever finds it missing, too long or
 * of another quota counts the mailbox and replaces it. What lies in the trash, as a
 * folder or by its flag, does not count.
 */
#include "base/cursor.h"
#include "maildir/maildir.h"
#include "maildir/maildir_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX = 5120,             /* then it is counted anew */
    FULL_BELIEVED_S = 15 * 60,   /* how long a file that says "full" is believed */
};

static const char file_name[] = "maildirsize";

struct usage {
    int64_t bytes;
    int64_t messages;
};

/* definition = [ bytes "S" ] [ "," ] [ messages "C" ] */
static void append_definition(struct buffer *out, const struct maildir_quota *quota)
{
    if (quota->bytes > 0)
        buffer_append_format(out, "%lluS", (unsigned long long)quota->bytes);
    if (quota->bytes > 0 && quota->messages > 0)
        buffer_append_byte(out, ',');
    if (quota->messages > 0)
        buffer_append_format(out, "%lluC", (unsigned long long)quota->messages);
    buffer_append_byte(out, '\n');
}

/* number = [ "-" ] 1*DIGIT, with blanks before it */
static bool take_signed(struct cursor *c, int64_t *out)
{
    uint64_t value;
    cursor_skip_blanks(c);
    bool negative = cursor_take_byte(c, '-');
    if (!cursor_take_number(c, INT64_MAX / 4096, &value))
        return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* file = definition LF *( size SP count LF ) */
static bool read_usage(struct slice text, struct slice definition, struct usage *out)
{
    struct usage usage = { 0, 0 };
    if (text.len < definition.len ||
        !slice_equal(slice_part(text, 0, definition.len), definition))
        return false;
    struct cursor c = cursor_over(slice_from(text, definition.len));
    while (!cursor_at_end(&c)) {
        int64_t bytes;
        int64_t messages;
        if (!take_signed(&c, &bytes) || !take_signed(&c, &messages))
            return false;
        cursor_skip_blanks(&c);
        if (!cursor_take_byte(&c, '\n'))
            return false;
        usage.bytes += bytes;
        usage.messages += messages;
    }
    *out = usage;
    return true;
}

/* False when it is missing or of no use. */
static bool load(struct maildir *m, struct slice definition, struct usage *out,
                 int64_t *out_changed_s)
{
    char text[FILE_MAX + 1];
    struct stat status;
    int fd = openat(m->folder, file_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = fstat(fd, &status) == 0 ? read(fd, text, sizeof text) : -1;
    close(fd);
    if (len < 0 || len > FILE_MAX ||
        !read_usage(slice_make(text, (size_t)len), definition, out))
        return false;
    *out_changed_s = status.st_mtime;
    return true;
}

/* The size from ",S=<digits>" in the name, which saves asking the disk. */
static bool size_of_name(struct slice name, uint64_t *out)
{
    for (size_t i = 0; i + 3 < name.len; i++) {
        struct slice mark = SLICE(",S=");
        if (!slice_equal(slice_part(name, i, mark.len), mark))
            continue;
        struct cursor c = cursor_over(slice_from(name, i + mark.len));
        return cursor_take_number(&c, INT64_MAX / 4096, out);
    }
    return false;
}

static bool is_trashed(struct slice name)
{
    size_t flags = slice_find_last(name, ':');
    return flags != SLICE_NOT_FOUND &&
           slice_find(slice_from(name, flags), 'T') != SLICE_NOT_FOUND;
}

static void count_message(int folder, const char *file, struct usage *usage)
{
    struct slice name = slice_from_string(file);
    uint64_t size;
    struct stat status;
    if (is_trashed(name))
        return;
    if (!size_of_name(name, &size)) {
        if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) != 0)
            return; /* moved away while we count: its mover will note it */
        size = (uint64_t)status.st_size;
    }
    usage->bytes += (int64_t)size;
    usage->messages++;
}

static DIR *open_list(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL && fd >= 0)
        close(fd);
    return list;
}

static void count_list(int parent, const char *name, struct usage *usage)
{
    DIR *list = open_list(parent, name);
    if (list == NULL)
        return;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.')
            count_message(dirfd(list), entry->d_name, usage);
    closedir(list);
}

static void count_folder(int folder, struct usage *usage)
{
    count_list(folder, "new", usage);
    count_list(folder, "cur", usage);
}

/* Folders of Maildir++ are siblings with a dot at the front. */
static enum err count_all(struct maildir *m, struct usage *out)
{
    struct usage usage = { 0, 0 };
    DIR *list = open_list(m->folder, ".");
    if (list == NULL)
        return err_from_errno(errno);
    count_folder(m->folder, &usage);
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;
        if (name[0] != '.' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            strcmp(name, ".Trash") == 0)
            continue;
        int fd = openat(m->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        count_folder(fd, &usage);
        close(fd);
    }
    closedir(list);
    *out = usage;
    return ERR_OK;
}

/* Replaces the file by what was counted. Not synced: it can be counted again. */
static enum err store(struct maildir *m, struct slice definition,
                      const struct usage *usage)
{
    char name[64];
    struct buffer text;
    snprintf(name, sizeof name, "maildirsize.%ld.%p", (long)getpid(), (void *)m);
    int fd = openat(m->tmp, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0)
        return err_from_errno(errno);
    buffer_init(&text, 512);
    buffer_append(&text, definition);
    buffer_append_format(&text, "%lld %lld\n", (long long)usage->bytes,
                         (long long)usage->messages);
    enum err error = text.overflow ? ERR_MEMORY
                                   : maildir_write_all(fd, buffer_slice(&text));
    buffer_free(&text);
    close(fd);
    if (error == ERR_OK && renameat(m->tmp, name, m->folder, file_name) != 0)
        error = err_from_errno(errno);
    if (error != ERR_OK)
        unlinkat(m->tmp, name, 0);
    return error;
}

static bool has_quota(const struct maildir_quota *quota)
{
    return quota->bytes > 0 || quota->messages > 0;
}

static bool has_room(const struct usage *usage, const struct maildir_quota *quota,
                     uint64_t size)
{
    uint64_t bytes = usage->bytes < 0 ? 0 : (uint64_t)usage->bytes;
    uint64_t messages = usage->messages < 0 ? 0 : (uint64_t)usage->messages;
    if (quota->bytes > 0 && (size > quota->bytes || bytes > quota->bytes - size))
        return false;
    return quota->messages == 0 || messages < quota->messages;
}

static enum err count_and_store(struct maildir *m, struct slice definition,
                                struct usage *out)
{
    enum err error = count_all(m, out);
    return error == ERR_OK ? store(m, definition, out) : error;
}

enum err maildir_fits(struct maildir *m, const struct maildir_quota *quota,
                      uint64_t size, struct moment now, bool *out_fits)
{
    struct buffer definition;
    struct usage usage;
    int64_t changed_s;
    enum err error = ERR_OK;
    if (!has_quota(quota)) {
        *out_fits = true;
        return ERR_OK;
    }
    buffer_init(&definition, 64);
    append_definition(&definition, quota);
    struct slice text = buffer_slice(&definition);
    bool loaded = load(m, text, &usage, &changed_s);
    bool stale = loaded && !has_room(&usage, quota, size) &&
                 now.wall_ms / 1000 - changed_s > FULL_BELIEVED_S;
    if (!loaded || stale)
        error = count_and_store(m, text, &usage);
    buffer_free(&definition);
    if (error == ERR_OK)
        *out_fits = has_room(&usage, quota, size);
    return error;
}

enum err maildir_account(struct maildir *m, const struct maildir_quota *quota,
                         uint64_t size)
{
    char line[64];
    if (!has_quota(quota))
        return ERR_OK;
    int fd = openat(m->folder, file_name,
                    O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_OK : err_from_errno(errno);
    int len = snprintf(line, sizeof line, "%llu 1\n", (unsigned long long)size);
    enum err error = maildir_write_all(fd, slice_make(line, (size_t)len));
    close(fd);
    return error;
}
