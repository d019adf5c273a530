/* suppression_test.c: the list over a real store, and the gate. */
#include "policy/suppression.h"

#include "base/fake_folder.h"
#include "base/list.h"
#include "base/moment.h"
#include "config/config.h"
#include "wire/smtp/address.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW = 1000000 };

/* Answers are run where they are posted from. */
struct fake_home {
    struct home home;
    sem_t done;
};

static void fake_post(struct home *home, struct task *first, struct task *last)
{
    (void)home;
    assert_ptr_equal(first, last);
    first->run(first);
}

static struct world {
    struct fake_home home;
    struct store *store;
    struct suppression *list;
} w;

static void open_list(void)
{
    static const struct store_module *const modules[] = { &suppression_module, NULL };
    struct store_options options = { .path = fake_folder_at("store.db"), .modules = modules };
    assert_int_equal(store_open(&options, &w.store), ERR_OK);
    assert_int_equal(suppression_open(w.store, &w.list), ERR_OK);
}

static void close_list(void)
{
    store_close(&w.store);
    suppression_close(&w.list);
}

static int begin(void **state)
{
    (void)state;
    assert_int_equal(fake_folder_make(NULL), 0);
    w.home.home.post = fake_post;
    sem_init(&w.home.done, 0, 0);
    open_list();
    return 0;
}

static int end(void **state)
{
    close_list();
    sem_destroy(&w.home.done);
    return fake_folder_remove(state);
}

static void on_page(struct suppression_page *page)
{
    (void)page;
    sem_post(&w.home.done);
}

/* Also waits for all that was posted before. */
static struct suppression_page *read_page(const char *after, bool only, size_t limit)
{
    static struct suppression_entry entries[100];
    static struct suppression_page page;
    buffer_free(&page.texts);
    page = (struct suppression_page){
        .after = slice_from_string(after), .only = only, .entries = entries, .limit = limit,
        .now_wall_ms = NOW, .home = &w.home.home, .done = on_page,
    };
    buffer_init(&page.texts, 1 << 20);
    suppression_read(w.list, &page);
    sem_wait(&w.home.done);
    assert_int_equal(page.result, ERR_OK);
    return &page;
}

static void on_change(struct suppression_change *change)
{
    (void)change;
    sem_post(&w.home.done);
}

static size_t change(bool removes, struct suppression_entry *entries, size_t count)
{
    struct suppression_change c = { .removes = removes, .entries = entries, .count = count,
                                    .home = &w.home.home, .done = on_change };
    suppression_change(w.list, &c);
    sem_wait(&w.home.done);
    assert_int_equal(c.result, ERR_OK);
    return c.changed;
}

static struct suppression_entry entry(const char *address, const char *why, int64_t until)
{
    return (struct suppression_entry){
        .address = slice_from_string(address), .why = slice_from_string(why),
        .text = SLICE("550 no such user"), .since_wall_ms = 500, .until_wall_ms = until,
    };
}

static bool has(const char *address, int64_t now)
{
    char why[SUPPRESSION_WHY_MAX + 1];
    int64_t since;
    return suppression_has(w.list, slice_from_string(address), now, why, &since);
}

static void addresses_have_one_form(void **state)
{
    (void)state;
    static const struct { const char *written; const char *form; } rows[] = {
        { "Ann@Example.COM", "ann@example.com" }, { "\"ann\"@example.com", "ann@example.com" },
        { "a@b\xc3\xbc" "cher.example", "a@xn--bcher-kva.example" }, { "ann", NULL },
        { "", NULL }, { "a@b@c", NULL }, { "<a@b.test>", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out;
        buffer_init(&out, 1000);
        bool good = suppression_address(slice_from_string(rows[i].written), &out);
        print_message("  %s\n", rows[i].written);
        assert_int_equal(good, rows[i].form != NULL);
        if (good)
            assert_true(slice_equal(buffer_slice(&out), slice_from_string(rows[i].form)));
        else
            assert_int_equal(buffer_len(&out), 0);
        buffer_free(&out);
    }
}

static void what_is_noted_ends(void **state)
{
    (void)state;
    struct suppression_entry e = entry("a@x.test", "userunknown", 2 * NOW);
    assert_true(suppression_note(w.list, &e));
    assert_true(has("a@x.test", NOW));
    assert_false(has("b@x.test", NOW));
    assert_false(has("a@x.test", 2 * NOW));
    suppression_expire(w.list, 2 * NOW - 1);
    assert_true(has("a@x.test", NOW));
    suppression_expire(w.list, 2 * NOW);
    assert_false(has("a@x.test", NOW));
    assert_int_equal(read_page("", false, 10)->count, 0);
}

/* A shorter one, or a machine's after a person's, changes nothing. */
static void what_lasts_longer_stays(void **state)
{
    (void)state;
    struct suppression_entry by_hand = entry("a@x.test", "manual", 2 * NOW);
    struct suppression_entry later = entry("a@x.test", "userunknown", 9 * NOW);
    struct suppression_entry ever = entry("b@x.test", "complaint", 0);
    struct suppression_entry short_one = entry("b@x.test", "userunknown", 2 * NOW);
    assert_int_equal(change(false, &by_hand, 1), 1);
    assert_int_equal(change(false, &by_hand, 1), 0);
    assert_true(suppression_note(w.list, &later));
    assert_false(has("a@x.test", 3 * NOW));
    assert_true(suppression_note(w.list, &ever));
    assert_true(suppression_note(w.list, &short_one));
    assert_true(has("b@x.test", 3 * NOW));
}

static void the_list_outlives_a_start(void **state)
{
    (void)state;
    struct suppression_entry two[] = { entry("b@x.test", "manual", 0),
                                       entry("a@x.test", "complaint", 0) };
    struct suppression_entry noted = entry("c@x.test", "userunknown", 5 * NOW);
    assert_int_equal(change(false, two, 2), 2);
    assert_true(suppression_note(w.list, &noted));
    close_list();
    open_list();
    struct suppression_page *page = read_page("", false, 10); /* behind the loading */
    assert_int_equal(page->count, 3);
    assert_false(page->more);
    assert_true(slice_equal(page->entries[0].address, SLICE("a@x.test")));
    assert_true(slice_equal(page->entries[0].why, SLICE("complaint")));
    assert_true(slice_equal(page->entries[2].text, SLICE("550 no such user")));
    assert_int_equal(page->entries[2].until_wall_ms, 5 * NOW);
    assert_true(has("b@x.test", NOW));
    assert_int_equal(change(true, two, 2), 2);
    assert_int_equal(change(true, two, 2), 0);
    close_list();
    open_list();
    assert_int_equal(read_page("", false, 10)->count, 1);
    assert_false(has("b@x.test", NOW));
    assert_true(has("c@x.test", NOW));
}

/* It is not there yet when it is taken out, and is not there afterwards. */
static void what_is_taken_out_while_the_list_is_read_stays_out(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static char addresses[MANY][24];
    static struct suppression_entry entries[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(addresses[i], sizeof addresses[i], "u%05d@x.test", i);
        entries[i] = entry(addresses[i], "manual", 0);
    }
    assert_int_equal(change(false, entries, MANY), MANY);
    close_list();
    open_list();
    change(true, &entries[MANY - 1], 1);
    assert_false(has(addresses[MANY - 1], NOW));
    assert_true(has(addresses[0], NOW));
    assert_int_equal(read_page(addresses[MANY - 1], true, 10)->count, 0);
    assert_true(suppression_note(w.list, &entries[MANY - 1])); /* and in again */
    assert_int_equal(read_page(addresses[MANY - 1], true, 10)->count, 1);
    assert_true(has(addresses[MANY - 1], NOW));
}

static void pages_follow_one_another(void **state)
{
    (void)state;
    char addresses[25][32];
    struct suppression_entry entries[25];
    for (int i = 0; i < 25; i++) {
        snprintf(addresses[i], sizeof addresses[i], "u%02d@x.test", i);
        entries[i] = entry(addresses[i], "manual", i == 7 ? NOW : 0); /* one has ended */
    }
    assert_int_equal(change(false, entries, 25), 25);
    char after[64] = "";
    size_t seen = 0;
    for (bool more = true; more;) {
        struct suppression_page *page = read_page(after, false, 10);
        seen += page->count;
        more = page->more;
        assert_int_equal(page->count, seen == 24 ? 4 : 10);
        struct slice last = page->entries[page->count - 1].address;
        snprintf(after, sizeof after, "%.*s", (int)last.len, last.data);
    }
    assert_int_equal(seen, 24);
    assert_int_equal(read_page("u03@x.test", true, 10)->count, 1);
    assert_int_equal(read_page("u0", true, 10)->count, 0);
}

static void without_a_store_it_lasts_while_we_do(void **state)
{
    (void)state;
    struct suppression *list;
    struct suppression_entry e = entry("a@x.test", "manual", 0);
    struct suppression_change c = { .entries = &e, .count = 1, .home = &w.home.home,
                                    .done = on_change };
    char why[SUPPRESSION_WHY_MAX + 1];
    int64_t since;
    assert_int_equal(suppression_open(NULL, &list), ERR_OK);
    suppression_change(list, &c);
    assert_int_equal(c.result, ERR_CLOSED);
    assert_int_equal(c.changed, 1);
    assert_true(suppression_has(list, e.address, NOW, why, &since));
    assert_string_equal(why, "manual");
    assert_int_equal(since, 500);
    suppression_close(&list);
}

/* ---- the gate ---- */

static const struct config *configuration(const char *yaml)
{
    const struct config *config;
    struct config_flags flags = { .hostname = SLICE("mx.test") };
    struct config_error error;
    char path[64];
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(config_load(slice_from_string(path), &flags, &config, &error), ERR_OK);
    close(fd);
    return config;
}

static void the_gate_is_for_ours(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *recipient;
        bool is_submission, is_trusted;
        const char *account;
        bool refuses;
    } rows[] = {
        { "suppression: { then: refuse }", "Ann@X.test", true, false, "", true },
        { "suppression: { then: refuse }", "ann@x.test", false, true, "", true },
        { "suppression: { then: refuse }", "ann@x.test", false, false, "me@y.test", true },
        { "suppression: { then: refuse }", "ann@x.test", false, false, "", false },
        { "suppression: { then: refuse }", "bob@x.test", true, false, "", false },
        { "suppression: { then: refuse }", "postmaster", true, false, "", false },
        { "", "ann@x.test", true, true, "me@y.test", false },
    };
    struct suppression_entry e = entry("ann@x.test", "userunknown", 0);
    struct gate *gate = suppression_gate(w.list);
    assert_true(suppression_note(w.list, &e));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config *config = configuration(rows[i].yaml);
        struct buffer scratch;
        struct gate_answer answer;
        buffer_init(&scratch, 1000);
        struct gate_question q = {
            .point = GATE_RCPT, .config = config, .now = { .wall_ms = NOW },
            .is_submission = rows[i].is_submission, .client_is_trusted = rows[i].is_trusted,
            .account = slice_from_string(rows[i].account),
            .recipient = slice_from_string(rows[i].recipient), .scratch = &scratch,
        };
        assert_int_equal(gate->ops->ask(gate, &q, &answer), GATE_ANSWERED);
        assert_int_equal(answer.action, rows[i].refuses ? GATE_REPLY : GATE_PASS);
        if (rows[i].refuses) {
            assert_int_equal(answer.reply.code, 550);
            assert_true(slice_equal(answer.reply.text,
                                    SLICE("Nothing is sent to this address since 1970-01-01 "
                                          "(suppressed: userunknown)")));
        }
        buffer_free(&scratch);
        config_drop(&config);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(addresses_have_one_form),
        TEST(what_is_noted_ends),
        TEST(what_lasts_longer_stays),
        TEST(the_list_outlives_a_start),
        TEST(what_is_taken_out_while_the_list_is_read_stays_out),
        TEST(pages_follow_one_another),
        TEST(without_a_store_it_lasts_while_we_do),
        TEST(the_gate_is_for_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
