/* sendmail_private.h: the parts of the sendmail command: its arguments, the message it
 * makes of its input, and where it leaves that when no godwit answers. */
#ifndef GODWIT_CLI_SENDMAIL_PRIVATE_H
#define GODWIT_CLI_SENDMAIL_PRIVATE_H

#include "cli/addressees.h"
#include "cli/tool.h"

enum sendmail_mode {
    SENDMAIL_MAIL,     /* -bm: a message on standard input */
    SENDMAIL_DIALOGUE, /* -bs: SMTP on standard input and output */
    SENDMAIL_LIST,     /* -bp */
    SENDMAIL_RUN,      /* -q */
    SENDMAIL_ALIASES,  /* -bi */
};

struct sendmail {
    enum sendmail_mode mode;
    bool reads_header;     /* -t */
    bool ignores_dots;     /* -i */
    bool is_verbose;       /* -v */
    const char *sender;    /* -f; NULL: not said */
    const char *name;      /* -F; or NULL */
    const char *run_id;    /* -qI; or NULL */
    const char *envid;     /* -V; or NULL */
    const char *server;
    const char *data;
    const char *config;
    uint8_t notify;
    enum dsn_ret ret;
    const char **operands; /* the recipients said, in memory of the call */
    size_t operands_count;
};

extern const struct cli_option sendmail_options[];

/* sendmail_options.c: an exit code. Texts borrow from the arguments; the list of
 * operands is that of the call. */
int sendmail_parse(const struct cli_call *call, struct sendmail *out);

/* sendmail_message.c: makes the message to be sent of the input (CRLF line ends): what
 * must not stay goes, what is missing comes, words alone get the domain. With -t adds
 * the recipients that the header names. An exit code. */
int sendmail_message(const struct sendmail *s, struct slice input, struct slice domain,
                     struct slice sender, struct addressees *to, struct buffer *out);

/* sendmail_drop.c: leaves a message in the maildrop of the data folder, synced. An exit
 * code: 0, EX_TEMPFAIL with a complaint when that cannot be done. */
int sendmail_drop(const char *data, const struct envelope *envelope, struct slice content);

/* sendmail_relay.c: joins standard input and output with a connected socket, which is
 * closed at the end. An exit code. */
int sendmail_relay(int fd);

#endif
