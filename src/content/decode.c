/* decode.c: GMime decodes transfer encodings, iconv charsets. Converters are kept open, so
 * that their modules stay loaded where no file can be opened any more. */
#include "content/decode.h"

#include "base/ascii.h"
#include "base/utf8.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>

static const struct { struct slice name; enum content_encoding encoding; } encodings[] = {
    { SLICE_INIT("base64"), CONTENT_ENCODING_BASE64 },
    { SLICE_INIT("quoted-printable"), CONTENT_ENCODING_QUOTED },
    { SLICE_INIT("x-uuencode"), CONTENT_ENCODING_UUENCODE },
    { SLICE_INIT("uuencode"), CONTENT_ENCODING_UUENCODE },
    { SLICE_INIT("x-uue"), CONTENT_ENCODING_UUENCODE },
};

enum content_encoding content_encoding_of(struct slice name)
{
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (slice_equal_nocase(slice_trim(name), encodings[i].name))
            return encodings[i].encoding;
    return CONTENT_ENCODING_NONE;
}

static GMimeContentEncoding gmime_encoding(enum content_encoding encoding)
{
    switch (encoding) {
    case CONTENT_ENCODING_NONE:
        return GMIME_CONTENT_ENCODING_BINARY;
    case CONTENT_ENCODING_BASE64:
        return GMIME_CONTENT_ENCODING_BASE64;
    case CONTENT_ENCODING_QUOTED:
        return GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
    case CONTENT_ENCODING_UUENCODE:
        return GMIME_CONTENT_ENCODING_UUENCODE;
    }
    return GMIME_CONTENT_ENCODING_BINARY;
}

/* "begin 644 name" and what is before it are no data. */
static struct slice behind_begin(struct slice octets)
{
    struct slice rest = octets;
    struct slice line;
    while (slice_split(&rest, '\n', &line))
        if (slice_starts_with_nocase(line, SLICE("begin ")))
            return rest;
    return octets;
}

void content_decode_part(struct slice message, struct content_place place, struct buffer *out)
{
    enum { PIECE = 64 * 1024 };
    GMimeEncoding state;
    size_t offset = place.offset > message.len ? message.len : (size_t)place.offset;
    size_t length = place.length > message.len ? message.len : (size_t)place.length;
    struct slice octets = slice_part(message, offset, length);
    if (place.encoding == CONTENT_ENCODING_NONE) {
        buffer_append(out, octets);
        return;
    }
    g_mime_encoding_init_decode(&state, gmime_encoding(place.encoding));
    if (place.encoding == CONTENT_ENCODING_UUENCODE)
        octets = behind_begin(octets);
    for (size_t at = 0; at < octets.len && !out->overflow; at += PIECE) {
        struct slice piece = slice_part(octets, at, PIECE);
        bool is_last = at + piece.len == octets.len;
        char *memory = buffer_reserve(out, g_mime_encoding_outlen(&state, piece.len));
        if (memory == NULL)
            return;
        buffer_added(out, is_last ? g_mime_encoding_flush(&state, piece.data, piece.len, memory)
                                  : g_mime_encoding_step(&state, piece.data, piece.len, memory));
    }
}

/* What mail says, and what is meant. */
static const struct { struct slice said; const char *meant; } charsets[] = {
    { SLICE_INIT("iso-8859-1"), "WINDOWS-1252" }, { SLICE_INIT("latin1"), "WINDOWS-1252" },
    { SLICE_INIT("windows-1252"), "WINDOWS-1252" }, { SLICE_INIT("cp1252"), "WINDOWS-1252" },
    { SLICE_INIT("iso-8859-2"), "ISO-8859-2" }, { SLICE_INIT("windows-1250"), "WINDOWS-1250" },
    { SLICE_INIT("cp1250"), "WINDOWS-1250" }, { SLICE_INIT("iso-8859-3"), "ISO-8859-3" },
    { SLICE_INIT("iso-8859-4"), "ISO-8859-4" }, { SLICE_INIT("windows-1257"), "WINDOWS-1257" },
    { SLICE_INIT("iso-8859-13"), "ISO-8859-13" },
    { SLICE_INIT("iso-8859-5"), "ISO-8859-5" }, { SLICE_INIT("windows-1251"), "WINDOWS-1251" },
    { SLICE_INIT("cp1251"), "WINDOWS-1251" }, { SLICE_INIT("koi8-r"), "KOI8-R" },
    { SLICE_INIT("koi8-u"), "KOI8-U" }, { SLICE_INIT("ibm866"), "IBM866" },
    { SLICE_INIT("cp866"), "IBM866" },
    { SLICE_INIT("iso-8859-6"), "ISO-8859-6" }, { SLICE_INIT("windows-1256"), "WINDOWS-1256" },
    { SLICE_INIT("cp1256"), "WINDOWS-1256" }, { SLICE_INIT("iso-8859-7"), "ISO-8859-7" },
    { SLICE_INIT("windows-1253"), "WINDOWS-1253" }, { SLICE_INIT("cp1253"), "WINDOWS-1253" },
    { SLICE_INIT("iso-8859-8"), "WINDOWS-1255" }, { SLICE_INIT("iso-8859-8-i"), "WINDOWS-1255" },
    { SLICE_INIT("windows-1255"), "WINDOWS-1255" }, { SLICE_INIT("cp1255"), "WINDOWS-1255" },
    { SLICE_INIT("iso-8859-9"), "WINDOWS-1254" }, { SLICE_INIT("windows-1254"), "WINDOWS-1254" },
    { SLICE_INIT("cp1254"), "WINDOWS-1254" }, { SLICE_INIT("iso-8859-10"), "ISO-8859-10" },
    { SLICE_INIT("iso-8859-11"), "CP874" }, { SLICE_INIT("tis-620"), "CP874" },
    { SLICE_INIT("windows-874"), "CP874" }, { SLICE_INIT("iso-8859-14"), "ISO-8859-14" },
    { SLICE_INIT("iso-8859-15"), "ISO-8859-15" }, { SLICE_INIT("iso-8859-16"), "ISO-8859-16" },
    { SLICE_INIT("windows-1258"), "WINDOWS-1258" }, { SLICE_INIT("macintosh"), "MACINTOSH" },
    { SLICE_INIT("iso-2022-jp"), "ISO-2022-JP-3" }, { SLICE_INIT("shift_jis"), "CP932" },
    { SLICE_INIT("shift-jis"), "CP932" }, { SLICE_INIT("x-sjis"), "CP932" },
    { SLICE_INIT("windows-31j"), "CP932" }, { SLICE_INIT("euc-jp"), "EUC-JP" },
    { SLICE_INIT("gb2312"), "GB18030" }, { SLICE_INIT("gbk"), "GB18030" },
    { SLICE_INIT("gb18030"), "GB18030" }, { SLICE_INIT("hz-gb-2312"), "HZ" },
    { SLICE_INIT("big5"), "BIG5-HKSCS" }, { SLICE_INIT("big5-hkscs"), "BIG5-HKSCS" },
    { SLICE_INIT("euc-kr"), "UHC" }, { SLICE_INIT("ks_c_5601-1987"), "UHC" },
    { SLICE_INIT("iso-2022-kr"), "ISO-2022-KR" }, { SLICE_INIT("utf-16"), "UTF-16" },
    { SLICE_INIT("utf-16le"), "UTF-16LE" }, { SLICE_INIT("utf-16be"), "UTF-16BE" },
    { SLICE_INIT("utf-7"), "UTF-7" },
};

enum { CHARSETS = sizeof charsets / sizeof *charsets };

/* (iconv_t)-1: there is none; NULL: not opened yet. */
static iconv_t converters[CHARSETS];

static iconv_t converter(size_t index)
{
    if (converters[index] == NULL)
        converters[index] = iconv_open("UTF-8", charsets[index].meant);
    return converters[index];
}

void content_start(void)
{
    g_mime_init();
    for (size_t i = 0; i < CHARSETS; i++)
        converter(i);
}

static void append_replacement(struct buffer *out)
{
    buffer_append(out, SLICE("\xef\xbf\xbd"));
}

static void append_utf8(struct slice octets, struct buffer *out)
{
    for (size_t at = 0; at < octets.len && !out->overflow;) {
        size_t start = at;
        size_t len = 0;
        while (at < octets.len && octets.data[at] != 0 &&
               (len = ascii_is_high(octets.data[at]) ? utf8_sequence_len(slice_from(octets, at))
                                                     : 1) > 0)
            at += len;
        buffer_append(out, slice_part(octets, start, at - start));
        if (at == octets.len)
            return;
        append_replacement(out);
        at++;
    }
}

static void append_converted(iconv_t with, struct slice octets, struct buffer *out)
{
    char *from = (char *)octets.data;
    size_t left = octets.len;
    iconv(with, NULL, NULL, NULL, NULL);
    while (left > 0 && !out->overflow) {
        char piece[4096];
        char *to = piece;
        size_t room = sizeof piece;
        size_t result = iconv(with, &from, &left, &to, &room);
        append_utf8(slice_make(piece, sizeof piece - room), out);
        if (result != (size_t)-1 || errno == E2BIG)
            continue;
        append_replacement(out);
        if (left > 0) {
            from++;
            left--;
        }
    }
}

static size_t charset_index(struct slice charset)
{
    for (size_t i = 0; i < CHARSETS; i++)
        if (slice_equal_nocase(charset, charsets[i].said))
            return i;
    return CHARSETS;
}

void content_to_utf8(struct slice octets, struct slice charset, struct buffer *out)
{
    size_t index = charset_index(slice_trim(charset));
    bool is_utf8 = slice_equal_nocase(charset, SLICE("utf-8")) ||
                   slice_equal_nocase(charset, SLICE("utf8"));
    if (index == CHARSETS && (is_utf8 || utf8_is_valid(octets))) {
        append_utf8(octets, out);
        return;
    }
    iconv_t with = converter(index == CHARSETS ? 0 : index);
    if (with == (iconv_t)-1)
        append_utf8(octets, out);
    else
        append_converted(with, octets, out);
}
