/* search.h: where a job that needs a new connection looks.
 *
 * Floor-internal, for attempt_smtp.c; of the job's thread. RFC 5321 5.1 (the order, more than
 * one address).
 */
#ifndef GODWIT_DELIVERY_SEARCH_H
#define GODWIT_DELIVERY_SEARCH_H

#include "delivery/connection.h"

/* Looks for hosts and begins to connect to the first; the job is then the connection's, or
 * it ends. */
void search_begin(struct smtp_job *job);

/* The connection that it made has failed, for this reason, with whom `remote` says: on to
 * the next address, or, unless `clear_because` is NULL, to the same one in clear. */
void search_go_on(struct smtp_job *job, const struct outcome *failure, struct slice remote,
                  const char *clear_because);

/* NULL inside is allowed. */
void search_free(struct hop_search **search);

/* Copies what fits; how much that was. */
enum { FAILURE_TEXT_MAX = 500 };
size_t search_keep(char *into, size_t max, struct slice text);

#endif
