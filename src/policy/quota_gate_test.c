/* quota_gate_test.c: mailboxes in a folder of the test's own, looked at by a real pool. */
#include "policy/quota_gate.h"

#include "base/fake_folder.h"
#include "base/list.h"
#include "config/config.h"
#include "event/mailbox.h"

#include <fcntl.h>
#include <ftw.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct world {
    const struct config *config;
    struct mailbox mailbox;
    struct workers *workers;
    struct gate *gate;
    unsigned answers;
    struct gate_answer answer;
} w;

/* all@ is more than one, one@ is full@, far@ is somebody elsewhere, broken@ a fault. */
static enum err expand(const struct config *config, const struct envelope *in,
                       struct arena *arena, struct envelope *out)
{
    static const struct envelope_recipient full[] = {
        { .address = SLICE_INIT("full@a.example") }, { .address = SLICE_INIT("x@a.example") },
    };
    static const struct envelope_recipient far[] = {
        { .address = SLICE_INIT("x@far.example") },
    };
    struct slice address = in->recipients[0].address;
    (void)config;
    (void)arena;
    if (slice_equal(address, SLICE("broken@a.example")))
        return ERR_MEMORY;
    *out = *in;
    if (slice_equal(address, SLICE("all@a.example")))
        *out = (struct envelope){ .recipients = full, .recipients_count = 2 };
    if (slice_equal(address, SLICE("one@a.example")))
        *out = (struct envelope){ .recipients = full, .recipients_count = 1 };
    if (slice_equal(address, SLICE("far@a.example")))
        *out = (struct envelope){ .recipients = far, .recipients_count = 1 };
    return ERR_OK;
}

static void write_file(const char *below, const char *text, size_t len)
{
    int fd = open(fake_folder_at(below), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
}

/* A mailbox that holds `bytes` bytes. */
static void make_mailbox(const char *user, size_t bytes)
{
    static const char *const parts[] = { "", "/tmp", "/new", "/cur" };
    static const char content[2000];
    char below[200];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(below, sizeof below, "%s%s", user, parts[i]);
        assert_int_equal(mkdir(fake_folder_at(below), 0700), 0);
    }
    snprintf(below, sizeof below, "%s/cur/1.x", user);
    write_file(below, content, bytes);
}

static void load_config(void)
{
    char yaml[600];
    struct config_error error;
    snprintf(yaml, sizeof yaml,
             "hostname: mx.a.example\n"
             "data: %s\n"
             "domains:\n"
             "  a.example: { users: [full, x], quota: 1000, "
             "deliver: { maildir: \"%s/{user}\" } }\n"
             "  free.example: { users: [full], deliver: { maildir: \"%s/{user}\" } }\n"
             "  lmtp.example: { users: [full], deliver: { lmtp: /run/lmtp } }\n"
             "  routed.example: { users: [full] }\n"
             "routes: [{ deliver: { maildir: \"%s/{user}\" } }]\n",
             fake_folder, fake_folder, fake_folder, fake_folder);
    write_file("config.yaml", yaml, strlen(yaml));
    struct slice file = slice_from_string(fake_folder_at("config.yaml"));
    if (config_load(file, NULL, &w.config, &error) != ERR_OK)
        fail_msg("%s", error.text);
}

static int world_make(void **state)
{
    (void)state;
    w = (struct world){ .answers = 0 };
    assert_int_equal(fake_folder_make(NULL), 0);
    load_config();
    make_mailbox("empty", 0);
    make_mailbox("almost", 999);
    make_mailbox("full", 1000);
    make_mailbox("over", 1500);
    assert_int_equal(mailbox_open(&w.mailbox, true), ERR_OK);
    assert_int_equal(workers_open(1, 2, &w.workers), ERR_OK);
    assert_int_equal(policy_quota_gate_open(expand, w.workers, &w.gate), ERR_OK);
    return 0;
}

static int world_end(void **state)
{
    (void)state;
    workers_close(&w.workers);
    policy_quota_gate_close(&w.gate);
    policy_quota_gate_close(&w.gate);
    mailbox_close(&w.mailbox);
    config_drop(&w.config);
    return fake_folder_remove(NULL);
}

static void on_answered(struct gate_question *question, const struct gate_answer *answer)
{
    assert_null(question->parked);
    w.answers++;
    w.answer = *answer;
}

static struct gate_question question_about(const char *address, uint64_t size)
{
    return (struct gate_question){
        .point = GATE_RCPT, .config = w.config, .now = moment_now(), .content_size = size,
        .recipient = slice_from_string(address), .home = &w.mailbox.home,
        .answered = on_answered,
    };
}

enum { PASSED_AT_ONCE = 1, PASSED = 250 };

/* PASSED_AT_ONCE when the disk was not asked. */
static int rcpt(const char *address, uint64_t size)
{
    struct gate_question question = question_about(address, size);
    struct gate_answer answer = { .action = GATE_DROP };
    w.answers = 0;
    if (w.gate->ops->ask(w.gate, &question, &answer) == GATE_ANSWERED) {
        assert_int_equal(answer.action, GATE_PASS);
        return PASSED_AT_ONCE;
    }
    while (w.answers == 0)
        assert_true(mailbox_wait(&w.mailbox, 30000));
    if (w.answer.action == GATE_PASS)
        return PASSED;
    assert_int_equal(w.answer.action, GATE_REPLY);
    assert_int_equal(w.answer.reply.status.class, 4);
    assert_int_equal(w.answer.reply.status.subject, 2);
    assert_int_equal(w.answer.reply.status.detail, 2);
    return w.answer.reply.code;
}

static void full_mailboxes_say_so(void **state)
{
    static const struct {
        const char *address;
        uint64_t size;
        int want;
    } rows[] = {
        { "empty@a.example", 0, PASSED },
        { "empty@a.example", 1000, PASSED },
        { "empty@a.example", 1001, 452 },
        { "almost@a.example", 0, PASSED },
        { "almost@a.example", 1, PASSED },
        { "almost@a.example", 2, 452 },
        { "full@a.example", 0, 452 },
        { "Full@A.EXAMPLE", 0, 452 },
        { "\"full\"@a.example", 0, 452 },
        { "over@a.example", 0, 452 },
        { "over@a.example", UINT64_MAX, 452 },
        { "none@a.example", 0, PASSED },
        { "none@a.example", 1001, 452 },
        { "\"../full\"@a.example", 0, PASSED },
        { "one@a.example", 0, 452 },
        { "all@a.example", 0, PASSED_AT_ONCE },
        { "far@a.example", 0, PASSED_AT_ONCE },
        { "broken@a.example", 0, PASSED_AT_ONCE },
        { "full@free.example", 0, PASSED_AT_ONCE },
        { "full@lmtp.example", 0, PASSED_AT_ONCE },
        { "full@routed.example", 0, PASSED_AT_ONCE },
        { "full@far.example", 0, PASSED_AT_ONCE },
        { "full@[192.0.2.1]", 0, PASSED_AT_ONCE },
        { "postmaster", 0, PASSED_AT_ONCE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = rcpt(rows[i].address, rows[i].size);
        if (code != rows[i].want)
            fail_msg("%s of %llu: %d", rows[i].address, (unsigned long long)rows[i].size,
                     code);
    }
    assert_int_not_equal(access(fake_folder_at("none"), F_OK), 0);
}

static void what_cannot_be_looked_at_passes(void **state)
{
    (void)state;
    assert_int_equal(symlink(fake_folder, fake_folder_at("link")), 0);
    write_file("file", "x", 1);
    assert_int_equal(rcpt("link@a.example", 0), PASSED);
    assert_int_equal(rcpt("file@a.example", 0), PASSED);
}

/* Something that keeps the pool's one thread busy until it is let go. */
struct plug {
    struct work work;
    sem_t started;
    sem_t let_go;
    unsigned done;
};

static void plug_run(struct work *work)
{
    struct plug *plug = container_of(work, struct plug, work);
    sem_post(&plug->started);
    while (sem_wait(&plug->let_go) != 0)
        ;
}

static void plug_done(struct work *work)
{
    container_of(work, struct plug, work)->done++;
}

static void plug_in(struct plug *plug)
{
    *plug = (struct plug){ .work = { .home = &w.mailbox.home, .run = plug_run,
                                     .done = plug_done } };
    sem_init(&plug->started, 0, 0);
    sem_init(&plug->let_go, 0, 0);
    assert_true(workers_submit(w.workers, &plug->work));
    while (sem_wait(&plug->started) != 0)
        ;
}

static void plug_out(struct plug *plug)
{
    sem_post(&plug->let_go);
    while (plug->done == 0)
        mailbox_wait(&w.mailbox, 30000);
    sem_destroy(&plug->started);
    sem_destroy(&plug->let_go);
}

static void the_question_may_go_away(void **state)
{
    struct plug plug;
    struct gate_answer answer;
    (void)state;
    plug_in(&plug);
    struct gate_question *question = malloc(sizeof *question);
    assert_non_null(question);
    *question = question_about("full@a.example", 0);
    assert_int_equal(w.gate->ops->ask(w.gate, question, &answer), GATE_PARKED);
    w.gate->ops->cancel(w.gate, question);
    assert_null(question->parked);
    free(question);
    plug_out(&plug);
    assert_int_equal(rcpt("full@a.example", 0), 452); /* behind it, on the same thread */
    assert_int_equal(w.answers, 1);
}

static void a_full_pool_lets_pass(void **state)
{
    struct plug plug;
    struct gate_answer answer;
    struct gate_question questions[4];
    unsigned parked = 0;
    unsigned passed = 0;
    (void)state;
    plug_in(&plug);
    for (size_t i = 0; i < 4; i++) {
        questions[i] = question_about("full@a.example", 0);
        if (w.gate->ops->ask(w.gate, &questions[i], &answer) == GATE_PARKED)
            parked++;
        else if (answer.action == GATE_PASS && questions[i].parked == NULL)
            passed++;
    }
    plug_out(&plug);
    while (w.answers < parked)
        mailbox_wait(&w.mailbox, 30000);
    assert_int_equal(parked, 2); /* as many as may wait */
    assert_int_equal(passed, 2);
    assert_int_equal(w.answers, 2);
}

/* The thread that asked is gone before the work comes back: close frees it. */
static void nothing_is_left_at_the_end(void **state)
{
    struct gate_answer answer;
    struct gate_question question = question_about("full@a.example", 0);
    (void)state;
    assert_int_equal(w.gate->ops->ask(w.gate, &question, &answer), GATE_PARKED);
    w.gate->ops->cancel(w.gate, &question);
    assert_int_equal(w.answers, 0);
}

static void other_points_pass(void **state)
{
    static const enum gate_point points[] = { GATE_CONNECT, GATE_HELO, GATE_MAIL,
                                              GATE_HEADER, GATE_END };
    (void)state;
    assert_int_equal(w.gate->ops->points, GATE_RCPT);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        struct gate_question question = { .point = points[i] };
        struct gate_answer answer = { .action = GATE_DROP };
        assert_int_equal(w.gate->ops->ask(w.gate, &question, &answer), GATE_ANSWERED);
        assert_int_equal(answer.action, GATE_PASS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_mailboxes_say_so, world_make, world_end),
        cmocka_unit_test_setup_teardown(what_cannot_be_looked_at_passes, world_make,
                                        world_end),
        cmocka_unit_test_setup_teardown(the_question_may_go_away, world_make, world_end),
        cmocka_unit_test_setup_teardown(a_full_pool_lets_pass, world_make, world_end),
        cmocka_unit_test_setup_teardown(nothing_is_left_at_the_end, world_make, world_end),
        cmocka_unit_test_setup_teardown(other_points_pass, world_make, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
