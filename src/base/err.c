/* err.c: names of the machine's faults, and errno translated into them. */
#include "base/err.h"

#include <errno.h>

const char *err_text(enum err error)
{
    switch (error) {
    case ERR_OK:
        return "no error";
    case ERR_MEMORY:
        return "out of memory";
    case ERR_FULL:
        return "no space left";
    case ERR_BUSY:
        return "in use";
    case ERR_IO:
        return "input/output error";
    case ERR_ABSENT:
        return "not found";
    case ERR_EXISTS:
        return "exists already";
    case ERR_DENIED:
        return "permission denied";
    case ERR_CORRUPT:
        return "corrupt data";
    case ERR_VERSION:
        return "unknown format version";
    case ERR_INVALID:
        return "invalid value";
    case ERR_TIMEOUT:
        return "timed out";
    case ERR_CLOSED:
        return "closed";
    case ERR_DESCRIPTORS:
        return "out of file descriptors";
    }
    return "unknown error";
}

enum err err_from_errno(int number)
{
    switch (number) {
    case 0:
        return ERR_OK;
    case ENOMEM:
        return ERR_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    case ENOENT:
        return ERR_ABSENT;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
        return ERR_INVALID;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    case EMFILE:
    case ENFILE:
        return ERR_DESCRIPTORS;
    default:
        return ERR_IO;
    }
}
