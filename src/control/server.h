/* server.h: the listening side of the control socket, on one loop's thread.
 *
 * Only the user who runs godwit, and root, may speak (SO_PEERCRED). A request is a JSON
 * object with "command"; its answer is one or more objects, the last with "done": true
 * and "ok". One request at a time on a connection.
 */
#ifndef GODWIT_CONTROL_SERVER_H
#define GODWIT_CONTROL_SERVER_H

#include "base/err.h"
#include "event/loop.h"

#include <jansson.h>

struct control_server;
struct control_call;

/* Carries the request out, now or later: any number of control_say(), then exactly one
 * control_done(). The request is borrowed until that. */
typedef void control_handle(void *context, struct control_call *call,
                            const json_t *request);

/* Binds DIRECTORY/control.sock, mode 0600; a stale socket is replaced. ERR_INVALID:
 * the path is too long for a socket; others from the system. */
enum err control_server_open(struct loop *loop, const char *directory,
                             control_handle *handle, void *context,
                             struct control_server **out);

/* Ends all connections; calls that were not done must not be answered any more. NULL
 * inside is allowed. */
void control_server_close(struct control_server **server);

/* Who asks; root is 0. */
uint32_t control_uid(const struct control_call *call);

/* For a call whose answers come over a long time: as control_say(), and at once; how much
 * of them the client has not taken; whether it is gone, so that the call should be done. */
void control_send(struct control_call *call, json_t *object);
size_t control_queued(const struct control_call *call);
bool control_is_gone(const struct control_call *call);

/* Takes the object. The client may be gone: then it is dropped. */
void control_say(struct control_call *call, json_t *object);

/* Ends the call; `error` NULL is success. Extra fields may be given (taken). */
void control_done(struct control_call *call, const char *error, json_t *extra);

#endif
