/* ask.h: a question to the running godwit, with what goes wrong said in words. */
#ifndef GODWIT_CLI_ASK_H
#define GODWIT_CLI_ASK_H

#include "cli/tool.h"
#include "control/client.h"

/* Connects to the godwit that uses the data folder. Complains and returns an exit code:
 * EX_UNAVAILABLE when none is running there, EX_NOPERM when it is another user's. */
int ask_connect(const char *data, struct control_client **out);

/* Connects to the godwit that the options "config" and "data" of the call lead to; as
 * ask_connect(), or EX_CONFIG where there is none to be found. */
int ask_call(const struct cli_call *call, struct control_client **out);

/* Asks (the request is taken); `each` as for control_ask(). *out_last, which may be
 * NULL, is the caller's to decref. Complains and returns an exit code, also when the
 * answer is an error. */
int ask(struct control_client *client, json_t *request,
        bool (*each)(void *context, const json_t *object), void *context,
        json_t **out_last);

/* Both, for a question with one answer. */
int ask_once(const char *data, json_t *request, json_t **out_last);

#endif
