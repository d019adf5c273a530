/* dialogue.c: moves the engine's bytes; every wait has an end. */
#include "cli/dialogue.h"

#include "base/moment.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GOODBYE_MS = 5 * 1000, INPUT_BYTES = 16 * 1024 };

struct talk {
    int fd;
    struct smtp_client *client;
    struct transcript *transcript;
    struct buffer out;
    int64_t step_ms;     /* when the last step forward was */
    uint64_t steps;
    bool saying_goodbye;
};

static enum err content_read(struct smtp_client_content *base, uint64_t offset, char *out,
                             size_t len)
{
    struct dialogue_content *c = container_of(base, struct dialogue_content, base);
    memcpy(out, c->bytes.data + offset, len);
    return ERR_OK;
}

void dialogue_content_init(struct dialogue_content *content, struct slice bytes)
{
    *content = (struct dialogue_content){
        .base = { .read = content_read, .size = bytes.len }, .bytes = bytes,
    };
}

static void stepped(struct talk *t)
{
    t->step_ms = moment_now().mono_ms;
}

static void fill(struct talk *t)
{
    size_t before = buffer_len(&t->out);
    if (before > 0 || !smtp_client_output(t->client, &t->out))
        return;
    if (t->transcript != NULL)
        transcript_sent(t->transcript, slice_from(buffer_slice(&t->out), before));
}

static void lose(struct talk *t, enum smtp_client_loss loss)
{
    static const char *const words[] = {
        [SMTP_CLIENT_LOST_CLOSED] = "the server closed the connection",
        [SMTP_CLIENT_LOST_RESET] = "the connection broke",
        [SMTP_CLIENT_LOST_TIMEOUT] = "the server did not answer in time",
        [SMTP_CLIENT_LOST_STOPPED] = "stopped",
    };
    if (t->transcript != NULL)
        transcript_note(t->transcript, "%s", words[loss]);
    smtp_client_lost(t->client, loss);
}

static void write_some(struct talk *t)
{
    struct slice s = buffer_slice(&t->out);
    ssize_t done = send(t->fd, s.data, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done > 0) {
        buffer_consume(&t->out, (size_t)done);
        stepped(t);
    } else if (done < 0 && errno != EAGAIN && errno != EINTR) {
        lose(t, SMTP_CLIENT_LOST_RESET);
    }
}

static void read_some(struct talk *t)
{
    char bytes[INPUT_BYTES];
    ssize_t got = recv(t->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lose(t, got == 0 ? SMTP_CLIENT_LOST_CLOSED : SMTP_CLIENT_LOST_RESET);
        return;
    }
    struct slice input = slice_make(bytes, (size_t)got);
    if (t->transcript != NULL)
        transcript_said(t->transcript, input);
    smtp_client_input(t->client, input);
    if (smtp_client_steps(t->client) != t->steps) {
        t->steps = smtp_client_steps(t->client);
        stepped(t);
    }
}

static int time_left(const struct talk *t)
{
    int64_t patience = smtp_client_timeout_ms(t->client);
    if (t->saying_goodbye || patience == 0)
        patience = GOODBYE_MS;
    int64_t left = t->step_ms + patience - moment_now().mono_ms;
    return left < 0 ? 0 : (int)left;
}

/* Waits for the socket and moves what can be moved. */
static void turn(struct talk *t)
{
    struct pollfd p = { .fd = t->fd, .events = POLLIN };
    if (buffer_len(&t->out) > 0)
        p.events |= POLLOUT;
    int ready = poll(&p, 1, time_left(t));
    if (ready == 0)
        lose(t, SMTP_CLIENT_LOST_TIMEOUT);
    if (ready <= 0)
        return;
    if ((p.revents & POLLIN) != 0)
        read_some(t);
    else if ((p.revents & (POLLERR | POLLHUP)) != 0)
        lose(t, SMTP_CLIENT_LOST_RESET);
    if ((p.revents & POLLOUT) != 0 && buffer_len(&t->out) > 0 &&
        smtp_client_state(t->client) != SMTP_CLIENT_CLOSED)
        write_some(t);
}

static void converse(struct talk *t)
{
    stepped(t);
    while (smtp_client_state(t->client) != SMTP_CLIENT_CLOSED) {
        fill(t);
        /* Making output may end the transaction: nobody was left to send it to. */
        if (!t->saying_goodbye && smtp_client_take_done(t->client) != NULL) {
            t->saying_goodbye = true;
            stepped(t);
            smtp_client_quit(t->client);
            fill(t);
        }
        if (smtp_client_state(t->client) != SMTP_CLIENT_CLOSED)
            turn(t);
    }
    smtp_client_take_done(t->client);
}

enum err dialogue_run(int fd, const struct dialogue *dialogue,
                      struct smtp_client_transaction *transaction)
{
    struct talk t = { .fd = fd, .transcript = dialogue->transcript };
    struct smtp_client_options options = {
        .protocol = SMTP_CLIENT_SMTP, .helo = dialogue->helo,
        .without_pipelining = true, .without_chunking = true,
    };
    for (unsigned i = 0; i < SMTP_CLIENT_WAITS; i++)
        options.waits_ms[i] = dialogue->wait_ms;
    enum err error = smtp_client_open(&options, &t.client);
    if (error == ERR_OK) {
        buffer_init(&t.out, SMTP_CLIENT_OUTPUT_MAX);
        smtp_client_submit(t.client, transaction);
        converse(&t);
        smtp_client_close(&t.client);
        buffer_free(&t.out);
    }
    close(fd);
    return error;
}
