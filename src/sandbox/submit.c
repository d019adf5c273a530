/* submit.c: the engine of smtp/client over a stream; one message, then QUIT. */
#include "sandbox/submit.h"

#include "event/timer.h"
#include "net/stream.h"
#include "smtp/client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 60 * 1000, INPUT_BYTES = 16 * 1024, TEXTS_MAX = 64 * 1024 };

struct submit_talk {
    struct stream_owner owner;
    struct stream *stream;
    struct smtp_client *client;
    struct submit *submit;
    struct smtp_client_content content;
    struct smtp_client_transaction transaction;
    struct smtp_client_recipient *recipients;
    struct envelope_recipient *envelope_recipients;
    struct envelope envelope;
    struct buffer texts;
    struct buffer out;
    struct deferred end;
    bool is_answered;
};

static enum err on_content(struct smtp_client_content *content, uint64_t offset, char *out,
                           size_t len)
{
    struct submit_talk *t = container_of(content, struct submit_talk, content);
    memcpy(out, buffer_slice(&t->submit->octets).data + offset, len);
    return ERR_OK;
}

static void keep_text(struct submit *s, unsigned code, struct slice text)
{
    size_t len = text.len < sizeof s->text - 1 ? text.len : sizeof s->text - 1;
    s->code = code;
    memcpy(s->text, text.data == NULL ? "" : text.data, len);
    s->text[len] = '\0';
}

static void talk_free(struct submit_talk *t)
{
    if (t == NULL)
        return;
    stream_close(&t->stream);
    smtp_client_close(&t->client);
    list_remove(&t->end.node);
    buffer_free(&t->texts);
    buffer_free(&t->out);
    free(t->recipients);
    free(t->envelope_recipients);
    free(t);
}

/* Of the recipients: how many, and the words of the last one, or of the first that was
 * refused. */
static void take_answer(struct submit_talk *t)
{
    struct submit *s = t->submit;
    if (t->is_answered)
        return;
    t->is_answered = true;
    if (t->transaction.end == SMTP_CLIENT_NOT_STARTED)
        keep_text(s, t->transaction.failure.code, t->transaction.failure.text);
    for (uint32_t i = 0; t->transaction.end == SMTP_CLIENT_DECIDED && i < t->transaction.count;
         i++) {
        const struct outcome *o = &t->recipients[i].outcome;
        bool good = o->kind == OUTCOME_RELAYED || o->kind == OUTCOME_DELIVERED;
        if (i == 0 || !good)
            keep_text(s, o->code, o->text);
        s->accepted += good;
    }
}

static void on_end(struct deferred *deferred)
{
    struct submit_talk *t = container_of(deferred, struct submit_talk, end);
    struct submit *s = t->submit;
    s->talk = NULL;
    talk_free(t);
    s->done(s);
}

static void pump(struct submit_talk *t)
{
    while (smtp_client_output(t->client, &t->out) &&
           stream_write(t->stream, buffer_slice(&t->out)) == ERR_OK)
        buffer_clear(&t->out);
    if (smtp_client_take_done(t->client) != NULL) {
        take_answer(t);
        smtp_client_quit(t->client);
        buffer_clear(&t->out);
        if (smtp_client_output(t->client, &t->out))
            stream_write(t->stream, buffer_slice(&t->out));
        stream_finish(&t->stream);
        loop_defer(t->submit->loop, &t->end);
    }
}

static void lose(struct submit_talk *t, enum smtp_client_loss loss)
{
    smtp_client_lost(t->client, loss);
    smtp_client_take_done(t->client);
    take_answer(t);
    stream_close(&t->stream);
    loop_defer(t->submit->loop, &t->end);
}

static void read_some(struct submit_talk *t)
{
    char bytes[INPUT_BYTES];
    size_t len;
    switch (stream_read(t->stream, bytes, sizeof bytes, &len)) {
    case STREAM_READ_SOME:
        smtp_client_input(t->client, slice_make(bytes, len));
        pump(t);
        return;
    case STREAM_READ_NOTHING:
        return;
    case STREAM_READ_END:
        lose(t, SMTP_CLIENT_LOST_CLOSED);
        return;
    case STREAM_READ_FAILED:
        lose(t, SMTP_CLIENT_LOST_RESET);
        return;
    }
}

static void on_event(struct stream_owner *owner, enum stream_event event)
{
    struct submit_talk *t = container_of(owner, struct submit_talk, owner);
    switch (event) {
    case STREAM_CONNECTED:
        stream_reading(t->stream, true);
        return;
    case STREAM_INPUT:
        read_some(t);
        return;
    case STREAM_DRAINED:
        pump(t);
        return;
    case STREAM_SECURED:
        return;
    case STREAM_FAILED:
        lose(t, SMTP_CLIENT_LOST_RESET);
        return;
    case STREAM_TIMEOUT:
        lose(t, SMTP_CLIENT_LOST_TIMEOUT);
        return;
    }
}

static bool fill(struct submit_talk *t)
{
    struct submit *s = t->submit;
    t->recipients = calloc(s->recipients_count + 1, sizeof *t->recipients);
    t->envelope_recipients = calloc(s->recipients_count + 1, sizeof *t->envelope_recipients);
    if (t->recipients == NULL || t->envelope_recipients == NULL)
        return false;
    for (size_t i = 0; i < s->recipients_count; i++) {
        t->envelope_recipients[i].address = s->recipients[i];
        t->recipients[i].recipient = &t->envelope_recipients[i];
    }
    t->envelope = (struct envelope){
        .sender = s->sender, .body = MAIL_BODY_8BITMIME, .content_8bit = true,
        .recipients = t->envelope_recipients, .recipients_count = s->recipients_count,
    };
    t->content = (struct smtp_client_content){ .read = on_content,
                                               .size = buffer_len(&s->octets) };
    t->transaction = (struct smtp_client_transaction){
        .envelope = &t->envelope, .recipients = t->recipients,
        .count = (uint32_t)s->recipients_count, .content = &t->content, .texts = &t->texts,
    };
    return true;
}

static enum err begin(struct submit_talk *t)
{
    struct submit *s = t->submit;
    struct smtp_client_options options = { .protocol = SMTP_CLIENT_SMTP, .helo = s->hostname };
    buffer_init(&t->texts, TEXTS_MAX);
    buffer_init(&t->out, SMTP_CLIENT_OUTPUT_MAX);
    t->owner.event = on_event;
    t->end.run = on_end;
    enum err error = fill(t) ? smtp_client_open(&options, &t->client) : ERR_MEMORY;
    if (error != ERR_OK)
        return error;
    smtp_client_submit(t->client, &t->transaction);
    error = stream_connect(s->loop, &s->to, NULL, &t->owner, &t->stream);
    if (error == ERR_OK)
        stream_deadline(t->stream, loop_now(s->loop).mono_ms + PATIENCE_MS);
    return error;
}

void submit_begin(struct submit *s)
{
    struct submit_talk *t = calloc(1, sizeof *t);
    s->accepted = 0;
    s->code = 0;
    snprintf(s->text, sizeof s->text, "no memory");
    s->talk = t;
    if (t == NULL)
        return;
    t->submit = s;
    enum err error = begin(t);
    if (error != ERR_OK) {
        t->is_answered = true;
        keep_text(s, 0, slice_from_string(err_text(error)));
        loop_defer(s->loop, &t->end);
    }
}

void submit_end(struct submit *s)
{
    talk_free(s->talk);
    s->talk = NULL;
    buffer_free(&s->octets);
}
