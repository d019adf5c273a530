/* message.c: the stages of a message, and their results in one field. */
#include "auth/message/message.h"

#include "base/ascii.h"
#include "base/must.h"

#include <stdlib.h>

struct auth {
    size_t stage;
    struct spf *spf;
    struct dmarc *dmarc;
    struct dmarc_from from;
};

static bool next_of_spf(struct auth *auth, struct lookup_question *out_question)
{
    return auth->spf != NULL && spf_next(auth->spf, out_question);
}

static void answer_spf(struct auth *auth, const struct lookup_answer *answer)
{
    spf_answer(auth->spf, answer);
}

static void append_spf(const struct auth *auth, struct buffer *out)
{
    if (auth->spf != NULL)
        spf_append_result(auth->spf, out);
}

static enum dmarc_evidence evidence_of(enum spf_result result)
{
    return result == SPF_PASS        ? DMARC_CONFIRMED
           : result == SPF_TEMPERROR ? DMARC_UNDECIDED
                                     : DMARC_REFUTED;
}

static void begin_dmarc(struct auth *auth)
{
    struct dmarc_request request = { .from = &auth->from };
    if (auth->spf != NULL) {
        struct spf_verdict verdict = spf_verdict(auth->spf);
        request.spf = (struct dmarc_identifier){ verdict.domain,
                                                 evidence_of(verdict.result) };
    }
    dmarc_begin(&request, &auth->dmarc);
}

static bool next_of_dmarc(struct auth *auth, struct lookup_question *out_question)
{
    return auth->dmarc != NULL && dmarc_next(auth->dmarc, out_question);
}

static void answer_dmarc(struct auth *auth, const struct lookup_answer *answer)
{
    dmarc_answer(auth->dmarc, answer);
}

static void append_dmarc(const struct auth *auth, struct buffer *out)
{
    if (auth->dmarc != NULL)
        dmarc_append_result(auth->dmarc, out);
}

/* In their order; DMARC needs the results of all before it. Appending nothing is having
 * no result. */
static const struct {
    void (*begin)(struct auth *auth); /* NULL: it was begun with the message */
    bool (*next)(struct auth *auth, struct lookup_question *out_question);
    void (*answer)(struct auth *auth, const struct lookup_answer *answer);
    void (*append)(const struct auth *auth, struct buffer *out);
} stages[] = {
    { NULL, next_of_spf, answer_spf, append_spf },
    { begin_dmarc, next_of_dmarc, answer_dmarc, append_dmarc },
};

enum { STAGES = sizeof stages / sizeof stages[0] };

enum err auth_begin(const struct auth_request *request, struct auth **out)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL)
        return ERR_MEMORY;
    if (request->spf != NULL && spf_begin(request->spf, &auth->spf) != ERR_OK) {
        auth_free(&auth);
        return ERR_MEMORY;
    }
    dmarc_from_read_header(request->header, &auth->from);
    *out = auth;
    return ERR_OK;
}

void auth_free(struct auth **auth)
{
    struct auth *a = *auth;
    *auth = NULL;
    if (a == NULL)
        return;
    spf_free(&a->spf);
    dmarc_free(&a->dmarc);
    free(a);
}

bool auth_next(struct auth *auth, struct lookup_question *out_question)
{
    while (auth->stage < STAGES) {
        if (stages[auth->stage].next(auth, out_question))
            return true;
        if (++auth->stage < STAGES && stages[auth->stage].begin != NULL)
            stages[auth->stage].begin(auth);
    }
    return false;
}

void auth_answer(struct auth *auth, const struct lookup_answer *answer)
{
    must(auth->stage < STAGES);
    stages[auth->stage].answer(auth, answer);
}

const struct spf *auth_spf(const struct auth *auth)
{
    must(auth->stage == STAGES);
    return auth->spf;
}

const struct dmarc *auth_dmarc(const struct auth *auth)
{
    must(auth->stage == STAGES);
    return auth->dmarc;
}

/* authserv-id = value: a token, or in quotes (RFC 2045 5.1) */
static void append_value(struct buffer *out, struct slice value)
{
    bool is_token = value.len > 0;
    for (size_t i = 0; i < value.len; i++)
        is_token = is_token && (ascii_is_alnum(value.data[i]) || value.data[i] == '.' ||
                                value.data[i] == '-' || value.data[i] == '_');
    if (is_token) {
        buffer_append(out, value);
        return;
    }
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '"' || c == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, ascii_is_control(c) ? '?' : c);
    }
    buffer_append_byte(out, '"');
}

void auth_append_results_field(const struct auth *auth, struct slice authserv_id,
                               struct buffer *out)
{
    static const struct slice fold = SLICE_INIT(";\r\n ");
    must(auth->stage == STAGES);
    buffer_append_string(out, "Authentication-Results: ");
    append_value(out, authserv_id);
    size_t results = 0;
    for (size_t i = 0; i < STAGES; i++) {
        size_t before = buffer_len(out);
        buffer_append(out, fold);
        size_t start = buffer_len(out);
        stages[i].append(auth, out);
        if (buffer_len(out) == start)
            buffer_truncate(out, before);
        else
            results++;
    }
    buffer_append_string(out, results == 0 ? "; none\r\n" : "\r\n");
}
