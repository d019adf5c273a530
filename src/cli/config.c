/* config.c: the configuration checked, shown and described. */
#include "config/config.h"

#include "accounts/credential.h"
#include "cli/dkim_private.h"
#include "cli/place.h"
#include "cli/tools.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { SHOWN_MAX = 64 * 1024 * 1024 };

static const struct cli_word words[] = {
    { "check", NULL, "says whether it can be used, and if not, where it is wrong", false },
    { "show", NULL, "prints what is in force, and where each value comes from", false },
    { "schema", NULL, "prints the JSON schema of the file", false },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration; default " PLACE_CONFIG_FILE, false },
    { NULL },
};

static int print(struct buffer *b)
{
    int code = b->overflow ? EX_OSERR : 0;
    struct slice text = buffer_slice(b);
    if (code == 0 && fwrite(text.data, 1, text.len, stdout) != text.len)
        code = EX_IOERR;
    buffer_free(b);
    return code;
}

/* A person whose credential nobody can read cannot log in, and everybody else can. */
static void warn_of_credentials(const struct config_domain *domain)
{
    struct credential credential;
    for (size_t i = 0; i < domain->users_count; i++) {
        const struct config_user *u = &domain->users[i];
        if (!credential_parse(u->secret, &credential))
            fprintf(stderr, "warning: %.*s: what stands behind '%.*s' is no credential "
                    "(see 'godwit user passwd')\n", (int)domain->users_file.len,
                    domain->users_file.data, (int)u->name.len, u->name.data);
    }
}

static void warn(const struct config *config)
{
    for (const struct table_entry *e = table_next(&config->domains, NULL); e != NULL;
         e = table_next(&config->domains, e))
        warn_of_credentials(config_domain(config, e->key));
}

/* The keys that sign: a server could not begin with what cannot be read. */
static int check_keys(const struct config *config)
{
    int code = 0;
    for (struct table_entry *e = NULL; (e = table_next(&config->domains, e)) != NULL;) {
        const struct config_domain *d = config_domain(config, e->key);
        for (size_t i = 0; i < d->dkim_count; i++) {
            struct private_key *key = NULL;
            int one = dkim_read_key_at(d->dkim[i].path, &key);
            if (one != 0)
                code = EX_CONFIG;
            private_key_drop(&key);
        }
    }
    return code;
}

static int run(const struct cli_call *call)
{
    const struct config *config;
    struct buffer b;
    buffer_init(&b, SHOWN_MAX);
    if (strcmp(call->word->name, "schema") == 0) {
        config_schema(&b);
        return print(&b);
    }
    const char *file = place_config_file(cli_value(call, "config"));
    int code = place_load(file, NULL, &config);
    if (code != 0)
        return code;
    if (strcmp(call->word->name, "show") == 0) {
        config_show(config, &b);
        code = print(&b);
    } else {
        warn(config);
        code = check_keys(config);
        if (code == 0)
            printf("%s: good\n", file[0] == '\0' ? "no file, the defaults" : file);
    }
    config_drop(&config);
    return code;
}

const struct cli_tool cli_config = {
    .name = "config",
    .summary = "checks, shows or describes the configuration",
    .words = words,
    .options = options,
    .run = run,
};
