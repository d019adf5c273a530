/* sandbox.h: what a process of ours may still do once it runs: which system calls (seccomp)
 * and which files and ports (Landlock).
 *
 * Both hold for the calling thread and all that it begins: they are entered before there is a
 * second thread, and never left. Where the kernel has less, less holds, and the result says so.
 * HOSTILE 5.2.
 */
#ifndef GODWIT_DAEMON_SANDBOX_H
#define GODWIT_DAEMON_SANDBOX_H

#include "config/config.h"

enum sandbox_role {
    SANDBOX_ENGINE,  /* speaks to everybody; files of its places alone */
    SANDBOX_CONTENT, /* reads what strangers wrote: no files, no sockets, but those it has */
};

enum sandbox_access {
    SANDBOX_LIST,    /* the names in a folder */
    SANDBOX_READ,    /* and what the files hold */
    SANDBOX_WRITE,   /* and everything else, but to execute */
};

struct sandbox_place {
    char *path;      /* it exists */
    enum sandbox_access access;
};

/* What a configuration needs of the file system. */
struct sandbox_places {
    struct sandbox_place *all;
    size_t count;
};

/* `config_file` may be empty. ERR_MEMORY. */
enum err sandbox_places_make(const struct config *config, struct slice config_file,
                             struct sandbox_places *out);
void sandbox_places_free(struct sandbox_places *places);

/* The first place of `wanted` that lies outside of `held`, or NULL. */
const struct sandbox_place *sandbox_places_beyond(const struct sandbox_places *held,
                                                  const struct sandbox_places *wanted);

/* What came of it, in words for the log. */
struct sandbox_result {
    char seccomp[80];   /* "on", or why not */
    char landlock[80];  /* "ABI 7", or why not */
    bool has_places;    /* only they can be reached */
};

/* Enters it, as the user that stays, without privileges to come (PR_SET_NO_NEW_PRIVS). Of
 * SANDBOX_CONTENT the places are not looked at. */
void sandbox_enter(enum sandbox_role role, const struct sandbox_places *places,
                   struct sandbox_result *out);

/* landlock.c, seccomp.c: the halves of it. */
void sandbox_enter_landlock(enum sandbox_role role, const struct sandbox_places *places,
                            struct sandbox_result *out);
void sandbox_enter_seccomp(enum sandbox_role role, struct sandbox_result *out);

#endif
