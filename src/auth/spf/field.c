/* field.c: the verdict as header text: RFC 7208 9.1 and 9.2, RFC 8601 2.2. Whatever the
 * client said stands in quotes, unless it is an address that needs none. */
#include "auth/spf/spf_private.h"

#include "base/ascii.h"
#include "wire/smtp/address.h"

enum { VALUE_MAX = 400 }; /* no line may be longer than 998 (RFC 5322 2.1.1) */

/* quoted-string; what a field cannot hold becomes '?'. */
static void append_quoted(struct buffer *out, struct slice s)
{
    s = slice_part(s, 0, VALUE_MAX);
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c == '"' || c == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, ascii_is_control(c) || ascii_is_high(c) ? '?' : c);
    }
    buffer_append_byte(out, '"');
}

static bool is_plain_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.data[i]) && s.data[i] != '.' && s.data[i] != '-' &&
            s.data[i] != '_')
            return false;
    return s.len > 0 && s.len <= VALUE_MAX;
}

static void append_name(struct buffer *out, struct slice name)
{
    if (is_plain_name(name))
        buffer_append(out, name);
    else
        append_quoted(out, name);
}

/* pvalue = value / [ [ local-part ] "@" ] domain-name */
static void append_sender(struct buffer *out, struct slice sender)
{
    struct smtp_address address;
    if (smtp_address_parse(sender, SMTP_UTF8_REFUSED, &address) == SMTP_PATH_OK &&
        address.kind == SMTP_DOMAIN_NAME && sender.len <= VALUE_MAX)
        buffer_append(out, sender);
    else
        append_quoted(out, sender);
}

void spf_append_result(const struct spf *spf, struct buffer *out)
{
    struct spf_verdict verdict = spf_verdict(spf);
    buffer_append_string(out, "spf=");
    buffer_append(out, spf_result_name(verdict.result));
    if (verdict.problem.len > 0) {
        buffer_append_string(out, " reason=");
        append_quoted(out, verdict.problem);
    }
    buffer_append_string(out, verdict.identity == SPF_HELO ? " smtp.helo="
                                                           : " smtp.mailfrom=");
    if (verdict.identity == SPF_HELO)
        append_name(out, spf->macros.of['h' - 'a']);
    else
        append_sender(out, spf->mail_from);
}

static void append_pair(struct buffer *out, const char *key, struct slice value)
{
    if (value.len == 0)
        return;
    buffer_append_string(out, ";\r\n\t");
    buffer_append_string(out, key);
    buffer_append_byte(out, '=');
    append_name(out, value);
}

/* header-field = "Received-SPF:" [CFWS] result FWS [comment FWS]
 *                [ key-value-list ] CRLF */
void spf_append_received_field(const struct spf *spf, struct buffer *out)
{
    struct spf_verdict verdict = spf_verdict(spf);
    const struct slice *of = spf->macros.of;
    buffer_append_string(out, "Received-SPF: ");
    buffer_append(out, spf_result_name(verdict.result));
    buffer_append_string(out, "\r\n\treceiver=");
    append_name(out, of['r' - 'a']);
    append_pair(out, "client-ip", of['c' - 'a']);
    append_pair(out, "envelope-from", spf->mail_from);
    append_pair(out, "helo", of['h' - 'a']);
    append_pair(out, "identity", spf_identity_name(verdict.identity));
    append_pair(out, "mechanism", verdict.mechanism);
    append_pair(out, "problem", verdict.problem);
    buffer_append_string(out, "\r\n");
}
