/* session_test.c: sessions over real sockets, with a fake intake and scripted gates.
 *
 * A client on a thread of its own says its script, a step after each reply; the loop
 * runs on the test's thread until the client has gone.
 */
#include "net/listener.h"
#include "session/host.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_gate {
    struct gate gate;
    struct gate_ops ops;
    struct gate_answer answer;
    bool parks;
    bool cancelled;
    unsigned states;             /* that it keeps */
    struct gate_question *parked;
    struct task task;
    unsigned asked;
    char seen[4096];             /* the header, or the recipient */
};

struct world {
    struct loop *loop;
    const struct config *config;
    struct limiter *limiter;
    struct session_host *host;
    struct intake intake;
    struct fake_gate gate;
    struct gate *gates[1];
    int listener;
    uint16_t port;
    /* the intake */
    struct buffer content;
    struct buffer body_seen;     /* by the gate */
    char prefix[4096];
    unsigned commits;
    unsigned aborts;
    bool held;
    enum err commit_result;
    enum err begin_result;
    bool write_fails;
    size_t wait_after;           /* INTAKE_WAIT once, after so many bytes; 0: never */
    struct task resume;
    struct intake_begin begun;
    struct intake_commit commit;
    struct task commit_task;
    struct intake_writer writer;
    /* the client */
    const char *const *script;
    struct buffer codes;
    bool client_stays;
    struct task client_gone;
};

static struct world *w;

/* ---- the intake ---- */

static void on_resume(struct task *task)
{
    (void)task;
    w->begun.resume(w->begun.context);
}

static enum intake_flow fake_write(struct intake_writer *writer, struct slice bytes)
{
    assert_ptr_equal(writer, &w->writer);
    if (w->write_fails)
        return INTAKE_FAILED;
    buffer_append(&w->content, bytes);
    if (w->wait_after == 0 || buffer_len(&w->content) < w->wait_after)
        return INTAKE_MORE;
    w->wait_after = 0;
    w->resume.run = on_resume;
    home_post(loop_home(w->loop), &w->resume);
    return INTAKE_WAIT;
}

static void on_commit(struct task *task)
{
    (void)task;
    w->commit.done(w->commit.context, w->commit_result, (struct mail_id){ 77 });
}

static void fake_commit(struct intake_writer **writer, const struct intake_commit *commit)
{
    *writer = NULL;
    w->commits++;
    w->commit = *commit;
    w->held = commit->hold;
    snprintf(w->prefix, sizeof w->prefix, "%.*s", (int)commit->prefix.len,
             commit->prefix.data);
    w->commit_task.run = on_commit;
    home_post(loop_home(w->loop), &w->commit_task);
}

static void fake_abort(struct intake_writer **writer)
{
    *writer = NULL;
    w->aborts++;
    buffer_clear(&w->content);
}

static const struct intake_writer_ops writer_ops = {
    .write = fake_write, .commit = fake_commit, .abort = fake_abort,
};

static enum err fake_begin(struct intake *intake, const struct intake_begin *begin,
                           struct intake_writer **out)
{
    (void)intake;
    if (w->begin_result != ERR_OK)
        return w->begin_result;
    buffer_clear(&w->content);
    w->begun = *begin;
    w->writer = (struct intake_writer){ .ops = &writer_ops, .id = { 77 } };
    *out = &w->writer;
    return ERR_OK;
}

static const struct intake_ops intake_ops = { .begin = fake_begin };

/* ---- the gate ---- */

static void on_gate(struct task *task)
{
    struct fake_gate *g = container_of(task, struct fake_gate, task);
    struct gate_question *question = g->parked;
    g->parked = NULL;
    question->answered(question, &g->answer);
}

static enum gate_result gate_ask(struct gate *gate, struct gate_question *question,
                                 struct gate_answer *out)
{
    struct fake_gate *g = container_of(gate, struct fake_gate, gate);
    struct slice seen = question->point == GATE_HEADER ? question->header
                                                       : question->recipient;
    if (question->point == GATE_BODY) {
        seen = question->body;
        assert_true(seen.len > 0);
        buffer_append(&w->body_seen, seen);
    }
    if (g->ops.forget != NULL && *question->state == NULL) {
        *question->state = g;
        g->states++;
    }
    g->asked++;
    assert_true((g->ops.points & (unsigned)question->point) != 0);
    snprintf(g->seen, sizeof g->seen, "%.*s", (int)seen.len, seen.len > 0 ? seen.data : "");
    if (!g->parks) {
        *out = g->answer;
        return GATE_ANSWERED;
    }
    g->parked = question;
    g->task.run = on_gate;
    home_post(loop_home(w->loop), &g->task);
    return GATE_PARKED;
}

static void gate_cancel(struct gate *gate, struct gate_question *question)
{
    struct fake_gate *g = container_of(gate, struct fake_gate, gate);
    assert_ptr_equal(g->parked, question);
    g->cancelled = true;
}

static void gate_forget(struct gate *gate, void **state)
{
    struct fake_gate *g = container_of(gate, struct fake_gate, gate);
    assert_ptr_equal(*state, g);
    assert_null(g->parked);
    *state = NULL;
    g->states--;
}

/* ---- the client ---- */

static void on_client_gone(struct task *task)
{
    (void)task;
    loop_stop(w->loop);
}

/* Reads one reply; false at the end. */
static bool read_reply(FILE *file)
{
    char line[1024];
    do {
        if (fgets(line, sizeof line, file) == NULL) {
            buffer_append(&w->codes, SLICE("end "));
            return false;
        }
    } while (line[3] == '-');
    buffer_append(&w->codes, slice_make(line, 3));
    buffer_append_byte(&w->codes, ' ');
    return true;
}

static void tell_the_loop_to_stop(void)
{
    w->client_gone.run = on_client_gone;
    home_post(loop_home(w->loop), &w->client_gone);
}

static void *client_main(void *argument)
{
    (void)argument;
    struct net_address address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(net_host_parse(SLICE("127.0.0.1"), w->port, &address));
    assert_int_equal(connect(fd, &address.any, address.len), 0);
    FILE *file = fdopen(fd, "r+");
    bool open = read_reply(file);
    for (const char *const *step = w->script; open && *step != NULL; step++) {
        if ((*step)[0] == '!')
            break; /* go without a word */
        assert_int_equal(send(fd, *step, strlen(*step), MSG_NOSIGNAL), strlen(*step));
        open = read_reply(file);
    }
    if (w->client_stays) {
        tell_the_loop_to_stop();
        open = read_reply(file); /* until the host goes */
    }
    fclose(file);
    if (!w->client_stays)
        tell_the_loop_to_stop();
    return NULL;
}

static void play(const char *const *script, const char *codes)
{
    pthread_t client;
    w->script = script;
    buffer_clear(&w->codes);
    assert_int_equal(pthread_create(&client, NULL, client_main, NULL), 0);
    loop_run(w->loop);
    if (w->client_stays)
        session_host_close(&w->host);
    pthread_join(client, NULL);
    if (codes != NULL && !slice_equal(buffer_slice(&w->codes), slice_from_string(codes)))
        fail_msg("'%.*s', not '%s'", (int)buffer_len(&w->codes),
                 buffer_slice(&w->codes).data, codes);
}

/* ---- the frame ---- */

static int set_up(void **state)
{
    (void)state;
    struct config_error error;
    struct config_flags flags = { .hostname = SLICE("mx.test") };
    struct net_address address;
    w = calloc(1, sizeof *w);
    assert_int_equal(loop_open(&w->loop), ERR_OK);
    assert_int_equal(config_load(slice_make(NULL, 0), &flags, &w->config, &error), ERR_OK);
    assert_int_equal(limiter_open(100, &w->limiter), ERR_OK);
    w->gate.ops = (struct gate_ops){ .name = "fake", .ask = gate_ask, .cancel = gate_cancel };
    w->gate.gate.ops = &w->gate.ops;
    w->gates[0] = &w->gate.gate;
    w->intake.ops = &intake_ops;
    buffer_init(&w->content, 1024 * 1024);
    buffer_init(&w->codes, 512);
    struct session_host_options options = {
        .loop = w->loop, .intake = &w->intake, .gates = w->gates, .gates_count = 1,
        .limiter = w->limiter, .thread = 1,
    };
    assert_int_equal(session_host_open(&options, w->config, &w->host), ERR_OK);
    assert_true(net_address_parse(SLICE("127.0.0.1:0"), &address));
    assert_int_equal(listener_bind(&address, false, &w->listener), ERR_OK);
    assert_int_equal(listener_address(w->listener, &address), ERR_OK);
    w->port = net_address_port(&address);
    assert_int_equal(session_host_listen(w->host, w->listener, 0), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_host_close(&w->host);
    loop_close(&w->loop);
    close(w->listener);
    limiter_close(&w->limiter);
    config_drop(&w->config);
    buffer_free(&w->content);
    buffer_free(&w->codes);
    free(w);
    return 0;
}

#define ENVELOPE "EHLO c.test\r\n", "MAIL FROM:<a@b.test>\r\n", "RCPT TO:<c@d.test>\r\n", \
    "DATA\r\n"

static bool content_is(const char *text)
{
    return slice_equal(buffer_slice(&w->content), slice_from_string(text));
}

static void a_message_is_committed_with_its_trace(void **state)
{
    (void)state;
    play((const char *const[]){ ENVELOPE, "S: x\r\n\r\nhi\r\n.\r\n", "QUIT\r\n", NULL },
         "220 250 250 250 354 250 221 ");
    assert_int_equal(w->commits, 1);
    assert_true(content_is("S: x\r\n\r\nhi\r\n"));
    assert_non_null(strstr(w->prefix, "Received: from c.test ([127.0.0.1])\r\n"));
    assert_int_equal(w->gate.asked, 0); /* it wanted no point */
}

static void an_intake_may_make_the_session_wait(void **state)
{
    (void)state;
    w->wait_after = 3;
    play((const char *const[]){ ENVELOPE, "1\r\n..2\r\n..3\r\n.\r\n", "NOOP\r\n", NULL },
         "220 250 250 250 354 250 250 ");
    assert_true(content_is("1\r\n.2\r\n.3\r\n"));
}

static void faults_of_the_intake_are_temporary(void **state)
{
    (void)state;
    static const struct { enum err begin; enum err commit; const char *codes; } cases[] = {
        { ERR_FULL, ERR_OK, "220 250 250 250 452 250 " },
        { ERR_IO, ERR_OK, "220 250 250 250 451 250 " },
        { ERR_CLOSED, ERR_OK, "220 250 250 250 421 end " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w->begin_result = cases[i].begin;
        play((const char *const[]){ ENVELOPE, "NOOP\r\n", NULL }, cases[i].codes);
    }
    w->begin_result = ERR_OK;
    w->commit_result = ERR_FULL;
    play((const char *const[]){ ENVELOPE, "x\r\n.\r\n", NULL }, "220 250 250 250 354 452 ");
    w->commit_result = ERR_IO;
    play((const char *const[]){ ENVELOPE, "x\r\n.\r\n", NULL }, "220 250 250 250 354 451 ");
}

static void a_client_that_goes_aborts_its_message(void **state)
{
    (void)state;
    play((const char *const[]){ ENVELOPE, "!", NULL }, "220 250 250 250 354 ");
    while (session_host_count(w->host) > 0) {
        tell_the_loop_to_stop();
        loop_run(w->loop);
    }
    assert_int_equal(w->aborts, 1);
    assert_int_equal(w->commits, 0);
}

static void a_gate_refuses_drops_discards_and_holds(void **state)
{
    (void)state;
    struct fake_gate *g = &w->gate;
    g->ops.points = GATE_RCPT;
    g->answer = (struct gate_answer){ .action = GATE_REPLY,
        .reply = smtp_reply_make(550, 5, 7, 1, SLICE("no")) };
    play((const char *const[]){ ENVELOPE, NULL }, "220 250 250 550 554 ");
    assert_string_equal(g->seen, "c@d.test");
    g->answer.action = GATE_CLOSE;
    g->answer.reply.code = 421;
    play((const char *const[]){ ENVELOPE, NULL }, "220 250 250 421 end ");
    g->answer.action = GATE_DROP;
    play((const char *const[]){ ENVELOPE, NULL }, "220 250 250 end ");
    g->ops.points = GATE_CONNECT;
    g->answer.action = GATE_CLOSE;
    play((const char *const[]){ ENVELOPE, NULL }, "421 end ");
    g->ops.points = GATE_END;
    g->answer.action = GATE_DISCARD;
    play((const char *const[]){ ENVELOPE, "x\r\n.\r\n", NULL }, "220 250 250 250 354 250 ");
    assert_int_equal(w->commits, 0);
    g->answer.action = GATE_HOLD;
    play((const char *const[]){ ENVELOPE, "x\r\n.\r\n", NULL }, "220 250 250 250 354 250 ");
    assert_int_equal(w->commits, 1);
    assert_true(w->held);
}

static void a_gate_may_take_its_time_and_add_fields(void **state)
{
    (void)state;
    struct fake_gate *g = &w->gate;
    g->ops.points = GATE_CONNECT | GATE_HELO | GATE_MAIL | GATE_RCPT | GATE_HEADER | GATE_END;
    g->parks = true;
    g->answer = (struct gate_answer){ .action = GATE_PASS, .delay_ms = 1,
                                      .header_prefix = SLICE("X-Seen: yes\r\n") };
    play((const char *const[]){ ENVELOPE, "S: x\r\n\r\nbody\r\n.\r\n", "NOOP\r\n", NULL },
         "220 250 250 250 354 250 250 ");
    assert_int_equal(g->asked, 6);
    assert_true(content_is("S: x\r\n\r\nbody\r\n"));
    assert_non_null(strstr(w->prefix, "X-Seen: yes\r\nX-Seen: yes\r\nX-Seen: yes\r\n"));
}

static void a_gate_refuses_data(void **state)
{
    (void)state;
    struct fake_gate *g = &w->gate;
    g->ops.points = GATE_DATA;
    g->answer = (struct gate_answer){ .action = GATE_REPLY,
        .reply = smtp_reply_make(550, 5, 7, 1, SLICE("no")) };
    play((const char *const[]){ ENVELOPE, "NOOP\r\n", NULL }, "220 250 250 250 550 250 ");
    assert_int_equal(w->aborts, 1);
    g->parks = true;
    g->answer = (struct gate_answer){ .action = GATE_PASS };
    play((const char *const[]){ ENVELOPE, "x\r\n.\r\n", NULL }, "220 250 250 250 354 250 ");
    assert_int_equal(w->commits, 1);
}

/* Content that a gate kept: a piece, a wait, another piece, the end. */
struct kept {
    struct gate_content base;
    struct task task;
    unsigned step;
    bool fails;
};

static void on_kept_ready(struct task *task)
{
    struct kept *k = container_of(task, struct kept, task);
    k->base.ready(k->base.context);
}

static enum gate_content_step kept_next(struct gate_content *content, struct slice *out)
{
    struct kept *k = container_of(content, struct kept, base);
    switch (k->step++) {
    case 0:
        *out = SLICE("A: 1\r\n");
        return GATE_CONTENT_PIECE;
    case 1:
        k->task.run = on_kept_ready;
        home_post(loop_home(w->loop), &k->task);
        return GATE_CONTENT_WAIT;
    case 2:
        *out = SLICE("\r\nnew\r\n");
        return GATE_CONTENT_PIECE;
    }
    return k->fails ? GATE_CONTENT_FAILED : GATE_CONTENT_END;
}

static void a_gate_keeps_the_content_and_gives_it_back(void **state)
{
    (void)state;
    static const struct envelope_recipient other = { .address = SLICE_INIT("o@d.test") };
    static const struct envelope envelope = { .recipients = &other, .recipients_count = 1 };
    struct kept kept = { .base.next = kept_next };
    struct fake_gate *g = &w->gate;
    const char *const script[] = { ENVELOPE, "S: x\r\n\r\nbody\r\n.\r\n", "NOOP\r\n", NULL };
    g->ops.points = GATE_HEADER | GATE_BODY | GATE_END;
    g->answer = (struct gate_answer){
        .action = GATE_PASS, .keeps_content = true, .content = &kept.base,
        .envelope = &envelope, .above = SLICE("X-Above: 1\r\n"),
    };
    buffer_init(&w->body_seen, 1024);
    w->wait_after = 3;
    play(script, "220 250 250 250 354 250 250 ");
    assert_true(slice_equal(buffer_slice(&w->body_seen), SLICE("body\r\n")));
    assert_true(content_is("A: 1\r\n\r\nnew\r\n"));
    assert_ptr_equal(strstr(w->prefix, "X-Above: 1\r\nReceived:"), w->prefix);
    assert_non_null(strstr(w->prefix, "for <o@d.test>"));
    kept = (struct kept){ .base.next = kept_next, .fails = true };
    play(script, "220 250 250 250 354 451 250 ");
    kept = (struct kept){ .base.next = kept_next };
    w->write_fails = true;
    play(script, "220 250 250 250 354 452 250 ");
    assert_int_equal(w->commits, 1);
    assert_int_equal(w->aborts, 2);
    buffer_free(&w->body_seen);
}

static void a_gate_sees_and_changes_the_header(void **state)
{
    (void)state;
    struct fake_gate *g = &w->gate;
    g->ops.points = GATE_HEADER;
    g->answer = (struct gate_answer){ .action = GATE_PASS, .changes_header = true,
                                      .header = SLICE("S: new\r\n\r\n") };
    play((const char *const[]){ ENVELOPE, "S: old\r\nT: u\r\n\r\nbody\r\n.\r\n", NULL },
         "220 250 250 250 354 250 ");
    assert_string_equal(g->seen, "S: old\r\nT: u\r\n\r\n");
    assert_true(content_is("S: new\r\n\r\nbody\r\n"));
    g->answer.changes_header = false;
    play((const char *const[]){ ENVELOPE, "S: alone\r\n.\r\n", NULL },
         "220 250 250 250 354 250 ");
    assert_string_equal(g->seen, "S: alone\r\n");
    assert_true(content_is("S: alone\r\n"));
    g->answer = (struct gate_answer){ .action = GATE_REPLY,
        .reply = smtp_reply_make(550, 5, 7, 1, SLICE("no")) };
    play((const char *const[]){ ENVELOPE, "S: bad\r\n\r\nbody\r\n.\r\n", "NOOP\r\n", NULL },
         "220 250 250 250 354 550 250 ");
    play((const char *const[]){ ENVELOPE, "S: bad\r\n.\r\n", "NOOP\r\n", NULL },
         "220 250 250 250 354 550 250 ");
    assert_int_equal(w->commits, 2);
}

/* The body goes through it in pieces, whether it takes its time or not. */
static void a_gate_sees_the_body(void **state)
{
    (void)state;
    struct fake_gate *g = &w->gate;
    buffer_init(&w->body_seen, 1 << 20);
    g->ops.forget = gate_forget;
    for (int round = 0; round < 4; round++) {
        g->parks = round % 2 == 1;
        g->ops.points = round < 2 ? GATE_BODY : GATE_HEADER | GATE_BODY | GATE_END;
        g->answer = (struct gate_answer){ .action = GATE_PASS };
        w->wait_after = round == 2 ? 5 : 0;
        play((const char *const[]){ ENVELOPE, "S: x\r\n\r\nbody\r\n..\r\n.\r\n",
                                    "MAIL FROM:<>\r\n", NULL },
             "220 250 250 250 354 250 250 ");
        assert_true(content_is("S: x\r\n\r\nbody\r\n.\r\n"));
        assert_true(slice_equal(buffer_slice(&w->body_seen), SLICE("body\r\n.\r\n")));
        buffer_clear(&w->body_seen);
        assert_int_equal(g->states, 0);
    }
    assert_int_equal(w->commits, 4);
    g->answer = (struct gate_answer){ .action = GATE_REPLY,
        .reply = smtp_reply_make(550, 5, 7, 1, SLICE("no")) };
    for (int round = 0; round < 2; round++) {
        g->parks = round == 1;
        g->ops.points = GATE_BODY;
        play((const char *const[]){ ENVELOPE, "S: x\r\n\r\nbody\r\nmore\r\n.\r\n", "NOOP\r\n",
                                    NULL }, "220 250 250 250 354 550 250 ");
        g->answer.action = GATE_REPLY;
    }
    assert_int_equal(w->commits, 4);
    assert_int_equal(g->states, 0);
    buffer_free(&w->body_seen);
}

static void a_parked_gate_is_told_when_the_client_goes(void **state)
{
    (void)state;
    struct fake_gate *g = &w->gate;
    g->ops.points = GATE_HELO;
    g->parks = true;
    g->answer.action = GATE_PASS;
    play((const char *const[]){ "EHLO x\r\n", "!", NULL }, "220 250 ");
    session_host_drain(w->host, 10);
    while (session_host_count(w->host) > 0) {
        w->client_gone.run = on_client_gone;
        home_post(loop_home(w->loop), &w->client_gone);
        loop_run(w->loop);
    }
    assert_int_equal(session_host_count(w->host), 0);
}

static void a_host_that_closes_takes_its_sessions_along(void **state)
{
    (void)state;
    w->client_stays = true;
    play((const char *const[]){ ENVELOPE, NULL }, NULL);
    assert_null(w->host);
    assert_int_equal(w->commits, 0);
    assert_int_equal(w->aborts, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_committed_with_its_trace),
        TEST(an_intake_may_make_the_session_wait),
        TEST(faults_of_the_intake_are_temporary),
        TEST(a_client_that_goes_aborts_its_message),
        TEST(a_gate_refuses_drops_discards_and_holds),
        TEST(a_gate_may_take_its_time_and_add_fields),
        TEST(a_gate_refuses_data),
        TEST(a_gate_keeps_the_content_and_gives_it_back),
        TEST(a_gate_sees_and_changes_the_header),
        TEST(a_gate_sees_the_body),
        TEST(a_parked_gate_is_told_when_the_client_goes),
        TEST(a_host_that_closes_takes_its_sessions_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
