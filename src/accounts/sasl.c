/* sasl.c: mechanisms by name, the life of an exchange, and the check of a password. */
#include "accounts/sasl_private.h"


#include <stdlib.h>

/* The strongest first, as clients that take the first they know would have it. */
static const struct sasl_mechanism mechanisms[] = {
    { SLICE_INIT("EXTERNAL"), false, 0, sasl_external_step },
    { SLICE_INIT("SCRAM-SHA-256-PLUS"), true, SCRAM_SHA_256, sasl_scram_step },
    { SLICE_INIT("SCRAM-SHA-1-PLUS"), true, SCRAM_SHA_1, sasl_scram_step },
    { SLICE_INIT("SCRAM-SHA-256"), false, SCRAM_SHA_256, sasl_scram_step },
    { SLICE_INIT("SCRAM-SHA-1"), false, SCRAM_SHA_1, sasl_scram_step },
    { SLICE_INIT("PLAIN"), false, 0, sasl_plain_step },
    { SLICE_INIT("LOGIN"), false, 0, sasl_login_step },
    { SLICE_INIT("OAUTHBEARER"), false, 0, sasl_oauthbearer_step },
    { SLICE_INIT("XOAUTH2"), false, 0, sasl_xoauth2_step },
};
enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms, CHALLENGE_MAX = 16 * 1024,
       CERTIFIED_MAX = 64 * 1024,
       CHECKS_MAX = 200 /* the workers have other things to do, too */ };

/* A hash of the usual cost, whose password nobody knows. */
static const struct slice dummy =
    SLICE_INIT("$y$j9T$omawxzrdgw2r0ri6$.9a8LxjC5OBSPjstqMw7kEmnM5dG6KNmClDLtIP2ng6");

/* What decides which mechanisms there are; SCRAM: clients try the strongest only, so that
 * who has no keys for it could not log in at all. */
enum { HAS_BINDING = 1, HAS_SHA_256 = 2, HAS_SHA_1 = 4, HAS_CERTIFICATE = 8,
       HAS_PASSWORDS = 16, HAS_TOKENS = 32 };

static bool is_offered(const struct sasl_mechanism *m, unsigned has)
{
    if (m->step == sasl_external_step)
        return (has & HAS_CERTIFICATE) != 0;
    if (m->step == sasl_oauthbearer_step || m->step == sasl_xoauth2_step)
        return (has & HAS_TOKENS) != 0;
    if ((has & HAS_PASSWORDS) == 0 || (m->needs_binding && (has & HAS_BINDING) == 0))
        return false;
    return m->step != sasl_scram_step ||
           (has & (m->hash == SCRAM_SHA_256 ? HAS_SHA_256 : HAS_SHA_1)) != 0;
}

static unsigned what_has(const struct config *config, bool has_binding, bool is_certified)
{
    return (has_binding ? HAS_BINDING : 0u) | (is_certified ? HAS_CERTIFICATE : 0u) |
           (config->logins_have_passwords ? HAS_PASSWORDS : 0u) |
           (config->login.introspect.len > 0 || config->accepts_any_login ? HAS_TOKENS : 0u) |
           (config->logins_have_scram_sha256 ? HAS_SHA_256 : 0u) |
           (config->logins_have_scram_sha1 ? HAS_SHA_1 : 0u);
}

static void append_names(unsigned has, struct buffer *out)
{
    for (size_t i = 0; i < MECHANISMS; i++) {
        if (!is_offered(&mechanisms[i], has))
            continue;
        if (buffer_len(out) > 0)
            buffer_append_byte(out, ' ');
        buffer_append(out, mechanisms[i].name);
    }
}

struct slice sasl_mechanisms(const struct sasl *sasl, const struct config *config,
                             bool has_binding, bool is_certified)
{
    if (!config->has_logins)
        return slice_make(NULL, 0);
    return buffer_slice(&sasl->names[what_has(config, has_binding, is_certified)]);
}

enum err sasl_open(struct workers *workers, const uint8_t secret[SASL_SECRET_BYTES],
                   struct sasl **out)
{
    struct sasl *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    s->workers = workers;
    pthread_mutex_init(&s->mutex, NULL);
    list_init(&s->working);
    buffer_init(&s->introspect_secret, PASSWORD_MAX);
    enum err error = ERR_OK;
    memcpy(s->secret, secret, sizeof s->secret);
    for (unsigned has = 0; has < sizeof s->names / sizeof *s->names; has++) {
        buffer_init(&s->names[has], 256);
        append_names(has, &s->names[has]);
        if (s->names[has].overflow)
            error = ERR_MEMORY;
    }
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

static void wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

void sasl_exchange_free(struct sasl_exchange *x)
{
    if (x->scram != NULL)
        gsasl_finish(x->scram);
    dovecot_cancel(&x->dovecot);
    sasl_oauth_free(&x->oauth);
    config_drop(&x->config);
    buffer_free(&x->certified);
    buffer_free(&x->challenge);
    buffer_free(&x->account);
    wipe(&x->password);
    free(x);
}

void sasl_close(struct sasl **sasl)
{
    struct sasl *s = *sasl;
    if (s == NULL)
        return;
    struct list_node *node;
    while ((node = list_take(&s->working)) != NULL) /* done, and nobody was told */
        sasl_exchange_free(container_of(node, struct sasl_exchange, node));
    if (s->gsasl != NULL)
        gsasl_done(s->gsasl);
    for (size_t i = 0; i < sizeof s->names / sizeof *s->names; i++)
        buffer_free(&s->names[i]);
    explicit_bzero(s->secret, sizeof s->secret);
    wipe(&s->introspect_secret);
    pthread_mutex_destroy(&s->mutex);
    free(s);
    *sasl = NULL;
}

struct sasl_exchange *sasl_begin(struct sasl *sasl, struct slice mechanism,
                                 const struct sasl_peer *peer)
{
    const struct sasl_mechanism *found = NULL;
    for (size_t i = 0; i < MECHANISMS; i++)
        if (slice_equal_nocase(mechanism, mechanisms[i].name) &&
            peer->config->has_logins &&
            is_offered(&mechanisms[i], what_has(peer->config, peer->binding.len > 0,
                                                peer->certified.len > 0)))
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
    buffer_init(&x->certified, CERTIFIED_MAX);
    buffer_append(&x->certified, peer->certified);
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

bool sasl_is_proven(const struct sasl_exchange *x)
{
    return x->is_right;
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
        sasl_exchange_free(x);
}

void sasl_reach(struct sasl *s, struct dns *dns, struct http *http)
{
    s->dns = dns;
    s->http = http;
}

void sasl_take_secret(struct sasl *s, struct slice secret)
{
    pthread_mutex_lock(&s->mutex);
    buffer_clear(&s->introspect_secret);
    buffer_append(&s->introspect_secret, secret);
    pthread_mutex_unlock(&s->mutex);
}

bool sasl_start_working(struct sasl_exchange *x)
{
    struct sasl *s = x->sasl;
    pthread_mutex_lock(&s->mutex);
    x->is_working = s->working_count < CHECKS_MAX;
    if (x->is_working) {
        s->working_count++;
        list_append(&s->working, &x->node);
    }
    pthread_mutex_unlock(&s->mutex);
    return x->is_working;
}

void sasl_stop_working(struct sasl_exchange *x)
{
    pthread_mutex_lock(&x->sasl->mutex);
    list_remove(&x->node);
    x->sasl->working_count--;
    pthread_mutex_unlock(&x->sasl->mutex);
    x->is_working = false;
}

/* ---- a password, on a worker's thread ---- */

static void run_check(struct work *work)
{
    struct sasl_exchange *x = container_of(work, struct sasl_exchange, work);
    struct credential credential = { .hash = slice_make(NULL, 0) };
    if (x->user != NULL)
        credential_parse(x->user->secret, &credential);
    x->is_right = credential_has_password(&credential, buffer_slice(&x->password),
                                          dummy);
}

static void check_done(struct work *work)
{
    struct sasl_exchange *x = container_of(work, struct sasl_exchange, work);
    sasl_stop_working(x);
    wipe(&x->password);
    if (x->is_over)
        sasl_exchange_free(x);
    else
        x->peer.answered(x->peer.context, x->is_right ? SASL_GRANTED : SASL_REFUSED);
}

/* ---- or by Dovecot ---- */

static void on_dovecot(void *context, enum dovecot_verdict verdict, struct slice user)
{
    struct sasl_exchange *x = context;
    enum sasl_result result = SASL_FAULT;
    /* A refusal is of the one that Dovecot takes the name for, too: that is who is
     * counted, however the name was written. */
    bool is_named = user.len > 0 &&
                    login_find(x->config, user, &x->account, &x->user) == ERR_OK &&
                    buffer_len(&x->account) > 0;
    if (verdict == DOVECOT_REFUSED)
        result = SASL_REFUSED;
    else if (verdict == DOVECOT_GRANTED && is_named)
        result = SASL_GRANTED;
    dovecot_cancel(&x->dovecot);
    x->peer.answered(x->peer.context, result);
}

static enum sasl_result ask_dovecot(struct sasl_exchange *x, struct slice name,
                                    struct slice password)
{
    struct dovecot_request request = {
        .loop = x->peer.loop, .path = x->config->login.dovecot, .name = name,
        .password = password, .client = x->peer.client, .is_secured = x->peer.is_secured,
        .done = on_dovecot, .context = x,
    };
    x->dovecot = dovecot_ask(&request);
    return x->dovecot != NULL ? SASL_WAITING : SASL_FAULT;
}

enum sasl_result sasl_check_password(struct sasl_exchange *x, struct slice name,
                                     struct slice password)
{
    if (x->config->accepts_any_login) {
        buffer_clear(&x->account);
        buffer_append(&x->account, slice_part(name, 0, LOGIN_NAME_MAX));
        return SASL_GRANTED;
    }
    if (x->config->login.dovecot.len > 0 && password.len <= PASSWORD_MAX &&
        name.len <= LOGIN_NAME_MAX) {
        buffer_clear(&x->account);
        buffer_append(&x->account, name);
        return ask_dovecot(x, name, password);
    }
    if (login_find(x->config, name, &x->account, &x->user) != ERR_OK)
        return SASL_FAULT;
    /* Its room is made once: no copy stays behind when it grows. */
    buffer_reserve(&x->password, PASSWORD_MAX + 1);
    buffer_append(&x->password, slice_part(password, 0, PASSWORD_MAX + 1));
    if (x->password.overflow)
        return SASL_FAULT;
    x->work = (struct work){ .home = loop_home(x->peer.loop), .run = run_check, .done = check_done };
    if (!sasl_start_working(x))
        return SASL_FAULT;
    if (workers_submit(x->sasl->workers, &x->work))
        return SASL_WAITING;
    sasl_stop_working(x);
    return SASL_FAULT;
}
