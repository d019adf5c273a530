/* maildir_private.h: what maildir.c and quota.c share. */
#ifndef GODWIT_MAILDIR_MAILDIR_PRIVATE_H
#define GODWIT_MAILDIR_MAILDIR_PRIVATE_H

#include "maildir/maildir.h"

struct maildir {
    int folder; /* the mailbox itself */
    int tmp;
    int new;
};

/* Writes all of it. */
enum err maildir_write_all(int fd, struct slice bytes);

#endif
