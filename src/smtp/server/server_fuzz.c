/* server_fuzz.c: a whole dialogue of a hostile client, cut into pieces, answered as
 * the input says. Whatever comes, every reply is a whole line with a code, and what
 * was begun is ended exactly once. */
#include "smtp/server/server.h"

#include "base/ascii.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_replies(struct buffer *out)
{
    struct slice all = buffer_slice(out);
    while (all.len > 0) {
        size_t end = slice_find(all, '\n');
        must(end != SLICE_NOT_FOUND && end >= 5 && all.data[end - 1] == '\r');
        must(end < 512 || all.data[0] == '3');
        for (size_t i = 0; i < 3; i++)
            must(ascii_is_digit(all.data[i]));
        must(all.data[3] == ' ' || all.data[3] == '-');
        for (size_t i = 0; i + 1 < end; i++)
            must(!ascii_is_control(all.data[i]));
        all = slice_from(all, end + 1);
    }
    buffer_clear(out);
}

static void answer(struct smtp_server *s, uint8_t choice, bool *begun)
{
    static const struct smtp_reply no = {
        .code = 550, .status = { 5, 7, 1 }, .text = SLICE_INIT("no"),
    };
    static const struct smtp_reply later = {
        .code = 451, .status = { 4, 7, 1 }, .text = SLICE_INIT("later"),
    };
    enum smtp_ask ask = smtp_server_question(s)->ask;
    if (ask == SMTP_ASK_AUTH && choice % 8 > 3) {
        smtp_server_challenge(s, smtp_server_question(s)->response);
        return;
    }
    const struct envelope *e = smtp_server_envelope(s);
    if (ask == SMTP_ASK_END) {
        must(*begun && e->recipients_count > 0);
        *begun = false;
    }
    if (choice % 8 == 0) {
        smtp_server_answer(s, &no);
    } else if (choice % 8 == 1) {
        smtp_server_answer(s, &later);
    } else {
        if (ask == SMTP_ASK_DATA) {
            must(!*begun);
            *begun = true;
        }
        smtp_server_answer(s, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_server_options options;
    struct buffer out;
    if (size < 2)
        return 0;
    smtp_server_options_default(&options);
    options.bare_line_end = (enum line_end_rule)(data[0] % 3);
    options.message_bytes_max = 4096;
    options.recipients_max = 3;
    options.offers_tls = (data[0] & 32) != 0;
    options.requires_tls = (data[0] & 64) != 0;
    buffer_init(&out, 1024 * 1024);
    struct smtp_server *s = smtp_server_new(&options, &out);
    smtp_server_trust(s, (data[0] & 16) != 0);
    struct smtp_server_auth auth = {
        .mechanisms = (data[0] & 128) != 0 ? SLICE("PLAIN X") : slice_make(NULL, 0),
        .is_required = (data[0] & 4) != 0,
    };
    smtp_server_offer_auth(s, &auth);
    struct smtp_server_release release = { (data[0] & 8) != 0 ? 600 : 0, 600000 };
    smtp_server_offer_release(s, &release);
    smtp_server_offer_etrn(s, (data[0] & 2) != 0);
    smtp_server_greet(s, NULL);
    size_t piece_len = data[1] == 0 ? size : data[1];
    struct slice all = slice_make(data + 2, size - 2);
    bool begun = false;
    size_t turn = 0;
    while (all.len > 0) {
        struct slice input = slice_part(all, 0, piece_len);
        size_t given = input.len;
        struct slice content;
        enum smtp_server_step step = smtp_server_next(s, &input, &content);
        all = slice_from(all, given - input.len);
        must(!out.overflow);
        if (step == SMTP_SERVER_CLOSE)
            break;
        if (step == SMTP_SERVER_SECURE) {
            must(options.offers_tls && !smtp_server_is_secured(s));
            must(input.len == 0); /* HOSTILE 25 */
            smtp_server_secured(s);
        }
        if (step == SMTP_SERVER_ASK)
            answer(s, data[turn++ % size], &begun);
        if (step == SMTP_SERVER_CONTENT)
            must(begun && content.len > 0);
        if (step == SMTP_SERVER_DROPPED) {
            must(begun);
            begun = false;
        }
        check_replies(&out);
        if (step == SMTP_SERVER_NEED_INPUT && given == input.len) {
            if (piece_len >= all.len)
                break;
            piece_len *= 2; /* a line longer than a piece: keep and add */
        }
    }
    check_replies(&out);
    smtp_server_free(&s);
    buffer_free(&out);
    return 0;
}
