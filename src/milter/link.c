/* link.c: the connection to one filter: a command, its answer, and its time.
 *
 * Who speaks out of turn, takes too long, or says what was not agreed upon has failed: it is
 * let go, and the configuration says what becomes of the message.
 */
#include "milter/milter_private.h"

#include "log/log.h"

#include <stdlib.h>

enum {
    PACKETS_MAX = 2 * 1024 * 1024,
    CROWDED_BYTES = 256 * 1024,
    TEXT_MAX = 64 * 1024,
    PATIENCE_MS = 10 * 60 * 1000, /* the longest "wait" in all: no client waits longer */
};

static const uint32_t offered_actions = MILTER_ACTIONS_V6;
static const uint32_t offered_protocol = MILTER_PROTOCOL_V6 & ~(uint32_t)MILTER_WANTS_REFUSED_RCPT;

bool link_may(const struct link *l, uint32_t action)
{
    return (l->agreed.actions & action) != 0;
}

void link_close(struct link *l)
{
    stream_close(&l->stream);
    milter_reader_free(&l->reader);
    milter_reader_init(&l->reader);
    for (size_t i = 0; i < MILTER_STAGES; i++) {
        buffer_free(&l->names[i]);
        l->has_names[i] = false;
    }
    held_close(&l->body);
    l->state = LINK_CLOSED;
    l->awaits = 0;
    l->said = 0;
    l->has_connect = l->has_helo = l->has_mail = l->has_rcpt = l->has_data = false;
    l->passes_session = false;
    l->stage = STAGE_START;
}

void link_fail(struct link *l, const char *why)
{
    static const char *const actions[] = {
        [CONFIG_MILTER_ACCEPT] = "accept", [CONFIG_MILTER_TEMPFAIL] = "tempfail",
        [CONFIG_MILTER_REJECT] = "reject", [CONFIG_MILTER_QUARANTINE] = "quarantine",
    };
    struct log_line line;
    const struct gate_question *q = link_question(l);
    log_begin(&line, LOG_WARNING, "milter-failed");
    if (q != NULL)
        log_number(&line, "session", (int64_t)q->session_id);
    log_text(&line, "milter", l->milter->name);
    log_string(&line, "why", why);
    log_string(&line, "then", actions[l->milter->on_failure]);
    log_end(&line);
    link_close(l);
    l->failed = true;
    l->failures++;
}

static int64_t time_for(const struct link *l)
{
    const struct config_milter_timeouts *t = &l->milter->timeouts;
    switch (l->awaits) {
    case MILTER_HEADER:
    case MILTER_EOH:
    case MILTER_BODY:
        return t->content_ms;
    case MILTER_END_OF_BODY:
        return t->end_of_message_ms;
    case MILTER_OPTNEG:
    case MILTER_MACRO:
    case MILTER_CONNECT:
    case MILTER_HELO:
    case MILTER_MAIL:
    case MILTER_RCPT:
    case MILTER_DATA:
    case MILTER_UNKNOWN:
    case MILTER_ABORT:
    case MILTER_QUIT:
    case MILTER_QUIT_NEW_CONNECTION:
        break;
    }
    return t->command_ms;
}

static void set_deadline(struct link *l)
{
    int64_t now = loop_now(l->filter->gate->loop).mono_ms;
    int64_t due = now + time_for(l);
    stream_deadline(l->stream, due < l->patience_mono_ms ? due : l->patience_mono_ms);
}

static void await(struct link *l, enum milter_command command)
{
    int64_t now = loop_now(l->filter->gate->loop).mono_ms;
    l->awaits = command;
    l->said = 0;
    stream_reading(l->stream, true); /* it may have been off while a body was written */
    int64_t most = time_for(l) > PATIENCE_MS ? time_for(l) : PATIENCE_MS;
    l->patience_mono_ms = now + most;
    set_deadline(l);
}

/* ---- what is said ---- */

static bool write_out(struct link *l, struct buffer *out)
{
    bool good = !out->overflow && stream_write(l->stream, buffer_slice(out)) == ERR_OK;
    buffer_free(out);
    if (!good)
        link_fail(l, "it does not take what it is told");
    return good;
}

/* Which options say that it wants no such command, or does not answer it. */
static uint32_t unwanted(enum milter_command command)
{
    static const struct { enum milter_command command; uint32_t none; } all[] = {
        { MILTER_CONNECT, MILTER_NO_CONNECT }, { MILTER_HELO, MILTER_NO_HELO },
        { MILTER_MAIL, MILTER_NO_MAIL },       { MILTER_RCPT, MILTER_NO_RCPT },
        { MILTER_DATA, MILTER_NO_DATA },       { MILTER_HEADER, MILTER_NO_HEADERS },
        { MILTER_EOH, MILTER_NO_EOH },         { MILTER_BODY, MILTER_NO_BODY },
        { MILTER_UNKNOWN, MILTER_NO_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].command == command)
            return all[i].none;
    return 0;
}

static uint32_t mute(enum milter_command command)
{
    static const struct { enum milter_command command; uint32_t mute; } all[] = {
        { MILTER_CONNECT, MILTER_MUTE_CONNECT }, { MILTER_HELO, MILTER_MUTE_HELO },
        { MILTER_MAIL, MILTER_MUTE_MAIL },       { MILTER_RCPT, MILTER_MUTE_RCPT },
        { MILTER_DATA, MILTER_MUTE_DATA },       { MILTER_HEADER, MILTER_MUTE_HEADER },
        { MILTER_EOH, MILTER_MUTE_EOH },         { MILTER_BODY, MILTER_MUTE_BODY },
        { MILTER_UNKNOWN, MILTER_MUTE_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].command == command)
            return all[i].mute;
    return 0;
}

static bool is_wanted(const struct link *l, enum milter_command command)
{
    return (l->agreed.protocol & unwanted(command)) == 0 &&
           (command != MILTER_DATA || l->agreed.version >= 4) &&
           (command != MILTER_UNKNOWN || l->agreed.version >= 3);
}

static bool send_command(struct link *l, enum milter_command command, struct buffer *out)
{
    bool is_mute = (l->agreed.protocol & mute(command)) != 0;
    if (write_out(l, out) && !is_mute)
        await(l, command);
    return l->awaits != 0;
}

bool link_say(struct link *l, enum milter_command command, const struct slice *strings,
              size_t count)
{
    struct buffer out;
    if (!is_wanted(l, command))
        return false;
    buffer_init(&out, PACKETS_MAX);
    macros_append(l, command, &out);
    milter_append_strings(&out, command, strings, count);
    return send_command(l, command, &out);
}

bool link_say_client(struct link *l, const struct milter_client *client)
{
    struct buffer out;
    buffer_init(&out, PACKETS_MAX);
    macros_append(l, MILTER_CONNECT, &out);
    if (!is_wanted(l, MILTER_CONNECT)) { /* its macros hold for the whole session */
        if (buffer_len(&out) > 0)
            write_out(l, &out);
        else
            buffer_free(&out);
        return false;
    }
    milter_append_client(&out, client);
    return send_command(l, MILTER_CONNECT, &out);
}

bool link_say_chunk(struct link *l, struct slice chunk)
{
    struct buffer out;
    buffer_init(&out, PACKETS_MAX);
    milter_append_chunk(&out, chunk);
    return send_command(l, MILTER_BODY, &out);
}

static void say_farewell(struct link *l, enum milter_command command)
{
    struct buffer out;
    buffer_init(&out, PACKETS_MAX);
    milter_append_strings(&out, command, NULL, 0);
    stream_write(l->stream, buffer_slice(&out));
    buffer_free(&out);
}

void link_abort(struct link *l)
{
    if (l->state == LINK_READY && l->awaits == 0 && l->has_mail)
        say_farewell(l, MILTER_ABORT);
    else if (l->awaits != 0)
        link_close(l);
    held_close(&l->body);
    l->has_mail = l->has_rcpt = l->has_data = false;
    l->stage = STAGE_START;
}

void link_quit(struct link *l)
{
    if (l->state == LINK_READY && l->awaits == 0) {
        say_farewell(l, MILTER_QUIT);
        stream_finish(&l->stream);
    }
    link_close(l);
}

bool link_is_crowded(const struct link *l)
{
    return stream_queued(l->stream) > CROWDED_BYTES;
}

/* ---- what it answers ---- */

static const char *take_options(struct link *l, const struct milter_reply *reply)
{
    const struct milter_options *o = &reply->options;
    if (reply->kind != MILTER_REPLY_OPTIONS)
        return "it does not begin with its options";
    if (o->version < MILTER_VERSION_MIN || o->version > MILTER_VERSION)
        return "it speaks a version that is not known";
    if ((o->actions & ~offered_actions) != 0 || (o->protocol & ~offered_protocol) != 0)
        return "it wants what was not offered";
    l->agreed = *o;
    for (size_t i = 0; i < MILTER_STAGES; i++) {
        l->has_names[i] = reply->macros[i].data != NULL;
        buffer_init(&l->names[i], TEXT_MAX);
        buffer_append(&l->names[i], reply->macros[i]);
    }
    l->state = LINK_READY;
    l->awaits = 0;
    return NULL;
}

/* True: the answer, which is kept. */
static bool is_answer(const struct link *l, const struct milter_reply *reply)
{
    switch (reply->kind) {
    case MILTER_REPLY_CONTINUE:
    case MILTER_REPLY_ACCEPT:
    case MILTER_REPLY_REJECT:
    case MILTER_REPLY_TEMPFAIL:
    case MILTER_REPLY_CODE:
    case MILTER_REPLY_CONNECTION_FAIL:
    case MILTER_REPLY_SHUTDOWN:
        return true;
    case MILTER_REPLY_DISCARD: /* a message, never a client */
        return l->awaits != MILTER_CONNECT && l->awaits != MILTER_HELO &&
               l->awaits != MILTER_UNKNOWN;
    case MILTER_REPLY_SKIP:
        return l->awaits == MILTER_BODY && (l->agreed.protocol & MILTER_CAN_SKIP) != 0;
    case MILTER_REPLY_OPTIONS:
    case MILTER_REPLY_PROGRESS:
    case MILTER_REPLY_ADD_HEADER:
    case MILTER_REPLY_INSERT_HEADER:
    case MILTER_REPLY_CHANGE_HEADER:
    case MILTER_REPLY_REPLACE_BODY:
    case MILTER_REPLY_ADD_RECIPIENT:
    case MILTER_REPLY_ADD_RECIPIENT_WITH_PARAMETERS:
    case MILTER_REPLY_DELETE_RECIPIENT:
    case MILTER_REPLY_CHANGE_SENDER:
    case MILTER_REPLY_QUARANTINE:
        return false;
    }
    return false;
}

static const char *take_reply(struct link *l, const struct milter_reply *reply)
{
    if (l->awaits == MILTER_OPTNEG)
        return take_options(l, reply);
    if (reply->kind == MILTER_REPLY_PROGRESS) {
        set_deadline(l);
        return NULL;
    }
    if (is_answer(l, reply)) {
        buffer_free(&l->text);
        buffer_init(&l->text, TEXT_MAX);
        buffer_append(&l->text, reply->text);
        l->said = reply->kind;
        l->awaits = 0;
        return NULL;
    }
    if (l->awaits != MILTER_END_OF_BODY)
        return "its answer does not fit the command";
    return content_edit(l, reply);
}

/* Everything that has come; what follows the answer has not been asked for. */
static const char *take_input(struct link *l, struct slice input)
{
    struct milter_reply reply;
    enum milter_reply_result got = MILTER_REPLY_NEED_MORE;
    const char *fault = NULL;
    while (fault == NULL && l->awaits != 0 &&
           (got = milter_reader_next(&l->reader, &input, &reply)) == MILTER_REPLY_TAKEN)
        fault = take_reply(l, &reply);
    if (fault == NULL && got == MILTER_REPLY_BROKEN)
        fault = "what it says is not the protocol";
    if (fault == NULL && input.len > 0)
        fault = "it speaks out of turn";
    return fault;
}

static void on_input(struct link *l)
{
    struct loop *loop = l->filter->gate->loop;
    const char *fault = NULL;
    size_t len = 0;
    switch (stream_read(l->stream, loop_scratch(loop), LOOP_SCRATCH_BYTES, &len)) {
    case STREAM_READ_NOTHING:
        return;
    case STREAM_READ_SOME:
        fault = take_input(l, slice_make(loop_scratch(loop), len));
        break;
    case STREAM_READ_END:
    case STREAM_READ_FAILED:
        if (l->awaits == 0 && !l->has_mail) { /* it may: there is nothing to be lost */
            link_close(l);
            return;
        }
        fault = "it closed the connection";
        break;
    }
    if (fault != NULL)
        link_fail(l, fault);
    else if (l->awaits == 0)
        stream_deadline(l->stream, 0);
    if (l->awaits == 0)
        filter_go_on(l->filter);
}

static void on_connected(struct link *l)
{
    struct buffer out;
    buffer_init(&out, PACKETS_MAX);
    milter_append_options(&out, &(struct milter_options){
        MILTER_VERSION, offered_actions, offered_protocol });
    stream_reading(l->stream, true);
    if (write_out(l, &out))
        await(l, MILTER_OPTNEG);
    else
        filter_go_on(l->filter);
}

static void on_event(struct stream_owner *owner, enum stream_event event)
{
    struct link *l = container_of(owner, struct link, owner);
    switch (event) {
    case STREAM_CONNECTED:
        on_connected(l);
        return;
    case STREAM_INPUT:
        on_input(l);
        return;
    case STREAM_DRAINED:
        if (l->state == LINK_READY && l->awaits == 0)
            filter_go_on(l->filter);
        return;
    case STREAM_FAILED:
        link_fail(l, l->state == LINK_CONNECTING && l->awaits == 0
                  ? "it cannot be reached" : "the connection broke");
        filter_go_on(l->filter);
        return;
    case STREAM_TIMEOUT:
        link_fail(l, "it takes too long");
        filter_go_on(l->filter);
        return;
    case STREAM_SECURED:
        return;
    }
}

void link_open(struct link *l)
{
    struct loop *loop = l->filter->gate->loop;
    l->owner.event = on_event;
    if (stream_connect(loop, &l->milter->address, NULL, &l->owner, &l->stream) != ERR_OK) {
        link_fail(l, "it cannot be reached");
        return;
    }
    l->state = LINK_CONNECTING;
    stream_deadline(l->stream, loop_now(loop).mono_ms + l->milter->timeouts.connect_ms);
}
