/* user.c: the people in a users file, and their passwords.
 *
 * The file is written anew beside the old one and takes its place when it is whole, with
 * the same owner and mode. Lines that are not about the one in question stay as they are.
 */
#include "cli/user_private.h"

#include "accounts/credential.h"
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static const struct cli_word words[] = {
    { "add", "ADDRESS", "adds somebody, and asks for the password", false },
    { "passwd", "ADDRESS", "gives somebody another password", false },
    { "remove", "ADDRESS", "takes somebody out", false },
    { "list", "DOMAIN", "names them, and how each may log in", true },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration that names the users file", false },
    { "file", "FILE", "the users file itself; ADDRESS may be a local part then", false },
    { "no-password", NULL, "add: receives mail and cannot log in", false },
    { NULL },
};

static int make_secret(const struct cli_call *call, struct buffer *out)
{
    struct buffer password;
    if (cli_has(call, "no-password"))
        return 0;
    int code = user_ask_password(&password);
    if (code != 0)
        return code;
    enum err error = credential_make(buffer_slice(&password), out);
    explicit_bzero(password.memory, password.capacity);
    buffer_free(&password);
    if (error == ERR_OK)
        return 0;
    if (error == ERR_INVALID)
        cli_complain("a password has 1 to %d octets, and no NUL among them", PASSWORD_MAX);
    else
        cli_complain("cannot make the credential: %s", err_text(error));
    return error == ERR_INVALID ? EX_DATAERR : EX_OSERR;
}

static int change(const struct cli_call *call, struct user_file *file)
{
    struct slice name = buffer_slice(&file->name);
    bool adds = call->word == &words[0];
    bool removes = call->word == &words[2];
    struct slice line;
    bool there = user_file_find(file, &line);
    struct buffer made;
    if (there == adds) {
        cli_complain(there ? "'%.*s' is in %s already: 'godwit user passwd' gives another "
                             "password"
                           : "'%.*s' is not in %s", (int)name.len, name.data, file->path);
        return EX_DATAERR;
    }
    buffer_init(&made, 8192);
    buffer_append(&made, name);
    buffer_append(&made, SLICE(": "));
    int code = removes ? 0 : make_secret(call, &made);
    if (code == 0 && cli_has(call, "no-password"))
        buffer_truncate(&made, name.len);
    if (code == 0)
        code = user_file_write(file, line, removes ? slice_make(NULL, 0)
                                                   : buffer_slice(&made));
    buffer_free(&made);
    if (code == 0)
        printf("%.*s %s %s; a running godwit learns of it by 'godwit reload'\n",
               (int)name.len, name.data,
               adds ? "was added to" : removes ? "was taken out of" : "has a new password in",
               file->path);
    return code;
}

static void print_line(struct slice line)
{
    struct credential credential;
    struct slice name = user_line_name(line);
    size_t colon = slice_find(line, ':');
    struct slice secret = colon == SLICE_NOT_FOUND ? slice_make(NULL, 0)
                                                   : slice_trim(slice_from(line, colon + 1));
    if (slice_is_empty(name))
        return;
    printf("%-30.*s", (int)name.len, name.data);
    if (slice_is_empty(secret))
        printf(" no password");
    else if (!credential_parse(secret, &credential))
        printf(" a credential that cannot be read");
    else
        printf("%s%s%s", slice_is_empty(credential.hash) ? "" : " PLAIN LOGIN",
               credential.scram[SCRAM_SHA_256].is_there ? " SCRAM-SHA-256" : "",
               credential.scram[SCRAM_SHA_1].is_there ? " SCRAM-SHA-1" : "");
    putchar('\n');
}

static int run_user(const struct cli_call *call)
{
    struct user_file file;
    bool lists = call->word == &words[3];
    const char *operand = call->operands_count > 0 ? call->operands[0] : NULL;
    int code = user_file_open(call, lists, operand, &file);
    if (code != 0)
        return code;
    if (lists) {
        struct slice rest = buffer_slice(&file.text);
        struct slice line;
        while (slice_split(&rest, '\n', &line))
            print_line(line);
    } else {
        code = change(call, &file);
    }
    user_file_close(&file);
    return code;
}

const struct cli_tool cli_user = {
    .name = "user",
    .summary = "adds people, gives them passwords, takes them out",
    .about = "The password is asked for, or read as the first line of standard input;\n"
             "what is kept proves it and does not tell it: a yescrypt hash, and the keys\n"
             "of SCRAM-SHA-256 and SCRAM-SHA-1.\n",
    .words = words,
    .options = options,
    .run = run_user,
};
