/* sasl.c: mechanisms by name, the life of an exchange, and the check of a password. */
#include "accounts/sasl_private.h"

#include "base/base64.h"
#include "base/list.h"

#include <stdlib.h>

/* The strongest first, as clients that take the first they know would have it. */
static const struct sasl_mechanism mechanisms[] = {
    { SLICE_INIT("SCRAM-SHA-256-PLUS"), true, SCRAM_SHA_256, sasl_scram_step },
    { SLICE_INIT("SCRAM-SHA-1-PLUS"), true, SCRAM_SHA_1, sasl_scram_step },
    { SLICE_INIT("SCRAM-SHA-256"), false, SCRAM_SHA_256, sasl_scram_step },
    { SLICE_INIT("SCRAM-SHA-1"), false, SCRAM_SHA_1, sasl_scram_step },
    { SLICE_INIT("PLAIN"), false, 0, sasl_plain_step },
    { SLICE_INIT("LOGIN"), false, 0, sasl_login_step },
};
enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms, CHALLENGE_MAX = 16 * 1024 };

static bool is_offered(const struct sasl_mechanism *m, const struct config *config,
                       bool has_binding)
{
    if (!config->has_logins || (m->needs_binding && !has_binding))
        return false;
    /* Clients try the strongest only: who has no keys for it could not log in at all. */
    return m->step != sasl_scram_step ||
           (m->hash == SCRAM_SHA_256 ? config->logins_have_scram_sha256
                                     : config->logins_have_scram_sha1);
}

void sasl_append_mechanisms(const struct config *config, bool has_binding,
                            struct buffer *out)
{
    bool is_first = true;
    for (size_t i = 0; i < MECHANISMS; i++) {
        if (!is_offered(&mechanisms[i], config, has_binding))
            continue;
        if (!is_first)
            buffer_append_byte(out, ' ');
        buffer_append(out, mechanisms[i].name);
        is_first = false;
    }
}

static enum err make_dummy(struct sasl *s)
{
    uint8_t random[18];
    struct buffer nobody;
    enum err error = crypto_random(random, sizeof random);
    buffer_init(&nobody, 64);
    base64_append(&nobody, slice_make(random, sizeof random));
    if (error == ERR_OK)
        error = password_hash(buffer_slice(&nobody), &s->dummy);
    buffer_free(&nobody);
    return error;
}

enum err sasl_open(struct workers *workers, struct sasl **out)
{
    struct sasl *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    s->workers = workers;
    buffer_init(&s->dummy, 1024);
    enum err error = crypto_random(s->secret, sizeof s->secret);
    if (error == ERR_OK)
        error = make_dummy(s);
    if (error == ERR_OK && gsasl_init(&s->gsasl) != GSASL_OK)
        error = ERR_MEMORY;
    if (error != ERR_OK) {
        sasl_close(&s);
        return error;
    }
    gsasl_callback_set(s->gsasl, sasl_scram_callback);
    *out = s;
    return ERR_OK;
}

void sasl_close(struct sasl **sasl)
{
    struct sasl *s = *sasl;
    if (s == NULL)
        return;
    if (s->gsasl != NULL)
        gsasl_done(s->gsasl);
    buffer_free(&s->dummy);
    explicit_bzero(s->secret, sizeof s->secret);
    free(s);
    *sasl = NULL;
}

static void wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

static void exchange_free(struct sasl_exchange *x)
{
    if (x->scram != NULL)
        gsasl_finish(x->scram);
    config_drop(&x->config);
    buffer_free(&x->challenge);
    buffer_free(&x->account);
    wipe(&x->password);
    free(x);
}

struct sasl_exchange *sasl_begin(struct sasl *sasl, struct slice mechanism,
                                 const struct sasl_peer *peer)
{
    const struct sasl_mechanism *found = NULL;
    for (size_t i = 0; i < MECHANISMS; i++)
        if (slice_equal_nocase(mechanism, mechanisms[i].name) &&
            is_offered(&mechanisms[i], peer->config, peer->binding.len > 0))
            found = &mechanisms[i];
    struct sasl_exchange *x = found == NULL ? NULL : calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->sasl = sasl;
    x->mechanism = found;
    x->config = config_hold(peer->config);
    x->peer = *peer;
    x->binding_len = slice_part(peer->binding, 0, sizeof x->binding).len;
    if (x->binding_len > 0)
        memcpy(x->binding, peer->binding.data, x->binding_len);
    buffer_init(&x->challenge, CHALLENGE_MAX);
    buffer_init(&x->account, 4 * LOGIN_NAME_MAX);
    buffer_init(&x->password, PASSWORD_MAX + 1);
    return x;
}

enum sasl_result sasl_step(struct sasl_exchange *x, const struct slice *message)
{
    buffer_clear(&x->challenge);
    if (message != NULL && message->len > SASL_MESSAGE_MAX)
        return SASL_MALFORMED;
    enum sasl_result result = x->mechanism->step(x, message);
    x->steps++;
    return x->challenge.overflow || x->account.overflow ? SASL_FAULT : result;
}

struct slice sasl_challenge(const struct sasl_exchange *x)
{
    return buffer_slice(&x->challenge);
}

struct slice sasl_account(const struct sasl_exchange *x)
{
    return buffer_slice(&x->account);
}

void sasl_end(struct sasl_exchange **exchange)
{
    struct sasl_exchange *x = *exchange;
    *exchange = NULL;
    if (x == NULL)
        return;
    if (x->is_working)
        x->is_over = true;
    else
        exchange_free(x);
}

/* ---- a password, on a worker's thread ---- */

static void run_check(struct work *work)
{
    struct sasl_exchange *x = container_of(work, struct sasl_exchange, work);
    struct credential credential = { .hash = slice_make(NULL, 0) };
    if (x->user != NULL)
        credential_parse(x->user->secret, &credential);
    x->is_right = credential_has_password(&credential, buffer_slice(&x->password),
                                          buffer_slice(&x->sasl->dummy));
}

static void check_done(struct work *work)
{
    struct sasl_exchange *x = container_of(work, struct sasl_exchange, work);
    x->is_working = false;
    wipe(&x->password);
    if (x->is_over)
        exchange_free(x);
    else
        x->peer.answered(x->peer.context, x->is_right ? SASL_GRANTED : SASL_REFUSED);
}

enum sasl_result sasl_check_password(struct sasl_exchange *x, struct slice name,
                                     struct slice password)
{
    if (login_find(x->config, name, &x->account, &x->user) != ERR_OK)
        return SASL_FAULT;
    /* Its room is made once: no copy stays behind when it grows. */
    buffer_reserve(&x->password, PASSWORD_MAX + 1);
    buffer_append(&x->password, slice_part(password, 0, PASSWORD_MAX + 1));
    if (x->password.overflow)
        return SASL_FAULT;
    x->work = (struct work){ .home = x->peer.home, .run = run_check, .done = check_done };
    x->is_working = workers_submit(x->sasl->workers, &x->work);
    return x->is_working ? SASL_WAITING : SASL_FAULT;
}
