/* mail.c: a report as a message: RFC 9990 3.5.2, RFC 8460 5.3 to 5.5.
 *
 * Its Message-ID is the Report-ID, so that one that is sent twice is the same.
 */
#include "reports/reports_private.h"

#include "base/base64.h"
#include "base/moment.h"
#include "base/must.h"
#include "wire/message/date.h"

#include <inttypes.h>
#include <zlib.h>

enum { LINE_OCTETS = 57, GZIP_WINDOW = 15 + 16, GZIP_MEMORY = 8 };

bool report_pack(struct slice content, struct buffer *out)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)content.data,
                   .avail_in = (uInt)content.len };
    must(content.len <= REPORT_CONTENT_MAX);
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong room = deflateBound(&z, (uLong)content.len);
    z.next_out = (Bytef *)buffer_reserve(out, room);
    z.avail_out = (uInt)room;
    bool good = z.next_out != NULL && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (good)
        buffer_added(out, z.total_out);
    deflateEnd(&z);
    return good;
}

/* day, domain and number name one report of ours for ever */
void report_id_append(const struct report_loaded *l, const struct config *config,
                      struct buffer *out)
{
    buffer_append_format(out, "%s%" PRId64 ".%s.%" PRId64 "@",
                         l->kind == REPORT_TLS ? "tls." : "", l->day, l->domain, l->id);
    buffer_append(out, config->hostname);
}

/* filename = receiver "!" policy-domain "!" begin "!" end "." extension */
static void append_file_name(const struct report_mail *m, struct buffer *out)
{
    buffer_append(out, m->config->hostname);
    buffer_append_format(out, "!%s!%" PRId64 "!%" PRId64 ".%s", m->domain,
                         m->day * (DAY_MS / 1000), (m->day + 1) * (DAY_MS / 1000) - 1,
                         m->kind == REPORT_TLS ? "json.gz" : "xml.gz");
}

static void append_to(const struct report_mail *m, struct buffer *out)
{
    for (size_t i = 0; i < m->to->count; i++) {
        buffer_append_string(out, i == 0 ? "To: <" : ">,\r\n <");
        buffer_append(out, m->to->all[i].address);
    }
    buffer_append_string(out, ">\r\n");
}

static void append_header(const struct report_mail *m, struct buffer *out)
{
    bool is_tls = m->kind == REPORT_TLS;
    buffer_append_string(out, "Date: ");
    date_append(out, m->wall_ms, 0);
    buffer_append_string(out, "\r\nFrom: <");
    buffer_append(out, m->config->reports.from);
    buffer_append_string(out, ">\r\n");
    append_to(m, out);
    buffer_append_format(out, "Subject: Report Domain: %s\r\n Submitter: ", m->domain);
    buffer_append(out, m->config->hostname);
    buffer_append_string(out, "\r\n Report-ID: <");
    buffer_append(out, m->report_id);
    buffer_append_string(out, ">\r\nMessage-ID: <");
    buffer_append(out, m->report_id);
    buffer_append_string(out, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
    if (is_tls) {
        buffer_append_format(out, "TLS-Report-Domain: %s\r\nTLS-Report-Submitter: ", m->domain);
        buffer_append(out, m->config->hostname);
        buffer_append_string(out, "\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";");
    } else {
        buffer_append_string(out, "Content-Type: multipart/mixed;");
    }
    /* '=' and '_' stand in no line of base64 or of ours */
    buffer_append_string(out, "\r\n boundary=\"=_report\"\r\n\r\n");
}

static void append_words(const struct report_mail *m, struct buffer *out)
{
    buffer_append_string(out, "--=_report\r\nContent-Type: text/plain\r\n\r\n");
    if (m->kind == REPORT_TLS)
        buffer_append_format(out, "What this server has seen of the TLS of the mail hosts of\r\n"
                             "%s is in the attached file (RFC 8460).\r\n", m->domain);
    else
        buffer_append_format(out, "What this server has seen of mail in the name of\r\n"
                             "%s is in the attached file (DMARC, RFC 9990).\r\n", m->domain);
    if (m->config->reports.contact.len > 0) {
        buffer_append_string(out, "More about it: ");
        buffer_append_escaped(out, m->config->reports.contact);
        buffer_append_string(out, "\r\n");
    }
}

static void append_file(const struct report_mail *m, struct buffer *out)
{
    buffer_append_format(out, "--=_report\r\nContent-Type: application/%s;\r\n name=\"",
                         m->kind == REPORT_TLS ? "tlsrpt+gzip" : "gzip");
    append_file_name(m, out);
    buffer_append_string(out, "\"\r\nContent-Transfer-Encoding: base64\r\n"
                              "Content-Disposition: attachment;\r\n filename=\"");
    append_file_name(m, out);
    buffer_append_string(out, "\"\r\n\r\n");
    for (size_t i = 0; i < m->packed.len; i += LINE_OCTETS) {
        base64_append(out, slice_part(m->packed, i, LINE_OCTETS));
        buffer_append_string(out, "\r\n");
    }
    buffer_append_string(out, "--=_report--\r\n");
}

bool report_mail_write(const struct report_mail *mail, struct buffer *out)
{
    append_header(mail, out);
    append_words(mail, out);
    append_file(mail, out);
    return !out->overflow;
}
