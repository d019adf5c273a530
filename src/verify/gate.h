/* gate.h: SPF, DKIM, ARC and DMARC of mail from strangers.
 *
 * The header is looked at when it is there, the body while it flows by; the DNS is asked
 * at the end of data, for at most 20 s each (RFC 7208 4.6.4). What was found goes in
 * front of the message as Authentication-Results (RFC 8601); fields that others wrote in
 * our name are taken out first (RFC 8601 5, HOSTILE 90). What is done about it the
 * configuration says: 550 5.7.1 for a DMARC policy of reject, 550 5.7.23 for an SPF fail
 * (RFC 7372 3.2), or hold. One gate serves all threads.
 */
#ifndef GODWIT_VERIFY_GATE_H
#define GODWIT_VERIFY_GATE_H

#include "auth/message/message.h"
#include "dns/dns.h"
#include "mail/gate.h"

/* What was found of one message, and what is done about it. Borrowed for the call. */
struct verify_facts {
    const struct gate_question *question;
    const struct auth *auth;       /* done */
    enum gate_action action;       /* GATE_PASS, GATE_HOLD or GATE_REPLY */
    bool is_spf_refusal;           /* the reply is for an SPF fail */
    const char *overridden;        /* why DMARC's policy was not applied, or NULL; static */
};

/* Told on the session's thread; must not block. */
struct verify_watcher {
    void (*decided)(struct verify_watcher *watcher, const struct verify_facts *facts);
};

/* `dns` must be closed before the gate; the watcher outlives it, or is NULL. ERR_OK, or
 * ERR_MEMORY. */
enum err verify_gate_open(struct dns *dns, struct verify_watcher *watcher, struct gate **out);
/* After the threads of the sessions have ended; what was under way is freed. NULL inside
 * is allowed. */
void verify_gate_close(struct gate **gate);

#endif
