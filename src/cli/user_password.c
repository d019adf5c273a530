/* user_password.c: a password from whoever stands at the terminal, or from a pipe. */
#include "cli/user_private.h"

#include "accounts/credential.h"

#include <stdio.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

/* Up to LF or the end. False on an error, or when it is too long. */
static bool read_line(int fd, struct buffer *out)
{
    char c;
    ssize_t got;
    while ((got = read(fd, &c, 1)) == 1 && c != '\n')
        buffer_append_byte(out, c);
    return got >= 0 && !out->overflow;
}

/* Made whole at once: no copy stays behind when it grows. */
static void make_room(struct buffer *b)
{
    buffer_init(b, PASSWORD_MAX + 1);
    buffer_reserve(b, PASSWORD_MAX + 1);
}

static void wipe(struct buffer *b)
{
    explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

static bool ask(const char *prompt, struct buffer *out)
{
    struct termios before, unseen;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    unseen = before;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    bool good = read_line(STDIN_FILENO, out);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return good;
}

int user_ask_password(struct buffer *out)
{
    struct buffer again;
    bool is_terminal = isatty(STDIN_FILENO) == 1;
    bool same = true;
    make_room(out);
    bool good = is_terminal ? ask("Password: ", out) : read_line(STDIN_FILENO, out);
    if (good && is_terminal) {
        make_room(&again);
        good = ask("Once more: ", &again);
        same = slice_equal(buffer_slice(out), buffer_slice(&again));
        wipe(&again);
    }
    if (good && same)
        return 0;
    cli_complain(same ? "no password of at most 512 octets could be read"
                      : "these are two different passwords");
    wipe(out);
    return same ? EX_NOINPUT : EX_DATAERR;
}
