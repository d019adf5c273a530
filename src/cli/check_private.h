/* check_private.h: the parts of "godwit check": where answers come from, and what is
 * evaluated. */
#ifndef GODWIT_CLI_CHECK_PRIVATE_H
#define GODWIT_CLI_CHECK_PRIVATE_H

#include "auth/message/message.h"
#include "base/arena.h"
#include "mail/lookup.h"
#include "net/address.h"
#include "verdict/verdict.h"
#include "verdict/zone.h"

#include <jansson.h>

/* check_source.c: what questions are answered from: a zone, or the DNS. */
struct check_source {
    const json_t *zone;    /* NULL: the DNS is asked */
    bool has_server;       /* otherwise those of the system are asked */
    struct net_address server;
    struct check_dns *dns; /* opened when it is first asked */
    int64_t until_ms;      /* monotonic: what is asked of the DNS later, fails */
};

/* One more entry is to be evaluated, with this zone or with none: at most 20 seconds from
 * now (RFC 7208 4.6.4). */
void check_source_begin(struct check_source *source, const json_t *zone);

/* Calls `take`; false, after a complaint: memory is out or nobody can be asked. */
bool check_ask(struct check_source *source, const struct lookup_question *question,
               void (*take)(void *context, const struct lookup_answer *answer),
               void *context);
void check_source_close(struct check_source *source);

/* check_message.c: a file (NULL or "-": standard input); NULL, or why not, in words. */
enum { CHECK_MESSAGE_MAX = 256 * 1024 * 1024 };
#define CHECK_TOO_LARGE "too large"
const char *check_message_read(const char *name, struct buffer *out);

/* False: it is more than `out` may hold. */
bool check_message_from_text(struct slice text, struct buffer *out);

/* check_entry.c: one line of a batch, or one message. */
struct check_settings {
    const char *ip;           /* NULL: not said */
    const char *helo;
    const char *mail_from;
    const char *authserv_id;
    int64_t now_s;
};

/* One message; `entry` may be NULL. The result as below. */
json_t *check_message(struct check_source *source, const struct check_settings *settings,
                      const json_t *entry, struct slice message);

/* The result as a JSON object, with "error" in it when the entry cannot be evaluated.
 * NULL: memory is out, or the DNS cannot be asked at all; a complaint was made. */
json_t *check_entry(struct check_source *source, const struct check_settings *settings,
                    const json_t *entry);

#endif
