/* parse_arf.c: the fields of a feedback report. Numbers are numbers, the arrival is in
 * seconds since 1970, and words of closed lists are spelled as one word. */
#include "cli/parse_private.h"

#include "wire/message/date.h"
#include "wire/report/feedback.h"
#include "wire/report/parts.h"

struct word {
    struct slice value; /* as RFC 5965, RFC 6591 and RFC 9991 spell it */
    const char *shown;
};

static const struct word types[] = {
    { SLICE_INIT("abuse"), "Abuse" }, { SLICE_INIT("auth-failure"), "AuthFailure" },
    { SLICE_INIT("fraud"), "Fraud" }, { SLICE_INIT("not-spam"), "NotSpam" },
    { SLICE_INIT("virus"), "Virus" }, { SLICE_INIT("opt-out"), "OptOut" },
};

static const struct word failures[] = {
    { SLICE_INIT("adsp"), "Adsp" }, { SLICE_INIT("bodyhash"), "BodyHash" },
    { SLICE_INIT("revoked"), "Revoked" }, { SLICE_INIT("signature"), "Signature" },
    { SLICE_INIT("spf"), "Spf" }, { SLICE_INIT("dmarc"), "Dmarc" },
};

static const struct word results[] = {
    { SLICE_INIT("delivered"), "Delivered" }, { SLICE_INIT("spam"), "Spam" },
    { SLICE_INIT("policy"), "Policy" }, { SLICE_INIT("reject"), "Reject" },
    { SLICE_INIT("other"), "Other" },
};

static const struct word alignments[] = {
    { SLICE_INIT("none"), "None" }, { SLICE_INIT("spf"), "Spf" },
    { SLICE_INIT("dkim"), "Dkim" }, { SLICE_INIT("dkim, spf"), "DkimSpf" },
    { SLICE_INIT("spf, dkim"), "DkimSpf" }, { SLICE_INIT("dkim,spf"), "DkimSpf" },
    { SLICE_INIT("spf,dkim"), "DkimSpf" },
};

static json_t *word_of(struct slice value, const struct word *words, size_t count,
                       const char *otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(value, words[i].value))
            return json_string(words[i].shown);
    return json_string(otherwise);
}

#define WORD_OF(value, words, otherwise) \
    word_of(value, words, sizeof(words) / sizeof *(words), otherwise)

static json_t *number_of(struct slice value, json_int_t otherwise)
{
    uint64_t number;
    return json_integer(slice_to_number(value, INT32_MAX, &number) ? (json_int_t)number
                                                                   : otherwise);
}

static json_t *moment_of(struct slice value)
{
    struct date date;
    return date_parse(value, &date) ? json_integer(date.wall_ms / 1000) : json_null();
}

/* "dns; mx.example.com" without its type. */
static struct slice without_type(struct slice value)
{
    size_t semicolon = slice_find(value, ';');
    return semicolon == SLICE_NOT_FOUND ? value : slice_trim(slice_from(value, semicolon + 1));
}

/* A comment may follow the address. */
static struct slice first_word(struct slice value)
{
    return slice_part(value, 0, slice_find(value, ' '));
}

static json_t *list_of(const struct feedback_list *list)
{
    json_t *all = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(all, batch_text(list->items[i]));
    return all;
}

/* What the report holds of the message, with LF as its line ends. */
static json_t *header_text(const struct report_parts *parts)
{
    const struct report_part *part = report_parts_find(parts, REPORT_PART_HEADERS);
    struct buffer text;
    if (part == NULL)
        return json_null();
    buffer_init(&text, part->content.len + 1);
    struct slice rest = part->content, line;
    while (slice_split(&rest, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        buffer_append(&text, line);
        buffer_append_byte(&text, '\n');
    }
    json_t *value = batch_text(buffer_slice(&text));
    buffer_free(&text);
    return value;
}

static json_t *of_dkim_and_spf(const struct feedback *f)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "dkim_adsp_dns", batch_text_or_null(f->dkim_adsp_dns),
        "dkim_canonicalized_body", batch_text_or_null(f->dkim_canonicalized_body),
        "dkim_canonicalized_header", batch_text_or_null(f->dkim_canonicalized_header),
        "dkim_domain", batch_text_or_null(f->dkim_domain),
        "dkim_identity", batch_text_or_null(f->dkim_identity),
        "dkim_selector", batch_text_or_null(f->dkim_selector),
        "dkim_selector_dns", batch_text_or_null(f->dkim_selector_dns),
        "spf_dns", batch_text_or_null(f->spf_dns));
}

static json_t *of_message(const struct feedback *f)
{
    const struct feedback_list *to = &f->original_rcpt_to;
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "feedback_type", WORD_OF(f->feedback_type, types, "Other"),
        "user_agent", batch_text_or_null(f->user_agent),
        "version", number_of(f->version, 1),
        "original_envelope_id", batch_text_or_null(f->original_envelope_id),
        "original_mail_from", batch_text_or_null(f->original_mail_from),
        "original_rcpt_to", to->count == 0 ? json_null() : batch_text(to->items[0]),
        "arrival_date", moment_of(f->arrival_date),
        "incidents", number_of(f->incidents, 1),
        "reporting_mta", batch_text_or_null(without_type(f->reporting_mta)),
        "source_port", number_of(f->source_port, 0));
}

static json_t *show(const struct feedback *f, const struct report_parts *parts,
                    struct arena *arena)
{
    json_t *answer = of_message(f);
    json_t *more = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "source_ip", batch_text_or_null(first_word(f->source_ip)),
        "authentication_results", list_of(&f->authentication_results),
        "reported_domain", list_of(&f->reported_domain),
        "reported_uri", list_of(&f->reported_uri),
        "auth_failure", WORD_OF(f->auth_failure, failures, "Unspecified"),
        "delivery_result", WORD_OF(f->delivery_result, results, "Unspecified"),
        "identity_alignment", WORD_OF(f->identity_alignment, alignments, "Unspecified"),
        "headers", header_text(parts),
        "original", parse_original(parts, arena));
    json_t *checks = of_dkim_and_spf(f);
    if (f->original_rcpt_to.count > 1)
        json_object_set_new(more, "original_rcpt_to_all", list_of(&f->original_rcpt_to));
    if (json_object_update(answer, more) != 0 || json_object_update(answer, checks) != 0) {
        json_decref(answer);
        answer = NULL;
    }
    json_decref(more);
    json_decref(checks);
    return answer;
}

json_t *parse_arf(struct slice message)
{
    struct arena arena;
    struct report_parts parts;
    json_t *answer = NULL;
    arena_init(&arena, REPORT_ARENA_BYTES);
    struct feedback *feedback = arena_alloc(&arena, sizeof *feedback);
    if (feedback != NULL && report_parts_read(message, &arena, &parts)) {
        const struct report_part *part = report_parts_find(&parts, REPORT_PART_FEEDBACK);
        if (part == NULL) {
            answer = json_pack("{s:s}", "error", "the message has no part with feedback");
        } else {
            feedback_parse(part->content, &arena, feedback);
            answer = show(feedback, &parts, &arena);
        }
    }
    arena_free(&arena);
    return answer;
}
