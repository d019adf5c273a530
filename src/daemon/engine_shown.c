/* engine_shown.c: the levels of TLS that hosts have shown, kept among the spool's notes.
 *
 * "tls shown mx.example.com:25" is what the delivery wants to find again. A note that
 * there is no room for is remembered until the end of this engine.
 */
#include "daemon/engine_private.h"

enum { OLD_MAX = 1024 * 1024 };

#define SHOWN SLICE("tls shown ")

static void on_keep(struct delivery_keeper *keeper, struct slice host, struct slice text)
{
    struct engine *e = container_of(keeper, struct engine, shown_keeper);
    struct buffer key;
    buffer_init(&key, SPOOL_NOTE_KEY_MAX);
    buffer_append(&key, SHOWN);
    buffer_append(&key, host);
    if (!key.overflow)
        (void)spool_note_set(e->spool, buffer_slice(&key), text);
    buffer_free(&key);
}

void engine_shown_open(struct engine *e)
{
    e->shown_keeper.keep = on_keep;
}

struct recall {
    struct engine *engine;
    int64_t now_wall_ms;
    struct buffer old; /* keys that count no more, each with its length before it */
};

static void on_note(void *context, struct slice key, struct slice value)
{
    struct recall *r = context;
    if (!slice_starts_with_nocase(key, SHOWN) ||
        delivery_recall(r->engine->delivery, slice_from(key, SHOWN.len), value,
                        r->now_wall_ms))
        return;
    if (OLD_MAX - buffer_len(&r->old) > key.len + 1) { /* else another start will do it */
        buffer_append_byte(&r->old, (char)(uint8_t)key.len);
        buffer_append(&r->old, key);
    }
}

/* Those that count no more are taken away afterwards: not under the spool's lock. */
void engine_shown_recall(struct engine *e)
{
    struct recall r = { .engine = e, .now_wall_ms = moment_now().wall_ms };
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
