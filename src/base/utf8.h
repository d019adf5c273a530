/* utf8.h: UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
#ifndef GODWIT_BASE_UTF8_H
#define GODWIT_BASE_UTF8_H

#include "base/slice.h"

/* The length, 1 to 4, of the whole sequence at the front; 0 when it is not one. */
size_t utf8_sequence_len(struct slice s);

/* Whether every byte belongs to a whole sequence. ASCII is UTF-8; so is nothing. */
bool utf8_is_valid(struct slice s);

/* Whether the sequence at the front is a C1 control, a line or paragraph
 * separator, or a control of writing direction: what a terminal or a log viewer
 * may act upon. */
bool utf8_is_control(struct slice s);

bool slice_is_ascii(struct slice s);

#endif
