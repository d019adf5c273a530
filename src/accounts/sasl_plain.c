/* sasl_plain.c: PLAIN (RFC 4616) and LOGIN, which ask for the password itself, and EXTERNAL
 * (RFC 4422 A), which asks for nothing: the certificate has proven it. */
#include "accounts/sasl_private.h"

/* Nobody acts as somebody else: an authzid must be the account. */
static bool is_same(struct sasl_exchange *x, struct slice authzid, struct slice authcid)
{
    struct buffer as;
    const struct config_user *user;
    if (slice_is_empty(authzid) || slice_equal(authzid, authcid))
        return true;
    buffer_init(&as, 4 * LOGIN_NAME_MAX);
    bool same = login_find(x->config, authzid, &as, &user) == ERR_OK &&
                login_find(x->config, authcid, &x->account, &x->user) == ERR_OK &&
                slice_equal(buffer_slice(&as), buffer_slice(&x->account));
    buffer_free(&as);
    return same;
}

/* message = [authzid] NUL authcid NUL passwd */
enum sasl_result sasl_plain_step(struct sasl_exchange *x, const struct slice *message)
{
    if (message == NULL && x->steps == 0)
        return SASL_CHALLENGE; /* an empty one */
    struct slice authzid, authcid, rest = *message;
    if (!slice_split(&rest, '\0', &authzid) || !slice_split(&rest, '\0', &authcid) ||
        authcid.len == 0 || slice_find(rest, '\0') != SLICE_NOT_FOUND ||
        authzid.len + 1 + authcid.len + 1 + rest.len != message->len)
        return SASL_MALFORMED;
    if (!is_same(x, authzid, authcid)) /* the same work, and no password has it */
        return sasl_check_password(x, authcid, slice_make(NULL, 0));
    return sasl_check_password(x, authcid, rest);
}

enum sasl_result sasl_login_step(struct sasl_exchange *x, const struct slice *message)
{
    if (x->steps == 0 && message == NULL) {
        buffer_append(&x->challenge, SLICE("Username:"));
        return SASL_CHALLENGE;
    }
    if (buffer_len(&x->account) > 0) {
        char name[LOGIN_NAME_MAX];
        struct slice said = buffer_slice(&x->account);
        memcpy(name, said.data, said.len);
        return sasl_check_password(x, slice_make(name, said.len), *message);
    }
    if (message->len == 0 || message->len > LOGIN_NAME_MAX)
        return SASL_MALFORMED;
    buffer_append(&x->account, *message);
    buffer_append(&x->challenge, SLICE("Password:"));
    return SASL_CHALLENGE;
}

/* Whether the certificate names the account; of none in particular, the first that is one. */
static bool is_certified(struct sasl_exchange *x, struct slice wanted)
{
    struct slice rest = buffer_slice(&x->certified);
    struct slice address;
    while (slice_split(&rest, '\n', &address)) {
        if (login_find(x->config, address, &x->account, &x->user) != ERR_OK ||
            x->user == NULL)
            continue;
        if (slice_is_empty(wanted) || slice_equal(wanted, buffer_slice(&x->account)))
            return true;
    }
    return false;
}

/* message = [authzid], who is to be logged in */
enum sasl_result sasl_external_step(struct sasl_exchange *x, const struct slice *message)
{
    struct buffer wanted;
    const struct config_user *user;
    if (message == NULL)
        return SASL_CHALLENGE; /* an empty one */
    buffer_init(&wanted, 4 * LOGIN_NAME_MAX);
    bool granted = (message->len == 0 ||
                    login_find(x->config, *message, &wanted, &user) == ERR_OK) &&
                   is_certified(x, buffer_slice(&wanted));
    buffer_free(&wanted);
    return granted ? SASL_GRANTED : SASL_REFUSED;
}
