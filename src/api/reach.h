/* reach.h: HTTP to a URL that somebody has named: the one way out of the sandbox.
 *
 * Off unless whoever started it has said how far it goes. A name is looked up once, with the
 * machine's resolver, on a thread of its own; each address is judged (net/egress.h), and the
 * connection is made to one of these and to no other (http/http.h). Redirects are answers.
 * One loop's thread.
 */
#ifndef GODWIT_API_REACH_H
#define GODWIT_API_REACH_H

#include "api/api.h"
#include "base/list.h"
#include "event/loop.h"
#include "event/workers.h"
#include "http/http.h"

struct reach;

enum err reach_open(struct loop *loop, enum reach_range range, struct reach **out);
/* What is under way is given up: done() of each is called, with HTTP_CANCELLED. */
void reach_close(struct reach **reach);
enum reach_range reach_range(const struct reach *reach);

struct reach_ask {
    struct http_request http;        /* url, fields, body, method, answer_max, timeout_ms and
                                        is_of_operator are its maker's; they outlive it */
    void (*done)(struct reach_ask *ask); /* once, never from inside reach_begin(); frees it */
    /* for reach.c alone */
    struct reach *reach;
    struct list_node node;
    struct work work;
    struct buffer host;
    struct net_address addresses[HTTP_ADDRESSES_MAX];
    size_t addresses_count;
};

void reach_begin(struct reach *reach, struct reach_ask *ask);
/* Its answer goes; before it is freed. */
void reach_ask_clear(struct reach_ask *ask);

#endif
