/* fault.h: faults that somebody has scripted, in the process that speaks SMTP.
 *
 * A rule says whom it is for, at which step, how often, and what happens. It is data, a JSON
 * object, and means the same at each run:
 *
 *   {"id": "1", "step": "rcpt", "when": {"recipient": [..], "sender": .., "client": ..,
 *    "account": .., "helo": ..}, "skip": 0, "times": 2, "percent": 100,
 *    "then": {"reply": "451 4.7.1 Later", "delay_ms": 0, "close": false, "drop": false,
 *             "greylist_ms": 0, "above": {"count": 10, "per_ms": 60000}, "over_bytes": 0,
 *             "cut_after": 0}}
 *
 * Steps are connect, login, helo, mail, rcpt and data. In a text of `when` a "*" stands for
 * anything; of a list one must fit. `skip` passes over the first, `times` ends it. The first rule
 * that applies decides; what is met is noted in the capture log. A recipient of the domain
 * "simulator." and the sandbox's brings its own: "reply-550@", "reply-451-2@" (twice, then it is
 * taken), "greylist-60@", "drop@", "delay-500@", "cut-10@". One loop's thread.
 */
#ifndef GODWIT_SANDBOX_FAULT_H
#define GODWIT_SANDBOX_FAULT_H

#include "capture/capture.h"
#include "mail/gate.h"

#include <jansson.h>

enum { FAULT_RULES_MAX = 1000, FAULT_DELAY_MAX_MS = 10 * 60 * 1000, FAULT_PAIRS_MAX = 100000,
       FAULT_BYTES_MAX = 16 * 1024, FAULT_CUT_MAX = 1000 };

struct faults;

/* `capture` and `domain` outlive it. */
enum err faults_open(struct capture *capture, struct slice domain, struct faults **out);
void faults_close(struct faults **faults);

/* These rules (box_fault_rules()) and no others from now on; counts of those that stay go on.
 * NULL, or why one of them cannot be used, a static text; then nothing has changed. */
const char *faults_set(struct faults *faults, json_t *said);

/* NULL, or what is wrong with a rule: for those who take them in elsewhere. */
const char *fault_check(json_t *rule);

/* Whether a text is of a pattern in which "*" stands for anything; in any case of letters. */
bool fault_fits(struct slice pattern, struct slice text);

struct gate *faults_gate(struct faults *faults);

/* A log-in that would be good: NULL, or how it is refused. Until the next call. */
const struct smtp_reply *faults_login(struct faults *faults, uint64_t session,
                                      const struct net_address *client, struct slice account);

#endif
