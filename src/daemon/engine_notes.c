/* engine_notes.c: what others have shown or promised of their TLS, kept among the spool's
 * notes.
 *
 * "tls shown mx.example.com:25" and "mta-sts example.com" are what the delivery and the
 * policies of MTA-STS want to find again. A note that there is no room for is remembered
 * until the end of this engine.
 */
#include "daemon/engine_private.h"

#include "log/log.h"

enum { OLD_MAX = 1024 * 1024 };

#define SHOWN SLICE("tls shown ")
#define POLICY SLICE("mta-sts ")

/* Never an older note in the place of one that is too large. */
static void note(struct engine *e, struct slice kind, struct slice name, struct slice text)
{
    struct buffer key;
    buffer_init(&key, SPOOL_NOTE_KEY_MAX);
    buffer_append(&key, kind);
    buffer_append(&key, name);
    if (!key.overflow && spool_note_set(e->spool, buffer_slice(&key), text) == ERR_INVALID)
        (void)spool_note_set(e->spool, buffer_slice(&key), slice_make(NULL, 0));
    buffer_free(&key);
}

static void on_shown(struct delivery_keeper *keeper, struct slice host, struct slice text)
{
    note(container_of(keeper, struct engine, shown_keeper), SHOWN, host, text);
}

static void on_policy(struct mtasts_keeper *keeper, struct slice domain, struct slice text)
{
    note(container_of(keeper, struct engine, policy_keeper), POLICY, domain, text);
}

/* RFC 8461 3.3: the operator is told. */
static void on_failed(struct mtasts_keeper *keeper, struct slice domain, struct slice why,
                      struct slice result)
{
    struct log_line line;
    (void)keeper;
    log_begin(&line, LOG_WARNING, "mta-sts");
    log_text(&line, "domain", domain);
    log_text(&line, "text", why);
    log_text(&line, "result", result);
    log_end(&line);
}

void engine_notes_open(struct engine *e)
{
    e->shown_keeper.keep = on_shown;
    e->policy_keeper = (struct mtasts_keeper){ .keep = on_policy, .failed = on_failed };
}

struct recall {
    struct engine *engine;
    struct moment now;
    struct buffer old; /* keys that count no more, each with its length before it */
};

/* Whether it is a note that counts, or one of somebody else's. */
static bool recall_one(struct recall *r, struct slice key, struct slice value)
{
    if (slice_starts_with_nocase(key, SHOWN))
        return delivery_recall(r->engine->delivery, slice_from(key, SHOWN.len), value,
                               r->now.wall_ms);
    if (slice_starts_with_nocase(key, POLICY))
        return mtasts_recall(r->engine->mtasts, slice_from(key, POLICY.len), value, r->now);
    return true;
}

static void on_note(void *context, struct slice key, struct slice value)
{
    struct recall *r = context;
    if (recall_one(r, key, value))
        return;
    if (OLD_MAX - buffer_len(&r->old) > key.len + 1) { /* else another start will do it */
        buffer_append_byte(&r->old, (char)(uint8_t)key.len);
        buffer_append(&r->old, key);
    }
}

/* Those that count no more are taken away afterwards: not under the spool's lock. */
void engine_notes_recall(struct engine *e)
{
    struct recall r = { .engine = e, .now = moment_now() };
    buffer_init(&r.old, OLD_MAX);
    spool_notes_each(e->spool, on_note, &r);
    struct slice rest = buffer_slice(&r.old);
    while (rest.len > 0) {
        size_t len = (uint8_t)rest.data[0];
        (void)spool_note_set(e->spool, slice_part(rest, 1, len), slice_make(NULL, 0));
        rest = slice_from(rest, len + 1);
    }
    buffer_free(&r.old);
}
