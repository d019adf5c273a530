/* err.h: the machine's faults, as a value.
 *
 * A function that may meet a fault of the machine returns one of these. The text
 * is added once, at the level that knows the path or host. Peers' faults and
 * policy are replies and outcomes, never an err; our own bugs are must().
 */
#ifndef GODWIT_BASE_ERR_H
#define GODWIT_BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_MEMORY,   /* no memory, or a limit of memory reached */
    ERR_FULL,     /* no space on the device, or a quota or budget used up */
    ERR_BUSY,     /* somebody else holds it; try again later */
    ERR_IO,       /* the device or the kernel failed; errno was logged below */
    ERR_ABSENT,   /* no such file, id or key */
    ERR_EXISTS,   /* it is there already */
    ERR_DENIED,   /* the permissions of the process do not allow it */
    ERR_CORRUPT,  /* bytes of our own that do not check */
    ERR_VERSION,  /* a format newer than this program */
    ERR_INVALID,  /* an argument or a text that cannot be used */
    ERR_TIMEOUT,  /* the deadline passed */
    ERR_CLOSED,   /* the other end, or we ourselves, are shutting down */
    ERR_DESCRIPTORS, /* the process or the machine is out of descriptors */
};

/* A short lower-case phrase in English for logs; static storage. */
const char *err_text(enum err error);

/* The err for a value of errno. */
enum err err_from_errno(int number);

#endif
