/* cli_test.c: the parts of the tools that are pure, by tables; input also byte by byte. */
#include "cli/addressees.h"
#include "cli/compose.h"
#include "cli/input.h"
#include "cli/nearest.h"
#include "cli/sendmail_private.h"
#include "cli/show.h"
#include "cli/transcript.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_MAX = 64 * 1024 };

/* Compares, and shows both when they differ. */
static void expect(const struct buffer *b, const char *wanted)
{
    struct slice s = buffer_slice(b);
    char *got = calloc(1, s.len + 1);
    assert_non_null(got);
    if (s.len > 0)
        memcpy(got, s.data, s.len);
    assert_string_equal(got, wanted);
    free(got);
}

static void nearest_names(void **state)
{
    (void)state;
    static const char *const names[] = { "config", "listen", "next-hop", "data", "hold" };
    static const struct {
        const char *wanted;
        const char *found;
    } rows[] = {
        { "conifg", "config" }, { "lsten", "listen" }, { "nexthop", "next-hop" },
        { "dta", "data" },      { "hodl", "hold" },    { "zzz", NULL },
        { "x", NULL },          { "", NULL },
        { "a-word-that-is-far-longer-than-any-name-could-be", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct nearest n = nearest_to(rows[i].wanted);
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            nearest_offer(&n, names[k]);
        if (rows[i].found == NULL)
            assert_null(n.best);
        else
            assert_string_equal(n.best, rows[i].found);
    }
}

static void durations_and_sizes(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *duration;
        uint64_t bytes;
        const char *size;
    } rows[] = {
        { -5, "0s", 0, "0" },           { 59999, "59s", 999, "999" },
        { 60000, "1m", 1000, "0.9K" },  { 3599999, "59m", 1024, "1.0K" },
        { 3600000, "1h", 10240, "10K" }, { 86399999, "23h", 1023999, "999K" },
        { 86400000, "1d", 1024 * 1024, "1.0M" },
        { INT64_C(864000000), "10d", UINT64_MAX, "15E" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b;
        buffer_init(&b, 64);
        show_duration(&b, rows[i].ms);
        expect(&b, rows[i].duration);
        buffer_clear(&b);
        show_size(&b, rows[i].bytes);
        expect(&b, rows[i].size);
        buffer_free(&b);
    }
}

static void fields(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *field; /* NULL: refused */
    } rows[] = {
        { "Hello", "Subject: Hello\r\n" },
        { "", "Subject: \r\n" },
        { "a\r\nBcc: x@y", "Subject: a Bcc: x@y\r\n" },
        { "a\rb\nc\td", "Subject: a b c d\r\n" },
        { "bell\a", "Subject: bell?\r\n" },
        { "H\xc3\xa9llo", "Subject: =?UTF-8?B?SMOpbGxv?=\r\n" },
        { "=?x?=", "Subject: =?UTF-8?B?PT94Pz0=?=\r\n" },
        { "\xff", NULL },
        /* 40 octets: the last character goes into a second word as a whole */
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9",
          "Subject: =?UTF-8?B?YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=?=\r\n"
          " =?UTF-8?B?w6k=?=\r\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b;
        buffer_init(&b, TEXT_MAX);
        bool done = compose_text_field(&b, "Subject", slice_from_string(rows[i].text));
        assert_int_equal(done, rows[i].field != NULL);
        if (done)
            expect(&b, rows[i].field);
        buffer_free(&b);
    }
}

static void authors(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *field;
    } rows[] = {
        { "", "From: a@x\r\n" },
        { "  ", "From: a@x\r\n" },
        { "Cron \"D\\\"", "From: \"Cron \\\"D\\\\\\\"\" <a@x>\r\n" },
        { "J\xc3\xbcrgen", "From: =?UTF-8?B?SsO8cmdlbg==?= <a@x>\r\n" },
        { "x\nBcc: y@z", "From: \"x Bcc: y@z\" <a@x>\r\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b;
        buffer_init(&b, TEXT_MAX);
        assert_true(compose_from(&b, slice_from_string(rows[i].name), SLICE("a@x")));
        expect(&b, rows[i].field);
        buffer_free(&b);
    }
}

static void qualifying(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *qualified;
    } rows[] = {
        { " root", " root@h" },
        { " root (Cron Daemon)", " root@h (Cron Daemon)" },
        { " (a, b) root , x@y,bin", " (a, b) root@h , x@y,bin@h" },
        { "Name <root>, \"A, B\" <c.d>", "Name <root@h>, \"A, B\" <c.d@h>" },
        { "\"q q\"", "\"q q\"@h" },
        { "<>", "<>" },
        { "", "" },
        { "Team: root, ann@x;", "Team: root@h, ann@x;" },
        { "undisclosed-recipients:;", "undisclosed-recipients:;" },
        { "two words", "two words" },
        { "a @ b", "a @ b" },
        { "<@r:root@x>", "<@r:root@x>" },
        { "root\r\n (c)\r\n , bin", "root@h\r\n (c)\r\n , bin@h" },
        { "root <root>", "root <root@h>" },
        { "(unclosed root", "(unclosed root" },
        { "a,,b", "a@h,,b@h" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b;
        buffer_init(&b, TEXT_MAX);
        addressees_qualify(slice_from_string(rows[i].value), SLICE("h"), &b);
        expect(&b, rows[i].qualified);
        buffer_free(&b);
    }
}

static void join(struct addressees *a, struct buffer *out)
{
    struct envelope_recipient *list = addressees_list(a, 3);
    assert_non_null(list);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(list[i].notify, 3);
        buffer_append_string(out, i == 0 ? "" : " ");
        buffer_append(out, list[i].address);
    }
}

static void gathering(void **state)
{
    (void)state;
    struct addressees a;
    struct buffer b;
    buffer_init(&b, TEXT_MAX);
    addressees_init(&a);
    assert_int_equal(addressees_add(&a, SLICE("root, X <x@Y.example>"), SLICE("h")), ERR_OK);
    assert_int_equal(addressees_add(&a, SLICE("\"x\"@y.EXAMPLE"), SLICE("h")), ERR_OK);
    assert_int_equal(addressees_add(&a, SLICE("g: p@q, root@H;"), SLICE("h")), ERR_OK);
    assert_int_equal(addressees_add(&a, SLICE("two words"), SLICE("h")), ERR_INVALID);
    assert_int_equal(addressees_add(&a, SLICE("a@-b-"), SLICE("h")), ERR_INVALID);
    join(&a, &b);
    expect(&b, "root@h x@Y.example p@q");
    assert_false(a.utf8);
    addressees_free(&a);
    buffer_free(&b);
}

struct feeder {
    int fd;
    struct slice bytes;
    size_t piece;
};

static void *feed(void *argument)
{
    struct feeder *f = argument;
    for (size_t at = 0; at < f->bytes.len; at += f->piece) {
        struct slice part = slice_part(f->bytes, at, f->piece);
        if (write(f->fd, part.data, part.len) < 0)
            break;
    }
    close(f->fd);
    return NULL;
}

static enum err read_in_pieces(struct slice bytes, size_t piece, bool dot_ends,
                               struct buffer *out)
{
    int ends[2];
    pthread_t thread;
    assert_int_equal(pipe(ends), 0);
    struct feeder f = { .fd = ends[1], .bytes = bytes, .piece = piece };
    assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
    enum err error = input_read(ends[0], dot_ends, out);
    char rest[64];
    while (read(ends[0], rest, sizeof rest) > 0)
        continue;
    close(ends[0]);
    pthread_join(thread, NULL);
    return error;
}

static void input_lines(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        const char *with_dots;    /* a dot alone ends it */
        const char *without_dots;
    } rows[] = {
        { "", "", "" },
        { "a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n" },
        { "a\r\nb", "a\r\nb\r\n", "a\r\nb\r\n" },
        { "a\rb\n\n", "a\r\nb\r\n\r\n", "a\r\nb\r\n\r\n" },
        { ".\na", "", ".\r\na\r\n" },
        { "a\n.\nb\n", "a\r\n", "a\r\n.\r\nb\r\n" },
        { "a\r\n.\r\nb\r\n", "a\r\n", "a\r\n.\r\nb\r\n" },
        { "a\n..\n.b\n.\n", "a\r\n..\r\n.b\r\n", "a\r\n..\r\n.b\r\n.\r\n" },
        { "a\n.", "a\r\n", "a\r\n.\r\n" },
        { "a.\n", "a.\r\n", "a.\r\n" },
        { "a\r", "a\r\n", "a\r\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t piece = 1; piece < 100; piece += 98) {
            struct buffer b;
            buffer_init(&b, TEXT_MAX);
            struct slice input = slice_from_string(rows[i].input);
            assert_int_equal(read_in_pieces(input, piece, true, &b), ERR_OK);
            expect(&b, rows[i].with_dots);
            buffer_clear(&b);
            assert_int_equal(read_in_pieces(input, piece, false, &b), ERR_OK);
            expect(&b, rows[i].without_dots);
            buffer_free(&b);
        }
}

static void input_limits(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 8);
    assert_int_equal(read_in_pieces(SLICE("123456\n"), 99, true, &b), ERR_OK);
    buffer_clear(&b);
    assert_int_equal(read_in_pieces(SLICE("1234567\n"), 99, true, &b), ERR_FULL);
    buffer_clear(&b);
    assert_int_equal(read_in_pieces(SLICE("a\0b\n"), 99, true, &b), ERR_INVALID);
    buffer_free(&b);
}

static void messages(void **state)
{
    (void)state;
#define DATED "Date: d\r\nMessage-ID: <m>\r\n"
    static const struct {
        const char *input;
        bool reads_header;
        const char *message;    /* NULL: refused */
        const char *recipients;
    } rows[] = {
        { DATED "From: root\r\nTo: x\r\n\r\nbody\r\n", false,
          DATED "From: root@h\r\nTo: x@h\r\n\r\nbody\r\n", "" },
        { DATED "From: a@b\r\nTo: x\r\nCc: y@z\r\nBCC: w\r\n\r\nbody\r\n", true,
          DATED "From: a@b\r\nTo: x@h\r\nCc: y@z\r\n\r\nbody\r\n", "x@h y@z w@h" },
        { "From me Mon Jan  1 00:00:00 2024\r\n" DATED "From: a@b\r\n\r\n", false,
          DATED "From: a@b\r\n\r\n", "" },
        { DATED "From: a@b\r\nBcc: c@d,\r\n e@f\r\nReturn-Path: <q@r>\r\n"
          "Content-Length: 7\r\nX: y\r\n\r\n", true,
          DATED "From: a@b\r\nX: y\r\n\r\n", "c@d e@f" },
        { DATED "From: a@b\r\nTo: x@y\r\nResent-To: n@o\r\n\r\nb", true,
          DATED "From: a@b\r\nTo: x@y\r\nResent-To: n@o\r\n\r\nb", "n@o" },
        /* a line that is no field, and no empty line: the body begins there */
        { DATED "From: a@b\r\nthis is no field\r\nTo: x@y\r\n", true,
          DATED "From: a@b\r\n\r\nthis is no field\r\nTo: x@y\r\n", "" },
        { DATED "From: a@b\r\nTo: one two\r\n\r\n", true, NULL, "" },
        { DATED "From: a@b\r\nTo: x@y\r\n", true,
          DATED "From: a@b\r\nTo: x@y\r\n\r\n", "x@y" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sendmail s = { .reads_header = rows[i].reads_header };
        struct addressees to;
        struct buffer out;
        struct buffer names;
        addressees_init(&to);
        buffer_init(&out, TEXT_MAX);
        buffer_init(&names, TEXT_MAX);
        int code = sendmail_message(&s, slice_from_string(rows[i].input), SLICE("h"),
                                    SLICE("me@h"), &to, &out);
        assert_int_equal(code, rows[i].message == NULL ? EX_DATAERR : 0);
        if (code == 0) {
            struct envelope_recipient *list = addressees_list(&to, 0);
            for (size_t k = 0; k < to.count; k++) {
                buffer_append_string(&names, k == 0 ? "" : " ");
                buffer_append(&names, list[k].address);
            }
            expect(&out, rows[i].message);
            expect(&names, rows[i].recipients);
        }
        buffer_free(&names);
        buffer_free(&out);
        addressees_free(&to);
    }
}

static void missing_fields(void **state)
{
    (void)state;
    struct sendmail s = { .name = "Cron" };
    struct addressees to;
    struct buffer out;
    addressees_init(&to);
    buffer_init(&out, TEXT_MAX);
    assert_int_equal(sendmail_message(&s, SLICE("just text\r\n"), SLICE("h"), SLICE("me@h"),
                                      &to, &out), 0);
    buffer_append_byte(&out, '\0');
    const char *text = buffer_slice(&out).data;
    assert_ptr_equal(strstr(text, "Date: "), text);
    assert_non_null(strstr(text, "\r\nMessage-ID: <"));
    assert_non_null(strstr(text, "@h>\r\nFrom: \"Cron\" <me@h>\r\n\r\njust text\r\n"));
    buffer_clear(&out);
    assert_int_equal(sendmail_message(&s, SLICE(""), SLICE("h"), SLICE(""), &to, &out), 0);
    buffer_append_byte(&out, '\0');
    assert_non_null(strstr(buffer_slice(&out).data,
                           "From: \"Cron\" <MAILER-DAEMON@h>\r\n\r\n"));
    buffer_free(&out);
    addressees_free(&to);
}

static int parse(struct sendmail *s, const char **operands, const char *const *words)
{
    char *arguments[16] = { NULL };
    for (size_t i = 0; words[i] != NULL; i++)
        arguments[i] = (char *)(uintptr_t)words[i];
    struct cli_call call = { .arguments = arguments, .operands = operands };
    return sendmail_parse(&call, s);
}

static void arguments(void **state)
{
    (void)state;
    struct sendmail s;
    const char *operands[16];
    /* as cron, PHP, git send-email and mail(1) call it */
    assert_int_equal(parse(&s, operands, (const char *[]){ "-i", "-FCronDaemon", "-B8BITMIME",
                                                           "-oem", "root", NULL }), 0);
    assert_true(s.ignores_dots && !s.reads_header);
    assert_string_equal(s.name, "CronDaemon");
    assert_int_equal(s.operands_count, 1);
    assert_string_equal(s.operands[0], "root");
    assert_int_equal(parse(&s, operands, (const char *[]){ "-t", "-i", "-fa@b", NULL }), 0);
    assert_true(s.ignores_dots && s.reads_header);
    assert_string_equal(s.sender, "a@b");
    assert_int_equal(parse(&s, operands, (const char *[]){ "-ti", "-oi", "-f", "", "--", "-x",
                                                           NULL }), 0);
    assert_string_equal(s.sender, "");
    assert_string_equal(s.operands[0], "-x");
    assert_int_equal(parse(&s, operands, (const char *[]){ "-bp", NULL }), 0);
    assert_int_equal(s.mode, SENDMAIL_LIST);
    assert_int_equal(parse(&s, operands, (const char *[]){ "-q15m", NULL }), 0);
    assert_int_equal(s.mode, SENDMAIL_RUN);
    assert_int_equal(parse(&s, operands, (const char *[]){ "-qI0000000000001", NULL }), 0);
    assert_string_equal(s.run_id, "0000000000001");
    assert_int_equal(parse(&s, operands, (const char *[]){ "-N", "failure,delay", "-R", "hdrs",
                                                           "-V", "id", "a@b", NULL }), 0);
    assert_int_equal(s.notify, DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY);
    assert_int_equal(s.ret, DSN_RET_HEADERS);
    assert_int_equal(parse(&s, operands, (const char *[]){ "--server=h:25", "--data", "d", "x",
                                                           NULL }), 0);
    assert_string_equal(s.server, "h:25");
    assert_string_equal(s.data, "d");
    static const char *const wrong[][3] = {
        { "-bd", NULL }, { "-bz", NULL }, { "-f", NULL }, { "-Z", NULL }, { "--serve", NULL },
        { "--data", NULL }, { "-N", "perhaps", NULL }, { "-R", "x", NULL }, { "-qRx", NULL },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(parse(&s, operands, wrong[i]), EX_USAGE);
}

static void transcripts(void **state)
{
    (void)state;
    static const char talk[] = "250-a\r\n250 b\x1b[31m\r\n354 go\r\n";
    char *shown = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&shown, &len);
    struct transcript t;
    assert_non_null(out);
    transcript_init(&t, out);
    transcript_sent(&t, SLICE("DATA\r\n"));
    for (size_t i = 0; i < sizeof talk - 1; i++)
        transcript_said(&t, slice_make(&talk[i], 1));
    for (unsigned i = 0; i < TRANSCRIPT_CONTENT_LINES + 5; i++)
        transcript_sent(&t, SLICE("x\r\n"));
    transcript_sent(&t, SLICE(".\r\nQUIT\r\n"));
    transcript_free(&t);
    fclose(out);
    assert_ptr_equal(strstr(shown, "-> DATA\n<- 250-a\n<- 250 b\\x1b[31m\n<- 354 go\n-> x\n"),
                     shown);
    assert_non_null(strstr(shown, "-> x\n*** 5 more lines of the message\n-> .\n-> QUIT\n"));
    free(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_names),   cmocka_unit_test(durations_and_sizes),
        cmocka_unit_test(fields),          cmocka_unit_test(authors),
        cmocka_unit_test(qualifying),      cmocka_unit_test(gathering),
        cmocka_unit_test(input_lines),     cmocka_unit_test(input_limits),
        cmocka_unit_test(messages),        cmocka_unit_test(missing_fields),
        cmocka_unit_test(arguments),       cmocka_unit_test(transcripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
