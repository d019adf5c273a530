/* message.c: the stages of a message, and their results in one field. */
#include "auth/message/message.h"

#include "base/ascii.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

struct auth {
    size_t stage;
    bool asks_iprev;
    bool needs_dkim;
    struct iprev iprev;
    struct spf *spf;
    struct dkim_verifier *dkim;
    struct arc_validator *arc;
    size_t asked;            /* which of its questions a stage has open */
    struct dmarc *dmarc;
    struct dmarc_from from;
};

static bool next_of_iprev(struct auth *auth, struct lookup_question *out_question)
{
    return auth->asks_iprev && iprev_next(&auth->iprev, out_question);
}

static void answer_iprev(struct auth *auth, const struct lookup_answer *answer)
{
    iprev_answer(&auth->iprev, answer);
}

static void append_iprev(const struct auth *auth, struct buffer *out)
{
    if (auth->asks_iprev)
        iprev_append_result(&auth->iprev, out);
}

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

static const struct slice fold = SLICE_INIT(";\r\n ");

/* How many labels two names have in common, from the end. */
static size_t count_common_labels(struct slice a, struct slice b)
{
    size_t count = 0;
    for (size_t i = 1;; i++) {
        char of_a = i > a.len ? '.' : a.data[a.len - i];
        char of_b = i > b.len ? '.' : b.data[b.len - i];
        if (ascii_lower(of_a) != ascii_lower(of_b))
            return count;
        count += of_a == '.';
        if (i > a.len || i > b.len)
            return count;
    }
}

/* Nearest to the author first: whoever asks may run out of patience, and the keys of others,
 * which anybody can name, must not be what it is spent on. */
static bool next_of_dkim(struct auth *auth, struct lookup_question *out_question)
{
    struct slice author = dmarc_from_domain(&auth->from);
    bool any = false;
    size_t most = 0;
    for (size_t i = 0; i < dkim_verifier_count(auth->dkim); i++) {
        struct lookup_question question;
        if (!dkim_verifier_question(auth->dkim, i, &question))
            continue;
        size_t common = count_common_labels(question.name, author);
        if (any && common <= most)
            continue;
        any = true;
        most = common;
        auth->asked = i;
        *out_question = question;
    }
    return any;
}

static void answer_dkim(struct auth *auth, const struct lookup_answer *answer)
{
    dkim_verifier_answer(auth->dkim, auth->asked, answer);
}

/* What an i= may hold and stand in a field without quotes. */
static bool is_plain_identity(struct slice identity)
{
    for (size_t i = 0; i < identity.len; i++)
        if (!ascii_is_alnum(identity.data[i]) && strchr("@.-_+=", identity.data[i]) == NULL)
            return false;
    return identity.len > 0;
}

/* RFC 8601 2.7.1, RFC 6008 */
static void append_signature(const struct dkim_verdict *v, struct buffer *out)
{
    buffer_append_string(out, "dkim=");
    buffer_append_string(out, dkim_result_text(v->result));
    if (v->domain.len > 0) {
        buffer_append_string(out, " header.d=");
        buffer_append_escaped(out, v->domain);
    }
    if (is_plain_identity(v->identity)) {
        buffer_append_string(out, " header.i=");
        buffer_append(out, v->identity);
    }
    if (v->selector.len > 0) {
        buffer_append_string(out, " header.s=");
        buffer_append_escaped(out, v->selector);
    }
    if (v->algorithm != NULL) {
        buffer_append_string(out, " header.a=");
        buffer_append_string(out, v->algorithm);
    }
    if (v->signature_start.len > 0) {
        buffer_append_string(out, " header.b=\"");
        buffer_append(out, v->signature_start); /* letters of base64 */
        buffer_append_byte(out, '"');
    }
}

static void append_dkim(const struct auth *auth, struct buffer *out)
{
    size_t count = dkim_verifier_count(auth->dkim);
    if (count == 0)
        buffer_append_string(out, "dkim=none");
    for (size_t i = 0; i < count; i++) {
        struct dkim_verdict verdict;
        dkim_verifier_verdict(auth->dkim, i, &verdict);
        if (i > 0)
            buffer_append(out, fold);
        append_signature(&verdict, out);
    }
}

static bool next_of_arc(struct auth *auth, struct lookup_question *out_question)
{
    for (size_t i = 0; i < arc_validator_questions(auth->arc); i++)
        if (arc_validator_question(auth->arc, i, out_question)) {
            auth->asked = i;
            return true;
        }
    return false;
}

static void answer_arc(struct auth *auth, const struct lookup_answer *answer)
{
    arc_validator_answer(auth->arc, auth->asked, answer);
}

/* RFC 8617 10.2 */
static void append_arc(const struct auth *auth, struct buffer *out)
{
    struct arc_verdict verdict;
    arc_validator_verdict(auth->arc, &verdict);
    if (verdict.result == ARC_NONE)
        return; /* most mail has none, and it means nothing */
    buffer_append_string(out, "arc=");
    buffer_append_string(out, arc_result_text(verdict.result));
    if (verdict.result == ARC_PASS)
        buffer_append_format(out, " header.oldest-pass=%u", verdict.oldest_pass);
}

static enum dmarc_evidence evidence_of_dkim(enum dkim_result result)
{
    return result == DKIM_PASS        ? DMARC_CONFIRMED
           : result == DKIM_TEMPERROR ? DMARC_UNDECIDED
                                      : DMARC_REFUTED;
}

static enum dmarc_evidence evidence_of(enum spf_result result)
{
    return result == SPF_PASS        ? DMARC_CONFIRMED
           : result == SPF_TEMPERROR ? DMARC_UNDECIDED
                                     : DMARC_REFUTED;
}

static void begin_dmarc(struct auth *auth)
{
    struct dmarc_identifier signatures[DKIM_SIGNATURES_MAX];
    struct dmarc_request request = { .from = &auth->from, .dkim = signatures };
    if (auth->spf != NULL && !auth->needs_dkim) {
        struct spf_verdict verdict = spf_verdict(auth->spf);
        request.spf = (struct dmarc_identifier){ verdict.domain,
                                                 evidence_of(verdict.result) };
    }
    for (size_t i = 0; i < dkim_verifier_count(auth->dkim); i++) {
        struct dkim_verdict verdict;
        dkim_verifier_verdict(auth->dkim, i, &verdict);
        signatures[request.dkim_count++] = (struct dmarc_identifier){
            verdict.domain, evidence_of_dkim(verdict.result) };
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
    { NULL, next_of_iprev, answer_iprev, append_iprev },
    { NULL, next_of_spf, answer_spf, append_spf },
    { NULL, next_of_dkim, answer_dkim, append_dkim },
    { NULL, next_of_arc, answer_arc, append_arc },
    { begin_dmarc, next_of_dmarc, answer_dmarc, append_dmarc },
};

enum { STAGES = sizeof stages / sizeof stages[0] };

enum err auth_begin(const struct auth_request *request, struct auth **out)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL)
        return ERR_MEMORY;
    struct dkim_options options = { .now_s = request->now_s, .keys = request->keys };
    struct arc_options chain = { .now_s = request->now_s, .keys = request->keys };
    if ((request->spf != NULL && spf_begin(request->spf, &auth->spf) != ERR_OK) ||
        dkim_verifier_new(&options, request->header, &auth->dkim) != ERR_OK ||
        arc_validator_new(&chain, request->header, &auth->arc) != ERR_OK) {
        auth_free(&auth);
        return ERR_MEMORY;
    }
    auth->needs_dkim = request->needs_dkim;
    auth->asks_iprev = request->asks_iprev && request->spf != NULL;
    if (auth->asks_iprev)
        iprev_begin(request->spf->client.bytes, request->spf->client.is_v6 ? 16 : 4,
                    &auth->iprev);
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
    dkim_verifier_free(&a->dkim);
    arc_validator_free(&a->arc);
    dmarc_free(&a->dmarc);
    free(a);
}

void auth_body(struct auth *auth, struct slice piece)
{
    dkim_verifier_body(auth->dkim, piece);
    arc_validator_body(auth->arc, piece);
}

enum err auth_body_end(struct auth *auth)
{
    enum err error = dkim_verifier_body_end(auth->dkim);
    enum err of_arc = arc_validator_body_end(auth->arc);
    return error == ERR_OK ? of_arc : error;
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

size_t auth_stage(const struct auth *auth)
{
    return auth->stage;
}

const struct spf *auth_spf(const struct auth *auth)
{
    must(auth->stage == STAGES);
    return auth->spf;
}

const struct iprev *auth_iprev(const struct auth *auth)
{
    must(auth->stage == STAGES);
    return auth->asks_iprev ? &auth->iprev : NULL;
}

const struct dkim_verifier *auth_dkim(const struct auth *auth)
{
    must(auth->stage == STAGES);
    return auth->dkim;
}

const struct arc_validator *auth_arc(const struct auth *auth)
{
    must(auth->stage == STAGES);
    return auth->arc;
}

const struct dmarc *auth_dmarc(const struct auth *auth)
{
    must(auth->stage == STAGES);
    return auth->dmarc;
}

const struct dmarc_from *auth_author(const struct auth *auth)
{
    return &auth->from;
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
