/* message_header.c: the fields of the header, and those with a meaning for people. */
#include "content/message_private.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/message/addresses.h"
#include "wire/message/date.h"
#include "wire/message/header.h"

#include <gmime/gmime.h>

struct reading {
    struct arena *arena;
    struct content_message *message;
    struct buffer lines;  /* the header with CRLF, as our parsers want it */
    struct buffer scratch;
    bool is_full;
};

/* Up to the empty line; every line end becomes CRLF. */
static void append_header(struct slice octets, struct buffer *out)
{
    struct slice rest = slice_part(octets, 0, CONTENT_HEADER_MAX);
    struct slice line;
    while (slice_split(&rest, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        buffer_append(out, line);
        buffer_append(out, SLICE("\r\n"));
        if (line.len == 0)
            return;
    }
}

static struct slice keep_scratch(struct reading *r)
{
    struct slice kept = { .len = 0 };
    if (r->scratch.overflow || !arena_copy(r->arena, buffer_slice(&r->scratch), &kept))
        r->is_full = true;
    return kept;
}

static struct slice keep_utf8(struct reading *r, struct slice octets)
{
    buffer_clear(&r->scratch);
    content_to_utf8(octets, (struct slice){ .len = 0 }, &r->scratch);
    return keep_scratch(r);
}

/* A decoded CR, LF or NUL must never make a line of its own somewhere (HOSTILE 105). */
static struct slice keep_plain(struct reading *r, struct slice text)
{
    buffer_clear(&r->scratch);
    for (size_t at = 0; at < text.len;) {
        size_t len = utf8_sequence_len(slice_from(text, at));
        if (len > 0 && !ascii_is_control(text.data[at]))
            buffer_append(&r->scratch, slice_part(text, at, len));
        else
            buffer_append_byte(&r->scratch, text.data[at] == '\t' ? ' ' : '?');
        at += len > 0 ? len : 1;
    }
    return slice_trim(keep_scratch(r));
}

/* RFC 2047; `raw` is unfolded UTF-8. */
static struct slice decode_words(struct reading *r, struct slice raw)
{
    struct slice text = slice_part(raw, 0, CONTENT_TEXT_MAX);
    char *terminated = slice_to_string(text);
    if (terminated == NULL)
        return keep_plain(r, text);
    char *decoded = g_mime_utils_header_decode_text(NULL, terminated);
    struct slice kept = keep_plain(r, slice_part(slice_from_string(decoded), 0,
                                                 CONTENT_TEXT_MAX));
    g_free(decoded);
    free(terminated);
    return kept;
}

static void add_field(struct reading *r, const struct header_field *field)
{
    struct content_message *m = r->message;
    struct content_field *added = &m->fields[m->field_count++];
    struct buffer line;
    buffer_init(&line, HEADER_BYTES_MAX);
    header_append_unfolded(&line, field->value);
    added->name = keep_plain(r, field->name);
    added->raw = keep_utf8(r, buffer_slice(&line));
    bool has_words = slice_contains_nocase(added->raw, SLICE("=?"));
    added->value = has_words ? decode_words(r, added->raw) : keep_plain(r, added->raw);
    buffer_free(&line);
}

static void read_fields(struct reading *r)
{
    struct cursor c = cursor_over(buffer_slice(&r->lines));
    struct header_field field;
    enum header_result result;
    size_t count = 0;
    struct cursor counting = c;
    while (header_next(&counting, &field) == HEADER_FIELD || !cursor_at_end(&counting))
        count++;
    if (count > CONTENT_FIELDS_MAX)
        count = CONTENT_FIELDS_MAX;
    r->message->fields = arena_alloc_many(r->arena, count + 1, sizeof *r->message->fields);
    if (r->message->fields == NULL) {
        r->is_full = true;
        return;
    }
    while (r->message->field_count < count && (result = header_next(&c, &field)) != HEADER_END)
        if (result == HEADER_FIELD)
            add_field(r, &field);
}

static struct slice address_text(struct reading *r, const struct header_address *address)
{
    buffer_clear(&r->scratch);
    buffer_append(&r->scratch, address->local);
    buffer_append_byte(&r->scratch, '@');
    buffer_append(&r->scratch, address->domain);
    return keep_plain(r, keep_scratch(r));
}

static bool add_address(struct reading *r, struct content_addresses *to, size_t *room,
                        struct content_address address)
{
    if (to->count == CONTENT_ADDRESSES_MAX)
        return false;
    if (to->count == *room) {
        size_t wanted = *room == 0 ? 4 : 2 * *room;
        struct content_address *larger = arena_alloc_many(r->arena, wanted, sizeof *larger);
        if (larger == NULL) {
            r->is_full = true;
            return false;
        }
        if (to->count > 0)
            memcpy(larger, to->items, to->count * sizeof *larger);
        to->items = larger;
        *room = wanted;
    }
    to->items[to->count++] = address;
    return true;
}

static bool add_parsed(struct reading *r, struct slice value, struct content_addresses *to,
                       size_t *room)
{
    struct header_addresses parsed;
    if (header_addresses_parse(value, r->arena, &parsed) != HEADER_ADDRESSES_OK)
        return false;
    for (struct header_address *a = parsed.first; a != NULL; a = a->next)
        if (!add_address(r, to, room, (struct content_address){ decode_words(r, a->name),
                                                                address_text(r, a) }))
            break;
    return true;
}

/* One member of a list that is no list of addresses as a whole. */
static void add_member(struct reading *r, struct slice member, struct content_addresses *to,
                       size_t *room)
{
    struct slice text = slice_trim(member);
    if (text.len == 0 || add_parsed(r, text, to, room))
        return;
    bool is_word = slice_find(text, ' ') == SLICE_NOT_FOUND &&
                   slice_find(text, '"') == SLICE_NOT_FOUND &&
                   slice_find(text, '@') == SLICE_NOT_FOUND;
    struct slice shown = decode_words(r, text);
    add_address(r, to, room, is_word ? (struct content_address){ .address = shown }
                                     : (struct content_address){ .name = shown });
}

/* Commas within quotes, angles and comments part nothing. */
static size_t member_len(struct slice rest)
{
    bool in_quotes = false;
    int nesting = 0;
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.data[i];
        if (c == '\\')
            i++;
        else if (c == '"')
            in_quotes = !in_quotes;
        else if (!in_quotes && (c == '<' || c == '('))
            nesting++;
        else if (!in_quotes && (c == '>' || c == ')') && nesting > 0)
            nesting--;
        else if (c == ',' && !in_quotes && nesting == 0)
            return i;
    }
    return rest.len;
}

static void read_addresses(struct reading *r, struct slice value, struct content_addresses *to)
{
    size_t room = to->count;
    if (add_parsed(r, value, to, &room))
        return;
    while (value.len > 0 && !r->is_full && to->count < CONTENT_ADDRESSES_MAX) {
        size_t len = member_len(value);
        add_member(r, slice_part(value, 0, len), to, &room);
        value = slice_from(value, len + 1);
    }
}

static void read_meanings(struct reading *r)
{
    struct content_message *m = r->message;
    const struct { struct slice name; struct content_addresses *to; } lists[] = {
        { SLICE("From"), &m->from }, { SLICE("Sender"), &m->sender },
        { SLICE("Reply-To"), &m->reply_to }, { SLICE("To"), &m->to }, { SLICE("Cc"), &m->cc },
        { SLICE("Bcc"), &m->bcc },
    };
    for (size_t i = 0; i < m->field_count; i++)
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
            if (slice_equal_nocase(m->fields[i].name, lists[k].name))
                read_addresses(r, m->fields[i].raw, lists[k].to);
}

static struct slice in_brackets(struct slice value)
{
    size_t from = slice_find(value, '<');
    size_t to = slice_find_last(value, '>');
    if (from == SLICE_NOT_FOUND || to == SLICE_NOT_FOUND || to < from)
        return slice_trim(value);
    return slice_trim(slice_part(value, from + 1, to - from - 1));
}

static struct slice value_of(const struct content_message *m, struct slice name)
{
    const struct content_field *field = content_message_field(m, name);
    return field == NULL ? (struct slice){ .len = 0 } : field->value;
}

static void read_singles(struct reading *r)
{
    struct content_message *m = r->message;
    struct date date;
    m->subject = value_of(m, SLICE("Subject"));
    m->message_id = in_brackets(value_of(m, SLICE("Message-ID")));
    m->return_path = in_brackets(value_of(m, SLICE("Return-Path")));
    m->has_date = date_parse(value_of(m, SLICE("Date")), &date);
    if (m->has_date) {
        m->date_ms = date.wall_ms;
        m->zone_minutes = date.zone_minutes;
    }
    m->unsubscribe.failure = "";
    m->unsubscribe.post = value_of(m, SLICE("List-Unsubscribe-Post"));
    if (!message_read_unsubscribe(value_of(m, SLICE("List-Unsubscribe")), r->arena,
                                  &m->unsubscribe))
        r->is_full = true;
}

bool message_read_header(struct slice octets, struct arena *arena,
                         struct content_message *message)
{
    struct reading r = { .arena = arena, .message = message };
    buffer_init(&r.lines, 2 * CONTENT_HEADER_MAX + 4);
    buffer_init(&r.scratch, 4 * CONTENT_HEADER_MAX);
    append_header(octets, &r.lines);
    if (!r.lines.overflow)
        read_fields(&r);
    read_meanings(&r);
    read_singles(&r);
    buffer_free(&r.lines);
    buffer_free(&r.scratch);
    return !r.is_full;
}
