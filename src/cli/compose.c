/* compose.c: fields and a plain message. */
#include "cli/compose.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/moment.h"
#include "base/utf8.h"
#include "wire/message/date.h"

#include <sys/random.h>
#include <time.h>

enum {
    WORD_OCTETS_MAX = 39,  /* 64 octets as a word: with "Subject: " within 76 */
    PLAIN_MAX = 900,       /* of a line of at most 998 (RFC 5322 2.1.1) */
    ID_BYTES = 15,
};

void compose_date(struct buffer *out)
{
    struct moment now = moment_now();
    time_t seconds = (time_t)(now.wall_ms / SECOND_MS);
    struct tm parts;
    int zone = localtime_r(&seconds, &parts) == NULL ? 0 : (int)(parts.tm_gmtoff / 60);
    buffer_append(out, SLICE("Date: "));
    date_append(out, now.wall_ms, zone);
    buffer_append(out, SLICE("\r\n"));
}

void compose_message_id(struct buffer *out, struct slice hostname)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char random[ID_BYTES];
    struct moment now = moment_now();
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        memcpy(random, &now, sizeof random);
    buffer_append(out, SLICE("Message-ID: <"));
    for (size_t i = 0; i < sizeof random; i++) {
        buffer_append_byte(out, digits[random[i] & 31]);
        buffer_append_byte(out, digits[random[i] >> 3]);
    }
    buffer_append_byte(out, '@');
    buffer_append(out, hostname);
    buffer_append(out, SLICE(">\r\n"));
}

/* encoded-word = "=?UTF-8?B?" text "?=", characters never split (RFC 2047 5). */
static void append_encoded(struct buffer *out, struct slice text)
{
    bool is_first = true;
    while (text.len > 0) {
        size_t len = 0;
        size_t next;
        while (len < text.len &&
               (next = utf8_sequence_len(slice_from(text, len))) > 0 &&
               len + next <= WORD_OCTETS_MAX)
            len += next;
        buffer_append_string(out, is_first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        base64_append(out, slice_part(text, 0, len));
        buffer_append(out, SLICE("?="));
        text = slice_from(text, len);
        is_first = false;
    }
}

/* What can stand in a field as it is, and would not be read as an encoded word. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_high(text.data[i]) || ascii_is_control(text.data[i]))
            return false;
    return text.len <= PLAIN_MAX &&
           (text.len < 2 || memmem(text.data, text.len, "=?", 2) == NULL);
}

/* Line ends and tabs become spaces; other control bytes '?'. */
static bool make_flat(struct buffer *out, struct slice text)
{
    if (!utf8_is_valid(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\r' && i + 1 < text.len && text.data[i + 1] == '\n')
            continue;
        bool is_space = c == '\r' || c == '\n' || c == '\t';
        buffer_append_byte(out, is_space ? ' ' : ascii_is_control(c) ? '?' : c);
    }
    return !out->overflow;
}

bool compose_text_field(struct buffer *out, const char *name, struct slice text)
{
    struct buffer flat;
    buffer_init(&flat, text.len + 1);
    bool done = make_flat(&flat, text);
    if (done) {
        buffer_append_string(out, name);
        buffer_append(out, SLICE(": "));
        if (is_plain(buffer_slice(&flat)))
            buffer_append(out, buffer_slice(&flat));
        else
            append_encoded(out, buffer_slice(&flat));
        buffer_append(out, SLICE("\r\n"));
    }
    buffer_free(&flat);
    return done;
}

/* quoted-string of RFC 5322 3.2.4 */
static void append_quoted(struct buffer *out, struct slice text)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, '"');
}

bool compose_from(struct buffer *out, struct slice name, struct slice address)
{
    struct buffer flat;
    buffer_init(&flat, name.len + 1);
    bool done = make_flat(&flat, name);
    struct slice shown = slice_trim(buffer_slice(&flat));
    if (done) {
        buffer_append(out, SLICE("From: "));
        if (shown.len > 0 && is_plain(shown))
            append_quoted(out, shown);
        else
            append_encoded(out, shown);
        buffer_append_string(out, shown.len > 0 ? " <" : "");
        buffer_append(out, address);
        buffer_append_string(out, shown.len > 0 ? ">\r\n" : "\r\n");
    }
    buffer_free(&flat);
    return done;
}

bool compose_message(struct buffer *out, const struct compose *c)
{
    bool has_8bit = !slice_is_ascii(c->body);
    compose_date(out);
    compose_message_id(out, c->hostname);
    compose_from(out, slice_make(NULL, 0), c->from);
    for (size_t i = 0; i < c->to_count; i++) {
        buffer_append_string(out, i == 0 ? "To: " : ",\r\n ");
        buffer_append_string(out, c->to[i]);
    }
    buffer_append(out, SLICE("\r\n"));
    if (!compose_text_field(out, "Subject", c->subject))
        return false;
    buffer_append(out, SLICE("MIME-Version: 1.0\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n"));
    buffer_append_string(out, has_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    buffer_append(out, SLICE("\r\n"));
    buffer_append(out, c->body);
    return true;
}
