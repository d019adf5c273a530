/* engine_reload.c: another configuration, without dropping a connection.
 *
 * A new snapshot is checked as a whole and handed to each thread; what began under the
 * old one ends under it. What belongs to the start (same_start.c) cannot change. The
 * main thread is in charge; an operator who asked is answered when all threads have it.
 */
#include "daemon/engine_private.h"

#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct delivery_times engine_times(const struct config *config)
{
    const struct config_timeouts *t = &config->timeouts;
    return (struct delivery_times){
        .connect_ms = (uint32_t)t->connect, .idle_ms = (uint32_t)t->idle,
        .total_ms = (uint32_t)t->attempt_total,
        .waits_ms = { [SMTP_CLIENT_WAIT_GREETING] = (uint32_t)t->greeting,
                      [SMTP_CLIENT_WAIT_MAIL] = (uint32_t)t->mail,
                      [SMTP_CLIENT_WAIT_RCPT] = (uint32_t)t->rcpt,
                      [SMTP_CLIENT_WAIT_DATA_START] = (uint32_t)t->data_start,
                      [SMTP_CLIENT_WAIT_DATA_SEND] = (uint32_t)t->data_send,
                      [SMTP_CLIENT_WAIT_DATA_END] = (uint32_t)t->data_end },
    };
}

struct delivery_heed engine_heed(const struct config *config)
{
    return (struct delivery_heed){
        .shown = config->site.refuse_downgrade, .dane = config->site.dane,
        .mtasts = config->site.mta_sts,
    };
}

/* ---- what the operator is told, on the queue's thread ---- */

static void on_answer(struct task *task)
{
    struct engine *e = container_of(task, struct engine, asked.task);
    struct control_call *call = e->asked.call;
    e->asked.call = NULL;
    control_done(call, e->asked.error[0] == '\0' ? NULL : e->asked.error, NULL);
}

static void on_asked(struct task *task)
{
    struct engine *e = container_of(task, struct engine, asked.task);
    e->is_asked = true;
    engine_reload(e);
}

void engine_reload_for(struct engine *e, struct control_call *call)
{
    if (e->asked.call != NULL) {
        control_done(call, "a reload is under way", NULL);
        return;
    }
    e->asked.call = call;
    e->asked.task.run = on_asked;
    home_post(&e->main.home, &e->asked.task);
}

/* ---- the main thread ---- */

/* `error` is empty when the new configuration is in force. */
static void reload_over(struct engine *e, const char *error)
{
    if (error[0] != '\0') {
        log_note(LOG_ERROR, "reload-failed", error);
    } else {
        log_note(LOG_INFO, "reloaded", "the new configuration is in force");
    }
    if (!e->is_asked)
        return;
    e->is_asked = false;
    snprintf(e->asked.error, sizeof e->asked.error, "%s", error);
    e->asked.task.run = on_answer;
    home_post(loop_home(e->queue_loop.loop), &e->asked.task);
}

static void on_configured(struct task *task)
{
    struct engine_loop *l = container_of(task, struct engine_loop, configured);
    struct engine *e = l->engine;
    if (--e->configuring > 0)
        return;
    config_drop(&e->config);
    e->config = e->next;
    e->next = NULL;
    engine_tls_free(&e->tls);
    e->tls = e->next_tls;
    e->next_tls = (struct engine_tls){ .server = NULL };
    seal_keys_drop(&e->keys);
    e->keys = e->next_keys;
    e->next_keys = NULL;
    if (send(e->supervisor, SECRETS_RELOADED, 1, MSG_NOSIGNAL) < 0)
        log_note(LOG_WARNING, "reloaded", "the supervisor was not told");
    if (e->again)
        engine_reload(e);
    else
        reload_over(e, "");
}

static void on_configure(struct task *task)
{
    struct engine_loop *l = container_of(task, struct engine_loop, configure);
    struct engine *e = l->engine;
    seal_configure(l->seal, e->next_keys);
    if (l == &e->queue_loop) {
        queue_configure(e->queue, e->next);
        pickup_configure(e->pickup, e->next);
        engine_reader_configure(e->reader, e->next);
        engine_suppression_configure(e, e->next);
        if (e->reports != NULL)
            reports_configure(e->reports, e->next);
        if (e->history != NULL)
            history_configure(e->history, e->next);
        engine_tls_show(e, e->next, &e->next_tls);
    } else {
        session_host_configure(l->host, e->next, e->next_tls.server);
    }
    l->configured.run = on_configured;
    home_post(&e->main.home, &l->configured);
}

static void hand_to(struct engine_loop *l)
{
    l->configure.run = on_configure;
    home_post(loop_home(l->loop), &l->configure);
}

static void hand_round(struct engine *e, const struct config *next)
{
    e->next = next;
    e->configuring = e->loops_count + 1;
    for (uint32_t i = 0; i < e->loops_count; i++)
        hand_to(&e->loops[i]);
    hand_to(&e->queue_loop);
}

/* A new context, new routes and new keys, from the files as they are now. The supervisor is asked
 * also when there are none: it keeps what it has read for the next engine. */
static bool read_secrets(struct engine *e, const struct config *next,
                         struct delivery_routes **out_routes, char *error, size_t size)
{
    struct secrets secrets;
    if (!secrets_ask(e->supervisor, &secrets, error, size))
        return false;
    bool good = secrets_fit(&secrets, next);
    if (!good)
        snprintf(error, size, "the configuration changed while it was read: try again");
    if (good)
        good = engine_take_token_secret(next, &secrets, e->sasl,
                                        &(struct engine_why){ error, size });
    if (good) {
        *out_routes = engine_routes(next, &secrets, error, size);
        good = *out_routes != NULL;
    }
    if (good) {
        e->next_keys = engine_seal_keys(next, &secrets, error, size);
        good = e->next_keys != NULL &&
               engine_tls_make(next, &secrets, e->tickets, &e->next_tls, error, size);
    }
    secrets_close(&secrets);
    if (!good) {
        delivery_routes_drop(out_routes);
        seal_keys_drop(&e->next_keys);
    }
    return good;
}

/* What the engine was held to at its start cannot be widened. */
static bool is_reachable(struct engine *e, const struct config *next, char *error,
                         size_t size)
{
    struct sandbox_places wanted;
    if (e->places == NULL)
        return true;
    if (sandbox_places_make(next, e->options->config_file, &wanted) != ERR_OK) {
        snprintf(error, size, "there is no memory for it");
        return false;
    }
    const struct sandbox_place *beyond = sandbox_places_beyond(e->places, &wanted);
    if (beyond != NULL)
        snprintf(error, size, "%s lies outside of what the running engine may %s: that takes "
                 "a restart; until then the old configuration holds", beyond->path,
                 beyond->access == SANDBOX_WRITE ? "write" : "read");
    bool good = beyond == NULL;
    sandbox_places_free(&wanted);
    return good;
}

/* Takes the snapshot where it returns true. */
static bool use(struct engine *e, const struct config *next, char *error, size_t size)
{
    struct delivery_change change = {
        .times = engine_times(next),
        .heed = engine_heed(next),
    };
    if (!daemon_same_start(e->config, next, error, size) ||
        !is_reachable(e, next, error, size) ||
        !read_secrets(e, next, &change.routes, error, size))
        return false;
    if (!delivery_configure(e->delivery, &change)) {
        snprintf(error, size, "there is no memory for it");
        delivery_routes_drop(&change.routes);
        engine_tls_free(&e->next_tls);
        seal_keys_drop(&e->next_keys);
        return false;
    }
    delivery_routes_drop(&e->routes);
    e->routes = change.routes;
    log_level_set((enum log_level)next->log_level);
    hand_round(e, next);
    return true;
}

void engine_reload(struct engine *e)
{
    struct config_error error;
    const struct config *next;
    if (e->next != NULL) {
        e->again = true; /* the file may have changed since */
        return;
    }
    e->again = false;
    engine_log_reopen(e);
    if (e->draining > 0) {
        reload_over(e, "godwit is about to end");
        return;
    }
    if (config_load(e->options->config_file, &e->options->flags, &next, &error) != ERR_OK) {
        reload_over(e, error.text);
        return;
    }
    if (!use(e, next, error.text, sizeof error.text)) {
        config_drop(&next);
        reload_over(e, error.text);
    }
}
