/* step.c: the steps of a session as a table, and those outside of a transaction.
 *
 * RFC 5321 4.1.1.1 (EHLO, HELO), 4.1.1.5 (RSET), 4.1.1.10 (QUIT), 4.5.3.2 (how long
 * to wait for each); RFC 2033 section 4.1 (LHLO, never HELO); RFC 3207 4 (STARTTLS).
 */
#include "smtp/client/client_private.h"

static bool build_nothing(struct smtp_client *c, struct smtp_client_transaction *t,
                          struct buffer *out)
{
    (void)c;
    (void)t;
    (void)out;
    return false;
}

/* A refusal ends the connection in the server's own words; anything else that is
 * not the answer to such a command is a fault of the protocol. */
static void fail_by(struct smtp_client *c, const struct smtp_reply *reply)
{
    if (reply->code >= 400)
        client_fail(c, reply, true);
    else
        client_fail_protocol(c, "the reply does not fit the command");
}

static void on_banner(struct smtp_client *c, struct smtp_client_transaction *t,
                      const struct smtp_reply *reply)
{
    (void)t;
    if (reply_is_done(reply))
        c->greeting = STEP_EHLO;
    else
        fail_by(c, reply);
}

static bool send_greeting(struct smtp_client *c, struct buffer *out, const char *verb,
                          enum client_step_id step)
{
    buffer_append_string(out, verb);
    buffer_append(out, c->options.helo);
    buffer_append(out, SLICE("\r\n"));
    client_await(c, step, NULL, 1);
    c->greeting = STEP_NONE;
    return true;
}

static bool build_ehlo(struct smtp_client *c, struct smtp_client_transaction *t,
                       struct buffer *out)
{
    (void)t;
    bool is_lmtp = c->options.protocol == SMTP_CLIENT_LMTP;
    return send_greeting(c, out, is_lmtp ? "LHLO " : "EHLO ", STEP_EHLO);
}

static bool build_helo(struct smtp_client *c, struct smtp_client_transaction *t,
                       struct buffer *out)
{
    (void)t;
    return send_greeting(c, out, "HELO ", STEP_HELO);
}

void client_greeted(struct smtp_client *c)
{
    client_enter(c, list_is_empty(&c->under_way) ? SMTP_CLIENT_READY
                                                 : SMTP_CLIENT_BUSY);
}

static void fail_for_now(struct smtp_client *c, uint16_t detail, struct slice text)
{
    struct smtp_reply reason = smtp_reply_make(0, 4, 7, detail, text);
    client_fail(c, &reason, false);
}

/* What the server offers is known: first TLS, then who we are, then mail. */
static void greeted(struct smtp_client *c)
{
    bool wanted = !c->is_secured && c->options.tls != SMTP_CLIENT_TLS_NEVER;
    if (wanted && client_offers(c, SMTP_EXTENSION_STARTTLS))
        c->greeting = STEP_STARTTLS;
    else if (wanted && c->options.tls == SMTP_CLIENT_TLS_REQUIRED)
        fail_for_now(c, 4, SLICE("TLS is required, and the other side does not offer it"));
    else if (c->options.auth != NULL)
        auth_start(c);
    else
        client_greeted(c);
}

/* starttls = "STARTTLS" CRLF (RFC 3207 4) */
static bool build_starttls(struct smtp_client *c, struct smtp_client_transaction *t,
                           struct buffer *out)
{
    (void)t;
    buffer_append(out, SLICE("STARTTLS\r\n"));
    client_await(c, STEP_STARTTLS, NULL, 1);
    c->greeting = STEP_NONE;
    return true;
}

/* A refusal ends the connection in any case: who is content with clear text begins
 * again with a server that has not been asked. */
static void on_starttls(struct smtp_client *c, struct smtp_client_transaction *t,
                        const struct smtp_reply *reply)
{
    struct buffer text;
    (void)t;
    if (reply_is_done(reply)) {
        client_enter(c, SMTP_CLIENT_SECURING);
        return;
    }
    if (!reply_is_refusal(reply)) {
        client_fail_protocol(c, "the reply to STARTTLS does not fit");
        return;
    }
    c->refused_tls = true;
    buffer_init(&text, 512);
    buffer_append_format(&text, "STARTTLS was offered and then refused: %u ", reply->code);
    buffer_append(&text, slice_part(reply->text, 0, 400));
    fail_for_now(c, 4, buffer_slice(&text));
    buffer_free(&text);
}

static void on_ehlo(struct smtp_client *c, struct smtp_client_transaction *t,
                    const struct smtp_reply *reply)
{
    (void)t;
    if (reply_is_done(reply)) {
        c->extensions = smtp_extensions_read(reply->text);
        if (c->options.without_pipelining)
            c->extensions.offered &= ~(uint32_t)SMTP_EXTENSION_PIPELINING;
        if (c->options.without_chunking)
            c->extensions.offered &= ~(uint32_t)SMTP_EXTENSION_CHUNKING;
        greeted(c);
    } else if (reply->code >= 500 && c->options.protocol == SMTP_CLIENT_SMTP) {
        c->greeting = STEP_HELO;
    } else {
        fail_by(c, reply);
    }
}

static void on_helo(struct smtp_client *c, struct smtp_client_transaction *t,
                    const struct smtp_reply *reply)
{
    (void)t;
    if (reply_is_done(reply))
        greeted(c);
    else
        fail_by(c, reply);
}

static bool build_rset(struct smtp_client *c, struct smtp_client_transaction *t,
                       struct buffer *out)
{
    (void)t;
    buffer_append(out, SLICE("RSET\r\n"));
    client_await(c, STEP_RSET, NULL, 1);
    c->reset_due = false;
    return true;
}

static void on_rset(struct smtp_client *c, struct smtp_client_transaction *t,
                    const struct smtp_reply *reply)
{
    (void)t;
    if (!reply_is_done(reply))
        client_fail_protocol(c, "the other side refused RSET");
}

static bool build_quit(struct smtp_client *c, struct smtp_client_transaction *t,
                       struct buffer *out)
{
    (void)t;
    buffer_append(out, SLICE("QUIT\r\n"));
    client_await(c, STEP_QUIT, NULL, 1);
    client_enter(c, SMTP_CLIENT_QUITTING);
    return true;
}

static void on_quit(struct smtp_client *c, struct smtp_client_transaction *t,
                    const struct smtp_reply *reply)
{
    (void)t;
    (void)reply;
    client_enter(c, SMTP_CLIENT_CLOSED);
}

static const struct client_step steps[] = {
    [STEP_BANNER] = { "the banner", build_nothing, on_banner, SMTP_CLIENT_WAIT_GREETING,
                      true },
    [STEP_EHLO] = { "EHLO", build_ehlo, on_ehlo, SMTP_CLIENT_WAIT_GREETING, true },
    [STEP_HELO] = { "HELO", build_helo, on_helo, SMTP_CLIENT_WAIT_GREETING, true },
    [STEP_STARTTLS] = { "STARTTLS", build_starttls, on_starttls,
                        SMTP_CLIENT_WAIT_GREETING, true },
    [STEP_AUTH] = { "AUTH", auth_build, auth_on_reply, SMTP_CLIENT_WAIT_GREETING, true },
    [STEP_ANSWER] = { "AUTH", answer_build, auth_on_reply, SMTP_CLIENT_WAIT_GREETING,
                      true },
    [STEP_RSET] = { "RSET", build_rset, on_rset, SMTP_CLIENT_WAIT_GREETING, false },
    [STEP_MAIL] = { "MAIL", mail_build, mail_on_reply, SMTP_CLIENT_WAIT_MAIL, false },
    [STEP_RCPT] = { "RCPT", rcpt_build, rcpt_on_reply, SMTP_CLIENT_WAIT_RCPT, false },
    [STEP_DATA] = { "DATA", data_build, data_on_reply, SMTP_CLIENT_WAIT_DATA_START,
                    true },
    /* A barrier of ours: after a refused chunk the server wants RSET before it takes
     * a MAIL (RFC 3030 section 2). */
    [STEP_BDAT] = { "BDAT", data_build, bdat_on_reply, SMTP_CLIENT_WAIT_DATA_END, true },
    [STEP_END] = { "the end of data", end_build, end_on_reply,
                   SMTP_CLIENT_WAIT_DATA_END, false },
    [STEP_QUIT] = { "QUIT", build_quit, on_quit, SMTP_CLIENT_WAIT_GREETING, true },
};

const struct client_step *client_step_of(enum client_step_id id)
{
    return &steps[id];
}
