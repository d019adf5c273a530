/* transcript.c: what was said, into the log, and the session's events. */
#include "session/session_private.h"

#include "log/log.h"

static bool is_logged(const struct session *s)
{
    return session_config(s)->log_sessions && log_wants(LOG_INFO);
}

static bool is_wanted(const struct session *s)
{
    return is_logged(s) || line_sink_wants(s->host->options.lines);
}

static void tell_line(struct session *s, const char *who, struct slice text)
{
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer peer = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    net_address_append(&peer, &s->client);
    struct mail_line line = {
        .at = session_now(s), .session_id = s->id, .peer = buffer_slice(&peer),
        .is_ours = who[0] == 's', .text = text,
    };
    s->host->options.lines->line(s->host->options.lines, &line);
}

static void note_line(struct session *s, const char *who, struct slice text)
{
    struct log_line line;
    if (line_sink_wants(s->host->options.lines))
        tell_line(s, who, text);
    if (!is_logged(s))
        return;
    log_begin(&line, LOG_INFO, "transcript");
    log_number(&line, "session", (int64_t)s->id);
    log_number(&line, "ms", session_now(s).mono_ms - s->opened_mono_ms);
    log_text(&line, who, text);
    log_end(&line);
}

static struct slice take_line(struct slice *bytes)
{
    struct slice text;
    slice_split(bytes, '\n', &text);
    if (text.len > 0 && text.data[text.len - 1] == '\r')
        text.len--;
    return text;
}

/* AUTH and its mechanism may be read by anybody, what follows may not. */
static struct slice without_response(struct slice line)
{
    if (!slice_starts_with_nocase(line, SLICE("AUTH ")))
        return line;
    size_t space = slice_find(slice_from(line, 5), ' ');
    return space == SLICE_NOT_FOUND ? line : slice_part(line, 0, 5 + space);
}

static void note_secret(struct session *s, const char *who, struct slice shown)
{
    char bytes[80];
    struct buffer line = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    buffer_append(&line, slice_part(shown, 0, sizeof bytes - 16));
    buffer_append(&line, SLICE("<hidden>"));
    note_line(s, who, buffer_slice(&line));
}

void session_note_client(struct session *s, struct slice bytes, bool is_response)
{
    while (is_wanted(s) && bytes.len > 0) {
        struct slice line = take_line(&bytes);
        struct slice shown = without_response(line);
        if (is_response)
            note_secret(s, "client", slice_make(NULL, 0));
        else if (shown.len < line.len)
            note_secret(s, "client", slice_part(line, 0, shown.len + 1));
        else
            note_line(s, "client", line);
        is_response = false;
    }
}

void session_note_server(struct session *s, struct slice bytes)
{
    while (is_wanted(s) && bytes.len > 0) {
        struct slice line = take_line(&bytes);
        if (line.len > 4 && slice_starts_with_nocase(line, SLICE("334 ")))
            note_secret(s, "server", SLICE("334 "));
        else
            note_line(s, "server", line);
    }
}

void session_emit(struct session *s, enum mail_event_kind kind, struct mail_id id,
                  const struct smtp_reply *reply)
{
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer peer = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct outcome outcome;
    if (s->host->options.events == NULL)
        return;
    net_address_append(&peer, &s->client);
    struct mail_event event = {
        .kind = kind, .at = session_now(s), .session_id = s->id, .id = id,
        .peer = buffer_slice(&peer),
    };
    if (s->engine != NULL) {
        event.helo = smtp_server_helo(s->engine);
        event.account = buffer_slice(&s->account);
        event.envelope = s->final != NULL ? s->final : smtp_server_envelope(s->engine);
        event.sender = event.envelope->sender;
        event.size = smtp_server_facts(s->engine)->size;
        event.text = slice_from_string(smtp_server_verb(s->engine));
    }
    if (kind == MAIL_ACCEPTED) {
        event.message_id = slice_make(s->message_id, s->message_id_len);
        event.is_held = s->hold || session_config(s)->queue.hold;
    }
    if (s->stream != NULL && stream_tls(s->stream) != NULL) {
        struct tls_facts facts;
        tls_describe(stream_tls(s->stream), &facts);
        event.tls_version = slice_from_string(facts.version);
        event.tls_cipher = slice_from_string(facts.cipher);
    }
    if (reply != NULL) {
        outcome = (struct outcome){
            .kind = kind == MAIL_ACCEPTED ? OUTCOME_NONE
                    : reply->code < 500   ? OUTCOME_DEFERRED : OUTCOME_FAILED,
            .code = reply->code, .status = reply->status, .text = reply->text,
        };
        event.outcome = &outcome;
        const struct smtp_question *q = smtp_server_question(s->engine);
        if (q->recipient != NULL)
            event.recipient = q->recipient->address;
    }
    event_emit(s->host->options.events, &event);
}
