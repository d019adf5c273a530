/* lint.c: the rules, one function each; a rule says what is wrong, or nothing. */
#include "lint/lint.h"

#include "content/leaks.h"
#include "content/links.h"
#include "verify/compliance.h"
#include "wire/message/header.h"

#include <stdio.h>
#include <string.h>

/* Gmail shows so much of a message's HTML, and a link to the rest. */
enum { CLIP_OCTETS = 102 * 1024, MANY_RECIPIENTS = 20, SUBJECT_SHOWN = 200, WORDS_MAX = 400,
       HEADER_MAX = 2 * 1024 * 1024 };

struct lint {
    const struct lint_input *in;
    unsigned faults;             /* of compliance.h */
    struct arena arena;
    char words[WORDS_MAX];       /* of the rule that is looked at */
};

typedef const char *rule_fn(struct lint *l); /* NULL: nothing is wrong */

static const char *fault(const struct lint *l, enum compliance_fault which)
{
    return (l->faults & which) != 0 ? compliance_fault_text(which) : NULL;
}

static const char *check_from(struct lint *l)
{
    return fault(l, COMPLIANCE_FROM);
}

static const char *check_date(struct lint *l)
{
    return fault(l, COMPLIANCE_DATE);
}

static const char *check_message_id(struct lint *l)
{
    return fault(l, COMPLIANCE_MESSAGE_ID);
}

static const char *check_lines(struct lint *l)
{
    return fault(l, COMPLIANCE_LINES);
}

static const char *check_signed(struct lint *l)
{
    return fault(l, COMPLIANCE_DKIM);
}

static const char *check_unsubscribe(struct lint *l)
{
    return fault(l, COMPLIANCE_UNSUBSCRIBE);
}

static const char *result_of(const struct lint *l, const char *standard)
{
    const char *text = json_string_value(
        json_object_get(json_object_get(l->in->verdicts, standard), "result"));
    return text == NULL ? "none" : text;
}

static const char *check_standard(struct lint *l, const char *standard)
{
    const char *result = result_of(l, standard);
    if (l->in->verdicts == NULL || strcmp(result, "pass") == 0)
        return NULL;
    snprintf(l->words, sizeof l->words, "%s says %s", standard, result);
    return l->words;
}

static const char *check_spf(struct lint *l)
{
    return check_standard(l, "spf");
}

static const char *check_dmarc(struct lint *l)
{
    return check_standard(l, "dmarc");
}

/* One that is good is enough; of none, `signed` says it. */
static const char *check_dkim(struct lint *l)
{
    json_t *all = json_object_get(l->in->verdicts, "dkim"), *one;
    const char *result = NULL;
    size_t i;
    json_array_foreach(all, i, one) {
        result = json_string_value(json_object_get(one, "result"));
        if (result != NULL && strcmp(result, "pass") == 0)
            return NULL;
    }
    if (result == NULL)
        return NULL;
    snprintf(l->words, sizeof l->words, "no signature is good: %s", result);
    return l->words;
}

static const char *check_subject(struct lint *l)
{
    return l->in->content->subject.len > 0 ? NULL : "the Subject is empty";
}

static const char *check_alternative(struct lint *l)
{
    const struct content_message *m = l->in->content;
    return m->html.len > 0 && m->is_text_made ? "there is HTML and no plain text beside it" : NULL;
}

static const char *check_clip(struct lint *l)
{
    if (l->in->content->html.len <= CLIP_OCTETS)
        return NULL;
    snprintf(l->words, sizeof l->words, "the HTML has %zu KB: Gmail shows 102",
             l->in->content->html.len / 1024);
    return l->words;
}

static const char *check_leaks(struct lint *l)
{
    struct leaks leaks = { .count = 0 };
    leaks_find(l->in->content, &l->arena, &leaks);
    if (leaks.count == 0)
        return NULL;
    snprintf(l->words, sizeof l->words, "%zu left over, such as %.*s", leaks.count,
             (int)(leaks.items[0].what.len < SUBJECT_SHOWN ? leaks.items[0].what.len
                                                           : SUBJECT_SHOWN),
             leaks.items[0].what.data);
    return l->words;
}

/* Of "https://user@host:port/..." or "www.host/..."; empty: it names none. */
static struct slice host_in(struct slice text)
{
    size_t scheme = slice_find(text, ':');
    bool has_scheme = scheme != SLICE_NOT_FOUND && scheme + 2 < text.len &&
                      text.data[scheme + 1] == '/' && text.data[scheme + 2] == '/';
    if (!has_scheme && !slice_starts_with_nocase(text, SLICE("www.")))
        return slice_make(NULL, 0);
    struct slice host = has_scheme ? slice_from(text, scheme + 3) : text;
    size_t end = 0;
    while (end < host.len && strchr("/?#: \t", host.data[end]) == NULL)
        end++;
    host = slice_part(host, 0, end);
    size_t at = slice_find_last(host, '@');
    return at == SLICE_NOT_FOUND ? host : slice_from(host, at + 1);
}

static struct slice without_www(struct slice host)
{
    return slice_starts_with_nocase(host, SLICE("www.")) ? slice_from(host, 4) : host;
}

static const char *check_links(struct lint *l)
{
    struct links links = { .count = 0 };
    links_find(l->in->content, &l->arena, &links);
    for (size_t i = 0; i < links.count; i++) {
        struct slice shown = without_www(host_in(links.items[i].text));
        struct slice real = without_www(host_in(links.items[i].url));
        if (shown.len == 0 || slice_equal_nocase(shown, real))
            continue;
        snprintf(l->words, sizeof l->words, "a link shows %.*s and leads to %.*s",
                 (int)(shown.len < 100 ? shown.len : 100), shown.data,
                 (int)(real.len < 100 ? real.len : 100), real.len == 0 ? "" : real.data);
        return l->words;
    }
    return NULL;
}

static const struct {
    const char *name;
    bool is_error;
    rule_fn *check;
    const char *reference;
} rules[] = {
    { "from", true, check_from, "RFC 5322 3.6.2" },
    { "date", true, check_date, "RFC 5322 3.6.1" },
    { "message-id", true, check_message_id, "RFC 5322 3.6.4" },
    { "lines", true, check_lines, "RFC 5322 2.1.1" },
    { "signed", true, check_signed, "RFC 6376" },
    { "unsubscribe", true, check_unsubscribe, "RFC 8058 3.1" },
    { "spf", false, check_spf, "RFC 7208" },
    { "dkim", true, check_dkim, "RFC 6376 6" },
    { "dmarc", true, check_dmarc, "RFC 7489" },
    { "subject", false, check_subject, "RFC 5322 3.6.5" },
    { "alternative", false, check_alternative, "RFC 2046 5.1.4" },
    { "clip", false, check_clip, "" },
    { "leaks", true, check_leaks, "" },
    { "links", false, check_links, "" },
};

static void look(struct lint *l)
{
    struct slice body = l->in->raw;
    struct header_scan scan;
    struct compliance compliance;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    size_t len = l->in->raw.len - body.len;
    compliance_header(NULL, slice_part(l->in->raw, 0, len < HEADER_MAX ? len : HEADER_MAX),
                      &compliance);
    compliance_body(&compliance, body);
    l->faults = compliance_faults(&compliance, l->in->recipients >= MANY_RECIPIENTS);
}

/* A stranger's octets may be among the words. */
static json_t *text_of(const char *words)
{
    json_t *made = json_string(words);
    return made != NULL ? made : json_string("it cannot be shown: it is no UTF-8");
}

json_t *lint_message(const struct lint_input *input)
{
    struct lint l = { .in = input };
    json_t *list = json_array();
    int errors = 0, warnings = 0;
    arena_init(&l.arena, CONTENT_ARENA_BYTES);
    look(&l);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *wrong = rules[i].check(&l);
        errors += wrong != NULL && rules[i].is_error;
        warnings += wrong != NULL && !rules[i].is_error;
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o, s:s}", "rule", rules[i].name,
            "level", rules[i].is_error ? "error" : "warning", "pass", wrong == NULL, "message",
            text_of(wrong == NULL ? "" : wrong), "reference", rules[i].reference));
    }
    arena_free(&l.arena);
    int score = 100 - 20 * errors - 5 * warnings;
    return json_pack("{s:i, s:i, s:i, s:o}", "score", score > 0 ? score : 0, "errors", errors,
                     "warnings", warnings, "rules", list);
}
