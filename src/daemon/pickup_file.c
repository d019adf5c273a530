/* pickup_file.c: the folder and its files: found, opened, put aside, removed.
 *
 * The folder is ours alone (0700), yet nothing in it is believed: a file must be
 * regular, of our own user, with one name, not reached by a link, and as long as its
 * head says.
 */
#include "daemon/pickup_private.h"

#include "accounts/accounts.h"
#include "log/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAD_FOLDER "bad"

static void say(const char *name, const char *what, const char *why)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "maildrop");
    log_string(&line, "file", name);
    log_string(&line, "text", what);
    log_string(&line, "why", why);
    log_end(&line);
}

static bool has_suffix(const char *name)
{
    static const struct slice suffix = SLICE_INIT(MAILDROP_SUFFIX);
    struct slice s = slice_from_string(name);
    return s.len > suffix.len && s.data[0] != '.' && slice_ends_with_nocase(s, suffix);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void pickup_forget_list(struct pickup *p)
{
    for (size_t i = 0; i < p->names_count; i++)
        free(p->names[i]);
    free(p->names);
    p->names = NULL;
    p->names_count = p->names_at = 0;
}

/* The oldest first, as far as names tell. */
void pickup_list(struct pickup *p)
{
    const struct dirent *entry;
    pickup_forget_list(p);
    int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    p->names = calloc(PICKUP_NAMES_MAX, sizeof *p->names);
    while (p->names != NULL && p->names_count < PICKUP_NAMES_MAX &&
           (entry = readdir(dir)) != NULL) {
        char *name = has_suffix(entry->d_name) ? strdup(entry->d_name) : NULL;
        if (name != NULL)
            p->names[p->names_count++] = name;
    }
    closedir(dir);
    if (p->names_count > 0)
        qsort(p->names, p->names_count, sizeof *p->names, by_name);
}

void pickup_put_aside(struct pickup *p, const char *name, const char *why)
{
    char to[sizeof BAD_FOLDER + NAME_MAX + 2];
    snprintf(to, sizeof to, BAD_FOLDER "/%s", name);
    if (mkdirat(p->folder, BAD_FOLDER, 0700) != 0 && errno != EEXIST)
        p->stuck = true;
    else if (renameat(p->folder, name, p->folder, to) != 0 && errno != ENOENT)
        p->stuck = true;
    say(name, p->stuck ? "cannot be put aside: no file is taken up any more"
                       : "put aside in maildrop/" BAD_FOLDER, why);
}

void pickup_remove(struct pickup *p, const char *name)
{
    if (unlinkat(p->folder, name, 0) == 0 || errno == ENOENT)
        return;
    p->stuck = true;
    say(name, "cannot be removed: no file is taken up any more", strerror(errno));
}

void pickup_file_drop(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    intake_abort(&f->writer);
    if (f->fd >= 0)
        close(f->fd);
    arena_free(&f->arena);
    buffer_free(&f->head_bytes);
    free(f->piece);
    *f = (struct pickup_file){ .fd = -1 };
    p->phase = PICKUP_IDLE;
}

/* NULL: the file may be read. */
static const char *judge(const struct stat *s)
{
    if (!S_ISREG(s->st_mode))
        return "not a regular file";
    if (s->st_uid != geteuid())
        return "of another user";
    return s->st_nlink == 1 ? NULL : "has a second name";
}

/* NULL, or why not; *out_later: for want of memory, or of the device. */
static const char *read_head(struct pickup_file *f, bool *out_later)
{
    const char *fault = NULL;
    *out_later = false;
    for (;;) {
        switch (maildrop_parse_head(buffer_slice(&f->head_bytes), &f->arena, &f->head,
                                    &fault)) {
        case MAILDROP_OK:
            return NULL;
        case MAILDROP_BROKEN:
            return fault;
        case MAILDROP_MEMORY:
            *out_later = true;
            return "no memory";
        case MAILDROP_SHORT:
            break;
        }
        char *room = buffer_reserve(&f->head_bytes, PICKUP_PIECE_BYTES);
        ssize_t got = room == NULL ? -1
            : pread(f->fd, room, PICKUP_PIECE_BYTES, (off_t)buffer_len(&f->head_bytes));
        if (got == 0)
            return "ends in its head";
        if (got < 0) {
            *out_later = true;
            return "cannot be read";
        }
        buffer_added(&f->head_bytes, (size_t)got);
    }
}

static void say_unknown(const char *name, struct slice address)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "maildrop");
    log_string(&line, "file", name);
    log_text(&line, "to", address);
    log_string(&line, "text", "no such user here");
    log_end(&line);
}

/* Parts the recipients: those of nobody are left out of the head's envelope. */
static enum err sort_recipients(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    size_t count = f->head.envelope.recipients_count;
    struct envelope_recipient *known = arena_alloc_many(&f->arena, count, sizeof *known);
    f->unknown = arena_alloc_many(&f->arena, count, sizeof *f->unknown);
    if (known == NULL || f->unknown == NULL)
        return ERR_MEMORY;
    size_t known_count = 0;
    for (size_t i = 0; i < count; i++) {
        enum account_kind kind;
        const struct envelope_recipient *r = &f->head.envelope.recipients[i];
        if (accounts_find(p->config, r->address, &kind) != ERR_OK)
            return ERR_MEMORY;
        if (kind == ACCOUNT_UNKNOWN) {
            f->unknown[f->unknown_count++] = *r;
            say_unknown(f->name, r->address);
        } else {
            known[known_count++] = *r;
        }
    }
    f->head.envelope.recipients = known;
    f->head.envelope.recipients_count = known_count;
    return ERR_OK;
}

/* Reads the head of the open file and compares what it says with what is there. */
static enum pickup_found examine(struct pickup *p, const struct stat *status)
{
    struct pickup_file *f = &p->file;
    bool later = false;
    const char *why = read_head(f, &later);
    if (why == NULL && f->head.len + f->head.content_size != (uint64_t)status->st_size)
        why = "not as long as it says";
    if (why == NULL && f->head.content_size > p->config->limits.message_bytes)
        why = "larger than a message may be";
    if (why == NULL && sort_recipients(p) != ERR_OK) {
        later = true;
        why = "no memory";
    }
    if (why == NULL)
        return PICKUP_TAKEN;
    if (!later)
        pickup_put_aside(p, f->name, why);
    return later ? PICKUP_LATER : PICKUP_GONE;
}

enum pickup_found pickup_file_open(struct pickup *p, const char *name)
{
    struct stat status;
    struct pickup_file *f = &p->file;
    int fd = openat(p->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ELOOP)
        pickup_put_aside(p, name, "a symbolic link");
    else if (fd < 0 && errno == EACCES)
        pickup_put_aside(p, name, "of another user");
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? PICKUP_LATER
                                                                    : PICKUP_GONE;
    *f = (struct pickup_file){ .name = name, .fd = fd };
    arena_init(&f->arena, PICKUP_MEMORY_MAX);
    buffer_init(&f->head_bytes, MAILDROP_HEAD_MAX + PICKUP_PIECE_BYTES);
    const char *why = fstat(fd, &status) != 0 ? "cannot be looked at" : judge(&status);
    enum pickup_found found = PICKUP_GONE;
    if (why != NULL)
        pickup_put_aside(p, name, why);
    else
        found = examine(p, &status);
    if (found != PICKUP_TAKEN)
        pickup_file_drop(p);
    return found;
}
