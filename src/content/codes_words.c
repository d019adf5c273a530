/* codes_words.c: the phrases of words.txt, by their first character. Made once. */
#include "content/codes_private.h"

#include <glib.h>
#include <stdlib.h>

extern const char codes_words_data[];
extern const unsigned long codes_words_size;

enum { BUCKETS = 1024, ENDED_FROM = 8, ENDING_MAX = 4 };

struct phrase {
    gunichar *text;
    uint32_t len;
    enum word_kind kind;
    bool is_open;         /* "*": any letters may follow */
    struct phrase *next;  /* of the same first character */
};

static struct phrase *buckets[BUCKETS];

static enum word_kind kind_of(struct slice name)
{
    static const char *const names[] = { "code", "generic", "not", "number", "act", "old",
                                         "enter", "money", "offer", "meet", "trip" };
    for (size_t i = 0; i < WORD_KINDS; i++)
        if (slice_equal(name, slice_from_string(names[i])))
            return (enum word_kind)i;
    return WORD_KINDS;
}

static gunichar *lowered(struct slice text, glong *out_len)
{
    char *normal = g_utf8_normalize(text.data, (gssize)text.len, G_NORMALIZE_NFKC);
    gunichar *made = normal == NULL ? NULL : g_utf8_to_ucs4_fast(normal, -1, out_len);
    for (glong i = 0; made != NULL && i < *out_len; i++)
        made[i] = g_unichar_tolower(made[i]);
    g_free(normal);
    return made;
}

static void add_phrase(struct slice text, enum word_kind kind)
{
    struct phrase *p = g_new0(struct phrase, 1);
    glong len = 0;
    p->kind = kind;
    p->is_open = text.len > 0 && text.data[text.len - 1] == '*';
    p->text = lowered(slice_part(text, 0, text.len - (p->is_open ? 1 : 0)), &len);
    p->len = (uint32_t)len;
    if (p->text == NULL || len == 0) {
        g_free(p->text);
        g_free(p);
        return;
    }
    struct phrase **bucket = &buckets[p->text[0] % BUCKETS];
    while (*bucket != NULL && (*bucket)->len > p->len) /* the longest first */
        bucket = &(*bucket)->next;
    p->next = *bucket;
    *bucket = p;
}

static void read_words(void)
{
    struct slice rest = slice_make(codes_words_data, codes_words_size), line, phrase;
    while (slice_split(&rest, '\n', &line)) {
        size_t space = slice_find(line, ' ');
        enum word_kind kind = line.len == 0 || line.data[0] == '#' || space == SLICE_NOT_FOUND
                                  ? WORD_KINDS : kind_of(slice_part(line, 0, space));
        if (kind == WORD_KINDS)
            continue;
        struct slice phrases = slice_from(line, space + 1);
        while (slice_split(&phrases, '|', &phrase))
            add_phrase(slice_trim(phrase), kind);
    }
}

void codes_start(void)
{
    static bool is_read;
    if (!is_read)
        read_words();
    is_read = true;
}

/* Scripts that are written without spaces between words, or that put small words in front of
 * others. */
static bool has_no_edges(gunichar c)
{
    GUnicodeScript s = g_unichar_get_script(c);
    return s == G_UNICODE_SCRIPT_HAN || s == G_UNICODE_SCRIPT_HIRAGANA ||
           s == G_UNICODE_SCRIPT_KATAKANA || s == G_UNICODE_SCRIPT_HANGUL ||
           s == G_UNICODE_SCRIPT_THAI || s == G_UNICODE_SCRIPT_HEBREW ||
           s == G_UNICODE_SCRIPT_ARABIC || s == G_UNICODE_SCRIPT_DEVANAGARI;
}

static bool is_edge(const gunichar *text, uint32_t len, uint32_t at, bool before)
{
    if (before ? at == 0 : at == len)
        return true;
    gunichar outside = text[before ? at - 1 : at], inside = text[before ? at : at - 1];
    return !g_unichar_isalpha(outside) || !g_unichar_isalnum(inside) || has_no_edges(inside);
}

/* What names a code may have an ending: "engångskoden", "Bestätigungscodes". */
static bool ends_at(const gunichar *text, uint32_t len, uint32_t at, const struct phrase *p)
{
    uint32_t most = p->kind == WORD_CODE && p->len >= ENDED_FROM ? ENDING_MAX : 0;
    for (uint32_t more = 0; more <= most && at + more <= len; more++)
        if (is_edge(text, len, at + more, false))
            return true;
    return false;
}

static const struct phrase *phrase_at(const gunichar *text, uint32_t len, uint32_t at)
{
    for (const struct phrase *p = buckets[text[at] % BUCKETS]; p != NULL; p = p->next) {
        if (p->len > len - at || memcmp(p->text, text + at, p->len * sizeof *text) != 0)
            continue;
        if (is_edge(text, len, at, true) &&
            (p->is_open || ends_at(text, len, at + p->len, p)))
            return p;
    }
    return NULL;
}

bool words_find(struct codes_work *work, struct line *line)
{
    codes_start();
    gunichar *text = arena_alloc_many(work->arena, line->len + 1, sizeof *text);
    if (text == NULL)
        return false;
    for (uint32_t i = 0; i < line->len; i++)
        text[i] = g_unichar_tolower(line->text[i]);
    for (uint32_t at = 0; at < line->len && line->hits_count < HITS_MAX;) {
        const struct phrase *p = phrase_at(text, line->len, at);
        if (p == NULL) {
            at++;
            continue;
        }
        line->hits[line->hits_count++] = (struct hit){ p->kind, at, at + p->len };
        work->has_kind[p->kind] = true;
        at += p->len;
    }
    return true;
}
