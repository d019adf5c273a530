/* dkim.c: keys that sign: making one, telling its record, checking what the DNS has. */
#include "cli/dkim_private.h"

#include "cli/place.h"
#include "cli/tools.h"
#include "wire/smtp/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { RSA_BITS = 2048 };

static const struct cli_word words[] = {
    { "keygen", "FILE", "makes a key in a new file, and prints its record", false },
    { "record", "DOMAIN", "prints the records of the keys, as a zone file has them", true },
    { "check", "DOMAIN", "holds what the DNS serves against the keys", true },
    { "rotate", "DOMAIN", "makes the next key; says when it may sign, and the old one go",
      false },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration that names the keys", false },
    { "key", "FILE", "this key in place of those; with --domain and --selector", false },
    { "domain", "DOMAIN", "the domain that signs", false },
    { "selector", "NAME", "the selector of the key; of rotate, which key is followed", false },
    { "next", "NAME", "of rotate: the next selector; default: counts on", false },
    { "algorithm", "NAME", "of a new key: rsa (the default) or ed25519", false },
    { "bits", "NUMBER", "of a new RSA key; default 2048", false },
    { "dns", "HOST:PORT", "the server to ask; otherwise those of the system", false },
    { NULL },
};

int dkim_read_making(const struct cli_call *call, struct dkim_making *out)
{
    const char *algorithm = cli_value(call, "algorithm");
    const char *bits = cli_value(call, "bits");
    uint64_t number = 0;
    if (algorithm != NULL) {
        bool is_ed25519 = strcmp(algorithm, "ed25519") == 0;
        if (!is_ed25519 && strcmp(algorithm, "rsa") != 0) {
            cli_complain("--algorithm takes rsa or ed25519");
            return EX_USAGE;
        }
        out->kind = is_ed25519 ? KEY_ED25519 : KEY_RSA;
    }
    if (bits == NULL)
        return 0;
    if (out->kind != KEY_RSA ||
        !slice_to_number(slice_from_string(bits), KEY_RSA_BITS_MAX, &number)) {
        cli_complain("--bits takes a number up to %d, for an RSA key", KEY_RSA_BITS_MAX);
        return EX_USAGE;
    }
    out->bits = (unsigned)number;
    return 0;
}

/* ---- the keys that a call names ---- */

static int canonical(const char *name, const char *what, struct buffer *out)
{
    if (name[0] != '[' && smtp_domain_canonical(slice_from_string(name), out))
        return 0;
    cli_complain("'%s' is no %s", name, what);
    return EX_USAGE;
}

/* --domain and --selector of the call, which live in the buffers. An exit code. */
static int read_name(const struct cli_call *call, struct buffer *domain,
                     struct buffer *selector)
{
    const char *said_domain = cli_value(call, "domain");
    const char *said_selector = cli_value(call, "selector");
    if (said_domain == NULL || said_selector == NULL) {
        cli_complain("dkim: --domain and --selector are needed with a key");
        return EX_USAGE;
    }
    int code = canonical(said_domain, "domain", domain);
    return code == 0 ? canonical(said_selector, "selector", selector) : code;
}

static int of_key(const struct cli_call *call, struct dkim_each *each, const char *file)
{
    struct private_key *key = NULL;
    struct buffer domain;
    struct buffer selector;
    buffer_init(&domain, SMTP_DOMAIN_MAX);
    buffer_init(&selector, SMTP_DOMAIN_MAX);
    int code = read_name(call, &domain, &selector);
    if (code == 0)
        code = dkim_read_key(file, &key);
    struct dkim_name name = { buffer_slice(&domain), buffer_slice(&selector) };
    if (code == 0)
        code = each->run(each, &name, key);
    private_key_drop(&key);
    buffer_free(&domain);
    buffer_free(&selector);
    return code;
}

static bool goes_on(int code)
{
    return code == 0 || code == EX_DATAERR || code == EX_TEMPFAIL || code == EX_NOINPUT;
}

static int of_domain(const struct config_domain *d, struct dkim_each *each, size_t *count)
{
    int worst = 0;
    for (size_t i = 0; i < d->dkim_count && goes_on(worst); i++) {
        struct private_key *key = NULL;
        struct dkim_name name = { d->name, d->dkim[i].selector };
        int code = dkim_read_key_at(d->dkim[i].path, &key);
        if (code == 0)
            code = each->run(each, &name, key);
        if (code != 0)
            worst = code;
        private_key_drop(&key);
        ++*count;
    }
    return worst;
}

static int of_config(const struct cli_call *call, struct dkim_each *each)
{
    const struct config *config;
    struct buffer wanted;
    size_t count = 0;
    int code = place_load(place_config_file(cli_value(call, "config")), NULL, &config);
    if (code != 0)
        return code;
    buffer_init(&wanted, SMTP_DOMAIN_MAX);
    if (call->operands_count > 0)
        code = canonical(call->operands[0], "domain", &wanted);
    for (struct table_entry *e = NULL;
         goes_on(code) && (e = table_next(&config->domains, e)) != NULL;) {
        bool is_wanted = call->operands_count == 0 || slice_equal(e->key, buffer_slice(&wanted));
        int one = is_wanted ? of_domain(config_domain(config, e->key), each, &count) : 0;
        if (one != 0)
            code = one;
    }
    if (code == 0 && count == 0) {
        cli_complain("the configuration names no such keys: domains: { example.com: { dkim: "
                     "[{ selector: s1, key: FILE }] } }");
        code = EX_CONFIG;
    }
    buffer_free(&wanted);
    config_drop(&config);
    return code;
}

int dkim_for_each(const struct cli_call *call, struct dkim_each *each)
{
    const char *file = cli_value(call, "key");
    return file != NULL ? of_key(call, each, file) : of_config(call, each);
}

/* ---- what is done with them ---- */

static int print(struct buffer *text)
{
    struct slice all = buffer_slice(text);
    bool good = !text->overflow && fwrite(all.data, 1, all.len, stdout) == all.len &&
                fflush(stdout) == 0;
    buffer_free(text);
    return good ? 0 : EX_IOERR;
}

static int print_record(struct dkim_each *each, const struct dkim_name *name,
                        const struct private_key *key)
{
    struct buffer text;
    (void)each;
    buffer_init(&text, DKIM_RECORD_MAX + DKIM_NAME_MAX);
    dkim_append_zone(name, key, &text);
    return print(&text);
}

struct checking {
    struct dkim_each each;
    struct check_source source;
};

static int check_one(struct dkim_each *each, const struct dkim_name *name,
                     const struct private_key *key)
{
    struct checking *c = (struct checking *)(void *)each;
    struct dkim_found found;
    struct buffer text;
    if (!dkim_look_up(&c->source, name, key, &found))
        return EX_UNAVAILABLE;
    buffer_init(&text, DKIM_RECORD_MAX);
    dkim_append_name(name, &text);
    buffer_append_format(&text, ": %s", dkim_served_text(found.served));
    if (found.why != NULL)
        buffer_append_format(&text, ": %s", found.why);
    if (found.is_testing)
        buffer_append_string(&text, " (t=y: marked as a test, by which nobody acts)");
    buffer_append_byte(&text, '\n');
    int code = print(&text);
    if (code != 0 || found.served == DKIM_SERVED)
        return code;
    return found.served == DKIM_SERVED_UNKNOWN ? EX_TEMPFAIL : EX_DATAERR;
}

static int run_check(const struct cli_call *call)
{
    struct checking c = { .each.run = check_one };
    int code = dkim_source(call, &c.source);
    if (code == 0)
        code = dkim_for_each(call, &c.each);
    check_source_close(&c.source);
    return code;
}

static int run_record(const struct cli_call *call)
{
    struct dkim_each each = { .run = print_record };
    return dkim_for_each(call, &each);
}

/* All that can be wrong with the call is found before there is a file. */
static int check_keygen(const struct cli_call *call)
{
    struct buffer domain;
    struct buffer selector;
    int code = 0;
    if (strcmp(call->operands[0], "-") == 0) {
        cli_complain("dkim keygen: a key is made in a file, not on standard output");
        return EX_USAGE;
    }
    buffer_init(&domain, SMTP_DOMAIN_MAX);
    buffer_init(&selector, SMTP_DOMAIN_MAX);
    if (cli_has(call, "domain") || cli_has(call, "selector"))
        code = read_name(call, &domain, &selector);
    buffer_free(&domain);
    buffer_free(&selector);
    return code;
}

static int run_keygen(const struct cli_call *call)
{
    struct dkim_making making = { .kind = KEY_RSA, .bits = RSA_BITS };
    struct dkim_each each = { .run = print_record };
    struct private_key *key = NULL;
    struct buffer text;
    const char *file = call->operands[0];
    bool is_named = cli_has(call, "domain") || cli_has(call, "selector");
    int code = dkim_read_making(call, &making);
    if (code == 0)
        code = check_keygen(call);
    if (code == 0)
        code = dkim_make_key(file, &making);
    if (code != 0)
        return code;
    if (is_named)
        return of_key(call, &each, file);
    code = dkim_read_key(file, &key);
    if (code != 0)
        return code;
    buffer_init(&text, DKIM_RECORD_MAX);
    dkim_append_record(key, &text);
    buffer_append_byte(&text, '\n');
    private_key_drop(&key);
    return print(&text);
}

static int run(const struct cli_call *call)
{
    static const struct { const char *word; int (*run)(const struct cli_call *call); } all[] = {
        { "keygen", run_keygen }, { "record", run_record }, { "check", run_check },
        { "rotate", dkim_rotate },
    };
    if (call->operands_count > 1) {
        cli_complain("dkim %s: takes no '%s' too", call->word->name, call->operands[1]);
        return EX_USAGE;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(call->word->name, all[i].word) == 0)
            return all[i].run(call);
    return EX_USAGE;
}

const struct cli_tool cli_dkim = {
    .name = "dkim",
    .summary = "makes, publishes, checks and changes the keys that sign mail",
    .about = "Without --key it is about the keys that the configuration names. check ends with\n"
             "65 when the DNS serves no such key, and with 75 when it does not answer; rotate\n"
             "ends with 75 until the DNS serves the next key.\n",
    .words = words,
    .options = options,
    .run = run,
};
