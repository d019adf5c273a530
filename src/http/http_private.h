/* http_private.h: one request on its way through libcurl. */
#ifndef GODWIT_HTTP_HTTP_PRIVATE_H
#define GODWIT_HTTP_HTTP_PRIVATE_H

#include "http/http.h"

#include <curl/curl.h>

struct http_transfer {
    struct http_request *request;
    const struct http_options *options;
    CURL *easy;
    struct curl_slist *fields;
    struct curl_slist *resolved;
    char *url;
    char *host;              /* of the URL, without brackets */
    size_t header_bytes;
    bool is_too_large;
    bool is_refused;         /* an address was not allowed */
    char error[CURL_ERROR_SIZE];
};

/* transfer.c: everything set but begun; false, and the request's result and trouble set,
 * when it cannot be made. */
bool http_transfer_make(struct http_request *request, const struct http_options *options,
                        struct http_transfer **out);
/* It has ended so: sets the request's answer. */
void http_transfer_judge(struct http_transfer *transfer, CURLcode code);
/* NULL inside is allowed. */
void http_transfer_free(struct http_transfer **transfer);

#endif
