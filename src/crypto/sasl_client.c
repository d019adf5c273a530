/* sasl_client.c: the mechanisms as a table, and those of one or two sentences.
 *
 * The order of the table is the order of preference: first those that do not hand the
 * password over.
 */
#include "crypto/sasl_client.h"

#include "base/must.h"
#include "crypto/sasl_private.h"

#include <stdlib.h>

struct mechanism {
    const char *name;
    uint32_t bit;
    bool (*begin)(struct sasl_client *c, struct buffer *out); /* NULL: nothing is said */
    bool (*answer)(struct sasl_client *c, struct slice challenge, struct buffer *out);
};

static void append_zero(struct buffer *out)
{
    buffer_append_byte(out, '\0');
}

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd (RFC 4616 2) */
static bool plain_begin(struct sasl_client *c, struct buffer *out)
{
    append_zero(out);
    buffer_append_string(out, c->user);
    append_zero(out);
    buffer_append_string(out, c->secret);
    c->done = true;
    return true;
}

static bool no_answer(struct sasl_client *c, struct slice challenge, struct buffer *out)
{
    (void)c;
    (void)challenge;
    (void)out;
    return false;
}

/* "Username:" and "Password:", or whatever the server calls them. */
static bool login_answer(struct sasl_client *c, struct slice challenge, struct buffer *out)
{
    (void)challenge;
    if (c->answers > 1)
        return false;
    buffer_append_string(out, c->answers == 0 ? c->user : c->secret);
    c->done = c->answers == 1;
    return true;
}

/* client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
 * gs2-header "n,a=" saslname "," (RFC 7628 3.1, RFC 5801 4) */
static bool bearer_begin(struct sasl_client *c, struct buffer *out)
{
    buffer_append(out, SLICE("n,a="));
    for (const char *at = c->user; *at != '\0'; at++) {
        if (*at == ',')
            buffer_append(out, SLICE("=2C"));
        else if (*at == '=')
            buffer_append(out, SLICE("=3D"));
        else
            buffer_append_byte(out, *at);
    }
    buffer_append(out, SLICE(",\1auth=Bearer "));
    buffer_append_string(out, c->secret);
    buffer_append(out, SLICE("\1\1"));
    c->done = true;
    return true;
}

static bool xoauth2_begin(struct sasl_client *c, struct buffer *out)
{
    buffer_append(out, SLICE("user="));
    buffer_append_string(out, c->user);
    buffer_append(out, SLICE("\1auth=Bearer "));
    buffer_append_string(out, c->secret);
    buffer_append(out, SLICE("\1\1"));
    c->done = true;
    return true;
}

/* The challenge says why it was refused; the refusal follows an empty answer
 * (RFC 7628 3.2.3: of one kvsep). */
static bool bearer_answer(struct sasl_client *c, struct slice challenge, struct buffer *out)
{
    (void)challenge;
    if (c->answers > 0)
        return false;
    if (c->mechanism->bit == SASL_OAUTHBEARER)
        buffer_append_byte(out, '\1');
    c->done = false;
    return true;
}

static const struct mechanism mechanisms[] = {
    { "SCRAM-SHA-256", SASL_SCRAM_SHA_256, scram_begin, scram_answer },
    { "SCRAM-SHA-1", SASL_SCRAM_SHA_1, scram_begin, scram_answer },
    { "OAUTHBEARER", SASL_OAUTHBEARER, bearer_begin, bearer_answer },
    { "XOAUTH2", SASL_XOAUTH2, xoauth2_begin, bearer_answer },
    { "PLAIN", SASL_PLAIN, plain_begin, no_answer },
    { "LOGIN", SASL_LOGIN, NULL, login_answer },
};

enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms };

uint32_t sasl_mechanism(struct slice name)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (slice_equal_nocase(name, slice_from_string(mechanisms[i].name)))
            return mechanisms[i].bit;
    return 0;
}

static const struct mechanism *first_of(uint32_t wanted)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if ((mechanisms[i].bit & wanted) != 0)
            return &mechanisms[i];
    return NULL;
}

/* Both become parts of messages in which NUL and SOH part things. */
static bool is_carriable(struct slice text)
{
    return text.len > 0 && text.len <= SASL_SECRET_MAX &&
           slice_find(text, '\0') == SLICE_NOT_FOUND &&
           slice_find(text, '\1') == SLICE_NOT_FOUND;
}

enum err sasl_client_open(struct slice user, struct slice secret, uint32_t wanted,
                          struct sasl_client **out)
{
    const struct mechanism *m = first_of(wanted);
    if (m == NULL)
        return ERR_ABSENT;
    if (!is_carriable(user) || !is_carriable(secret))
        return ERR_INVALID;
    struct sasl_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR_MEMORY;
    c->mechanism = m;
    c->user = slice_to_string(user);
    c->secret = slice_to_string(secret);
    enum err error = c->user == NULL || c->secret == NULL ? ERR_MEMORY : ERR_OK;
    if (error == ERR_OK && m->begin == scram_begin)
        error = scram_open(c, m->name);
    if (error == ERR_OK)
        *out = c;
    else
        sasl_client_close(&c);
    return error;
}

void sasl_client_close(struct sasl_client **client)
{
    struct sasl_client *c = *client;
    *client = NULL;
    if (c == NULL)
        return;
    scram_close(c);
    if (c->secret != NULL)
        explicit_bzero(c->secret, strlen(c->secret));
    free(c->secret);
    free(c->user);
    free(c);
}

const char *sasl_client_mechanism(const struct sasl_client *c)
{
    return c->mechanism->name;
}

bool sasl_client_begin(struct sasl_client *c, struct buffer *out)
{
    return c->mechanism->begin != NULL && c->mechanism->begin(c, out);
}

bool sasl_client_answer(struct sasl_client *c, struct slice challenge, struct buffer *out)
{
    bool good = c->mechanism->answer(c, challenge, out);
    c->answers++;
    return good;
}

bool sasl_client_is_done(const struct sasl_client *c)
{
    return c->done;
}
