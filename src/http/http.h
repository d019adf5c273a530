/* http.h: the only HTTP client: one request, one bounded answer.
 *
 * A thread of its own moves the bytes; a request belongs to it from http_ask() to its
 * done(), which runs on request->home. Names are looked up by who asks, with the resolver
 * that validates: a connection is made to one of the addresses that were given and to no
 * other, and only where the rules allow it (HOSTILE 129). Redirects are answers, never
 * followed; there are no cookies, proxies, caches, or coded bodies. RFC 9110, RFC 9112;
 * the certificate has the host's name among its DNS names (RFC 6125 6.4).
 */
#ifndef GODWIT_HTTP_HTTP_H
#define GODWIT_HTTP_HTTP_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/list.h"
#include "base/task.h"
#include "net/egress.h"

struct http;

struct http_options {
    const char *ca_file;        /* issuers that are believed; NULL: the machine's */
    struct egress_rules egress; /* where it may connect to */
};

enum { HTTP_ADDRESSES_MAX = 16, HTTP_FIELDS_MAX = 16, HTTP_TROUBLE_MAX = 256 };

enum http_result {
    HTTP_ANSWERED,    /* with `status`, whatever that is */
    HTTP_INVALID,     /* not a request that can be made */
    HTTP_REFUSED,     /* the rules allow none of the addresses */
    HTTP_UNREACHABLE, /* no connection, or it broke */
    HTTP_UNTRUSTED,   /* the certificate is not good */
    HTTP_TIMEOUT,
    HTTP_TOO_LARGE,   /* body or header */
    HTTP_CANCELLED,   /* http_close() */
};

/* What is borrowed lives until done(). */
struct http_request {
    struct home *home;
    void (*done)(struct http_request *request);
    struct slice url;                    /* "https://host[:port]/path" */
    const struct net_address *addresses; /* that the host has; ports do not matter */
    size_t addresses_count;
    const struct slice *fields;          /* "Name: value", without line ends */
    size_t fields_count;
    struct slice body;                   /* with one it is a POST; a NULL pointer: a GET */
    const char *method;                  /* "DELETE", "HEAD"; static; NULL: as above */
    size_t answer_max;                   /* bytes of the body */
    uint32_t timeout_ms;                 /* for all of it, at least 1 */
    bool is_of_operator;                 /* the URL is the configuration's: it may lead to
                                            any address */
    bool allows_clear;                   /* the URL may be of http, too */
    /* The answer, until http_request_clear(). */
    enum http_result result;
    unsigned status;                     /* also with HTTP_TOO_LARGE */
    struct buffer type;                  /* the value of Content-Type */
    struct buffer location;              /* where a redirect leads, as a whole URL */
    struct buffer answer;
    char trouble[HTTP_TROUBLE_MAX];      /* why not HTTP_ANSWERED, in words */
    /* For the client alone. */
    struct task task;
    struct http *http;
    struct list_node node;
    struct http_transfer *transfer;
};

/* ERR_MEMORY, ERR_DESCRIPTORS. Everything pointed to outlives it. */
enum err http_open(const struct http_options *options, struct http **out);

/* Ends the thread; what is under way ends as HTTP_CANCELLED, its done() posted before this
 * returns. NULL inside is allowed. */
void http_close(struct http **http);

/* Any thread. done() follows exactly once, never from inside this call. */
void http_ask(struct http *http, struct http_request *request);

/* Appends the host of such a URL as it will be asked, without brackets, and a NUL that is not
 * counted; false: it is none, or cannot be asked. Any thread. */
bool http_host(struct slice url, bool allows_clear, struct buffer *out);

/* Frees the answer; harmless on a zeroed request. */
void http_request_clear(struct http_request *request);

#endif
