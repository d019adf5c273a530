/* parse_private.h: one reader for each word of "godwit parse". Each gives a new object, with
 * an "error" in it when the message is no such thing; NULL: memory is out. */
#ifndef GODWIT_CLI_PARSE_PRIVATE_H
#define GODWIT_CLI_PARSE_PRIVATE_H

#include "cli/batch.h"

json_t *parse_bounce(struct slice message);
json_t *parse_arf(struct slice message);
json_t *parse_headers(struct slice message);
/* parse_codes.c: of a message. */
json_t *parse_codes(struct slice message);
json_t *parse_links(struct slice message);

json_t *parse_message(struct slice message);

/* A message, an archive, or the report itself. */
json_t *parse_dmarc_report(struct slice input);
json_t *parse_tls_report(struct slice input);

/* A TLSA record as text; a record or a policy of MTA-STS. Entries may have "record", and
 * "policy" with a "host" that is held against it. */
json_t *parse_tlsa(struct slice text);
json_t *parse_tlsa_entry(const json_t *entry);
json_t *parse_mtasts(struct slice text);
json_t *parse_mtasts_entry(const json_t *entry);

/* `text` is a mailbox, and perhaps a list of them as in a header field. */
json_t *parse_address(struct slice text);

/* Entries may have "address" or "header" in place of "message". */
json_t *parse_address_entry(const json_t *entry);
json_t *parse_headers_entry(const json_t *entry);

/* parse_address.c: what stands in a From field and its like: a list, or null. */
json_t *parse_address_list(struct slice value);

struct report_parts;
struct arena;

/* parse_bounce.c: who wrote the message that came back, to whom, and when; null when it is
 * not there. */
json_t *parse_original(const struct report_parts *parts, struct arena *arena);

#endif
