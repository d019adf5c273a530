/* engine_log.c: where the log goes. */
#include "daemon/engine_private.h"

#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* The file, or -1 with errno. */
static int open_file(const struct config *config)
{
    char *path = slice_to_string(config->log_file);
    int fd = -1;
    errno = ENOMEM;
    if (path != NULL)
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    free(path);
    return fd;
}

int engine_log_open(struct engine *e)
{
    const struct config *c = e->config;
    e->log_fd = c->log_file.len == 0 ? STDERR_FILENO : open_file(c);
    if (e->log_fd < 0) {
        fprintf(stderr, "godwit: cannot open the log %.*s: %s\n", (int)c->log_file.len,
                c->log_file.data, strerror(errno));
        return EX_CANTCREAT;
    }
    enum log_form form = c->log_form == CONFIG_LOG_JSON ? LOG_FORM_JSON : LOG_FORM_HUMAN;
    return log_open(e->log_fd, form, (enum log_level)c->log_level) == ERR_OK ? 0 : EX_OSERR;
}

void engine_log_reopen(struct engine *e)
{
    if (e->log_fd == STDERR_FILENO)
        return;
    int fd = open_file(e->config);
    if (fd < 0) {
        log_fault("log-kept", "cannot open the log's file again", err_from_errno(errno));
        return;
    }
    /* In one step for the writer, which knows the number alone. */
    dup3(fd, e->log_fd, O_CLOEXEC);
    close(fd);
}
