/* reports.h: what is told to other domains of their mail, and of the way to them: aggregate
 * reports of DMARC (RFC 9990) and of TLS (RFC 8460).
 *
 * Each check of a stranger's mail, and each session with a next hop, becomes a row among
 * those of its day (UTC), its domain and its policy, in the store. When a day has ended a
 * report is made of the rows of each domain that wants one, mailed as any mail of ours
 * (signed, queued), and marked as sent. A crash between the mail and the mark sends it once
 * more under the same Report-ID, which receivers take for the same report (RFC 9990 3.5.4).
 * On the queue's thread, but where it says otherwise.
 */
#ifndef GODWIT_REPORTS_REPORTS_H
#define GODWIT_REPORTS_REPORTS_H

#include "config/config.h"
#include "delivery/delivery.h"
#include "dns/dns.h"
#include "event/loop.h"
#include "http/http.h"
#include "mail/intake.h"
#include "store/store.h"
#include "verify/gate.h"

#include <jansson.h>

struct reports;

struct reports_options {
    struct loop *loop;
    struct store *store;
    struct dns *dns;
    struct http *http;           /* for TLS reports that want it; NULL: there is none */
    struct intake *intake;       /* that signs */
};

/* Its tables: for store_open(). */
extern const struct store_module reports_module;

/* All of `options` outlive it; the configuration is held. ERR_MEMORY. */
enum err reports_open(const struct reports_options *options, const struct config *config,
                      struct reports **out);
/* The store and the DNS are closed by now, or answer nothing any more. NULL inside is
 * allowed. */
void reports_close(struct reports **reports);

/* Another configuration from now on. */
void reports_configure(struct reports *reports, const struct config *config);

/* Where verdicts and sessions are told: any thread, never blocks. What the store cannot take
 * is dropped and counted. */
struct verify_watcher *reports_verify_watcher(struct reports *reports);
struct delivery_tls_watcher *reports_tls_watcher(struct reports *reports);

/* A report of somebody else's, as JSON of `godwit parse`; `text` is emptied. What cannot be
 * kept is told in the log. */
void reports_receive(struct reports *reports, struct buffer *text, int64_t wall_ms);

/* For an operator. `answer` is a new object, or NULL with a static complaint. */
struct reports_asked {
    void (*done)(struct reports_asked *asked, json_t *answer, const char *complaint);
};

/* What is gathered, and what was sent or received: of one domain (with its rows) or, empty,
 * of all. False: it cannot be asked now. */
bool reports_show(struct reports *reports, struct slice domain, struct reports_asked *asked);

/* What would be sent of a domain's rows, today's too, and to whom; nothing is. */
bool reports_preview(struct reports *reports, struct slice domain,
                     struct reports_asked *asked);

/* Sends what is gathered of days that have ended at once, or of today too. */
bool reports_send(struct reports *reports, bool today_too, struct reports_asked *asked);

#endif
