#include "verify/verify_private.h"

#include "base/ascii.h"
#include "wire/message/header.h"

static bool ends_word(char c)
{
    return ascii_is_blank(c) || ascii_is_control(c) || c == '"' || c == '/' || c == '=';
}

bool results_are_of(struct slice value, struct slice id)
{
    char bytes[512];
    struct buffer word = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    unsigned depth = 0;
    for (size_t i = 0; i <= value.len; i++) {
        char c = i == value.len ? ';' : value.data[i];
        if (c == '\\' && i + 1 < value.len) {
            c = value.data[++i];
        } else if (c == '(') {
            depth++;
            continue;
        } else if (c == ')' && depth > 0) {
            depth--;
            continue;
        } else if (depth > 0) {
            continue;
        } else if (c == ';' || ends_word(c)) {
            if (slice_equal_nocase(buffer_slice(&word), id))
                return true;
            buffer_clear(&word);
            word.overflow = false;
            if (c == ';')
                return false;
            continue;
        }
        buffer_append_byte(&word, c);
    }
    /* The comment never ends: it might for somebody else. */
    return depth > 0;
}

static bool is_of(const struct header_field *field, struct slice id)
{
    return slice_equal_nocase(field->name, SLICE("Authentication-Results")) &&
           results_are_of(field->value, id);
}

bool results_remove(struct slice header, struct slice id, struct buffer *out)
{
    struct cursor c = cursor_over(header);
    struct header_field field;
    enum header_result result;
    bool any = false;
    while (!any && (result = header_next(&c, &field)) != HEADER_END)
        any = result == HEADER_FIELD && is_of(&field, id);
    if (!any)
        return false;
    c = cursor_over(header);
    size_t kept = 0;
    while ((result = header_next(&c, &field)) != HEADER_END) {
        kept += field.whole.len;
        if (result != HEADER_FIELD || !is_of(&field, id))
            buffer_append(out, field.whole);
    }
    buffer_append(out, slice_from(header, kept)); /* the empty line, if it is there */
    return true;
}
