/* oauth.h: what clients with a token say, and what an authorization server says of the token:
 * OAUTHBEARER (RFC 7628), XOAUTH2 (no RFC), token introspection (RFC 7662). Pure; any thread.
 */
#ifndef GODWIT_ACCOUNTS_OAUTH_H
#define GODWIT_ACCOUNTS_OAUTH_H

#include "base/buffer.h"

enum { OAUTH_TOKEN_MAX = 8192, OAUTH_ANSWER_MAX = 64 * 1024 };

/* Borrowed from the client's message. */
struct oauth_said {
    struct slice user;   /* who is to be logged in, or empty */
    struct slice token;
};

/* client-resp = gs2-header kvsep *kvpair kvsep. False: it is not that. */
bool oauth_read_bearer(struct slice message, struct oauth_said *out);
/* "user=" name kvsep "auth=Bearer " token kvsep kvsep */
bool oauth_read_xoauth2(struct slice message, struct oauth_said *out);

/* Appends the body of the request that asks what a token is (RFC 7662 2.1). */
void oauth_append_question(struct slice token, struct buffer *out);
/* Appends "Authorization: Basic ..." of the client that asks (RFC 6749 2.3.1). */
void oauth_append_client(struct slice id, struct slice secret, struct buffer *out);

enum oauth_verdict {
    OAUTH_ACTIVE,        /* *out_user is appended */
    OAUTH_INACTIVE,
    OAUTH_NO_ANSWER,     /* not one that can be read */
};

/* Of the answer's JSON (RFC 7662 2.2): "username", or "email", or "sub" where it is an
 * address; "exp" and "nbf" are held against the time, and a scope where one is asked for. */
enum oauth_verdict oauth_read_answer(struct slice json, struct slice scope, int64_t now_s,
                                     struct buffer *out_user);

#endif
