/* classify.c: a text folded, its codes found, and the rules tried in order. */
#include "bounce/classify.h"

#include "base/ascii.h"
#include "base/cursor.h"

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

/* Takes "250-" or "550-5.1.1 ": what begins a further line of the same reply. */
static bool take_continuation(struct cursor *c)
{
    struct cursor ahead = *c;
    uint64_t code;
    if (!cursor_take_number(&ahead, 599, &code) || code < 200 ||
        !cursor_take_byte(&ahead, '-'))
        return false;
    struct cursor start = ahead;
    while (!cursor_at_end(&ahead) && (ascii_is_digit(*ahead.at) || *ahead.at == '.'))
        ahead.at++;
    if (!cursor_at_end(&ahead) && !is_space(*ahead.at))
        ahead = start;
    *c = ahead;
    return true;
}

void bounce_fold(struct slice text, struct buffer *out)
{
    struct cursor c = cursor_over(text);
    bool at_word = true;
    bool any = false;
    while (!cursor_at_end(&c)) {
        if (is_space(*c.at)) {
            c.at++;
            at_word = true;
            continue;
        }
        if (at_word && any && take_continuation(&c))
            continue;
        if (at_word && any)
            buffer_append_byte(out, ' ');
        at_word = false;
        any = true;
        if (cursor_take_literal(&c, SLICE("\xe2\x80\x99"))) /* a curly apostrophe */
            buffer_append_byte(out, '\'');
        else
            buffer_append_byte(out, ascii_lower((char)cursor_take(&c)));
    }
}

/* esmtp codes that servers really give: 4yz and 5yz with y of RFC 5321 4.2.1, and 2 and 7
 * of authentication, but no other number of three digits. */
static bool is_reply_code(uint64_t code)
{
    uint64_t middle = code / 10 % 10;
    return code >= 400 && code < 560 && (middle <= 3 || middle == 5);
}

static bool is_before_code(int c)
{
    return c < 0 || is_space((char)c) || (c < 0x80 && strchr("([{<:;,'\"-#=/>", c) != NULL);
}

static bool is_behind_code(int c)
{
    return c < 0 || is_space((char)c) || (c < 0x80 && strchr(")]}:;,'\"-.<=", c) != NULL);
}

/* status-code at the cursor, with nothing of a number around it. */
static bool take_status(struct cursor *c, struct smtp_status *out_status)
{
    struct cursor ahead = *c;
    uint64_t class, subject, detail;
    if (!cursor_take_number(&ahead, 5, &class) || (class != 2 && class < 4) ||
        !cursor_take_byte(&ahead, '.') || !cursor_take_number(&ahead, 99, &subject) ||
        !cursor_take_byte(&ahead, '.') || !cursor_take_number(&ahead, 999, &detail))
        return false;
    struct cursor behind = ahead;
    int next = cursor_take(&behind);
    if (next == '.' ? ascii_is_digit((char)cursor_peek(&behind)) : !is_behind_code(next))
        return false;
    *out_status = (struct smtp_status){ (uint8_t)class, (uint16_t)subject, (uint16_t)detail };
    *c = ahead;
    return true;
}

/* "550", "550 5.1.1" or "550-5.1.1" at the cursor. */
static bool take_code(struct cursor *c, uint16_t *out_code)
{
    struct cursor ahead = *c;
    uint64_t code;
    if (!cursor_take_number(&ahead, 599, &code) || ahead.at - c->at != 3 ||
        !is_reply_code(code) || !is_behind_code(cursor_peek(&ahead)))
        return false;
    if (cursor_sees(&ahead, '.') && cursor_left(&ahead) > 1 && ascii_is_digit(ahead.at[1]))
        return false;
    *out_code = (uint16_t)code;
    *c = ahead;
    return true;
}

/* The status that belongs to the code just taken, as in "550 5.1.1", "550-5.1.1" or
 * "550-'5.1.1". */
static bool take_status_beside(struct cursor *c, struct smtp_status *out_status)
{
    struct cursor ahead = *c;
    for (int i = 0; i < 3 && !cursor_at_end(&ahead); i++) {
        if (take_status(&ahead, out_status)) {
            *c = ahead;
            return true;
        }
        if (!is_before_code(cursor_take(&ahead)))
            return false;
    }
    return false;
}

struct reply_search {
    uint16_t code;               /* the first one */
    struct smtp_status beside;   /* of it, or of the same code again */
    struct smtp_status alone;    /* the first that stands beside no code */
};

/* What is at the cursor; false when it is neither code nor status. */
static bool take_found(struct cursor *c, struct reply_search *search)
{
    uint16_t code;
    struct smtp_status status;
    if (take_code(c, &code)) {
        bool has_status = take_status_beside(c, &status);
        bool is_better = has_status && status.class == code / 100 &&
                         search->beside.class != 0 &&
                         search->beside.class != search->code / 100;
        if (search->code == 0 || is_better) {
            search->code = code;
            search->beside = has_status ? status : (struct smtp_status){ .class = 0 };
        } else if (has_status && code == search->code && search->beside.class == 0) {
            search->beside = status;
        }
        return true;
    }
    if (!take_status(c, &status))
        return false;
    if (search->alone.class == 0)
        search->alone = status;
    return true;
}

void bounce_find_reply(struct slice text, uint16_t *code, struct smtp_status *status)
{
    struct cursor c = cursor_over(text);
    struct reply_search search = { .code = 0 };
    int before = -1;
    while (!cursor_at_end(&c)) {
        if (is_before_code(before) && ascii_is_digit(*c.at) && take_found(&c, &search))
            before = '0';
        else
            before = cursor_take(&c);
    }
    if (search.code != 0)
        *code = search.code;
    if (search.beside.class != 0)
        *status = search.beside;
    else if (search.alone.class != 0)
        *status = search.alone;
}

/* Whether the parts of `phrase` between its '*' stand in the text, one behind the other. */
static bool fits_phrase(struct slice text, struct slice phrase)
{
    struct slice part;
    while (slice_split(&phrase, '*', &part)) {
        if (part.len == 0)
            continue;
        const char *at = text.len < part.len
                             ? NULL : memmem(text.data, text.len, part.data, part.len);
        if (at == NULL)
            return false;
        text = slice_from(text, (size_t)(at - text.data) + part.len);
    }
    return true;
}

static bool fits_any(struct slice text, const char *phrases)
{
    struct slice rest = slice_from_string(phrases);
    struct slice phrase;
    while (slice_split(&rest, '|', &phrase))
        if (fits_phrase(text, phrase))
            return true;
    return false;
}

/* What the rules are held against. */
struct facts {
    struct slice folded;
    struct slice host;
    struct slice status; /* "5.1.1", or empty */
    uint16_t code;
    enum bounce_stage stage;
};

/* "5.7." fits 5.7.26, "5.7.1" does not; ".2.2" fits 4.2.2 and 5.2.2. */
static bool fits_status(struct slice status, struct slice wanted)
{
    if (status.len == 0)
        return false;
    if (wanted.data[0] == '.')
        status = slice_from(status, 1);
    return wanted.data[wanted.len - 1] == '.' ? slice_starts_with_nocase(status, wanted)
                                              : slice_equal(status, wanted);
}

static bool fits(const struct bounce_rule *rule, const struct facts *facts)
{
    if (rule->code != 0 && rule->code != facts->code)
        return false;
    if (rule->stages != 0 && (rule->stages & (unsigned)facts->stage) == 0)
        return false;
    if (rule->status != NULL && !fits_status(facts->status, slice_from_string(rule->status)))
        return false;
    if (rule->host != NULL &&
        !slice_ends_with_nocase(facts->host, slice_from_string(rule->host)))
        return false;
    return rule->phrases == NULL || fits_any(facts->folded, rule->phrases);
}

static const struct bounce_rule *find_rule(const struct facts *facts)
{
    for (size_t i = 0; i < bounce_rules_count; i++)
        if (fits(&bounce_rules[i], facts))
            return &bounce_rules[i];
    return NULL;
}

static const struct {
    struct slice phrase;
    enum bounce_stage stage;
} stages[] = {
    { SLICE_INIT("in reply to end of data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("in reply to data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("in reply to rcpt"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT("in reply to mail from"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("in reply to helo"), BOUNCE_STAGE_HELO },
    { SLICE_INIT("in reply to ehlo"), BOUNCE_STAGE_HELO },
    { SLICE_INIT("after end of data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("after data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("after pipelined data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("after rcpt"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT("after pipelined rcpt"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT("after mail from"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("after pipelined mail"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("after ehlo"), BOUNCE_STAGE_HELO },
    { SLICE_INIT("after helo"), BOUNCE_STAGE_HELO },
    { SLICE_INIT("after initial connection"), BOUNCE_STAGE_CONNECT },
    { SLICE_INIT("failed after i sent the message"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("does not like recipient"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT("does not like sender"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("but sender was rejected"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("but greeting failed"), BOUNCE_STAGE_CONNECT },
    { SLICE_INIT("but my name was rejected"), BOUNCE_STAGE_HELO },
    { SLICE_INIT("did not like our final"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("did not like our data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("did not like our rcpt"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT("did not like our mail"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("did not like our ehlo"), BOUNCE_STAGE_HELO },
    { SLICE_INIT("[rcpt_to]"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT("[mail_from]"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("[data]"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("smtp command data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("smtp command rcpt"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT("smtp command mail"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT("smtp transmission failure has occurred"), BOUNCE_STAGE_DATA },
    { SLICE_INIT("remote smtp server has rejected address"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT(">>> data"), BOUNCE_STAGE_DATA },
    { SLICE_INIT(">>> rcpt"), BOUNCE_STAGE_RCPT },
    { SLICE_INIT(">>> mail"), BOUNCE_STAGE_MAIL },
    { SLICE_INIT(">>> ehlo"), BOUNCE_STAGE_HELO },
    { SLICE_INIT(">>> helo"), BOUNCE_STAGE_HELO },
};

enum bounce_stage bounce_find_stage(struct slice folded)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (folded.len > 0 && memmem(folded.data, folded.len, stages[i].phrase.data,
                                     stages[i].phrase.len) != NULL)
            return stages[i].stage;
    return BOUNCE_STAGE_UNKNOWN;
}

/* What was not said apart from the text is looked for in it. */
static void complete(const struct bounce_said *said, struct slice text,
                     struct slice folded, struct bounce_finding *out)
{
    uint16_t code = 0;
    struct smtp_status status = { .class = 0 };
    bounce_find_reply(text, &code, &status);
    *out = (struct bounce_finding){
        .status = said->status.class != 0 ? said->status : status,
        .code = said->code != 0 ? said->code : code,
        .stage = said->stage != BOUNCE_STAGE_UNKNOWN ? said->stage
                                                     : bounce_find_stage(folded),
    };
}

void bounce_classify(const struct bounce_said *said, struct bounce_finding *out)
{
    struct buffer folded, status;
    struct slice text = slice_part(said->text, 0, BOUNCE_TEXT_MAX);
    struct bounce_finding finding;
    buffer_init(&folded, 2 * BOUNCE_TEXT_MAX);
    buffer_init(&status, 16);
    bounce_fold(text, &folded);
    complete(said, text, buffer_slice(&folded), &finding);
    smtp_status_append(&status, finding.status);
    struct facts facts = {
        .folded = buffer_slice(&folded), .host = said->host,
        .status = buffer_slice(&status), .code = finding.code, .stage = finding.stage,
    };
    finding.rule = find_rule(&facts);
    finding.reason = finding.rule != NULL ? finding.rule->reason
                     : slice_trim(text).len > 0 ? BOUNCE_ONHOLD : BOUNCE_UNDEFINED;
    buffer_free(&folded);
    buffer_free(&status);
    *out = finding;
}

bool bounce_is_hard(enum bounce_reason reason, struct smtp_status status)
{
    return bounce_reason_is_hard(reason) && status.class != 4;
}
