/* dkim_record.c: the public half of a key, as the DNS is to serve it (RFC 6376 3.6,
 * RFC 8463 4). */
#include "cli/dkim_private.h"

#include "base/base64.h"

enum { STRING_MAX = 255, PUBLIC_MAX = 2048 };

void dkim_append_record(const struct private_key *key, struct buffer *out)
{
    struct buffer public;
    buffer_init(&public, PUBLIC_MAX);
    buffer_append_format(out, "v=DKIM1; k=%s; p=",
                         private_key_kind(key) == KEY_RSA ? "rsa" : "ed25519");
    if (private_key_public(key, &public) == ERR_OK)
        base64_append(out, buffer_slice(&public));
    buffer_free(&public);
}

void dkim_append_name(const struct dkim_name *name, struct buffer *out)
{
    buffer_append(out, name->selector);
    buffer_append(out, SLICE("._domainkey."));
    buffer_append(out, name->domain);
}

/* record = name "." SP "IN" SP "TXT" SP "(" 1*( SP DQUOTE 0*255OCTET DQUOTE LF ) ")" */
void dkim_append_zone(const struct dkim_name *name, const struct private_key *key,
                      struct buffer *out)
{
    struct buffer record;
    buffer_init(&record, DKIM_RECORD_MAX);
    dkim_append_record(key, &record);
    struct slice rest = buffer_slice(&record);
    dkim_append_name(name, out);
    buffer_append(out, SLICE(". IN TXT ("));
    for (bool is_first = true; rest.len > 0; is_first = false) {
        buffer_append_string(out, is_first ? " \"" : "\n    \"");
        buffer_append(out, slice_part(rest, 0, STRING_MAX));
        buffer_append_byte(out, '"');
        rest = slice_from(rest, slice_part(rest, 0, STRING_MAX).len);
    }
    buffer_append(out, SLICE(" )\n"));
    buffer_free(&record);
}
