/* recover_fuzz.c: recovery over bytes that anybody may have put there.
 *
 * The first byte chooses: even, the rest is a segment (and, from its middle, a
 * checkpoint) as it stands; odd, it is cut into frames and blocks whose sums are
 * made right, so that what stands behind the sums is reached. Whatever is found is
 * read through, and recovering a second time must find as many messages.
 */
#include "base/crc32c.h"
#include "spool/checkpoint_private.h"
#include "spool/rig_private.h"

enum { SEGMENT_BYTES = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t magic = 0x1122334455667788u;

static void put_format(struct spool_fake *fake)
{
    struct buffer b;
    uint32_t version = 1;
    buffer_init(&b, 64);
    buffer_append_string(&b, "godwit\r\n");
    buffer_append_u32(&b, version);
    buffer_append_u32(&b, crc32c(crc32c(0, slice_make(&version, 4)),
                                 slice_make(&magic, 8)));
    buffer_append_u64(&b, magic);
    must(spool_fake_put(fake, "format", buffer_slice(&b)));
    buffer_free(&b);
}

/* Frames out of the input: type, length, payload. */
static void frame_all(struct slice input, struct buffer *out)
{
    struct cursor c = cursor_over(input);
    uint64_t sequence = 1;
    while (cursor_left(&c) >= 3) {
        int type = cursor_take(&c) % 10;
        size_t len = (size_t)cursor_take(&c) | (size_t)cursor_take(&c) << 8;
        struct slice payload = slice_part(cursor_rest(&c), 0, len);
        char header[SPOOL_FRAME_HEADER];
        c.at += payload.len;
        char brief[4096];
        if (payload.len >= 8 && payload.len <= sizeof brief &&
            (type == SPOOL_FRAME_COMMIT || type == SPOOL_FRAME_MOVE)) {
            /* The brief's own sum, too. */
            memcpy(brief, payload.data, payload.len);
            uint32_t brief_len;
            memcpy(&brief_len, brief, 4);
            struct slice inner = slice_part(slice_make(brief, payload.len), 8, brief_len);
            uint32_t crc = crc32c(0, inner);
            memcpy(brief + 4, &crc, 4);
            payload = slice_make(brief, payload.len);
        }
        struct spool_frame frame = { .segment = 1, .sequence = sequence++,
                                     .length = (uint32_t)payload.len,
                                     .crc = crc32c(0, payload),
                                     .type = (enum spool_frame_type)(type == 0 ? 1 : type) };
        spool_frame_encode(&frame, magic, header);
        buffer_append(out, slice_make(header, sizeof header));
        buffer_append(out, payload);
        while (buffer_len(out) % SPOOL_FRAME_ALIGN != 0)
            buffer_append_byte(out, 0);
    }
}

static void block_all(struct slice input, struct buffer *out)
{
    struct cursor c = cursor_over(input);
    uint64_t block = 0;
    while (cursor_left(&c) >= 2) {
        size_t len = (size_t)cursor_take(&c) | (size_t)cursor_take(&c) << 8;
        struct slice payload = slice_part(cursor_rest(&c), 0, len == 0 ? 1 : len);
        if (payload.len == 0)
            break;
        c.at += payload.len;
        buffer_append_u32(out, (uint32_t)payload.len);
        buffer_append_u32(out, spool_block_crc(magic, 1, block++, payload));
        buffer_append(out, payload);
    }
}

static size_t open_once(struct spool_fake *fake, enum err *out_error)
{
    struct rig *rig = rig_make(fake);
    size_t count = 0;
    *out_error = rig_open(rig);
    if (*out_error == ERR_OK) {
        count = rig->arrivals_count;
        for (size_t i = 0; i < count; i++) {
            struct message_view *view;
            char bytes[4096];
            size_t len;
            if (message_open(spool_source(rig->spool), rig->arrivals[i]->id, &view) !=
                ERR_OK)
                continue;
            for (uint64_t at = 0; at < view->content_size; at += len)
                if (message_read(view, at, bytes, sizeof bytes, &len) != ERR_OK ||
                    len == 0)
                    break;
            message_close(&view);
        }
    }
    rig_close(rig);
    rig->fake = NULL;
    rig_free(rig);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    struct buffer segment;
    struct buffer checkpoint;
    if (size < 2 || size > SEGMENT_BYTES / 2)
        return 0;
    struct slice first = slice_part(input, 2, (size_t)data[1] * size / 255);
    struct slice second = slice_from(input, 2 + first.len);
    struct spool_fake *fake = spool_fake_new();
    buffer_init(&segment, 16 * SEGMENT_BYTES);
    buffer_init(&checkpoint, 16 * SEGMENT_BYTES);
    put_format(fake);
    if (data[0] % 2 == 0) {
        buffer_append(&segment, first);
        buffer_append(&checkpoint, second);
    } else {
        frame_all(first, &segment);
        block_all(second, &checkpoint);
    }
    must(spool_fake_put(fake, "log/0000000000000001.seg", buffer_slice(&segment)));
    if (second.len > 0)
        must(spool_fake_put(fake, "checkpoint/0000000000000001.ckp",
                            buffer_slice(&checkpoint)));
    enum err first_error;
    enum err second_error;
    size_t once = open_once(fake, &first_error);
    size_t again = open_once(fake, &second_error);
    /* Made-up ids may use up the generations: then, and only then, it stays shut. */
    must(first_error != ERR_OK || second_error == ERR_INVALID || again == once);
    spool_fake_free(&fake);
    buffer_free(&segment);
    buffer_free(&checkpoint);
    return 0;
}
