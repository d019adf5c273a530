/* seven_bit.c: the converter of wire/message between a message and the client engine. */
#include "delivery/seven_bit.h"

#include "base/list.h"
#include "wire/message/downgrade.h"

#include <stdlib.h>

enum {
    BLOCK_BYTES = 16 * 1024,
    MADE_MAX = BLOCK_BYTES * 4 + 4096 + 256 * 1024,
};

struct seven_bit {
    struct smtp_client_content content;
    struct downgrade_plan plan;
    struct message_view *view;
    struct downgrade *pass;
    struct buffer made;     /* converted, not yet asked for */
    uint64_t read_bytes;    /* of the message */
    uint64_t given_bytes;   /* of what is made of it */
    bool ended;
    char block[BLOCK_BYTES];
};

enum err view_read_whole(struct message_view *view, uint64_t offset, char *out, size_t len)
{
    struct slice prefix = view->prefix;
    size_t got = 0;
    if (offset < prefix.len) {
        struct slice part = slice_part(prefix, (size_t)offset, len);
        memcpy(out, part.data, part.len);
        got = part.len;
    }
    if (got == len)
        return ERR_OK;
    size_t read;
    enum err error = message_read(view, offset + got - prefix.len, out + got, len - got,
                                  &read);
    if (error != ERR_OK)
        return error;
    return read == len - got ? ERR_OK : ERR_CORRUPT;
}

/* Begins a pass; NULL as `pass`: no memory. */
static enum err begin(struct seven_bit *s, struct downgrade *pass)
{
    downgrade_free(&s->pass);
    s->pass = pass;
    s->read_bytes = s->given_bytes = 0;
    s->ended = false;
    buffer_clear(&s->made);
    return pass == NULL ? ERR_MEMORY : ERR_OK;
}

/* One more block through the pass. ERR_INVALID: it cannot be done. */
static enum err step(struct seven_bit *s)
{
    uint64_t left = s->view->prefix.len + s->view->content_size - s->read_bytes;
    size_t len = left < sizeof s->block ? (size_t)left : sizeof s->block;
    bool good;
    if (len > 0) {
        enum err error = view_read_whole(s->view, s->read_bytes, s->block, len);
        if (error != ERR_OK)
            return error;
        s->read_bytes += len;
        good = downgrade_push(s->pass, slice_make(s->block, len), &s->made);
    } else {
        s->ended = true;
        good = downgrade_finish(s->pass, &s->made);
    }
    if (good)
        return ERR_OK;
    return s->made.overflow ? ERR_MEMORY : ERR_INVALID;
}

static enum err read_made(struct smtp_client_content *content, uint64_t offset, char *out,
                          size_t len)
{
    struct seven_bit *s = container_of(content, struct seven_bit, content);
    enum err error = ERR_OK;
    if (offset == 0)
        error = begin(s, downgrade_convert_new(&s->plan));
    if (error == ERR_OK && offset != s->given_bytes)
        error = ERR_INVALID;
    while (error == ERR_OK && buffer_len(&s->made) < len)
        error = s->ended ? ERR_CORRUPT : step(s);
    if (error != ERR_OK)
        return error;
    if (len > 0)
        memcpy(out, buffer_slice(&s->made).data, len);
    buffer_consume(&s->made, len);
    s->given_bytes += len;
    return ERR_OK;
}

/* A whole pass; its output is counted and thrown away. */
static enum err run_pass(struct seven_bit *s, struct downgrade *pass, uint64_t *out_size)
{
    enum err error = begin(s, pass);
    uint64_t size = 0;
    while (error == ERR_OK && !s->ended) {
        error = step(s);
        size += buffer_len(&s->made);
        buffer_clear(&s->made);
    }
    if (error == ERR_OK)
        *out_size = size;
    return error;
}

enum err seven_bit_make(struct message_source *source, struct mail_id id,
                        bool takes_signed, struct seven_bit **out)
{
    struct message_view *view = NULL;
    struct seven_bit *s = NULL;
    enum err error = message_open(source, id, &view);
    bool is_wanted = error == ERR_OK && view->envelope.content_8bit &&
                     !view->envelope.content_binary &&
                     view->envelope.body != MAIL_BODY_BINARYMIME;
    if (is_wanted) {
        s = calloc(1, sizeof *s);
        error = s == NULL ? ERR_MEMORY : ERR_OK;
    }
    if (s != NULL) {
        s->view = view;
        s->content.read = read_made;
        buffer_init(&s->made, MADE_MAX);
        error = run_pass(s, downgrade_scan_new(&s->plan), &s->content.size);
        if (error == ERR_OK && s->plan.is_signed && !takes_signed)
            error = ERR_INVALID;
        if (error == ERR_OK)
            error = run_pass(s, downgrade_convert_new(&s->plan), &s->content.size);
        s->view = NULL;
    }
    message_close(&view);
    if (error != ERR_OK)
        seven_bit_free(&s);
    if (error == ERR_OK || error == ERR_INVALID)
        *out = s;
    return error == ERR_INVALID ? ERR_OK : error;
}

void seven_bit_free(struct seven_bit **made)
{
    if (*made == NULL)
        return;
    downgrade_free(&(*made)->pass);
    buffer_free(&(*made)->made);
    free(*made);
    *made = NULL;
}

struct smtp_client_content *seven_bit_content(struct seven_bit *made,
                                              struct message_view *view)
{
    made->view = view;
    return &made->content;
}
