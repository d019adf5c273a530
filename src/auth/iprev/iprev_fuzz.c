/* iprev_fuzz.c: answers of a DNS that means harm: how each look-up ends, and its records. */
#include "auth/iprev/iprev.h"

#include "base/cursor.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t octets[16] = { 0x20, 0x01, [15] = 1 };
    struct cursor c = cursor_over(slice_make((const char *)data, size));
    struct lookup_question question;
    struct iprev iprev;
    struct buffer text;
    iprev_begin(octets, size % 2 == 0 ? 4 : 16, &iprev);
    while (iprev_next(&iprev, &question)) {
        struct slice records[8];
        struct lookup_answer answer = { .kind = LOOKUP_FAILED, .records = records };
        if (!cursor_at_end(&c))
            answer.kind = (enum lookup_kind)(cursor_take(&c) % 4);
        while (answer.kind == LOOKUP_FOUND && answer.records_count < 8 && !cursor_at_end(&c)) {
            size_t len = (unsigned char)cursor_take(&c);
            struct slice record = slice_part(cursor_rest(&c), 0, len);
            c.at += record.len;
            records[answer.records_count++] = record;
        }
        iprev_answer(&iprev, &answer);
    }
    buffer_init(&text, 1024);
    iprev_append_result(&iprev, &text);
    must(!text.overflow && slice_find(buffer_slice(&text), '\n') == SLICE_NOT_FOUND);
    buffer_free(&text);
    return 0;
}
