/* letter_fuzz.c: a message and what a hostile filter makes of it: whatever comes, the header is
 * whole fields within its limits, and the envelope is addresses. A header stands first, up to
 * an empty line; then edits as packets. */
#include "milter/letter.h"

#include "base/must.h"
#include "wire/message/header.h"
#include "wire/milter/reply.h"
#include "wire/smtp/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct letter_limits limits = { 64 * 1024, 200, 20 };

static const char *edit(struct letter *l, const struct milter_reply *r)
{
    switch ((char)r->kind) {
    case 'h':
        return letter_add(l, r->name, r->text, false);
    case 'i':
        return letter_insert(l, r->index, r->name, r->text, true);
    case 'm':
        return letter_change(l, r->index, r->name, r->text, false);
    case '+':
    case '2':
        return letter_add_recipient(l, r->text, r->parameters);
    case '-':
        return letter_delete_recipient(l, r->text);
    case 'e':
        return letter_set_sender(l, r->text, r->parameters);
    }
    return NULL;
}

/* What a filter made is one field: it begins with a name, and each line end is a fold. */
static void check_field(struct slice whole)
{
    struct cursor c = cursor_over(whole);
    struct header_field field;
    must(header_next(&c, &field) == HEADER_FIELD && cursor_at_end(&c));
    must(field.whole.len == whole.len && !field.has_gap);
    for (size_t i = 0; i < whole.len; i++) {
        if (whole.data[i] != '\r' && whole.data[i] != '\n')
            continue;
        must(whole.data[i] == '\r' && i + 1 < whole.len && whole.data[i + 1] == '\n');
        i++;
        if (i + 1 == whole.len)
            return;
        must(whole.data[i + 1] == ' ' || whole.data[i + 1] == '\t');
    }
    must(false);
}

static void check(const struct letter *l, struct slice header)
{
    size_t bytes = 0;
    for (size_t i = 0; i < l->fields_count; i++) {
        struct slice whole = l->fields[i];
        bool is_old = whole.data >= header.data && whole.data < header.data + header.len;
        bytes += whole.len;
        if (!is_old && whole.len > 0)
            check_field(whole);
    }
    must(bytes == l->header_bytes);
    for (size_t i = 0; i < l->recipients_count; i++) {
        struct smtp_address address;
        must(smtp_address_parse(l->recipients[i].address, SMTP_UTF8_ALLOWED, &address) ==
             SMTP_PATH_OK);
    }
    struct smtp_address sender;
    must(l->sender.len == 0 ||
         smtp_address_parse(l->sender, SMTP_UTF8_ALLOWED, &sender) == SMTP_PATH_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct envelope_recipient first = { .address = SLICE_INIT("a@b.test") };
    static const struct envelope envelope = { .recipients = &first, .recipients_count = 1 };
    struct slice input = slice_make(data, size);
    struct slice all = input;
    struct header_scan scan;
    struct arena arena;
    struct letter letter;
    struct milter_reader reader;
    struct milter_reply reply;
    arena_init(&arena, 1 << 22);
    milter_reader_init(&reader);
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &input);
    struct slice header = slice_part(all, 0, all.len - input.len);
    if (header.len < limits.header_bytes &&
        letter_make(&letter, &arena, &limits, header, &envelope)) {
        /* what was there lies in one piece of the arena */
        struct slice old = letter.fields_count == 0 ? slice_make(NULL, 0)
            : slice_make(letter.fields[0].data, header.len);
        while (milter_reader_next(&reader, &input, &reply) == MILTER_REPLY_TAKEN)
            if (edit(&letter, &reply) != NULL)
                break;
        check(&letter, old);
    }
    milter_reader_free(&reader);
    arena_free(&arena);
    return 0;
}
