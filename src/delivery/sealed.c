/* sealed.c: from the results that the MX wrote before a message to a seal over it.
 *
 * The header prefix is ours alone, so an Authentication-Results field in it is what we
 * found. RFC 8601 2.2 (its form), RFC 8617 5.1.
 */
#include "delivery/sealed.h"

#include "auth/arc/seal.h"
#include "base/ascii.h"
#include "wire/message/header.h"
#include "wire/message/results.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 32 * 1024 };

/* The value of our field, without the blanks at its ends. */
static bool find_results(struct slice prefix, struct slice *out)
{
    struct cursor c = cursor_over(prefix);
    struct header_field field;
    enum header_result got;
    while ((got = header_next(&c, &field)) != HEADER_END) {
        if (got != HEADER_FIELD ||
            !slice_equal_nocase(field.name, SLICE("Authentication-Results")))
            continue;
        struct slice value = field.value;
        while (value.len > 0 && ascii_is_blank(value.data[0]))
            value = slice_from(value, 1);
        while (value.len > 0 && (ascii_is_blank(value.data[value.len - 1]) ||
                                 value.data[value.len - 1] == '\r' ||
                                 value.data[value.len - 1] == '\n'))
            value.len--;
        *out = value;
        return value.len > 0;
    }
    return false;
}

static enum arc_result chain_in(struct slice results)
{
    static const enum arc_result all[] = { ARC_PASS, ARC_FAIL };
    struct slice word;
    if (!results_find(results, SLICE("arc"), &word))
        return ARC_NONE;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (slice_equal(word, slice_from_string(arc_result_text(all[i]))))
            return all[i];
    return ARC_NONE;
}

struct reading {
    struct message_view *view;
    uint64_t offset;            /* of the content */
    struct header_scan scan;
    struct buffer header;
    struct arc_sealer *sealer;
    char block[BLOCK_BYTES];
};

static enum err read_block(struct reading *r, struct slice *out)
{
    size_t len;
    enum err error = message_read(r->view, r->offset, r->block, sizeof r->block, &len);
    if (error != ERR_OK || len == 0)
        return error == ERR_OK ? ERR_CORRUPT : error;
    r->offset += len;
    *out = slice_make(r->block, len);
    return ERR_OK;
}

/* Until the header has ended; what follows of the block is body. */
static enum err read_header(struct reading *r, struct slice *out_body)
{
    struct slice piece = r->view->prefix;
    bool ended = header_scan_feed(&r->scan, &piece);
    while (!ended && r->offset < r->view->content_size) {
        enum err error = read_block(r, &piece);
        if (error != ERR_OK)
            return error;
        ended = header_scan_feed(&r->scan, &piece);
    }
    if (!ended) {
        header_scan_finish(&r->scan);
        piece = slice_make(NULL, 0);
    }
    *out_body = piece;
    if (r->header.overflow && !r->scan.too_large)
        return ERR_MEMORY;
    return r->scan.too_large || r->scan.too_many_fields ? ERR_INVALID : ERR_OK;
}

static enum err seal(struct reading *r, const struct arc_sealing *sealing,
                     struct buffer *out)
{
    enum arc_sealing_fault fault;
    struct slice body;
    enum err error = read_header(r, &body);
    if (error != ERR_OK)
        return error;
    struct slice header = buffer_slice(&r->header);
    if (r->scan.ended)
        header.len -= 2; /* the empty line */
    error = arc_sealer_new(sealing, header, &r->sealer, &fault);
    if (error != ERR_OK)
        return error;
    arc_sealer_body(r->sealer, body);
    while (r->offset < r->view->content_size) {
        error = read_block(r, &body);
        if (error != ERR_OK)
            return error;
        arc_sealer_body(r->sealer, body);
    }
    return arc_sealer_finish(r->sealer, out);
}

static enum err seal_view(struct message_view *view, const struct arc_sealing *sealing,
                          struct buffer *out)
{
    struct reading *r = calloc(1, sizeof *r);
    if (r == NULL)
        return ERR_MEMORY;
    r->view = view;
    buffer_init(&r->header, HEADER_BYTES_MAX);
    header_scan_init(&r->scan, &r->header);
    enum err error = seal(r, sealing, out);
    arc_sealer_free(&r->sealer);
    buffer_free(&r->header);
    free(r);
    /* of the message: nobody could seal it */
    return error == ERR_INVALID || error == ERR_FULL ? ERR_OK : error;
}

enum err sealed_make(struct message_source *source, struct mail_id id,
                     const struct delivery_sealing *how, int64_t now_s, struct buffer *out)
{
    struct arc_sealing sealing = { .key = how->key, .domain = how->domain,
                                   .selector = how->selector, .signed_at_s = now_s };
    struct message_view *view = NULL;
    enum err error = message_open(source, id, &view);
    if (error != ERR_OK)
        return error;
    if (find_results(view->prefix, &sealing.results)) {
        sealing.chain = chain_in(sealing.results);
        error = seal_view(view, &sealing, out);
    }
    message_close(&view);
    return error;
}
