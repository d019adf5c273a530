/* ask.c: the control socket's errors as sentences and exit codes. */
#include "cli/ask.h"

#include "cli/place.h"

#include <stdlib.h>
#include <sysexits.h>

int ask_connect(const char *data, struct control_client **out)
{
    enum err error = control_connect(data, out);
    if (error == ERR_OK)
        return 0;
    if (error == ERR_ABSENT) {
        cli_complain("no godwit is running with the data folder %s", data);
        return EX_UNAVAILABLE;
    }
    if (error == ERR_DENIED) {
        cli_complain("the data folder %s belongs to another user", data);
        return EX_NOPERM;
    }
    cli_complain("cannot reach the godwit of the data folder %s: %s", data,
                 err_text(error));
    return error == ERR_INVALID ? EX_USAGE : EX_OSERR;
}

int ask_call(const struct cli_call *call, struct control_client **out)
{
    char *data;
    int code = place_data(cli_value(call, "config"), cli_value(call, "data"), &data);
    if (code != 0)
        return code;
    code = ask_connect(data, out);
    free(data);
    return code;
}

int ask(struct control_client *client, json_t *request,
        bool (*each)(void *context, const json_t *object), void *context,
        json_t **out_last)
{
    json_t *last;
    if (request == NULL)
        return EX_OSERR;
    enum err error = control_ask(client, request, each, context, &last);
    if (error == ERR_CLOSED) {
        cli_complain("godwit did not answer: it is stopping, or belongs to another user");
        return EX_TEMPFAIL;
    }
    if (error != ERR_OK) {
        cli_complain("godwit did not answer: %s", err_text(error));
        return error == ERR_TIMEOUT ? EX_TEMPFAIL : EX_PROTOCOL;
    }
    if (!json_is_true(json_object_get(last, "ok"))) {
        const char *why = json_string_value(json_object_get(last, "error"));
        cli_complain("%s", why == NULL ? "godwit gave no reason" : why);
        json_decref(last);
        return EX_UNAVAILABLE;
    }
    if (out_last == NULL)
        json_decref(last);
    else
        *out_last = last;
    return 0;
}

int ask_once(const char *data, json_t *request, json_t **out_last)
{
    struct control_client *client;
    int code = ask_connect(data, &client);
    if (code != 0) {
        json_decref(request);
        return code;
    }
    code = ask(client, request, NULL, NULL, out_last);
    control_disconnect(&client);
    return code;
}
