/* parameter.c: RFC 5321 4.1.2; RFC 3461 section 4 and 4.1 to 4.4; RFC 6533 section 3;
 * RFC 1870 section 6; RFC 6152 section 3; RFC 4954 section 5; RFC 4865 section 3; RFC 3339
 * section 5.6. */
#include "wire/smtp/parameter.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/message/lexer.h"

#include <time.h>

static const struct {
    struct slice name;
    enum smtp_keyword keyword;
} keywords[] = {
    { SLICE_INIT("SIZE"), SMTP_KEYWORD_SIZE },
    { SLICE_INIT("BODY"), SMTP_KEYWORD_BODY },
    { SLICE_INIT("SMTPUTF8"), SMTP_KEYWORD_SMTPUTF8 },
    { SLICE_INIT("RET"), SMTP_KEYWORD_RET },
    { SLICE_INIT("ENVID"), SMTP_KEYWORD_ENVID },
    { SLICE_INIT("NOTIFY"), SMTP_KEYWORD_NOTIFY },
    { SLICE_INIT("ORCPT"), SMTP_KEYWORD_ORCPT },
    { SLICE_INIT("AUTH"), SMTP_KEYWORD_AUTH },
    { SLICE_INIT("HOLDFOR"), SMTP_KEYWORD_HOLDFOR },
    { SLICE_INIT("HOLDUNTIL"), SMTP_KEYWORD_HOLDUNTIL },
    { SLICE_INIT("MT-PRIORITY"), SMTP_KEYWORD_MT_PRIORITY },
    { SLICE_INIT("REQUIRETLS"), SMTP_KEYWORD_REQUIRETLS },
    { SLICE_INIT("BY"), SMTP_KEYWORD_BY },
};

static enum smtp_keyword find_keyword(struct slice name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (slice_equal_nocase(name, keywords[i].name))
            return keywords[i].keyword;
    return SMTP_KEYWORD_UNKNOWN;
}

static bool is_keyword_character(char c)
{
    return ascii_is_alnum(c) || c == '-';
}

static bool is_value_character(char c)
{
    return (c > ' ' && c != '=' && c != 0x7f) || ascii_is_high(c);
}

/* esmtp-param = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value = 1*(%d33-60 / %d62-126 / UTF8-non-ascii) */
enum smtp_parameter_result smtp_parameter_next(struct cursor *c,
                                               struct smtp_parameter *out_parameter)
{
    if (cursor_at_end(c))
        return SMTP_PARAMETER_END;
    if (!cursor_sees(c, ' '))
        return SMTP_PARAMETER_SYNTAX;
    while (cursor_take_byte(c, ' '))
        ;
    if (cursor_at_end(c))
        return SMTP_PARAMETER_END;
    struct smtp_parameter p = { .name = cursor_take_while(c, is_keyword_character) };
    if (p.name.len == 0 || p.name.data[0] == '-')
        return SMTP_PARAMETER_SYNTAX;
    if (cursor_take_byte(c, '=')) {
        p.has_value = true;
        p.value = cursor_take_while(c, is_value_character);
        if (p.value.len == 0 || !utf8_is_valid(p.value))
            return SMTP_PARAMETER_SYNTAX;
    }
    if (!cursor_at_end(c) && !cursor_sees(c, ' '))
        return SMTP_PARAMETER_SYNTAX;
    p.keyword = find_keyword(p.name);
    *out_parameter = p;
    return SMTP_PARAMETER_TAKEN;
}

/* Of a digit that cursor_take() gave; -1 when it is none. */
static int upper_hex_value(int octet)
{
    bool is_upper = octet >= 0 && ascii_upper((char)octet) == (char)octet;
    return is_upper ? ascii_hex_value((char)octet) : -1;
}

/* xtext = *( xchar / hexchar ); hexchar = "+" 2(%x30-39 / %x41-46)
 * The next octet meant: 0 to 255, -1 at the end, -2 when it is not xtext. */
static int next_of_xtext(struct cursor *c)
{
    int next = cursor_take(c);
    if (next != '+')
        return next < 0 || (next > ' ' && next < 0x7f && next != '=') ? next : -2;
    int high = upper_hex_value(cursor_take(c));
    int low = upper_hex_value(cursor_take(c));
    return high < 0 || low < 0 ? -2 : high * 16 + low;
}

bool smtp_xtext_decode(struct slice xtext, struct buffer *out)
{
    struct cursor c = cursor_over(xtext);
    int octet;
    while ((octet = next_of_xtext(&c)) >= 0)
        buffer_append_byte(out, (char)octet);
    return octet == -1;
}

void smtp_xtext_encode(struct slice octets, struct buffer *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < octets.len; i++) {
        unsigned char octet = (unsigned char)octets.data[i];
        if (octet > ' ' && octet < 0x7f && octet != '+' && octet != '=')
            buffer_append_byte(out, (char)octet);
        else
            buffer_append(out, slice_make((char[]){ '+', hex[octet >> 4],
                                                    hex[octet & 15u] }, 3));
    }
}

/* size-value ::= 1*20DIGIT */
bool smtp_size_parse(struct slice value, uint64_t *out_size)
{
    struct cursor c = cursor_over(value);
    struct slice digits = cursor_take_while(&c, ascii_is_digit);
    if (digits.len == 0 || digits.len > 20 || !cursor_at_end(&c))
        return false;
    if (!slice_to_number(digits, UINT64_MAX, out_size))
        *out_size = UINT64_MAX;
    return true;
}

bool smtp_hold_for_parse(struct slice value, uint32_t *out_seconds)
{
    uint64_t seconds;
    if (value.len == 0 || value.len > 9 || !slice_to_number(value, 999999999, &seconds) ||
        seconds == 0)
        return false;
    *out_seconds = (uint32_t)seconds;
    return true;
}

/* Days since 1970-01-01; March is the first month of a year, so that the leap day is last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_in(int64_t year, int64_t month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* `digits` of them; -1 when they are not there. */
static int64_t take_digits(struct cursor *c, size_t digits)
{
    uint64_t value;
    struct slice part;
    if (!cursor_take_part(c, digits, &part) || !slice_to_number(part, 9999, &value))
        return -1;
    return (int64_t)value;
}

/* date-time = full-date "T" partial-time "Z" */
bool smtp_date_time_parse(struct slice value, int64_t *out_wall_ms)
{
    static const char between[] = "--T::";
    static const size_t widths[] = { 4, 2, 2, 2, 2, 2 };
    struct cursor c = cursor_over(value);
    int64_t part[6];
    bool has_more = false;
    for (size_t i = 0; i < 6; i++) {
        part[i] = take_digits(&c, widths[i]);
        if (part[i] < 0 ||
            (i < 5 && ascii_upper((char)cursor_take(&c)) != between[i]))
            return false;
    }
    if (cursor_take_byte(&c, '.')) {
        struct slice rest = cursor_take_while(&c, ascii_is_digit);
        for (size_t i = 0; i < rest.len; i++)
            has_more |= rest.data[i] != '0';
        if (rest.len == 0)
            return false;
    }
    if (ascii_upper((char)cursor_take(&c)) != 'Z' || !cursor_at_end(&c) || part[0] < 1970 ||
        part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > days_in(part[0], part[1]) ||
        part[3] > 23 || part[4] > 59 || part[5] > 60)
        return false;
    int64_t seconds = days_of(part[0], part[1], part[2]) * 86400 + part[3] * 3600 +
                      part[4] * 60 + part[5] + has_more;
    *out_wall_ms = seconds * 1000;
    return true;
}

void smtp_date_time_append(struct buffer *out, int64_t wall_ms)
{
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    if (gmtime_r(&seconds, &tm) == NULL)
        return;
    buffer_append_format(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

bool smtp_by_parse(struct slice value, struct smtp_by *out)
{
    struct cursor c = cursor_over(value);
    bool is_negative = cursor_take_byte(&c, '-');
    uint64_t seconds;
    if (!is_negative)
        cursor_take_byte(&c, '+');
    struct slice digits = cursor_take_while(&c, ascii_is_digit);
    if (digits.len > 9 || !slice_to_number(digits, 999999999, &seconds) ||
        !cursor_take_byte(&c, ';'))
        return false;
    int mode = cursor_take(&c);
    bool returns = mode == 'R' || mode == 'r';
    if (!returns && mode != 'N' && mode != 'n')
        return false;
    bool traces = cursor_take_literal(&c, SLICE("T"));
    if (!cursor_at_end(&c) || (returns && (is_negative || seconds == 0)))
        return false;
    *out = (struct smtp_by){ .seconds = is_negative ? -(int32_t)seconds : (int32_t)seconds,
                             .returns = returns, .traces = traces };
    return true;
}

bool smtp_priority_parse(struct slice value, int8_t *out_priority)
{
    bool is_negative = value.len == 2 && value.data[0] == '-';
    char digit = value.len == 0 ? '\0' : value.data[value.len - 1];
    if (value.len != (is_negative ? 2 : 1) || !ascii_is_digit(digit) ||
        (is_negative && digit == '0'))
        return false;
    *out_priority = (int8_t)(is_negative ? '0' - digit : digit - '0');
    return true;
}

bool smtp_body_parse(struct slice value, enum smtp_body *out_body)
{
    if (slice_equal_nocase(value, SLICE("7BIT")))
        *out_body = SMTP_BODY_7BIT;
    else if (slice_equal_nocase(value, SLICE("8BITMIME")))
        *out_body = SMTP_BODY_8BITMIME;
    else if (slice_equal_nocase(value, SLICE("BINARYMIME")))
        *out_body = SMTP_BODY_BINARYMIME;
    else
        return false;
    return true;
}

bool smtp_ret_parse(struct slice value, enum smtp_ret *out_ret)
{
    if (slice_equal_nocase(value, SLICE("FULL")))
        *out_ret = SMTP_RET_FULL;
    else if (slice_equal_nocase(value, SLICE("HDRS")))
        *out_ret = SMTP_RET_HEADERS;
    else
        return false;
    return true;
}

static uint8_t notify_bit(struct slice word)
{
    if (slice_equal_nocase(word, SLICE("SUCCESS")))
        return SMTP_NOTIFY_SUCCESS;
    if (slice_equal_nocase(word, SLICE("FAILURE")))
        return SMTP_NOTIFY_FAILURE;
    if (slice_equal_nocase(word, SLICE("DELAY")))
        return SMTP_NOTIFY_DELAY;
    return 0;
}

/* notify-esmtp-value = "NEVER" / 1#notify-list-element */
bool smtp_notify_parse(struct slice value, uint8_t *out_notify)
{
    if (slice_equal_nocase(value, SLICE("NEVER"))) {
        *out_notify = SMTP_NOTIFY_NEVER;
        return true;
    }
    uint8_t all = 0;
    struct slice rest = value;
    struct slice word;
    while (slice_split(&rest, ',', &word)) {
        uint8_t bit = notify_bit(word);
        if (bit == 0)
            return false;
        all |= bit;
    }
    if (all == 0 || value.data[value.len - 1] == ',')
        return false;
    *out_notify = all;
    return true;
}

bool smtp_envid_is_valid(struct slice value)
{
    struct cursor c = cursor_over(value);
    int octet;
    if (value.len == 0 || value.len > SMTP_ENVID_MAX)
        return false;
    while ((octet = next_of_xtext(&c)) >= 0)
        if (octet < ' ' || octet > 0x7e)
            return false;
    return octet == -1;
}

static size_t append_code_point(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0u | (point >> 6));
        out[1] = (char)(0x80u | (point & 63u));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0u | (point >> 12));
        out[1] = (char)(0x80u | ((point >> 6) & 63u));
        out[2] = (char)(0x80u | (point & 63u));
        return 3;
    }
    out[0] = (char)(0xf0u | (point >> 18));
    out[1] = (char)(0x80u | ((point >> 12) & 63u));
    out[2] = (char)(0x80u | ((point >> 6) & 63u));
    out[3] = (char)(0x80u | (point & 63u));
    return 4;
}

/* EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"; HEXPOINT is 2 to 6 hex digits and
 * no surrogate. */
static bool take_embedded(struct cursor *c, uint32_t *out_point)
{
    struct cursor ahead = *c;
    uint32_t point = 0;
    size_t digits = 0;
    if (!cursor_take_byte(&ahead, '\\') || !cursor_take_byte(&ahead, 'x') ||
        !cursor_take_byte(&ahead, '{'))
        return false;
    while (!cursor_sees(&ahead, '}')) {
        int next = cursor_take(&ahead);
        int value = next < 0 ? -1 : ascii_hex_value((char)next);
        if (value < 0 || ++digits > 6)
            return false;
        point = point * 16 + (uint32_t)value;
    }
    if (digits < 2 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return false;
    (void)cursor_take(&ahead);
    *c = ahead;
    *out_point = point;
    return true;
}

/* utf-8-enc-addr: QUCHAR and EmbeddedUnicodeChar, and xtext's "+HH", which old
 * clients use here too. `out` may be NULL. */
static bool decode_utf8_address(struct slice address, struct buffer *out)
{
    struct cursor c = cursor_over(address);
    while (!cursor_at_end(&c)) {
        char utf8[4];
        uint32_t point;
        struct slice whole;
        size_t len = utf8_sequence_len(cursor_rest(&c));
        if (cursor_sees(&c, '\\')) {
            if (!take_embedded(&c, &point))
                return false;
            whole = slice_make(utf8, append_code_point(point, utf8));
        } else if (len > 1) {
            (void)cursor_take_part(&c, len, &whole);
        } else {
            int octet = next_of_xtext(&c);
            if (octet < 0)
                return false;
            utf8[0] = (char)octet;
            whole = slice_make(utf8, 1);
        }
        if (out != NULL)
            buffer_append(out, whole);
    }
    return true;
}

/* original-recipient-address = addr-type ";" xtext; addr-type = atom */
bool smtp_orcpt_parse(struct slice value, struct smtp_orcpt *out_orcpt)
{
    struct cursor c = cursor_over(value);
    struct smtp_orcpt o = { .type = cursor_take_while(&c, lexer_is_atext) };
    if (value.len > SMTP_ORCPT_MAX || o.type.len == 0 || !cursor_take_byte(&c, ';'))
        return false;
    o.address = cursor_rest(&c);
    if (slice_equal_nocase(o.type, SLICE("utf-8"))) {
        if (!decode_utf8_address(o.address, NULL))
            return false;
    } else {
        int octet;
        while ((octet = next_of_xtext(&c)) >= 0)
            ;
        if (octet != -1)
            return false;
    }
    *out_orcpt = o;
    return true;
}

void smtp_unicode_embed(struct slice text, bool with_specials, struct buffer *out)
{
    while (text.len > 0) {
        size_t len = utf8_sequence_len(text);
        unsigned char lead = (unsigned char)text.data[0];
        uint32_t point = len <= 1 ? lead : lead & (0xffu >> (len + 1));
        for (size_t i = 1; i < len; i++)
            point = point << 6 | ((unsigned char)text.data[i] & 0x3fu);
        bool is_special = point <= 0x20 || point == 0x7f || point == '+' || point == '=' ||
                          point == '\\';
        if (point < 0x80 && !(with_specials && is_special))
            buffer_append_byte(out, (char)point);
        else
            buffer_append_format(out, "\\x{%02X}", point);
        text = slice_from(text, len == 0 ? 1 : len);
    }
}

void smtp_orcpt_append_address(struct buffer *out, const struct smtp_orcpt *orcpt)
{
    size_t before = buffer_len(out);
    if (slice_equal_nocase(orcpt->type, SLICE("utf-8")))
        (void)decode_utf8_address(orcpt->address, out);
    else
        (void)smtp_xtext_decode(orcpt->address, out);
    if (out->overflow)
        return;
    char *made = out->memory + out->start;
    for (size_t i = before; i < buffer_len(out); i++)
        if (ascii_is_control(made[i]))
            made[i] = '?';
}

/* "AUTH=" ( xtext / "<>" ) */
bool smtp_auth_parse(struct slice value, struct buffer *decoded,
                     struct slice *out_mailbox)
{
    if (slice_equal(value, SLICE("<>"))) {
        *out_mailbox = slice_make(NULL, 0);
        return true;
    }
    size_t before = buffer_len(decoded);
    if (value.len == 0 || !smtp_xtext_decode(value, decoded) || decoded->overflow)
        return false;
    struct slice mailbox = slice_from(buffer_slice(decoded), before);
    for (size_t i = 0; i < mailbox.len; i++)
        if (ascii_is_control(mailbox.data[i]))
            return false;
    *out_mailbox = mailbox;
    return true;
}
