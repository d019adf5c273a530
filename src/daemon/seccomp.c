/* seccomp.c: system calls, by libseccomp.
 *
 * A list of what is allowed. What no server of mail has ever to do ends the process at once,
 * for who asks for it is not us; any other call "does not exist", so that a library which
 * tries a newer one first falls back as it would on an older kernel.
 */
#include "daemon/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* By name, for not each kernel and each processor has all of them. */
static const char *const for_all[] = {
    "read", "write", "readv", "writev", "pread64", "pwrite64", "close", "close_range",
    "fstat", "newfstatat", "lseek", "munmap", "mremap", "madvise", "brk", "futex",
    "futex_waitv", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    "restart_syscall", "exit", "exit_group", "getpid", "gettid", "getppid", "getuid",
    "geteuid", "getgid", "getegid", "getrusage", "getrlimit", "sched_yield",
    "sched_getaffinity", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "gettimeofday", "time", "getrandom", "poll", "ppoll", "select", "pselect6",
    "epoll_create1", "epoll_create", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "fcntl", "sendmsg", "recvmsg", "sendto", "recvfrom", "shutdown",
    "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "membarrier", "getcpu",
    "sysinfo", "uname", "dup", "dup2", "dup3",
};

static const char *const for_engine[] = {
    "preadv", "pwritev", "preadv2", "pwritev2", "open", "openat", "stat", "lstat", "statx",
    "access", "faccessat", "faccessat2", "rename", "renameat", "renameat2", "unlink",
    "unlinkat", "link", "linkat", "mkdir", "mkdirat", "rmdir", "readlink", "readlinkat",
    "fsync", "fdatasync", "sync_file_range", "fallocate", "ftruncate", "fadvise64", "flock",
    "getdents64", "chmod", "fchmod", "fchmodat", "utimensat", "umask",
    "statfs", "fstatfs", "getcwd", "copy_file_range", "sendfile", "splice",
    "pipe2", "eventfd2", "eventfd", "signalfd4", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "rt_sigtimedwait", "rt_sigpending", "socketpair", "bind", "connect",
    "listen", "accept", "accept4", "getsockname", "getpeername", "getsockopt", "setsockopt",
    "sendmmsg", "recvmmsg", "memfd_create", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
    "sched_get_priority_min",
};

/* A clock for each message. */
static const char *const for_content[] = { "setitimer", "alarm" };

/* Who tries one of these is not us any more. */
static const char *const deadly[] = {
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev",
    "kcmp", "pidfd_getfd", "setuid", "setgid", "setreuid", "setregid", "setresuid",
    "setresgid", "setgroups", "setfsuid", "setfsgid", "capset", "chroot", "pivot_root",
    "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "unshare", "setns",
    "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key",
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "swapon", "swapoff", "acct", "quotactl", "iopl", "ioperm", "modify_ldt", "personality",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "open_by_handle_at",
    "name_to_handle_at", "mknod", "mknodat", "symlink", "symlinkat", "memfd_secret",
    "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname",
    "setdomainname", "syslog", "lookup_dcookie", "nfsservctl", "vhangup",
};

static int add_named(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        int error = number < 0 ? 0 : seccomp_rule_add(filter, action, number, 0);
        if (error != 0)
            return error;
    }
    return 0;
}

#define ADD_NAMED(filter, action, names)                                                  \
    add_named(filter, action, names, sizeof names / sizeof *names)

/* Memory is written or run, never both; what is mapped to run comes from a file. */
static int add_memory(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE,
                                         PROT_EXEC));
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return error;
}

/* Threads, no processes. What clone3 wants stands in memory, where no filter sees it: it
 * does not exist, and libc takes clone. */
static int add_threads(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM,
                                         CLONE_THREAD | CLONE_VM));
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    return error;
}

/* Of what has many meanings, those that are needed. */
static int add_chosen(scmp_filter_ctx filter)
{
    static const unsigned long ioctls[] = { FIONREAD, FIONBIO, TCGETS };
    static const int prctls[] = { PR_SET_NAME, PR_GET_NAME };
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof ioctls / sizeof *ioctls; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                 SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
    for (size_t i = 0; error == 0 && i < sizeof prctls / sizeof *prctls; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)prctls[i]));
    /* abort() and the like: signals to itself; limits are read, not set */
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                 SCMP_A2(SCMP_CMP_EQ, 0));
    return error;
}

static int add_sockets(scmp_filter_ctx filter)
{
    /* the last one tells which addresses this machine has */
    static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof families / sizeof *families; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    return error;
}

static int add_all(scmp_filter_ctx filter, enum sandbox_role role)
{
    int error = ADD_NAMED(filter, SCMP_ACT_ALLOW, for_all);
    if (error == 0)
        error = ADD_NAMED(filter, SCMP_ACT_KILL_PROCESS, deadly);
    if (error == 0)
        error = add_memory(filter);
    if (error == 0)
        error = add_threads(filter);
    if (error == 0)
        error = add_chosen(filter);
    if (error == 0 && role == SANDBOX_CONTENT)
        error = ADD_NAMED(filter, SCMP_ACT_ALLOW, for_content);
    if (error == 0 && role == SANDBOX_ENGINE)
        error = ADD_NAMED(filter, SCMP_ACT_ALLOW, for_engine);
    if (error == 0 && role == SANDBOX_ENGINE)
        error = add_sockets(filter);
    return error;
}

void sandbox_enter_seccomp(enum sandbox_role role, struct sandbox_result *out)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int error = filter == NULL ? -ENOMEM : add_all(filter, role);
    if (error == 0)
        error = seccomp_load(filter);
    if (error == 0)
        snprintf(out->seccomp, sizeof out->seccomp, "on");
    else
        snprintf(out->seccomp, sizeof out->seccomp, "off: %s", strerror(-error));
    if (filter != NULL)
        seccomp_release(filter);
}
