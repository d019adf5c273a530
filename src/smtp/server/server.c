/* server.c: lines in, verbs out of a table, replies counted.
 *
 * RFC 5321 4.1.4 (order of commands), 4.2 (replies), 4.5.3; RFC 2920 3.2 (a server
 * answers commands in order, whatever came in one packet); RFC 3207 4, RFC 4954 6 (what may be said
 * where TLS or AUTH is required), RFC 3207 4.2 (what is forgotten).
 */
#include "smtp/server/server_private.h"

#include "base/ascii.h"
#include "base/moment.h"
#include "base/must.h"

#include <stdlib.h>

enum {
    ANY = SMTP_PHASE_START | SMTP_PHASE_READY | SMTP_PHASE_MAIL | SMTP_PHASE_RCPT |
          SMTP_PHASE_CHUNKS,
    GREETED = ANY & ~SMTP_PHASE_START,
};

static const struct verb verbs[] = {
    { "HELO", ANY, true, true, verb_helo, helo_accepted },
    { "EHLO", ANY, true, true, verb_ehlo, helo_accepted },
    { "MAIL", SMTP_PHASE_READY, false, false, verb_mail, mail_accepted },
    { "RCPT", SMTP_PHASE_MAIL | SMTP_PHASE_RCPT, false, false, verb_rcpt, rcpt_accepted },
    { "DATA", SMTP_PHASE_RCPT, false, false, verb_data, data_accepted },
    { "BDAT", ANY, false, true, verb_bdat, bdat_accepted },
    { "RSET", ANY, true, true, verb_rset, NULL },
    { "NOOP", ANY, true, true, verb_noop, NULL },
    { "QUIT", ANY, false, true, verb_quit, NULL },
    { "HELP", ANY, true, true, verb_help, NULL },
    { "VRFY", ANY, true, false, verb_vrfy, vrfy_accepted },
    { "EXPN", ANY, true, false, verb_unimplemented, NULL },
    { "ETRN", SMTP_PHASE_READY, true, false, verb_etrn, etrn_accepted },
    { "STARTTLS", ANY, false, true, verb_starttls, NULL },
    { "AUTH", SMTP_PHASE_READY, false, false, verb_auth, auth_accepted },
    { "TURN", ANY, true, false, verb_unimplemented, NULL },
    { "SEND", ANY, true, false, verb_unimplemented, NULL },
    { "SOML", ANY, true, false, verb_unimplemented, NULL },
    { "SAML", ANY, true, false, verb_unimplemented, NULL },
    { "XCLIENT", SMTP_PHASE_START | SMTP_PHASE_READY, false, false, verb_xclient,
      xclient_accepted },
    { "XFORWARD", ANY, true, false, verb_xforward, NULL },
    { "PROXY", ANY, false, true, verb_foreign, NULL },
    { "GET", ANY, false, true, verb_foreign, NULL },
    { "HEAD", ANY, false, true, verb_foreign, NULL },
    { "POST", ANY, false, true, verb_foreign, NULL },
    { "PUT", ANY, false, true, verb_foreign, NULL },
    { "OPTIONS", ANY, false, true, verb_foreign, NULL },
    { "CONNECT", ANY, false, true, verb_foreign, NULL },
};

void smtp_server_options_default(struct smtp_server_options *options)
{
    *options = (struct smtp_server_options){
        .hostname = SLICE("localhost"),
        .bare_line_end = LINE_END_REJECT,
        .message_bytes_max = 50u * 1024 * 1024,
        .line_bytes_max = 64u * 1024,
        .header_bytes_max = 1024u * 1024,
        .header_fields_max = 2000,
        .hops_max = 100,
        .recipients_max = 1000,
        .command_bytes_max = 4096,
        .errors_max = 20,
        .junk_max = 100,
        .auth_failures_max = 3,
    };
}

struct smtp_server *smtp_server_new(const struct smtp_server_options *options,
                                    struct buffer *out)
{
    struct smtp_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->options = options;
    s->out = out;
    s->phase = SMTP_PHASE_START;
    transaction_init(&s->txn);
    arena_init(&s->xclient_arena, 8192);
    return s;
}

void smtp_server_free(struct smtp_server **server)
{
    if (*server == NULL)
        return;
    transaction_drop(*server);
    arena_free(&(*server)->txn.arena);
    arena_free(&(*server)->xclient_arena);
    buffer_free(&(*server)->response);
    free(*server);
    *server = NULL;
}

void smtp_server_trust(struct smtp_server *s, bool may_xclient)
{
    s->may_xclient = may_xclient;
}

bool smtp_server_took_mail(struct smtp_server *s, int64_t wall_ms)
{
    if (!s->txn.has_by)
        return true;
    s->txn.envelope.deliver_by_wall_ms = wall_ms + s->txn.by_s * SECOND_MS;
    return smtp_server_release_at(s, wall_ms) <= s->txn.envelope.deliver_by_wall_ms;
}

void smtp_server_set_priority(struct smtp_server *s, int8_t priority)
{
    s->txn.envelope.priority = priority;
    s->txn.priority_changed = true;
}

void smtp_server_offer_etrn(struct smtp_server *s, bool may_etrn)
{
    s->may_etrn = may_etrn;
}

void smtp_server_offer_release(struct smtp_server *s,
                               const struct smtp_server_release *release)
{
    s->release = *release;
}

int64_t smtp_server_release_at(const struct smtp_server *s, int64_t now_wall_ms)
{
    const struct transaction *t = &s->txn;
    int64_t at = t->hold_for_s > 0 ? now_wall_ms + (int64_t)t->hold_for_s * SECOND_MS
                                   : t->hold_until_wall_ms;
    return at > now_wall_ms ? at : 0;
}

uint32_t smtp_server_errors(const struct smtp_server *s)
{
    return s->errors;
}

void server_enter(struct smtp_server *s, enum smtp_server_phase to)
{
    if (to == SMTP_PHASE_START || to == SMTP_PHASE_READY || to == SMTP_PHASE_CLOSED)
        transaction_drop(s);
    s->phase = to;
}

static void close_session(struct smtp_server *s)
{
    s->question.ask = SMTP_ASK_NOTHING;
    s->closing = true;
    server_enter(s, SMTP_PHASE_CLOSED);
}

void server_say_and_close(struct smtp_server *s, const struct smtp_reply *reply)
{
    if (s->closing)
        return;
    smtp_reply_append(s->out, reply, true);
    close_session(s);
}

void server_say(struct smtp_server *s, const struct smtp_reply *reply)
{
    if (s->closing)
        return;
    if (reply->code == 421) {
        server_say_and_close(s, reply);
        return;
    }
    smtp_reply_append(s->out, reply, true);
    if (reply->code >= 500 && ++s->errors >= s->options->errors_max) {
        struct smtp_reply enough =
            smtp_reply_make(421, 4, 7, 0, SLICE("Too many errors, closing"));
        server_say_and_close(s, &enough);
    }
}

void server_say_text(struct smtp_server *s, uint16_t code, uint8_t class,
                     uint16_t subject, uint16_t detail, struct slice text)
{
    struct smtp_reply reply = smtp_reply_make(code, class, subject, detail, text);
    server_say(s, &reply);
}

void server_ask(struct smtp_server *s, enum smtp_ask ask)
{
    s->question.ask = ask;
}

void smtp_server_greet(struct smtp_server *s, const struct smtp_reply *refusal)
{
    if (refusal != NULL) {
        server_say_and_close(s, refusal);
        return;
    }
    buffer_append(s->out, SLICE("220 "));
    buffer_append(s->out, s->options->hostname);
    buffer_append(s->out, SLICE(" ESMTP godwit\r\n"));
}

static const struct verb *find_verb(struct slice name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (slice_equal_nocase(name, slice_from_string(verbs[i].name)))
            return &verbs[i];
    return NULL;
}

static bool is_too_much_junk(struct smtp_server *s, const struct verb *verb)
{
    if (verb != NULL && !verb->is_junk)
        return false;
    return ++s->junk > s->options->junk_max;
}

static void say_out_of_order(struct smtp_server *s, const struct verb *verb)
{
    struct slice text = SLICE("Bad sequence of commands");
    if (s->phase == SMTP_PHASE_START)
        text = SLICE("Send HELO or EHLO first");
    else if (s->phase == SMTP_PHASE_CHUNKS)
        text = SLICE("Only BDAT, RSET or QUIT may follow BDAT");
    else if (verb->run == verb_auth)
        text = SLICE("Not within a transaction");
    else if (verb->run == verb_mail)
        text = SLICE("Sender already given");
    else if (s->phase == SMTP_PHASE_READY)
        text = SLICE("Need MAIL first");
    else if (verb->run == verb_data && s->txn.recipients_refused > 0) {
        server_say_text(s, 554, 5, 5, 1, SLICE("No valid recipients"));
        return;
    } else if (verb->run == verb_data)
        text = SLICE("Need RCPT first");
    server_say_text(s, 503, 5, 5, 1, text);
}

static void run_line(struct smtp_server *s, struct slice line)
{
    struct smtp_command command;
    bool good = smtp_command_parse(line, &command);
    if (!good && slice_starts_with_nocase(line, SLICE("BDAT"))) {
        /* A chunk of unknown size may follow: it must not be read as commands. */
        command = (struct smtp_command){ .verb = slice_part(line, 0, 4) };
        good = true;
    }
    s->verb = good ? find_verb(command.verb) : NULL;
    if (is_too_much_junk(s, s->verb)) {
        struct smtp_reply reply = smtp_reply_make(
            421, 4, 7, 0, SLICE("Too many commands without mail, closing"));
        server_say_and_close(s, &reply);
        return;
    }
    if (s->verb == NULL) {
        s->question.text = line;
        server_ask(s, SMTP_ASK_UNKNOWN);
    } else if ((s->verb->phases & (unsigned)s->phase) == 0)
        say_out_of_order(s, s->verb);
    else if (s->options->requires_tls && !s->secured && !s->verb->in_clear)
        server_say_text(s, 530, 5, 7, 0, SLICE("Must issue a STARTTLS command first"));
    else if (s->auth.is_required && !s->authenticated && !s->verb->in_clear &&
             s->verb->run != verb_auth)
        server_say_text(s, 530, 5, 7, 0, SLICE("Authentication required"));
    else if (command.has_control && s->verb->run != verb_bdat)
        server_say_text(s, 501, 5, 5, 4, SLICE("Control character in the arguments"));
    else
        s->verb->run(s, command.argument);
}

static void say_bad_line(struct smtp_server *s, struct slice text)
{
    struct smtp_reply reply = smtp_reply_make(500, 5, 5, 2, text);
    server_say_and_close(s, &reply);
}

/* RFC 4954 4: what is said of AUTH may be longer than other commands. */
static size_t line_limit(const struct smtp_server *s, struct slice input)
{
    size_t limit = s->options->command_bytes_max;
    bool is_auth = s->phase == SMTP_PHASE_AUTH ||
                   slice_starts_with_nocase(input, SLICE("AUTH "));
    return is_auth && limit < SMTP_SERVER_AUTH_MAX ? SMTP_SERVER_AUTH_MAX : limit;
}

static void say_too_long(struct smtp_server *s, struct slice input)
{
    if (s->phase == SMTP_PHASE_AUTH || slice_starts_with_nocase(input, SLICE("AUTH ")))
        auth_line_too_long(s);
    else
        server_say_text(s, 500, 5, 5, 2, SLICE("Line too long"));
}

/* One line, if it is all there. False: more input is needed. */
static bool take_line(struct smtp_server *s, struct slice *input)
{
    struct slice line;
    size_t used;
    void (*run)(struct smtp_server *, struct slice) =
        s->phase == SMTP_PHASE_AUTH ? auth_line : run_line;
    if (s->skipping_line) {
        s->skipping_line = !smtp_line_skip(input);
        return !s->skipping_line;
    }
    switch (smtp_line_take(*input, line_limit(s, *input), &line, &used)) {
    case SMTP_LINE_TAKEN:
        s->more_input = used < input->len;
        run(s, line);
        *input = slice_from(*input, used);
        return true;
    case SMTP_LINE_NEED_MORE:
        return false;
    case SMTP_LINE_TOO_LONG:
        s->skipping_line = true;
        say_too_long(s, *input);
        return true;
    case SMTP_LINE_BARE_LINE_END:
        say_bad_line(s, SLICE("Bare CR or LF in a command, closing"));
        return true;
    case SMTP_LINE_NUL:
        say_bad_line(s, SLICE("NUL in a command, closing"));
        return true;
    }
    return false;
}

void smtp_server_secured(struct smtp_server *s)
{
    s->securing = false;
    s->secured = true;
    s->authenticated = false;
    s->auth = (struct smtp_server_auth){ .mechanisms = slice_make(NULL, 0) };
    s->helo_len = 0;
    s->esmtp = false;
    server_enter(s, SMTP_PHASE_START);
}

bool smtp_server_is_secured(const struct smtp_server *s)
{
    return s->secured;
}

bool smtp_server_has_quit(const struct smtp_server *s)
{
    return s->has_quit;
}

enum smtp_server_step smtp_server_next(struct smtp_server *s, struct slice *input,
                                       struct slice *out_piece)
{
    for (;;) {
        if (s->dropped) {
            s->dropped = false;
            return SMTP_SERVER_DROPPED;
        }
        if (s->closing)
            return SMTP_SERVER_CLOSE;
        if (s->securing)
            return SMTP_SERVER_SECURE;
        if (s->question.ask != SMTP_ASK_NOTHING)
            return SMTP_SERVER_ASK;
        if (buffer_len(s->out) > OUT_ENOUGH)
            return SMTP_SERVER_FLUSH;
        if (s->phase == SMTP_PHASE_DATA || s->phase == SMTP_PHASE_CHUNK) {
            enum smtp_server_step step = content_step(s, input, out_piece);
            if (step != SMTP_SERVER_FLUSH) /* FLUSH: nothing for the caller, go on */
                return step;
        } else if (!take_line(s, input)) {
            return SMTP_SERVER_NEED_INPUT;
        }
    }
}

const struct smtp_question *smtp_server_question(const struct smtp_server *s)
{
    return &s->question;
}

static void end_answered(struct smtp_server *s, const struct smtp_reply *reply)
{
    bool close = s->txn.close_after;
    s->txn.intake_begun = false;
    if (smtp_reply_is_positive(reply))
        s->junk = s->errors = 0;
    server_enter(s, SMTP_PHASE_READY);
    if (close)
        server_say_and_close(s, reply);
    else
        server_say(s, reply);
}

static void refused(struct smtp_server *s, enum smtp_ask ask,
                    const struct smtp_reply *reply)
{
    if (ask == SMTP_ASK_AUTH) {
        auth_refused(s, reply);
        return;
    }
    if (ask == SMTP_ASK_MAIL)
        server_enter(s, SMTP_PHASE_READY);
    if (ask == SMTP_ASK_RCPT)
        s->txn.recipients_refused++;
    if (ask == SMTP_ASK_DATA && s->txn.is_bdat) {
        content_refuse(s, reply, false);
        s->phase = SMTP_PHASE_CHUNK;
        return;
    }
    if (ask == SMTP_ASK_DATA)
        server_enter(s, SMTP_PHASE_READY);
    server_say(s, reply);
}

void smtp_server_answer(struct smtp_server *s, const struct smtp_reply *reply)
{
    static const struct smtp_reply ok = {
        .code = 250, .status = { 2, 0, 0 }, .text = SLICE_INIT("Ok"),
    };
    enum smtp_ask ask = s->question.ask;
    if (s->closing)
        return;
    must(ask != SMTP_ASK_NOTHING);
    s->question.ask = SMTP_ASK_NOTHING;
    if (ask == SMTP_ASK_UNKNOWN && (reply == NULL || smtp_reply_is_positive(reply)))
        server_say_text(s, 500, 5, 5, 2, SLICE("Command not recognized"));
    else if (ask == SMTP_ASK_END)
        end_answered(s, reply == NULL ? &ok : reply);
    else if (reply == NULL || smtp_reply_is_positive(reply))
        s->verb->accepted(s, reply);
    else
        refused(s, ask, reply);
    s->question = (struct smtp_question){ .ask = s->question.ask };
}

void smtp_server_refuse_content(struct smtp_server *s, const struct smtp_reply *reply)
{
    content_refuse(s, reply, false);
}

void smtp_server_end(struct smtp_server *s, const struct smtp_reply *reply)
{
    server_say_and_close(s, reply);
}

enum smtp_server_phase smtp_server_phase(const struct smtp_server *s)
{
    return s->phase;
}

const struct envelope *smtp_server_envelope(const struct smtp_server *s)
{
    return &s->txn.envelope;
}

const struct content_facts *smtp_server_facts(const struct smtp_server *s)
{
    return &s->txn.decoder.facts;
}

bool smtp_server_is_mime(const struct smtp_server *s)
{
    return s->txn.header.count[HEADER_MIME_VERSION] > 0;
}

struct slice smtp_server_helo(const struct smtp_server *s)
{
    return slice_make(s->helo, s->helo_len);
}

bool smtp_server_is_esmtp(const struct smtp_server *s)
{
    return s->esmtp;
}

const char *smtp_server_verb(const struct smtp_server *s)
{
    return s->verb == NULL ? "" : s->verb->name;
}
