/* api.h: the API of a sandbox: requests and answers as values, whatever carried them.
 *
 * Which dialect is spoken shows in the path: ours is below /api/godwit/v1, Mailpit's below
 * /api/v1 and so on; all stand on sandbox/box.h. Whoever carries a request fills its upper half
 * and hands it to api_handle(); the answer stands in its lower half at once, or later, when
 * answered() is called. One thread.
 */
#ifndef GODWIT_API_API_H
#define GODWIT_API_API_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "event/loop.h"
#include "net/address.h"
#include "sandbox/box.h"

struct api;

/* How far HTTP to a URL that somebody has named goes (reach.h). */
enum reach_range {
    REACH_NONE,       /* only what the operator has named */
    REACH_LOOPBACK,   /* addresses and localhost: no name is looked up elsewhere */
    REACH_PRIVATE,    /* and loopback */
    REACH_ANY,
};

struct api_options {
    struct loop *loop;
    struct box *box;
    int channel;              /* to the process that speaks SMTP */
    int smtp;                 /* a listening socket of it: where mail is handed in */
    struct slice hostname;
    struct slice domain;      /* of made up addresses */
    struct slice label;       /* for the page */
    struct slice secret;      /* of accounts that are made up (ethereal.c) */
    struct slice users;       /* "name:password": who may ask; empty: everybody */
    enum reach_range range;   /* how far webhooks go */
    struct net_address queue; /* of the queue that takes what is released; len 0: there is none */
    const struct slice *release_to; /* recipients that are allowed: "*@team.test" */
    size_t release_to_count;
    struct slice webhook;     /* of the operator: where each message is told, as Mailpit does */
};

enum err api_open(const struct api_options *options, struct api **out);
void api_close(struct api **api);

enum api_method { API_GET, API_PUT, API_POST, API_DELETE, API_PATCH, API_OPTIONS, API_OTHER };

struct api_pair {
    struct slice name;
    struct slice value;
};

enum { API_FIELDS_MAX = 8, API_ANSWER_MAX = 300 * 1024 * 1024, API_BODY_MAX = 5 * 1024 * 1024,
       API_SEND_MAX = 70 * 1024 * 1024 };

enum api_stream_kind {
    API_STREAM_NONE,
    API_STREAM_EVENTS,        /* text/event-stream */
    API_STREAM_SOCKET,        /* a WebSocket, of which only the server speaks */
};

struct api_waiter;
struct api_sending;
struct api_forced;
struct api_expected;
struct api_links;

/* Zeroed by its maker; api_request_free() at its end, in any case. */
struct api_request {
    enum api_method method;
    struct slice path;        /* as it came, without its query */
    const struct api_pair *query; /* decoded */
    size_t query_count;
    const struct api_pair *headers;
    size_t headers_count;
    struct slice body;
    void (*answered)(struct api_request *request);
    void *carrier;
    /* the answer */
    unsigned status;
    const char *type;         /* static, or in the arena */
    struct buffer answer;
    struct api_pair fields[API_FIELDS_MAX]; /* of its header */
    size_t fields_count;
    enum api_stream_kind stream; /* in place of an answer: api_stream_open() */
    /* for the API alone */
    struct arena arena;
    int64_t workspace;
    struct slice arguments[4]; /* what stands for "*" in the path, decoded */
    struct api_waiter *waiter;
    struct api_sending *sending;
    struct api_forced *forced;
    struct api_expected *expected;
    struct api_links *links;
    int stream_dialect;
    struct slice call;        /* mcp.c: its id, as JSON */
};

/* True: the answer is there. False: answered() follows, never from inside this call. */
bool api_handle(struct api *api, struct api_request *request);

/* Whoever asked has gone, or the answer was sent. */
void api_request_free(struct api *api, struct api_request *request);

/* How much of a body is read, by its path. */
size_t api_body_max(struct slice path);

/* ---- streams ---- */

struct api_stream;

/* Tells `push` all that happens from now on, as text of the dialect; with
 * API_STREAM_EVENTS what has happened since the cursor, first. NULL: no memory. */
struct api_stream *api_stream_open(struct api *api, const struct api_request *request,
                                   void (*push)(void *context, struct slice text),
                                   void *context);
void api_stream_close(struct api_stream **stream);

#endif
