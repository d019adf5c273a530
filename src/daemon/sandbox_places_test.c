/* sandbox_places_test.c: which folders a configuration names, and which lie in others. */
#include "daemon/sandbox.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/godwit-places-XXXXXX";

static int make_folder(void **state)
{
    char path[64];
    (void)state;
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/mail", folder);
    return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "%s/mail", folder);
    rmdir(path);
    return rmdir(folder);
}

static bool has(const struct sandbox_places *places, const char *below,
                enum sandbox_access access)
{
    char path[64];
    snprintf(path, sizeof path, "%s%s", folder, below);
    for (size_t i = 0; i < places->count; i++)
        if (slice_equal(slice_from_string(places->all[i].path), slice_from_string(path)) &&
            places->all[i].access == access)
            return true;
    return false;
}

static void a_configuration_names_its_folders(void **state)
{
    struct sandbox_places places;
    struct config config = { .data = SLICE("/") };
    struct config_route routes[2] = {
        { .deliver = { .way = CONFIG_WAY_MAILDIR } }, { .deliver = { .way = CONFIG_WAY_LMTP } },
    };
    char data[64], users[64], box[64], log[64];
    (void)state;
    snprintf(data, sizeof data, "%s/yet/to/be", folder);
    snprintf(users, sizeof users, "%s/absent/users", folder);
    snprintf(box, sizeof box, "%s/mail/{domain}/{user}", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    config.data = slice_from_string(data);
    config.log_file = slice_from_string(log);
    config.dns.trust_anchor = slice_from_string(users);
    routes[0].deliver.path = slice_from_string(box);
    routes[1].deliver.path = slice_from_string("/nowhere");
    config.routes = routes;
    config.routes_count = 2;
    assert_int_equal(sandbox_places_make(&config, slice_make(NULL, 0), &places), ERR_OK);
    assert_true(has(&places, "", SANDBOX_WRITE));      /* where data will lie; the log */
    assert_true(has(&places, "/mail", SANDBOX_WRITE));
    assert_true(has(&places, "", SANDBOX_LIST));
    assert_false(has(&places, "/absent", SANDBOX_READ));
    for (size_t i = 0; i < places.count; i++)
        assert_string_not_equal(places.all[i].path, "/nowhere");
    sandbox_places_free(&places);
    assert_int_equal(places.count, 0);
}

static void what_lies_in_what(void **state)
{
    static const struct {
        const char *held;
        enum sandbox_access access;
        const char *wanted;
        enum sandbox_access as;
        bool is_held;
    } cases[] = {
        { "/a/b", SANDBOX_WRITE, "/a/b", SANDBOX_WRITE, true },
        { "/a/b", SANDBOX_WRITE, "/a/b/c", SANDBOX_READ, true },
        { "/a/b/", SANDBOX_WRITE, "/a/b/c", SANDBOX_READ, true },
        { "/", SANDBOX_READ, "/a", SANDBOX_READ, true },
        { "/a/b", SANDBOX_WRITE, "/a/bc", SANDBOX_READ, false },
        { "/a/b", SANDBOX_WRITE, "/a", SANDBOX_LIST, false },
        { "/a/b", SANDBOX_READ, "/a/b", SANDBOX_WRITE, false },
        { "/a/b", SANDBOX_LIST, "/a/b/c", SANDBOX_READ, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sandbox_place one = { (char *)(uintptr_t)cases[i].held, cases[i].access };
        struct sandbox_place other = { (char *)(uintptr_t)cases[i].wanted, cases[i].as };
        struct sandbox_places held = { &one, 1 }, wanted = { &other, 1 };
        const struct sandbox_place *beyond = sandbox_places_beyond(&held, &wanted);
        assert_ptr_equal(beyond, cases[i].is_held ? NULL : &other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_names_its_folders),
        cmocka_unit_test(what_lies_in_what),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
