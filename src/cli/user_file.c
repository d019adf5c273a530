/* user_file.c: finding, locking, reading and writing a users file. */
#include "cli/user_private.h"

#include "base/ascii.h"
#include "cli/place.h"
#include "wire/smtp/address.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

/* ---- which file, and whom it is about ---- */

/* The domain of that name; without one, the only one that has a users file. */
static const struct config_domain *choose_domain(const struct config *config,
                                                 struct slice domain)
{
    const struct config_domain *found = NULL;
    struct buffer canonical;
    if (domain.len > 0) {
        buffer_init(&canonical, SMTP_DOMAIN_MAX);
        if (smtp_domain_canonical(domain, &canonical))
            found = config_domain(config, buffer_slice(&canonical));
        buffer_free(&canonical);
        return found;
    }
    for (const struct table_entry *e = table_next(&config->domains, NULL); e != NULL;
         e = table_next(&config->domains, e)) {
        const struct config_domain *d = config_domain(config, e->key);
        if (slice_is_empty(d->users_file))
            continue;
        if (found != NULL)
            return NULL;
        found = d;
    }
    return found;
}

static int path_by_config(const struct cli_call *call, struct slice domain, char **out)
{
    const struct config *config;
    int code = place_load(place_config_file(cli_value(call, "config")), NULL, &config);
    if (code != 0)
        return code;
    const struct config_domain *d = choose_domain(config, domain);
    if (d == NULL && domain.len > 0)
        cli_complain("'%.*s' is not a domain of the configuration", (int)domain.len,
                     domain.data);
    else if (d == NULL)
        cli_complain("say the domain: the configuration has no users file, or several");
    else if (slice_is_empty(d->users_file))
        cli_complain("the users of %.*s stand in the configuration itself: give them a "
                     "file, users: /etc/godwit/users", (int)d->name.len, d->name.data);
    *out = d == NULL || slice_is_empty(d->users_file) ? NULL
                                                      : slice_to_string(d->users_file);
    config_drop(&config);
    return *out == NULL ? EX_CONFIG : 0;
}

/* A line would say something else of such a name. */
static bool can_be_written(struct slice name)
{
    return slice_find(name, ':') == SLICE_NOT_FOUND && name.data[0] != '#';
}

/* As the file writes it: quoted where that is needed. */
static int take_name(struct slice address, struct user_file *f, struct slice *out_domain)
{
    struct smtp_address parsed;
    struct buffer whole;
    bool is_local = slice_find(address, '@') == SLICE_NOT_FOUND;
    buffer_init(&whole, SMTP_PATH_MAX * 2);
    buffer_append(&whole, address);
    if (is_local)
        buffer_append(&whole, SLICE("@x.invalid"));
    bool good = !whole.overflow &&
                smtp_address_parse(buffer_slice(&whole), SMTP_UTF8_ALLOWED, &parsed) ==
                    SMTP_PATH_OK;
    if (good) {
        smtp_local_canonical(parsed.local, &f->name);
        good = can_be_written(buffer_slice(&f->name));
        if (!good)
            cli_complain("'%.*s': a users file has no names with a ':', nor with a '#' at the "
                         "beginning", (int)address.len, address.data);
        *out_domain = is_local ? slice_make(NULL, 0)
                               : slice_part(address, address.len - parsed.domain.len,
                                            parsed.domain.len);
    } else {
        cli_complain("'%.*s' is neither an address nor a local part", (int)address.len,
                     address.data);
    }
    buffer_free(&whole);
    return good ? 0 : EX_USAGE;
}

/* ---- the file ---- */

static int complain_of(const char *path, const char *what)
{
    cli_complain("%s: %s: %s", path, what, strerror(errno));
    return errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSFILE;
}

/* Who waited for the lock may have the file that was replaced meanwhile. */
static bool is_current(const char *path, int fd)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

/* Where a link leads it is that file which is replaced, and not the link. */
static void follow(struct user_file *f)
{
    char *real = realpath(f->path, NULL);
    if (real == NULL)
        return;
    free(f->path);
    f->path = real;
}

static int open_locked(struct user_file *f)
{
    follow(f);
    do {
        if (f->fd >= 0)
            close(f->fd);
        f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (f->fd < 0)
            return errno == ENOENT ? 0 : complain_of(f->path, "cannot be opened");
        if (flock(f->fd, LOCK_EX) != 0)
            return complain_of(f->path, "cannot be locked");
    } while (!is_current(f->path, f->fd));
    return 0;
}

static int read_all(struct user_file *f)
{
    ssize_t got = 1;
    while (f->fd >= 0 && got > 0) {
        char *room = buffer_reserve(&f->text, 64 * 1024);
        got = room == NULL ? 0 : read(f->fd, room, 64 * 1024);
        if (got < 0)
            return complain_of(f->path, "cannot be read");
        if (room == NULL) {
            cli_complain("%s: it is larger than 64 MiB", f->path);
            return EX_DATAERR;
        }
        buffer_added(&f->text, (size_t)got);
    }
    return 0;
}

int user_file_open(const struct cli_call *call, bool lists, const char *operand,
                   struct user_file *out)
{
    struct user_file f = { .fd = -1 };
    struct slice domain = slice_make(NULL, 0);
    const char *path = cli_value(call, "file");
    int code = 0;
    buffer_init(&f.text, FILE_MAX);
    buffer_init(&f.name, 1024);
    if (lists && operand != NULL)
        domain = slice_from_string(operand);
    else if (!lists)
        code = take_name(slice_from_string(operand), &f, &domain);
    if (code == 0 && path != NULL)
        f.path = strdup(path);
    else if (code == 0)
        code = path_by_config(call, domain, &f.path);
    if (code == 0)
        code = f.path == NULL ? EX_OSERR : open_locked(&f);
    if (code == 0)
        code = read_all(&f);
    if (code == 0)
        *out = f;
    else
        user_file_close(&f);
    return code;
}

void user_file_close(struct user_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    buffer_free(&f->text);
    buffer_free(&f->name);
}

struct slice user_line_name(struct slice line)
{
    line = slice_trim(line);
    if (line.len > 0 && line.data[0] == '#')
        return slice_make(NULL, 0);
    size_t colon = slice_find(line, ':');
    line = colon == SLICE_NOT_FOUND ? line : slice_part(line, 0, colon);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return slice_trim(line);
}

static bool is_named(struct slice line, struct slice name)
{
    char bytes[1024];
    struct buffer said = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    smtp_local_canonical(user_line_name(line), &said);
    return !said.overflow && slice_equal_nocase(buffer_slice(&said), name);
}

bool user_file_find(const struct user_file *f, struct slice *out_line)
{
    struct slice all = buffer_slice(&f->text);
    struct slice rest = all;
    struct slice line;
    while (slice_split(&rest, '\n', &line)) {
        if (!is_named(line, buffer_slice(&f->name)))
            continue;
        size_t at = (size_t)(line.data - all.data);
        *out_line = slice_part(all, at, line.len + 1);
        return true;
    }
    *out_line = slice_part(all, all.len, 0);
    return false;
}

/* Owner and mode of the old file; of a new one: the engine's group may read it. */
static bool dress(const struct user_file *f, int fd)
{
    struct stat old;
    struct group *group = getgrnam("godwit");
    if (f->fd >= 0)
        return fstat(f->fd, &old) == 0 && fchmod(fd, old.st_mode & 07777) == 0 &&
               (fchown(fd, old.st_uid, old.st_gid) == 0 || geteuid() != 0);
    if (group != NULL && geteuid() == 0 && fchown(fd, (uid_t)-1, group->gr_gid) != 0)
        return false;
    return fchmod(fd, 0640) == 0;
}

static bool put(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t done = write(fd, text.data, text.len);
        if (done < 0)
            return false;
        text = slice_from(text, (size_t)done);
    }
    return true;
}

static bool write_parts(const struct user_file *f, int fd, struct slice line,
                        struct slice made)
{
    struct slice all = buffer_slice(&f->text);
    size_t at = line.len > 0 ? (size_t)(line.data - all.data) : all.len;
    struct slice before = slice_part(all, 0, at);
    bool ends = before.len == 0 || before.data[before.len - 1] == '\n';
    return put(fd, before) && (ends || put(fd, SLICE("\n"))) &&
           (made.len == 0 || (put(fd, made) && put(fd, SLICE("\n")))) &&
           put(fd, slice_from(all, at + line.len));
}

static bool sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    int folder = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0)
        close(folder);
    free(copy);
    return good;
}

/* Nobody could lock what was not there: who made it meanwhile was first. */
static bool put_in_place(const struct user_file *f, const char *path)
{
    if (f->fd >= 0)
        return rename(path, f->path) == 0;
    return link(path, f->path) == 0 && unlink(path) == 0;
}

int user_file_write(struct user_file *f, struct slice line, struct slice made)
{
    char *path = NULL;
    int code = 0;
    if (asprintf(&path, "%s.XXXXXX", f->path) < 0)
        return EX_OSERR;
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        code = complain_of(path, "cannot be made");
    else if (!dress(f, fd) || !write_parts(f, fd, line, made) || fsync(fd) != 0 ||
             !put_in_place(f, path) || !sync_folder_of(f->path)) {
        code = complain_of(f->path, "cannot be written");
        unlink(path);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return code;
}
