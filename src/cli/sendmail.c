/* sendmail.c: the command that programs of a machine know, over SMTP to the local
 * godwit; a message that it does not take now is left in the maildrop, where the next
 * godwit finds it. */
#include "base/utf8.h"
#include "cli/ask.h"
#include "cli/dialogue.h"
#include "cli/identity.h"
#include "cli/input.h"
#include "cli/place.h"
#include "cli/queue_private.h"
#include "cli/sendmail_private.h"
#include "cli/tools.h"
#include "wire/smtp/address.h"
#include "wire/smtp/parameter.h"

#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    NAME_MAX_OCTETS = 1024,
    TEXTS_MAX = 1024 * 1024,
    STEP_MS = 60 * 1000,
};

struct mailing {
    struct sendmail sendmail;
    const struct config *config;
    struct buffer server;
    struct buffer sender;
    struct buffer envid;
    struct buffer content;
    struct buffer texts;
    struct buffer why;
    struct addressees to;
    struct envelope envelope;
    struct envelope_recipient *recipients;
    struct smtp_client_recipient *wanted;
    struct transcript transcript;
};

static int memory(void)
{
    cli_complain("sendmail: out of memory");
    return EX_OSERR;
}

/* -f ADDRESS, else the user at this host. */
static int find_sender(struct mailing *m)
{
    const char *said = m->sendmail.sender;
    struct addressees one;
    int code = 0;
    if (said != NULL && (said[0] == '\0' || strcmp(said, "<>") == 0))
        return 0;
    if (said == NULL) {
        identity_append_user(&m->sender);
        buffer_append_byte(&m->sender, '@');
        buffer_append(&m->sender, m->config->hostname);
        return 0;
    }
    addressees_init(&one);
    if (addressees_add(&one, slice_from_string(said), m->config->hostname) != ERR_OK ||
        one.count != 1) {
        cli_complain("sendmail -f: '%s' is no mail address", said);
        code = EX_USAGE;
    } else {
        struct envelope_recipient *list = addressees_list(&one, 0);
        buffer_append(&m->sender, list == NULL ? slice_make(NULL, 0) : list->address);
        m->envelope.smtputf8 |= one.utf8;
        code = list == NULL ? memory() : 0;
    }
    addressees_free(&one);
    return code;
}

static int find_recipients(struct mailing *m)
{
    for (size_t i = 0; i < m->sendmail.operands_count; i++) {
        const char *said = m->sendmail.operands[i];
        if (addressees_add(&m->to, slice_from_string(said), m->config->hostname) != ERR_OK) {
            cli_complain("sendmail: '%s' is no mail address", said);
            return EX_USAGE;
        }
    }
    if (m->to.count == 0 && !m->sendmail.reads_header) {
        cli_complain("sendmail: to whom? Name the recipients, or use -t");
        return EX_USAGE;
    }
    return 0;
}

static int find_envid(struct mailing *m)
{
    if (m->sendmail.envid == NULL)
        return 0;
    smtp_xtext_encode(slice_from_string(m->sendmail.envid), &m->envid);
    if (!m->envid.overflow && smtp_envid_is_valid(buffer_slice(&m->envid)))
        return 0;
    cli_complain("sendmail -V: '%s' cannot be an id", m->sendmail.envid);
    return EX_USAGE;
}

static int read_message(struct mailing *m)
{
    struct buffer input;
    buffer_init(&input, m->config->limits.message_bytes);
    enum err error = input_read(STDIN_FILENO, !m->sendmail.ignores_dots, &input);
    int code = error == ERR_OK ? 0 : error == ERR_IO ? EX_NOINPUT : EX_DATAERR;
    if (error != ERR_OK)
        cli_complain(error == ERR_INVALID ? "sendmail: a NUL is in the message"
                     : error == ERR_FULL ? "sendmail: the message is too large"
                                         : "sendmail: cannot read the message");
    else
        code = sendmail_message(&m->sendmail, buffer_slice(&input), m->config->hostname,
                                buffer_slice(&m->sender), &m->to, &m->content);
    buffer_free(&input);
    if (code == 0 && m->to.count == 0) {
        cli_complain("sendmail: the header names no recipient");
        code = EX_USAGE;
    }
    return code;
}

static int make_envelope(struct mailing *m)
{
    m->recipients = addressees_list(&m->to, m->sendmail.notify);
    m->wanted = calloc(m->to.count, sizeof *m->wanted);
    if (m->recipients == NULL || m->wanted == NULL)
        return memory();
    for (size_t i = 0; i < m->to.count; i++)
        m->wanted[i].recipient = &m->recipients[i];
    m->envelope.sender = buffer_slice(&m->sender);
    m->envelope.envid = buffer_slice(&m->envid);
    m->envelope.ret = m->sendmail.ret;
    m->envelope.smtputf8 |= m->to.utf8;
    m->envelope.content_8bit = !slice_is_ascii(buffer_slice(&m->content));
    m->envelope.recipients = m->recipients;
    m->envelope.recipients_count = m->to.count;
    return 0;
}

/* Leaves the message for those whom the server neither took nor refused for good. */
static int leave(struct mailing *m, size_t count)
{
    if (count == 0)
        return 0;
    m->envelope.recipients_count = count;
    char *data = slice_to_string(m->config->data);
    int code = data == NULL ? memory()
                            : sendmail_drop(data, &m->envelope, buffer_slice(&m->content));
    if (code == 0 && m->sendmail.is_verbose)
        transcript_note(&m->transcript, "left in %s/maildrop for the next start", data);
    free(data);
    return code;
}

static void say_refused(const struct smtp_client_recipient *r)
{
    struct buffer text;
    buffer_init(&text, NAME_MAX_OCTETS * 8);
    buffer_append_escaped(&text, slice_part(r->recipient->address, 0, NAME_MAX_OCTETS));
    buffer_append(&text, SLICE(": "));
    buffer_append_escaped(&text, slice_part(r->outcome.text, 0, NAME_MAX_OCTETS));
    if (r->outcome.code != 0) /* the server's word, not ours */
        buffer_append_format(&text, " (%u)", r->outcome.code);
    struct slice t = buffer_slice(&text);
    cli_complain("%.*s", (int)t.len, t.data);
    buffer_free(&text);
}

/* What sysexits has for a refusal (RFC 3463 3.2 and 3.4). */
static int refusal_code(struct smtp_status status)
{
    if (status.subject == 1 && status.detail == 1)
        return EX_NOUSER;
    if (status.subject == 1 && (status.detail == 2 || status.detail == 10))
        return EX_NOHOST;
    if (status.subject == 3 && status.detail == 4)
        return EX_DATAERR;
    return EX_UNAVAILABLE;
}

/* Sorts those who are left to the front of the list of recipients. */
static int settle(struct mailing *m, const struct smtp_client_transaction *t)
{
    size_t left = 0;
    int code = 0;
    for (size_t i = 0; i < m->to.count; i++) {
        const struct smtp_client_recipient *r = &m->wanted[i];
        bool started = t->end == SMTP_CLIENT_DECIDED;
        if (started && r->outcome.kind == OUTCOME_FAILED) {
            say_refused(r);
            int one = refusal_code(r->outcome.status);
            code = code == 0 || code == one ? one : EX_UNAVAILABLE;
        } else if (!started || (r->outcome.kind != OUTCOME_RELAYED &&
                                r->outcome.kind != OUTCOME_DELIVERED)) {
            m->recipients[left++] = *r->recipient;
        }
    }
    int result = leave(m, left);
    return result != 0 ? result : code;
}

static int submit(struct mailing *m)
{
    struct dialogue_content content;
    struct transcript *shown = m->sendmail.is_verbose ? &m->transcript : NULL;
    int fd;
    enum err error = dialogue_connect(buffer_slice(&m->server), shown, &m->why, &fd);
    if (error != ERR_OK) {
        struct slice why = buffer_slice(&m->why);
        if (shown != NULL || error == ERR_INVALID)
            cli_complain("%.*s", (int)why.len, why.data);
        return error == ERR_INVALID ? EX_USAGE : leave(m, m->to.count);
    }
    dialogue_content_init(&content, buffer_slice(&m->content));
    struct smtp_client_transaction t = {
        .envelope = &m->envelope, .recipients = m->wanted, .count = (uint32_t)m->to.count,
        .content = &content.base, .texts = &m->texts,
    };
    struct dialogue d = { .helo = m->config->hostname, .wait_ms = STEP_MS,
                          .transcript = shown };
    error = dialogue_run(fd, &d, &t);
    return error == ERR_OK ? settle(m, &t) : leave(m, m->to.count);
}

static int mail(struct mailing *m)
{
    int code = find_sender(m);
    if (code == 0)
        code = find_recipients(m);
    if (code == 0)
        code = find_envid(m);
    if (code == 0)
        code = read_message(m);
    if (code == 0)
        code = make_envelope(m);
    return code == 0 ? submit(m) : code;
}

static int speak(struct mailing *m)
{
    int fd;
    enum err error = dialogue_connect(buffer_slice(&m->server), NULL, &m->why, &fd);
    if (error == ERR_OK)
        return sendmail_relay(fd);
    struct slice why = buffer_slice(&m->why);
    printf("421 4.3.2 No mail server answers, try later\r\n");
    cli_complain("%.*s", (int)why.len, why.data);
    return EX_TEMPFAIL;
}

static int with_server(struct mailing *m)
{
    int code = place_load(m->sendmail.config, m->sendmail.data, &m->config);
    if (code != 0)
        return code;
    buffer_init(&m->server, NAME_MAX_OCTETS);
    buffer_init(&m->sender, NAME_MAX_OCTETS);
    buffer_init(&m->envid, NAME_MAX_OCTETS);
    buffer_init(&m->content, m->config->limits.message_bytes);
    buffer_init(&m->texts, TEXTS_MAX);
    buffer_init(&m->why, NAME_MAX_OCTETS);
    addressees_init(&m->to);
    transcript_init(&m->transcript, stdout);
    if (m->sendmail.server != NULL)
        buffer_append_string(&m->server, m->sendmail.server);
    else
        place_server(m->config, &m->server);
    code = m->sendmail.mode == SENDMAIL_MAIL ? mail(m) : speak(m);
    transcript_free(&m->transcript);
    addressees_free(&m->to);
    buffer_free(&m->server);
    buffer_free(&m->sender);
    buffer_free(&m->envid);
    buffer_free(&m->content);
    buffer_free(&m->texts);
    buffer_free(&m->why);
    free(m->wanted);
    config_drop(&m->config);
    return code;
}

static int ask_running(const struct sendmail *s, json_t *request)
{
    char *data;
    int code = place_data(s->config, s->data, &data);
    if (code != 0) {
        json_decref(request);
        return code;
    }
    code = ask_once(data, request, NULL);
    free(data);
    return code;
}

static int run_queue(const struct sendmail *s)
{
    if (s->run_id != NULL)
        return ask_running(s, json_pack("{s:s,s:s}", "command", "queue-retry", "id",
                                        s->run_id));
    return ask_running(s, json_pack("{s:s,s:b}", "command", "queue-retry", "all", 1));
}

static int run(const struct cli_call *call)
{
    struct mailing m = { .config = NULL };
    int code = sendmail_parse(call, &m.sendmail);
    if (code != 0)
        return code;
    signal(SIGPIPE, SIG_IGN);
    switch (m.sendmail.mode) {
    case SENDMAIL_MAIL:
    case SENDMAIL_DIALOGUE:
        return with_server(&m);
    case SENDMAIL_LIST:
        return queue_list(m.sendmail.config, m.sendmail.data, false);
    case SENDMAIL_RUN:
        return run_queue(&m.sendmail);
    case SENDMAIL_ALIASES:
        return ask_running(&m.sendmail, json_pack("{s:s}", "command", "reload"));
    }
    return EX_SOFTWARE;
}

const struct cli_tool cli_sendmail = {
    .name = "sendmail",
    .summary = "takes a message from a program, as sendmail does",
    .about = "When no godwit answers, the message is left in the data folder, and the next "
             "start\nsends it.\n",
    .operands = "[RECIPIENT]...",
    .options = sendmail_options,
    .reads_arguments = true,
    .run = run,
};

static int run_mailq(const struct cli_call *call)
{
    struct sendmail s;
    int code = sendmail_parse(call, &s);
    return code != 0 ? code : queue_list(s.config, s.data, false);
}

const struct cli_tool cli_mailq = {
    .name = "mailq",
    .summary = "lists the queue, as 'queue list' does",
    .options = sendmail_options,
    .reads_arguments = true,
    .run = run_mailq,
};

static int run_newaliases(const struct cli_call *call)
{
    struct sendmail s;
    int code = sendmail_parse(call, &s);
    return code != 0 ? code : ask_running(&s, json_pack("{s:s}", "command", "reload"));
}

const struct cli_tool cli_newaliases = {
    .name = "newaliases",
    .summary = "reads the aliases again, as 'reload' does",
    .options = sendmail_options,
    .reads_arguments = true,
    .run = run_newaliases,
};
