/* nearest.c: the word that somebody meant, by edit distance. */
#include "config/reader_private.h"

enum {
    WORD_MAX = 40,
    DISTANCE_MAX = 3,
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters put in, left out, changed, or swapped with their neighbour. */
static size_t distance(struct slice a, struct slice b)
{
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];
        const size_t *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t changed = before[j - 1] + (a.data[i - 1] == b.data[j - 1] ? 0 : 1);
            now[j] = least(changed, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1])
                now[j] = least(now[j], earlier[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

const char *nearest_name(struct slice name, const struct name_list *names)
{
    const char *nearest = NULL;
    size_t best = least(DISTANCE_MAX, (name.len + 1) / 3) + 1;
    const char *candidate;
    if (name.len == 0 || name.len > WORD_MAX)
        return NULL;
    for (size_t i = 0; (candidate = names->at(names->from, i)) != NULL; i++) {
        struct slice word = slice_from_string(candidate);
        size_t far = word.len > WORD_MAX ? best : distance(name, word);
        if (far < best) {
            best = far;
            nearest = candidate;
        }
    }
    return nearest;
}
