/* privileges.c: the data folder and the user who owns it.
 *
 * Started by root, the engine runs as the configured user, or as `godwit` where none is.
 * Only where that one does not exist, and was not asked for by name, root is kept, and
 * it is said.
 */
#include "daemon/daemon_private.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "godwit: %s %s: %s\n", what, about, strerror(errno));
    return EX_CANTCREAT;
}

#define USER_DEFAULT "godwit"

/* The user to become; NULL when nobody is to be become: there is no such user, or we
 * are not root. */
static const struct passwd *find_user(const struct config *config)
{
    if (geteuid() != 0)
        return NULL;
    char *name = slice_to_string(config->user.len > 0 ? config->user : SLICE(USER_DEFAULT));
    const struct passwd *user = name == NULL ? NULL : getpwnam(name);
    free(name);
    return user;
}

static int check_user(const struct config *config)
{
    if (geteuid() != 0 || find_user(config) != NULL)
        return 0;
    if (config->user.len == 0) {
        fprintf(stderr, "godwit: there is no user '" USER_DEFAULT "' to run as: staying root\n");
        return 0;
    }
    fprintf(stderr, "godwit: there is no user '%.*s' to run as\n", (int)config->user.len,
            config->user.data);
    return EX_CONFIG;
}

/* *out_is_ours: it did not exist before. */
static int make_folders(char *path, bool *out_is_ours)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0755);
        *slash = '/';
        if (made != 0 && errno != EEXIST)
            return complain("cannot make a folder above", path);
    }
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST)
        return complain("cannot make", path);
    *out_is_ours = made;
    return 0;
}

static bool is_empty(const char *path)
{
    size_t entries = 0;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    while (entries <= 2 && readdir(folder) != NULL)
        entries++;
    closedir(folder);
    return entries <= 2; /* . and .. */
}

/* What holds anything was somebody's before: it is not given away in silence. */
static int give_to(const char *path, const struct passwd *user, bool is_ours)
{
    if (!is_ours && !is_empty(path)) {
        fprintf(stderr, "godwit: the data folder %s belongs to another user than '%s'; give "
                "it to that one (chown -R %s %s), or name its owner as the user to run as\n",
                path, user->pw_name, user->pw_name, path);
        return EX_CANTCREAT;
    }
    return chown(path, user->pw_uid, user->pw_gid) == 0 ? 0
                                                        : complain("cannot give away", path);
}

int data_prepare(const struct config *config)
{
    char *path = slice_to_string(config->data);
    struct stat status;
    if (path == NULL)
        return EX_CONFIG;
    bool is_ours = false;
    int code = check_user(config);
    if (code == 0)
        code = make_folders(path, &is_ours);
    const struct passwd *user = find_user(config);
    if (code == 0 && lstat(path, &status) != 0)
        code = complain("cannot look at", path);
    if (code == 0 && !S_ISDIR(status.st_mode)) {
        fprintf(stderr, "godwit: %s is not a folder\n", path);
        code = EX_CANTCREAT;
    }
    if (code == 0 && user != NULL && status.st_uid != user->pw_uid)
        code = give_to(path, user, is_ours);
    free(path);
    return code;
}

int privileges_drop(const struct config *config)
{
    const struct passwd *user = find_user(config);
    if (user == NULL || user->pw_uid == 0)
        return 0;
    if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0 || setuid(0) == 0)
        return complain("cannot become", user->pw_name);
    return 0;
}
