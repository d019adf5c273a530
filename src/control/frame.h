/* frame.h: one message on the control socket: a length of four bytes, most significant
 * first, and so many bytes of one JSON object. Pure. */
#ifndef GODWIT_CONTROL_FRAME_H
#define GODWIT_CONTROL_FRAME_H

#include "base/buffer.h"

#include <jansson.h>

enum { CONTROL_FRAME_MAX = 4 * 1024 * 1024 };

enum frame_result {
    FRAME_TAKEN,
    FRAME_MORE,
    FRAME_BROKEN, /* too long, or not a JSON object: close */
};

/* Takes one frame off the front of the buffer; the caller owns *out_object. */
enum frame_result frame_take(struct buffer *input, json_t **out_object);

/* Appends it; false when it is too long or there is no room. */
bool frame_append(struct buffer *out, const json_t *object);

#endif
