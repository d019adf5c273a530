/* client_fuzz.c: the client's side of a dialogue against a hostile server.
 *
 * The first byte picks the protocol, the message, TLS and AUTH; the second how the
 * server's bytes, all the rest, are cut. A handshake is taken for done. Whatever the
 * server says: every transaction comes back once, a failed connection decides
 * everything, only whole lines leave, nobody is delivered without a 2yz of the server,
 * and where TLS is required no mail and no password leaves before it.
 */
#include "base/must.h"
#include "smtp/client/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 3, RECIPIENTS = 3 };

static const char content_bytes[] = "Subject: x\r\n\r\n.\r\n..dots\r\nno end";

static enum err content_read(struct smtp_client_content *content, uint64_t offset,
                             char *out, size_t len)
{
    must(offset <= content->size && len <= content->size - offset);
    memcpy(out, content_bytes + offset, len);
    return ERR_OK;
}

struct world {
    struct smtp_client *client;
    struct smtp_client_auth auth;
    bool requires_tls;
    bool is_secured;
    struct envelope envelope;
    struct envelope_recipient to[RECIPIENTS];
    struct smtp_client_content content;
    struct smtp_client_transaction transactions[MESSAGES];
    struct smtp_client_recipient recipients[MESSAGES][RECIPIENTS];
    struct buffer texts[MESSAGES];
    struct buffer out;
    unsigned submitted;
    unsigned done;
    char last; /* the last byte that left */
};

static void submit(struct world *w)
{
    struct smtp_client_transaction *t = &w->transactions[w->submitted];
    buffer_init(&w->texts[w->submitted], 300);
    for (size_t i = 0; i < RECIPIENTS; i++)
        w->recipients[w->submitted][i].recipient = &w->to[i];
    *t = (struct smtp_client_transaction){ .envelope = &w->envelope,
                                           .recipients = w->recipients[w->submitted],
                                           .count = RECIPIENTS,
                                           .content = &w->content,
                                           .texts = &w->texts[w->submitted] };
    w->submitted++;
    smtp_client_submit(w->client, t);
}

static void check_done(struct world *w)
{
    struct smtp_client_transaction *t;
    while ((t = smtp_client_take_done(w->client)) != NULL) {
        must(w->done < w->submitted);
        w->done++;
        for (uint32_t i = 0; i < t->count; i++) {
            const struct outcome *o = &t->recipients[i].outcome;
            if (t->end == SMTP_CLIENT_NOT_STARTED)
                must(o->kind == OUTCOME_NONE);
            if (o->kind == OUTCOME_RELAYED || o->kind == OUTCOME_DELIVERED)
                must(o->code >= 200 && o->code < 300 && o->reply_is_remote);
            if (o->kind != OUTCOME_NONE)
                must(o->status.class >= 2 && o->status.class <= 5);
            must(o->text.len <= 300);
        }
    }
}

static const char *auth_begin(struct smtp_client_auth *auth, uint32_t offered,
                              const char **out_mechanism, struct buffer *out_first,
                              bool *out_says)
{
    struct world *w = container_of(auth, struct world, auth);
    must(w->is_secured);
    *out_mechanism = "X";
    *out_says = (offered & SMTP_AUTH_PLAIN) != 0;
    if (*out_says)
        buffer_append(out_first, SLICE("secret"));
    return offered == 0 ? "nothing fits" : NULL;
}

static bool auth_answer(struct smtp_client_auth *auth, struct slice challenge,
                        struct buffer *out)
{
    (void)auth;
    buffer_append(out, challenge);
    return challenge.len < 20;
}

static bool auth_is_done(struct smtp_client_auth *auth)
{
    (void)auth;
    return true;
}

static void go(struct world *w)
{
    while (w->submitted < MESSAGES && smtp_client_may_submit(w->client))
        submit(w);
    while (smtp_client_output(w->client, &w->out)) {
        struct slice s = buffer_slice(&w->out);
        must(!w->requires_tls || w->is_secured || !slice_starts_with_nocase(s, SLICE("M")));
        for (size_t i = 0; i < s.len; i++) {
            must((s.data[i] == '\n') == (w->last == '\r'));
            w->last = s.data[i];
        }
        buffer_clear(&w->out);
    }
    check_done(w);
}

static void world_init(struct world *w, uint8_t flags)
{
    *w = (struct world){
        .envelope = { .sender = SLICE("a@x"), .content_8bit = (flags & 2) != 0 },
        .to = { { .address = SLICE("b@y"), .notify = DSN_NOTIFY_FAILURE },
                { .address = SLICE("c@y") },
                { .address = (flags & 4) != 0 ? SLICE("\xc3\xa9@y") : SLICE("d@y") } },
        .content = { content_read, sizeof content_bytes - 1 },
    };
    buffer_init(&w->out, SMTP_CLIENT_OUTPUT_MAX);
    struct smtp_client_options options = {
        .protocol = (flags & 1) != 0 ? SMTP_CLIENT_LMTP : SMTP_CLIENT_SMTP,
        .helo = SLICE("me"),
        .without_chunking = (flags & 8) != 0,
        .without_pipelining = (flags & 16) != 0,
        .tls = (flags & 64) != 0 ? SMTP_CLIENT_TLS_REQUIRED : SMTP_CLIENT_TLS_NEVER,
        .is_secured = (flags & 192) == 128,
        .auth = (flags & 128) != 0 ? &w->auth : NULL,
    };
    w->auth = (struct smtp_client_auth){ auth_begin, auth_answer, auth_is_done };
    w->requires_tls = (flags & 64) != 0;
    w->is_secured = options.is_secured;
    must(smtp_client_open(&options, &w->client) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct world w;
    world_init(&w, data[0]);
    struct slice says = slice_make(data + 2, size - 2);
    size_t step = data[1] == 0 ? size : data[1];
    for (size_t at = 0; at < says.len; at += step) {
        if (smtp_client_state(w.client) == SMTP_CLIENT_SECURING) {
            w.is_secured = true;
            smtp_client_secured(w.client);
            go(&w);
        }
        smtp_client_input(w.client, slice_part(says, at, step));
        go(&w);
    }
    if ((data[0] & 32) != 0)
        smtp_client_quit(w.client);
    go(&w);
    smtp_client_lost(w.client, SMTP_CLIENT_LOST_CLOSED);
    check_done(&w);
    must(w.done == w.submitted);
    must(smtp_client_state(w.client) == SMTP_CLIENT_CLOSED);
    smtp_client_close(&w.client);
    for (unsigned i = 0; i < w.submitted; i++)
        buffer_free(&w.texts[i]);
    buffer_free(&w.out);
    return 0;
}
