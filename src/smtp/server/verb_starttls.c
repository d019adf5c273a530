/* verb_starttls.c: STARTTLS. RFC 3207 4: no parameter, nothing behind it in the same
 * breath (HOSTILE 25: what an attacker put there in clear would be taken for the
 * client's), and not twice.
 */
#include "smtp/server/server_private.h"

void verb_starttls(struct smtp_server *s, struct slice argument)
{
    static const struct smtp_reply injected = {
        .code = 501, .status = { 5, 5, 4 },
        .text = SLICE_INIT("Nothing may follow STARTTLS before its answer, closing"),
    };
    if (s->secured) {
        server_say_text(s, 503, 5, 5, 1, SLICE("TLS is in use already"));
    } else if (!s->options->offers_tls) {
        verb_unimplemented(s, argument);
    } else if (s->more_input) {
        server_say_and_close(s, &injected);
    } else if (argument.len > 0) {
        server_say_text(s, 501, 5, 5, 4, SLICE("STARTTLS takes no argument"));
    } else {
        server_say_text(s, 220, 2, 0, 0, SLICE("Ready to start TLS"));
        server_enter(s, SMTP_PHASE_START);
        s->securing = true;
    }
}
