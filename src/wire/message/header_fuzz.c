/* header_fuzz.c: a header as it streams by and as a whole: both see the same fields. Each
 * field's value is then read as addresses, as a date and as ids. */
#include "base/must.h"
#include "wire/message/addresses.h"
#include "wire/message/date.h"
#include "wire/message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct slice value)
{
    struct arena arena;
    struct header_addresses list;
    struct date date;
    struct slice id;
    struct buffer out;
    arena_init(&arena, 1 << 22);
    buffer_init(&out, 1 << 22);
    if (header_addresses_parse(value, &arena, &list) == HEADER_ADDRESSES_OK)
        for (const struct header_address *a = list.first; a != NULL; a = a->next)
            must(a->local.len > 0 && a->domain.len > 0 &&
                 slice_find(a->domain, '@') == SLICE_NOT_FOUND);
    if (date_parse(value, &date)) {
        struct date again;
        date_append(&out, date.wall_ms, date.zone_minutes);
        must(date_parse(buffer_slice(&out), &again) && again.wall_ms == date.wall_ms);
    }
    buffer_clear(&out);
    header_append_unfolded(&out, value);
    must(slice_find(buffer_slice(&out), '\n') == SLICE_NOT_FOUND);
    struct cursor c = cursor_over(value);
    while (message_id_next(&c, &id))
        must(id.len > 0);
    arena_free(&arena);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice input = slice_make(data + 1, size - 1);
    struct header_scan scan;
    header_scan_init(&scan, NULL);
    bool ended = false;
    for (struct slice rest = input; rest.len > 0 && !ended;) {
        struct slice part = slice_part(rest, 0, 1 + data[0] % 23u);
        rest = slice_from(rest, part.len);
        ended = header_scan_feed(&scan, &part);
        must(ended || part.len == 0);
    }
    header_scan_finish(&scan);

    struct cursor c = cursor_over(input);
    struct header_field f;
    enum header_result got;
    uint32_t fields = 0;
    uint32_t malformed = 0;
    uint32_t froms = 0;
    while ((got = header_next(&c, &f)) != HEADER_END) {
        must(f.whole.len > 0);
        if (got == HEADER_MALFORMED) {
            malformed++;
            continue;
        }
        fields++;
        froms += header_kind_of(f.name) == HEADER_FROM;
        check_value(f.value);
    }
    must(fields == scan.fields && malformed == scan.malformed_lines &&
         froms == scan.count[HEADER_FROM]);
    must(scan.size == (size_t)(c.at - input.data));
    check_value(input);
    return 0;
}
