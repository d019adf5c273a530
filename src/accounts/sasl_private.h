/* sasl_private.h: an exchange and its mechanisms. */
#ifndef GODWIT_ACCOUNTS_SASL_PRIVATE_H
#define GODWIT_ACCOUNTS_SASL_PRIVATE_H

#include "accounts/credential.h"
#include "accounts/dovecot.h"
#include "accounts/login.h"
#include "accounts/sasl.h"

#include "base/list.h"

#include <gsasl.h>
#include <pthread.h>

struct sasl {
    struct workers *workers;
    struct buffer names[64];     /* for EHLO: by what there is, see sasl.c */
    uint8_t secret[SASL_SECRET_BYTES]; /* for the salts of nobody */
    Gsasl *gsasl;
    struct dns *dns;             /* to ask about tokens; or NULL */
    struct http *http;
    pthread_mutex_t mutex;
    struct buffer introspect_secret; /* under the mutex; wiped */
    struct list working;         /* exchanges that a worker has */
    size_t working_count;
};

struct sasl_mechanism {
    struct slice name;
    bool needs_binding;
    enum scram_hash hash;        /* of SCRAM */
    enum sasl_result (*step)(struct sasl_exchange *x, const struct slice *message);
};

struct sasl_exchange {
    struct sasl *sasl;
    const struct sasl_mechanism *mechanism;
    const struct config *config; /* held */
    struct sasl_peer peer;
    char binding[SASL_BINDING_BYTES];
    size_t binding_len;
    struct buffer certified;
    unsigned steps;
    struct buffer challenge;
    struct buffer account;
    struct buffer password;      /* wiped */
    const struct config_user *user; /* in the configuration, or NULL */
    struct work work;
    struct list_node node;       /* in sasl.working */
    bool is_working;
    bool is_over;                /* ended while it worked: freed when that is done */
    bool is_right;
    bool is_refused;             /* of a token: what follows is of no account */
    struct sasl_oauth *oauth;    /* being asked */
    Gsasl_session *scram;
    struct dovecot *dovecot;     /* being asked */
};

/* Has the name and the password checked: SASL_WAITING, or SASL_FAULT. Takes a copy. */
enum sasl_result sasl_check_password(struct sasl_exchange *x, struct slice name,
                                     struct slice password);

enum sasl_result sasl_plain_step(struct sasl_exchange *x, const struct slice *message);
enum sasl_result sasl_login_step(struct sasl_exchange *x, const struct slice *message);
enum sasl_result sasl_external_step(struct sasl_exchange *x, const struct slice *message);
enum sasl_result sasl_scram_step(struct sasl_exchange *x, const struct slice *message);

/* sasl_oauth.c */
enum sasl_result sasl_oauthbearer_step(struct sasl_exchange *x, const struct slice *message);
enum sasl_result sasl_xoauth2_step(struct sasl_exchange *x, const struct slice *message);
void sasl_oauth_free(struct sasl_oauth **oauth);

/* An exchange that somebody else has is not freed by sasl_end(). False: too many are. */
bool sasl_start_working(struct sasl_exchange *x);
void sasl_stop_working(struct sasl_exchange *x);
void sasl_exchange_free(struct sasl_exchange *x);

/* GNU SASL asks for what it needs. */
int sasl_scram_callback(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property);

#endif
