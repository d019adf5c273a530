/* capture_test.c: what goes into the log comes out of it, whole, damaged and half written. */
#include "capture/capture_private.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>

#include <cmocka.h>

struct world {
    struct loop *loop;
    struct capture *capture;
    int fd;
    unsigned answers;
    enum err result;
};

static void on_done(void *context, enum err result, struct mail_id id)
{
    struct world *w = context;
    assert_true(id.value != 0);
    w->answers++;
    w->result = result;
}

static void open_world(struct world *w, uint64_t bytes_max)
{
    struct moment start = { .mono_ms = 1000, .wall_ms = 1700000000000 };
    *w = (struct world){ .fd = memfd_create("capture", 0) };
    assert_true(w->fd >= 0);
    assert_int_equal(loop_open_virtual(start, &w->loop), ERR_OK);
    struct capture_options options = { .loop = w->loop, .fd = w->fd, .told = -1,
                                       .bytes_max = bytes_max };
    assert_int_equal(capture_open(&options, &w->capture), ERR_OK);
}

static void close_world(struct world *w)
{
    capture_close(&w->capture);
    loop_close(&w->loop);
    close(w->fd);
}

static struct intake_writer *begin(struct world *w, uint64_t session)
{
    struct intake_writer *writer;
    struct intake_begin begin = { .home = loop_home(w->loop), .session_id = session };
    assert_int_equal(intake_begin(capture_intake(w->capture), &begin, &writer), ERR_OK);
    return writer;
}

static const struct envelope_recipient recipients[] = {
    { .address = SLICE_INIT("ann@a.test"), .orcpt = SLICE_INIT("rfc822;x"), .notify = 3 },
    { .address = SLICE_INIT("bob@b.test") },
};
static const struct envelope envelope = {
    .sender = SLICE_INIT("s@s.test"), .recipients = recipients, .recipients_count = 2,
    .body = MAIL_BODY_8BITMIME, .content_binary = true, .priority = -3,
};

static void commit(struct world *w, struct intake_writer *writer)
{
    struct intake_commit commit = { .prefix = SLICE("Received: x\r\n"), .envelope = &envelope,
                                    .received_wall_ms = 42, .done = on_done, .context = w };
    unsigned before = w->answers;
    intake_commit(&writer, &commit);
    assert_int_equal(w->answers, before); /* never from inside */
    loop_run_virtual(w->loop, 2000);
    assert_int_equal(w->answers, before + 1);
}

static void say(struct world *w, uint64_t session, bool ours, const char *text)
{
    struct mail_line line = { .at = loop_now(w->loop), .session_id = session,
                              .is_ours = ours, .text = slice_from_string(text) };
    capture_lines(w->capture)->line(capture_lines(w->capture), &line);
}

static void tell(struct world *w, enum mail_event_kind kind, uint64_t session)
{
    struct mail_event event = { .kind = kind, .at = loop_now(w->loop), .session_id = session,
                                .peer = SLICE("[127.0.0.1]:9"), .helo = SLICE("me") };
    event_emit(capture_events(w->capture), &event);
}

static bool equal(struct slice s, const char *text)
{
    return slice_equal(s, slice_from_string(text));
}

static void test_session(void **state)
{
    struct world w;
    struct capture_reader r;
    (void)state;
    open_world(&w, 0);
    tell(&w, MAIL_SESSION_OPENED, 7);
    say(&w, 7, true, "220 hello");
    say(&w, 7, false, "DATA");
    struct intake_writer *writer = begin(&w, 7);
    intake_write(writer, SLICE("a\nb\r\n"));
    commit(&w, writer);
    assert_int_equal(w.result, ERR_OK);
    say(&w, 7, false, "QUIT");
    tell(&w, MAIL_SESSION_CLOSED, 7);
    capture_reader_init(&r, w.fd, 0);
    assert_true(capture_read(&r));
    assert_int_equal(r.item.kind, CAPTURE_OPENED);
    uint64_t place = r.item.place;
    assert_true(capture_read(&r));
    assert_int_equal(r.item.kind, CAPTURE_LINES);
    assert_int_equal(r.item.session.lines_count, 2);
    assert_true(equal(r.item.session.lines[1].text, "DATA"));
    assert_false(r.item.session.lines[1].is_ours);
    assert_true(capture_read(&r));
    assert_int_equal(r.item.kind, CAPTURE_MESSAGE);
    const struct capture_message *m = &r.item.message;
    assert_int_equal(m->session, place + 1);
    assert_int_equal(m->size, 5);
    assert_int_equal(m->envelope.recipients_count, 2);
    assert_true(equal(m->envelope.recipients[0].orcpt, "rfc822;x"));
    assert_int_equal(m->envelope.priority, -3);
    assert_true(m->envelope.content_binary);
    assert_true(equal(m->prefix, "Received: x\r\n"));
    struct buffer content;
    buffer_init(&content, 100);
    assert_true(capture_read_content(w.fd, m->extents, m->extents_count, &content));
    assert_true(equal(buffer_slice(&content), "a\nb\r\n"));
    buffer_free(&content);
    assert_true(capture_read(&r));
    assert_int_equal(r.item.kind, CAPTURE_LINES);
    assert_true(capture_read(&r));
    assert_int_equal(r.item.kind, CAPTURE_CLOSED);
    assert_int_equal(r.item.session.place, place + 1);
    assert_true(equal(r.item.session.facts.helo, "me"));
    assert_false(capture_read(&r));
    tell(&w, MAIL_SESSION_OPENED, 8);
    assert_true(capture_read(&r)); /* goes on where it ended */
    capture_reader_free(&r);
    close_world(&w);
}

/* Larger than a piece; what was written before a rewind is not in it. */
static void test_large(void **state)
{
    struct world w;
    struct capture_reader r;
    struct buffer content;
    size_t size = 3 * EXTENT_BYTES + 17;
    char *bytes = malloc(size);
    (void)state;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    open_world(&w, 0);
    struct intake_writer *writer = begin(&w, 0);
    intake_write(writer, slice_make(bytes, size));
    intake_rewind(writer);
    for (size_t at = 0; at < size; at += 10007)
        assert_int_equal(intake_write(writer, slice_part(slice_make(bytes, size), at, 10007)),
                         INTAKE_MORE);
    commit(&w, writer);
    capture_reader_init(&r, w.fd, 0);
    assert_true(capture_read(&r));
    assert_int_equal(r.item.message.size, size);
    buffer_init(&content, size);
    assert_true(capture_read_content(w.fd, r.item.message.extents,
                                     r.item.message.extents_count, &content));
    assert_int_equal(buffer_len(&content), size);
    assert_memory_equal(buffer_slice(&content).data, bytes, size);
    buffer_free(&content);
    capture_reader_free(&r);
    free(bytes);
    close_world(&w);
}

static uint64_t fill(struct world *w, unsigned messages)
{
    for (unsigned i = 0; i < messages; i++) {
        struct intake_writer *writer = begin(w, 0);
        intake_write(writer, SLICE("0123456789012345678901234567890123456789\r\n"));
        commit(w, writer);
    }
    return w->capture->end;
}

static unsigned count(int fd)
{
    struct capture_reader r;
    unsigned found = 0;
    capture_reader_init(&r, fd, 0);
    while (capture_read(&r))
        found++;
    capture_reader_free(&r);
    return found;
}

/* Cut anywhere, what stands before the cut is there; the next start writes behind it. */
static void test_every_cut(void **state)
{
    struct world w;
    (void)state;
    open_world(&w, 0);
    uint64_t first = fill(&w, 1), end = fill(&w, 1);
    char *bytes = malloc(end);
    assert_int_equal(pread(w.fd, bytes, end, 0), end);
    for (uint64_t cut = first; cut <= end; cut++) {
        int fd = memfd_create("cut", 0);
        assert_int_equal(pwrite(fd, bytes, cut, 0), cut);
        assert_int_equal(count(fd), cut == end ? 2 : 1);
        struct capture *c;
        struct capture_options options = { .loop = w.loop, .fd = fd, .told = -1 };
        assert_int_equal(capture_open(&options, &c), ERR_OK);
        assert_true(c->end >= first && c->end <= cut);
        capture_close(&c);
        close(fd);
    }
    free(bytes);
    close_world(&w);
}

/* A flipped octet loses what it stands in, and nothing else. */
static void test_every_flip(void **state)
{
    struct world w;
    char byte, flipped;
    (void)state;
    open_world(&w, 0);
    uint64_t first = fill(&w, 1), second = fill(&w, 1);
    fill(&w, 1);
    for (uint64_t at = first; at < second; at++) {
        assert_int_equal(pread(w.fd, &byte, 1, (off_t)at), 1);
        flipped = (char)(byte ^ 0x20);
        assert_int_equal(pwrite(w.fd, &flipped, 1, (off_t)at), 1);
        assert_true(count(w.fd) >= 2);
        assert_int_equal(pwrite(w.fd, &byte, 1, (off_t)at), 1);
    }
    assert_int_equal(count(w.fd), 3);
    close_world(&w);
}

static void test_given_up_and_full(void **state)
{
    struct world w;
    char bytes[EXTENT_BYTES] = { 1 };
    struct intake_writer *writer;
    (void)state;
    open_world(&w, 10 * 1024 * 1024);
    for (int i = 0; i < 200; i++) { /* 50 MiB, none of which stays */
        writer = begin(&w, 0);
        intake_write(writer, slice_make(bytes, sizeof bytes));
        intake_abort(&writer);
    }
    for (int i = 0; i < 200; i++) {
        struct intake_begin more = { .home = loop_home(w.loop) };
        enum err error = intake_begin(capture_intake(w.capture), &more, &writer);
        if (error == ERR_FULL)
            break;
        assert_int_equal(error, ERR_OK);
        intake_write(writer, slice_make(bytes, sizeof bytes));
        commit(&w, writer);
        assert_true(i < 100);
    }
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session), cmocka_unit_test(test_large),
        cmocka_unit_test(test_every_cut), cmocka_unit_test(test_every_flip),
        cmocka_unit_test(test_given_up_and_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
