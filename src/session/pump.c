/* pump.c: bytes from the stream to the engine, replies and content the other way.
 *
 * Reading goes into the loop's scratch memory; only what the engine could not use yet
 * is kept, so that an idle session holds no buffer. While the session waits for
 * something, input is left in the kernel.
 */
#include "session/session_private.h"

#include "base/must.h"

/* The start of what would be said, then nothing more. */
static void cut(struct session *s, struct slice out)
{
    struct slice part = slice_part(out, 0, s->cut_after);
    s->cut_after = 0;
    session_note_server(s, part);
    stream_write(s->stream, part);
    stream_finish(&s->stream);
    session_over(s);
}

void session_flush(struct session *s)
{
    struct slice out = buffer_slice(&s->host->out);
    if (out.len > 0 && s->stream != NULL && s->cut_after > 0) {
        cut(s, out);
    } else if (out.len > 0 && s->stream != NULL) {
        session_note_server(s, out);
        stream_write(s->stream, out);
    }
    buffer_clear(&s->host->out);
}

/* `is_last`: the client has said its last word, and it was read. */
static void close_after_reply(struct session *s, bool is_last)
{
    session_flush(s);
    if (s->over)
        return;
    bool at_once = is_last && s->stream != NULL && stream_queued(s->stream) == 0 &&
                   stream_tls(s->stream) == NULL; /* TLS has a farewell to say */
    if (at_once)
        stream_close(&s->stream);
    else if (s->stream != NULL)
        stream_finish(&s->stream);
    session_over(s);
}

/* What the client said is used up. False when the session is over or waits. */
static bool input_used_up(struct session *s)
{
    if (!s->ended)
        return true;
    close_after_reply(s, true); /* what it left is half a command */
    return false;
}

static void wait_for_reader(struct session *s)
{
    if (s->stream != NULL && stream_queued(s->stream) > 0)
        s->wait = WAIT_DRAIN;
}

/* Takes one step. True: go on at once. */
static bool step(struct session *s, struct slice *input)
{
    struct slice piece;
    struct slice before = *input;
    bool is_response = smtp_server_phase(s->engine) == SMTP_PHASE_AUTH;
    enum smtp_server_step next = smtp_server_next(s->engine, input, &piece);
    if (before.len > input->len && next != SMTP_SERVER_CONTENT)
        session_note_client(s, slice_part(before, 0, before.len - input->len),
                            is_response);
    switch (next) {
    case SMTP_SERVER_NEED_INPUT:
        session_flush(s);
        wait_for_reader(s);
        return false;
    case SMTP_SERVER_FLUSH:
        session_flush(s);
        wait_for_reader(s);
        return s->wait == WAIT_INPUT;
    case SMTP_SERVER_ASK:
        return session_ask(s) && !s->over;
    case SMTP_SERVER_CONTENT:
        session_receive(s, piece);
        return s->wait == WAIT_INPUT;
    case SMTP_SERVER_DROPPED:
        session_gates_forget(s);
        intake_abort(&s->writer);
        s->content_mono_ms = 0;
        return true;
    case SMTP_SERVER_SECURE:
        must(input->len == 0);
        session_secure(s);
        return false;
    case SMTP_SERVER_CLOSE:
        close_after_reply(s, smtp_server_has_quit(s->engine) && input->len == 0);
        return false;
    }
    return false;
}

/* Runs the engine over the input until it is used up or the session waits. */
static void pump(struct session *s, struct slice *input)
{
    bool progress = false;
    while (!s->over && s->wait == WAIT_INPUT) {
        size_t before = input->len;
        if (s->proxy_wanted) {
            if (!session_take_proxy(s, input))
                break;
            progress = true;
            continue;
        }
        bool more = step(s, input);
        progress |= before > input->len;
        if (!more)
            break;
    }
    if (s->over) {
        buffer_clear(&s->host->out); /* what it did not come to say is nobody else's */
        return;
    }
    session_flush(s);
    if (s->wait == WAIT_INPUT && !input_used_up(s))
        return;
    session_deadline(s, progress);
}

static void pump_kept(struct session *s)
{
    struct slice input = buffer_slice(&s->input);
    size_t before = input.len;
    pump(s, &input);
    buffer_consume(&s->input, before - input.len);
    if (buffer_len(&s->input) == 0)
        buffer_free(&s->input);
}

static void pump_fresh(struct session *s, struct slice fresh)
{
    if (buffer_len(&s->input) == 0) {
        pump(s, &fresh);
        buffer_append(&s->input, fresh);
    } else {
        buffer_append(&s->input, fresh);
        pump_kept(s);
    }
    if (s->input.overflow)
        session_lost(s); /* cannot be: a line and a read are both smaller */
}

void session_go_on(struct session *s)
{
    if (s->over)
        return;
    pump_kept(s);
    if (!s->over && s->wait == WAIT_INPUT && !s->reading && !s->ended) {
        s->reading = true;
        stream_reading(s->stream, true);
    }
}

static void read_input(struct session *s)
{
    struct loop *loop = s->host->options.loop;
    size_t len;
    if (s->wait != WAIT_INPUT) {
        s->reading = false;
        stream_reading(s->stream, false);
        return;
    }
    if (s->proxy_wanted && s->profile->listener->tls == CONFIG_TLS_IMPLICIT) {
        session_read_proxy(s);
        return;
    }
    switch (stream_read(s->stream, loop_scratch(loop), LOOP_SCRATCH_BYTES, &len)) {
    case STREAM_READ_SOME:
        pump_fresh(s, slice_make(loop_scratch(loop), len));
        return;
    case STREAM_READ_NOTHING:
        return;
    case STREAM_READ_END:
        s->ended = true;
        s->reading = false;
        stream_reading(s->stream, false);
        input_used_up(s);
        return;
    case STREAM_READ_FAILED:
        session_lost(s);
        return;
    }
}

static void timed_out(struct session *s)
{
    static const struct smtp_reply late = {
        .code = 421, .status = { 4, 4, 2 }, .text = SLICE_INIT("Timed out, closing"),
    };
    if (s->engine == NULL || s->wait == WAIT_DRAIN || s->wait == WAIT_TLS) {
        session_lost(s);
        return;
    }
    smtp_server_end(s->engine, &late);
    s->wait = WAIT_INPUT;
    session_go_on(s);
}

void session_event(struct stream_owner *owner, enum stream_event event)
{
    struct session *s = container_of(owner, struct session, owner);
    switch (event) {
    case STREAM_INPUT:
        read_input(s);
        return;
    case STREAM_DRAINED:
        if (s->wait == WAIT_TLS) {
            session_secure_drained(s);
        } else if (s->wait == WAIT_DRAIN) {
            s->wait = WAIT_INPUT;
            session_go_on(s);
        }
        return;
    case STREAM_FAILED:
        if (s->wait == WAIT_TLS)
            session_not_secured(s);
        else
            session_lost(s);
        return;
    case STREAM_SECURED:
        session_secured(s);
        return;
    case STREAM_TIMEOUT:
        timed_out(s);
        return;
    case STREAM_CONNECTED:
        return;
    }
}
