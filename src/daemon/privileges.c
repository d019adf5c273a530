/* privileges.c: the data folder and the user who owns it.
 *
 * Started by root, the engine runs as the configured user. Where that user does not
 * exist and was not asked for by name, root is kept, and it is said.
 */
#include "daemon/daemon_private.h"

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

/* The user to become; NULL when nobody is to be become. */
static const struct passwd *find_user(const struct config *config)
{
    if (geteuid() != 0 || config->user.len == 0)
        return NULL;
    char *name = slice_to_string(config->user);
    const struct passwd *user = name == NULL ? NULL : getpwnam(name);
    free(name);
    return user;
}

static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0755);
        *slash = '/';
        if (made != 0 && errno != EEXIST)
            return complain("cannot make a folder above", path);
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return complain("cannot make", path);
    return 0;
}

int data_prepare(const struct config *config)
{
    char *path = slice_to_string(config->data);
    struct stat status;
    if (path == NULL)
        return EX_CONFIG;
    int code = make_folders(path);
    const struct passwd *user = find_user(config);
    if (code == 0 && lstat(path, &status) != 0)
        code = complain("cannot look at", path);
    if (code == 0 && !S_ISDIR(status.st_mode)) {
        fprintf(stderr, "godwit: %s is not a folder\n", path);
        code = EX_CANTCREAT;
    }
    if (code == 0 && user != NULL && status.st_uid != user->pw_uid &&
        chown(path, user->pw_uid, user->pw_gid) != 0)
        code = complain("cannot give away", path);
    if (code == 0 && geteuid() == 0 && user == NULL && config->user.len > 0)
        fprintf(stderr, "godwit: there is no user '%.*s' to run as: staying root\n",
                (int)config->user.len, config->user.data);
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
