/* web_private.h: a request on its way (web.c), its answer (reply.c), what is let in (guard.c),
 * and what goes on after the answer (events.c, socket.c). */
#ifndef GODWIT_WEB_WEB_PRIVATE_H
#define GODWIT_WEB_WEB_PRIVATE_H

#include "event/timer.h"
#include "event/watch.h"
#include "web/web.h"

#include <microhttpd.h>

enum { PAIRS_MAX = 128, URI_MAX = 16 * 1024 };

struct web {
    struct web_options options;
    struct MHD_Daemon *daemon;
    struct watch watch;
    struct timer timer;
    struct deferred turn;     /* the daemon has something to do */
    struct list sockets;      /* WebSockets and event streams that are open */
    struct list streams;
};

struct web_request {
    struct web *web;
    struct MHD_Connection *connection;
    char *uri;                /* as it came */
    struct api_request api;
    struct api_pair query[PAIRS_MAX];
    struct api_pair headers[PAIRS_MAX];
    struct buffer body;
    bool has_begun;           /* its header was looked at */
    bool is_suspended;
    bool is_ready;            /* the answer of a suspended one is there */
    bool is_head;
    bool is_too_large;
    bool was_handled;
};

/* Has the daemon look again at the end of this turn. */
void web_wake(struct web *web);

/* guard.c: NULL, or why it is refused, with the status. A static text. */
const char *guard_request(const struct web_request *r, unsigned *out_status);
bool guard_is_same_origin(const struct web_request *r);

/* reply.c: sends what stands in r->api. */
enum MHD_Result reply_send(struct web_request *r);
enum MHD_Result reply_refuse(struct web_request *r, unsigned status, const char *text);
/* What every answer has. */
void reply_common(const struct api_request *api, struct MHD_Response *response);

/* events.c, socket.c: the request goes on as a stream. */
enum MHD_Result events_begin(struct web_request *r);
void events_close_all(struct web *web);
enum MHD_Result socket_begin(struct web_request *r);
void socket_close_all(struct web *web);

/* page.c: true: the path is one of the page's files, and r->api has it. */
bool page_answer(struct web_request *r);

#endif
