/* header_scan.c: the header as it streams by, in pieces of any size: RFC 5322 2.2.
 * It decides as header_next() does on the whole; header_test.c holds them together. */
#include "wire/message/header.h"

#include "base/ascii.h"
#include "wire/message/header_private.h"

void header_scan_init(struct header_scan *scan, struct buffer *copy)
{
    *scan = (struct header_scan){ .copy = copy };
}

static void check_count(struct header_scan *s)
{
    if (s->fields + s->malformed_lines > HEADER_FIELDS_MAX)
        s->too_many_fields = true;
}

static void count_field(struct header_scan *s)
{
    s->fields++;
    s->any_gap |= s->has_gap;
    if (s->name_len <= sizeof s->name)
        s->count[header_kind_of(slice_make(s->name, s->name_len))]++;
    else
        s->count[HEADER_OTHER]++;
    check_count(s);
    s->state = HEADER_SCAN_VALUE;
}

static void count_malformed(struct header_scan *s, enum header_scan_state next)
{
    if (s->fields == 0 && s->malformed_lines == 0)
        s->first_line_malformed = true;
    s->malformed_lines++;
    check_count(s);
    s->state = next;
}

static void name_grows(struct header_scan *s, char c)
{
    if (s->name_len < sizeof s->name)
        s->name[s->name_len] = c;
    if (s->name_len <= sizeof s->name)
        s->name_len++;
}

static void scan_line_start(struct header_scan *s, char c)
{
    bool is_first = s->fields == 0 && s->malformed_lines == 0;
    if (c == '\r') {
        s->state = HEADER_SCAN_EMPTY_CR;
    } else if (ascii_is_blank(c) && !is_first) {
        s->state = HEADER_SCAN_VALUE;
    } else if (header_is_name_character(c)) {
        s->name_len = 0;
        s->has_gap = false;
        name_grows(s, c);
        s->state = HEADER_SCAN_NAME;
    } else {
        count_malformed(s, HEADER_SCAN_VALUE);
    }
}

/* In the name or behind it, before the colon. */
static void scan_before_colon(struct header_scan *s, char c)
{
    if (c == ':') {
        count_field(s);
    } else if (c == '\r') {
        s->state = HEADER_SCAN_NAME_CR;
    } else if (ascii_is_blank(c)) {
        s->has_gap = true;
        s->state = HEADER_SCAN_GAP;
    } else if (s->state == HEADER_SCAN_NAME && header_is_name_character(c)) {
        name_grows(s, c);
    } else {
        count_malformed(s, HEADER_SCAN_VALUE);
    }
}

/* A CR before the colon: a fold, or the end of a line that is no field. */
static void scan_name_cr(struct header_scan *s, char c)
{
    if (c == '\n')
        s->state = HEADER_SCAN_NAME_LINE;
    else
        count_malformed(s, c == '\r' ? HEADER_SCAN_VALUE_CR : HEADER_SCAN_VALUE);
}

static void scan_octet(struct header_scan *s, char c)
{
    switch (s->state) {
    case HEADER_SCAN_NAME_LINE:
        if (ascii_is_blank(c)) {
            s->has_gap = true;
            s->state = HEADER_SCAN_GAP;
            return;
        }
        count_malformed(s, HEADER_SCAN_LINE);
        scan_line_start(s, c);
        return;
    case HEADER_SCAN_LINE:
        scan_line_start(s, c);
        return;
    case HEADER_SCAN_NAME:
    case HEADER_SCAN_GAP:
        scan_before_colon(s, c);
        return;
    case HEADER_SCAN_NAME_CR:
        scan_name_cr(s, c);
        return;
    case HEADER_SCAN_VALUE:
        if (c == '\r')
            s->state = HEADER_SCAN_VALUE_CR;
        return;
    case HEADER_SCAN_VALUE_CR:
        s->state = c == '\n' ? HEADER_SCAN_LINE :
                   c == '\r' ? HEADER_SCAN_VALUE_CR : HEADER_SCAN_VALUE;
        return;
    case HEADER_SCAN_EMPTY_CR:
        if (c == '\n') {
            s->state = HEADER_SCAN_ENDED;
            s->ended = true;
        } else {
            count_malformed(s, c == '\r' ? HEADER_SCAN_VALUE_CR : HEADER_SCAN_VALUE);
        }
        return;
    case HEADER_SCAN_ENDED:
        return;
    }
}

static void copy_octets(struct header_scan *s, struct slice octets)
{
    s->size += octets.len;
    if (s->size > HEADER_BYTES_MAX)
        s->too_large = true;
    else if (s->copy != NULL)
        buffer_append(s->copy, octets);
}

bool header_scan_feed(struct header_scan *scan, struct slice *piece)
{
    size_t at = 0;
    while (at < piece->len && scan->state != HEADER_SCAN_ENDED) {
        if (scan->state == HEADER_SCAN_VALUE) {
            size_t cr = slice_find(slice_from(*piece, at), '\r');
            if (cr == SLICE_NOT_FOUND) {
                at = piece->len;
                break;
            }
            at += cr;
        }
        scan_octet(scan, piece->data[at++]);
    }
    copy_octets(scan, slice_part(*piece, 0, at));
    *piece = slice_from(*piece, at);
    return scan->ended;
}

void header_scan_finish(struct header_scan *scan)
{
    switch (scan->state) {
    case HEADER_SCAN_NAME:
    case HEADER_SCAN_GAP:
    case HEADER_SCAN_NAME_CR:
    case HEADER_SCAN_NAME_LINE:
    case HEADER_SCAN_EMPTY_CR:
        count_malformed(scan, HEADER_SCAN_ENDED);
        return;
    case HEADER_SCAN_LINE:
    case HEADER_SCAN_VALUE:
    case HEADER_SCAN_VALUE_CR:
    case HEADER_SCAN_ENDED:
        scan->state = HEADER_SCAN_ENDED;
        return;
    }
}
