/* codes_private.h: lines of a message (codes_lines.c), the words in them (codes_words.c), what
 * could be a code (codes_tokens.c), and what speaks for it (codes_score.c).
 *
 * A line is held as characters (code points), NFKC, digits of every script as ASCII ones.
 */
#ifndef GODWIT_CONTENT_CODES_PRIVATE_H
#define GODWIT_CONTENT_CODES_PRIVATE_H

#include "content/codes.h"

enum {
    LINES_MAX = 3000,
    LINE_MAX = 1500,      /* characters; what is longer goes on in another line */
    HITS_MAX = 40,        /* of a line */
    TOKENS_MAX = 400,
    TOKEN_MAX = 16,       /* characters of a code */
};

/* In the order of their names in codes_words.c; words.txt says what they mean. */
enum word_kind { WORD_CODE, WORD_GENERIC, WORD_NOT, WORD_NUMBER, WORD_ACT, WORD_OLD, WORD_ENTER,
                 WORD_MONEY, WORD_OFFER, WORD_MEET, WORD_TRIP, WORD_KINDS };

struct hit {
    enum word_kind kind;
    uint32_t start;
    uint32_t end;
};

struct line {
    uint32_t *text;       /* in the arena */
    uint8_t *is_strong;   /* a character set off from others; as many */
    uint32_t len;
    enum code_source source;
    bool is_quoted;
    bool is_blank;
    struct hit hits[HITS_MAX];
    uint32_t hits_count;
};

struct token {
    uint32_t line;
    uint32_t start;
    uint32_t end;         /* of what stands there */
    char code[TOKEN_MAX + 1];
    uint32_t digits;
    uint32_t letters;
    bool is_grouped;
    bool is_strong;
    double score;
};

struct codes_work {
    struct arena *arena;
    struct line **lines;
    uint32_t lines_count;
    uint32_t text[LINE_MAX];     /* the line that is being written, and how it is set off */
    uint8_t is_strong[LINE_MAX];
    struct token tokens[TOKENS_MAX];
    uint32_t tokens_count;
    bool has_kind[WORD_KINDS];
    bool is_full;         /* memory is out */
};

/* Takes UTF-8 text; blank lines too. */
void lines_add_text(struct codes_work *work, struct slice text, enum code_source source);
/* What is seen of it, with what stands out. */
void lines_add_html(struct codes_work *work, struct slice html);

/* Fills the hits of a line. False: memory is out. */
bool words_find(struct codes_work *work, struct line *line);

void tokens_find(struct codes_work *work);
void tokens_score(struct codes_work *work);

#endif
