/* sandbox_probe.c: enters a sandbox and does what may not be done.
 *
 *   probe_daemon_sandbox ROLE FOLDER OUTSIDE
 *
 * ROLE is "engine" or "content", FOLDER is the data folder, OUTSIDE a file elsewhere that
 * may be read without a sandbox. Each deed is done by a child of its own; a line says what
 * came of it: the deed, and "done", "refused" with the error, or "killed" with the signal.
 * The first line says how the sandbox stands.
 */
#include "daemon/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *folder, *outside;
static int pair[2];
static pid_t parent;

static int closed(int fd)
{
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static const char *within(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int read_outside(void) { return closed(open(outside, O_RDONLY)); }
static int write_outside(void) { return closed(open(outside, O_WRONLY)); }
static int cut_outside(void) { return truncate(outside, 0); }
static int remove_outside(void) { return unlink(outside); }
static int read_names(void) { return closed(open("/etc/hosts", O_RDONLY)); }

static int write_within(void)
{
    return closed(open(within("new"), O_WRONLY | O_CREAT, 0600));
}

static int link_within(void) { return symlink(outside, within("link")); }
static int device_within(void) { return mknod(within("device"), S_IFIFO | 0600, 0); }

static int execute(void)
{
    char *const none[] = { NULL };
    return execve("/bin/true", none, none);
}

static int begin_process(void) { return fork() < 0 ? -1 : 0; }
static int trace(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : -1; }
static int signal_parent(void) { return kill(parent, 0); }
static int become_root(void) { return setuid(0); }
static int io_ring(void) { return syscall(SYS_io_uring_setup, 1, NULL) < 0 ? -1 : 0; }

static int run_data(void)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int map_both(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0) == MAP_FAILED ? -1 : 0;
}

static int speak_tcp(void) { return closed(socket(AF_INET, SOCK_STREAM, 0)); }
static int speak_packets(void) { return closed(socket(AF_PACKET, SOCK_RAW, 0)); }

static int bind_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(2),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&at, sizeof at);
}

static int bind_any_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&at, sizeof at);
}

static int use_pair(void)
{
    char octet = 'x';
    return write(pair[0], &octet, 1) == 1 && read(pair[1], &octet, 1) == 1 ? 0 : -1;
}

static int use_memory(void)
{
    void *large = malloc(64 * 1024 * 1024);
    if (large == NULL)
        return -1;
    memset(large, 1, 64 * 1024 * 1024);
    free(large);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} deeds[] = {
    { "read-outside", read_outside },   { "write-outside", write_outside },
    { "cut-outside", cut_outside },     { "remove-outside", remove_outside },
    { "read-names", read_names },       { "write-within", write_within },
    { "link-within", link_within },     { "device-within", device_within },
    { "execute", execute },             { "begin-process", begin_process },
    { "trace", trace },                 { "signal-parent", signal_parent },
    { "become-root", become_root },     { "io-ring", io_ring },
    { "run-data", run_data },           { "map-both", map_both },
    { "speak-tcp", speak_tcp },         { "speak-packets", speak_packets },
    { "bind-port", bind_port },         { "bind-any-port", bind_any_port },
    { "use-pair", use_pair },           { "use-memory", use_memory },
};

static void do_it(enum sandbox_role role, const struct sandbox_places *places, size_t deed)
{
    struct sandbox_result result;
    sandbox_enter(role, places, &result);
    _exit(deeds[deed].run() == 0 ? 0 : errno);
}

static void tell(const char *name, int status)
{
    if (WIFSIGNALED(status))
        printf("%s killed %s\n", name, sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        printf("%s refused %s\n", name, strerrorname_np(WEXITSTATUS(status)));
    else
        printf("%s done\n", name);
}

int main(int argc, char **argv)
{
    struct config config = { .data = SLICE("/") };
    struct sandbox_places places;
    int status;
    if (argc != 4)
        return 64;
    enum sandbox_role role = argv[1][0] == 'e' ? SANDBOX_ENGINE : SANDBOX_CONTENT;
    folder = argv[2];
    outside = argv[3];
    parent = getpid();
    config.data = slice_from_string(folder);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
        sandbox_places_make(&config, slice_make(NULL, 0), &places) != ERR_OK)
        return 71;
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            do_it(role, &places, i);
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 71;
        tell(deeds[i].name, status);
    }
    fflush(stdout);
    struct sandbox_result result;
    sandbox_enter(role, &places, &result);
    printf("seccomp %s\nlandlock %s\n", result.seccomp, result.landlock);
    fflush(stdout);
    _exit(0);
}
