/* verb_data.c: DATA (RFC 5321 4.1.1.4). */
#include "smtp/server/server_private.h"

void verb_data(struct smtp_server *s, struct slice argument)
{
    if (argument.len > 0) {
        server_say_text(s, 501, 5, 5, 4, SLICE("DATA takes no argument"));
        return;
    }
    if (s->txn.envelope.body == MAIL_BODY_BINARYMIME) {
        /* RFC 3030 section 3: binary content comes by BDAT alone. */
        server_say_text(s, 503, 5, 5, 1, SLICE("BODY=BINARYMIME needs BDAT"));
        return;
    }
    s->txn.is_bdat = false;
    s->question.declared_size = s->txn.declared_size;
    server_ask(s, SMTP_ASK_DATA);
}

void data_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    (void)reply;
    s->txn.intake_begun = true;
    content_begin(s, false);
    server_enter(s, SMTP_PHASE_DATA);
    server_say_text(s, 354, 0, 0, 0, SLICE("End data with <CR><LF>.<CR><LF>"));
}
