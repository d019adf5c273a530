/* pickup_test.c: files of a maildrop into an intake that fails where it is told to, in
 * virtual time. */
#include "daemon/pickup.h"

#include "base/fake_folder.h"
#include "mail/maildrop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { TAKEN_MAX = 8, ROUND_MS = 5000 };

struct fake_writer {
    struct intake_writer base;
    struct fake *fake;
    struct buffer content;
    void (*resume)(void *context);
    void *context;
    struct task resume_task;
    struct task done_task;
    struct intake_commit commit;
    enum err result;
};

/* A message as it was committed. */
struct taken {
    char content[4096];      /* prefix and content, cut */
    uint64_t size;           /* of the content alone */
    char sender[256];
    char recipients[512];    /* joined by spaces */
    bool is_report;
    bool content_8bit;
};

struct fake {
    struct intake base;
    struct loop *loop;
    struct pickup *pickup;
    const struct config *config;
    char data[64];
    enum err begin_result;
    enum err commit_result;
    bool waits;              /* every write answers INTAKE_WAIT */
    bool fails;              /* every write answers INTAKE_FAILED */
    bool keeps_commits;      /* done() is not called */
    unsigned begins;
    unsigned aborts;
    unsigned resumes;
    bool file_was_there;     /* at the last commit */
    struct taken taken[TAKEN_MAX];
    size_t taken_count;
};

static void path_of(const struct fake *f, const char *name, char out[256])
{
    snprintf(out, 256, "%s/" MAILDROP_FOLDER "/%s", f->data, name);
}

static bool exists(const struct fake *f, const char *name)
{
    char path[256];
    struct stat status;
    path_of(f, name, path);
    return lstat(path, &status) == 0;
}

static struct fake_writer *writer_of(struct intake_writer *w)
{
    return container_of(w, struct fake_writer, base);
}

static void run_resume(struct task *task)
{
    struct fake_writer *w = container_of(task, struct fake_writer, resume_task);
    w->fake->resumes++;
    w->resume(w->context);
}

static enum intake_flow fake_write(struct intake_writer *base, struct slice bytes)
{
    struct fake_writer *w = writer_of(base);
    if (w->fake->fails)
        return INTAKE_FAILED;
    buffer_append(&w->content, bytes);
    if (!w->fake->waits)
        return INTAKE_MORE;
    w->resume_task.run = run_resume;
    home_post(loop_home(w->fake->loop), &w->resume_task);
    return INTAKE_WAIT;
}

static void fake_rewind(struct intake_writer *base)
{
    buffer_clear(&writer_of(base)->content);
}

static void run_done(struct task *task)
{
    struct fake_writer *w = container_of(task, struct fake_writer, done_task);
    struct intake_commit commit = w->commit;
    enum err result = w->result;
    struct mail_id id = w->base.id;
    free(w);
    commit.done(commit.context, result, id);
}

static void remember(struct fake *f, const struct intake_commit *commit, struct slice content)
{
    struct taken *t = &f->taken[f->taken_count++];
    assert_true(f->taken_count <= TAKEN_MAX);
    const struct envelope *e = commit->envelope;
    size_t at = 0;
    snprintf(t->content, sizeof t->content, "%.*s%.*s", (int)commit->prefix.len,
             commit->prefix.data, (int)content.len, content.data);
    snprintf(t->sender, sizeof t->sender, "%.*s", (int)e->sender.len, e->sender.data);
    for (size_t i = 0; i < e->recipients_count; i++)
        at += (size_t)snprintf(t->recipients + at, sizeof t->recipients - at, "%s%.*s",
                               i == 0 ? "" : " ", (int)e->recipients[i].address.len,
                               e->recipients[i].address.data);
    t->size = content.len;
    t->is_report = e->is_report;
    t->content_8bit = e->content_8bit;
}

static void fake_commit(struct intake_writer **base, const struct intake_commit *commit)
{
    struct fake_writer *w = writer_of(*base);
    struct fake *f = w->fake;
    *base = NULL;
    f->file_was_there = exists(f, "1.mail");
    if (f->commit_result == ERR_OK)
        remember(f, commit, buffer_slice(&w->content));
    buffer_free(&w->content);
    w->commit = *commit;
    w->result = f->commit_result;
    w->done_task.run = run_done;
    if (f->keeps_commits)
        free(w);
    else
        home_post(loop_home(f->loop), &w->done_task);
}

static void fake_abort(struct intake_writer **base)
{
    struct fake_writer *w = writer_of(*base);
    *base = NULL;
    w->fake->aborts++;
    buffer_free(&w->content);
    free(w);
}

static const struct intake_writer_ops writer_ops = {
    .write = fake_write, .rewind = fake_rewind, .commit = fake_commit, .abort = fake_abort,
};

static enum err fake_begin(struct intake *base, const struct intake_begin *begin,
                           struct intake_writer **out)
{
    struct fake *f = container_of(base, struct fake, base);
    if (f->begin_result != ERR_OK)
        return f->begin_result;
    struct fake_writer *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->base = (struct intake_writer){ .ops = &writer_ops, .id = { 1 + f->begins++ } };
    w->fake = f;
    w->resume = begin->resume;
    w->context = begin->context;
    buffer_init(&w->content, 8 * 1024 * 1024);
    *out = &w->base;
    return ERR_OK;
}

static const struct intake_ops intake_ops = { .begin = fake_begin };

static void put_file(const struct fake *f, const char *name, struct slice text)
{
    char path[256];
    path_of(f, "", path);
    mkdir(path, 0700);
    path_of(f, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, text.len), (ssize_t)text.len);
    close(fd);
}

static void put_message(const struct fake *f, const char *name, const char *recipients,
                        struct slice content)
{
    struct buffer b;
    buffer_init(&b, content.len + 4096);
    buffer_append_format(&b, "godwit-maildrop 1\nsender me@here.example\n%ssize %zu\n\n",
                         recipients, content.len);
    buffer_append(&b, content);
    put_file(f, name, buffer_slice(&b));
    buffer_free(&b);
}

static void load_config(struct fake *f)
{
    static const char yaml[] =
        "hostname: here.example\n"
        "domains:\n"
        "  local.example:\n"
        "    users: [ann]\n"
        "    aliases: { all: [ann, bob@other.example] }\n"
        "    deliver: { maildir: \"/tmp/unused/{user}\" }\n";
    char path[128];
    struct config_error error;
    struct config_flags flags = { .data = slice_from_string(f->data) };
    snprintf(path, sizeof path, "%s/godwit.yaml", f->data);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(yaml, file);
    fclose(file);
    if (config_load(slice_from_string(path), &flags, &f->config, &error) != ERR_OK)
        fail_msg("%s", error.text);
}

static int set_up(void **state)
{
    struct fake *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *f = (struct fake){ .base.ops = &intake_ops };
    assert_int_equal(fake_folder_make(NULL), 0);
    snprintf(f->data, sizeof f->data, "%s", fake_folder);
    load_config(f);
    struct moment start = { .mono_ms = 1000, .wall_ms = INT64_C(1700000000000) };
    assert_int_equal(loop_open_virtual(start, &f->loop), ERR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fake *f = *state;
    pickup_close(&f->pickup);
    loop_close(&f->loop);
    config_drop(&f->config);
    assert_int_equal(fake_folder_remove(NULL), 0);
    free(f);
    return 0;
}

static void start(struct fake *f)
{
    struct pickup_options options = { .loop = f->loop, .intake = &f->base };
    assert_int_equal(pickup_open(&options, f->config, &f->pickup), ERR_OK);
}

static void run_for(struct fake *f, int64_t ms)
{
    loop_run_virtual(f->loop, loop_now(f->loop).mono_ms + ms);
}

#define MESSAGE SLICE("Subject: hi\r\n\r\nbody\r\n")

static void takes_a_message_and_then_removes_it(void **state)
{
    struct fake *f = *state;
    put_message(f, "1.mail", "recipient you@far.example\n", MESSAGE);
    put_message(f, ".2.mail", "recipient hidden@far.example\n", MESSAGE);
    put_message(f, "readme", "recipient other@far.example\n", MESSAGE);
    start(f);
    run_for(f, 1);
    assert_int_equal(f->taken_count, 1);
    assert_string_equal(f->taken[0].sender, "me@here.example");
    assert_string_equal(f->taken[0].recipients, "you@far.example");
    assert_string_equal(f->taken[0].content,
                        "Received: by here.example (godwit, from the maildrop)\r\n"
                        "\tid 0000000000001;\r\n"
                        "\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
                        "Subject: hi\r\n\r\nbody\r\n");
    assert_true(f->file_was_there);
    assert_false(exists(f, "1.mail"));
    assert_true(exists(f, ".2.mail"));
    assert_true(exists(f, "readme"));
}

static void finds_what_comes_later(void **state)
{
    struct fake *f = *state;
    start(f);
    run_for(f, 1);
    put_message(f, "2.mail", "recipient b@far.example\n", MESSAGE);
    put_message(f, "1.mail", "recipient a@far.example\n", MESSAGE);
    assert_int_equal(f->taken_count, 0);
    run_for(f, ROUND_MS);
    assert_int_equal(f->taken_count, 2);
    assert_string_equal(f->taken[0].recipients, "a@far.example");
    assert_string_equal(f->taken[1].recipients, "b@far.example");
}

static void keeps_a_file_whose_commit_failed(void **state)
{
    struct fake *f = *state;
    put_message(f, "1.mail", "recipient you@far.example\n", MESSAGE);
    f->commit_result = ERR_FULL;
    start(f);
    run_for(f, 1);
    assert_true(exists(f, "1.mail"));
    f->commit_result = ERR_OK;
    f->begin_result = ERR_FULL;
    run_for(f, ROUND_MS);
    assert_true(exists(f, "1.mail"));
    f->begin_result = ERR_OK;
    f->fails = true;
    run_for(f, ROUND_MS);
    assert_true(exists(f, "1.mail"));
    assert_int_equal(f->aborts, 1);
    f->fails = false;
    run_for(f, ROUND_MS);
    assert_int_equal(f->taken_count, 1);
    assert_false(exists(f, "1.mail"));
}

static void waits_for_the_intake(void **state)
{
    struct fake *f = *state;
    size_t len = 300 * 1024 + 7;
    char *content = malloc(len);
    assert_non_null(content);
    for (size_t i = 0; i < len; i++)
        content[i] = i % 100 == 98 ? '\r' : i % 100 == 99 ? '\n' : 'x';
    content[0] = (char)0xc3;
    put_message(f, "1.mail", "recipient you@far.example\n", slice_make(content, len));
    f->waits = true;
    start(f);
    run_for(f, 1000);
    assert_int_equal(f->taken_count, 1);
    assert_int_equal(f->taken[0].size, len);
    assert_true(f->taken[0].content_8bit);
    assert_true(f->resumes >= 5);
    free(content);
}

static void puts_aside_what_is_not_whole(void **state)
{
    struct fake *f = *state;
    char from[256];
    char to[256];
    put_file(f, "a.mail", SLICE("rubbish\n\n"));
    put_file(f, "b.mail", SLICE("godwit-maildrop 1\nsender \nrecipient x@y.example\n"));
    put_file(f, "c.mail", SLICE("godwit-maildrop 1\nsender \nrecipient x@y.example\n"
                                "size 5\n\nbody"));
    put_file(f, "d.mail", SLICE("godwit-maildrop 1\nsender \nrecipient x@y.example\n"
                                "size 3\n\nbody"));
    put_message(f, "e.mail", "recipient you@far.example\n", SLICE("nul \0 here\r\n"));
    put_message(f, "readme", "recipient you@far.example\n", MESSAGE);
    path_of(f, "readme", from);
    path_of(f, "f.mail", to);
    assert_int_equal(symlink(from, to), 0);
    path_of(f, "g.mail", to);
    assert_int_equal(link(from, to), 0);
    path_of(f, "h.mail", to);
    assert_int_equal(mkdir(to, 0700), 0);
    path_of(f, "i.mail", to);
    assert_int_equal(mkfifo(to, 0600), 0);
    put_message(f, "z.mail", "recipient you@far.example\n", MESSAGE);
    start(f);
    run_for(f, 1);
    for (char c = 'a'; c <= 'i'; c++) {
        char before[16];
        char after[16];
        snprintf(before, sizeof before, "%c.mail", c);
        snprintf(after, sizeof after, "bad/%c.mail", c);
        assert_false(exists(f, before));
        assert_true(exists(f, after));
    }
    assert_int_equal(f->taken_count, 1);
    assert_false(exists(f, "z.mail"));
}

static void expands_aliases(void **state)
{
    struct fake *f = *state;
    put_message(f, "1.mail", "recipient all@local.example\n", MESSAGE);
    start(f);
    run_for(f, 1);
    assert_int_equal(f->taken_count, 1);
    assert_string_equal(f->taken[0].recipients, "ann@local.example bob@other.example");
}

static void tells_the_sender_of_unknown_users(void **state)
{
    struct fake *f = *state;
    put_message(f, "1.mail", "recipient nobody@local.example\nrecipient you@far.example\n",
                MESSAGE);
    put_message(f, "2.mail", "recipient none@local.example\n", MESSAGE);
    put_message(f, "3.mail", "notify 1\nrecipient quiet@local.example\n", MESSAGE);
    put_file(f, "4.mail", SLICE("godwit-maildrop 1\nsender \nrecipient x@local.example\n"
                                "size 2\n\n\r\n"));
    start(f);
    run_for(f, 1);
    assert_int_equal(f->taken_count, 3);
    assert_true(f->taken[0].is_report);
    assert_string_equal(f->taken[0].sender, "");
    assert_string_equal(f->taken[0].recipients, "me@here.example");
    assert_non_null(strstr(f->taken[0].content, "nobody@local.example"));
    assert_null(strstr(f->taken[0].content, "you@far.example"));
    assert_non_null(strstr(f->taken[0].content, "Status: 5.1.1"));
    assert_non_null(strstr(f->taken[0].content, "Subject: hi\r\n"));
    assert_string_equal(f->taken[1].recipients, "you@far.example");
    assert_true(f->taken[2].is_report);
    assert_non_null(strstr(f->taken[2].content, "none@local.example"));
    for (char c = '1'; c <= '4'; c++) {
        char name[16];
        snprintf(name, sizeof name, "%c.mail", c);
        assert_false(exists(f, name));
    }
}

static void keeps_a_file_whose_report_failed(void **state)
{
    struct fake *f = *state;
    put_message(f, "1.mail", "recipient nobody@local.example\n", MESSAGE);
    f->commit_result = ERR_IO;
    start(f);
    run_for(f, 1);
    assert_true(exists(f, "1.mail"));
    f->commit_result = ERR_OK;
    run_for(f, ROUND_MS);
    assert_int_equal(f->taken_count, 1);
    assert_false(exists(f, "1.mail"));
}

static void comes_to_rest(void **state)
{
    struct fake *f = *state;
    put_message(f, "1.mail", "recipient you@far.example\n", MESSAGE);
    put_message(f, "2.mail", "recipient you@far.example\n", MESSAGE);
    start(f);
    assert_false(pickup_is_quiet(f->pickup));
    pickup_drain(f->pickup);
    assert_true(pickup_is_quiet(f->pickup));
    run_for(f, 2 * ROUND_MS);
    assert_int_equal(f->begins, 0);
}

static void closes_while_a_commit_is_under_way(void **state)
{
    struct fake *f = *state;
    put_message(f, "1.mail", "recipient you@far.example\n", MESSAGE);
    f->keeps_commits = true;
    start(f);
    run_for(f, 1);
    assert_int_equal(f->taken_count, 1);
    pickup_drain(f->pickup);
    assert_false(pickup_is_quiet(f->pickup));
    pickup_close(&f->pickup);
    assert_true(exists(f, "1.mail"));
}

static void refuses_a_link_as_its_folder(void **state)
{
    struct fake *f = *state;
    char path[256];
    path_of(f, "", path);
    path[strlen(path) - 1] = '\0';
    assert_int_equal(symlink("/tmp", path), 0);
    struct pickup_options options = { .loop = f->loop, .intake = &f->base };
    assert_int_equal(pickup_open(&options, f->config, &f->pickup), ERR_INVALID);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(takes_a_message_and_then_removes_it),
        CASE(finds_what_comes_later),
        CASE(keeps_a_file_whose_commit_failed),
        CASE(waits_for_the_intake),
        CASE(puts_aside_what_is_not_whole),
        CASE(expands_aliases),
        CASE(tells_the_sender_of_unknown_users),
        CASE(keeps_a_file_whose_report_failed),
        CASE(comes_to_rest),
        CASE(closes_while_a_commit_is_under_way),
        CASE(refuses_a_link_as_its_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
