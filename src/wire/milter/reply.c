#include "wire/milter/reply.h"

#include "base/cursor.h"

enum { LENGTH_BYTES = 4 };

static bool take_u32(struct cursor *c, uint32_t *out)
{
    struct slice bytes;
    if (!cursor_take_part(c, 4, &bytes))
        return false;
    *out = 0;
    for (size_t i = 0; i < 4; i++)
        *out = *out << 8 | (unsigned char)bytes.data[i];
    return true;
}

static bool take_string(struct cursor *c, struct slice *out)
{
    size_t nul = slice_find(cursor_rest(c), '\0');
    return nul != SLICE_NOT_FOUND && cursor_take_part(c, nul, out) &&
           cursor_take_byte(c, '\0');
}

/* version actions protocol *( stage names NUL ) */
static bool read_options(struct cursor *c, struct milter_reply *out)
{
    uint32_t stage;
    if (!take_u32(c, &out->options.version) || !take_u32(c, &out->options.actions) ||
        !take_u32(c, &out->options.protocol))
        return false;
    while (!cursor_at_end(c)) {
        struct slice names;
        if (!take_u32(c, &stage) || !take_string(c, &names))
            return false;
        if (stage < MILTER_STAGES)
            out->macros[stage] = names;
    }
    return true;
}

/* [ index ] name NUL value NUL; a value that is not there is empty, as libmilter takes it. */
static bool read_header(struct cursor *c, bool has_index, struct milter_reply *out)
{
    if ((has_index && !take_u32(c, &out->index)) || !take_string(c, &out->name))
        return false;
    return out->name.len > 0 && (cursor_at_end(c) || take_string(c, &out->text));
}

static bool read_with_parameters(struct cursor *c, struct milter_reply *out)
{
    return take_string(c, &out->text) &&
           (cursor_at_end(c) || take_string(c, &out->parameters));
}

static bool read_data(struct cursor *c, struct milter_reply *out)
{
    switch (out->kind) {
    case MILTER_REPLY_OPTIONS:
        return read_options(c, out);
    case MILTER_REPLY_CONTINUE:
    case MILTER_REPLY_ACCEPT:
    case MILTER_REPLY_REJECT:
    case MILTER_REPLY_TEMPFAIL:
    case MILTER_REPLY_DISCARD:
    case MILTER_REPLY_SKIP:
    case MILTER_REPLY_CONNECTION_FAIL:
    case MILTER_REPLY_SHUTDOWN:
    case MILTER_REPLY_PROGRESS:
        return true;
    case MILTER_REPLY_ADD_HEADER:
        return read_header(c, false, out);
    case MILTER_REPLY_INSERT_HEADER:
    case MILTER_REPLY_CHANGE_HEADER:
        return read_header(c, true, out);
    case MILTER_REPLY_REPLACE_BODY:
        return cursor_take_part(c, cursor_left(c), &out->body);
    case MILTER_REPLY_CODE:
    case MILTER_REPLY_ADD_RECIPIENT:
    case MILTER_REPLY_DELETE_RECIPIENT:
    case MILTER_REPLY_QUARANTINE:
        return take_string(c, &out->text);
    case MILTER_REPLY_ADD_RECIPIENT_WITH_PARAMETERS:
    case MILTER_REPLY_CHANGE_SENDER:
        return read_with_parameters(c, out);
    }
    return false; /* none of these */
}

static bool read_packet(struct slice packet, struct milter_reply *out)
{
    struct cursor c = cursor_over(packet);
    *out = (struct milter_reply){ .kind = (enum milter_reply_kind)cursor_take(&c) };
    return read_data(&c, out) && cursor_at_end(&c);
}

void milter_reader_init(struct milter_reader *reader)
{
    *reader = (struct milter_reader){ .is_taken = false };
    buffer_init(&reader->packet, LENGTH_BYTES + MILTER_PACKET_MAX);
}

void milter_reader_free(struct milter_reader *reader)
{
    buffer_free(&reader->packet);
}

/* Moves octets over until the packet has `wanted`; false: there are too few. */
static bool fill(struct milter_reader *reader, struct slice *input, size_t wanted)
{
    size_t have = buffer_len(&reader->packet);
    struct slice part = slice_part(*input, 0, wanted > have ? wanted - have : 0);
    buffer_append(&reader->packet, part);
    *input = slice_from(*input, part.len);
    return have + part.len >= wanted;
}

static enum milter_reply_result broken(struct milter_reader *reader)
{
    reader->is_broken = true;
    return MILTER_REPLY_BROKEN;
}

enum milter_reply_result milter_reader_next(struct milter_reader *reader,
                                            struct slice *input,
                                            struct milter_reply *out_reply)
{
    uint32_t len;
    if (reader->is_broken)
        return MILTER_REPLY_BROKEN;
    if (reader->is_taken)
        buffer_free(&reader->packet);
    reader->is_taken = false;
    if (!fill(reader, input, LENGTH_BYTES))
        return reader->packet.overflow ? broken(reader) : MILTER_REPLY_NEED_MORE;
    struct cursor c = cursor_over(buffer_slice(&reader->packet));
    if (!take_u32(&c, &len) || len == 0 || len > MILTER_PACKET_MAX)
        return broken(reader);
    if (!fill(reader, input, LENGTH_BYTES + (size_t)len))
        return reader->packet.overflow ? broken(reader) : MILTER_REPLY_NEED_MORE;
    reader->is_taken = true;
    if (reader->packet.overflow ||
        !read_packet(slice_from(buffer_slice(&reader->packet), LENGTH_BYTES), out_reply))
        return broken(reader);
    return MILTER_REPLY_TAKEN;
}
