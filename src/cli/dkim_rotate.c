/* dkim_rotate.c: from one key to the next, as far as the DNS has come along.
 *
 * It is called again and again, and what it finds says how far things are: the next key's
 * file, its record in the DNS, the configuration. It makes the file and changes nothing
 * else (RFC 6376 3.1: old and new stand side by side for a while).
 */
#include "cli/dkim_private.h"

#include "base/ascii.h"
#include "base/moment.h"
#include "cli/place.h"
#include "cli/show.h"
#include "wire/smtp/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    PATH_MAX_OCTETS = 8192, /* a path that the configuration takes, and a name */
    OTHERS_MS = 7 * DAY_MS, /* what lies in the queues of others, and who looks late */
};

struct rotation {
    const struct cli_call *call;
    const struct config *config;
    const struct config_domain *domain;
    const struct config_dkim *old;
    const struct config_dkim *both;  /* the next one, where it is configured already */
    struct buffer selector;          /* the next one's */
    struct buffer path;
    struct private_key *old_key;
    struct private_key *key;
    struct check_source source;
};

/* "s2026" is followed by "s2027", "s9" by "s10", "mail" by "mail2". */
static void count_on(struct slice selector, struct buffer *out)
{
    size_t digits = 0;
    while (digits < selector.len && ascii_is_digit(selector.data[selector.len - 1 - digits]))
        digits++;
    size_t at = selector.len;
    while (at > selector.len - digits && selector.data[at - 1] == '9')
        at--;
    bool grows = at == selector.len - digits;
    if (digits == 0) {
        buffer_append(out, selector);
        buffer_append_byte(out, '2');
        return;
    }
    buffer_append(out, slice_part(selector, 0, grows ? at : at - 1));
    buffer_append_byte(out, grows ? '1' : (char)(selector.data[at - 1] + 1));
    for (; at < selector.len; at++)
        buffer_append_byte(out, '0');
}

static const struct config_dkim *find(const struct config_domain *d, struct slice selector)
{
    for (size_t i = 0; i < d->dkim_count; i++)
        if (slice_equal_nocase(d->dkim[i].selector, selector))
            return &d->dkim[i];
    return NULL;
}

static bool name_next(struct rotation *r, const struct config_dkim *old)
{
    const char *said = cli_value(r->call, "next");
    struct buffer counted;
    buffer_init(&counted, DKIM_NAME_MAX);
    if (said != NULL)
        buffer_append_string(&counted, said);
    else
        count_on(old->selector, &counted);
    buffer_clear(&r->selector);
    bool good = !counted.overflow &&
                smtp_domain_canonical(buffer_slice(&counted), &r->selector) &&
                !slice_equal(buffer_slice(&r->selector), old->selector);
    buffer_free(&counted);
    return good;
}

/* The one that is said, the only one, or the one whose successor stands beside it. */
static int choose_old(struct rotation *r)
{
    const struct config_domain *d = r->domain;
    const char *said = cli_value(r->call, "selector");
    if (said != NULL)
        r->old = find(d, slice_from_string(said));
    else if (d->dkim_count == 1)
        r->old = &d->dkim[0];
    for (size_t i = 0; said == NULL && r->old == NULL && i < d->dkim_count; i++)
        if (name_next(r, &d->dkim[i]) && find(d, buffer_slice(&r->selector)) != NULL)
            r->old = &d->dkim[i];
    if (r->old == NULL) {
        cli_complain(d->dkim_count == 0 ? "the domain has no key that could be followed"
                     : said != NULL ? "the domain has no key of that selector"
                                    : "say --selector: the domain has several keys");
        return EX_USAGE;
    }
    if (!name_next(r, r->old)) {
        cli_complain("say --next NAME: the next selector is no name");
        return EX_USAGE;
    }
    r->both = find(d, buffer_slice(&r->selector));
    return 0;
}

static int choose_domain(struct rotation *r)
{
    struct buffer name;
    buffer_init(&name, SMTP_DOMAIN_MAX);
    if (smtp_domain_canonical(slice_from_string(r->call->operands[0]), &name))
        r->domain = config_domain(r->config, buffer_slice(&name));
    buffer_free(&name);
    if (r->domain != NULL)
        return 0;
    cli_complain("'%s' is not a domain of the configuration", r->call->operands[0]);
    return EX_CONFIG;
}

/* Beside the old file: its name with the selector exchanged, or DOMAIN.SELECTOR.pem. */
static void name_file(struct rotation *r)
{
    struct slice path = r->old->path;
    struct slice old = r->old->selector;
    struct slice next = buffer_slice(&r->selector);
    size_t begin = path.len; /* of the file's own name */
    while (begin > 0 && path.data[begin - 1] != '/')
        begin--;
    struct slice file = slice_from(path, begin);
    const char *at = memmem(file.data, file.len, old.data, old.len);
    buffer_append(&r->path, slice_part(path, 0, begin));
    if (at == NULL) {
        buffer_append(&r->path, r->domain->name);
        buffer_append_byte(&r->path, '.');
        buffer_append(&r->path, next);
        buffer_append(&r->path, SLICE(".pem"));
    } else {
        size_t before = (size_t)(at - file.data);
        buffer_append(&r->path, slice_part(file, 0, before));
        buffer_append(&r->path, next);
        buffer_append(&r->path, slice_from(file, before + old.len));
    }
}

static int make_or_read(struct rotation *r)
{
    struct dkim_making making = { .kind = private_key_kind(r->old_key),
                                  .bits = private_key_bits(r->old_key) };
    if (making.bits < 2048)
        making.bits = 2048;
    int code = dkim_read_making(r->call, &making);
    char *file = code != 0 ? NULL
                 : slice_to_string(r->both != NULL ? r->both->path : buffer_slice(&r->path));
    if (code == 0 && file == NULL)
        code = EX_OSERR;
    if (code == 0 && r->both == NULL && access(file, F_OK) != 0) {
        code = dkim_make_key(file, &making);
        if (code == 0)
            printf("%s is new: the key of %.*s.\n", file,
                   (int)buffer_len(&r->selector), buffer_slice(&r->selector).data);
    }
    if (code == 0)
        code = dkim_read_key(file, &r->key);
    free(file);
    return code;
}

static int say_wait(const struct rotation *r, const struct dkim_found *found)
{
    struct dkim_name name = { r->domain->name, buffer_slice(&r->selector) };
    struct buffer text;
    buffer_init(&text, DKIM_RECORD_MAX + DKIM_NAME_MAX);
    dkim_append_zone(&name, r->key, &text);
    struct slice s = buffer_slice(&text);
    printf("It may not sign yet: %s%s%s.%s\nThe record to publish; then ask again:\n\n%.*s",
           dkim_served_text(found->served), found->why == NULL ? "" : ": ",
           found->why == NULL ? "" : found->why,
           r->both != NULL ? " But it is configured already: others cannot check it." : "",
           (int)s.len, s.data);
    buffer_free(&text);
    return EX_TEMPFAIL;
}

/* The whole list, with the new one in the old one's place. */
static void append_list(const struct rotation *r, struct buffer *out)
{
    const struct config_domain *d = r->domain;
    const char *before = "";
    buffer_append(out, SLICE("    dkim: ["));
    for (size_t i = 0; i < d->dkim_count; i++) {
        const struct config_dkim *one = &d->dkim[i];
        if (one == r->old && r->both != NULL)
            continue;
        buffer_append_string(out, before);
        buffer_append(out, SLICE("{ selector: "));
        buffer_append(out, one == r->old ? buffer_slice(&r->selector) : one->selector);
        buffer_append(out, SLICE(", key: \""));
        buffer_append(out, one == r->old ? buffer_slice(&r->path) : one->path);
        buffer_append(out, SLICE("\" }"));
        before = ",\n           ";
    }
    buffer_append(out, SLICE("]\n"));
}

/* What is submitted is signed then, and may be held before its lifetime begins (RFC 4865). */
static int64_t longest_hold(const struct config *config)
{
    for (size_t i = 0; i < config->listeners_count; i++)
        if (config->listeners[i].role == CONFIG_ROLE_SUBMISSION)
            return config->limits.future_release_ms;
    return 0;
}

static int64_t longest_wait(const struct config *config)
{
    const struct config_queue *q = &config->queue;
    int64_t mail_ms = longest_hold(config) + q->lifetime_ms;
    return mail_ms > q->report_lifetime_ms ? mail_ms : q->report_lifetime_ms;
}

static int say_switch(const struct rotation *r)
{
    struct buffer text;
    int64_t keep_ms = longest_wait(r->config) + OTHERS_MS;
    buffer_init(&text, 64 * 1024);
    buffer_append_format(&text, "The DNS serves it: it may sign. Say in the configuration, "
                         "and then godwit reload:\n\ndomains:\n  %.*s:\n",
                         (int)r->domain->name.len, r->domain->name.data);
    append_list(r, &text);
    buffer_append(&text, SLICE("\nMail that "));
    buffer_append(&text, r->old->selector);
    buffer_append(&text, SLICE(" has signed may still be under way: its record is needed "));
    show_duration(&text, keep_ms);
    buffer_append(&text, SLICE(" from\nthe reload on. If that is now, record and file may go "
                               "after "));
    show_time(&text, moment_now().wall_ms + keep_ms);
    buffer_append(&text, SLICE(".\n"));
    struct slice s = buffer_slice(&text);
    fwrite(s.data, 1, s.len, stdout);
    buffer_free(&text);
    return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

static int run_rotation(struct rotation *r)
{
    struct dkim_found found;
    int code = dkim_source(r->call, &r->source);
    if (code == 0)
        code = choose_domain(r);
    if (code == 0)
        code = choose_old(r);
    if (code == 0)
        code = dkim_read_key_at(r->old->path, &r->old_key);
    if (code == 0)
        name_file(r);
    if (code == 0)
        code = make_or_read(r);
    if (code != 0)
        return code;
    struct dkim_name name = { r->domain->name, buffer_slice(&r->selector) };
    if (!dkim_look_up(&r->source, &name, r->key, &found))
        return EX_UNAVAILABLE;
    return found.served == DKIM_SERVED ? say_switch(r) : say_wait(r, &found);
}

int dkim_rotate(const struct cli_call *call)
{
    struct rotation r = { .call = call };
    int code = place_load(place_config_file(cli_value(call, "config")), NULL, &r.config);
    if (code != 0)
        return code;
    buffer_init(&r.selector, DKIM_NAME_MAX);
    buffer_init(&r.path, PATH_MAX_OCTETS);
    code = run_rotation(&r);
    check_source_close(&r.source);
    private_key_drop(&r.old_key);
    private_key_drop(&r.key);
    buffer_free(&r.selector);
    buffer_free(&r.path);
    config_drop(&r.config);
    return code;
}
