/* notice.c: lines sorted by where an address stands in them. */
#include "wire/report/notice.h"

#include "base/ascii.h"
#include "wire/report/lines.h"

/* How sure a place is to name whom the message did not reach, least first. */
enum level {
    LEVEL_NONE,
    LEVEL_INLINE, /* in a sentence */
    LEVEL_LABEL,  /* behind "Recipient:" and its like */
    LEVEL_START,  /* at the beginning of a line */
};

/* A line with one of these ends the notice; the message that came back follows. */
static const struct slice markers[] = {
    SLICE_INIT("copy of the message"),
    SLICE_INIT("copy of your message"),
    SLICE_INIT("copy of the original"),
    SLICE_INIT("below this line"),
    SLICE_INIT("original message follows"),
    SLICE_INIT("original message -"),
    SLICE_INIT("-original m"),
    SLICE_INIT("- original m"),
    SLICE_INIT("original message header"),
    SLICE_INIT("original mail as follows"),
    SLICE_INIT("header of the original"),
    SLICE_INIT("headers of the original"),
    SLICE_INIT("unsent message"),
    SLICE_INIT("undelivered message follows"),
    SLICE_INIT("returned message -"),
    SLICE_INIT("message headers follow"),
    SLICE_INIT("message header follow"),
    SLICE_INIT("rejected message"),
};

/* And so does a line that begins with one of these. */
static const struct slice header_starts[] = {
    SLICE_INIT("Received:"),
    SLICE_INIT("Return-Path:"),
    SLICE_INIT("DKIM-Signature:"),
    SLICE_INIT("DomainKey-Signature:"),
};

/* What stands before an address that is a recipient's. */
static const struct slice labels[] = {
    SLICE_INIT("recipient:"),
    SLICE_INIT("recipients:"),
    SLICE_INIT("recipient <"),
    SLICE_INIT("rcpt to:"),
    SLICE_INIT("delivered to:"),
    SLICE_INIT("delivering your mail to"),
};

/* Lines with these speak of somebody else. */
static const struct slice not_recipients[] = {
    SLICE_INIT("mail from"),
    SLICE_INIT("sender"),
    SLICE_INIT("from:"),
    SLICE_INIT("contact"),
    SLICE_INIT("assistance"),
    SLICE_INIT("postmaster@"),
    SLICE_INIT("mailer-daemon@"),
    SLICE_INIT("message-id"),
    SLICE_INIT("subject:"),
};

enum { MARKER_LINE_MAX = 160 };

size_t notice_find(struct slice text, struct slice lower)
{
    if (lower.len == 0)
        return 0;
    for (size_t at = 0; at + lower.len <= text.len; at++) {
        size_t i = 0;
        while (i < lower.len && ascii_lower(text.data[at + i]) == lower.data[i])
            i++;
        if (i == lower.len)
            return at;
    }
    return SLICE_NOT_FOUND;
}

static bool has_any(struct slice line, const struct slice *these, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (notice_find(line, these[i]) != SLICE_NOT_FOUND)
            return true;
    return false;
}

#define HAS_ANY(line, table) has_any(line, table, sizeof(table) / sizeof *(table))

static bool ends_notice(struct slice line)
{
    for (size_t i = 0; i < sizeof header_starts / sizeof *header_starts; i++)
        if (slice_starts_with_nocase(line, header_starts[i]))
            return true;
    return line.len <= MARKER_LINE_MAX && HAS_ANY(line, markers);
}

static bool is_local_character(char c)
{
    return ascii_is_alnum(c) || ascii_is_high(c) ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_domain_character(char c)
{
    return ascii_is_alnum(c) || ascii_is_high(c) || c == '-' || c == '.' || c == '_';
}

/* Where the local part before text[at] begins; `at` when there is none. */
static size_t local_start(struct slice text, size_t at)
{
    size_t start = at;
    if (at > 1 && text.data[at - 1] == '"') {
        for (size_t i = at - 1; i > 0 && at - i < NOTICE_ADDRESS_MAX; i--)
            if (text.data[i - 1] == '"')
                return i - 1;
        return at;
    }
    while (start > 0 && at - start < NOTICE_ADDRESS_MAX &&
           is_local_character(text.data[start - 1]))
        start--;
    while (start < at && (text.data[start] == '\'' || text.data[start] == '.' ||
                          text.data[start] == '=' || text.data[start] == '*'))
        start++;
    return start;
}

bool notice_address_next(struct slice *text, struct slice *out_address)
{
    for (size_t at = 0; at < text->len; at++) {
        if (text->data[at] != '@')
            continue;
        size_t start = local_start(*text, at);
        size_t end = at + 1;
        while (end < text->len && is_domain_character(text->data[end]))
            end++;
        size_t next = end;
        while (end > at + 1 && !ascii_is_alnum(text->data[end - 1]) &&
               !ascii_is_high(text->data[end - 1]))
            end--;
        if (start < at && end > at + 1 && end - start <= NOTICE_ADDRESS_MAX) {
            *out_address = slice_part(*text, start, end - start);
            *text = slice_from(*text, next);
            return true;
        }
    }
    return false;
}

struct reading {
    struct notice notice;
    struct slice strangers;
    bool takes_strangers;
    enum level level;                /* of the recipients so far */
    struct notice_recipient *open;   /* whom the lines are about, or NULL */
    const char *open_since;
    const char *pending_since;       /* the first line that is about nobody yet */
};

static bool is_stranger(const struct reading *r, struct slice address)
{
    char lower[NOTICE_ADDRESS_MAX];
    for (size_t i = 0; i < address.len; i++)
        lower[i] = ascii_lower(address.data[i]);
    return !r->takes_strangers &&
           notice_find(r->strangers, slice_make(lower, address.len)) != SLICE_NOT_FOUND;
}

static void add_text(struct notice_recipient *recipient, const char *start, const char *end)
{
    if (recipient != NULL && recipient->texts_count < NOTICE_TEXTS_MAX && end > start)
        recipient->texts[recipient->texts_count++] =
            slice_make(start, (size_t)(end - start));
}

static void close_open(struct reading *r, const char *end)
{
    add_text(r->open, r->open_since, end);
    r->open = NULL;
}

/* The recipient of that address, made when it is new; NULL when it is not to be taken. */
static struct notice_recipient *recipient_of(struct reading *r, struct slice address,
                                             enum level level)
{
    struct notice *n = &r->notice;
    if (is_stranger(r, address) || level < r->level)
        return NULL;
    if (level > r->level) {
        n->count = 0;
        r->open = NULL;
        r->level = level;
    }
    for (size_t i = 0; i < n->count; i++)
        if (slice_equal_nocase(n->recipients[i].address, address))
            return &n->recipients[i];
    if (n->count == NOTICE_RECIPIENTS_MAX || (level == LEVEL_INLINE && n->count == 1))
        return NULL;
    n->recipients[n->count] = (struct notice_recipient){ .address = address };
    return &n->recipients[n->count++];
}

/* Without what people and programs put before an address that begins a line. */
static struct slice without_bullet(struct slice line)
{
    struct slice text = slice_trim(line);
    if (text.len > 2 && (text.data[0] == '*' || text.data[0] == '-') && text.data[1] == ' ')
        text = slice_trim(slice_from(text, 2));
    while (text.len > 0 && (text.data[0] == '<' || text.data[0] == '\'' || text.data[0] == '['))
        text = slice_from(text, 1);
    return text;
}

/* "550 5.1.1 <someone@example.com>... User unknown": the text behind code and status. */
static bool is_transcript(struct slice line, struct slice *out_rest)
{
    struct cursor c = cursor_over(slice_trim(line));
    uint64_t code;
    if (!cursor_take_number(&c, 599, &code) || code < 400 || !cursor_take_byte(&c, ' '))
        return false;
    struct cursor status = c;
    while (!cursor_at_end(&status) && (ascii_is_digit(*status.at) || *status.at == '.'))
        status.at++;
    if (cursor_take_byte(&status, ' '))
        c = status;
    struct slice rest = cursor_rest(&c);
    *out_rest = slice_from(rest, 1);
    return rest.len > 0 && rest.data[0] == '<' &&
           notice_find(rest, SLICE(">...")) != SLICE_NOT_FOUND;
}

static bool starts_with_address(struct slice text, struct slice *out_address)
{
    struct slice rest = text;
    return notice_address_next(&rest, out_address) && out_address->data == text.data;
}

static void read_sentence(struct reading *r, struct slice line, const char *line_end)
{
    struct slice address;
    bool is_label = HAS_ANY(line, labels);
    if (HAS_ANY(line, not_recipients) && !is_label)
        return;
    while (notice_address_next(&line, &address)) {
        struct notice_recipient *recipient =
            recipient_of(r, address, is_label ? LEVEL_LABEL : LEVEL_INLINE);
        if (recipient != NULL)
            add_text(recipient, r->pending_since, line_end);
        if (recipient != NULL && r->open == NULL) {
            r->open = recipient;
            r->open_since = line_end;
        }
    }
}

static void read_line(struct reading *r, struct slice line, const char *line_end)
{
    struct slice rest, address;
    if (is_transcript(line, &rest) && starts_with_address(rest, &address)) {
        close_open(r, line.data);
        add_text(recipient_of(r, address, LEVEL_START), r->pending_since, line_end);
        r->pending_since = line_end;
        return;
    }
    if (starts_with_address(without_bullet(line), &address)) {
        close_open(r, line.data);
        r->open = recipient_of(r, address, LEVEL_START);
        r->open_since = line.data;
        return;
    }
    if (notice_find(line, SLICE("transcript of session")) != SLICE_NOT_FOUND) {
        close_open(r, line.data);
        r->pending_since = line_end;
        return;
    }
    if (r->level < LEVEL_START)
        read_sentence(r, line, line_end);
}

static void read_lines(struct reading *r)
{
    struct cursor c = cursor_over(r->notice.text);
    struct slice line;
    r->pending_since = c.at;
    while (report_line_next(&c, &line))
        if (slice_find(line, '@') != SLICE_NOT_FOUND ||
            notice_find(line, SLICE("transcript")) != SLICE_NOT_FOUND)
            read_line(r, line, c.at);
    close_open(r, c.end);
}

/* Without the empty lines in front. */
static struct slice without_gap(struct slice text)
{
    while (text.len > 0 && (text.data[0] == '\r' || text.data[0] == '\n'))
        text = slice_from(text, 1);
    return text;
}

/* The first line that ends it is not the first line of all. */
static void split(struct slice content, struct notice *out)
{
    struct cursor c = cursor_over(content);
    struct cursor start = c;
    struct slice line;
    bool has_said = false;
    *out = (struct notice){ .text = content };
    while (report_line_next(&c, &line)) {
        if (has_said && ends_notice(line)) {
            out->text = slice_make(start.at, (size_t)(line.data - start.at));
            out->original = without_gap(cursor_rest(&c));
            if (slice_starts_with_nocase(line, SLICE("Re")) ||
                slice_starts_with_nocase(line, SLICE("D")))
                out->original = slice_make(line.data, (size_t)(c.end - line.data));
            return;
        }
        has_said |= slice_trim(line).len > 0;
    }
}

bool notice_read(struct slice content, struct slice strangers, struct arena *arena,
                 struct notice *out_notice)
{
    struct reading r = { .strangers = strangers };
    split(content, &r.notice);
    r.notice.recipients = arena_alloc_many(arena, NOTICE_RECIPIENTS_MAX,
                                           sizeof *r.notice.recipients);
    if (r.notice.recipients == NULL)
        return false;
    read_lines(&r);
    if (r.notice.count == 0) {
        r.takes_strangers = true;
        read_lines(&r);
    }
    *out_notice = r.notice;
    return true;
}
