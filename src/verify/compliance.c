/* compliance.c: RFC 5322 3.6, RFC 8058 3.1, RFC 2369 3.2. */
#include "verify/compliance.h"

#include "auth/dmarc/from.h"
#include "base/ascii.h"
#include "wire/message/date.h"
#include "wire/message/header.h"
#include "wire/message/tag_list.h"

enum { LINE_MAX_OCTETS = 998 };

const char *compliance_fault_text(enum compliance_fault fault)
{
    switch (fault) {
    case COMPLIANCE_FROM: return "From does not name one author's domain";
    case COMPLIANCE_DKIM: return "no DKIM key signs for the domain of From";
    case COMPLIANCE_DATE: return "there is not one Date that can be read";
    case COMPLIANCE_MESSAGE_ID: return "there is not one Message-ID";
    case COMPLIANCE_LINES: return "a line is longer than 998 octets";
    case COMPLIANCE_UNSUBSCRIBE: return "bulk mail without one-click List-Unsubscribe (RFC 8058)";
    case COMPLIANCE_FAULTS_END: break;
    }
    return "";
}

struct seen {
    unsigned dates;
    unsigned message_ids;
    bool date_is_good;
    bool has_post;           /* List-Unsubscribe-Post: List-Unsubscribe=One-Click */
    bool has_https;          /* in List-Unsubscribe */
    struct dmarc_from from;
    bool is_signed;          /* by the domain of From, or one above or below it */
};

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && (ascii_is_blank(s.data[0]) || s.data[0] == '\r' || s.data[0] == '\n'))
        s = slice_from(s, 1);
    while (s.len > 0 && (ascii_is_blank(s.data[s.len - 1]) || s.data[s.len - 1] == '\r' ||
                         s.data[s.len - 1] == '\n'))
        s.len--;
    return s;
}

/* One of the addresses in '<' and '>' is of https (RFC 8058 3.1). */
static bool names_https(struct slice value)
{
    size_t open;
    while ((open = slice_find(value, '<')) != SLICE_NOT_FOUND) {
        value = slice_from(value, open + 1);
        if (slice_starts_with_nocase(trimmed(value), SLICE("https://")))
            return true;
    }
    return false;
}

static bool lies_in(struct slice name, struct slice domain)
{
    return slice_ends_with_nocase(name, domain) &&
           (name.len == domain.len || (name.len > domain.len &&
                                       name.data[name.len - domain.len - 1] == '.'));
}

static bool is_signed_by(struct slice value, const struct dmarc_from *from)
{
    struct tag_list tags;
    const struct tag *d;
    struct slice author = dmarc_from_domain(from);
    return author.len > 0 && tag_list_parse(value, &tags) &&
           (d = tag_list_find(&tags, SLICE("d"))) != NULL && d->value.len > 0 &&
           (lies_in(author, d->value) || lies_in(d->value, author));
}

static bool is_bulk_precedence(struct slice value)
{
    return slice_equal_nocase(value, SLICE("bulk")) || slice_equal_nocase(value, SLICE("list"));
}

static void look_at(struct compliance *c, struct seen *seen, const struct header_field *f)
{
    struct slice value = trimmed(f->value);
    struct date date;
    if (slice_equal_nocase(f->name, SLICE("Date"))) {
        seen->dates++;
        seen->date_is_good = date_parse(value, &date);
    } else if (slice_equal_nocase(f->name, SLICE("Message-ID"))) {
        seen->message_ids++;
    } else if (slice_equal_nocase(f->name, SLICE("DKIM-Signature"))) {
        seen->is_signed = seen->is_signed || is_signed_by(f->value, &seen->from);
    } else if (slice_equal_nocase(f->name, SLICE("List-Unsubscribe"))) {
        seen->has_https = seen->has_https || names_https(value);
        c->says_bulk = true;
    } else if (slice_equal_nocase(f->name, SLICE("List-Unsubscribe-Post"))) {
        seen->has_post = slice_equal_nocase(value, SLICE("List-Unsubscribe=One-Click"));
        c->says_bulk = true;
    } else if (slice_equal_nocase(f->name, SLICE("List-Id")) ||
               slice_equal_nocase(f->name, SLICE("Feedback-ID")) ||
               (slice_equal_nocase(f->name, SLICE("Precedence")) && is_bulk_precedence(value))) {
        c->says_bulk = true;
    }
}

/* Whether our own seal will sign for it (seal/seal.h). */
static bool we_sign(const struct config *config, struct slice domain)
{
    for (bool is_itself = true; config != NULL && domain.len > 0; is_itself = false) {
        const struct config_domain *d = config_domain(config, domain);
        if (d != NULL && d->dkim_count > 0 && (is_itself || d->dkim_subdomains))
            return true;
        size_t dot = slice_find(domain, '.');
        domain = dot == SLICE_NOT_FOUND ? slice_make(NULL, 0) : slice_from(domain, dot + 1);
    }
    return false;
}

static void count_lines(struct compliance *c, struct slice text)
{
    struct slice line;
    while (text.len > 0) {
        size_t end = slice_find(text, '\n');
        line = slice_part(text, 0, end);
        c->line_octets += line.len;
        bool ends = end != SLICE_NOT_FOUND;
        /* the CR of its end does not count */
        if (c->line_octets > (size_t)LINE_MAX_OCTETS + (ends ? 1 : 0))
            c->faults |= COMPLIANCE_LINES;
        if (ends)
            c->line_octets = 0;
        text = slice_from(text, ends ? end + 1 : line.len);
    }
}

void compliance_header(const struct config *config, struct slice header,
                       struct compliance *out)
{
    struct cursor c = cursor_over(header);
    struct header_field field;
    enum header_result got;
    struct seen seen = { .dates = 0 };
    *out = (struct compliance){ .faults = 0 };
    dmarc_from_read_header(header, &seen.from);
    while ((got = header_next(&c, &field)) != HEADER_END)
        if (got == HEADER_FIELD)
            look_at(out, &seen, &field);
    if (seen.from.result != DMARC_FROM_OK)
        out->faults |= COMPLIANCE_FROM;
    else if (!seen.is_signed && !we_sign(config, dmarc_from_domain(&seen.from)))
        out->faults |= COMPLIANCE_DKIM;
    if (seen.dates != 1 || !seen.date_is_good)
        out->faults |= COMPLIANCE_DATE;
    if (seen.message_ids != 1)
        out->faults |= COMPLIANCE_MESSAGE_ID;
    out->has_one_click = seen.has_post && seen.has_https;
    count_lines(out, header);
}

void compliance_body(struct compliance *c, struct slice piece)
{
    count_lines(c, piece);
}

unsigned compliance_faults(const struct compliance *c, bool is_to_many)
{
    bool lacks = (c->says_bulk || is_to_many) && !c->has_one_click;
    return c->faults | (lacks ? COMPLIANCE_UNSUBSCRIBE : 0);
}
