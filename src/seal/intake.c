/* intake.c: the writer around a writer: what goes through it is hashed on the way.
 *
 * The header is kept until it has ended, for it names who signs; of the body nothing is.
 * A message that cannot be signed goes on without a signature; for want of memory it is
 * refused, since the sender can come again.
 */
#include "seal/seal_private.h"

#include "auth/dmarc/from.h"
#include "base/list.h"
#include "base/moment.h"
#include "wire/message/header.h"

#include <stdlib.h>

enum { PREFIX_MAX = 64 * 1024 };

struct seal {
    struct intake intake;
    struct intake *inner;
    struct seal_keys *keys;
};

struct seal_writer {
    struct intake_writer base;
    struct intake_writer *inner;
    struct home *home;
    struct seal_keys *keys;
    struct header_scan scan;
    struct buffer header;        /* until it has ended */
    bool is_body;                /* it has ended, or nobody asks for it any more */
    struct dkim_signer *signer;  /* NULL: nobody signs */
    enum err trouble;
    /* of a commit that came to nothing */
    struct task task;
    void (*done)(void *context, enum err result, struct mail_id id);
    void *done_context;
};

static struct seal_writer *writer_of(struct intake_writer *base)
{
    return container_of(base, struct seal_writer, base);
}

static void free_writer(struct seal_writer *w)
{
    dkim_signer_free(&w->signer);
    buffer_free(&w->header);
    seal_keys_drop(&w->keys);
    free(w);
}

/* Nothing of it is signed, whatever still comes. */
static void give_up(struct seal_writer *w)
{
    dkim_signer_free(&w->signer);
    buffer_free(&w->header);
    w->is_body = true;
}

/* ERR_INVALID and ERR_FULL are of the message: it has a header that nobody signs. */
static void begin_signing(struct seal_writer *w, const struct sealer *who,
                          struct slice header)
{
    enum dkim_signing_fault fault;
    enum err error = dkim_signer_new(who->signings, who->count, header, &w->signer, &fault);
    if (error == ERR_MEMORY)
        w->trouble = error;
}

static void header_ended(struct seal_writer *w)
{
    struct dmarc_from from;
    struct slice header = buffer_slice(&w->header);
    const struct sealer *who = NULL;
    w->is_body = true;
    if (w->scan.ended)
        header.len -= 2; /* the empty line */
    if (w->header.overflow && !w->scan.too_large)
        w->trouble = ERR_MEMORY;
    if (!w->header.overflow && !w->scan.too_large && !w->scan.too_many_fields) {
        dmarc_from_read_header(header, &from);
        if (from.result == DMARC_FROM_OK)
            who = seal_keys_find(w->keys, dmarc_from_domain(&from));
    }
    if (who != NULL)
        begin_signing(w, who, header);
    buffer_free(&w->header);
}

static void take(struct seal_writer *w, struct slice bytes)
{
    if (!w->is_body && header_scan_feed(&w->scan, &bytes))
        header_ended(w);
    if (w->signer != NULL)
        dkim_signer_body(w->signer, bytes);
}

static enum intake_flow seal_write(struct intake_writer *base, struct slice bytes)
{
    struct seal_writer *w = writer_of(base);
    enum intake_flow flow = intake_write(w->inner, bytes);
    if (flow == INTAKE_FAILED)
        give_up(w);
    else
        take(w, bytes);
    return flow;
}

static void seal_rewind(struct intake_writer *base)
{
    struct seal_writer *w = writer_of(base);
    intake_rewind(w->inner);
    dkim_signer_free(&w->signer);
    buffer_free(&w->header);
    buffer_init(&w->header, HEADER_BYTES_MAX);
    header_scan_init(&w->scan, &w->header);
    w->is_body = false;
    w->trouble = ERR_OK;
}

static void seal_abort(struct intake_writer **base)
{
    struct seal_writer *w = writer_of(*base);
    *base = NULL;
    intake_abort(&w->inner);
    free_writer(w);
}

static void run_failed(struct task *task)
{
    struct seal_writer *w = container_of(task, struct seal_writer, task);
    w->done(w->done_context, w->trouble, w->base.id);
    free_writer(w);
}

static void fail(struct seal_writer *w, const struct intake_commit *commit)
{
    intake_abort(&w->inner);
    w->done = commit->done;
    w->done_context = commit->context;
    w->task.run = run_failed;
    home_post(w->home, &w->task);
}

/* With the signatures before the prefix; where they find no room, without. */
static void commit_signed(struct seal_writer *w, const struct intake_commit *commit,
                          struct buffer *signatures)
{
    struct intake_commit ours = *commit;
    buffer_append(signatures, commit->prefix);
    if (!signatures->overflow)
        ours.prefix = buffer_slice(signatures);
    intake_commit(&w->inner, &ours);
    free_writer(w);
}

static void seal_commit(struct intake_writer **base, const struct intake_commit *commit)
{
    struct seal_writer *w = writer_of(*base);
    struct buffer signatures;
    *base = NULL;
    buffer_init(&signatures, PREFIX_MAX);
    if (!w->is_body) {
        header_scan_finish(&w->scan);
        header_ended(w);
    }
    if (w->signer != NULL) {
        dkim_signer_at(w->signer, commit->received_wall_ms / SECOND_MS);
        w->trouble = dkim_signer_finish(w->signer, &signatures);
    }
    if (w->trouble == ERR_OK)
        commit_signed(w, commit, &signatures);
    else
        fail(w, commit);
    buffer_free(&signatures);
}

static enum err seal_begin(struct intake *intake, const struct intake_begin *begin,
                           struct intake_writer **out_writer)
{
    static const struct intake_writer_ops ops = {
        .write = seal_write, .rewind = seal_rewind,
        .commit = seal_commit, .abort = seal_abort,
    };
    struct seal *s = container_of(intake, struct seal, intake);
    if (!begin->is_ours || seal_keys_are_none(s->keys))
        return intake_begin(s->inner, begin, out_writer);
    struct seal_writer *w = calloc(1, sizeof *w);
    enum err error = w == NULL ? ERR_MEMORY : intake_begin(s->inner, begin, &w->inner);
    if (error != ERR_OK) {
        free(w);
        return error;
    }
    w->base = (struct intake_writer){ .ops = &ops, .id = w->inner->id };
    w->home = begin->home;
    w->keys = seal_keys_hold(s->keys);
    buffer_init(&w->header, HEADER_BYTES_MAX);
    header_scan_init(&w->scan, &w->header);
    *out_writer = &w->base;
    return ERR_OK;
}

enum err seal_open(struct intake *inner, struct seal_keys *keys, struct seal **out)
{
    static const struct intake_ops ops = { .begin = seal_begin };
    struct seal *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    *s = (struct seal){ .intake.ops = &ops, .inner = inner, .keys = seal_keys_hold(keys) };
    *out = s;
    return ERR_OK;
}

void seal_close(struct seal **seal)
{
    if (*seal == NULL)
        return;
    seal_keys_drop(&(*seal)->keys);
    free(*seal);
    *seal = NULL;
}

struct intake *seal_intake(struct seal *seal)
{
    return &seal->intake;
}

void seal_configure(struct seal *seal, struct seal_keys *keys)
{
    struct seal_keys *before = seal->keys;
    seal->keys = seal_keys_hold(keys);
    seal_keys_drop(&before);
}
