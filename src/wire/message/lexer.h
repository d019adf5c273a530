/* lexer.h: the tokens that mail addresses are made of, for header fields (RFC 5322
 * 3.2) and for the envelope (RFC 5321 4.1.2) alike. Nothing else in the system
 * takes an atom or a quoted string apart.
 *
 * UTF-8 (RFC 6531, RFC 6532) is always taken where it may stand, if it is valid and
 * no control of terminals or writing direction; who does not want it asks
 * slice_is_ascii(). Control bytes are never taken. A take function that returns
 * false has not moved. Pure; any thread; results borrow from the input.
 */
#ifndef GODWIT_WIRE_MESSAGE_LEXER_H
#define GODWIT_WIRE_MESSAGE_LEXER_H

#include "base/buffer.h"
#include "base/cursor.h"

/* What may stand between the quotes besides printable ASCII and UTF-8. */
enum lexer_quoting {
    LEXER_ENVELOPE, /* spaces only */
    LEXER_HEADER,   /* spaces, tabs and folds (CRLF before a space or tab) */
};

enum {
    LEXER_NESTING_MAX = 100, /* of comments */
};

/* atext of RFC 5322 3.2.3; false for bytes above 127. */
bool lexer_is_atext(char c);

/* 1*atext */
bool lexer_take_atom(struct cursor *c, struct slice *out_atom);

/* 1*atext *("." 1*atext); the envelope's Dot-string is the same. */
bool lexer_take_dot_atom(struct cursor *c, struct slice *out_atom);

/* A quoted string, its quotes and backslashes kept. */
bool lexer_take_quoted(struct cursor *c, enum lexer_quoting quoting,
                       struct slice *out_quoted);

/* A comment and those inside of it, with its parentheses. */
bool lexer_take_comment(struct cursor *c, struct slice *out_comment);

/* Skips spaces, tabs and folds. */
void lexer_skip_space(struct cursor *c);

/* Skips them and whole comments; true when it moved. */
bool lexer_skip_cfws(struct cursor *c);

/* The content of a quoted string, for lexer_next_meant(). False when it is none. */
bool lexer_inside_quotes(struct slice quoted, struct cursor *out_inside);

/* The next octet that the content of a quoted string means, 0 to 255, or -1 at the
 * end: backslashes and the CRLF of folds are passed over. */
int lexer_next_meant(struct cursor *inside);

/* Appends what a quoted string means: without quotes, backslashes and the CRLF of
 * folds. Anything else is appended as it is. */
void lexer_append_unquoted(struct buffer *out, struct slice quoted);

/* Appends the same quoted string with a backslash only where one must be. */
void lexer_append_requoted(struct buffer *out, struct slice quoted);

#endif
