/* query.c: what stands in a question (RFC 1035 4.1.2) and an answer. */
#include "wire/dns/query.h"

enum { HEADER_OCTETS = 12, FLAG_QR = 0x8000, FLAG_AA = 0x0400, FLAG_TC = 0x0200, FLAG_RD = 0x0100,
       OPCODE = 0x7800, CLASS_IN = 1, CLASS_ANY = 255, TYPE_OPT = 41, LABEL_MAX = 63,
       POINTER_TO_QUESTION = 0xC000 + HEADER_OCTETS };

static bool take_u16(struct cursor *c, uint16_t *out)
{
    struct slice two;
    if (!cursor_take_part(c, 2, &two))
        return false;
    *out = (uint16_t)((unsigned char)two.data[0] << 8 | (unsigned char)two.data[1]);
    return true;
}

static void put_u16(struct buffer *b, uint32_t value)
{
    buffer_append_byte(b, (char)(value >> 8 & 255));
    buffer_append_byte(b, (char)(value & 255));
}

/* OPT: the root, 41, the room of who asks, .. (RFC 6891 6.1.2) */
static void read_edns(struct cursor *c, struct dns_asked *out)
{
    uint16_t type, room;
    if (!cursor_take_byte(c, '\0') || !take_u16(c, &type) || type != TYPE_OPT ||
        !take_u16(c, &room))
        return;
    out->has_edns = true;
    if (room > DNS_UDP_PLAIN_MAX)
        out->room = room < DNS_UDP_EDNS_MAX ? room : DNS_UDP_EDNS_MAX;
}

/* QNAME QTYPE QCLASS */
static enum dns_rcode read_question(struct cursor *c, struct slice message, struct dns_asked *out)
{
    uint16_t class;
    if (!dns_name_take_any(c, &out->name) || !take_u16(c, &out->type) || !take_u16(c, &class))
        return DNS_FORMERR;
    out->question = slice_part(message, HEADER_OCTETS,
                               message.len - HEADER_OCTETS - cursor_rest(c).len);
    return class == CLASS_IN || class == CLASS_ANY ? DNS_NOERROR : DNS_REFUSED;
}

bool dns_asked_read(struct slice message, struct dns_asked *out, enum dns_rcode *out_rcode)
{
    struct cursor c = cursor_over(message);
    uint16_t questions, answers, authorities, more;
    *out = (struct dns_asked){ .room = DNS_UDP_PLAIN_MAX };
    if (!take_u16(&c, &out->id) || !take_u16(&c, &out->flags) || !take_u16(&c, &questions) ||
        !take_u16(&c, &answers) || !take_u16(&c, &authorities) || !take_u16(&c, &more) ||
        (out->flags & FLAG_QR) != 0)
        return false;
    if ((out->flags & OPCODE) != 0)
        *out_rcode = DNS_NOTIMP;
    else if (questions != 1 || answers != 0 || authorities != 0)
        *out_rcode = DNS_FORMERR;
    else
        *out_rcode = read_question(&c, message, out);
    if (more > 0 && out->question.len > 0)
        read_edns(&c, out);
    return true;
}

bool dns_name_append(struct slice text, struct buffer *out)
{
    struct dns_name name;
    struct slice label;
    if (!dns_name_parse(text, &name))
        return false;
    struct slice rest = dns_name_slice(&name);
    while (slice_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX)
            return false;
        buffer_append_byte(out, (char)label.len);
        buffer_append(out, label);
    }
    buffer_append_byte(out, '\0');
    return true;
}

static bool append_record(const struct dns_asked *asked, const struct dns_told *told,
                          struct buffer *out)
{
    bool is_asked = slice_equal_nocase(told->owner, dns_name_slice(&asked->name));
    if (is_asked)
        put_u16(out, POINTER_TO_QUESTION);
    else if (!dns_name_append(told->owner, out))
        return false;
    put_u16(out, told->type);
    put_u16(out, CLASS_IN);
    put_u16(out, told->ttl_s >> 16);
    put_u16(out, told->ttl_s & 0xFFFF);
    put_u16(out, (uint32_t)told->data.len);
    buffer_append(out, told->data);
    return told->data.len <= UINT16_MAX;
}

static void append_header(const struct dns_asked *asked, uint32_t flags, size_t count,
                          struct buffer *out)
{
    put_u16(out, asked->id);
    put_u16(out, flags);
    put_u16(out, asked->question.len > 0);
    put_u16(out, (uint32_t)count);
    put_u16(out, 0);
    put_u16(out, asked->has_edns);
    buffer_append(out, asked->question);
}

/* Of ours (RFC 6891 6.2.5). */
static void append_edns(const struct dns_asked *asked, struct buffer *out)
{
    if (!asked->has_edns)
        return;
    buffer_append_byte(out, '\0');
    put_u16(out, TYPE_OPT);
    put_u16(out, DNS_UDP_EDNS_MAX);
    put_u16(out, 0);
    put_u16(out, 0);
    put_u16(out, 0);
}

bool dns_answer_append(const struct dns_asked *asked, enum dns_rcode rcode,
                       const struct dns_told *told, size_t count, size_t max,
                       struct buffer *out)
{
    size_t start = buffer_len(out);
    uint32_t flags = FLAG_QR | FLAG_AA | (asked->flags & (OPCODE | FLAG_RD)) | rcode;
    append_header(asked, flags, count, out);
    for (size_t i = 0; i < count; i++)
        if (!append_record(asked, &told[i], out))
            return false;
    append_edns(asked, out);
    if (!out->overflow && buffer_len(out) - start <= max)
        return true;
    buffer_truncate(out, start);
    out->overflow = false;
    append_header(asked, flags | FLAG_TC, 0, out);
    append_edns(asked, out);
    return !out->overflow && buffer_len(out) - start <= max;
}
