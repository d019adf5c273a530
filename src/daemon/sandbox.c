/* sandbox.c: both halves, in order: files first, for the filter then forbids to ask. */
#include "daemon/sandbox.h"

#include <stdio.h>
#include <sys/prctl.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1 /* they look at the process from without, as a thief would */
#else
#define IS_SANITIZED 0
#endif

void sandbox_enter(enum sandbox_role role, const struct sandbox_places *places,
                   struct sandbox_result *out)
{
    *out = (struct sandbox_result){ .has_places = false };
    if (IS_SANITIZED) {
        snprintf(out->seccomp, sizeof out->seccomp, "off: a build with sanitizers");
        snprintf(out->landlock, sizeof out->landlock, "off: a build with sanitizers");
        return;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no memory with keys in it becomes a file */
    sandbox_enter_landlock(role, places, out);
    sandbox_enter_seccomp(role, out);
}
