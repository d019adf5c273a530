#include "milter/letter.h"

#include "base/ascii.h"
#include "base/buffer.h"
#include "wire/message/header.h"

enum { NAME_MAX_BYTES = 255, SPARE = 16 };

static const char no_memory[] = "no memory for its changes";
static const char too_much[] = "the header would be too large";

static bool make_room(struct letter *l, size_t wanted)
{
    if (wanted <= l->fields_room)
        return true;
    size_t room = wanted + wanted / 2 + SPARE;
    struct slice *all = arena_alloc_many(l->arena, room, sizeof *all);
    if (all == NULL)
        return false;
    if (l->fields_count > 0)
        memcpy(all, l->fields, l->fields_count * sizeof *all);
    l->fields = all;
    l->fields_room = room;
    return true;
}

static bool put(struct letter *l, size_t at, struct slice whole)
{
    if (!make_room(l, l->fields_count + 1))
        return false;
    memmove(&l->fields[at + 1], &l->fields[at], (l->fields_count - at) * sizeof *l->fields);
    l->fields[at] = whole;
    l->fields_count++;
    l->header_bytes += whole.len;
    return true;
}

/* Puts the fields of a block, which is kept, from `at` on. */
static bool put_all(struct letter *l, size_t at, struct slice block, size_t *out_used)
{
    struct cursor c = cursor_over(block);
    struct header_field field;
    *out_used = 0;
    while (header_next(&c, &field) != HEADER_END) {
        if (!put(l, at++, field.whole))
            return false;
        *out_used += field.whole.len;
    }
    return true;
}

bool letter_make(struct letter *l, struct arena *arena, const struct letter_limits *limits,
                 struct slice header, const struct envelope *e)
{
    struct slice copy = { 0 };
    size_t used;
    *l = (struct letter){ .arena = arena, .limits = *limits, .sender = e->sender,
                          .envid = e->envid, .ret = e->ret };
    if (!arena_copy(arena, header, &copy) || !put_all(l, 0, copy, &used))
        return false;
    l->has_end = used < copy.len;
    l->recipients_room = e->recipients_count + SPARE;
    l->recipients = arena_alloc_many(arena, l->recipients_room, sizeof *l->recipients);
    if (l->recipients == NULL)
        return false;
    if (e->recipients_count > 0)
        memcpy(l->recipients, e->recipients, e->recipients_count * sizeof *l->recipients);
    l->recipients_count = e->recipients_count;
    return true;
}

bool letter_prepend(struct letter *l, struct slice header)
{
    struct slice copy = { 0 };
    size_t used;
    return arena_copy(l->arena, header, &copy) && put_all(l, 0, copy, &used) &&
           put(l, 0, slice_make(NULL, 0));
}

bool letter_fork(const struct letter *l, struct letter *out)
{
    struct letter fork = *l;
    fork.fields_room = fork.recipients_room = 0;
    fork.fields = NULL;
    fork.fields_room = l->fields_count + SPARE;
    fork.recipients_room = l->recipients_count + SPARE;
    fork.fields = arena_alloc_many(l->arena, fork.fields_room, sizeof *fork.fields);
    fork.recipients = arena_alloc_many(l->arena, fork.recipients_room,
                                       sizeof *fork.recipients);
    if (fork.fields == NULL || fork.recipients == NULL)
        return false;
    if (l->fields_count > 0)
        memcpy(fork.fields, l->fields, l->fields_count * sizeof *fork.fields);
    if (l->recipients_count > 0)
        memcpy(fork.recipients, l->recipients,
               l->recipients_count * sizeof *fork.recipients);
    *out = fork;
    return true;
}

bool letter_field(const struct letter *l, size_t index, struct slice *out_name,
                  struct slice *out_value)
{
    struct cursor c = cursor_over(l->fields[index]);
    struct header_field field;
    if (header_next(&c, &field) != HEADER_FIELD)
        return false;
    *out_name = field.name;
    *out_value = field.value;
    return true;
}

/* field-name = 1*ftext (RFC 5322 3.6.8) */
static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == ':')
            return false;
    return name.len > 0 && name.len <= NAME_MAX_BYTES;
}

static bool is_break(char c)
{
    return c == '\r' || c == '\n';
}

/* Any row of line ends becomes one fold: what follows is part of the field, whatever it
 * looks like, and no line is empty or blank. */
static void append_folded(struct buffer *out, struct slice value)
{
    size_t i = 0;
    while (i < value.len) {
        if (!is_break(value.data[i])) {
            buffer_append_byte(out, value.data[i++]);
            continue;
        }
        size_t blanks = i;
        while (i < value.len && (is_break(value.data[i]) || ascii_is_blank(value.data[i])))
            if (is_break(value.data[i++]))
                blanks = i;
        if (i == value.len)
            return;
        buffer_append(out, SLICE("\r\n"));
        buffer_append(out, blanks < i ? slice_part(value, blanks, i - blanks) : SLICE("\t"));
    }
}

static bool is_high(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_high(text.data[i]))
            return true;
    return false;
}

/* The whole field, in the arena. `spare`: octets that leave the header with it. */
static const char *make_field(struct letter *l, struct slice name, struct slice value,
                              bool is_exact, size_t spare, struct slice *out)
{
    struct buffer text;
    const char *fault = NULL;
    if (!is_name(name))
        return "the name of a field that cannot be one";
    size_t left = l->limits.header_bytes + spare;
    buffer_init(&text, left > l->header_bytes ? left - l->header_bytes : 1);
    buffer_append(&text, name);
    buffer_append_byte(&text, ':');
    if (!is_exact && value.len > 0)
        buffer_append_byte(&text, ' ');
    append_folded(&text, value);
    buffer_append(&text, SLICE("\r\n"));
    if (text.overflow)
        fault = too_much;
    else if (!arena_copy(l->arena, buffer_slice(&text), out))
        fault = no_memory;
    buffer_free(&text);
    if (fault == NULL && is_high(value))
        l->has_8bit = true;
    return fault;
}

static const char *insert_at(struct letter *l, size_t at, struct slice name,
                             struct slice value, bool is_exact)
{
    struct slice whole;
    if (l->fields_count >= l->limits.header_fields)
        return too_much;
    const char *fault = make_field(l, name, value, is_exact, 0, &whole);
    if (fault == NULL && !put(l, at, whole))
        fault = no_memory;
    if (fault == NULL)
        l->header_edits++;
    return fault;
}

const char *letter_add(struct letter *l, struct slice name, struct slice value, bool is_exact)
{
    return insert_at(l, l->fields_count, name, value, is_exact);
}

const char *letter_insert(struct letter *l, uint32_t index, struct slice name,
                          struct slice value, bool is_exact)
{
    size_t at = 0;
    struct slice any;
    for (uint32_t seen = 0; at < l->fields_count && seen < index; at++)
        if (l->fields[at].len == 0 || letter_field(l, at, &any, &any))
            seen++;
    return insert_at(l, at, name, value, is_exact);
}

static bool find(const struct letter *l, uint32_t index, struct slice name, size_t *out)
{
    struct slice found;
    struct slice value;
    uint32_t seen = 0;
    for (size_t i = 0; i < l->fields_count; i++) {
        if (!letter_field(l, i, &found, &value) || !slice_equal_nocase(found, name))
            continue;
        if (++seen >= index) {
            *out = i;
            return true;
        }
    }
    return false;
}

const char *letter_change(struct letter *l, uint32_t index, struct slice name,
                          struct slice value, bool is_exact)
{
    size_t at;
    struct slice whole;
    if (!find(l, index, name, &at)) {
        if (value.len == 0)
            return is_name(name) ? NULL : "the name of a field that cannot be one";
        return letter_add(l, name, value, is_exact);
    }
    size_t before = l->fields[at].len;
    if (value.len == 0) {
        memmove(&l->fields[at], &l->fields[at + 1],
                (l->fields_count - at - 1) * sizeof *l->fields);
        l->fields_count--;
    } else {
        const char *fault = make_field(l, name, value, is_exact, before, &whole);
        if (fault != NULL)
            return fault;
        l->fields[at] = whole;
        l->header_bytes += whole.len;
    }
    l->header_bytes -= before;
    l->header_edits++;
    return NULL;
}
