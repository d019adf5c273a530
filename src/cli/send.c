/* send.c: one plain message to a server, with the dialogue on the screen. */
#include "base/utf8.h"
#include "cli/compose.h"
#include "cli/dialogue.h"
#include "cli/identity.h"
#include "cli/input.h"
#include "cli/place.h"
#include "cli/tools.h"
#include "wire/smtp/address.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { NAME_MAX_OCTETS = 1024, REASON_MAX = 1024, TEXTS_MAX = 1024 * 1024 };

static const struct cli_option options[] = {
    { "server", "HOST:PORT", "where to; default GODWIT_SERVER, else 127.0.0.1:2525", false },
    { "from", "ADDRESS", "the sender; <> for none; default: you at this machine", false },
    { "to", "ADDRESS", "a recipient; may be repeated", true },
    { "subject", "TEXT", "the subject", false },
    { "body", "TEXT", "the text of the message", false },
    { "message", "FILE", "a whole message, with its header; - is standard input", false },
    { "helo", "NAME", "what to say after EHLO; default: this machine's name", false },
    { "quiet", NULL, "no dialogue; only what went wrong", false },
    { NULL },
};

struct sending {
    const struct cli_call *call;
    struct buffer hostname;
    struct buffer sender;
    struct buffer content;
    struct buffer server;
    struct buffer texts;
    struct envelope envelope;
    struct envelope_recipient *recipients;
    struct smtp_client_recipient *wanted;
    uint32_t count;
    struct transcript transcript;
};

static bool check_address(const char *text, bool *utf8)
{
    struct smtp_address address;
    if (smtp_address_parse(slice_from_string(text), SMTP_UTF8_ALLOWED, &address) !=
        SMTP_PATH_OK) {
        cli_complain("'%s' is no mail address", text);
        return false;
    }
    *utf8 |= address.utf8;
    return true;
}

static int read_sender(struct sending *s)
{
    const char *from = cli_value(s->call, "from");
    if (from == NULL) {
        identity_append_user(&s->sender);
        buffer_append_byte(&s->sender, '@');
        buffer_append(&s->sender, buffer_slice(&s->hostname));
    } else if (from[0] != '\0' && strcmp(from, "<>") != 0) {
        if (!check_address(from, &s->envelope.smtputf8))
            return EX_USAGE;
        buffer_append_string(&s->sender, from);
    }
    s->envelope.sender = buffer_slice(&s->sender);
    return 0;
}

static int read_recipients(struct sending *s)
{
    while (cli_value_at(s->call, "to", s->count) != NULL)
        s->count++;
    if (s->count == 0) {
        cli_complain("send: to whom? --to ADDRESS");
        return EX_USAGE;
    }
    s->recipients = calloc(s->count, sizeof *s->recipients);
    s->wanted = calloc(s->count, sizeof *s->wanted);
    if (s->recipients == NULL || s->wanted == NULL)
        return EX_OSERR;
    for (uint32_t i = 0; i < s->count; i++) {
        const char *to = cli_value_at(s->call, "to", i);
        if (!check_address(to, &s->envelope.smtputf8))
            return EX_USAGE;
        s->recipients[i].address = slice_from_string(to);
        s->wanted[i].recipient = &s->recipients[i];
    }
    return 0;
}

static int content_complaint(enum err error, const char *file)
{
    if (error == ERR_OK)
        return 0;
    cli_complain(error == ERR_INVALID ? "%s: holds a NUL, which mail cannot carry"
                 : error == ERR_FULL ? "%s: is too large" : "%s: cannot be read", file);
    return error == ERR_IO ? EX_NOINPUT : EX_DATAERR;
}

static int read_file(struct sending *s, const char *file)
{
    int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_complain("cannot open %s", file);
        return EX_NOINPUT;
    }
    enum err error = input_read(fd, false, &s->content);
    if (fd != STDIN_FILENO)
        close(fd);
    return content_complaint(error, file);
}

static int write_message(struct sending *s)
{
    const char *subject = cli_value(s->call, "subject");
    const char *text = cli_value(s->call, "body");
    struct buffer body;
    const char **to = calloc(s->count, sizeof *to);
    if (to == NULL)
        return EX_OSERR;
    for (uint32_t i = 0; i < s->count; i++)
        to[i] = cli_value_at(s->call, "to", i);
    if (text == NULL)
        text = "This is a test message, sent by godwit.";
    buffer_init(&body, INPUT_BYTES_MAX / 2);
    int code = content_complaint(input_from_text(slice_from_string(text), &body), "--body");
    struct buffer from;
    buffer_init(&from, NAME_MAX_OCTETS);
    buffer_append(&from, s->envelope.sender);
    if (s->envelope.sender.len == 0) {
        buffer_append(&from, SLICE("MAILER-DAEMON@"));
        buffer_append(&from, buffer_slice(&s->hostname));
    }
    struct compose compose = {
        .hostname = buffer_slice(&s->hostname), .from = buffer_slice(&from),
        .to = to, .to_count = s->count,
        .subject = slice_from_string(subject == NULL ? "Test" : subject),
        .body = buffer_slice(&body),
    };
    if (code == 0 && !compose_message(&s->content, &compose)) {
        cli_complain("the subject is not UTF-8");
        code = EX_DATAERR;
    }
    buffer_free(&body);
    buffer_free(&from);
    free(to);
    return code;
}

static int prepare(struct sending *s)
{
    const char *file = cli_value(s->call, "message");
    const char *server = cli_value(s->call, "server");
    if (file != NULL && (cli_has(s->call, "body") || cli_has(s->call, "subject"))) {
        cli_complain("--message brings the whole message: no --subject or --body with it");
        return EX_USAGE;
    }
    identity_append_hostname(&s->hostname);
    if (server != NULL)
        buffer_append_string(&s->server, server);
    else
        place_server(NULL, &s->server);
    int code = read_sender(s);
    if (code == 0)
        code = read_recipients(s);
    if (code == 0)
        code = file != NULL ? read_file(s, file) : write_message(s);
    s->envelope.content_8bit = !slice_is_ascii(buffer_slice(&s->content));
    return code;
}

/* Says what became of one recipient; an exit code. */
static int report(struct sending *s, const struct smtp_client_recipient *r)
{
    struct buffer text;
    bool taken = r->outcome.kind == OUTCOME_RELAYED || r->outcome.kind == OUTCOME_DELIVERED;
    buffer_init(&text, REASON_MAX * 4);
    buffer_append_escaped(&text, r->recipient->address);
    buffer_append_string(&text, taken ? ": accepted" :
                         r->outcome.kind == OUTCOME_FAILED ? ": refused" : ": not now");
    if (r->outcome.code != 0)
        buffer_append_format(&text, ", %u", r->outcome.code);
    buffer_append_byte(&text, ' ');
    buffer_append_escaped(&text, slice_part(r->outcome.text, 0, REASON_MAX / 2));
    struct slice t = buffer_slice(&text);
    if (!cli_has(s->call, "quiet"))
        transcript_note(&s->transcript, "%.*s", (int)t.len, t.data);
    else if (!taken)
        cli_complain("%.*s", (int)t.len, t.data);
    buffer_free(&text);
    return taken ? 0 : r->outcome.kind == OUTCOME_FAILED ? EX_UNAVAILABLE : EX_TEMPFAIL;
}

static int connect_code(enum err error)
{
    return error == ERR_INVALID ? EX_USAGE : error == ERR_ABSENT ? EX_NOHOST : EX_TEMPFAIL;
}

static int talk(struct sending *s, int fd)
{
    const char *helo = cli_value(s->call, "helo");
    struct dialogue_content content;
    dialogue_content_init(&content, buffer_slice(&s->content));
    struct smtp_client_transaction t = {
        .envelope = &s->envelope, .recipients = s->wanted, .count = s->count,
        .content = &content.base, .texts = &s->texts,
    };
    struct dialogue d = {
        .helo = helo != NULL ? slice_from_string(helo) : buffer_slice(&s->hostname),
        .transcript = cli_has(s->call, "quiet") ? NULL : &s->transcript,
    };
    enum err error = dialogue_run(fd, &d, &t);
    if (error != ERR_OK) {
        cli_complain("--helo: that cannot be sent");
        return error == ERR_INVALID ? EX_USAGE : EX_OSERR;
    }
    int code = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (t.end == SMTP_CLIENT_NOT_STARTED)
            s->wanted[i].outcome = t.failure;
        int one = report(s, &s->wanted[i]);
        code = one == EX_TEMPFAIL || code == 0 ? one : code;
    }
    return code;
}

static int deliver(struct sending *s)
{
    struct buffer why;
    int fd;
    buffer_init(&why, REASON_MAX);
    enum err error = dialogue_connect(buffer_slice(&s->server),
                                      cli_has(s->call, "quiet") ? NULL : &s->transcript,
                                      &why, &fd);
    if (error != ERR_OK) {
        struct slice text = buffer_slice(&why);
        cli_complain("%.*s", (int)text.len, text.data == NULL ? "" : text.data);
    }
    buffer_free(&why);
    return error == ERR_OK ? talk(s, fd) : connect_code(error);
}

static int run(const struct cli_call *call)
{
    struct sending s = { .call = call };
    buffer_init(&s.hostname, NAME_MAX_OCTETS);
    buffer_init(&s.sender, NAME_MAX_OCTETS);
    buffer_init(&s.server, NAME_MAX_OCTETS);
    buffer_init(&s.content, INPUT_BYTES_MAX);
    buffer_init(&s.texts, TEXTS_MAX);
    transcript_init(&s.transcript, stdout);
    int code = prepare(&s);
    if (code == 0)
        code = deliver(&s);
    transcript_free(&s.transcript);
    buffer_free(&s.hostname);
    buffer_free(&s.sender);
    buffer_free(&s.server);
    buffer_free(&s.content);
    buffer_free(&s.texts);
    free(s.recipients);
    free(s.wanted);
    return code;
}

const struct cli_tool cli_send = {
    .name = "send",
    .summary = "sends one message to a server and shows the dialogue",
    .about = "Exits with 0 only when every recipient was accepted.\n",
    .options = options,
    .run = run,
};
