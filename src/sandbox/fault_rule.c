/* fault_rule.c: rules, from JSON, and whom they are for. */
#include "sandbox/fault_private.h"

#include "base/ascii.h"

#include <string.h>

static const char *const steps[] = { "connect", "login", "helo", "mail", "rcpt", "data" };

const char *fault_text(json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text == NULL ? "" : text;
}

/* Reply-code SP [ class "." subject "." detail SP ] text (RFC 5321 4.2, RFC 3463 2) */
bool fault_read_reply(struct slice text, struct smtp_reply *out)
{
    struct cursor c = cursor_over(text);
    uint64_t code, class, subject, detail;
    if (!cursor_take_number(&c, 599, &code) || code < 400)
        return false;
    cursor_skip_blanks(&c);
    struct cursor status = c;
    *out = (struct smtp_reply){ .code = (uint16_t)code };
    out->status = (struct smtp_status){ (uint8_t)(code / 100), 0, 0 };
    if (cursor_take_number(&status, 5, &class) && class == code / 100 &&
        cursor_take_byte(&status, '.') && cursor_take_number(&status, 999, &subject) &&
        cursor_take_byte(&status, '.') && cursor_take_number(&status, 999, &detail)) {
        out->status = (struct smtp_status){ (uint8_t)class, (uint16_t)subject, (uint16_t)detail };
        c = status;
        cursor_skip_blanks(&c);
    }
    out->text = cursor_rest(&c);
    for (size_t i = 0; i < out->text.len; i++)
        if (ascii_is_control(out->text.data[i]) || (unsigned char)out->text.data[i] > 126)
            return false;
    if (out->text.len == 0)
        out->text = SLICE("Scripted fault");
    return out->text.len <= 400;
}

static const char *read_number(json_t *object, const char *member, json_int_t max, uint64_t *out)
{
    json_t *value = json_object_get(object, member);
    if (value == NULL)
        return NULL;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > max)
        return "skip, times, percent, delay_ms, greylist_ms, over_bytes and cut_after are numbers";
    *out = (uint64_t)json_integer_value(value);
    return NULL;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What is not known would not be done, and the test would not know. */
static const char *check_then(json_t *then)
{
    static const char *const members[] = { "reply", "delay_ms", "close", "drop", "greylist_ms",
                                           "above", "over_bytes", "cut_after" };
    const char *name;
    json_t *value;
    if (!json_is_object(then))
        return "then is an object";
    json_object_foreach(then, name, value) {
        bool is_flag = strcmp(name, "close") == 0 || strcmp(name, "drop") == 0;
        if (!is_among(name, members, sizeof members / sizeof *members))
            return "then has a member that is not known";
        if ((is_flag && !json_is_boolean(value)) ||
            (strcmp(name, "reply") == 0 && !json_is_string(value)) ||
            (strcmp(name, "above") == 0 && !json_is_object(value)))
            return "close and drop are true or false, reply is a text, above an object";
    }
    return NULL;
}

static const char *read_then(json_t *then, struct fault_rule *out)
{
    uint64_t delay = 0, greylist = 0, above = 0, per = 0, cut = 0;
    json_t *limit = json_object_get(then, "above");
    const char *reply = fault_text(then, "reply");
    const char *why = check_then(then);
    if (why == NULL)
        why = read_number(then, "delay_ms", FAULT_DELAY_MAX_MS, &delay);
    if (why == NULL)
        why = read_number(then, "greylist_ms", 30 * 86400000LL, &greylist);
    if (why == NULL)
        why = read_number(then, "over_bytes", INT64_MAX, &out->over_bytes);
    if (why == NULL)
        why = read_number(then, "cut_after", FAULT_CUT_MAX, &cut);
    if (why == NULL && limit != NULL)
        why = read_number(limit, "count", 1000000, &above);
    if (why == NULL && limit != NULL)
        why = read_number(limit, "per_ms", 86400000, &per);
    if (why == NULL && limit != NULL && (above == 0 || per == 0))
        why = "above has count and per_ms";
    if (why == NULL && reply[0] != '\0' && !fault_read_reply(slice_from_string(reply), &out->reply))
        why = "reply is a text such as \"451 4.7.1 Try again later\"";
    out->delay_ms = (uint32_t)delay;
    out->cut_after = (uint32_t)cut;
    out->greylist_ms = (int64_t)greylist;
    out->above = above;
    out->per_ms = (int64_t)per;
    out->closes = json_is_true(json_object_get(then, "close"));
    out->drops = json_is_true(json_object_get(then, "drop"));
    return why;
}

static const char *check_when(json_t *when)
{
    static const char *const members[] = { "recipient", "sender", "client", "account", "helo" };
    const char *name;
    json_t *value, *one;
    size_t i;
    if (when != NULL && !json_is_object(when))
        return "when is an object";
    json_object_foreach(when, name, value) {
        if (!is_among(name, members, sizeof members / sizeof *members) || (!json_is_string(value) && !json_is_array(value)))
            return "when has recipient, sender, client, account or helo: a text, or a list";
        json_array_foreach(value, i, one)
            if (!json_is_string(one))
                return "when has recipient, sender, client, account or helo: a text, or a list";
    }
    return NULL;
}

static void default_reply(struct fault_rule *r)
{
    static const struct smtp_reply greylisted = { .code = 451, .status = { 4, 7, 1 },
        .text = SLICE_INIT("Greylisted, try again later") };
    static const struct smtp_reply large = { .code = 552, .status = { 5, 3, 4 },
        .text = SLICE_INIT("The message is too large") };
    static const struct smtp_reply busy = { .code = 421, .status = { 4, 7, 0 },
        .text = SLICE_INIT("Too much, try again later") };
    if (r->reply.code != 0)
        return;
    if (r->greylist_ms > 0)
        r->reply = greylisted;
    else if (r->over_bytes > 0)
        r->reply = large;
    else if (r->above > 0)
        r->reply = busy;
}

const char *fault_read(json_t *object, struct fault_rule *out)
{
    struct fault_rule r = { .percent = 100, .step = FAULT_STEPS };
    const char *step = fault_text(object, "step"), *why = NULL;
    uint64_t percent = 100;
    if (!json_is_object(object) || fault_text(object, "id")[0] == '\0')
        return "a rule is an object";
    for (int i = 0; i < FAULT_STEPS; i++)
        if (strcmp(step, steps[i]) == 0)
            r.step = (enum fault_step)i;
    if (r.step == FAULT_STEPS)
        return "step is connect, login, helo, mail, rcpt or data";
    why = check_when(json_object_get(object, "when"));
    if (why == NULL)
        why = read_number(object, "skip", 1000000000, &r.skip);
    if (why == NULL)
        why = read_number(object, "times", 1000000000, &r.times);
    if (why == NULL)
        why = read_number(object, "percent", 100, &percent);
    if (why == NULL)
        why = read_then(json_object_get(object, "then"), &r);
    default_reply(&r);
    if (why == NULL && r.reply.code == 0 && r.delay_ms == 0 && r.cut_after == 0 &&
        !r.drops && !r.closes)
        why = "then says what happens: reply, delay_ms, close, drop, greylist_ms, above, over_bytes, "
              "cut_after";
    if (why == NULL && r.cut_after > 0 && (r.drops || r.step == FAULT_LOGIN))
        why = "cut_after is for something that is said: not with drop, nor at login";
    if (why != NULL)
        return why;
    r.percent = (unsigned)percent;
    r.object = json_incref(object);
    r.id = slice_from_string(fault_text(object, "id"));
    *out = r;
    return NULL;
}

const char *fault_check(json_t *rule)
{
    struct fault_rule r;
    const char *why = fault_read(rule, &r);
    if (why == NULL)
        fault_rule_free(&r);
    return why;
}

void fault_rule_free(struct fault_rule *rule)
{
    json_decref(rule->object);
    json_decref(rule->only);
}

/* "*" stands for anything, as often as it stands there. */
bool fault_fits(struct slice pattern, struct slice text)
{
    size_t p = 0, t = 0, star = SLICE_NOT_FOUND, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len &&
                   slice_equal_nocase(slice_part(pattern, p, 1), slice_part(text, t, 1))) {
            p++;
            t++;
        } else if (star != SLICE_NOT_FOUND) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

static bool one_fits(json_t *wanted, struct slice text)
{
    size_t i;
    json_t *one;
    if (json_is_string(wanted))
        return fault_fits(slice_from_string(json_string_value(wanted)), text);
    json_array_foreach(wanted, i, one)
        if (fault_fits(slice_from_string(json_string_value(one)), text))
            return true;
    return false;
}

/* At RCPT the one that is asked about; at the end of data any of them. */
static bool recipient_fits(json_t *wanted, const struct fault_at *at)
{
    if (at->step == FAULT_RCPT)
        return one_fits(wanted, at->recipient);
    for (size_t i = 0; at->envelope != NULL && i < at->envelope->recipients_count; i++)
        if (one_fits(wanted, at->envelope->recipients[i].address))
            return true;
    return false;
}

bool fault_is_for(const struct fault_rule *rule, const struct fault_at *at)
{
    json_t *when = json_object_get(rule->object, "when"), *value;
    const char *name;
    if (rule->step != at->step || (rule->only != NULL && !recipient_fits(rule->only, at)))
        return false;
    json_object_foreach(when, name, value) {
        bool good = strcmp(name, "recipient") == 0 ? recipient_fits(value, at)
                    : strcmp(name, "sender") == 0  ? one_fits(value, at->sender)
                    : strcmp(name, "client") == 0  ? one_fits(value, at->client)
                    : strcmp(name, "account") == 0 ? one_fits(value, at->account)
                                                   : one_fits(value, at->helo);
        if (!good)
            return false;
    }
    return true;
}
