/* fake_folder.h: a folder of a test's own, gone with all that is in it at its end. One
 * at a time in a test program; for test programs alone.
 */
#ifndef GODWIT_BASE_FAKE_FOLDER_H
#define GODWIT_BASE_FAKE_FOLDER_H

#include "base/must.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char fake_folder[64];

/* For set-up and tear-down of cmocka. */
static inline int fake_folder_make(void **state)
{
    (void)state;
    snprintf(fake_folder, sizeof fake_folder, "/tmp/godwit-test-XXXXXX");
    return mkdtemp(fake_folder) == NULL;
}

static inline int fake_folder_remove_one(const char *path, const struct stat *status,
                                         int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static inline int fake_folder_remove(void **state)
{
    (void)state;
    return nftw(fake_folder, fake_folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What lies below it; until the next call. */
static inline const char *fake_folder_at(const char *below)
{
    static char path[1024];
    int len = snprintf(path, sizeof path, "%s/%s", fake_folder, below);
    must(len > 0 && (size_t)len < sizeof path);
    return path;
}

#endif
