/* tls_record.c: RFC 8460 3.
 *
 *   tlsrpt-record    = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]
 *   field-delim      = *WSP ";" *WSP
 *   tlsrpt-field     = tlsrpt-rua / tlsrpt-extension
 *   tlsrpt-version   = %s"v=TLSRPTv1"
 *   tlsrpt-rua       = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)
 */
#include "reports/tls_record.h"

#include "base/ascii.h"

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && ascii_is_blank(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && ascii_is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

static bool starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal(slice_part(s, 0, prefix.len), prefix);
}

bool tls_record_read(struct slice text, struct slice *out_rua)
{
    struct slice field;
    bool found = false;
    struct slice rua = slice_make(NULL, 0);
    if (!slice_split(&text, ';', &field) ||
        !slice_equal(trimmed(field), SLICE("v=TLSRPTv1")) || ascii_is_blank(field.data[0]))
        return false;
    while (slice_split(&text, ';', &field)) {
        field = trimmed(field);
        if (starts_with(field, SLICE("rua=")) && !found) {
            rua = trimmed(slice_from(field, 4));
            found = rua.len > 0;
        }
    }
    if (found)
        *out_rua = rua;
    return found;
}
