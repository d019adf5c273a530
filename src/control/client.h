/* client.h: the asking side, blocking, for the command-line tools. */
#ifndef GODWIT_CONTROL_CLIENT_H
#define GODWIT_CONTROL_CLIENT_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct control_client;

/* ERR_ABSENT: no godwit runs on that data folder; ERR_DENIED: not ours. */
enum err control_connect(const char *directory, struct control_client **out);

/* NULL inside is allowed. */
void control_disconnect(struct control_client **client);

/* Sends the request (taken) and calls `each`, unless NULL, for every object but the
 * last, until it returns false. *out_last is the last one: the caller's to decref.
 * ERR_CLOSED: godwit went away; ERR_TIMEOUT: nothing came for 60 s. */
enum err control_ask(struct control_client *client, json_t *request,
                     bool (*each)(void *context, const json_t *object), void *context,
                     json_t **out_last);

#endif
