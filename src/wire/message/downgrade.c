/* downgrade.c: the structure of a MIME message, line by line.
 *
 * Both passes walk in the same way; the first notes in the plan which bodies hold 8-bit
 * octets, the second writes. A line is looked at whole up to LINE_BYTES, what follows
 * of a longer one comes as further pieces. The line end before a boundary belongs to
 * the boundary (RFC 2046 5.1.1), so each line end of a body waits for the next line.
 */
#include "wire/message/downgrade.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/message/content_type_private.h"
#include "wire/message/encoder_private.h"

#include <stdlib.h>

enum { LINE_BYTES = 512 };

enum place {
    PLACE_HEADER,
    PLACE_BODY,
    PLACE_BETWEEN, /* before, behind or in place of a multipart's parts */
};

enum field {
    FIELD_OTHER,
    FIELD_TYPE,
    FIELD_ENCODING,
    FIELD_VERSION,
    FIELD_SIGNATURE,
};

struct entity {
    uint32_t index;
    bool is_top;
    bool is_message;          /* its header is a message's, not a part's */
    bool has_type;
    bool has_encoding;
    bool has_version;
    bool drops_label;         /* its label is written anew */
    struct content_type type;
    enum content_label label;
};

struct downgrade {
    struct downgrade_plan *found;   /* first pass */
    struct downgrade_plan plan;     /* second pass */
    struct buffer *out;
    bool failed;
    bool at_end;
    bool cr;                        /* seen, not yet part of anything */
    bool line_began;                /* a piece of this line was dealt with */
    bool line_open;                 /* what was written last has no line end */
    bool line_end_waits;
    uint32_t entities;
    enum place place;
    enum field field;
    struct entity entity;
    struct encoder encoder;
    unsigned depth;
    size_t line_len;
    size_t field_len;
    char line[LINE_BYTES];
    char field_text[DOWNGRADE_FIELD_MAX];
    struct content_type levels[DOWNGRADE_DEPTH_MAX]; /* the multiparts around */
};

static void emit(struct downgrade *d, struct slice bytes)
{
    if (d->out == NULL || bytes.len == 0)
        return;
    buffer_append(d->out, bytes);
    d->line_open = bytes.data[bytes.len - 1] != '\n';
}

static void emit_line(struct downgrade *d, struct slice text, bool last)
{
    emit(d, text);
    if (last)
        emit(d, SLICE("\r\n"));
}

static bool needs_coding(const struct downgrade *d)
{
    uint32_t i = d->entity.index;
    return d->found == NULL && (d->plan.needs[i / 8] & 1u << i % 8) != 0;
}

static bool is_inside_signed(const struct downgrade *d)
{
    for (unsigned i = 0; i < d->depth; i++)
        if (d->levels[i].is_signed)
            return true;
    return false;
}

static void entity_begin(struct downgrade *d, bool is_message)
{
    d->entity = (struct entity){
        .index = d->entities, .is_top = d->entities == 0, .is_message = is_message,
        .type = { .class = CONTENT_TEXT },
    };
    if (!is_message && d->depth > 0 && d->levels[d->depth - 1].is_digest)
        d->entity.type.class = CONTENT_MESSAGE;
    d->place = PLACE_HEADER;
    d->field = FIELD_OTHER;
    d->field_len = 0;
    if (d->entities == DOWNGRADE_ENTITIES_MAX)
        d->failed = true;
    else
        d->entities++;
}

/* Whether the label, once read, has to be another one. */
static bool label_changes(const struct downgrade *d)
{
    return needs_coding(d) || (d->entity.label == LABEL_8BIT && !is_inside_signed(d));
}

static void field_end(struct downgrade *d)
{
    struct entity *e = &d->entity;
    struct slice whole = slice_make(d->field_text, d->field_len);
    struct slice value = slice_from(whole, slice_find(whole, ':') + 1);
    switch (d->field) {
    case FIELD_TYPE:
        content_type_read(value, &e->type);
        if (e->has_type) /* twice: which one holds? */
            e->type.class = CONTENT_OPAQUE;
        e->has_type = true;
        break;
    case FIELD_ENCODING:
        e->label = content_label_read(value);
        if (e->has_encoding)
            e->type.class = CONTENT_OPAQUE;
        e->has_encoding = true;
        e->drops_label = label_changes(d);
        if (!e->drops_label)
            emit(d, whole);
        break;
    case FIELD_VERSION:
        e->has_version = true;
        break;
    case FIELD_SIGNATURE:
    case FIELD_OTHER:
        break;
    }
    d->field = FIELD_OTHER;
    d->field_len = 0;
}

static enum field field_of(struct slice line)
{
    struct slice name = slice_trim(slice_part(line, 0, slice_find(line, ':')));
    if (slice_find(line, ':') == SLICE_NOT_FOUND)
        return FIELD_OTHER;
    if (slice_equal_nocase(name, SLICE("Content-Type")))
        return FIELD_TYPE;
    if (slice_equal_nocase(name, SLICE("Content-Transfer-Encoding")))
        return FIELD_ENCODING;
    if (slice_equal_nocase(name, SLICE("DKIM-Signature")) ||
        slice_equal_nocase(name, SLICE("ARC-Message-Signature")))
        return FIELD_SIGNATURE;
    return slice_equal_nocase(name, SLICE("MIME-Version")) ? FIELD_VERSION : FIELD_OTHER;
}

/* What kind of body follows, once all fields are known. */
static void settle(struct downgrade *d)
{
    struct entity *e = &d->entity;
    bool is_nested = e->type.class == CONTENT_MULTIPART || e->type.class == CONTENT_MESSAGE;
    if (e->label == LABEL_ENCODED ||
        (e->type.class == CONTENT_MULTIPART && d->depth == DOWNGRADE_DEPTH_MAX))
        e->type.class = CONTENT_OPAQUE;
    else if (!is_nested && needs_coding(d))
        e->drops_label = true; /* there may have been none to drop */
}

static void header_end(struct downgrade *d)
{
    struct entity *e = &d->entity;
    field_end(d);
    settle(d);
    bool adds_version = e->is_message && !e->has_version &&
                        (e->drops_label || (e->is_top && d->plan.any));
    bool adds_type = !e->has_type && needs_coding(d);
    if (d->line_open && (adds_version || adds_type || e->drops_label))
        emit(d, SLICE("\r\n"));
    if (adds_version)
        emit(d, SLICE("MIME-Version: 1.0\r\n"));
    if (adds_type)
        emit(d, SLICE("Content-Type: text/plain; charset=unknown-8bit\r\n"));
    if (!e->drops_label)
        return;
    emit(d, SLICE("Content-Transfer-Encoding: "));
    if (!needs_coding(d))
        emit(d, SLICE("7bit\r\n"));
    else if (e->type.class == CONTENT_TEXT)
        emit(d, SLICE("quoted-printable\r\n"));
    else
        emit(d, SLICE("base64\r\n"));
}

static void body_begin(struct downgrade *d)
{
    enum encoding encoding = ENCODING_NONE;
    switch (d->entity.type.class) {
    case CONTENT_MULTIPART:
        d->levels[d->depth++] = d->entity.type;
        d->place = PLACE_BETWEEN;
        return;
    case CONTENT_MESSAGE:
        entity_begin(d, true);
        return;
    case CONTENT_TEXT:
        encoding = ENCODING_QUOTED_PRINTABLE;
        break;
    case CONTENT_OTHER:
    case CONTENT_OPAQUE:
        encoding = ENCODING_BASE64;
        break;
    }
    encoder_begin(&d->encoder, needs_coding(d) ? encoding : ENCODING_NONE);
    d->place = PLACE_BODY;
}

static void keep_field(struct downgrade *d, struct slice text)
{
    if (text.len > sizeof d->field_text - d->field_len) {
        d->failed = true;
        return;
    }
    if (text.len > 0)
        memcpy(d->field_text + d->field_len, text.data, text.len);
    d->field_len += text.len;
}

static void header_piece(struct downgrade *d, struct slice text, bool first, bool last)
{
    if (!slice_is_ascii(text))
        d->failed = true;
    if (first && text.len == 0 && last) {
        header_end(d);
        emit(d, SLICE("\r\n"));
        body_begin(d);
        return;
    }
    if (first && (text.len == 0 || !ascii_is_blank(text.data[0]))) {
        field_end(d);
        d->field = field_of(text);
        if (d->found != NULL && d->field == FIELD_SIGNATURE && d->entity.is_top)
            d->found->is_signed = true;
    }
    if (d->field == FIELD_TYPE || d->field == FIELD_ENCODING) {
        keep_field(d, text);
        keep_field(d, last ? SLICE("\r\n") : SLICE(""));
    }
    if (d->field != FIELD_ENCODING)
        emit_line(d, text, last);
}

static void note_8bit(struct downgrade *d)
{
    uint32_t i = d->entity.index;
    if (is_inside_signed(d) || d->entity.type.class == CONTENT_OPAQUE) {
        d->failed = true;
        return;
    }
    d->found->any = true;
    d->found->needs[i / 8] |= (uint8_t)(1u << i % 8);
}

static void body_piece(struct downgrade *d, struct slice text, bool first, bool last)
{
    if (d->found != NULL) {
        if (!slice_is_ascii(text))
            note_8bit(d);
        return;
    }
    if (first && d->line_end_waits)
        encoder_put_line_end(&d->encoder, d->out);
    encoder_put(&d->encoder, text, d->out);
    d->line_end_waits = last;
}

/* The body's last line end is its own at the end of the message, else the boundary's. */
static void body_end(struct downgrade *d, bool with_message)
{
    if (d->found != NULL)
        return;
    if (with_message && d->line_end_waits)
        encoder_put_line_end(&d->encoder, d->out);
    encoder_end(&d->encoder, d->out);
    bool is_cut = with_message && d->encoder.encoding == ENCODING_BASE64;
    if (is_cut || (!with_message && d->line_end_waits))
        buffer_append(d->out, SLICE("\r\n"));
    d->line_end_waits = false;
    d->line_open = false;
}

static void between_piece(struct downgrade *d, struct slice text, bool last)
{
    if (!slice_is_ascii(text)) {
        if (is_inside_signed(d))
            d->failed = true;
        else if (d->found != NULL)
            d->found->any = true;
        for (size_t i = 0; i < text.len; i++)
            if (ascii_is_high(d->line[i]))
                d->line[i] = '?';
    }
    emit_line(d, text, last);
}

/* What stands behind the dashes and the boundary is a boundary's end. */
static bool closes(struct slice *rest)
{
    bool is_close = slice_equal(slice_part(*rest, 0, 2), SLICE("--"));
    if (is_close)
        *rest = slice_from(*rest, 2);
    return is_close;
}

/* delimiter := "--" boundary ; close-delimiter := delimiter "--", then only blanks.
 * A line that only begins like one leaves open what it is: nothing can be done. */
static bool take_boundary(struct downgrade *d, struct slice text, bool whole, bool last)
{
    bool looks_alike = false;
    for (unsigned i = d->depth; i-- > 0;) {
        struct slice boundary = slice_make(d->levels[i].boundary, d->levels[i].boundary_len);
        struct slice rest = slice_from(text, 2 + boundary.len);
        if (!slice_equal(slice_part(text, 2, boundary.len), boundary))
            continue;
        bool is_close = closes(&rest);
        if (!whole || slice_trim(rest).len > 0) {
            looks_alike = true;
            continue;
        }
        if (d->place == PLACE_HEADER)
            header_end(d);
        if (d->place == PLACE_BODY)
            body_end(d, false);
        emit_line(d, text, last);
        d->depth = is_close ? i : i + 1;
        d->place = PLACE_BETWEEN;
        if (!is_close)
            entity_begin(d, false);
        return true;
    }
    if (looks_alike)
        d->failed = true;
    return looks_alike;
}

/* The piece that lies in `line`; `last`: a line end follows. */
static void piece(struct downgrade *d, bool last)
{
    struct slice text = slice_make(d->line, d->line_len);
    bool first = !d->line_began;
    bool whole = first && (last || d->at_end);
    d->line_began = !last;
    d->line_len = 0;
    if (d->failed)
        return;
    if (first && slice_equal(slice_part(text, 0, 2), SLICE("--")) &&
        take_boundary(d, text, whole, last))
        return;
    switch (d->place) {
    case PLACE_HEADER:
        header_piece(d, text, first, last);
        break;
    case PLACE_BODY:
        body_piece(d, text, first, last);
        break;
    case PLACE_BETWEEN:
        between_piece(d, text, last);
        break;
    }
}

static void put(struct downgrade *d, char c)
{
    if (d->line_len == sizeof d->line)
        piece(d, false);
    d->line[d->line_len++] = c;
}

static bool went_well(struct downgrade *d)
{
    if (d->out != NULL && d->out->overflow)
        d->failed = true;
    return !d->failed;
}

bool downgrade_push(struct downgrade *d, struct slice bytes, struct buffer *out)
{
    d->out = d->found == NULL ? out : NULL;
    for (size_t i = 0; i < bytes.len && !d->failed; i++) {
        char c = bytes.data[i];
        bool is_end = d->cr && c == '\n';
        if (d->cr && !is_end)
            put(d, '\r');
        d->cr = c == '\r';
        if (is_end)
            piece(d, true);
        else if (!d->cr)
            put(d, c);
    }
    return went_well(d);
}

bool downgrade_finish(struct downgrade *d, struct buffer *out)
{
    d->out = d->found == NULL ? out : NULL;
    d->at_end = true;
    if (d->cr)
        put(d, '\r');
    if (d->line_len > 0)
        piece(d, false);
    if (d->place == PLACE_HEADER)
        header_end(d);
    if (d->place == PLACE_BODY)
        body_end(d, true);
    return went_well(d);
}

static struct downgrade *make(struct downgrade_plan *found)
{
    struct downgrade *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->found = found;
    entity_begin(d, true);
    return d;
}

struct downgrade *downgrade_scan_new(struct downgrade_plan *plan)
{
    return make(plan);
}

struct downgrade *downgrade_convert_new(const struct downgrade_plan *plan)
{
    struct downgrade *d = make(NULL);
    if (d != NULL)
        d->plan = *plan;
    return d;
}

void downgrade_free(struct downgrade **downgrade)
{
    free(*downgrade);
    *downgrade = NULL;
}
