/* codes_score.c: what speaks for a token and what against it, added up. 4 and more is a code. */
#include "content/codes_private.h"

#include <glib.h>
#include <string.h>

enum { LINES_BACK = 4, FAR = 1000 };

static const struct line *line_of(const struct codes_work *work, const struct token *t)
{
    return work->lines[t->line];
}

static bool is_currency(uint32_t c)
{
    return g_unichar_type(c) == G_UNICODE_CURRENCY_SYMBOL;
}

static uint32_t character(const struct line *l, int64_t i)
{
    return i < 0 || i >= l->len ? ' ' : l->text[i];
}

static bool has_digit_between(const struct line *l, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (l->text[i] >= '0' && l->text[i] <= '9')
            return true;
    return false;
}

/* A number that has its own word before it: "no. 3 of 30-11-2026: 48120557". */
static uint32_t nearest_number(const struct line *l, const struct token *t)
{
    uint32_t best = FAR;
    for (uint32_t i = 0; i < l->hits_count; i++) {
        const struct hit *h = &l->hits[i];
        if (h->kind == WORD_NUMBER && h->end <= t->start &&
            !has_digit_between(l, h->end, t->start) && t->start - h->end < best)
            best = t->start - h->end;
    }
    return best;
}

/* How far the nearest hit of a kind is; FAR: there is none. */
static uint32_t nearest(const struct line *l, const struct token *t, enum word_kind kind,
                        bool before)
{
    uint32_t best = FAR;
    for (uint32_t i = 0; i < l->hits_count; i++) {
        const struct hit *h = &l->hits[i];
        if (h->kind != kind)
            continue;
        uint32_t distance = FAR;
        if (before && h->end <= t->start)
            distance = t->start - h->end;
        if (!before && h->start >= t->end)
            distance = h->start - t->end;
        best = distance < best ? distance : best;
    }
    return best;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Nothing but the token and marks around it. */
static bool is_alone(const struct line *l, const struct token *t)
{
    for (uint32_t i = 0; i < l->len; i++)
        if ((i < t->start || i >= t->end) && g_unichar_isalnum(l->text[i]))
            return false;
    return true;
}

/* The code's own prefix may stand before it: "G-". */
static double shape(const struct token *t, double label)
{
    if (t->letters == 0) {
        static const double by_length[] = { [4] = 0.4, [5] = 1.0, [6] = 2.0, [7] = 1.0, [8] = 1.2,
                                            [9] = 0.2, [10] = -0.5 };
        double score = t->digits <= 10 ? by_length[t->digits] : -2;
        bool is_year = t->digits == 4 && (strncmp(t->code, "19", 2) == 0 ||
                                          strncmp(t->code, "20", 2) == 0);
        return score - (is_year ? (label > 4 ? 0.2 : 2.0) : 0);
    }
    if (t->digits == 0)
        return t->is_grouped ? 0.3 : -1.0;
    size_t len = t->digits + t->letters;
    return len == 6 || len == 8 || t->is_grouped ? 1.2 : 0.6;
}

static bool has_hit(const struct line *l, enum word_kind kind)
{
    for (uint32_t i = 0; i < l->hits_count; i++)
        if (l->hits[i].kind == kind)
            return true;
    return false;
}

static double near_label(const struct line *l, const struct token *t, bool has_act)
{
    uint32_t before = nearest(l, t, WORD_CODE, true), after = nearest(l, t, WORD_CODE, false);
    uint32_t generic = least(nearest(l, t, WORD_GENERIC, true), nearest(l, t, WORD_GENERIC, false));
    double best = 0, score;
    if (generic < FAR && (has_hit(l, WORD_ACT) || generic <= 3)) { /* "code: 2051" */
        before = least(before, nearest(l, t, WORD_GENERIC, true));
        after = least(after, nearest(l, t, WORD_GENERIC, false));
    }
    if (before < 120) {
        score = 4.5 - before / 30.0;
        best = score > best ? score : best;
    }
    if (after < 80) {
        score = 4.0 - after / 25.0;
        best = score > best ? score : best;
    }
    if (generic < 60) {
        score = (has_act ? 3.0 : 1.5) - generic / 30.0;
        best = score > best ? score : best;
    }
    return best;
}

/* The n-th line that is not blank before (or after), of the same source; NULL: none. */
static const struct line *neighbour(const struct codes_work *work, const struct token *t, int n)
{
    int step = n < 0 ? -1 : 1, left = n < 0 ? -n : n;
    for (int64_t i = (int64_t)t->line + step; i >= 0 && i < work->lines_count; i += step) {
        const struct line *l = work->lines[i];
        if (l->source != line_of(work, t)->source)
            return NULL;
        if (!l->is_blank && --left == 0)
            return l;
    }
    return NULL;
}

/* "Order number:", and nothing behind it. */
static bool is_label_of_number(const struct line *l)
{
    for (uint32_t i = 0; i < l->hits_count; i++)
        if (l->hits[i].kind == WORD_NUMBER && l->hits[i].end + 3 >= l->len &&
            character(l, (int64_t)l->len - 1) != '.')
            return true;
    return false;
}

/* What the lines around say; much for a token that has its line to itself. */
static double near_lines(const struct codes_work *work, const struct token *t, bool alone)
{
    static const double back[LINES_BACK] = { 4.2, 3.2, 2.2, 1.4 };
    double share = alone ? 1.0 : 0.35;
    bool has_act = work->has_kind[WORD_ACT];
    for (int n = 1; n <= LINES_BACK; n++) {
        const struct line *l = neighbour(work, t, -n);
        if (l == NULL)
            break;
        bool is_code = has_hit(l, WORD_CODE) || (has_hit(l, WORD_GENERIC) && has_hit(l, WORD_ACT));
        if (!is_code && (has_hit(l, WORD_NOT) || (n == 1 && is_label_of_number(l) && alone)))
            return n <= 2 ? -4.0 * share : 0;
        if (is_code)
            return back[n - 1] * share;
        if (has_hit(l, WORD_GENERIC))
            return (has_act ? 0.7 : 0.4) * back[n - 1] * share;
    }
    const struct line *next = neighbour(work, t, 1);
    if (next != NULL && has_hit(next, WORD_NOT))
        return -3.0 * share;
    return next != NULL && has_hit(next, WORD_CODE) ? 3.0 * share : 0;
}

/* Amounts, shares, numbers with a sign before them, telephones. */
static double against_marks(const struct line *l, const struct token *t)
{
    uint32_t b = character(l, (int64_t)t->start - 1), a = character(l, t->end);
    uint32_t bb = character(l, (int64_t)t->start - 2), aa = character(l, (int64_t)t->end + 1);
    double score = 0;
    if (is_currency(b) || is_currency(a) || (b == ' ' && is_currency(bb)) ||
        (a == ' ' && is_currency(aa)) || a == '%' || (a == ' ' && aa == '%'))
        score -= 6;
    if (b == '#' || (b == ' ' && bb == '#') || b == 0x2116 || (b == ' ' && bb == 0x2116) ||
        b == 0xBA || (b == '.' && bb == 'r'))
        score -= 3;
    for (uint32_t i = 0; i < l->len; i++)
        if (l->text[i] == 0xA9)
            score -= 6;
    return score;
}

/* Said in the same sentence. */
static bool is_old(const struct line *l, const struct token *t)
{
    for (uint32_t i = 0; i < l->hits_count; i++) {
        const struct hit *h = &l->hits[i];
        uint32_t from = h->end <= t->start ? h->end : t->end;
        uint32_t to = h->end <= t->start ? t->start : h->start;
        bool is_near = h->kind == WORD_OLD && to >= from && to - from < 50;
        for (uint32_t j = from; is_near && j < to; j++)
            is_near = l->text[j] != '.' && l->text[j] != '!' && l->text[j] != 0x3002;
        if (is_near)
            return true;
    }
    return false;
}

static double against_words(const struct line *l, const struct token *t)
{
    uint32_t code = least(nearest(l, t, WORD_CODE, true), nearest(l, t, WORD_CODE, false));
    uint32_t number = nearest_number(l, t), after = nearest(l, t, WORD_NUMBER, false);
    uint32_t money = least(nearest(l, t, WORD_MONEY, true), nearest(l, t, WORD_MONEY, false));
    uint32_t not_code = least(nearest(l, t, WORD_NOT, true), nearest(l, t, WORD_NOT, false));
    double score = 0;
    if (number < 25 && number <= code)
        score -= 4.5;
    else if (number < 25)
        score -= 1;
    if (after < code && (after == 0 || (after == 1 && character(l, t->end) == ' ')))
        score -= 4;
    if (money <= 1)
        score -= 5;
    if (not_code < 60 && not_code <= code + 12)
        score -= 7;
    if (is_old(l, t))
        score -= 3;
    return score;
}

/* What the mail is about. */
static double against_theme(const struct codes_work *work, const struct line *l,
                            const struct token *t)
{
    double score = 0;
    bool named = t->letters > 0;
    if (has_hit(l, WORD_OFFER) || (named && work->has_kind[WORD_OFFER]))
        score -= named ? 5 : 2;
    if (work->has_kind[WORD_MEET])
        score -= 6;
    if (named && work->has_kind[WORD_TRIP])
        score -= 4;
    return score;
}

/* "Enter 661204", "Use 4711 to sign in". */
static double for_entering(const struct line *l, const struct token *t)
{
    uint32_t before = nearest(l, t, WORD_ENTER, true), after = nearest(l, t, WORD_ENTER, false);
    bool has_aim = nearest(l, t, WORD_ACT, false) < 50;
    bool had_aim = nearest(l, t, WORD_ACT, true) < 50; /* where the verb comes last */
    if ((before <= 2 && has_aim) || (after <= 12 && had_aim))
        return 4;
    return before <= 2 ? 2.5 : before <= 20 ? 1.2 : after <= 12 ? 0.8 : 0;
}

/* "... code: ABCDEF", and the line ends. */
static bool is_behind_colon(const struct line *l, const struct token *t)
{
    for (uint32_t i = t->end; i < l->len; i++)
        if (g_unichar_isalnum(l->text[i]))
            return false;
    return t->start >= 2 && l->text[t->start - 2] == ':';
}

/* Set off on a line of its own, in a mail whose subject names a code. */
static bool is_promised(const struct codes_work *work, const struct token *t, bool alone)
{
    const struct line *subject = work->lines[0];
    return alone && t->is_strong && subject->source == CODE_IN_SUBJECT &&
           work->has_kind[WORD_ACT] && !has_hit(subject, WORD_NOT) &&
           (has_hit(subject, WORD_CODE) || has_hit(subject, WORD_GENERIC));
}

/* Streets, zip codes and the like: a number at the end of a line with a name, in a mail that
 * speaks of a code elsewhere; a number with words on both sides has more to prove. */
static double against_place(const struct line *l, const struct token *t, double label)
{
    size_t words = 0;
    for (uint32_t i = 1; i < l->len; i++)
        words += l->text[i] == ' ';
    return label <= 0 && words > 3 && !t->is_strong ? -1.5 : 0;
}

static double score_of(const struct codes_work *work, const struct token *t)
{
    const struct line *l = line_of(work, t);
    bool alone = is_alone(l, t);
    double label = near_label(l, t, work->has_kind[WORD_ACT]);
    double score = shape(t, label);
    double around = near_lines(work, t, alone);
    score += label > 0 && around > 0 ? (label > around ? label : around) : label + around;
    score += (alone ? 2.0 : 0) + (t->is_strong ? (alone ? 1.0 : 1.5) : 0);
    double entering = for_entering(l, t);
    score += against_marks(l, t) + against_words(l, t) + against_place(l, t, label + entering);
    score += against_theme(work, l, t) + (label > 3 ? entering / 3 : entering);
    bool promised = is_promised(work, t, alone);
    if (t->letters > 0 && label <= 0 && around <= 0 && !promised)
        score -= 3;
    if (t->digits == 0 && !alone && !t->is_strong && label < 3.5)
        score -= 3;
    if (t->digits == 0 && label > 3.5 && is_behind_colon(l, t))
        score += 0.6;
    if (!work->has_kind[WORD_CODE] && label <= 3.5 && !promised && entering < 4 &&
        !(work->has_kind[WORD_GENERIC] && (work->has_kind[WORD_ACT] || work->has_kind[WORD_ENTER])))
        score -= 4;
    const struct line *subject = work->lines[0];
    if (has_hit(subject, WORD_CODE) || (label > 4 && has_hit(subject, WORD_GENERIC)))
        score += 0.7;
    else if (!work->has_kind[WORD_ACT])
        score -= 0.7;
    if (l->is_quoted)
        score -= 4;
    if (l->source == CODE_IN_SUBJECT)
        score += 0.5;
    return score;
}

void tokens_score(struct codes_work *work)
{
    for (uint32_t i = 0; i < work->tokens_count; i++)
        work->tokens[i].score = score_of(work, &work->tokens[i]);
}
