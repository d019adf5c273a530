/* deadline.c: how long a client may take.
 *
 * RFC 5321 4.5.3.2 for the times; HOSTILE 45: a command has a deadline as a whole, not
 * one a byte, and content has a least rate after a grace, so that a client that drips
 * bytes is let go all the same.
 */
#include "session/session_private.h"

static int64_t content_deadline(const struct session *s)
{
    const struct config_timeouts *t = &session_config(s)->timeouts;
    int64_t idle = session_now(s).mono_ms + t->data_block;
    if (t->data_bytes_per_second == 0)
        return idle;
    int64_t allowed = t->data_block +
        (int64_t)(s->content_bytes * 1000 / t->data_bytes_per_second);
    int64_t rate = s->content_mono_ms + allowed;
    return rate < idle ? rate : idle;
}

static bool waits_for_client(const struct session *s)
{
    return s->wait == WAIT_INPUT || s->wait == WAIT_DRAIN || s->wait == WAIT_TLS;
}

void session_deadline(struct session *s, bool progress)
{
    bool was_off = s->deadline_off;
    if (s->stream == NULL)
        return;
    s->deadline_off = !waits_for_client(s);
    if (s->deadline_off) {
        stream_deadline(s->stream, 0);
        return;
    }
    if (s->content_mono_ms != 0)
        stream_deadline(s->stream, content_deadline(s));
    else if (progress || was_off)
        stream_deadline(s->stream, session_now(s).mono_ms +
                                       session_config(s)->timeouts.command);
}
