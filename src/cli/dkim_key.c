/* dkim_key.c: files with private keys, read and made. What has gone through memory is
 * wiped; a file is never overwritten. */
#include "cli/dkim_private.h"

#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { KEY_FILE_MAX = 64 * 1024 };

static void wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

/* Into one piece of memory: when a buffer grows, what it held stays behind unwiped. */
static bool read_all(int fd, struct buffer *out)
{
    char *room = buffer_reserve(out, KEY_FILE_MAX);
    size_t at = 0;
    ssize_t got = -1;
    while (room != NULL && at < KEY_FILE_MAX &&
           (got = read(fd, room + at, KEY_FILE_MAX - at)) > 0)
        at += (size_t)got;
    buffer_added(out, at);
    return got == 0;
}

int dkim_read_key(const char *file, struct private_key **out)
{
    struct key_trouble trouble;
    struct buffer pem;
    bool is_input = strcmp(file, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int code = 0;
    if (fd < 0) {
        cli_complain("cannot open %s: %s", file, strerror(errno));
        return EX_NOINPUT;
    }
    buffer_init(&pem, KEY_FILE_MAX);
    if (!read_all(fd, &pem)) {
        cli_complain("%s: cannot be read", file);
        code = EX_NOINPUT;
    } else if (private_key_read(buffer_slice(&pem), out, &trouble) != ERR_OK) {
        cli_complain("%s: %s", file, trouble.text);
        code = EX_DATAERR;
    }
    wipe(&pem);
    if (!is_input)
        close(fd);
    return code;
}

int dkim_read_key_at(struct slice file, struct private_key **out)
{
    char *path = slice_to_string(file);
    int code = path == NULL ? EX_OSERR : dkim_read_key(path, out);
    free(path);
    return code;
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

static bool write_all(int fd, struct slice rest)
{
    while (rest.len > 0) {
        ssize_t put = write(fd, rest.data, rest.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        rest = slice_from(rest, (size_t)put);
    }
    return true;
}

static int write_key(const char *file, struct slice pem)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        cli_complain("%s: %s", file, errno == EEXIST ? "it is there already, and is kept"
                                                     : strerror(errno));
        return EX_CANTCREAT;
    }
    bool good = write_all(fd, pem) && fsync(fd) == 0 && sync_folder_of(file);
    int error = errno;
    close(fd);
    if (good)
        return 0;
    unlink(file);
    cli_complain("%s: %s", file, strerror(error));
    return EX_IOERR;
}

int dkim_make_key(const char *file, const struct dkim_making *making)
{
    struct buffer pem;
    int code = EX_OSERR;
    buffer_init(&pem, KEY_FILE_MAX);
    buffer_reserve(&pem, KEY_FILE_MAX);
    enum err error = private_key_make(making->kind, making->bits, &pem);
    if (error == ERR_OK) {
        code = write_key(file, buffer_slice(&pem));
    } else if (error == ERR_INVALID) {
        cli_complain("an RSA key has %d to %d bits", KEY_RSA_BITS_MIN, KEY_RSA_BITS_MAX);
        code = EX_USAGE;
    } else {
        cli_complain("no key can be made: %s", err_text(error));
    }
    wipe(&pem);
    return code;
}
