/* maildir_test.c: mailboxes in a folder of the test's own. */
#include "maildir/maildir.h"

#include "base/fake_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct moment now = { .mono_ms = 1, .wall_ms = 1790000000123 };
static const struct maildir_quota no_quota = { 0, 0 };

static unsigned count(const char *below, char *out_last)
{
    unsigned found = 0;
    DIR *list = opendir(fake_folder_at(below));
    assert_non_null(list);
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.') {
            found++;
            if (out_last != NULL)
                snprintf(out_last, 256, "%s", entry->d_name);
        }
    closedir(list);
    return found;
}

static void put(struct maildir *m, const char *text)
{
    struct maildir_message *message;
    assert_int_equal(maildir_create(m, SLICE("mx/a:b"), now, &message), ERR_OK);
    assert_int_equal(maildir_append(message, slice_from_string(text)), ERR_OK);
    assert_int_equal(maildir_append(message, SLICE("")), ERR_OK);
    assert_int_equal(maildir_commit(&message), ERR_OK);
    assert_null(message);
}

static void a_message_arrives(void **state)
{
    (void)state;
    struct maildir *m;
    char name[256];
    struct stat status;
    assert_int_equal(maildir_open(fake_folder, SLICE("example.com/anna"), &m), ERR_OK);
    put(m, "Subject: x\n\nhello\n");
    assert_int_equal(count("example.com/anna/new", name), 1);
    assert_int_equal(count("example.com/anna/tmp", NULL), 0);
    assert_non_null(strstr(name, ".mx\\057a\\072b,S=18"));
    assert_int_equal(strncmp(name, "1790000000.M123000P", 19), 0);
    assert_int_equal(stat(fake_folder_at("example.com/anna"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    char path[600];
    snprintf(path, sizeof path, "example.com/anna/new/%s", name);
    assert_int_equal(stat(fake_folder_at(path), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_nlink, 1);
    for (int i = 0; i < 50; i++)
        put(m, "x");
    assert_int_equal(count("example.com/anna/new", NULL), 51);
    maildir_close(&m);
    maildir_close(&m);
}

static void an_aborted_message_leaves_nothing(void **state)
{
    (void)state;
    struct maildir *m;
    struct maildir_message *message;
    assert_int_equal(maildir_open(fake_folder, SLICE("bob"), &m), ERR_OK);
    assert_int_equal(maildir_create(m, SLICE("mx"), now, &message), ERR_OK);
    assert_int_equal(maildir_append(message, SLICE("half")), ERR_OK);
    assert_int_equal(count("bob/tmp", NULL), 1);
    maildir_abort(&message);
    maildir_abort(&message);
    assert_int_equal(count("bob/tmp", NULL), 0);
    assert_int_equal(count("bob/new", NULL), 0);
    maildir_close(&m);
}

static void names_are_only_names(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        SLICE_INIT("a/../b"), SLICE_INIT("../x"), SLICE_INIT("."), SLICE_INIT(".hidden"),
        SLICE_INIT("a//b"), SLICE_INIT("/etc"), SLICE_INIT("a\0b"), SLICE_INIT("a\nb"),
        SLICE_INIT("\xff"), SLICE_INIT("a/.b"),
    };
    struct maildir *m = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(maildir_open(fake_folder, bad[i], &m), ERR_INVALID);
    static const char *const literal[] = { "|", "*", "%00", "-oQ", ":include:x", "a\\b" };
    for (size_t i = 0; i < 6; i++)
        assert_true(maildir_name_is_safe(slice_from_string(literal[i])));
    static const char *const unsafe[] = { "", "|/bin/sh", "/etc/passwd", "../../x" };
    for (size_t i = 0; i < 4; i++)
        assert_false(maildir_name_is_safe(slice_from_string(unsafe[i])));
    assert_int_equal(maildir_open(fake_folder_at("absent"), SLICE("x"), &m), ERR_ABSENT);
    assert_int_not_equal(access(fake_folder_at("absent"), F_OK), 0);
    assert_int_equal(symlink("/tmp", fake_folder_at("link")), 0);
    assert_int_equal(maildir_open(fake_folder, SLICE("link"), &m), ERR_DENIED);
    assert_null(m);
}

static void write_file(const char *below, const char *text)
{
    int fd = open(fake_folder_at(below), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void assert_file(const char *below, const char *want)
{
    char text[6000] = "";
    int fd = open(fake_folder_at(below), O_RDONLY);
    assert_true(fd >= 0);
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(len >= 0);
    assert_string_equal(text, want);
}

static bool fits(struct maildir *m, const struct maildir_quota *quota, uint64_t size,
                 struct moment when)
{
    bool room = false;
    assert_int_equal(maildir_fits(m, quota, size, when, &room), ERR_OK);
    return room;
}

static void the_quota_is_kept(void **state)
{
    (void)state;
    struct maildir *m;
    struct maildir_quota quota = { .bytes = 100, .messages = 5 };
    struct moment today = moment_now();
    assert_int_equal(maildir_open(fake_folder, SLICE("carl"), &m), ERR_OK);
    assert_true(fits(m, &no_quota, UINT64_MAX, today));
    assert_int_equal(maildir_account(m, &no_quota, 10), ERR_OK);
    assert_int_not_equal(access(fake_folder_at("carl/maildirsize"), F_OK), 0);
    put(m, "0123456789");
    assert_true(fits(m, &quota, 90, today));
    assert_false(fits(m, &quota, 91, today));
    assert_file("carl/maildirsize", "100S,5C\n10 1\n");
    assert_int_equal(maildir_account(m, &quota, 50), ERR_OK);
    assert_file("carl/maildirsize", "100S,5C\n10 1\n50 1\n");
    assert_true(fits(m, &quota, 40, today));
    assert_false(fits(m, &quota, 41, today));
    /* it says full, but it is old: count again */
    today.wall_ms += HOUR_MS;
    assert_true(fits(m, &quota, 41, today));
    assert_file("carl/maildirsize", "100S,5C\n10 1\n");
    /* the trash is free, folders are not */
    write_file("carl/cur/1.x,S=70:2,ST", "gone");
    assert_int_equal(mkdir(fake_folder_at("carl/.Sent"), 0700), 0);
    assert_int_equal(mkdir(fake_folder_at("carl/.Sent/cur"), 0700), 0);
    write_file("carl/.Sent/cur/2.x:2,S", "12345");
    assert_int_equal(mkdir(fake_folder_at("carl/.Trash"), 0700), 0);
    assert_int_equal(mkdir(fake_folder_at("carl/.Trash/cur"), 0700), 0);
    write_file("carl/.Trash/cur/3.x:2,S", "12345");
    static const char *const useless[] = {
        "", "99S\n1 1\n", "100S,5C\nx\n", "100S,5C\n1\n", "100S,5C\n1 1", "100S,5C\n1 1 1\n",
        "100S,5C\n99999999999999999999 1\n", "100S,5C",
    };
    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        write_file("carl/maildirsize", useless[i]);
        assert_true(fits(m, &quota, 85, today));
        assert_false(fits(m, &quota, 86, today));
        assert_file("carl/maildirsize", "100S,5C\n15 2\n");
    }
    write_file("carl/maildirsize", "100S,5C\n200 9\n-150 -7\n");
    assert_true(fits(m, &quota, 50, today));
    struct maildir_quota messages = { .messages = 2 };
    assert_false(fits(m, &messages, 1, today));
    assert_file("carl/maildirsize", "2C\n15 2\n");
    maildir_close(&m);
}

static enum err open_of(const char *template, struct slice address,
                        enum maildir_missing missing, struct buffer *path)
{
    struct maildir *m = NULL;
    buffer_clear(path);
    enum err error =
        maildir_open_of(slice_from_string(fake_folder_at(template)), address, missing, path, &m);
    assert_int_equal(error == ERR_OK, m != NULL);
    maildir_close(&m);
    return error;
}

static void a_template_leads_to_a_mailbox(void **state)
{
    (void)state;
    static const struct {
        const char *template;
        struct slice address;
        const char *below; /* NULL: no mailbox's name */
    } rows[] = {
        { "{user}", SLICE_INIT("Ann@A.Example"), "ann" },
        { "{domain}/{user}", SLICE_INIT("\"b\\ob\"@A.Example"), "a.example/bob" },
        { "{domain}/x-{user}/Maildir/", SLICE_INIT("c@b"), "b/x-c/Maildir" },
        { "u-{domain}/{user}", SLICE_INIT("e@b\xc3\xbc" "cher.example"),
          "u-xn--bcher-kva.example/e" },
        { "a-{domain}/{user}", SLICE_INIT("e@XN--Bcher-kva.Example"),
          "a-xn--bcher-kva.example/e" },
        { "fixed", SLICE_INIT("d@b"), "fixed" },
        { "{user}", SLICE_INIT("\"a@b\"@c"), "a@b" },
        { "{user}", SLICE_INIT("\"../x\"@c"), NULL },
        { "{user}", SLICE_INIT("\"a/b\"@c"), NULL },
        { "{user}", SLICE_INIT("\".a\"@c"), NULL },
        { "{domain}", SLICE_INIT("postmaster"), NULL },
        { "{domain}", SLICE_INIT("f@../x"), NULL },
    };
    struct buffer path;
    buffer_init(&path, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *t = rows[i].template;
        enum err want = rows[i].below == NULL ? ERR_INVALID : ERR_OK;
        assert_int_equal(open_of(t, rows[i].address, MAILDIR_LEAVE, &path),
                         want == ERR_OK ? ERR_ABSENT : want);
        if (want == ERR_OK)
            assert_int_not_equal(access(fake_folder_at(rows[i].below), F_OK), 0);
        assert_int_equal(open_of(t, rows[i].address, MAILDIR_MAKE, &path), want);
        if (want != ERR_OK)
            continue;
        assert_true(slice_starts_with_nocase(buffer_slice(&path),
                                             slice_from_string(fake_folder_at(rows[i].below))));
        assert_int_equal(access(fake_folder_at(rows[i].below), F_OK), 0);
        assert_int_equal(open_of(t, rows[i].address, MAILDIR_LEAVE, &path), ERR_OK);
    }
    assert_int_equal(open_of("absent/{user}", SLICE("a@b"), MAILDIR_MAKE, &path),
                     ERR_ABSENT);
    struct maildir *m = NULL;
    assert_int_equal(maildir_open_of(SLICE("{user}"), SLICE("a@b"), MAILDIR_MAKE, &path,
                                     &m), ERR_INVALID);
    buffer_free(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_arrives, fake_folder_make, fake_folder_remove),
        cmocka_unit_test_setup_teardown(an_aborted_message_leaves_nothing, fake_folder_make,
                                        fake_folder_remove),
        cmocka_unit_test_setup_teardown(names_are_only_names, fake_folder_make, fake_folder_remove),
        cmocka_unit_test_setup_teardown(a_template_leads_to_a_mailbox, fake_folder_make,
                                        fake_folder_remove),
        cmocka_unit_test_setup_teardown(the_quota_is_kept, fake_folder_make, fake_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
