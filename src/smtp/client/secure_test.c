/* secure_test.c: STARTTLS and AUTH of the client against scripted servers, each dialogue
 * whole and byte by byte. The handshake itself is a mark in the script. */
#include "smtp/client/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TURNS_MAX = 9 };

#define TLS "(the handshake is done)"
#define NO_TLS "(the handshake failed)"

struct turn {
    const char *says;
    const char *wants; /* all that must then be sent */
};

struct dialogue {
    const char *name;
    enum smtp_client_tls tls;
    bool is_secured;
    bool has_auth;
    struct turn turns[TURNS_MAX];
    const char *result; /* kind status text; "none" while it goes on */
    enum smtp_client_state state;
    bool refused_tls;
};

#define HI { "220 mx\r\n", "EHLO me\r\n" }
#define OFFER "250-mx\r\n250-SIZE 5\r\n250 STARTTLS\r\n"
#define MAIL "MAIL FROM:<a@x>\r\n"
#define PLAIN_B64 "AHUAcA=="

static const struct dialogue dialogues[] = {
    { .name = "TLS, and what was offered in clear is forgotten",
      .tls = SMTP_CLIENT_TLS_IF_OFFERED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "220 go\r\n", "" },
                 { TLS, "EHLO me\r\n" }, { "250 mx\r\n", MAIL } },
      .result = "none", .state = SMTP_CLIENT_BUSY },
    { .name = "once under TLS it is not begun again", .tls = SMTP_CLIENT_TLS_REQUIRED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "220-go\r\n220 on\r\n", "" },
                 { TLS, "EHLO me\r\n" }, { "250-mx\r\n250 STARTTLS\r\n", MAIL } },
      .result = "none", .state = SMTP_CLIENT_BUSY },
    { .name = "not offered, in clear", .tls = SMTP_CLIENT_TLS_IF_OFFERED,
      .turns = { HI, { "250 mx\r\n", MAIL } }, .result = "none", .state = SMTP_CLIENT_BUSY },
    { .name = "offered to who does not want it",
      .turns = { HI, { "250-mx\r\n250 STARTTLS\r\n", MAIL } },
      .result = "none", .state = SMTP_CLIENT_BUSY },
    { .name = "not offered, but required", .tls = SMTP_CLIENT_TLS_REQUIRED,
      .turns = { HI, { "250 mx\r\n", "" } },
      .result = "deferred 4.7.4 TLS is required, and the other side does not offer it",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "only HELO, but required", .tls = SMTP_CLIENT_TLS_REQUIRED,
      .turns = { HI, { "502 what\r\n", "HELO me\r\n" }, { "250 mx\r\n", "" } },
      .result = "deferred 4.7.4 TLS is required, and the other side does not offer it",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "refused", .tls = SMTP_CLIENT_TLS_IF_OFFERED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "454 4.7.0 not now\r\n", "" } },
      .result = "deferred 4.7.4 STARTTLS was offered and then refused: 454 not now",
      .state = SMTP_CLIENT_CLOSED, .refused_tls = true },
    { .name = "refused for good is for now", .tls = SMTP_CLIENT_TLS_REQUIRED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "502 no\r\n", "" } },
      .result = "deferred 4.7.4 STARTTLS was offered and then refused: 502 no",
      .state = SMTP_CLIENT_CLOSED, .refused_tls = true },
    { .name = "421 is a farewell", .tls = SMTP_CLIENT_TLS_IF_OFFERED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "421 4.3.2 bye\r\n", "" } },
      .result = "deferred 4.3.2 bye", .state = SMTP_CLIENT_CLOSED },
    { .name = "354 is no answer", .tls = SMTP_CLIENT_TLS_IF_OFFERED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "354 go\r\n", "" } },
      .result = "deferred 4.5.0 the reply to STARTTLS does not fit",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "the handshake fails", .tls = SMTP_CLIENT_TLS_IF_OFFERED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "220 go\r\n", "" }, { NO_TLS, "" } },
      .result = "deferred 4.7.5 TLS cannot be begun: bad luck",
      .state = SMTP_CLIENT_CLOSED },
    /* HOSTILE 114 */
    { .name = "a reply behind the 220", .tls = SMTP_CLIENT_TLS_IF_OFFERED, .has_auth = true,
      .turns = { HI, { OFFER, "STARTTLS\r\n" },
                 { "220 go\r\n250-AUTH PLAIN\r\n250 ok\r\n", "" } },
      .result = "deferred 4.5.0 the other side spoke in clear behind its reply to STARTTLS",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "a piece of a reply behind the 220", .tls = SMTP_CLIENT_TLS_REQUIRED,
      .turns = { HI, { OFFER, "STARTTLS\r\n" }, { "220 go\r\n2", "" } },
      .result = "deferred 4.5.0 the other side spoke in clear behind its reply to STARTTLS",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "implicit TLS", .is_secured = true, .tls = SMTP_CLIENT_TLS_REQUIRED,
      .turns = { HI, { "250-mx\r\n250 STARTTLS\r\n", MAIL } },
      .result = "none", .state = SMTP_CLIENT_BUSY },
    { .name = "HELO after EHLO was not known under TLS", .tls = SMTP_CLIENT_TLS_REQUIRED,
      .turns = { { "220 mx\r\n", "EHLO me\r\n" }, { OFFER, "STARTTLS\r\n" },
                 { "220 go\r\n", "" }, { TLS, "EHLO me\r\n" }, { "554 no\r\n", "HELO me\r\n" },
                 { "554 5.7.1 no\r\n", "" } },
      .result = "failed 5.7.1 no", .state = SMTP_CLIENT_CLOSED },
    { .name = "AUTH with the first word", .is_secured = true, .has_auth = true,
      .turns = { HI, { "250-mx\r\n250 AUTH LOGIN PLAIN\r\n", "AUTH PLAIN " PLAIN_B64 "\r\n" },
                 { "235 2.7.0 in\r\n", MAIL } },
      .result = "none", .state = SMTP_CLIENT_BUSY },
    { .name = "AUTH after STARTTLS, by what is offered then", .has_auth = true,
      .tls = SMTP_CLIENT_TLS_IF_OFFERED,
      .turns = { HI, { "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "STARTTLS\r\n" },
                 { "220 go\r\n", "" }, { TLS, "EHLO me\r\n" },
                 { "250-mx\r\n250 auth LOGIN\r\n", "AUTH LOGIN\r\n" },
                 { "334 VXNlcm5hbWU6\r\n", "dQ==\r\n" }, { "334 \r\n", "cA==\r\n" },
                 { "235 in\r\n", MAIL } },
      .result = "none", .state = SMTP_CLIENT_BUSY },
    { .name = "nothing that we can do", .is_secured = true, .has_auth = true,
      .turns = { HI, { "250-mx\r\n250 AUTH GSSAPI CRAM-MD5\r\n", "" } },
      .result = "deferred 4.7.0 nothing fits", .state = SMTP_CLIENT_CLOSED },
    { .name = "AUTH not offered", .is_secured = true, .has_auth = true,
      .turns = { HI, { "250 mx\r\n", "" } },
      .result = "deferred 4.7.0 nothing fits", .state = SMTP_CLIENT_CLOSED },
    { .name = "refused credentials are the operator's to mend", .is_secured = true,
      .has_auth = true,
      .turns = { HI, { "250-mx\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN " PLAIN_B64 "\r\n" },
                 { "535 5.7.8 wrong\r\n", "" } },
      .result = "deferred 4.7.8 authentication was refused: 535 wrong",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "a question where none was due", .is_secured = true, .has_auth = true,
      .turns = { HI, { "250-mx\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN " PLAIN_B64 "\r\n" },
                 { "334 \r\n", "" } },
      .result = "deferred 4.7.0 the other side does not keep to the mechanism of "
                "authentication",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "a challenge that is no base64", .is_secured = true, .has_auth = true,
      .turns = { HI, { "250-mx\r\n250 AUTH LOGIN\r\n", "AUTH LOGIN\r\n" },
                 { "334-VXNl\r\n334 cm5h\r\n", "" } },
      .result = "deferred 4.7.0 the other side does not keep to the mechanism of "
                "authentication",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "good before all was said", .is_secured = true, .has_auth = true,
      .turns = { HI, { "250-mx\r\n250 AUTH LOGIN\r\n", "AUTH LOGIN\r\n" },
                 { "235 in\r\n", "" } },
      .result = "deferred 4.7.0 the other side did not prove to know the password",
      .state = SMTP_CLIENT_CLOSED },
    { .name = "354 to AUTH", .is_secured = true, .has_auth = true,
      .turns = { HI, { "250-mx\r\n250 AUTH LOGIN\r\n", "AUTH LOGIN\r\n" },
                 { "354 go\r\n", "" } },
      .result = "deferred 4.5.0 the reply to AUTH does not fit",
      .state = SMTP_CLIENT_CLOSED },
};

/* User "u", password "p"; the password may be a long one. */
struct fake_auth {
    struct smtp_client_auth base;
    const char *password;
    bool by_login;
    unsigned answers;
    bool done;
};

static const char *fake_begin(struct smtp_client_auth *auth, uint32_t offered,
                              const char **out_mechanism, struct buffer *out_first,
                              bool *out_says)
{
    struct fake_auth *f = container_of(auth, struct fake_auth, base);
    if ((offered & (SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN)) == 0)
        return "nothing fits";
    f->by_login = (offered & SMTP_AUTH_PLAIN) == 0;
    f->done = *out_says = !f->by_login;
    *out_mechanism = f->by_login ? "LOGIN" : "PLAIN";
    if (*out_says) {
        buffer_append(out_first, SLICE("\0u\0"));
        buffer_append_string(out_first, f->password);
    }
    return NULL;
}

static bool fake_answer(struct smtp_client_auth *auth, struct slice challenge,
                        struct buffer *out)
{
    struct fake_auth *f = container_of(auth, struct fake_auth, base);
    if (!f->by_login || f->answers > 1)
        return false;
    assert_int_equal(challenge.len, f->answers == 0 ? strlen("Username:") : 0);
    buffer_append_string(out, f->answers == 0 ? "u" : f->password);
    f->done = f->answers++ == 1;
    return true;
}

static bool fake_is_done(struct smtp_client_auth *auth)
{
    return container_of(auth, struct fake_auth, base)->done;
}

static const struct fake_auth fresh_auth = {
    .base = { fake_begin, fake_answer, fake_is_done }, .password = "p",
};

static enum err no_content(struct smtp_client_content *content, uint64_t offset, char *out,
                           size_t len)
{
    (void)content;
    (void)offset;
    (void)out;
    (void)len;
    return ERR_IO;
}

struct run {
    struct smtp_client *client;
    struct fake_auth auth;
    struct envelope envelope;
    struct envelope_recipient to;
    struct smtp_client_content content;
    struct smtp_client_recipient recipient;
    struct smtp_client_transaction transaction;
    struct buffer texts;
    struct buffer out;
};

static void run_open(struct run *r, const struct dialogue *d)
{
    *r = (struct run){ .auth = fresh_auth, .envelope = { .sender = SLICE("a@x") },
                       .to = { .address = SLICE("b@y") }, .content = { no_content, 3 } };
    struct smtp_client_options options = {
        .helo = SLICE("me"), .tls = d->tls, .is_secured = d->is_secured,
        .auth = d->has_auth ? &r->auth.base : NULL,
    };
    buffer_init(&r->texts, 4096);
    buffer_init(&r->out, SMTP_CLIENT_OUTPUT_MAX);
    r->recipient.recipient = &r->to;
    r->transaction = (struct smtp_client_transaction){
        .envelope = &r->envelope, .recipients = &r->recipient, .count = 1,
        .content = &r->content, .texts = &r->texts,
    };
    assert_int_equal(smtp_client_open(&options, &r->client), ERR_OK);
    smtp_client_submit(r->client, &r->transaction);
}

static void run_feed(struct run *r, const char *says, bool by_byte)
{
    struct slice bytes = slice_from_string(says);
    if (strcmp(says, TLS) == 0 || strcmp(says, NO_TLS) == 0) {
        assert_int_equal(smtp_client_state(r->client), SMTP_CLIENT_SECURING);
        assert_int_equal(smtp_client_timeout_ms(r->client), 5 * 60 * 1000);
        assert_string_equal(smtp_client_step_name(r->client), "the handshake of TLS");
        if (strcmp(says, TLS) == 0)
            smtp_client_secured(r->client);
        else
            smtp_client_not_secured(r->client, SLICE("bad luck"));
        bytes.len = 0;
    }
    smtp_client_output(r->client, &r->out);
    for (size_t at = 0; at < bytes.len; at += by_byte ? 1 : bytes.len) {
        smtp_client_input(r->client, slice_part(bytes, at, by_byte ? 1 : bytes.len));
        smtp_client_output(r->client, &r->out);
    }
}

static void run_close(struct run *r)
{
    smtp_client_close(&r->client);
    buffer_free(&r->texts);
    buffer_free(&r->out);
}

static void expect_result(struct run *r, const char *want)
{
    struct smtp_client_transaction *t = smtp_client_take_done(r->client);
    struct buffer text;
    buffer_init(&text, 1000);
    if (t == NULL) {
        buffer_append(&text, SLICE("none"));
    } else {
        assert_int_equal(t->end, SMTP_CLIENT_NOT_STARTED);
        buffer_append_string(&text, t->failure.kind == OUTCOME_FAILED ? "failed "
                                                                      : "deferred ");
        smtp_status_append(&text, t->failure.status);
        buffer_append_byte(&text, ' ');
        buffer_append(&text, t->failure.text);
    }
    buffer_append_byte(&text, '\0');
    assert_string_equal(buffer_slice(&text).data, want);
    buffer_free(&text);
}

static void dialogues_end_as_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof dialogues / sizeof *dialogues); i++) {
        const struct dialogue *d = &dialogues[i / 2];
        struct run r;
        print_message("  %s\n", d->name);
        run_open(&r, d);
        for (size_t n = 0; n < TURNS_MAX && d->turns[n].says != NULL; n++) {
            run_feed(&r, d->turns[n].says, i % 2 == 1);
            buffer_append_byte(&r.out, '\0');
            assert_string_equal(buffer_slice(&r.out).data, d->turns[n].wants);
            buffer_clear(&r.out);
        }
        expect_result(&r, d->result);
        assert_int_equal(smtp_client_state(r.client), d->state);
        assert_int_equal(smtp_client_was_refused_tls(r.client), d->refused_tls);
        run_close(&r);
    }
}

/* A first word that a command has no room for waits for an empty challenge. */
static void a_long_first_word_comes_after_the_command(void **state)
{
    (void)state;
    static const struct dialogue d = { .is_secured = true, .has_auth = true };
    static const struct {
        size_t password;
        const char *challenge;
        bool in_command;
        enum smtp_client_state state;
    } rows[] = {
        { 369, "", true, SMTP_CLIENT_BUSY },
        { 370, "334 \r\n", false, SMTP_CLIENT_BUSY },
        { 370, "334 eA==\r\n", false, SMTP_CLIENT_CLOSED },
        { 370, "", false, SMTP_CLIENT_CLOSED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run r;
        char password[400] = { 0 };
        memset(password, 'p', rows[i].password);
        run_open(&r, &d);
        r.auth.password = password;
        run_feed(&r, "220 mx\r\n", false);
        buffer_clear(&r.out);
        run_feed(&r, "250-mx\r\n250 AUTH PLAIN\r\n", false);
        assert_true(buffer_len(&r.out) <= 512);
        assert_int_equal(slice_equal(buffer_slice(&r.out), SLICE("AUTH PLAIN\r\n")),
                         !rows[i].in_command);
        if (rows[i].challenge[0] != '\0')
            run_feed(&r, rows[i].challenge, false);
        if (smtp_client_state(r.client) != SMTP_CLIENT_CLOSED)
            run_feed(&r, "235 in\r\n", false);
        assert_int_equal(smtp_client_state(r.client), rows[i].state);
        run_close(&r);
    }
}

static void tls_and_auth_are_read(void **state)
{
    (void)state;
    struct smtp_extensions e = smtp_extensions_read(
        SLICE("mx\nstarttls\nAUTH=LOGIN\nAUTH plain X-UNKNOWN scram-sha-256  SCRAM-SHA-1"));
    assert_int_equal(e.offered, SMTP_EXTENSION_STARTTLS | SMTP_EXTENSION_AUTH);
    assert_int_equal(e.auth, SMTP_AUTH_PLAIN | SMTP_AUTH_SCRAM_SHA_256 |
                                 SMTP_AUTH_SCRAM_SHA_1);
    e = smtp_extensions_read(SLICE("mx\nAUTH\nSTARTTLSX"));
    assert_int_equal(e.offered, SMTP_EXTENSION_AUTH);
    assert_int_equal(e.auth, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialogues_end_as_they_should),
        cmocka_unit_test(a_long_first_word_comes_after_the_command),
        cmocka_unit_test(tls_and_auth_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
