/* auth.c: AUTH: lines and base64 around what the mechanism says.
 *
 * RFC 4954 4 (the command, challenges and answers), 4.6 and 6 (codes). A refusal is the
 * operator's to mend, not the sender's: the mail waits. Challenges that are no base64, a
 * mechanism that gives up and a server that says it was good too early end the
 * connection. Nothing said here is kept once it has left.
 */
#include "base/base64.h"
#include "smtp/client/client_private.h"

enum {
    COMMAND_MAX = 512,      /* with its CRLF: RFC 5321 4.5.3.1.4, RFC 4954 4 */
    LINE_MAX_BYTES = 12288, /* of an answer: RFC 4954 4 */
    OCTETS_MAX = 12288,
};

static void wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

void auth_forget(struct smtp_client *c)
{
    wipe(&c->auth_line);
    wipe(&c->auth_first);
}

static void fail(struct smtp_client *c, uint16_t detail, const char *text)
{
    struct smtp_reply reason =
        smtp_reply_make(0, 4, 7, detail, slice_from_string(text));
    client_fail(c, &reason, false);
}

/* A buffer whose memory does not move: what it held is not left behind unwiped. */
static bool prepare(struct buffer *b, size_t max)
{
    wipe(b);
    buffer_init(b, max);
    return buffer_reserve(b, max) != NULL;
}

/* auth-command = "AUTH" SP sasl-mech [SP initial-response] CRLF
 * initial-response = base64 / "=" (RFC 4954 8) */
static void make_command(struct smtp_client *c, const char *mechanism, bool says)
{
    struct slice first = buffer_slice(&c->auth_first);
    size_t coded = (first.len + 2) / 3 * 4;
    buffer_append(&c->auth_line, SLICE("AUTH "));
    buffer_append_string(&c->auth_line, mechanism);
    c->auth_first_due = says && buffer_len(&c->auth_line) + 1 + coded + 2 > COMMAND_MAX;
    if (says && !c->auth_first_due) {
        buffer_append_byte(&c->auth_line, ' ');
        base64_append(&c->auth_line, first);
        if (first.len == 0)
            buffer_append_byte(&c->auth_line, '=');
        wipe(&c->auth_first);
    }
    buffer_append(&c->auth_line, SLICE("\r\n"));
}

void auth_start(struct smtp_client *c)
{
    const char *mechanism = "";
    bool says = false;
    if (!prepare(&c->auth_line, LINE_MAX_BYTES) || !prepare(&c->auth_first, OCTETS_MAX)) {
        fail(c, 0, "no memory");
        return;
    }
    const char *why = c->options.auth->begin(c->options.auth, c->extensions.auth,
                                             &mechanism, &c->auth_first, &says);
    if (why != NULL) {
        fail(c, 0, why);
        return;
    }
    make_command(c, mechanism, says);
    c->greeting = STEP_AUTH;
}

static bool send_line(struct smtp_client *c, struct buffer *out, enum client_step_id step)
{
    buffer_append(out, buffer_slice(&c->auth_line));
    wipe(&c->auth_line);
    client_await(c, step, NULL, 1);
    c->greeting = STEP_NONE;
    return true;
}

bool auth_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out)
{
    (void)t;
    return send_line(c, out, STEP_AUTH);
}

bool answer_build(struct smtp_client *c, struct smtp_client_transaction *t,
                  struct buffer *out)
{
    (void)t;
    return send_line(c, out, STEP_ANSWER);
}

/* The octets to be said now, into `out`. */
static bool answer(struct smtp_client *c, struct slice challenge, struct buffer *out)
{
    if (!c->auth_first_due)
        return c->options.auth->answer(c->options.auth, challenge, out);
    c->auth_first_due = false;
    buffer_append(out, buffer_slice(&c->auth_first));
    wipe(&c->auth_first);
    return challenge.len == 0;
}

/* continue-req = "334" SP [base64] CRLF (RFC 4954 8) */
static void on_challenge(struct smtp_client *c, struct slice text)
{
    struct buffer challenge = { .max = 0 };
    struct buffer octets = { .max = 0 };
    bool good = prepare(&challenge, OCTETS_MAX) && prepare(&octets, OCTETS_MAX) &&
                prepare(&c->auth_line, 2 * OCTETS_MAX) &&
                base64_decode(slice_trim(text), &challenge) && !challenge.overflow &&
                answer(c, buffer_slice(&challenge), &octets) && !octets.overflow;
    if (good) {
        base64_append(&c->auth_line, buffer_slice(&octets));
        buffer_append(&c->auth_line, SLICE("\r\n"));
        good = buffer_len(&c->auth_line) <= LINE_MAX_BYTES;
    }
    wipe(&challenge);
    wipe(&octets);
    if (good)
        c->greeting = STEP_ANSWER;
    else
        fail(c, 0, "the other side does not keep to the mechanism of authentication");
}

static void on_refusal(struct smtp_client *c, const struct smtp_reply *reply)
{
    struct buffer text;
    buffer_init(&text, 512);
    buffer_append_format(&text, "authentication was refused: %u ", reply->code);
    buffer_append(&text, slice_part(reply->text, 0, 400));
    struct smtp_reply reason = smtp_reply_make(0, 4, 7, 8, buffer_slice(&text));
    client_fail(c, &reason, false);
    buffer_free(&text);
}

void auth_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply)
{
    (void)t;
    if (reply->code == 334) {
        on_challenge(c, reply->text);
    } else if (reply_is_refusal(reply)) {
        on_refusal(c, reply);
    } else if (!reply_is_done(reply)) {
        client_fail_protocol(c, "the reply to AUTH does not fit");
    } else if (c->auth_first_due || !c->options.auth->is_done(c->options.auth)) {
        fail(c, 0, "the other side did not prove to know the password");
    } else {
        auth_forget(c);
        client_greeted(c);
    }
}
