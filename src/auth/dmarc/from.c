/* from.c: From fields counted, and the one there is read. */
#include "auth/dmarc/from.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "wire/message/addresses.h"
#include "wire/message/header.h"
#include "wire/smtp/address.h"

enum { ADDRESSES_BYTES_MAX = 4 * 1024 * 1024 };

const char *dmarc_from_text(enum dmarc_from_result result)
{
    switch (result) {
    case DMARC_FROM_OK:
        return "the author's domain is known";
    case DMARC_FROM_ABSENT:
        return "the message has no From field";
    case DMARC_FROM_SEVERAL:
        return "the message has more than one From field";
    case DMARC_FROM_HIDDEN:
        return "the header begins with a line that is no field";
    case DMARC_FROM_MALFORMED:
        return "the From field is no list of addresses";
    case DMARC_FROM_NOBODY:
        return "the From field holds no address";
    case DMARC_FROM_DOMAINS:
        return "the From field holds addresses of several domains";
    case DMARC_FROM_NO_DOMAIN:
        return "the address in the From field has no domain name";
    }
    return "";
}

void dmarc_from_read_domain(struct slice domain, struct dmarc_from *out)
{
    struct buffer canonical;
    buffer_init(&canonical, DMARC_DOMAIN_MAX);
    *out = (struct dmarc_from){ .result = DMARC_FROM_NO_DOMAIN };
    if (domain.len > 0 && domain.data[0] != '[' &&
        smtp_domain_canonical(domain, &canonical) && !canonical.overflow) {
        out->result = DMARC_FROM_OK;
        out->len = (uint8_t)buffer_len(&canonical);
        memcpy(out->domain, buffer_slice(&canonical).data, out->len);
    }
    buffer_free(&canonical);
}

static void read_list(const struct header_addresses *list, struct dmarc_from *out)
{
    if (list->first == NULL) {
        *out = (struct dmarc_from){ .result = DMARC_FROM_NOBODY };
        return;
    }
    dmarc_from_read_domain(list->first->domain, out);
    for (const struct header_address *a = list->first->next;
         a != NULL && out->result == DMARC_FROM_OK; a = a->next) {
        struct dmarc_from other;
        dmarc_from_read_domain(a->domain, &other);
        if (other.result != DMARC_FROM_OK)
            *out = other;
        else if (!slice_equal(dmarc_from_domain(out), dmarc_from_domain(&other)))
            *out = (struct dmarc_from){ .result = DMARC_FROM_DOMAINS };
    }
}

void dmarc_from_read_value(struct slice value, struct dmarc_from *out)
{
    struct arena arena;
    struct header_addresses list;
    arena_init(&arena, ADDRESSES_BYTES_MAX);
    if (header_addresses_parse(value, &arena, &list) == HEADER_ADDRESSES_OK)
        read_list(&list, out);
    else
        *out = (struct dmarc_from){ .result = DMARC_FROM_MALFORMED };
    arena_free(&arena);
}

/* "\vFrom: a@b", "From", " from a@b": a line that is no field, and that somebody may take for
 * the one with the author. */
static bool resembles_from(struct slice line)
{
    while (line.len > 0 && (line.data[0] == ' ' || ascii_is_control(line.data[0])))
        line = slice_from(line, 1);
    return slice_starts_with_nocase(line, SLICE("from"));
}

void dmarc_from_read_header(struct slice header, struct dmarc_from *out)
{
    struct cursor c = cursor_over(header);
    struct header_field field;
    struct slice value = { .len = 0 };
    enum header_result result;
    size_t count = 0;
    bool begins_wrong = false;
    bool names_somebody = false;
    for (bool is_first = true; (result = header_next(&c, &field)) != HEADER_END;
         is_first = false) {
        if (result == HEADER_MALFORMED && is_first) {
            begins_wrong = true;
            names_somebody = slice_find(field.whole, '@') != SLICE_NOT_FOUND;
        }
        if (result == HEADER_MALFORMED && resembles_from(field.whole))
            names_somebody = true;
        if (result == HEADER_FIELD && header_kind_of(field.name) == HEADER_FROM) {
            value = field.value;
            count++;
        }
    }
    /* Somebody may read an author out of a first line that is no field; where there is
     * none in it, and none elsewhere, there is no author. */
    if (names_somebody || (begins_wrong && count > 0))
        *out = (struct dmarc_from){ .result = DMARC_FROM_HIDDEN };
    else if (count == 1)
        dmarc_from_read_value(value, out);
    else
        *out = (struct dmarc_from){ .result = count == 0 ? DMARC_FROM_ABSENT
                                                         : DMARC_FROM_SEVERAL };
}
