/* deadline.c: how long a client may take.
 *
 * RFC 5321 4.5.3.2 for the times; HOSTILE 45: a command has a deadline as a whole, not
 * one a byte, and content has a least rate after a grace, so that a client that drips
 * bytes is let go all the same. HOSTILE 46: while most of all connections are taken, who is
 * not trusted has less time, who is already here as well.
 */
#include "session/session_private.h"

#include "log/log.h"

static bool is_hurried(const struct session *s)
{
    return s->host->is_stressed && !s->trusted;
}

/* `usual`, or what is left of it under stress. */
static int64_t time_for(const struct session *s, int64_t usual)
{
    int64_t stress = session_config(s)->timeouts.stress;
    return is_hurried(s) && stress < usual ? stress : usual;
}

static int64_t content_deadline(const struct session *s)
{
    const struct config_timeouts *t = &session_config(s)->timeouts;
    int64_t grace = time_for(s, t->data_block);
    int64_t idle = session_now(s).mono_ms + grace;
    if (t->data_bytes_per_second == 0)
        return idle;
    int64_t allowed = grace +
        (int64_t)(s->content_bytes * 1000 / t->data_bytes_per_second);
    int64_t rate = s->content_mono_ms + allowed;
    return rate < idle ? rate : idle;
}

static bool waits_for_client(const struct session *s)
{
    return s->wait == WAIT_INPUT || s->wait == WAIT_DRAIN || s->wait == WAIT_TLS;
}

static void set(struct session *s, int64_t mono_ms)
{
    s->deadline_mono_ms = mono_ms;
    stream_deadline(s->stream, mono_ms);
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
        set(s, content_deadline(s));
    else if (progress || was_off)
        set(s, session_now(s).mono_ms + time_for(s, session_config(s)->timeouts.command));
}

/* Who has more time than there is under stress has less now. */
static void hurry(struct session *s)
{
    if (s->stream == NULL || s->deadline_off || !is_hurried(s))
        return;
    int64_t last = session_now(s).mono_ms + session_config(s)->timeouts.stress;
    if (s->content_mono_ms != 0)
        last = content_deadline(s);
    if (last < s->deadline_mono_ms)
        set(s, last);
}

static void tell(const struct session_host *h, uint32_t count)
{
    struct log_line line;
    if (!log_wants(LOG_WARNING))
        return;
    log_begin(&line, LOG_WARNING, h->is_stressed ? "stress" : "stress-over");
    log_number(&line, "thread", (int64_t)h->options.thread);
    log_number(&line, "connections", count);
    log_number(&line, "limit", h->config->limits.connections);
    log_end(&line);
}

void session_look_for_stress(struct session_host *h)
{
    uint32_t max = h->config->limits.connections;
    uint32_t count = limiter_count(h->options.limiter);
    bool was_stressed = h->is_stressed;
    h->is_stressed = was_stressed ? count > max / 2 : count >= max - max / 4;
    if (h->is_stressed == was_stressed)
        return;
    tell(h, count);
    if (!h->is_stressed)
        return;
    for (struct list_node *n = list_first(&h->sessions); n != NULL;
         n = list_next(&h->sessions, n))
        hurry(container_of(n, struct session, node));
}
