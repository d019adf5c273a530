/* body.c: one canonical stream a form, and the hashes that drink from it. */
#include "auth/signature/body.h"

#include "base/must.h"

void signature_body_free(struct signature_body *body)
{
    for (size_t i = 0; i < body->count; i++)
        digest_free(&body->hashes[i].digest);
    body->count = 0;
}

enum err signature_body_want(struct signature_body *body, enum canonical_kind form,
                             uint64_t limit, size_t *out_index)
{
    for (size_t i = 0; i < body->count; i++) {
        if (body->hashes[i].form == form && body->hashes[i].limit == limit) {
            *out_index = i;
            return ERR_OK;
        }
    }
    must(body->count < SIGNATURE_BODY_HASHES_MAX);
    struct signature_body_hash *hash = &body->hashes[body->count];
    *hash = (struct signature_body_hash){ .form = form, .limit = limit };
    enum err error = digest_new(&hash->digest);
    if (error != ERR_OK)
        return error;
    canonical_body_init(&body->forms[form], form);
    *out_index = body->count++;
    return ERR_OK;
}

static void take(struct signature_body *body, enum canonical_kind form, struct slice octets)
{
    for (size_t i = 0; i < body->count; i++) {
        struct signature_body_hash *hash = &body->hashes[i];
        if (hash->form != form || hash->limit <= body->totals[form])
            continue;
        uint64_t room = hash->limit - body->totals[form];
        digest_update(hash->digest,
                      slice_part(octets, 0, room < octets.len ? (size_t)room : octets.len));
    }
    body->totals[form] += octets.len;
}

static void take_gathered(struct signature_body *body, enum canonical_kind form)
{
    struct signature_gathered *g = &body->gathered[form];
    take(body, form, slice_make(g->octets, g->len));
    g->len = 0;
}

static void gather(struct signature_body *body, enum canonical_kind form,
                   struct slice octets)
{
    struct signature_gathered *g = &body->gathered[form];
    if (octets.len > sizeof g->octets - g->len)
        take_gathered(body, form);
    if (octets.len > sizeof g->octets) {
        take(body, form, octets);
        return;
    }
    memcpy(g->octets + g->len, octets.data, octets.len);
    g->len += octets.len;
}

static void take_simple(void *context, struct slice octets)
{
    gather(context, CANONICAL_SIMPLE, octets);
}

static void take_relaxed(void *context, struct slice octets)
{
    gather(context, CANONICAL_RELAXED, octets);
}

static bool is_wanted(const struct signature_body *body, enum canonical_kind form)
{
    for (size_t i = 0; i < body->count; i++)
        if (body->hashes[i].form == form)
            return true;
    return false;
}

static const struct {
    enum canonical_kind form;
    void (*take)(void *context, struct slice octets);
} streams[] = {
    { CANONICAL_SIMPLE, take_simple },
    { CANONICAL_RELAXED, take_relaxed },
};

void signature_body_push(struct signature_body *body, struct slice piece)
{
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct canonical_sink sink = { .take = streams[i].take, .context = body };
        if (is_wanted(body, streams[i].form))
            canonical_body_push(&body->forms[streams[i].form], piece, &sink);
    }
}

enum err signature_body_finish(struct signature_body *body)
{
    enum err error = ERR_OK;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct canonical_sink sink = { .take = streams[i].take, .context = body };
        if (is_wanted(body, streams[i].form))
            canonical_body_finish(&body->forms[streams[i].form], &sink);
        take_gathered(body, streams[i].form);
    }
    for (size_t i = 0; i < body->count && error == ERR_OK; i++)
        error = digest_finish(body->hashes[i].digest, body->hashes[i].hash);
    return error;
}
