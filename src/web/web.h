/* web.h: HTTP/1.1 in front of the API: requests in, answers, event streams and WebSockets out,
 * and the page.
 *
 * libmicrohttpd reads the requests, on the loop that it is given. What could be read in two
 * ways is refused (RFC 9112 6.3, HOSTILE 131); so is a page of somebody else that asks in a
 * visitor's name (CSRF, DNS rebinding, cross-site WebSockets). One thread.
 */
#ifndef GODWIT_WEB_WEB_H
#define GODWIT_WEB_WEB_H

#include "api/api.h"

struct web;

struct web_options {
    struct loop *loop;
    struct api *api;
    int fd;                   /* a listening socket; borrowed */
    struct slice root;        /* "/mail" before every path, or empty; borrowed */
};

/* ERR_MEMORY, ERR_IO. */
enum err web_open(const struct web_options *options, struct web **out);
void web_close(struct web **web);

#endif
