/* parse_headers.c: the fields of a header, and what our parsers read in those that have a
 * grammar. */
#include "cli/parse_private.h"

#include "wire/message/addresses.h"
#include "wire/message/date.h"
#include "wire/message/header.h"
#include "wire/report/lines.h"

static json_t *ids_of(struct slice value)
{
    struct cursor c = cursor_over(value);
    struct slice id;
    json_t *all = json_array();
    while (message_id_next(&c, &id))
        json_array_append_new(all, batch_text(id));
    return all;
}

/* Seconds since 1970 and minutes east of Greenwich. */
static json_t *date_of(struct slice value)
{
    struct date date;
    if (!date_parse(value, &date))
        return json_null();
    return json_pack("{s:I, s:i}", "unix", (json_int_t)(date.wall_ms / 1000), "zone_minutes",
                     date.zone_minutes);
}

static void add_meaning(json_t *field, struct slice name, struct slice value)
{
    static const struct slice id_names[] = { SLICE_INIT("Message-ID"),
                                             SLICE_INIT("In-Reply-To"),
                                             SLICE_INIT("References") };
    static const struct slice address_names[] = {
        SLICE_INIT("From"), SLICE_INIT("To"), SLICE_INIT("Cc"), SLICE_INIT("Bcc"),
        SLICE_INIT("Sender"), SLICE_INIT("Reply-To"),
    };
    for (size_t i = 0; i < sizeof id_names / sizeof *id_names; i++)
        if (slice_equal_nocase(name, id_names[i]))
            json_object_set_new(field, "ids", ids_of(value));
    for (size_t i = 0; i < sizeof address_names / sizeof *address_names; i++)
        if (slice_equal_nocase(name, address_names[i]))
            json_object_set_new(field, "addresses", parse_address_list(value));
    if (slice_equal_nocase(name, SLICE("Date")))
        json_object_set_new(field, "date", date_of(value));
}

static json_t *show_field(const struct header_field *f)
{
    struct buffer line;
    buffer_init(&line, HEADER_BYTES_MAX);
    header_append_unfolded(&line, f->value);
    json_t *field = json_pack("{s:o, s:o}", "name", batch_text(f->name), "value",
                              batch_text(buffer_slice(&line)));
    buffer_free(&line);
    if (field != NULL && f->has_gap)
        json_object_set_new(field, "gap", json_true());
    if (field != NULL)
        add_meaning(field, f->name, f->value);
    return field;
}

/* RFC 5322 2.2; the limits are those that a message is accepted by (HOSTILE 101). */
static json_t *show(struct slice message)
{
    struct cursor c = cursor_over(slice_part(message, 0, HEADER_BYTES_MAX));
    struct cursor start = c;
    struct header_field f;
    enum header_result result;
    json_t *fields = json_array();
    json_t *malformed = json_array();
    size_t count = 0;
    while (count < HEADER_FIELDS_MAX && (result = header_next(&c, &f)) != HEADER_END) {
        count++;
        if (result == HEADER_FIELD)
            json_array_append_new(fields, show_field(&f));
        else
            json_array_append_new(malformed, batch_text(f.whole));
    }
    struct cursor behind = c;
    bool is_cut = (count == HEADER_FIELDS_MAX && header_next(&behind, &f) != HEADER_END) ||
                  (cursor_at_end(&c) && message.len > HEADER_BYTES_MAX);
    return json_pack("{s:o, s:o, s:b, s:i}", "fields", fields, "malformed", malformed, "cut",
                     is_cut, "size", (int)cursor_since(&c, &start).len);
}

json_t *parse_headers(struct slice message)
{
    struct buffer lines;
    buffer_init(&lines, 4 * HEADER_BYTES_MAX);
    report_append_lines(&lines, slice_part(message, 0, 2 * HEADER_BYTES_MAX));
    json_t *answer = lines.overflow ? NULL : show(buffer_slice(&lines));
    buffer_free(&lines);
    return answer;
}

json_t *parse_headers_entry(const json_t *entry)
{
    struct slice text;
    return batch_string(entry, "header", &text) ? parse_headers(text) : json_null();
}
