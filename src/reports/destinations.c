/* destinations.c: rua= of DMARC (RFC 9989 4.7, RFC 7489 6.2 for the size) and of TLS
 * (RFC 8460 3), and who must agree to it (RFC 9990 4).
 *
 *   dmarc-urilist = dmarc-uri *( *WSP "," *WSP dmarc-uri )
 *   dmarc-uri     = URI [ "!" 1*DIGIT [ "k" / "m" / "g" / "t" ] ]
 */
#include "reports/reports_private.h"

#include "auth/dmarc/record.h"
#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/smtp/address.h"

#include <stdlib.h>
#include <string.h>

enum { URI_MAX = 1000 };

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && ascii_is_blank(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && ascii_is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* Takes "!10m" off the end. False: it is no size. */
static bool take_size(struct slice *uri, uint64_t *out)
{
    static const struct { char letter; uint64_t times; } units[] = {
        { 'k', UINT64_C(1) << 10 }, { 'm', UINT64_C(1) << 20 }, { 'g', UINT64_C(1) << 30 },
        { 't', UINT64_C(1) << 40 },
    };
    size_t mark = slice_find_last(*uri, '!');
    uint64_t times = 1;
    *out = 0;
    if (mark == SLICE_NOT_FOUND)
        return true;
    struct slice number = slice_from(*uri, mark + 1);
    for (size_t i = 0; number.len > 0 && i < sizeof units / sizeof *units; i++) {
        if (ascii_lower(number.data[number.len - 1]) == units[i].letter) {
            times = units[i].times;
            number.len--;
            break;
        }
    }
    if (!slice_to_number(number, UINT64_C(1) << 20, out))
        return false;
    *out *= times;
    uri->len = mark;
    return true;
}

static int hex_of(char c)
{
    c = ascii_lower(c);
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded in place; behind '?' there is nothing for us. False: not an escape. */
static bool decode(char *text, size_t len, size_t *out_len)
{
    size_t made = 0;
    for (size_t i = 0; i < len && text[i] != '?'; i++) {
        if (text[i] != '%') {
            text[made++] = text[i];
            continue;
        }
        int high = i + 2 < len ? hex_of(text[i + 1]) : -1, low = high < 0 ? -1 : hex_of(text[i + 2]);
        if (low < 0)
            return false;
        text[made++] = (char)(high << 4 | low);
        i += 2;
    }
    *out_len = made;
    return true;
}

static bool take_mailto(struct destination *d, size_t scheme)
{
    struct smtp_address address;
    size_t len;
    if (!decode(d->uri + scheme, strlen(d->uri) - scheme, &len))
        return false;
    d->address = slice_make(d->uri + scheme, len);
    d->uri[scheme + len] = '\0';
    if (smtp_address_parse(d->address, SMTP_UTF8_ALLOWED, &address) != SMTP_PATH_OK)
        return false;
    d->host = envelope_domain(d->address);
    return d->host.len > 0 && d->host.data[0] != '[' && slice_is_ascii(d->address);
}

/* authority = host [ ":" port ], without anybody's name */
static bool take_https(struct destination *d, size_t scheme)
{
    struct slice rest = slice_from_string(d->uri + scheme);
    struct slice host = slice_part(rest, 0, slice_find(rest, '/'));
    host = slice_part(host, 0, slice_find(host, '?'));
    if (slice_find(host, '@') != SLICE_NOT_FOUND)
        return false;
    d->host = slice_part(host, 0, slice_find(host, ':'));
    d->is_https = true;
    return smtp_domain_is_valid(d->host) && slice_is_ascii(d->host);
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || ascii_is_high(s.data[i]) || s.data[i] == 0x7f)
            return false;
    return true;
}

/* False: it is passed over. */
static bool take_one(struct slice uri, bool takes_https, struct destination *out)
{
    struct destination d = { .size_max = 0 };
    bool is_https = slice_starts_with_nocase(uri, SLICE("https://"));
    if (!is_https && !take_size(&uri, &d.size_max))
        return false;
    bool is_mailto = slice_starts_with_nocase(uri, SLICE("mailto:"));
    if (uri.len > URI_MAX || !is_printable(uri) || (!is_mailto && !(is_https && takes_https)))
        return false;
    d.uri = strndup(uri.data, uri.len);
    if (d.uri != NULL && (is_mailto ? take_mailto(&d, sizeof "mailto:" - 1)
                                    : take_https(&d, sizeof "https://" - 1))) {
        *out = d;
        return true;
    }
    free(d.uri);
    return false;
}

bool destinations_parse(struct slice rua, bool takes_https, struct destinations *out)
{
    struct slice one;
    out->count = 0;
    while (out->count < REPORT_DESTINATIONS_MAX && slice_split(&rua, ',', &one))
        if (take_one(trimmed(one), takes_https, &out->all[out->count]))
            out->count++;
    return out->count > 0;
}

void destinations_free(struct destinations *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->all[i].uri);
    d->count = 0;
}

void destinations_remove(struct destinations *d, size_t index)
{
    free(d->all[index].uri);
    d->count--;
    memmove(&d->all[index], &d->all[index + 1], (d->count - index) * sizeof d->all[0]);
}

static bool lies_in(struct slice host, struct slice domain)
{
    if (domain.len == 0 || host.len < domain.len || !slice_ends_with_nocase(host, domain))
        return false;
    return host.len == domain.len || host.data[host.len - domain.len - 1] == '.';
}

bool destination_is_own(const struct destination *d, struct slice domain,
                        struct slice organizational)
{
    return lies_in(d->host, domain) || lies_in(d->host, organizational);
}

bool destination_agrees(struct destination *d, struct slice record)
{
    struct dmarc_record parsed;
    struct destinations other;
    if (!dmarc_record_parse(record, &parsed))
        return false;
    if (parsed.rua.len == 0)
        return true;
    bool good = destinations_parse(parsed.rua, false, &other) &&
                slice_equal_nocase(other.all[0].host, d->host);
    if (good) {
        struct destination before = *d;
        *d = other.all[0];
        other.all[0] = before;
    }
    destinations_free(&other);
    return good;
}
