/* command.c: RFC 5321 2.3.8, 4.1.1; RFC 3030 section 2. */
#include "wire/smtp/command.h"

#include "base/ascii.h"
#include "base/cursor.h"

static size_t line_len(struct slice seen)
{
    for (size_t i = 0; i < seen.len; i++)
        if (seen.data[i] == '\r' || seen.data[i] == '\n' || seen.data[i] == '\0')
            return i;
    return SLICE_NOT_FOUND;
}

enum smtp_line_result smtp_line_take(struct slice input, size_t limit,
                                     struct slice *out_line, size_t *out_used)
{
    struct slice seen = slice_part(input, 0, limit);
    size_t at = line_len(seen);
    if (at == SLICE_NOT_FOUND)
        return seen.len < limit ? SMTP_LINE_NEED_MORE : SMTP_LINE_TOO_LONG;
    if (seen.data[at] == '\0')
        return SMTP_LINE_NUL;
    if (seen.data[at] == '\n')
        return SMTP_LINE_BARE_LINE_END;
    if (at + 1 == seen.len)
        return seen.len < limit ? SMTP_LINE_NEED_MORE : SMTP_LINE_TOO_LONG;
    if (seen.data[at + 1] != '\n')
        return SMTP_LINE_BARE_LINE_END;
    *out_line = slice_part(input, 0, at);
    *out_used = at + 2;
    return SMTP_LINE_TAKEN;
}

bool smtp_line_skip(struct slice *input)
{
    size_t at = slice_find(*input, '\n');
    *input = slice_from(*input, at == SLICE_NOT_FOUND ? input->len : at + 1);
    return at != SLICE_NOT_FOUND;
}

bool smtp_command_parse(struct slice line, struct smtp_command *out_command)
{
    while (line.len > 0 && ascii_is_blank(line.data[line.len - 1]))
        line.len--;
    struct cursor c = cursor_over(line);
    struct smtp_command command = { .verb = cursor_take_while(&c, ascii_is_alpha) };
    if (command.verb.len == 0 || (!cursor_at_end(&c) && !cursor_sees(&c, ' ')))
        return false;
    command.argument = slice_trim(cursor_rest(&c));
    for (size_t i = 0; i < command.argument.len; i++)
        command.has_control |= ascii_is_control(command.argument.data[i]) &&
                               command.argument.data[i] != '\t';
    *out_command = command;
    return true;
}

/* bdat-cmd ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF
 * chunk-size ::= 1*DIGIT; end-marker ::= "LAST" */
bool smtp_bdat_parse(struct slice argument, uint64_t *out_size, bool *out_is_last)
{
    struct cursor c = cursor_over(argument);
    uint64_t size;
    bool is_last = false;
    if (!cursor_take_number(&c, UINT64_MAX, &size))
        return false;
    if (cursor_skip_blanks(&c) > 0 && !cursor_at_end(&c)) {
        if (!cursor_take_literal(&c, SLICE("LAST")))
            return false;
        is_last = true;
    }
    if (!cursor_at_end(&c))
        return false;
    *out_size = size;
    *out_is_last = is_last;
    return true;
}
