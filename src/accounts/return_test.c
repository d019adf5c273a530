/* return_test.c: what aliases forward has another sender, and what comes back to that one
 * finds the first (SRS). */
#include "accounts/accounts.h"
#include "base/moment.h"
#include "mail/srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char yaml[] =
    "hostname: mx.example\n"
    "domains:\n"
    "  our.example: { users: [ann, bob], deliver: { maildir: /m },\n"
    "                 aliases: { away: [ann, x@far.example, y@relayed.example],\n"
    "                            near: bob, twice: [away, x@far.example] } }\n"
    "  fwd.example: { users: [zed], aliases: { '*': zed }, deliver: { maildir: /m } }\n"
    "  relayed.example: { relay: true }\n"
    "srs: { domain: Fwd.example, secret: '%s' }\n";

static const struct config *config;

static bool write_file(char *name, const char *text)
{
    int fd = mkstemp(name);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return done;
}

static int setup(void **state)
{
    char secret[] = "/tmp/godwit-secret-XXXXXX", name[] = "/tmp/godwit-return-XXXXXX";
    char text[sizeof yaml + sizeof secret];
    struct config_error error;
    (void)state;
    assert_true(write_file(secret, "a secret of some octets\nanother secret, older\n"));
    snprintf(text, sizeof text, yaml, secret);
    assert_true(write_file(name, text));
    enum err result = config_load(slice_from_string(name), NULL, &config, &error);
    unlink(name);
    unlink(secret);
    if (result != ERR_OK)
        print_error("%s\n", error.text);
    return result == ERR_OK ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    config_drop(&config);
    return 0;
}

/* "address!" for each that is forwarded, "address" for the others. */
static void assert_expands(const char *sender, const char *to, const char *expected)
{
    struct arena arena;
    struct envelope out;
    char got[512] = "";
    struct envelope_recipient r = { .address = slice_from_string(to) };
    struct envelope in = { .sender = slice_from_string(sender), .recipients = &r,
                           .recipients_count = 1 };
    arena_init(&arena, 1 << 20);
    assert_int_equal(accounts_expand(config, &in, &arena, &out), ERR_OK);
    for (size_t i = 0; i < out.recipients_count; i++) {
        const struct envelope_recipient *f = &out.recipients[i];
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s%s", i == 0 ? "" : " ",
                 (int)f->address.len, f->address.data, f->forwarded ? "!" : "");
    }
    arena_free(&arena);
    assert_string_equal(got, expected);
}

static void what_leads_away_is_forwarded(void **state)
{
    (void)state;
    assert_expands("s@far.example", "away@our.example",
                   "ann@our.example x@far.example! y@relayed.example");
    assert_expands("s@far.example", "twice@our.example",
                   "ann@our.example x@far.example! y@relayed.example");
    assert_expands("s@far.example", "near@our.example", "bob@our.example");
    assert_expands("s@far.example", "x@far.example", "x@far.example");
    assert_expands("", "away@our.example", "ann@our.example x@far.example y@relayed.example");
    assert_expands("bob@our.example", "away@our.example",
                   "ann@our.example x@far.example y@relayed.example");
    assert_expands("any@relayed.example", "away@our.example",
                   "ann@our.example x@far.example y@relayed.example");
}

static void make_return(const char *sender, int64_t days_ago, char out[512])
{
    static const struct slice secret = SLICE_INIT("another secret, older");
    const struct srs srs = { .domain = SLICE("fwd.example"), .secrets = &secret,
                             .secrets_count = 1 };
    struct buffer b = { .memory = out, .capacity = 511, .max = 511 };
    assert_int_equal(srs_forward(&srs, slice_from_string(sender),
                                 srs_day(moment_now().wall_ms) - days_ago, &b), ERR_OK);
    out[b.end] = '\0';
}

static void assert_kind(const char *address, enum account_kind want)
{
    enum account_kind kind;
    assert_int_equal(accounts_find(config, slice_from_string(address), &kind), ERR_OK);
    assert_int_equal(kind, want);
}

static void what_comes_back_finds_the_sender(void **state)
{
    (void)state;
    char address[512];
    make_return("Sue.B@far.example", 0, address);
    assert_kind(address, ACCOUNT_ALIAS);
    assert_expands("", address, "Sue.B@far.example");
    assert_expands("auto@third.example", address, "Sue.B@far.example!");
    make_return("bob@our.example", 20, address); /* it has become ours since */
    assert_expands("", address, "bob@our.example");
}

static void what_is_forged_or_old_is_not_believed(void **state)
{
    (void)state;
    char address[512];
    make_return("sue@far.example", 23, address);
    assert_expands("", address, "zed@fwd.example"); /* the catch-all */
    make_return("sue@far.example", 0, address);
    address[5] = address[5] == 'x' ? 'y' : 'x';
    assert_expands("", address, "zed@fwd.example");
    make_return("sue@far.example", 0, address);
    memcpy(strrchr(address, '@'), "@our.example", sizeof "@our.example");
    assert_kind(address, ACCOUNT_UNKNOWN); /* another domain of ours is not asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leads_away_is_forwarded),
        cmocka_unit_test(what_comes_back_finds_the_sender),
        cmocka_unit_test(what_is_forged_or_old_is_not_believed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
