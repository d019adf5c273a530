/* verb_other.c: the short ones: RSET, NOOP, QUIT, HELP, VRFY, and what is not here.
 *
 * RFC 5321 4.1.1.5-4.1.1.10, 3.5.3 (252 for VRFY), 7.3; RFC 1985.
 */
#include "smtp/server/server_private.h"

void verb_rset(struct smtp_server *s, struct slice argument)
{
    if (argument.len > 0) {
        server_say_text(s, 501, 5, 5, 4, SLICE("RSET takes no argument"));
        return;
    }
    if (s->phase != SMTP_PHASE_START)
        server_enter(s, SMTP_PHASE_READY);
    server_say_text(s, 250, 2, 0, 0, SLICE("Ok"));
}

void verb_noop(struct smtp_server *s, struct slice argument)
{
    (void)argument;
    server_say_text(s, 250, 2, 0, 0, SLICE("Ok"));
}

void verb_quit(struct smtp_server *s, struct slice argument)
{
    struct smtp_reply bye = smtp_reply_make(221, 2, 0, 0, SLICE("Bye"));
    if (argument.len > 0)
        server_say_text(s, 501, 5, 5, 4, SLICE("QUIT takes no argument"));
    else
        server_say_and_close(s, &bye);
    s->has_quit = argument.len == 0;
}

void verb_help(struct smtp_server *s, struct slice argument)
{
    (void)argument;
    server_say_text(s, 214, 2, 0, 0,
                    SLICE("Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\n"
                          "See RFC 5321"));
}

void verb_vrfy(struct smtp_server *s, struct slice argument)
{
    if (argument.len == 0) {
        server_say_text(s, 501, 5, 5, 4, SLICE("VRFY takes an address"));
        return;
    }
    s->question.text = argument;
    server_ask(s, SMTP_ASK_VRFY);
}

void vrfy_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    static const struct smtp_reply perhaps = {
        .code = 252, .status = { 2, 5, 0 },
        .text = SLICE_INIT("Cannot verify the user, but will take the message"),
    };
    server_say(s, reply == NULL ? &perhaps : reply);
}

/* etrn = "ETRN" SP ["@" / "#"] node-name CRLF (RFC 1985 5). There are no queues by name. */
void verb_etrn(struct smtp_server *s, struct slice argument)
{
    bool below = argument.len > 0 && argument.data[0] == '@';
    if (!s->may_etrn) {
        server_say_text(s, 459, 4, 7, 1, SLICE("Not allowed: you are not known here"));
        return;
    }
    if (argument.len > 0 && argument.data[0] == '#') {
        server_say_text(s, 458, 4, 5, 0, SLICE("There is no queue of that name"));
        return;
    }
    s->question.text = below ? slice_from(argument, 1) : argument;
    s->question.below = below;
    server_ask(s, SMTP_ASK_ETRN);
}

void etrn_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    static const struct smtp_reply started = {
        .code = 250, .status = { 2, 0, 0 }, .text = SLICE_INIT("OK, queuing started"),
    };
    server_say(s, reply == NULL ? &started : reply);
}

void verb_unimplemented(struct smtp_server *s, struct slice argument)
{
    (void)argument;
    server_say_text(s, 502, 5, 5, 1, SLICE("Command not implemented"));
}

/* Somebody speaks another protocol: a browser tricked into it, or a proxy that is not
 * trusted. Nothing that follows may be read as SMTP. */
void verb_foreign(struct smtp_server *s, struct slice argument)
{
    (void)argument;
    struct smtp_reply http = smtp_reply_make(502, 5, 7, 0, SLICE("This is SMTP, closing"));
    struct smtp_reply proxy =
        smtp_reply_make(550, 5, 7, 1, SLICE("PROXY is not for you, closing"));
    server_say_and_close(s, s->verb->name[1] == 'R' ? &proxy : &http);
}
