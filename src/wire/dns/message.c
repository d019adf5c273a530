/* message.c: RFC 1035 3.3.9 (MX), 3.3.14 (TXT), 4.1 (the message), 4.1.4 (compression);
 * RFC 6698 2.1 (TLSA). */
#include "wire/dns/message.h"

static bool take_u16(struct cursor *c, uint16_t *out)
{
    struct slice part;
    if (!cursor_take_part(c, 2, &part))
        return false;
    *out = (uint16_t)((unsigned char)part.data[0] << 8 | (unsigned char)part.data[1]);
    return true;
}

/* MX data = preference exchange */
bool dns_mx_record_read(struct slice data, struct dns_mx_record *out)
{
    struct cursor c = cursor_over(data);
    struct dns_mx_record record;
    if (!take_u16(&c, &record.preference) || !dns_name_take(&c, &record.host) ||
        !cursor_at_end(&c))
        return false;
    *out = record;
    return true;
}

/* TLSA data = usage selector matching-type association (RFC 6698 2.1) */
bool dns_tlsa_record_read(struct slice data, struct dns_tlsa_record *out)
{
    struct cursor c = cursor_over(data);
    struct slice fields;
    if (!cursor_take_part(&c, 3, &fields) || cursor_at_end(&c))
        return false;
    *out = (struct dns_tlsa_record){
        .usage = (uint8_t)fields.data[0], .selector = (uint8_t)fields.data[1],
        .matching = (uint8_t)fields.data[2], .association = cursor_rest(&c),
    };
    return true;
}

/* TXT data = 1*( length string ) */
bool dns_txt_append(struct slice data, struct buffer *out)
{
    struct cursor c = cursor_over(data);
    struct slice part;
    size_t before = buffer_len(out);
    do {
        int len = cursor_take(&c);
        if (len < 0 || !cursor_take_part(&c, (size_t)len, &part)) {
            buffer_truncate(out, before);
            return false;
        }
        buffer_append(out, part);
    } while (!cursor_at_end(&c));
    return true;
}

/* A name, of any octets, that may end in a pointer; it is not followed. */
static bool skip_name(struct cursor *c)
{
    struct slice skipped;
    for (;;) {
        int len = cursor_take(c);
        if (len == 0)
            return true;
        if (len < 0)
            return false;
        if ((len & 0xc0) == 0xc0)
            return cursor_take_part(c, 1, &skipped);
        if ((len & 0xc0) != 0 || !cursor_take_part(c, (size_t)len, &skipped))
            return false;
    }
}

static bool skip_question(struct cursor *c)
{
    struct slice skipped;
    return skip_name(c) && cursor_take_part(c, 4, &skipped);
}

/* record = name type class ttl length data */
static bool take_record(struct cursor *c, uint16_t *out_type)
{
    struct slice skipped;
    uint16_t len;
    return skip_name(c) && take_u16(c, out_type) && cursor_take_part(c, 6, &skipped) &&
           take_u16(c, &len) && cursor_take_part(c, len, &skipped);
}

/* header = id flags qdcount ancount nscount arcount */
bool dns_message_count(struct slice message, uint16_t type, uint32_t *out_count)
{
    struct cursor c = cursor_over(message);
    struct slice skipped;
    uint16_t questions;
    uint16_t answers;
    if (!cursor_take_part(&c, 4, &skipped) || !take_u16(&c, &questions) ||
        !take_u16(&c, &answers) || !cursor_take_part(&c, 4, &skipped))
        return false;
    for (uint16_t i = 0; i < questions; i++)
        if (!skip_question(&c))
            return false;
    uint32_t count = 0;
    for (uint16_t i = 0; i < answers; i++) {
        uint16_t its_type;
        if (!take_record(&c, &its_type))
            return false;
        if (its_type == type)
            count++;
    }
    *out_count = count;
    return true;
}
