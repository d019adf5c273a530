/* transcript.h: a dialogue on the screen: "->" we, "<-" they, "***" notes. */
#ifndef GODWIT_CLI_TRANSCRIPT_H
#define GODWIT_CLI_TRANSCRIPT_H

#include "base/buffer.h"

#include <stdio.h>

enum {
    TRANSCRIPT_LINE_MAX = 4096,
    TRANSCRIPT_CONTENT_LINES = 60, /* of a message; the rest is counted */
};

struct transcript {
    FILE *out;
    struct buffer sent;     /* a line that has not ended */
    struct buffer said;
    bool in_content;        /* between 354 and the final dot */
    uint64_t content_lines;
};

void transcript_init(struct transcript *t, FILE *out);
void transcript_free(struct transcript *t);

/* Bytes that went out, or came in, in pieces of any size. */
void transcript_sent(struct transcript *t, struct slice bytes);
void transcript_said(struct transcript *t, struct slice bytes);

void transcript_note(struct transcript *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
