/* client.c: the dialogue: what may be sent now, and which reply belongs to what.
 *
 * RFC 5321 3.1 to 3.3 and 4.3, RFC 2920 (pipelining), RFC 2033 (LMTP), RFC 3207 4.2 (what
 * was known before TLS is forgotten). Owns the queue
 * of awaited replies. A reply that nobody awaits is a fault of the protocol: the
 * connection ends, whatever the reply says.
 */
#include "smtp/client/client.h"

#include "base/ascii.h"
#include "base/moment.h"
#include "base/must.h"
#include "smtp/client/client_private.h"

#include <stdlib.h>

/* The name goes into a command: nothing may end the line or the argument. */
static bool helo_is_sendable(struct slice helo)
{
    for (size_t i = 0; i < helo.len; i++)
        if (ascii_is_control(helo.data[i]) || helo.data[i] == ' ')
            return false;
    return helo.len > 0 && helo.len <= 255;
}

enum err smtp_client_open(const struct smtp_client_options *options,
                          struct smtp_client **out_client)
{
    if (!helo_is_sendable(options->helo))
        return ERR_INVALID;
    struct smtp_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR_MEMORY;
    c->options = *options;
    c->state = SMTP_CLIENT_OPENING;
    c->greeting = STEP_NONE;
    c->is_secured = options->is_secured;
    smtp_reply_reader_init(&c->reader);
    list_init(&c->under_way);
    list_init(&c->done);
    client_await(c, STEP_BANNER, NULL, 1);
    *out_client = c;
    return ERR_OK;
}

void smtp_client_close(struct smtp_client **client)
{
    if (*client == NULL)
        return;
    auth_forget(*client);
    smtp_reply_reader_free(&(*client)->reader);
    free(*client);
    *client = NULL;
}

enum smtp_client_state smtp_client_state(const struct smtp_client *c)
{
    return c->state;
}

void client_enter(struct smtp_client *c, enum smtp_client_state to)
{
    must(c->state != SMTP_CLIENT_CLOSED);
    c->state = to;
}

void client_await(struct smtp_client *c, enum client_step_id step,
                  struct smtp_client_transaction *t, uint32_t count)
{
    if (t != NULL)
        t->awaited += count;
    if (count == 0)
        return;
    if (c->awaited_count > 0) {
        uint32_t last = (c->awaited_first + c->awaited_count - 1) % AWAITED_MAX;
        if (c->awaited[last].step == step && c->awaited[last].transaction == t) {
            c->awaited[last].count += count;
            return;
        }
    }
    must(c->awaited_count < AWAITED_MAX);
    uint32_t place = (c->awaited_first + c->awaited_count++) % AWAITED_MAX;
    c->awaited[place] = (struct awaited){ step, count, t };
}

/* Takes one reply off the front of what is awaited, which must not be empty. */
static struct awaited awaited_take(struct smtp_client *c)
{
    struct awaited *front = &c->awaited[c->awaited_first];
    struct awaited taken = *front;
    if (taken.transaction != NULL)
        taken.transaction->awaited--;
    if (--front->count == 0) {
        c->awaited_first = (c->awaited_first + 1) % AWAITED_MAX;
        c->awaited_count--;
    }
    return taken;
}

bool smtp_client_is_reusable(const struct smtp_client *c)
{
    uint32_t most = c->extensions.mails_max;
    return (c->state == SMTP_CLIENT_OPENING || c->state == SMTP_CLIENT_SECURING ||
            c->state == SMTP_CLIENT_READY || c->state == SMTP_CLIENT_BUSY) &&
           !c->quit_due && (most == 0 || c->mails_begun < most);
}

bool smtp_client_may_submit(const struct smtp_client *c)
{
    return c->under_way_count < 2 && smtp_client_is_reusable(c);
}

void smtp_client_submit(struct smtp_client *c, struct smtp_client_transaction *t)
{
    must(smtp_client_may_submit(c) && t->count > 0);
    t->end = SMTP_CLIENT_DECIDED;
    t->failure = (struct outcome){ .kind = OUTCOME_NONE };
    t->uncertain = false;
    t->sending = SENDING_START;
    t->sent_bytes = 0;
    t->to_send = t->to_answer = t->to_finish = t->accepted = t->awaited = 0;
    t->mail_answered = t->is_open = t->refused = t->content_left = false;
    for (uint32_t i = 0; i < t->count; i++) {
        t->recipients[i].outcome = (struct outcome){ .kind = OUTCOME_NONE };
        t->recipients[i].progress = RECIPIENT_WAITING;
        t->recipients[i].text_len = 0;
    }
    t->node = (struct list_node){ NULL, NULL };
    list_append(&c->under_way, &t->node);
    c->under_way_count++;
    c->mails_begun++;
    if (c->state == SMTP_CLIENT_READY)
        client_enter(c, SMTP_CLIENT_BUSY);
}

struct smtp_client_transaction *smtp_client_take_done(struct smtp_client *c)
{
    struct list_node *node = list_take(&c->done);
    return node == NULL ? NULL
                        : container_of(node, struct smtp_client_transaction, node);
}

void client_fail(struct smtp_client *c, const struct smtp_reply *reply, bool is_remote)
{
    struct list_node *node;
    while ((node = list_first(&c->under_way)) != NULL)
        transaction_abandon(c, container_of(node, struct smtp_client_transaction, node),
                            reply, is_remote);
    c->awaited_count = 0;
    client_enter(c, SMTP_CLIENT_CLOSED);
}

void client_fail_protocol(struct smtp_client *c, const char *what)
{
    struct smtp_reply reason =
        smtp_reply_make(0, 4, 5, 0, slice_from_string(what));
    client_fail(c, &reason, false);
}

void smtp_client_lost(struct smtp_client *c, enum smtp_client_loss loss)
{
    static const char *const names[] = {
        [SMTP_CLIENT_LOST_CLOSED] = "the other side closed the connection",
        [SMTP_CLIENT_LOST_RESET] = "the connection broke",
        [SMTP_CLIENT_LOST_TIMEOUT] = "the other side did not answer in time",
        [SMTP_CLIENT_LOST_STOPPED] = "delivery was stopped",
    };
    if (c->state == SMTP_CLIENT_CLOSED)
        return;
    struct buffer text;
    buffer_init(&text, 256);
    buffer_append_string(&text, names[loss]);
    const char *step = smtp_client_step_name(c);
    if (step[0] != '\0')
        buffer_append_format(&text, " while %s was awaited", step);
    struct smtp_reply reason = smtp_reply_make(0, 4, 4, 2, buffer_slice(&text));
    client_fail(c, &reason, false);
    buffer_free(&text);
}

void smtp_client_quit(struct smtp_client *c)
{
    c->quit_due = true;
}

/* Whether the last reply was taken whole and nothing came after it. */
static bool reader_is_between(const struct smtp_client *c)
{
    return buffer_len(&c->reader.line) == 0 &&
           (c->reader.taken || c->reader.reply.code == 0);
}

/* The transaction whose commands are to be sent now: all before it are sent. */
static struct smtp_client_transaction *sending_transaction(struct smtp_client *c)
{
    for (struct list_node *n = list_first(&c->under_way); n != NULL;
         n = list_next(&c->under_way, n)) {
        struct smtp_client_transaction *t =
            container_of(n, struct smtp_client_transaction, node);
        if (t->sending != SENDING_NOTHING)
            return t;
    }
    return NULL;
}

/* Whether a command may be sent although replies are awaited. */
static bool may_go_on(const struct smtp_client *c)
{
    if (c->awaited_count == 0)
        return true;
    uint32_t last = (c->awaited_first + c->awaited_count - 1) % AWAITED_MAX;
    return client_offers(c, SMTP_EXTENSION_PIPELINING) &&
           !client_step_of(c->awaited[last].step)->is_barrier;
}

static enum client_step_id step_of_transaction(struct smtp_client *c,
                                               struct smtp_client_transaction *t)
{
    if (t->sending == SENDING_START)
        transaction_begin(c, t);
    switch ((enum transaction_sending)t->sending) {
    case SENDING_MAIL:
        return c->reset_due ? STEP_RSET : STEP_MAIL;
    case SENDING_RCPT:
        return STEP_RCPT;
    case SENDING_DATA:
        return t->by_chunk ? STEP_BDAT : STEP_DATA;
    case SENDING_END:
        return STEP_END;
    case SENDING_START:
    case SENDING_PAUSE:
    case SENDING_CONTENT:
    case SENDING_NOTHING:
        return STEP_NONE;
    }
    return STEP_NONE;
}

static enum client_step_id step_to_send(struct smtp_client *c,
                                        struct smtp_client_transaction *t)
{
    if (!may_go_on(c))
        return STEP_NONE;
    if (c->greeting != STEP_NONE)
        return c->greeting;
    if (c->state == SMTP_CLIENT_OPENING || c->state == SMTP_CLIENT_SECURING)
        return STEP_NONE;
    if (t != NULL)
        return step_of_transaction(c, t);
    return c->quit_due && c->state == SMTP_CLIENT_READY ? STEP_QUIT : STEP_NONE;
}

/* Sends one thing; false when nothing may be sent now. */
static bool send_one(struct smtp_client *c, struct buffer *out)
{
    struct smtp_client_transaction *t = sending_transaction(c);
    if (t != NULL && t->sending == SENDING_CONTENT && c->state == SMTP_CLIENT_BUSY)
        return content_send(c, t, out);
    uint8_t before = t == NULL ? 0 : t->sending;
    enum client_step_id id = step_to_send(c, t);
    bool sent = false;
    if (id != STEP_NONE) {
        if (c->awaited_count == 0 && !reader_is_between(c)) {
            client_fail_protocol(c, "the other side spoke out of turn");
            return false;
        }
        sent = client_step_of(id)->build(c, t, out);
    }
    bool moved = t != NULL && t->sending != before;
    if (moved && t->sending == SENDING_NOTHING && c->state != SMTP_CLIENT_CLOSED)
        transaction_settle(c, t);
    return sent || moved;
}

bool smtp_client_output(struct smtp_client *c, struct buffer *out)
{
    size_t before = buffer_len(out);
    while (c->state != SMTP_CLIENT_CLOSED &&
           buffer_len(out) < SMTP_CLIENT_OUTPUT_BYTES && !out->overflow &&
           send_one(c, out))
        ;
    if (out->overflow && c->state != SMTP_CLIENT_CLOSED) {
        struct smtp_reply reason = smtp_reply_make(0, 4, 3, 0, SLICE("no memory"));
        client_fail(c, &reason, false);
    }
    return buffer_len(out) > before;
}

/* A reply that no command asked for. While content is on its way a server may give
 * up early and say so; that reply is honoured, but the connection is out of step. */
static void take_unasked(struct smtp_client *c, const struct smtp_reply *reply)
{
    if (reply->code == 421) {
        client_fail(c, reply, true);
        return;
    }
    struct smtp_client_transaction *t = sending_transaction(c);
    if (t != NULL && t->sending == SENDING_CONTENT && t->sent_bytes > 0 &&
        reply->code >= 400)
        transaction_decide_accepted(c, t, reply);
    client_fail_protocol(c, "the other side sent a reply that nothing asked for");
}

static void take_reply(struct smtp_client *c, const struct smtp_reply *reply)
{
    c->steps++;
    if (c->awaited_count == 0) {
        take_unasked(c, reply);
        return;
    }
    struct awaited a = awaited_take(c);
    /* RFC 5321 3.8: 421 in answer to any command means that the server closes. */
    if (reply->code == 421) {
        client_fail(c, reply, true);
        return;
    }
    client_step_of(a.step)->on_reply(c, a.transaction, reply);
    if (c->state != SMTP_CLIENT_CLOSED && a.transaction != NULL)
        transaction_settle(c, a.transaction);
}

/* HOSTILE 114: what stands in clear behind the reply to STARTTLS answers nothing. */
static bool is_injected(struct smtp_client *c, struct slice bytes)
{
    if (c->state != SMTP_CLIENT_SECURING)
        return false;
    if (bytes.len > 0)
        client_fail_protocol(c, "the other side spoke in clear behind its reply to "
                                "STARTTLS");
    return true;
}

void smtp_client_secured(struct smtp_client *c)
{
    must(c->state == SMTP_CLIENT_SECURING);
    smtp_reply_reader_free(&c->reader);
    smtp_reply_reader_init(&c->reader);
    c->extensions = (struct smtp_extensions){ 0 };
    c->is_secured = true;
    c->steps++;
    c->greeting = STEP_EHLO;
    client_enter(c, SMTP_CLIENT_OPENING);
}

void smtp_client_not_secured(struct smtp_client *c, struct slice why)
{
    struct buffer text;
    must(c->state == SMTP_CLIENT_SECURING);
    buffer_init(&text, 256);
    buffer_append(&text, SLICE("TLS cannot be begun: "));
    buffer_append(&text, slice_part(why, 0, 200));
    struct smtp_reply reason = smtp_reply_make(0, 4, 7, 5, buffer_slice(&text));
    client_fail(c, &reason, false);
    buffer_free(&text);
}

bool smtp_client_was_refused_tls(const struct smtp_client *c)
{
    return c->refused_tls;
}

void smtp_client_input(struct smtp_client *c, struct slice bytes)
{
    while (c->state != SMTP_CLIENT_CLOSED && !is_injected(c, bytes)) {
        struct smtp_reply reply;
        switch (smtp_reply_reader_next(&c->reader, &bytes, &reply)) {
        case SMTP_REPLY_TAKEN:
            take_reply(c, &reply);
            break;
        case SMTP_REPLY_NEED_MORE:
            return;
        case SMTP_REPLY_BROKEN:
            client_fail_protocol(c, c->reader.fault);
            return;
        }
    }
}

static uint32_t wait_ms(const struct smtp_client *c, enum smtp_client_wait wait)
{
    static const uint32_t waits_ms[] = {
        [SMTP_CLIENT_WAIT_GREETING] = 5 * MINUTE_MS,
        [SMTP_CLIENT_WAIT_MAIL] = 5 * MINUTE_MS,
        [SMTP_CLIENT_WAIT_RCPT] = 5 * MINUTE_MS,
        [SMTP_CLIENT_WAIT_DATA_START] = 2 * MINUTE_MS,
        [SMTP_CLIENT_WAIT_DATA_SEND] = 3 * MINUTE_MS,
        [SMTP_CLIENT_WAIT_DATA_END] = 10 * MINUTE_MS,
    };
    return c->options.waits_ms[wait] != 0 ? c->options.waits_ms[wait] : waits_ms[wait];
}

uint32_t smtp_client_timeout_ms(const struct smtp_client *c)
{
    if (c->state == SMTP_CLIENT_CLOSED)
        return 0;
    if (c->awaited_count > 0)
        return wait_ms(c, client_step_of(c->awaited[c->awaited_first].step)->wait);
    if (c->state == SMTP_CLIENT_SECURING)
        return wait_ms(c, SMTP_CLIENT_WAIT_GREETING);
    return c->state == SMTP_CLIENT_BUSY ? wait_ms(c, SMTP_CLIENT_WAIT_DATA_SEND) : 0;
}

uint64_t smtp_client_steps(const struct smtp_client *c)
{
    return c->steps;
}

const struct smtp_extensions *smtp_client_extensions(const struct smtp_client *c)
{
    return &c->extensions;
}

const char *smtp_client_step_name(const struct smtp_client *c)
{
    if (c->awaited_count > 0)
        return client_step_of(c->awaited[c->awaited_first].step)->name;
    if (c->state == SMTP_CLIENT_SECURING)
        return "the handshake of TLS";
    return c->state == SMTP_CLIENT_BUSY ? "room for the content" : "";
}
