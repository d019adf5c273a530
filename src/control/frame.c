/* frame.c: lengths checked before anything is believed. */
#include "control/frame.h"

enum { DEPTH_MAX = 32 };

static bool is_shallow(struct slice text)
{
    unsigned depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        depth += text.data[i] == '{' || text.data[i] == '[';
        depth -= depth > 0 && (text.data[i] == '}' || text.data[i] == ']');
        if (depth > DEPTH_MAX)
            return false;
    }
    return true;
}

enum frame_result frame_take(struct buffer *input, json_t **out_object)
{
    struct slice bytes = buffer_slice(input);
    if (bytes.len < 4)
        return FRAME_MORE;
    size_t len = 0;
    for (size_t i = 0; i < 4; i++)
        len = len << 8 | (unsigned char)bytes.data[i];
    if (len > CONTROL_FRAME_MAX)
        return FRAME_BROKEN;
    if (bytes.len < 4 + len)
        return FRAME_MORE;
    struct slice text = slice_part(bytes, 4, len);
    json_t *object = is_shallow(text)
                         ? json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL)
                         : NULL;
    if (!json_is_object(object)) {
        json_decref(object);
        return FRAME_BROKEN;
    }
    buffer_consume(input, 4 + len);
    *out_object = object;
    return FRAME_TAKEN;
}

static int dump(const char *bytes, size_t len, void *context)
{
    struct buffer *out = context;
    buffer_append(out, slice_make(bytes, len));
    return out->overflow ? -1 : 0;
}

bool frame_append(struct buffer *out, const json_t *object)
{
    size_t before = buffer_len(out);
    buffer_append_u32(out, 0);
    if (json_dump_callback(object, dump, out, JSON_COMPACT) != 0 || out->overflow)
        return false;
    size_t len = buffer_len(out) - before - 4;
    if (len > CONTROL_FRAME_MAX)
        return false;
    char *place = out->memory + out->start + before;
    for (unsigned i = 0; i < 4; i++)
        place[i] = (char)(len >> (24 - 8 * i) & 0xff);
    return true;
}
