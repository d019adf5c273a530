/* user_private.h: a users file in the hands of `godwit user`. */
#ifndef GODWIT_CLI_USER_PRIVATE_H
#define GODWIT_CLI_USER_PRIVATE_H

#include "base/buffer.h"
#include "cli/tool.h"

struct user_file {
    char *path;
    int fd;              /* locked; -1: there is no such file yet */
    struct buffer text;  /* all of it */
    struct buffer name;  /* whom it is about, as the file writes it */
};

/* Finds the file (--file, or that of the domain in the configuration), locks and reads
 * it. `operand` is an address, or, when `lists`, a domain or NULL. Complains and returns
 * an exit code. */
int user_file_open(const struct cli_call *call, bool lists, const char *operand,
                   struct user_file *out);
void user_file_close(struct user_file *file);

/* The name of a line of the file; empty on a comment. */
struct slice user_line_name(struct slice line);

/* The line about the one in question, with its LF; *out_line is in the text. */
bool user_file_find(const struct user_file *file, struct slice *out_line);

/* Writes the file anew: `line` (as found; empty: at the end) becomes `made`, which has no
 * LF; empty: nothing. Complains and returns an exit code. */
int user_file_write(struct user_file *file, struct slice line, struct slice made);

/* A password from the terminal, twice and unseen, or the first line of standard input.
 * The caller wipes and frees it. Complains and returns an exit code. */
int user_ask_password(struct buffer *out);

#endif
