/* landlock.c: files and ports (the kernel's Documentation/userspace-api/landlock.rst).
 *
 * The headers of Debian 12 know the second version of the interface; what came later is
 * defined here, and asked for only where the running kernel knows it too.
 */
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    ABI_WITH_REFER = 2,    /* without it no file can change its folder: of no use to us */
    ABI_WITH_TRUNCATE = 3,
    ABI_WITH_NETWORK = 4,
    ABI_WITH_DEVICES = 5,
    ABI_WITH_SCOPES = 6,
};

#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define NET_BIND_TCP (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)
#define RULE_NET_PORT 2

struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

static const uint64_t fs_list = LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t fs_read = LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_READ_FILE;
/* Devices, links and programs are made by nobody here. */
static const uint64_t fs_write =
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER |
    FS_TRUNCATE;
static const uint64_t fs_of_files = LANDLOCK_ACCESS_FS_READ_FILE |
                                    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
static const uint64_t fs_all =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE | FS_IOCTL_DEV;

/* Ports are bound by the supervisor. The engine reaches any; the content process none. */
static struct ruleset ruleset_of(long abi, enum sandbox_role role)
{
    struct ruleset r = { .files = fs_all };
    if (abi < ABI_WITH_TRUNCATE)
        r.files &= ~FS_TRUNCATE;
    if (abi < ABI_WITH_DEVICES)
        r.files &= ~FS_IOCTL_DEV;
    if (abi >= ABI_WITH_NETWORK)
        r.network = role == SANDBOX_ENGINE ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= ABI_WITH_SCOPES)
        r.scopes = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    return r;
}

static bool add_place(int rules, const struct ruleset *r, const struct sandbox_place *place)
{
    static const uint64_t *const rights[] = {
        [SANDBOX_LIST] = &fs_list, [SANDBOX_READ] = &fs_read, [SANDBOX_WRITE] = &fs_write,
    };
    struct stat status;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = *rights[place->access] & r->files,
        .parent_fd = open(place->path, O_PATH | O_CLOEXEC),
    };
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == EACCES; /* nobody finds it */
    if (fstat(rule.parent_fd, &status) == 0 && !S_ISDIR(status.st_mode))
        rule.allowed_access &= fs_of_files;
    bool good = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return good;
}

/* A source address of ours is bound with port 0. */
static bool add_any_port(int rules, const struct ruleset *r)
{
    struct port_rule rule = { .allowed = NET_BIND_TCP, .port = 0 };
    return r->network == 0 ||
           syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &rule, 0) == 0;
}

static bool fill(int rules, const struct ruleset *r, const struct sandbox_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        if (!add_place(rules, r, &places->all[i]))
            return false;
    return add_any_port(rules, r);
}

void sandbox_enter_landlock(enum sandbox_role role, const struct sandbox_places *places,
                            struct sandbox_result *out)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < ABI_WITH_REFER) {
        snprintf(out->landlock, sizeof out->landlock, "off: the kernel has %s",
                 abi < 0 ? "no Landlock" : "a Landlock that is too old");
        return;
    }
    struct ruleset r = ruleset_of(abi, role);
    size_t size = abi >= ABI_WITH_SCOPES    ? sizeof r
                  : abi >= ABI_WITH_NETWORK ? sizeof r - sizeof r.scopes
                                            : sizeof r.files;
    long rules = syscall(SYS_landlock_create_ruleset, &r, size, 0);
    bool good = rules >= 0 && (role == SANDBOX_CONTENT || fill((int)rules, &r, places)) &&
                syscall(SYS_landlock_restrict_self, (int)rules, 0) == 0;
    if (good)
        snprintf(out->landlock, sizeof out->landlock, "ABI %ld", abi);
    else
        snprintf(out->landlock, sizeof out->landlock, "off: %s", strerror(errno));
    out->has_places = good;
    if (rules >= 0)
        close((int)rules);
}
