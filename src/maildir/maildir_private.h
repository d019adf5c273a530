/* maildir_private.h: what the files of the folder share. */
#ifndef GODWIT_MAILDIR_MAILDIR_PRIVATE_H
#define GODWIT_MAILDIR_MAILDIR_PRIVATE_H

#include "maildir/maildir.h"

struct maildir {
    int folder; /* the mailbox itself */
    int tmp;
    int new;
};

/* As maildir_open(), and maildir_open_of() for what is missing. */
enum err maildir_open_below(const char *root, struct slice below,
                            enum maildir_missing missing, struct maildir **out);

/* Writes all of it. */
enum err maildir_write_all(int fd, struct slice bytes);

#endif
