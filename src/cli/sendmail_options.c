/* sendmail_options.c: the arguments that programs have given to sendmail for decades.
 *
 * Letters may stand together ("-ti"); a value stands behind its letter or in the next
 * argument ("-fa@b", "-f a@b"). What has no meaning here is taken and ignored, so that
 * no program is refused for it.
 */
#include "cli/sendmail_private.h"

#include "wire/smtp/parameter.h"

#include <string.h>
#include <sysexits.h>

const struct cli_option sendmail_options[] = {
    { "t", NULL, "recipients are those of To, Cc and Bcc; Bcc is taken out", false },
    { "i", NULL, "a line with a dot alone does not end the message (also -oi)", false },
    { "f", "ADDRESS", "the sender; <> for none; default: you at this machine (also -r)",
      false },
    { "F", "NAME", "the name in a From that has to be added", false },
    { "bm", NULL, "reads a message and sends it; the default", false },
    { "bs", NULL, "speaks SMTP on standard input and output", false },
    { "bp", NULL, "lists the queue, as mailq does", false },
    { "bi", NULL, "reads the aliases again, as newaliases does", false },
    { "q", NULL, "tries the whole queue now; -qID one message of it", false },
    { "v", NULL, "shows the dialogue", false },
    { "N", "WHEN", "reports wanted: never, or a list of failure, delay, success", false },
    { "R", "PART", "what reports bring back: full or hdrs", false },
    { "V", "ID", "an id of the envelope, for reports", false },
    { "C", "FILE", "the configuration, as --config", false },
    { "server", "HOST:PORT", "where to; default GODWIT_SERVER, else the listener", false },
    { "data", "DIR", "where the message is left when no godwit answers", false },
    { "config", "FILE", "the configuration to find both in", false },
    { NULL },
};

enum shape {
    SHAPE_FLAG,
    SHAPE_VALUE,    /* behind the letter or in the next argument */
    SHAPE_ATTACHED, /* behind the letter, perhaps nothing */
};

struct letter {
    char letter;
    enum shape shape;
    int (*take)(struct sendmail *s, const char *value); /* NULL: ignored */
};

static int take_t(struct sendmail *s, const char *value)
{
    (void)value;
    s->reads_header = true;
    return 0;
}

static int take_i(struct sendmail *s, const char *value)
{
    (void)value;
    s->ignores_dots = true;
    return 0;
}

static int take_v(struct sendmail *s, const char *value)
{
    (void)value;
    s->is_verbose = true;
    return 0;
}

static int take_f(struct sendmail *s, const char *value)
{
    s->sender = value;
    return 0;
}

static int take_name(struct sendmail *s, const char *value)
{
    s->name = value;
    return 0;
}

static int take_o(struct sendmail *s, const char *value)
{
    return strcmp(value, "i") == 0 ? take_i(s, value) : 0;
}

static int take_b(struct sendmail *s, const char *value)
{
    static const struct {
        const char *value;
        enum sendmail_mode mode;
    } modes[] = { { "m", SENDMAIL_MAIL }, { "s", SENDMAIL_DIALOGUE },
                  { "p", SENDMAIL_LIST }, { "i", SENDMAIL_ALIASES } };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(value, modes[i].value) == 0) {
            s->mode = modes[i].mode;
            return 0;
        }
    if (strcmp(value, "d") == 0 || strcmp(value, "D") == 0)
        cli_complain("sendmail -b%s: the daemon is started by 'godwit serve'", value);
    else
        cli_complain("sendmail: there is no mode -b%s", value);
    return EX_USAGE;
}

/* -q, -q15m (some scripts say it without a daemon), -qIid */
static int take_q(struct sendmail *s, const char *value)
{
    s->mode = SENDMAIL_RUN;
    if (value[0] == 'I')
        s->run_id = value + 1;
    else if (value[0] == 'R' || value[0] == 'S') {
        cli_complain("sendmail -q%c: not known; 'godwit queue retry ID|all' is", value[0]);
        return EX_USAGE;
    }
    return 0;
}

static int take_notify(struct sendmail *s, const char *value)
{
    if (smtp_notify_parse(slice_from_string(value), &s->notify))
        return 0;
    cli_complain("sendmail -N: never, or a list of failure, delay, success; not '%s'",
                 value);
    return EX_USAGE;
}

static int take_ret(struct sendmail *s, const char *value)
{
    enum smtp_ret ret;
    if (!smtp_ret_parse(slice_from_string(value), &ret)) {
        cli_complain("sendmail -R: full or hdrs, not '%s'", value);
        return EX_USAGE;
    }
    s->ret = ret == SMTP_RET_FULL ? DSN_RET_FULL : DSN_RET_HEADERS;
    return 0;
}

static int take_envid(struct sendmail *s, const char *value)
{
    s->envid = value;
    return 0;
}

static int take_config(struct sendmail *s, const char *value)
{
    s->config = value;
    return 0;
}

static const struct letter letters[] = {
    { 't', SHAPE_FLAG, take_t },       { 'i', SHAPE_FLAG, take_i },
    { 'v', SHAPE_FLAG, take_v },       { 'f', SHAPE_VALUE, take_f },
    { 'r', SHAPE_VALUE, take_f },      { 'F', SHAPE_VALUE, take_name },
    { 'b', SHAPE_ATTACHED, take_b },   { 'q', SHAPE_ATTACHED, take_q },
    { 'o', SHAPE_ATTACHED, take_o },   { 'N', SHAPE_VALUE, take_notify },
    { 'R', SHAPE_VALUE, take_ret },    { 'V', SHAPE_VALUE, take_envid },
    { 'C', SHAPE_VALUE, take_config }, { 'B', SHAPE_VALUE, NULL },
    { 'e', SHAPE_ATTACHED, NULL },     { 'd', SHAPE_ATTACHED, NULL },
    { 'O', SHAPE_VALUE, NULL },        { 'L', SHAPE_VALUE, NULL },
    { 'X', SHAPE_VALUE, NULL },        { 'h', SHAPE_VALUE, NULL },
    { 'p', SHAPE_VALUE, NULL },        { 'A', SHAPE_ATTACHED, NULL },
    { 'G', SHAPE_FLAG, NULL },         { 'm', SHAPE_FLAG, NULL },
    { 'n', SHAPE_FLAG, NULL },         { 'U', SHAPE_FLAG, NULL },
    { 's', SHAPE_FLAG, NULL },         { 'c', SHAPE_FLAG, NULL },
    { 'x', SHAPE_FLAG, NULL },
};

static const struct letter *find_letter(char c)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].letter == c)
            return &letters[i];
    return NULL;
}

/* One argument of letters; *at moves on when the next one is a value. */
static int take_letters(struct sendmail *s, char ***at)
{
    for (const char *p = **at + 1; *p != '\0'; p++) {
        const struct letter *l = find_letter(*p);
        const char *value = p + 1;
        if (l == NULL) {
            cli_complain("sendmail: unknown flag '-%c'; see 'godwit help sendmail'", *p);
            return EX_USAGE;
        }
        if (l->shape == SHAPE_VALUE && *value == '\0')
            value = *++*at;
        if (value == NULL) {
            cli_complain("sendmail: -%c needs a value", l->letter);
            return EX_USAGE;
        }
        int code = l->take == NULL ? 0 : l->take(s, value);
        if (code != 0 || l->shape != SHAPE_FLAG)
            return code;
    }
    return 0;
}

static int take_word(struct sendmail *s, char ***at)
{
    const struct {
        const char *name;
        const char **value;
    } words[] = { { "server", &s->server }, { "data", &s->data }, { "config", &s->config } };
    const char *said = **at + 2;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i].name);
        if (strncmp(said, words[i].name, len) != 0)
            continue;
        if (said[len] == '=')
            *words[i].value = said + len + 1;
        else if (said[len] == '\0')
            *words[i].value = *++*at;
        else
            continue;
        if (*words[i].value != NULL)
            return 0;
        cli_complain("sendmail: --%s needs a value", words[i].name);
        return EX_USAGE;
    }
    cli_complain("sendmail: unknown flag '--%s'; see 'godwit help sendmail'", said);
    return EX_USAGE;
}

int sendmail_parse(const struct cli_call *call, struct sendmail *out)
{
    *out = (struct sendmail){ .operands = call->operands };
    bool only_operands = false;
    for (char **at = call->arguments; *at != NULL; at++) {
        int code = 0;
        if (only_operands || (*at)[0] != '-' || (*at)[1] == '\0')
            out->operands[out->operands_count++] = *at;
        else if (strcmp(*at, "--") == 0)
            only_operands = true;
        else
            code = (*at)[1] == '-' ? take_word(out, &at) : take_letters(out, &at);
        if (code != 0)
            return code;
    }
    return 0;
}
