/* sasl_scram.c: SCRAM through GNU SASL. RFC 5802, 7677, 9266.
 *
 * Neither the salt nor the number of iterations tells whether somebody exists: who does
 * not has a salt that follows from the name, and keys that nothing proves.
 */
#include "accounts/sasl_private.h"

#include "base/base64.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROPERTY_MAX = 256 };

static void set_property(Gsasl_session *session, Gsasl_property property, struct slice text)
{
    char *value = slice_to_string(text);
    if (value != NULL)
        gsasl_property_set(session, property, value);
    free(value);
}

static void set_coded(Gsasl_session *session, Gsasl_property property, const void *bytes,
                      size_t len)
{
    struct buffer text;
    buffer_init(&text, PROPERTY_MAX);
    base64_append(&text, slice_make(bytes, len));
    set_property(session, property, buffer_slice(&text));
    buffer_free(&text);
}

static void set_nobody(struct sasl_exchange *x, Gsasl_session *session)
{
    uint8_t salt[SCRAM_SALT_BYTES];
    uint8_t keys[SCRAM_KEY_MAX];
    size_t len = x->mechanism->hash == SCRAM_SHA_1 ? 20 : 32;
    scram_salt_of_nobody(slice_make(x->sasl->secret, sizeof x->sasl->secret),
                         buffer_slice(&x->account), salt);
    set_coded(session, GSASL_SCRAM_SALT, salt, sizeof salt);
    if (crypto_random(keys, sizeof keys) != ERR_OK)
        return; /* without keys nothing is granted */
    set_coded(session, GSASL_SCRAM_STOREDKEY, keys, len);
    set_coded(session, GSASL_SCRAM_SERVERKEY, keys, len);
}

static void set_credential(struct sasl_exchange *x, Gsasl_session *session)
{
    struct credential credential = { .hash = slice_make(NULL, 0) };
    char iterations[16];
    const char *name = gsasl_property_fast(session, GSASL_AUTHID);
    if (name == NULL || login_find(x->config, slice_from_string(name), &x->account,
                                   &x->user) != ERR_OK)
        return;
    if (x->user != NULL)
        credential_parse(x->user->secret, &credential);
    const struct credential_scram *scram = &credential.scram[x->mechanism->hash];
    snprintf(iterations, sizeof iterations, "%u",
             scram->is_there ? (unsigned)scram->iterations : CREDENTIAL_ITERATIONS);
    gsasl_property_set(session, GSASL_SCRAM_ITER, iterations);
    if (!scram->is_there) {
        x->user = NULL;
        set_nobody(x, session);
        return;
    }
    set_property(session, GSASL_SCRAM_SALT, scram->salt);
    set_property(session, GSASL_SCRAM_STOREDKEY, scram->stored_key);
    set_property(session, GSASL_SCRAM_SERVERKEY, scram->server_key);
}

int sasl_scram_callback(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
    (void)gsasl;
    struct sasl_exchange *x = gsasl_session_hook_get(session);
    if (property == GSASL_CB_TLS_EXPORTER && x->binding_len > 0) {
        set_coded(session, property, x->binding, x->binding_len);
        return GSASL_OK;
    }
    if (property != GSASL_SCRAM_ITER && property != GSASL_SCRAM_SALT &&
        property != GSASL_SCRAM_STOREDKEY && property != GSASL_SCRAM_SERVERKEY)
        return GSASL_NO_CALLBACK;
    if (gsasl_property_fast(session, GSASL_SCRAM_ITER) == NULL)
        set_credential(x, session);
    return gsasl_property_fast(session, property) != NULL ? GSASL_OK : GSASL_NO_CALLBACK;
}

static bool begin(struct sasl_exchange *x)
{
    char *name = slice_to_string(x->mechanism->name);
    bool good = name != NULL &&
                gsasl_server_start(x->sasl->gsasl, name, &x->scram) == GSASL_OK;
    free(name);
    if (good)
        gsasl_session_hook_set(x->scram, x);
    return good;
}

/* The client was proven: may it be who it says it acts as? */
static enum sasl_result judge(struct sasl_exchange *x)
{
    struct buffer as;
    const struct config_user *user;
    const char *authzid = gsasl_property_fast(x->scram, GSASL_AUTHZID);
    if (x->user == NULL)
        return SASL_REFUSED;
    if (authzid == NULL || authzid[0] == '\0')
        return SASL_GRANTED;
    buffer_init(&as, 4 * LOGIN_NAME_MAX);
    bool same = login_find(x->config, slice_from_string(authzid), &as, &user) == ERR_OK &&
                slice_equal(buffer_slice(&as), buffer_slice(&x->account));
    buffer_free(&as);
    return same ? SASL_GRANTED : SASL_REFUSED;
}

static enum sasl_result result_of(int code)
{
    switch (code) {
    case GSASL_AUTHENTICATION_ERROR:
    case GSASL_NO_CALLBACK:
    case GSASL_SASLPREP_ERROR:
        return SASL_REFUSED;
    case GSASL_MALLOC_ERROR:
    case GSASL_CRYPTO_ERROR:
        return SASL_FAULT;
    case GSASL_MECHANISM_PARSE_ERROR:
    case GSASL_BASE64_ERROR:
    default: /* another library's codes */
        return SASL_MALFORMED;
    }
}

/* gs2-cbind-flag = ( "p=" cb-name ) / "n" / "y"         ; RFC 5802 7
 * "y" says that the client could bind, and believes that we cannot: where we offered to,
 * somebody between has taken that out (RFC 5802 6). */
static enum sasl_result judge_binding(const struct sasl_exchange *x, struct slice message)
{
    bool bound = slice_starts_with_nocase(message, SLICE("p=tls-exporter,"));
    char flag = message.len > 0 ? message.data[0] : '\0';
    if (x->mechanism->needs_binding ? !bound : flag != 'n' && flag != 'y')
        return SASL_MALFORMED;
    return flag == 'y' && x->binding_len > 0 ? SASL_REFUSED : SASL_CHALLENGE;
}

enum sasl_result sasl_scram_step(struct sasl_exchange *x, const struct slice *message)
{
    char *out = NULL;
    size_t len = 0;
    if (message == NULL)
        return SASL_CHALLENGE; /* the client speaks first */
    if (x->is_right) /* it has seen the server's proof, and says nothing more */
        return message->len == 0 ? judge(x) : SASL_MALFORMED;
    if (x->scram == NULL) {
        enum sasl_result fits = judge_binding(x, *message);
        if (fits != SASL_CHALLENGE)
            return fits;
        if (!begin(x))
            return SASL_FAULT;
    }
    int code = gsasl_step(x->scram, message->data == NULL ? "" : message->data,
                          message->len, &out, &len);
    if (code == GSASL_OK || code == GSASL_NEEDS_MORE)
        buffer_append(&x->challenge, slice_make(out, len));
    gsasl_free(out);
    x->is_right = code == GSASL_OK;
    return x->is_right || code == GSASL_NEEDS_MORE ? SASL_CHALLENGE : result_of(code);
}
