/* maildrop.c: writing and reading the head of a file in the maildrop. */
#include "mail/maildrop.h"

#include "wire/smtp/address.h"
#include "wire/smtp/parameter.h"

#define MAGIC "godwit-maildrop 1"

enum { NOTIFY_ALL = 15 };

void maildrop_append_head(struct buffer *out, const struct envelope *envelope,
                          uint64_t content_size)
{
    uint8_t notify = 0;
    buffer_append(out, SLICE(MAGIC "\nsender "));
    buffer_append(out, envelope->sender);
    buffer_append_byte(out, '\n');
    for (size_t i = 0; i < envelope->recipients_count; i++) {
        const struct envelope_recipient *r = &envelope->recipients[i];
        if (r->notify != notify)
            buffer_append_format(out, "notify %u\n", r->notify);
        notify = r->notify;
        buffer_append(out, SLICE("recipient "));
        buffer_append(out, r->address);
        buffer_append_byte(out, '\n');
    }
    if (envelope->ret != DSN_RET_UNSPECIFIED)
        buffer_append_string(out, envelope->ret == DSN_RET_FULL ? "ret full\n"
                                                                : "ret headers\n");
    if (envelope->envid.len > 0) {
        buffer_append(out, SLICE("envid "));
        buffer_append(out, envelope->envid);
        buffer_append_byte(out, '\n');
    }
    buffer_append(out, SLICE("size "));
    buffer_append_number(out, content_size);
    buffer_append(out, SLICE("\n\n"));
}

struct reading {
    struct maildrop_head head;
    struct envelope_recipient *recipients; /* in the arena, room for all */
    uint8_t notify;
    bool has_sender;
    bool has_size;
    const char *fault;
};

static bool broken(struct reading *r, const char *fault)
{
    r->fault = fault;
    return false;
}

static bool read_address(struct reading *r, struct slice text)
{
    struct smtp_address address;
    if (smtp_address_parse(text, SMTP_UTF8_ALLOWED, &address) != SMTP_PATH_OK)
        return broken(r, "an address that is none");
    r->head.envelope.smtputf8 |= address.utf8;
    return true;
}

static bool read_sender(struct reading *r, struct slice value)
{
    if (r->has_sender)
        return broken(r, "two senders");
    r->has_sender = true;
    r->head.envelope.sender = value;
    return value.len == 0 || read_address(r, value);
}

static bool read_recipient(struct reading *r, struct slice value)
{
    size_t at = r->head.envelope.recipients_count;
    if (at == MAILDROP_RECIPIENTS_MAX)
        return broken(r, "too many recipients");
    if (!read_address(r, value))
        return false;
    r->recipients[at] = (struct envelope_recipient){ .address = value, .notify = r->notify };
    r->head.envelope.recipients_count++;
    return true;
}

static bool read_notify(struct reading *r, struct slice value)
{
    uint64_t notify;
    if (!slice_to_number(value, NOTIFY_ALL, &notify) ||
        ((notify & DSN_NOTIFY_NEVER) != 0 && notify != DSN_NOTIFY_NEVER))
        return broken(r, "a notify that is none");
    r->notify = (uint8_t)notify;
    return true;
}

static bool read_ret(struct reading *r, struct slice value)
{
    if (slice_equal(value, SLICE("full")))
        r->head.envelope.ret = DSN_RET_FULL;
    else if (slice_equal(value, SLICE("headers")))
        r->head.envelope.ret = DSN_RET_HEADERS;
    else
        return broken(r, "a ret that is none");
    return true;
}

static bool read_envid(struct reading *r, struct slice value)
{
    r->head.envelope.envid = value;
    return smtp_envid_is_valid(value) || broken(r, "an envid that is none");
}

static bool read_size(struct reading *r, struct slice value)
{
    if (r->has_size || !slice_to_number(value, UINT64_MAX / 2, &r->head.content_size))
        return broken(r, "a size that is none");
    r->has_size = true;
    return true;
}

/* line = name SP value */
static bool read_line(struct reading *r, struct slice line)
{
    static const struct {
        struct slice name;
        bool (*read)(struct reading *, struct slice);
    } lines[] = {
        { SLICE_INIT("sender "), read_sender }, { SLICE_INIT("recipient "), read_recipient },
        { SLICE_INIT("notify "), read_notify }, { SLICE_INIT("ret "), read_ret },
        { SLICE_INIT("envid "), read_envid },   { SLICE_INIT("size "), read_size },
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (slice_equal(slice_part(line, 0, lines[i].name.len), lines[i].name))
            return lines[i].read(r, slice_from(line, lines[i].name.len));
    return broken(r, "a line of a kind unknown");
}

static bool read_lines(struct reading *r, struct slice head)
{
    struct slice line;
    if (!slice_split(&head, '\n', &line) || !slice_equal(line, SLICE(MAGIC)))
        return broken(r, "not of this form");
    while (slice_split(&head, '\n', &line))
        if (!read_line(r, line))
            return false;
    if (!r->has_sender || !r->has_size || r->head.envelope.recipients_count == 0)
        return broken(r, "no sender, no recipient or no size");
    return true;
}

static size_t count_lines(struct slice s)
{
    size_t count = 0;
    struct slice line;
    while (slice_split(&s, '\n', &line))
        count++;
    return count;
}

enum maildrop_result maildrop_parse_head(struct slice bytes, struct arena *arena,
                                         struct maildrop_head *out_head,
                                         const char **out_fault)
{
    struct slice seen = slice_part(bytes, 0, MAILDROP_HEAD_MAX);
    const char *end = seen.len == 0 ? NULL : memmem(seen.data, seen.len, "\n\n", 2);
    if (end == NULL && seen.len < MAILDROP_HEAD_MAX)
        return MAILDROP_SHORT;
    struct reading r = { .fault = "a head that does not end" };
    bool done = false;
    if (end != NULL) {
        struct slice head = slice_part(bytes, 0, (size_t)(end - bytes.data) + 1);
        size_t lines = count_lines(head);
        if (lines > MAILDROP_RECIPIENTS_MAX)
            lines = MAILDROP_RECIPIENTS_MAX;
        r.recipients = arena_alloc_many(arena, lines, sizeof *r.recipients);
        if (r.recipients == NULL)
            return MAILDROP_MEMORY;
        r.head.len = head.len + 1;
        r.head.envelope.recipients = r.recipients;
        done = read_lines(&r, head);
    }
    if (!done) {
        *out_fault = r.fault;
        return MAILDROP_BROKEN;
    }
    *out_head = r.head;
    return MAILDROP_OK;
}
