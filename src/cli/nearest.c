/* nearest.c: edit distance with swaps of neighbours, for short words. */
#include "cli/nearest.h"

#include <string.h>

enum { WORD_MAX = 32, EDITS_MAX = 3 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t table[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_len; i++)
        table[i][0] = i;
    for (size_t j = 0; j <= b_len; j++)
        table[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            size_t best = least(table[i - 1][j], table[i][j - 1]) + 1;
            best = least(best, table[i - 1][j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    }
    return table[a_len][b_len];
}

struct nearest nearest_to(const char *wanted)
{
    size_t half = (strlen(wanted) + 1) / 2;
    return (struct nearest){ .wanted = wanted, .distance = least(EDITS_MAX, half) + 1 };
}

void nearest_offer(struct nearest *n, const char *name)
{
    size_t wanted_len = strlen(n->wanted);
    size_t name_len = strlen(name);
    if (wanted_len > WORD_MAX || name_len > WORD_MAX)
        return;
    size_t distance = edits(n->wanted, wanted_len, name, name_len);
    if (distance < n->distance) {
        n->distance = distance;
        n->best = name;
    }
}
