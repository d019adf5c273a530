/* sasl_private.h: what the mechanisms share. */
#ifndef GODWIT_CRYPTO_SASL_PRIVATE_H
#define GODWIT_CRYPTO_SASL_PRIVATE_H

#include "crypto/sasl_client.h"

struct Gsasl_session;

struct sasl_client {
    const struct mechanism *mechanism;
    char *user;                   /* ended by NUL, which they do not hold */
    char *secret;
    struct Gsasl_session *scram;  /* of SCRAM alone */
    unsigned answers;             /* given so far */
    bool done;
};

/* sasl_scram.c */
enum err scram_open(struct sasl_client *client, const char *name);
void scram_close(struct sasl_client *client);
bool scram_begin(struct sasl_client *client, struct buffer *out);
bool scram_answer(struct sasl_client *client, struct slice challenge, struct buffer *out);

#endif
