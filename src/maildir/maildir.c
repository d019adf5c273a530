/* maildir.c: making mailboxes and putting messages into them.
 *
 * The order of the steps is the promise: the file is synced before its name appears
 * in new, and new is synced before the caller is told. link(2) never overwrites.
 */
#include "maildir/maildir.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "maildir/maildir_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_PART_MAX = 200 };

struct maildir_message {
    struct maildir *maildir;
    int fd;
    uint64_t size;
    char name[NAME_MAX - 32]; /* leaves room for the size */
};

bool maildir_name_is_safe(struct slice name)
{
    if (name.len == 0 || name.len > NAME_PART_MAX || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (ascii_is_control(name.data[i]) || name.data[i] == '/')
            return false;
    return utf8_is_valid(name);
}

/* Opens a folder below another. */
static enum err open_folder(int parent, const char *name, enum maildir_missing missing,
                            int *out_fd)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(parent, name, FLAGS);
    if (fd < 0 && errno == ENOENT && missing == MAILDIR_MAKE) {
        if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
            return err_from_errno(errno);
        if (fsync(parent) != 0)
            return err_from_errno(errno);
        fd = openat(parent, name, FLAGS);
    }
    if (fd < 0)
        return errno == ELOOP || errno == ENOTDIR ? ERR_DENIED : err_from_errno(errno);
    *out_fd = fd;
    return ERR_OK;
}

/* Walks down `below` from the folder in *fd, which is replaced. */
static enum err walk(int *fd, struct slice below, enum maildir_missing missing)
{
    struct slice part;
    while (slice_split(&below, '/', &part)) {
        if (!maildir_name_is_safe(part))
            return ERR_INVALID;
        char *name = slice_to_string(part);
        if (name == NULL)
            return ERR_MEMORY;
        int next;
        enum err error = open_folder(*fd, name, missing, &next);
        free(name);
        if (error != ERR_OK)
            return error;
        close(*fd);
        *fd = next;
    }
    return ERR_OK;
}

static enum err open_parts(struct maildir *m, enum maildir_missing missing)
{
    int cur = -1;
    enum err error = open_folder(m->folder, "tmp", missing, &m->tmp);
    if (error == ERR_OK)
        error = open_folder(m->folder, "new", missing, &m->new);
    if (error == ERR_OK)
        error = open_folder(m->folder, "cur", missing, &cur);
    if (cur >= 0)
        close(cur);
    return error;
}

enum err maildir_open_below(const char *root, struct slice below,
                            enum maildir_missing missing, struct maildir **out)
{
    struct maildir *m = malloc(sizeof *m);
    if (m == NULL)
        return ERR_MEMORY;
    *m = (struct maildir){ .folder = -1, .tmp = -1, .new = -1 };
    enum err error = ERR_OK;
    m->folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->folder < 0)
        error = err_from_errno(errno);
    if (error == ERR_OK)
        error = walk(&m->folder, below, missing);
    if (error == ERR_OK)
        error = open_parts(m, missing);
    if (error != ERR_OK) {
        maildir_close(&m);
        return error;
    }
    *out = m;
    return ERR_OK;
}

enum err maildir_open(const char *root, struct slice below, struct maildir **out)
{
    return maildir_open_below(root, below, MAILDIR_MAKE, out);
}

void maildir_close(struct maildir **maildir)
{
    struct maildir *m = *maildir;
    if (m == NULL)
        return;
    if (m->folder >= 0)
        close(m->folder);
    if (m->tmp >= 0)
        close(m->tmp);
    if (m->new >= 0)
        close(m->new);
    free(m);
    *maildir = NULL;
}

/* A host's name as part of a file's: "/" and ":" have a meaning there. */
static void append_host(struct buffer *name, struct slice host)
{
    host = slice_part(host, 0, 100);
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (c == '/')
            buffer_append(name, SLICE("\\057"));
        else if (c == ':')
            buffer_append(name, SLICE("\\072"));
        else if (!ascii_is_control(c))
            buffer_append_byte(name, c);
    }
}

/* Unique on this machine by time, process and count, and in the world by the host. */
static enum err make_name(struct maildir_message *m, struct slice host,
                          struct moment now)
{
    static atomic_uint_fast64_t count;
    struct buffer name;
    buffer_init(&name, sizeof m->name - 1);
    buffer_append_format(&name, "%lld.M%lldP%ldQ%llu.",
                         (long long)(now.wall_ms / 1000),
                         (long long)(now.wall_ms % 1000) * 1000, (long)getpid(),
                         (unsigned long long)atomic_fetch_add(&count, 1));
    append_host(&name, host);
    enum err error = name.overflow ? ERR_MEMORY : ERR_OK;
    if (error == ERR_OK) {
        memcpy(m->name, buffer_slice(&name).data, buffer_len(&name));
        m->name[buffer_len(&name)] = '\0';
    }
    buffer_free(&name);
    return error;
}

enum err maildir_create(struct maildir *maildir, struct slice host, struct moment now,
                        struct maildir_message **out)
{
    struct maildir_message *m = calloc(1, sizeof *m);
    if (m == NULL)
        return ERR_MEMORY;
    m->maildir = maildir;
    enum err error = make_name(m, host, now);
    if (error == ERR_OK) {
        m->fd = openat(maildir->tmp, m->name,
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (m->fd < 0)
            error = err_from_errno(errno);
    }
    if (error != ERR_OK) {
        free(m);
        return error;
    }
    *out = m;
    return ERR_OK;
}

enum err maildir_write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? ERR_IO : err_from_errno(errno);
        bytes = slice_from(bytes, (size_t)n);
    }
    return ERR_OK;
}

enum err maildir_append(struct maildir_message *message, struct slice bytes)
{
    enum err error = maildir_write_all(message->fd, bytes);
    if (error == ERR_OK)
        message->size += bytes.len;
    return error;
}

static void release(struct maildir_message *m)
{
    unlinkat(m->maildir->tmp, m->name, 0);
    if (m->fd >= 0)
        close(m->fd);
    free(m);
}

static enum err publish(struct maildir_message *m)
{
    char name[NAME_MAX];
    snprintf(name, sizeof name, "%s,S=%llu", m->name, (unsigned long long)m->size);
    if (fsync(m->fd) != 0 ||
        linkat(m->maildir->tmp, m->name, m->maildir->new, name, 0) != 0)
        return err_from_errno(errno);
    if (fsync(m->maildir->new) == 0)
        return ERR_OK;
    enum err error = err_from_errno(errno);
    unlinkat(m->maildir->new, name, 0);
    return error;
}

enum err maildir_commit(struct maildir_message **message)
{
    enum err error = publish(*message);
    release(*message);
    *message = NULL;
    return error;
}

void maildir_abort(struct maildir_message **message)
{
    if (*message != NULL)
        release(*message);
    *message = NULL;
}
