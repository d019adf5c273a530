/* etrn.c: the queue is asked to begin with what waits for a node (RFC 1985 5).
 *
 * Who is trusted or has logged in may ask. The answer comes from the queue's thread: until
 * then the session stays, as it does for a commit, whatever becomes of its connection.
 */
#include "session/session_private.h"

#include "wire/smtp/address.h"

#include <stdlib.h>

struct asking {
    struct etrn_request request;
    struct session *session;
    char node[];
};

void session_offer_etrn(struct session *s)
{
    bool is_known = s->trusted || buffer_len(&s->account) > 0;
    smtp_server_offer_etrn(s->engine, s->host->options.etrn != NULL && is_known);
}

static void answer(struct session *s, const struct etrn_request *request)
{
    struct buffer *text = &s->host->text;
    struct slice node = request->node;
    buffer_clear(text);
    if (request->messages > 0)
        buffer_append_format(text, "OK, %zu pending messages for node %.*s started",
                             request->messages, (int)node.len, node.data);
    else
        buffer_append_format(text, "OK, no messages waiting for node %.*s", (int)node.len,
                             node.data);
    struct smtp_reply reply = smtp_reply_make(request->messages > 0 ? 253 : 251, 2, 0, 0,
                                              buffer_slice(text));
    smtp_server_answer(s->engine, &reply);
}

static void on_done(struct etrn_request *request)
{
    struct asking *a = container_of(request, struct asking, request);
    struct session *s = a->session;
    s->asking = false;
    if (!s->over) {
        s->wait = WAIT_INPUT;
        answer(s, request);
    }
    free(a);
    if (s->over)
        session_over(s);
    else
        session_go_on(s);
}

/* The canonical name stands in the request. NULL: no domain, or no memory. */
static struct asking *make(struct session *s, struct slice node)
{
    struct buffer name;
    struct asking *a = NULL;
    buffer_init(&name, SMTP_DOMAIN_MAX);
    if (smtp_domain_canonical(node, &name) && !name.overflow)
        a = calloc(1, sizeof *a + buffer_len(&name));
    if (a != NULL) {
        memcpy(a->node, buffer_slice(&name).data, buffer_len(&name));
        a->session = s;
        a->request.node = slice_make(a->node, buffer_len(&name));
        a->request.home = loop_home(s->host->options.loop);
        a->request.done = on_done;
    }
    buffer_free(&name);
    return a;
}

bool session_ask_etrn(struct session *s, const struct smtp_question *q)
{
    static const struct smtp_reply no_node = {
        .code = 501, .status = { 5, 5, 4 }, .text = SLICE_INIT("That is not a domain"),
    };
    struct asking *a = make(s, q->text);
    if (a == NULL) {
        smtp_server_answer(s->engine, &no_node);
        return true;
    }
    a->request.below = q->below;
    s->asking = true;
    s->wait = WAIT_ETRN;
    s->host->options.etrn->start(s->host->options.etrn, &a->request);
    return false;
}
