/* users_test.c: users files, and who may log in. */
#include "config/fake_file_private.h"

/* Submission asks for a log-in where anybody can, relay does not. */
static void test_auth(const char *users)
{
    char yaml[600];
    const struct config *c;
    snprintf(yaml, sizeof yaml,
             "listen: [{ address: '587', role: submission }, { address: '25' },\n"
             "         { address: '26', auth: offered, auth_in_clear: true },\n"
             "         { address: '588', role: submission, auth: none }]\n"
             "domains: { a.example: { users: %s, deliver: { maildir: /m },\n"
             "           senders: { sales: [ann, x@b.test], '*': bob } } }", users);
    c = load(yaml, NULL);
    static const enum config_auth want[] = { CONFIG_AUTH_REQUIRED, CONFIG_AUTH_NONE,
                                             CONFIG_AUTH_OFFERED, CONFIG_AUTH_NONE };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(c->listeners[i].auth, want[i]);
    assert_true(c->listeners[2].auth_in_clear && !c->listeners[0].auth_in_clear);
    const struct config_domain *d = config_domain(c, SLICE("a.example"));
    assert_slice(config_domain_senders(d, SLICE("sales"))->targets[0], "ann@a.example");
    assert_non_null(config_domain_senders(d, SLICE("*")));
    assert_null(config_domain_senders(d, SLICE("ann")));
    config_drop(&c);
}

static void test_users_file(void **state)
{
    char users[] = "/tmp/godwit-users-XXXXXX";
    char wrong[] = "/tmp/godwit-users-XXXXXX";
    char yaml[400];
    const struct config *c;
    struct config_error error;
    (void)state;
    write_file(users, "# people\n\nann\r\n  Bob  :{SSHA}x:y\n\"john doe\"\n:nobody\nlast");
    write_file(wrong, "ann\nb@b\n");
    snprintf(yaml, sizeof yaml, "domains: { a.example: { users: %s, "
             "deliver: { maildir: /m } } }", users);
    c = load(yaml, NULL);
    const struct config_domain *d = config_domain(c, SLICE("a.example"));
    assert_int_equal(d->users_count, 4);
    assert_true(config_domain_has_user(d, SLICE("bob")));
    assert_true(config_domain_has_user(d, SLICE("john doe")) &&
                config_domain_has_user(d, SLICE("last")));
    assert_slice(config_domain_user(d, SLICE("bob"))->secret, "{SSHA}x:y");
    assert_slice(config_domain_user(d, SLICE("ann"))->secret, "");
    assert_true(c->has_logins);
    config_drop(&c);
    test_auth(users);
    snprintf(yaml, sizeof yaml, "domains: { a.example: { users: %s } }", wrong);
    assert_int_equal(config_load_text(slice_from_string(yaml), SLICE("g.yaml"), NULL, &c,
                                      &error), ERR_INVALID);
    snprintf(yaml, sizeof yaml, "%s:2: 'b@b' is not a local part", wrong);
    assert_non_null(strstr(error.text, yaml));
    unlink(users);
    unlink(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
