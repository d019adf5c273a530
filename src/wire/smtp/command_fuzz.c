/* command_fuzz.c: lines, commands, paths and parameters of a hostile client: a line is
 * the same line however its octets came, and no line has a line end in it. */
#include "base/must.h"
#include "wire/smtp/address.h"
#include "wire/smtp/command.h"
#include "wire/smtp/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 4096 };

static void check_value(const struct smtp_parameter *p)
{
    uint64_t size;
    uint8_t notify;
    enum smtp_body body;
    enum smtp_ret ret;
    struct smtp_orcpt orcpt;
    struct slice mailbox;
    struct buffer out;
    buffer_init(&out, 4096);
    (void)smtp_size_parse(p->value, &size);
    (void)smtp_body_parse(p->value, &body);
    (void)smtp_ret_parse(p->value, &ret);
    if (smtp_notify_parse(p->value, &notify))
        must(notify == SMTP_NOTIFY_NEVER || (notify & SMTP_NOTIFY_NEVER) == 0);
    (void)smtp_auth_parse(p->value, &out, &mailbox);
    if (smtp_orcpt_parse(p->value, &orcpt))
        smtp_orcpt_append_address(&out, &orcpt);
    if (smtp_envid_is_valid(p->value)) {
        struct buffer again;
        buffer_init(&again, 4096);
        buffer_clear(&out);
        must(smtp_xtext_decode(p->value, &out));
        smtp_xtext_encode(buffer_slice(&out), &again);
        buffer_clear(&out);
        must(smtp_xtext_decode(buffer_slice(&again), &out));
        buffer_free(&again);
    }
    buffer_free(&out);
}

static void check_command(struct slice line)
{
    struct smtp_command command;
    if (!smtp_command_parse(line, &command))
        return;
    uint64_t size;
    bool is_last;
    (void)smtp_bdat_parse(command.argument, &size, &is_last);
    struct cursor c = cursor_over(command.argument);
    struct smtp_address address;
    if (cursor_take_literal(&c, SLICE("FROM:")))
        (void)smtp_reverse_path_parse(&c, SMTP_UTF8_ALLOWED, &address);
    else if (cursor_take_literal(&c, SLICE("TO:")))
        (void)smtp_forward_path_parse(&c, SMTP_UTF8_ALLOWED, &address);
    struct smtp_parameter p;
    while (smtp_parameter_next(&c, &p) == SMTP_PARAMETER_TAKEN)
        check_value(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size);
    struct slice line;
    size_t used;
    enum smtp_line_result got;
    while ((got = smtp_line_take(rest, LIMIT, &line, &used)) == SMTP_LINE_TAKEN) {
        must(slice_find(line, '\n') == SLICE_NOT_FOUND);
        must(slice_find(line, '\r') == SLICE_NOT_FOUND);
        struct slice part;
        size_t part_used;
        must(smtp_line_take(slice_part(rest, 0, used - 1), LIMIT, &part, &part_used) ==
             SMTP_LINE_NEED_MORE);
        check_command(line);
        rest = slice_from(rest, used);
    }
    if (got == SMTP_LINE_TOO_LONG)
        (void)smtp_line_skip(&rest);
    return 0;
}
