/* codes.c: subject, text and HTML together; the best of what was found in each. */
#include "content/codes_private.h"

#include "base/buffer.h"

#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT_CHARACTERS = 40 };
static const double enough = 4.0;

static void append_character(struct buffer *out, uint32_t c)
{
    char bytes[6];
    buffer_append(out, slice_make(bytes, (size_t)g_unichar_to_utf8(c, bytes)));
}

static struct slice text_between(struct codes_work *work, const struct line *l, uint32_t start,
                                 uint32_t end)
{
    char bytes[6 * 2 * CONTEXT_CHARACTERS + 6 * 40];
    struct buffer b = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct slice kept = { .len = 0 };
    size_t len;
    for (uint32_t i = start; i < end && buffer_len(&b) + 6 < CODE_CONTEXT_MAX; i++)
        append_character(&b, l->text[i]);
    len = buffer_len(&b);
    if (!arena_copy(work->arena, slice_make(bytes, len), &kept))
        work->is_full = true;
    return kept;
}

static void describe(struct codes_work *work, const struct token *t, struct code *out)
{
    const struct line *l = work->lines[t->line];
    uint32_t from = t->start > CONTEXT_CHARACTERS ? t->start - CONTEXT_CHARACTERS : 0;
    uint32_t to = t->end + CONTEXT_CHARACTERS < l->len ? t->end + CONTEXT_CHARACTERS : l->len;
    *out = (struct code){ .confidence = 1 / (1 + exp(-(t->score - enough) / 1.2)),
                          .source = l->source };
    if (!arena_copy(work->arena, slice_from_string(t->code), &out->code))
        work->is_full = true;
    out->shown = text_between(work, l, t->start, t->end);
    out->context = text_between(work, l, from, to);
}

/* The better first; of equals the one that comes first. */
static int compare(const void *a, const void *b)
{
    const struct token *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->line != y->line ? (x->line < y->line ? -1 : 1)
                              : (x->start < y->start ? -1 : x->start > y->start);
}

/* One that is said twice is a little surer. */
static void fold_equals(struct codes_work *work)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < work->tokens_count; i++) {
        uint32_t same = 0;
        while (same < kept && strcmp(work->tokens[same].code, work->tokens[i].code) != 0)
            same++;
        if (same == kept)
            work->tokens[kept++] = work->tokens[i];
        else if (work->tokens[i].score > 1 && work->tokens[same].score < enough + 2)
            work->tokens[same].score += 0.4;
    }
    work->tokens_count = kept;
}

static bool collect(const struct content_message *m, struct codes_work *work)
{
    work->lines = arena_alloc_many(work->arena, LINES_MAX, sizeof *work->lines);
    if (work->lines == NULL)
        return false;
    lines_add_text(work, m->subject, CODE_IN_SUBJECT);
    if (!m->is_text_made)
        lines_add_text(work, m->text, CODE_IN_TEXT);
    if (m->html.len > 0)
        lines_add_html(work, m->html);
    tokens_find(work);
    tokens_score(work);
    qsort(work->tokens, work->tokens_count, sizeof *work->tokens, compare);
    fold_equals(work);
    qsort(work->tokens, work->tokens_count, sizeof *work->tokens, compare);
    return !work->is_full;
}

bool codes_find(const struct content_message *message, struct arena *arena,
                struct codes *out_codes)
{
    struct codes_work *work = arena_alloc(arena, sizeof *work);
    struct codes found = { .count = 0 };
    if (work == NULL)
        return false;
    work->arena = arena;
    if (!collect(message, work))
        return false;
    for (uint32_t i = 0; i < work->tokens_count && found.count < CODES_MAX; i++)
        if (work->tokens[i].score > 0)
            describe(work, &work->tokens[i], &found.items[found.count++]);
    found.found = work->tokens_count > 0 && work->tokens[0].score >= enough;
    *out_codes = found;
    return !work->is_full;
}

const char *code_source_text(enum code_source source)
{
    static const char *const texts[] = { "subject", "text", "html" };
    return texts[source];
}
