/* file.c: whole files of text, with a limit. */
#include "config/reader_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err read_all(int fd, struct arena *arena, size_t size, struct slice *out_text)
{
    size_t done = 0;
    char *text = arena_alloc(arena, size + 1);
    if (text == NULL)
        return ERR_MEMORY;
    while (done < size) {
        ssize_t got = read(fd, text + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_from_errno(errno);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *out_text = slice_make(text, done);
    return ERR_OK;
}

enum err file_read(struct arena *arena, struct slice path, size_t max,
                   struct slice *out_text)
{
    struct stat facts;
    enum err result = ERR_OK;
    char *name = slice_to_string(path);
    if (name == NULL)
        return ERR_MEMORY;
    /* A named pipe must not hold us up: without O_NONBLOCK open() would wait. */
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    free(name);
    if (fd < 0)
        return err_from_errno(errno);
    if (fstat(fd, &facts) < 0)
        result = err_from_errno(errno);
    else if (!S_ISREG(facts.st_mode))
        result = ERR_INVALID;
    else if (facts.st_size < 0 || (uint64_t)facts.st_size > max)
        result = ERR_FULL;
    else
        result = read_all(fd, arena, (size_t)facts.st_size, out_text);
    close(fd);
    return result;
}
