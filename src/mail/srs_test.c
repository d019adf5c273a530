/* srs_test.c: senders written anew and back. */
#include "mail/srs.h"

#include "wire/smtp/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TODAY = 20000, DAYS = 21 };

static const struct slice secrets[] = {
    SLICE_INIT("the new secret of ours"), SLICE_INIT("the secret of before"),
};
static const struct srs ours = {
    .domain = SLICE_INIT("fwd.test"), .secrets = secrets, .secrets_count = 2, .days_max = DAYS,
};

static enum err forward(const struct srs *srs, const char *sender, char out[2048])
{
    struct buffer b = { .memory = out, .capacity = 2047, .max = 2047 };
    enum err error = srs_forward(srs, slice_from_string(sender), TODAY, &b);
    out[b.end] = '\0';
    return error;
}

/* Of a whole address: the local part counts. */
static enum err reverse_on(const struct srs *srs, const char *address, int64_t day,
                           char out[2048])
{
    struct buffer b = { .memory = out, .capacity = 2047, .max = 2047 };
    struct smtp_address a;
    assert_int_equal(smtp_address_parse(slice_from_string(address), SMTP_UTF8_ALLOWED, &a),
                     SMTP_PATH_OK);
    enum err error = srs_reverse(srs, a.local, day, &b);
    out[b.end] = '\0';
    return error;
}

static void there_and_back(void **state)
{
    (void)state;
    static const char *const senders[] = {
        "ann@far.test", "Ann.B+tag=x@Far.Test", "\"a b\\\"c\"@far.test", "\"@\"@far.test",
        "j\xc3\xb6rg@gr\xc3\xbcn.test", "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]", "=@a.test",
        "SRS2=x@far.test", "SRS0x@far.test",
    };
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
        char there[2048], back[2048];
        assert_int_equal(forward(&ours, senders[i], there), ERR_OK);
        assert_true(strncmp(there, "SRS0=", 5) == 0 || strncmp(there, "\"SRS0=", 6) == 0);
        assert_string_equal(strrchr(there, '@'), "@fwd.test");
        assert_int_equal(reverse_on(&ours, there, TODAY, back), ERR_OK);
        assert_string_equal(back, senders[i]);
    }
}

static void the_form_is_that_of_others(void **state)
{
    (void)state;
    char there[2048];
    assert_int_equal(forward(&ours, "ann@far.test", there), ERR_OK);
    /* SRS0= eight digits = day 20000 % 1024 in base 32 = domain = local */
    assert_int_equal(strlen(there), strlen("SRS0=00000000=RA=far.test=ann@fwd.test"));
    assert_string_equal(there + 13, "=RA=far.test=ann@fwd.test");
}

static void what_was_forwarded_before_is_guarded(void **state)
{
    (void)state;
    char there[2048], again[2048], back[2048];
    assert_int_equal(forward(&ours, "SRS0=abcd=RA=far.test=ann@first.test", there), ERR_OK);
    assert_non_null(strstr(there, "=first.test==abcd=RA=far.test=ann@fwd.test"));
    assert_true(strncmp(there, "SRS1=", 5) == 0);
    assert_int_equal(reverse_on(&ours, there, TODAY, back), ERR_OK);
    assert_string_equal(back, "SRS0=abcd=RA=far.test=ann@first.test");
    /* Further hops do not make it longer. */
    const struct srs third = { .domain = SLICE("third.test"), .secrets = secrets + 1,
                               .secrets_count = 1, .days_max = DAYS };
    assert_int_equal(forward(&third, there, again), ERR_OK);
    assert_int_equal(strlen(again), strlen(there) + strlen("third") - strlen("fwd"));
    assert_int_equal(reverse_on(&third, again, TODAY, back), ERR_OK);
    assert_string_equal(back, "SRS0=abcd=RA=far.test=ann@first.test");
    /* What only looks so is an address like any other. */
    assert_int_equal(forward(&ours, "SRS1=abcd==ef@first.test", there), ERR_OK);
    assert_int_equal(reverse_on(&ours, there, TODAY, back), ERR_OK);
    assert_string_equal(back, "SRS1=abcd==ef@first.test");
    assert_int_equal(forward(&ours, "SRS0+abcd=RA=far.test=ann@first.test", there), ERR_OK);
    assert_int_equal(reverse_on(&ours, there, TODAY, back), ERR_OK);
    assert_string_equal(back, "SRS0+abcd=RA=far.test=ann@first.test");
}

static void it_is_good_for_a_time(void **state)
{
    (void)state;
    char there[2048], back[2048];
    assert_int_equal(forward(&ours, "ann@far.test", there), ERR_OK);
    assert_int_equal(reverse_on(&ours, there, TODAY + DAYS, back), ERR_OK);
    assert_int_equal(reverse_on(&ours, there, TODAY + DAYS + 1, back), ERR_INVALID);
    assert_int_equal(reverse_on(&ours, there, TODAY - 1, back), ERR_OK);
    assert_int_equal(reverse_on(&ours, there, TODAY - 2, back), ERR_INVALID);
    assert_string_equal(back, "");
}

static void every_octet_is_sealed(void **state)
{
    (void)state;
    char there[2048], back[2048];
    assert_int_equal(forward(&ours, "ann@far.test", there), ERR_OK);
    for (char *at = there; *at != '@'; at++) {
        char was = *at;
        *at = was == 'x' ? 'y' : 'x';
        assert_int_not_equal(reverse_on(&ours, there, TODAY, back), ERR_OK);
        assert_string_equal(back, "");
        *at = was;
    }
    for (char *at = there; *at != '@'; at++) /* but not its case */
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
    assert_int_equal(reverse_on(&ours, there, TODAY, back), ERR_OK);
}

static void older_secrets_are_believed(void **state)
{
    (void)state;
    char there[2048], back[2048];
    const struct srs before = { .domain = SLICE("fwd.test"), .secrets = secrets + 1,
                                .secrets_count = 1, .days_max = DAYS };
    const struct srs stranger = { .domain = SLICE("fwd.test"),
                                  .secrets = &SLICE("somebody else's"),
                                  .secrets_count = 1, .days_max = DAYS };
    assert_int_equal(forward(&before, "ann@far.test", there), ERR_OK);
    assert_int_equal(reverse_on(&ours, there, TODAY, back), ERR_OK);
    assert_int_equal(reverse_on(&stranger, there, TODAY, back), ERR_INVALID);
    assert_int_equal(forward(&ours, "ann@far.test", there), ERR_OK);
    assert_int_equal(reverse_on(&before, there, TODAY, back), ERR_INVALID);
}

static void what_is_none(void **state)
{
    (void)state;
    static const struct { const char *address; enum err result; } cases[] = {
        { "ann@fwd.test", ERR_ABSENT }, { "SRS@fwd.test", ERR_ABSENT },
        { "SRS0@fwd.test", ERR_ABSENT }, { "SRS2=a=b=c=d@fwd.test", ERR_ABSENT },
        { "srs0=@fwd.test", ERR_INVALID }, { "SRS0=a@fwd.test", ERR_INVALID },
        { "SRS0==RA=far.test=ann@fwd.test", ERR_INVALID },
        { "SRS1=a=b@fwd.test", ERR_INVALID }, { "SRS1=@fwd.test", ERR_INVALID },
    };
    char out[2048], sender[400];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(reverse_on(&ours, cases[i].address, TODAY, out), cases[i].result);
    assert_int_equal(forward(&ours, "", out), ERR_INVALID);
    assert_int_equal(forward(&ours, "postmaster", out), ERR_INVALID);
    assert_int_equal(forward(&ours, "\xff@a.test", out), ERR_INVALID);
    snprintf(sender, sizeof sender, "%0240d@far.test", 1);
    assert_int_equal(forward(&ours, sender, out), ERR_INVALID); /* nothing so long is an address */
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(the_form_is_that_of_others),
        cmocka_unit_test(what_was_forwarded_before_is_guarded),
        cmocka_unit_test(it_is_good_for_a_time), cmocka_unit_test(every_octet_is_sealed),
        cmocka_unit_test(older_secrets_are_believed), cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
