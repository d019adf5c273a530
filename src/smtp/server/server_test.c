/* server_test.c: dialogues as tables, each run whole and byte by byte.
 *
 * A case is what the client sends and the codes that come back. The driver plays a
 * session that accepts all but: recipients at "no.test" (550), at "later.test" (451),
 * senders at "bad.test" and its hello (550). Content is kept; "want" compares it.
 */
#include "smtp/server/server.h"

#include "base/ascii.h"

#include "base/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct dialogue {
    const char *name;
    struct slice send;
    const char *codes;        /* "220 250 354 …", "close" at the end if it closes */
    const char *content;      /* of the last accepted message; NULL: not compared */
    enum line_end_rule rule;
    bool may_xclient;
    const char *mechanisms;
    uint32_t release_s;       /* FUTURERELEASE; until an hour after 1970 began */
};

struct player {
    struct smtp_server_options options;
    struct smtp_server *server;
    struct buffer out;
    struct buffer content;
    struct buffer kept;
    unsigned messages;
    unsigned dropped;
    bool begun;
    bool closed;
};

#define HELO "EHLO client.test\r\n"
#define ENVELOPE HELO "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
#define S(text) SLICE_INIT(text)
#define BARE "550 close"

static const struct dialogue dialogues[] = {
    { "quit", S("QUIT\r\n"), "220 221 close" },
    { "etrn by nobody known", S(HELO "ETRN far.test\r\nETRN #x\r\nMAIL FROM:<a@b>\r\n"
                               "ETRN far.test\r\n"), "220 250 459 459 250 503" },
    { "deliver by", S(HELO "MAIL FROM:<a@b> BY=60;R\r\nRSET\r\nMAIL FROM:<a@b> BY=-60;NT\r\n"
                      "RSET\r\nMAIL FROM:<a@b> BY=0;R\r\nMAIL FROM:<a@b> BY\r\n"
                      "MAIL FROM:<a@b> BY=1;R BY=1;R\r\n"),
      "220 250 250 250 250 250 501 501 501" },
    { "priority", S(HELO "MAIL FROM:<a@b> MT-PRIORITY=-9\r\nRSET\r\n"
                    "MAIL FROM:<a@b> MT-PRIORITY=9\r\nRSET\r\nMAIL FROM:<a@b> MT-PRIORITY=10\r\n"
                    "MAIL FROM:<a@b> MT-PRIORITY\r\nMAIL FROM:<a@b> MT-PRIORITY=1 MT-PRIORITY=1\r\n"),
      "220 250 250 250 250 250 501 501 501" },
    { "no future", S(HELO "MAIL FROM:<a@b> HOLDFOR=1\r\n"), "220 250 555" },
    { "future", S(HELO "MAIL FROM:<a@b> HOLDFOR=600\r\nRSET\r\n"
                  "MAIL FROM:<a@b> HOLDUNTIL=1970-01-01T01:00:00Z\r\nRSET\r\n"
                  "MAIL FROM:<a@b> HOLDFOR=601\r\nMAIL FROM:<a@b> HOLDFOR=0\r\n"
                  "MAIL FROM:<a@b> HOLDFOR=x\r\nMAIL FROM:<a@b> HOLDFOR\r\n"
                  "MAIL FROM:<a@b> HOLDUNTIL=1970-01-01T01:00:01Z\r\n"
                  "MAIL FROM:<a@b> HOLDUNTIL=tomorrow\r\n"
                  "MAIL FROM:<a@b> HOLDFOR=1 HOLDUNTIL=1970-01-01T01:00:00Z\r\n"
                  "MAIL FROM:<a@b> HOLDFOR=1 HOLDFOR=1\r\n"),
      "220 250 250 250 250 250 501 501 501 501 501 501 501 501", .release_s = 600 },
    { "helo", S("HELO x\r\nNOOP\r\n"), "220 250 250" },
    { "empty helo", S("HELO\r\nEHLO\r\nEHLO \r\n"), "220 501 501 501" },
    { "bad helo", S("EHLO a b\r\nEHLO <x>\r\n"), "220 501 501" },
    { "mail before helo", S("MAIL FROM:<a@b>\r\n"), "220 503" },
    { "rcpt before mail", S(HELO "RCPT TO:<a@b>\r\n"), "220 250 503" },
    { "data before rcpt", S(HELO "DATA\r\nMAIL FROM:<a@b>\r\nDATA\r\n"), "220 250 503 250 503" },
    { "nested mail", S(HELO "MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n"), "220 250 250 503" },
    { "one message", S(ENVELOPE "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n"),
      "220 250 250 250 354 250 221 close", "Subject: x\r\n\r\nhi\r\n" },
    { "empty message", S(ENVELOPE "DATA\r\n.\r\nNOOP\r\n"), "220 250 250 250 354 250 250", "" },
    { "dots", S(ENVELOPE "DATA\r\n..\r\n...\r\n..a\r\n.\r\n"), "220 250 250 250 354 250",
      ".\r\n..\r\n.a\r\n" },
    { "null sender", S(HELO "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n"), "220 250 250 250" },
    { "space after colon", S(HELO "MAIL FROM: <a@b>\r\nRCPT TO: <c@d>\r\n"), "220 250 250 250" },
    { "source route", S(HELO "MAIL FROM:<a@b>\r\nRCPT TO:<@x,@y:c@d>\r\n"), "220 250 250 250" },
    { "no brackets", S(HELO "MAIL FROM:a@b\r\n"), "220 250 501" },
    { "lower case", S("ehlo x\r\nmail from:<a@b>\r\nrcpt to:<c@d>\r\ndata\r\n.\r\n"),
      "220 250 250 250 354 250", "" },
    { "rset", S(ENVELOPE "RSET\r\nDATA\r\nRSET x\r\n"), "220 250 250 250 250 503 501" },
    { "ehlo resets", S(ENVELOPE "EHLO y\r\nDATA\r\n"), "220 250 250 250 250 503" },
    { "arguments", S(ENVELOPE "DATA x\r\nQUIT x\r\nNOOP x\r\nVRFY\r\n"),
      "220 250 250 250 501 501 250 501" },
    { "harmless", S("VRFY root\r\nEXPN x\r\nHELP\r\nNOOP\r\nRSET\r\n"),
      "220 252 502 214 250 250" },
    { "not here", S(HELO "STARTTLS\r\nAUTH PLAIN x\r\nETRN #x\r\nTURN\r\n"),
      "220 250 502 502 459 502" },
    { "unknown", S("FOO\r\n\r\n \r\nX-Y\r\n"), "220 500 500 500 500" },
    { "refused sender", S(HELO "MAIL FROM:<a@bad.test>\r\nRCPT TO:<c@d>\r\n"),
      "220 250 550 503" },
    { "refused recipients", S(HELO "MAIL FROM:<a@b>\r\nRCPT TO:<x@no.test>\r\n"
      "RCPT TO:<x@later.test>\r\nDATA\r\n"), "220 250 250 550 451 554" },
    { "one refused", S(HELO "MAIL FROM:<a@b>\r\nRCPT TO:<x@no.test>\r\n"
      "RCPT TO:<x@ok.test>\r\nDATA\r\nhi\r\n.\r\n"), "220 250 250 550 250 354 250", "hi\r\n" },
    { "two messages", S(ENVELOPE "DATA\r\n1\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\n"
      "DATA\r\n2\r\n.\r\n"), "220 250 250 250 354 250 250 250 354 250", "2\r\n" },
    /* parameters */
    { "all parameters", S(HELO "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=x+2By"
      " SMTPUTF8\r\nRCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@d\r\n"),
      "220 250 250 250" },
    { "bad mail parameters", S(HELO
      "MAIL FROM:<> =\"\r\nMAIL FROM:<> SIZE=-1\r\nMAIL FROM:<> SIZE=9e99\r\n"
      "MAIL FROM:<> SIZE=1 SIZE=1\r\nMAIL FROM:<> FOO=1\r\nMAIL FROM:<> BODY=9BIT\r\n"
      "MAIL FROM:<> RET=ALL\r\nMAIL FROM:<> ENVID=\r\nMAIL FROM:<> SMTPUTF8=1\r\n"
      "MAIL FROM:<> SIZE=99999999999\r\nMAIL FROM:<> SIZE=99999999999999999999\r\n"
      "MAIL FROM:<>SIZE=1\r\n"),
      "220 250 501 501 501 501 555 501 501 501 501 552 552 501" },
    { "bad rcpt parameters", S(HELO "MAIL FROM:<>\r\n"
      "RCPT TO:<c@d> NOTIFY=NEVER,SUCCESS\r\nRCPT TO:<c@d> NOTIFY=\r\n"
      "RCPT TO:<c@d> ORCPT=x\r\nRCPT TO:<c@d> FOO\r\nRCPT TO:<c@d> SIZE=1\r\n"
      "RCPT TO:<c@d> NOTIFY=NEVER NOTIFY=NEVER\r\n"),
      "220 250 250 501 501 501 555 555 501" },
    { "utf8", S(HELO "MAIL FROM:<\xc3\xbc@b>\r\nMAIL FROM:<\xc3\xbc@b> SMTPUTF8\r\n"
      "RCPT TO:<\xc3\xbc@d>\r\n"), "220 250 553 250 250" },
    { "utf8 not asked for", S(HELO "MAIL FROM:<a@b>\r\nRCPT TO:<\xc3\xbc@d>\r\n"),
      "220 250 250 553" },
    /* ends of data: HOSTILE A 1-12 */
    { "bare 1", S(ENVELOPE "DATA\r\na\n.\nMAIL FROM:<x@y>\r\n\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "bare 2", S(ENVELOPE "DATA\r\na\n.\r\nMAIL FROM:<x@y>\r\n\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "bare 4", S(ENVELOPE "DATA\r\na\r.\nMAIL FROM:<x@y>\r\n\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "bare 5", S(ENVELOPE "DATA\r\na\n.\rMAIL FROM:<x@y>\r\n\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "bare 6", S(ENVELOPE "DATA\r\na\r.\r\nMAIL FROM:<x@y>\r\n\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "bare 7", S(ENVELOPE "DATA\r\na\r\n.\nMAIL FROM:<x@y>\r\n\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "bare 8", S(ENVELOPE "DATA\r\na\r\n.\rMAIL FROM:<x@y>\r\n\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "nul 9", S(ENVELOPE "DATA\r\na\r\n\0.\r\nNOOP\r\n\r\n.\r\nNOOP\r\n"),
      "220 250 250 250 354 550 250" },
    { "nul 10", S(ENVELOPE "DATA\r\na\r\n.\0\r\nNOOP\r\n\r\n.\r\nNOOP\r\n"),
      "220 250 250 250 354 550 250" },
    { "bare 11", S(ENVELOPE "DATA\r\na\r\n.\r\r\nNOOP\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "bare 12", S(ENVELOPE "DATA\r\na\r\r\n.\r\r\nNOOP\r\n.\r\n"), "220 250 250 250 354 " BARE },
    { "converted", S(ENVELOPE "DATA\r\na\nb\n.\nc\r\n.\r\nNOOP\r\n"),
      "220 250 250 250 354 250 250", "a\r\nb\r\n.\r\nc\r\n", LINE_END_CONVERT },
    { "bare in a command", S("EHLO x\nNOOP\r\n"), "220 500 close" },
    { "two commands by LF", S(HELO "MAIL FROM:<a@b>\nRCPT TO:<c@d>\n"), "220 250 500 close" },
    { "bare CR in a command", S("NOOP\rNOOP\r\n"), "220 500 close" },
    { "nul in a command", S("NO\0OP\r\n"), "220 500 close" },
    /* BDAT: HOSTILE B 18-22 */
    { "bdat", S(ENVELOPE "BDAT 5\r\nab\r\ncBDAT 4 LAST\r\nd\r\nENOOP\r\n"),
      "220 250 250 250 250 250 250", "ab\r\ncd\r\nE" },
    { "bdat last 0", S(ENVELOPE "BDAT 3\r\n.\r\nBDAT 0 LAST\r\nNOOP\r\n"),
      "220 250 250 250 250 250 250", ".\r\n" },
    { "bdat 0 last alone", S(ENVELOPE "BDAT 0 LAST\r\n"), "220 250 250 250 250", "" },
    { "bdat unreadable", S(ENVELOPE "BDAT 99999999999999999999 LAST\r\nNOOP\r\n"),
      "220 250 250 250 501 close" },
    { "bdat negative", S(ENVELOPE "BDAT -1\r\n"), "220 250 250 250 501 close" },
    { "bdat hex", S(ENVELOPE "BDAT 0x10\r\n"), "220 250 250 250 501 close" },
    { "bdat float", S(ENVELOPE "BDAT 1e9\r\n"), "220 250 250 250 501 close" },
    { "bdat nothing", S(ENVELOPE "BDAT\r\n"), "220 250 250 250 501 close" },
    { "bdat control", S(ENVELOPE "BDAT \x7f\r\nNOOP\r\n"), "220 250 250 250 501 close" },
    { "bdat first", S(ENVELOPE "BDAT 5 FIRST\r\n"), "220 250 250 250 501 close" },
    { "bdat without mail", S("BDAT 5 LAST\r\nNOOP\rNOOP\r\n" HELO "BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"),
      "220 503 250 250 503 250" },
    { "bdat after refused rcpt", S(HELO "MAIL FROM:<a@b>\r\nRCPT TO:<x@no.test>\r\n"
      "BDAT 27\r\nMAIL FROM:<smuggled@x.test>BDAT 6 LAST\r\nRSET\r\nNOOP\r\n"),
      "220 250 250 550 554 503 250" },
    { "bdat then data", S(ENVELOPE "BDAT 3\r\nabcDATA\r\nRCPT TO:<x@y>\r\nNOOP\r\nBDAT 0 LAST\r\n"),
      "220 250 250 250 250 503 503 250 250", "abc" },
    { "bdat rset", S(ENVELOPE "BDAT 3\r\nabcRSET\r\nBDAT 0 LAST\r\nMAIL FROM:<>\r\n"),
      "220 250 250 250 250 250 503 250" },
    { "bdat bare", S(ENVELOPE "BDAT 4\r\na\nbcBDAT 1 LAST\r\nxNOOP\r\n"),
      "220 250 250 250 550 503 250" },
    { "bdat bare at the seam", S(ENVELOPE "BDAT 2\r\na\rBDAT 2 LAST\r\n\nxNOOP\r\n"),
      "220 250 250 250 250 250 250", "a\r\nx" },
    { "bdat ends in CR", S(ENVELOPE "BDAT 2 LAST\r\na\rNOOP\r\n"), "220 250 250 250 550 250" },
    { "bdat binary", S(HELO "MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\n"
      "BDAT 6 LAST\r\na\nb\0c\rNOOP\r\n"), "220 250 250 250 250 250" },
    { "binary by data", S(HELO "MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
      "220 250 250 250 503" },
    { "bdat too big", S(ENVELOPE "BDAT 2000000000\r\n"), "220 250 250 250 552 close" },
    /* strangers */
    { "http", S("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "220 502 close" },
    { "proxy", S("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"), "220 550 close" },
    { "xclient", S("XCLIENT ADDR=127.0.0.1\r\nXFORWARD ADDR=1\r\n"), "220 550 550" },
    { "blanks at the end", S(HELO "RSET\t\r\nNOOP \t \r\nQUIT\t\r\n"),
      "220 250 250 250 221 close" },
    { "control bytes", S(HELO "MAIL FROM:<a\x01@b>\r\nMAIL FROM:<a@b\x7f>\r\nNOOP \x1b\r\n"
      "N\x01OP\r\nMAIL FROM:<a@b>\r\n"), "220 250 501 501 501 500 250" },
    { "xclient helo, then bdat, is no hello", S("XCLIENT HELO=x.test\r\nBDAT 2 LAST\r\nhi"
      "MAIL FROM:<a@b>\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n"), "220 220 503 503 250 250",
      NULL, LINE_END_REJECT, true },
    { "refused hello changes nothing", S("EHLO bad.test\r\nMAIL FROM:<a@b>\r\n" ENVELOPE
      "EHLO bad.test\r\nDATA\r\n.\r\n"), "220 550 503 250 250 250 550 354 250" },
    { "xclient trusted", S("XCLIENT NAME=a.test ADDR=192.0.2.1 HELO=x\r\n" HELO
      "XCLIENT FOO=1\r\nXCLIENT\r\n"), "220 220 250 501 501", NULL, LINE_END_REJECT, true },
    /* AUTH: "eWVz" is "yes", "bm8=" "no", everything else is answered with 334 */
    { "auth at once", S(HELO "AUTH X eWVz\r\nAUTH X eWVz\r\n" "MAIL FROM:<> AUTH=<>\r\n"),
      "220 250 235 503 250", NULL, LINE_END_REJECT, false, "X Y" },
    { "auth in steps", S(HELO "auth x\r\nZ28=\r\n\r\neWVz\r\nNOOP\r\n"),
      "220 250 334 334 334 235 250", NULL, LINE_END_REJECT, false, "X Y" },
    { "auth with an empty response", S(HELO "AUTH X =\r\n=\r\nAUTH X =\r\n*\r\nNOOP\r\n"),
      "220 250 334 501 334 501 250", NULL, LINE_END_REJECT, false, "X Y" },
    { "auth three times wrong", S(HELO "AUTH X bm8=\r\nAUTH X\r\nbm8=\r\nAUTH X bm8=\r\n"
      "NOOP\r\n"), "220 250 535 334 535 535 421 close", NULL, LINE_END_REJECT, false, "X" },
    { "auth out of order", S("AUTH X eWVz\r\n" ENVELOPE "AUTH X eWVz\r\nDATA\r\n.\r\n"
      "AUTH\r\nAUTH X eWVz x\r\nAUTH X eWVz \r\nAUTH X eWVz\r\n"),
      "220 503 250 250 250 503 354 250 501 501 235 503", NULL, LINE_END_REJECT, false, "X" },
    { "auth lines are no commands", S(HELO "AUTH X\r\nRSET\r\nQUIT\r\nEHLO x\r\nNOOP\r\n"),
      "220 250 334 334 334 501 250", NULL, LINE_END_REJECT, false, "X" },
    { "auth with bare LF", S(HELO "AUTH X\r\neWVz\nNOOP\r\n"), "220 250 334 500 close", NULL,
      LINE_END_REJECT, false, "X" },
    { "auth without any", S(HELO "MAIL FROM:<> AUTH=<>\r\n"), "220 250 555" },
    { "addresses", S(HELO "MAIL FROM:<;for i in 0 1 2;do read r;done;sh;exit 0;>\r\n"
      "MAIL FROM:<a@b>\r\nRCPT TO:<a@@b>\r\nRCPT TO:<a@b\r\nRCPT TO:\r\nRCPT\r\n"),
      "220 250 553 250 501 501 501 501" },
};

static void codes_of(struct buffer *out, struct slice replies, bool closed)
{
    struct slice line;
    while (slice_split(&replies, '\n', &line)) {
        assert_true(line.len >= 5);
        if (line.data[3] == '-')
            continue;
        if (buffer_len(out) > 0)
            buffer_append_byte(out, ' ');
        buffer_append(out, slice_part(line, 0, 3));
    }
    if (closed)
        buffer_append(out, SLICE(" close"));
}

static void player_answer(struct player *p)
{
    static const struct smtp_reply no = { .code = 550, .status = { 5, 1, 1 },
                                          .text = SLICE_INIT("No such user") };
    static const struct smtp_reply later = { .code = 451, .status = { 4, 3, 0 },
                                             .text = SLICE_INIT("Later") };
    const struct smtp_question *q = smtp_server_question(p->server);
    static const struct smtp_reply wrong = { .code = 535, .status = { 5, 7, 8 },
                                             .text = SLICE_INIT("Wrong") };
    const struct smtp_reply *reply = NULL;
    if (q->ask == SMTP_ASK_AUTH && !slice_equal(q->response, SLICE("yes"))) {
        if (slice_equal(q->response, SLICE("no")))
            smtp_server_answer(p->server, &wrong);
        else
            smtp_server_challenge(p->server, SLICE("go"));
        return;
    }
    if (q->ask == SMTP_ASK_MAIL &&
        slice_ends_with_nocase(smtp_server_envelope(p->server)->sender, SLICE("@bad.test")))
        reply = &no;
    if (q->ask == SMTP_ASK_HELO && slice_equal(q->text, SLICE("bad.test")))
        reply = &no;
    if (q->ask == SMTP_ASK_RCPT &&
        slice_ends_with_nocase(q->recipient->address, SLICE("@no.test")))
        reply = &no;
    if (q->ask == SMTP_ASK_RCPT &&
        slice_ends_with_nocase(q->recipient->address, SLICE("@later.test")))
        reply = &later;
    if (q->ask == SMTP_ASK_DATA) {
        assert_false(p->begun);
        p->begun = true;
        buffer_clear(&p->content);
    }
    if (q->ask == SMTP_ASK_END) {
        assert_true(p->begun);
        assert_int_equal(smtp_server_facts(p->server)->size, buffer_len(&p->content));
        p->begun = false;
        p->messages++;
        buffer_clear(&p->kept);
        buffer_append(&p->kept, buffer_slice(&p->content));
    }
    smtp_server_answer(p->server, reply);
}

/* Feeds `fresh` behind what was left; returns what is left over now. */
static void player_feed(struct player *p, struct buffer *input)
{
    while (!p->closed) {
        struct slice rest = buffer_slice(input);
        struct slice piece;
        size_t before = rest.len;
        enum smtp_server_step step = smtp_server_next(p->server, &rest, &piece);
        if (step == SMTP_SERVER_CONTENT) {
            assert_true(p->begun);
            buffer_append(&p->content, piece);
        }
        buffer_consume(input, before - rest.len);
        if (step == SMTP_SERVER_ASK)
            player_answer(p);
        if (step == SMTP_SERVER_DROPPED) {
            assert_true(p->begun);
            p->begun = false;
            p->dropped++;
        }
        if (step == SMTP_SERVER_CLOSE)
            p->closed = true;
        if (step == SMTP_SERVER_SECURE) {
            assert_int_equal(buffer_len(input), 0);
            smtp_server_secured(p->server);
        }
        if (step == SMTP_SERVER_NEED_INPUT)
            return;
        assert_int_not_equal(step, SMTP_SERVER_FLUSH);
    }
}

static void player_open(struct player *p)
{
    *p = (struct player){ 0 };
    smtp_server_options_default(&p->options);
    buffer_init(&p->out, 1024 * 1024);
    buffer_init(&p->content, 4 * 1024 * 1024);
    buffer_init(&p->kept, 4 * 1024 * 1024);
    p->server = smtp_server_new(&p->options, &p->out);
    assert_non_null(p->server);
}

static void player_close(struct player *p)
{
    smtp_server_free(&p->server);
    buffer_free(&p->out);
    buffer_free(&p->content);
    buffer_free(&p->kept);
}

static void play(const struct dialogue *d, size_t piece_len)
{
    struct player p;
    struct buffer input;
    struct buffer codes;
    player_open(&p);
    p.options.bare_line_end = d->rule;
    smtp_server_trust(p.server, d->may_xclient);
    struct smtp_server_auth auth = { .mechanisms = slice_from_string(d->mechanisms) };
    smtp_server_offer_auth(p.server, &auth);
    struct smtp_server_release release = { d->release_s, 3600 * SECOND_MS };
    smtp_server_offer_release(p.server, &release);
    smtp_server_greet(p.server, NULL);
    buffer_init(&input, 1024 * 1024);
    buffer_init(&codes, 4096);
    for (size_t at = 0; at < d->send.len && !p.closed; at += piece_len) {
        buffer_append(&input, slice_part(d->send, at, piece_len));
        player_feed(&p, &input);
    }
    codes_of(&codes, buffer_slice(&p.out), p.closed);
    buffer_append_byte(&codes, '\0');
    if (strcmp(codes.memory, d->codes) != 0)
        fail_msg("%s, by %zu: got '%s', want '%s'", d->name, piece_len, codes.memory,
                 d->codes);
    if (d->content != NULL) {
        assert_true(p.messages > 0);
        if (!slice_equal(buffer_slice(&p.kept), slice_from_string(d->content)))
            fail_msg("%s, by %zu: content differs", d->name, piece_len);
    }
    buffer_free(&input);
    buffer_free(&codes);
    player_close(&p);
}

static void dialogues_answer_the_same_however_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
        play(&dialogues[i], dialogues[i].send.len);
        play(&dialogues[i], 1);
        play(&dialogues[i], 7);
    }
}

static void feed_text(struct player *p, struct buffer *input, const char *text)
{
    buffer_append_string(input, text);
    player_feed(p, input);
}

static bool last_line_is(struct player *p, const char *start)
{
    struct slice all = buffer_slice(&p->out);
    all.len -= 2;
    size_t at = slice_find_last(all, '\n');
    struct slice last = at == SLICE_NOT_FOUND ? all : slice_from(all, at + 1);
    return slice_starts_with_nocase(last, slice_from_string(start));
}

static void limits_hold_at_their_edge(void **state)
{
    (void)state;
    struct player p;
    struct buffer input;
    player_open(&p);
    buffer_init(&input, 4 * 1024 * 1024);
    p.options.message_bytes_max = 100;
    p.options.line_bytes_max = 50;
    p.options.hops_max = 2;
    p.options.header_fields_max = 4;
    p.options.recipients_max = 2;
    static const struct { const char *content; const char *reply; } cases[] = {
        { "12345678901234567890123456789012345678901234567890\r\n", "250" },
        { "123456789012345678901234567890123456789012345678901\r\n", "554 5.6.0" },
        { "x: 1\r\n\r\n1234567890123456789012345678901234567890\r\n"
          "1234567890123456789012345678901234567890\r\n1234567\r\n", "552 5.3.4" },
        { "x: 1\r\n\r\n1234567890123456789012345678901234567890\r\n"
          "1234567890123456789012345678901234567890\r\n12345\r\n\r\n", "552 5.3.4" },
        { "x: 1\r\n\r\n1234567890123456789012345678901234567890\r\n"
          "1234567890123456789012345678901234567890\r\n123456\r\n", "250" },
        { "Received: a\r\nReceived: b\r\n\r\nx\r\n", "250" },
        { "Received: a\r\nReceived: b\r\nrECEIVED: c\r\n\r\n", "554 5.4.6" },
        { "Received: a\r\nReceived: b\r\nReceived: c\r\nno field\r\n", "554 5.4.6" },
        { "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n\r\ne: 1\r\n", "250" },
        { "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n", "552 5.3.4" },
    };
    feed_text(&p, &input, HELO);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        feed_text(&p, &input, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
        assert_true(last_line_is(&p, "354"));
        feed_text(&p, &input, cases[i].content);
        feed_text(&p, &input, ".\r\n");
        if (!last_line_is(&p, cases[i].reply))
            fail_msg("content %zu: want %s", i, cases[i].reply);
    }
    feed_text(&p, &input, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<c@d>\r\n");
    assert_true(last_line_is(&p, "250"));
    feed_text(&p, &input, "RCPT TO:<c@d>\r\n");
    assert_true(last_line_is(&p, "452 4.5.3"));
    buffer_free(&input);
    player_close(&p);
}

static void a_line_without_end_is_not_kept(void **state)
{
    (void)state;
    struct player p;
    struct buffer input;
    player_open(&p);
    buffer_init(&input, 8192);
    smtp_server_greet(p.server, NULL);
    static char block[1000];
    memset(block, 'x', sizeof block);
    buffer_append(&input, SLICE("EHLO "));
    for (int i = 0; i < 1000; i++) {
        buffer_append(&input, slice_make(block, sizeof block));
        player_feed(&p, &input);
        assert_false(input.overflow);
        assert_true(buffer_len(&input) <= 4096);
    }
    assert_true(last_line_is(&p, "500 5.5.2"));
    feed_text(&p, &input, "\r\nNOOP\r\n");
    assert_true(last_line_is(&p, "250"));
    buffer_free(&input);
    player_close(&p);
}

static void too_many_errors_and_too_much_junk_close(void **state)
{
    (void)state;
    static const struct { const char *line; int lines; bool closes; } cases[] = {
        { "FOO\r\n", 19, false },   { "FOO\r\n", 20, true },  { "NOOP\r\n", 100, false },
        { "NOOP\r\n", 101, true },  { "RSET\r\n", 101, true }, { "EHLO x\r\n", 101, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct player p;
        struct buffer input;
        player_open(&p);
        buffer_init(&input, 8192);
        for (int n = 0; n < cases[i].lines; n++) {
            feed_text(&p, &input, cases[i].line);
            if (n % 50 == 0 && !p.closed)
                buffer_clear(&p.out);
        }
        assert_int_equal(p.closed, cases[i].closes);
        if (p.closed)
            assert_true(last_line_is(&p, "421 4.7.0"));
        buffer_free(&input);
        player_close(&p);
    }
}

static void a_message_that_is_taken_forgives_the_errors_before(void **state)
{
    (void)state;
    struct player p;
    struct buffer input;
    player_open(&p);
    buffer_init(&input, 8192);
    for (int round = 0; round < 3; round++) {
        for (int n = 0; n < 19; n++)
            feed_text(&p, &input, "FOO\r\n");
        feed_text(&p, &input, ENVELOPE "DATA\r\nhi\r\n.\r\n");
        assert_false(p.closed);
        buffer_clear(&p.out);
    }
    assert_int_equal(p.messages, 3);
    buffer_free(&input);
    player_close(&p);
}

static void a_refused_intake_drains_and_answers_at_the_end(void **state)
{
    (void)state;
    struct player p;
    struct buffer input;
    player_open(&p);
    buffer_init(&input, 8192);
    feed_text(&p, &input, ENVELOPE "DATA\r\nx\r\n");
    struct smtp_reply full = smtp_reply_make(452, 4, 3, 1, SLICE("Full"));
    smtp_server_refuse_content(p.server, &full);
    feed_text(&p, &input, "y\r\n.\r\n");
    assert_true(last_line_is(&p, "452 4.3.1"));
    assert_int_equal(p.messages, 0);
    assert_int_equal(p.dropped, 1);
    feed_text(&p, &input, "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n");
    struct smtp_reply bye = smtp_reply_make(421, 4, 3, 2, SLICE("Shutting down"));
    smtp_server_end(p.server, &bye);
    feed_text(&p, &input, ".\r\n");
    assert_true(p.closed);
    assert_int_equal(p.dropped, 2);
    assert_true(last_line_is(&p, "421 4.3.2"));
    buffer_free(&input);
    player_close(&p);
}

static void the_envelope_holds_what_was_said(void **state)
{
    (void)state;
    struct player p;
    struct buffer input;
    player_open(&p);
    buffer_init(&input, 8192);
    feed_text(&p, &input, HELO "MAIL FROM:<A@b.test> RET=FULL ENVID=e+3Dx BODY=8BITMIME\r\n"
              "RCPT TO:<\"q q\"@d.test> NOTIFY=DELAY,FAILURE ORCPT=rfc822;o@p\r\n"
              "RCPT TO:<x@no.test>\r\nRCPT TO:<@r,@s:z@[127.0.0.1]> NOTIFY=NEVER\r\nDATA\r\n\xff\r\n");
    const struct envelope *e = smtp_server_envelope(p.server);
    assert_true(slice_equal(e->sender, SLICE("A@b.test")));
    assert_true(slice_equal(e->envid, SLICE("e+3Dx")));
    assert_int_equal(e->ret, DSN_RET_FULL);
    assert_int_equal(e->body, MAIL_BODY_8BITMIME);
    assert_int_equal(e->recipients_count, 2);
    assert_true(slice_equal(e->recipients[0].address, SLICE("\"q q\"@d.test")));
    assert_true(slice_equal(e->recipients[0].orcpt, SLICE("rfc822;o@p")));
    assert_int_equal(e->recipients[0].notify, DSN_NOTIFY_DELAY | DSN_NOTIFY_FAILURE);
    assert_true(slice_equal(e->recipients[1].address, SLICE("z@[127.0.0.1]")));
    assert_int_equal(e->recipients[1].notify, DSN_NOTIFY_NEVER);
    assert_true(slice_equal(smtp_server_helo(p.server), SLICE("client.test")));
    buffer_free(&input);
    player_close(&p);
}

/* Each text is fed alone, as a packet of its own; what comes after a SECURE step comes
 * over TLS. */
static void starttls_forgets_everything(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool required;
        const char *packets[4];
        const char *codes;
    } rows[] = {
        { "offered, taken, not offered again", false,
          { HELO "STARTTLS\r\n", HELO "STARTTLS\r\n" }, "220 250 220 250 503" },
        { "the greeting is forgotten", false,
          { HELO "STARTTLS\r\n", "MAIL FROM:<a@b>\r\n" }, "220 250 220 503" },
        { "the transaction is forgotten", false,
          { ENVELOPE "STARTTLS\r\n", "DATA\r\n" HELO "DATA\r\n" },
          "220 250 250 250 220 503 250 503" },
        { "before EHLO", false, { "STARTTLS\r\n", "NOOP\r\n" }, "220 220 250" },
        { "with an argument", false, { HELO "STARTTLS now\r\n", "NOOP\r\n" },
          "220 250 501 250" },
        { "something behind it", false, { HELO "STARTTLS\r\nRSET\r\nNOOP\r\n" },
          "220 250 501 close" },
        { "half a command behind it", false, { HELO "STARTTLS\r\nR" },
          "220 250 501 close" },
        { "required", true,
          { HELO "MAIL FROM:<a@b>\r\nVRFY a\r\nAUTH PLAIN\r\nNOOP\r\nRSET\r\nHELP\r\n"
            "STARTTLS\r\n", ENVELOPE },
          "220 250 530 530 530 250 250 214 220 250 250 250" },
        { "required: a chunk is eaten", true, { HELO "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n" },
          "220 250 503 250" },
        { "a mail over TLS", false,
          { HELO "STARTTLS\r\n", ENVELOPE "DATA\r\nhi\r\n.\r\nQUIT\r\n" },
          "220 250 220 250 250 250 354 250 221 close" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct player p;
        struct buffer input, codes;
        player_open(&p);
        buffer_init(&input, 8192);
        buffer_init(&codes, 4096);
        p.options.offers_tls = true;
        p.options.requires_tls = rows[i].required;
        smtp_server_greet(p.server, NULL);
        for (size_t n = 0; n < 4 && rows[i].packets[n] != NULL; n++)
            feed_text(&p, &input, rows[i].packets[n]);
        codes_of(&codes, buffer_slice(&p.out), p.closed);
        buffer_append_byte(&codes, '\0');
        if (strcmp(codes.memory, rows[i].codes) != 0)
            fail_msg("%s: got '%s', want '%s'", rows[i].name, codes.memory, rows[i].codes);
        buffer_free(&input);
        buffer_free(&codes);
        player_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialogues_answer_the_same_however_cut),
        cmocka_unit_test(limits_hold_at_their_edge),
        cmocka_unit_test(a_line_without_end_is_not_kept),
        cmocka_unit_test(too_many_errors_and_too_much_junk_close),
        cmocka_unit_test(a_message_that_is_taken_forgives_the_errors_before),
        cmocka_unit_test(a_refused_intake_drains_and_answers_at_the_end),
        cmocka_unit_test(the_envelope_holds_what_was_said),
        cmocka_unit_test(starttls_forgets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
