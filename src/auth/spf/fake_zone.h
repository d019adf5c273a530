/* fake_zone.h: a check answered from a table, for tests. */
#ifndef GODWIT_AUTH_SPF_FAKE_ZONE_H
#define GODWIT_AUTH_SPF_FAKE_ZONE_H

#include "auth/spf/spf.h"
#include "wire/dns/message.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* `text` of TXT is one string of less than 256 octets, of A and AAAA an address, of MX
 * and PTR a name; NULL: this type fails. A name that has no record does not exist. */
struct fake_record {
    const char *name;
    uint16_t type;
    const char *text;
};

struct fake_zone {
    const struct fake_record *records; /* ended by a NULL name */
    unsigned asked;
};

static inline void fake_append_name(struct buffer *out, struct slice name)
{
    struct slice label;
    while (slice_split(&name, '.', &label)) {
        buffer_append_byte(out, (char)label.len);
        buffer_append(out, label);
    }
    buffer_append_byte(out, '\0');
}

static inline void fake_append(struct buffer *out, uint16_t type, const char *text)
{
    uint8_t bytes[16];
    struct slice written = slice_from_string(text);
    if (type == DNS_TYPE_A && inet_pton(AF_INET, text, bytes) == 1)
        buffer_append(out, slice_make(bytes, 4));
    if (type == DNS_TYPE_AAAA && inet_pton(AF_INET6, text, bytes) == 1)
        buffer_append(out, slice_make(bytes, 16));
    if (type == DNS_TYPE_TXT) {
        buffer_append_byte(out, (char)written.len);
        buffer_append(out, written);
    }
    if (type == DNS_TYPE_MX)
        buffer_append(out, slice_make("\0\012", 2));
    if (type == DNS_TYPE_MX || type == DNS_TYPE_PTR)
        fake_append_name(out, written);
}

enum { FAKE_RECORDS_MAX = 32 };

static inline void fake_answer(struct fake_zone *zone, struct spf *spf,
                               const struct lookup_question *question)
{
    struct buffer data[FAKE_RECORDS_MAX];
    struct slice records[FAKE_RECORDS_MAX];
    struct lookup_answer answer = { .kind = LOOKUP_NXDOMAIN, .records = records };
    zone->asked++;
    for (const struct fake_record *r = zone->records; r->name != NULL; r++) {
        if (!slice_equal_nocase(slice_from_string(r->name), question->name))
            continue;
        if (answer.kind == LOOKUP_NXDOMAIN)
            answer.kind = LOOKUP_NODATA;
        if (r->type != question->type)
            continue;
        answer.kind = r->text == NULL ? LOOKUP_FAILED : LOOKUP_FOUND;
        if (r->text == NULL)
            break;
        buffer_init(&data[answer.records_count], 512);
        fake_append(&data[answer.records_count], r->type, r->text);
        records[answer.records_count] = buffer_slice(&data[answer.records_count]);
        answer.records_count++;
    }
    spf_answer(spf, &answer);
    for (size_t i = 0; i < answer.records_count; i++)
        buffer_free(&data[i]);
}

static inline void fake_run(struct fake_zone *zone, struct spf *spf)
{
    struct lookup_question question;
    while (spf_next(spf, &question))
        fake_answer(zone, spf, &question);
}

#endif
