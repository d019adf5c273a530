/* queue_print.c: the queue as a table, a row a recipient; and one message in full. */
#include "cli/queue_private.h"

#include "cli/show.h"

#include <stdio.h>
#include <string.h>

enum { CELL_MAX = 4096, WIDTH_MAX = 44 };

static const char *const headings[QUEUE_COLUMNS] = {
    [QUEUE_COLUMN_ID] = "ID", [QUEUE_COLUMN_AGE] = "AGE", [QUEUE_COLUMN_SIZE] = "SIZE",
    [QUEUE_COLUMN_SENDER] = "SENDER", [QUEUE_COLUMN_RECIPIENT] = "RECIPIENT",
    [QUEUE_COLUMN_STATE] = "STATE", [QUEUE_COLUMN_NEXT] = "NEXT",
    [QUEUE_COLUMN_WHY] = "WHY",
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static const char *state_of(const json_t *recipient)
{
    if (json_is_true(json_object_get(recipient, "in_flight")))
        return "sending";
    if (strcmp(text_of(recipient, "state"), "held") == 0)
        return "held";
    return number_of(recipient, "next") == 0 ? "ready" : "waiting";
}

static void append_next(struct buffer *out, const json_t *recipient, int64_t now_ms)
{
    int64_t next = number_of(recipient, "next");
    const char *state = state_of(recipient);
    if (strcmp(state, "waiting") != 0)
        buffer_append_string(out, strcmp(state, "held") == 0 ? "-" : "now");
    else if (next <= now_ms)
        buffer_append(out, SLICE("now"));
    else
        show_duration(out, next - now_ms);
}

static void append_why(struct buffer *out, const json_t *recipient)
{
    int64_t code = number_of(recipient, "code");
    const char *status = text_of(recipient, "status");
    if (code != 0)
        buffer_append_format(out, "%lld ", (long long)code);
    if (status[0] != '\0') {
        show_text(out, status);
        buffer_append_byte(out, ' ');
    }
    show_text(out, text_of(recipient, "reason"));
}

static void append_address(struct buffer *out, const char *address, const char *otherwise)
{
    show_text(out, address[0] == '\0' ? otherwise : address);
}

static const char *recipient_name(const json_t *recipient)
{
    const char *address = text_of(recipient, "address");
    return address[0] == '\0' ? text_of(recipient, "domain") : address;
}

static void append_cell(struct buffer *out, enum queue_column column, const json_t *object,
                        int64_t now_ms)
{
    const json_t *recipient = json_object_get(object, "recipient");
    switch (column) {
    case QUEUE_COLUMN_ID:
        show_text(out, text_of(object, "id"));
        return;
    case QUEUE_COLUMN_AGE:
        show_duration(out, now_ms - number_of(object, "received"));
        return;
    case QUEUE_COLUMN_SIZE:
        show_size(out, (uint64_t)number_of(object, "size"));
        return;
    case QUEUE_COLUMN_SENDER:
        append_address(out, text_of(object, "sender"), "<>");
        return;
    case QUEUE_COLUMN_RECIPIENT:
        append_address(out, recipient_name(recipient), "?");
        return;
    case QUEUE_COLUMN_STATE:
        buffer_append_string(out, state_of(recipient));
        return;
    case QUEUE_COLUMN_NEXT:
        append_next(out, recipient, now_ms);
        return;
    case QUEUE_COLUMN_WHY:
        append_why(out, recipient);
        return;
    case QUEUE_COLUMNS:
        return;
    }
}

static void measure(struct queue_table *table, const json_t *objects, struct buffer *cell,
                    int64_t now_ms)
{
    for (size_t i = 0; i < json_array_size(objects); i++)
        for (unsigned column = 0; column < QUEUE_COLUMN_WHY; column++) {
            buffer_clear(cell);
            append_cell(cell, column, json_array_get(objects, i), now_ms);
            size_t width = show_width(buffer_slice(cell));
            if (width > table->widths[column] && width <= WIDTH_MAX)
                table->widths[column] = width;
        }
}

static void print_cell(const struct queue_table *table, unsigned column, struct slice text)
{
    bool is_last = column == QUEUE_COLUMN_WHY;
    size_t width = show_width(text);
    size_t padding = is_last || width >= table->widths[column]
                         ? 0 : table->widths[column] - width;
    bool to_right = column == QUEUE_COLUMN_AGE || column == QUEUE_COLUMN_SIZE ||
                    column == QUEUE_COLUMN_NEXT;
    if (to_right)
        printf("%*s", (int)padding, "");
    fwrite(text.data, 1, text.len, stdout);
    if (!to_right && !is_last)
        printf("%*s", (int)padding, "");
    fputs(is_last ? "\n" : "  ", stdout);
}

static void print_heading(struct queue_table *table)
{
    if (table->has_heading)
        return;
    table->has_heading = true;
    for (unsigned column = 0; column < QUEUE_COLUMNS; column++)
        print_cell(table, column, slice_from_string(headings[column]));
}

void queue_table_print(struct queue_table *table, const json_t *objects, int64_t now_ms)
{
    struct buffer cell;
    if (json_array_size(objects) == 0)
        return;
    buffer_init(&cell, CELL_MAX);
    for (unsigned column = 0; column < QUEUE_COLUMNS; column++)
        if (table->widths[column] < strlen(headings[column]))
            table->widths[column] = strlen(headings[column]);
    measure(table, objects, &cell, now_ms);
    print_heading(table);
    for (size_t i = 0; i < json_array_size(objects); i++)
        for (unsigned column = 0; column < QUEUE_COLUMNS; column++) {
            buffer_clear(&cell);
            append_cell(&cell, column, json_array_get(objects, i), now_ms);
            print_cell(table, column, buffer_slice(&cell));
        }
    buffer_free(&cell);
}

static void print_buffer(struct buffer *b)
{
    struct slice text = buffer_slice(b);
    if (text.len > 0)
        fwrite(text.data, 1, text.len, stdout);
    buffer_free(b);
}

static void print_envelope(const json_t *object, int64_t now_ms)
{
    struct buffer b;
    int64_t received = number_of(object, "received");
    buffer_init(&b, CELL_MAX);
    buffer_append(&b, SLICE("id         "));
    show_text(&b, text_of(object, "id"));
    buffer_append(&b, SLICE("\nreceived   "));
    show_time(&b, received);
    buffer_append(&b, SLICE(" ("));
    show_duration(&b, now_ms - received);
    buffer_append(&b, SLICE(" ago)\nsize       "));
    show_size(&b, (uint64_t)number_of(object, "size"));
    buffer_append(&b, SLICE("\nsender     "));
    append_address(&b, text_of(object, "sender"), "<>");
    buffer_append_format(&b, "\nrecipients %lld in all\n",
                         (long long)number_of(object, "recipients"));
    print_buffer(&b);
}

static void print_recipient(const json_t *r, int64_t now_ms)
{
    struct buffer b;
    buffer_init(&b, CELL_MAX);
    buffer_append(&b, SLICE("\nrecipient  "));
    append_address(&b, recipient_name(r), "?");
    buffer_append(&b, SLICE("\n  state    "));
    buffer_append_string(&b, state_of(r));
    buffer_append_format(&b, ", %lld attempts so far", (long long)number_of(r, "attempts"));
    if (strcmp(state_of(r), "waiting") == 0) {
        buffer_append(&b, SLICE("\n  next     "));
        show_time(&b, number_of(r, "next"));
        buffer_append(&b, SLICE(" (in "));
        append_next(&b, r, now_ms);
        buffer_append_byte(&b, ')');
    }
    if (text_of(r, "site")[0] != '\0') {
        buffer_append(&b, SLICE("\n  site     "));
        show_text(&b, text_of(r, "site"));
    }
    if (number_of(r, "code") != 0 || text_of(r, "reason")[0] != '\0') {
        buffer_append(&b, SLICE("\n  why      "));
        append_why(&b, r);
    }
    buffer_append_byte(&b, '\n');
    print_buffer(&b);
}

/* The lines of the header, each made harmless; their ends are kept. */
static void print_header(const char *header)
{
    struct slice rest = slice_from_string(header);
    struct slice line;
    struct buffer b;
    buffer_init(&b, rest.len * 4 + CELL_MAX);
    buffer_append_byte(&b, '\n');
    while (slice_split(&rest, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        bool is_folded = line.len > 0 && line.data[0] == '\t';
        buffer_append_string(&b, is_folded ? "    " : "");
        buffer_append_escaped(&b, slice_from(line, is_folded ? 1 : 0));
        buffer_append_byte(&b, '\n');
    }
    print_buffer(&b);
}

void queue_print_message(const json_t *objects, int64_t now_ms)
{
    const char *header = NULL;
    bool has_envelope = false;
    for (size_t i = 0; i < json_array_size(objects); i++) {
        const json_t *object = json_array_get(objects, i);
        const json_t *recipient = json_object_get(object, "recipient");
        if (json_object_get(object, "header") != NULL)
            header = text_of(object, "header");
        if (recipient == NULL)
            continue;
        if (!has_envelope)
            print_envelope(object, now_ms);
        has_envelope = true;
        print_recipient(recipient, now_ms);
    }
    if (header != NULL)
        print_header(header);
}
