/* simulator.c: from a message to its answer, which goes in over SMTP like anybody's. */
#include "sandbox/simulator.h"

#include "event/timer.h"
#include "sandbox/box_private.h"
#include "sandbox/submit.h"
#include "wire/message/date.h"

#include <stdlib.h>

enum { UNDER_WAY_MAX = 200, MESSAGE_MAX = 128 * 1024, HEADER_MAX = 32 * 1024, LATER_MS = 1000 };

#define BOUNDARY "=_simulated"

struct simulator {
    struct simulator_options options;
    struct box_watcher watcher;
    struct list under_way;
    size_t count;
};

struct answer {
    struct list_node node;
    struct simulator *simulator;
    struct submit submit;
    struct timer timer;
    struct arena arena;
    json_t *told;             /* to webhooks: what came back; or NULL */
    struct inbox_ref of;      /* whose mail it was */
};

/* Of the message that is answered. */
struct original {
    struct slice sender;
    struct slice recipient;
    struct slice original;    /* its id here */
    struct slice id;          /* Message-ID */
    struct slice subject;
    struct slice header;      /* its octets, without what is no text */
    int64_t now_ms;
};

struct kind {
    const char *name;
    bool is_later;
    bool is_told;             /* it says that the message failed, or was unwelcome */
    void (*write)(const struct simulator *s, const struct original *o, struct buffer *out);
};

/* ---- what is written ---- */

static void write_head(const struct simulator *s, const struct original *o, const char *from,
                       const char *subject, struct buffer *out)
{
    struct buffer random;
    char bytes[32];
    random = (struct buffer){ .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    box_random(20, &random);
    buffer_append_format(out, "From: %s <%s@simulator.%.*s>\r\nTo: <%.*s>\r\nSubject: %s\r\nDate: ",
                         from, from, (int)s->options.domain.len, s->options.domain.data,
                         (int)o->sender.len, o->sender.data, subject);
    date_append(out, o->now_ms, 0);
    buffer_append_format(out, "\r\nMessage-ID: <%.*s@simulator.%.*s>\r\nMIME-Version: 1.0\r\n",
                         (int)buffer_len(&random), bytes, (int)s->options.domain.len,
                         s->options.domain.data);
    if (o->id.len > 0)
        buffer_append_format(out, "In-Reply-To: <%.*s>\r\nReferences: <%.*s>\r\n", (int)o->id.len,
                             o->id.data, (int)o->id.len, o->id.data);
}

static void write_original(const struct original *o, struct buffer *out)
{
    buffer_append_string(out, "\r\n--" BOUNDARY "\r\nContent-Type: text/rfc822-headers\r\n\r\n");
    buffer_append(out, o->header);
    buffer_append_string(out, "\r\n--" BOUNDARY "--\r\n");
}

static void write_dsn(const struct simulator *s, const struct original *o, bool is_final,
                      struct buffer *out)
{
    write_head(s, o, "MAILER-DAEMON", is_final ? "Undelivered Mail Returned to Sender"
                                               : "Delayed Mail (still being retried)", out);
    buffer_append_string(out, "Auto-Submitted: auto-replied\r\nContent-Type: multipart/report; "
                              "report-type=delivery-status;\r\n boundary=\"" BOUNDARY "\"\r\n\r\n"
                              "--" BOUNDARY "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
    buffer_append_format(out, "%s\r\n\r\n<%.*s>: %s\r\n",
        is_final ? "Your message could not be delivered." : "Your message is delayed.",
        (int)o->recipient.len, o->recipient.data,
        is_final ? "550 5.1.1 No such user here" : "451 4.4.1 No answer from the host");
    buffer_append_format(out, "\r\n--" BOUNDARY "\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; simulator.%.*s\r\n\r\nFinal-Recipient: rfc822; %.*s\r\n"
        "Action: %s\r\nStatus: %s\r\nDiagnostic-Code: smtp; %s\r\n",
        (int)s->options.domain.len, s->options.domain.data, (int)o->recipient.len,
        o->recipient.data, is_final ? "failed" : "delayed", is_final ? "5.1.1" : "4.4.1",
        is_final ? "550 5.1.1 No such user here" : "451 4.4.1 No answer from the host");
    write_original(o, out);
}

static void write_bounce(const struct simulator *s, const struct original *o, struct buffer *out)
{
    write_dsn(s, o, true, out);
}

static void write_delay(const struct simulator *s, const struct original *o, struct buffer *out)
{
    write_dsn(s, o, false, out);
}

static void write_complaint(const struct simulator *s, const struct original *o,
                            struct buffer *out)
{
    write_head(s, o, "complaints", "Complaint about a message from you", out);
    buffer_append_string(out, "Content-Type: multipart/report; report-type=feedback-report;\r\n "
                              "boundary=\"" BOUNDARY "\"\r\n\r\n--" BOUNDARY "\r\nContent-Type: "
                              "text/plain; charset=utf-8\r\n\r\nThe recipient has marked this "
                              "message as spam.\r\n\r\n--" BOUNDARY "\r\nContent-Type: "
                              "message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n"
                              "User-Agent: godwit\r\nVersion: 1\r\n");
    buffer_append_format(out, "Original-Mail-From: <%.*s>\r\nOriginal-Rcpt-To: <%.*s>\r\n"
                         "Arrival-Date: ", (int)o->sender.len, o->sender.data,
                         (int)o->recipient.len, o->recipient.data);
    date_append(out, o->now_ms, 0);
    buffer_append_string(out, "\r\n");
    write_original(o, out);
}

static void write_absence(const struct simulator *s, const struct original *o,
                          struct buffer *out)
{
    write_head(s, o, "ooto", "Automatic reply: out of the office", out);
    buffer_append_string(out, "Auto-Submitted: auto-replied\r\nPrecedence: bulk\r\nContent-Type: "
                              "text/plain; charset=utf-8\r\n\r\nI am out of the office and will "
                              "read your message when I am back.\r\n");
}

static const struct kind kinds[] = {
    { "bounce", false, true, write_bounce }, { "delayed-bounce", true, true, write_bounce },
    { "delay", false, false, write_delay },  { "complaint", false, true, write_complaint },
    { "ooto", false, false, write_absence },
};

/* ---- on its way ---- */

static void answer_free(struct answer *a)
{
    list_remove(&a->node);
    a->simulator->count--;
    timer_clear(&a->timer);
    submit_end(&a->submit);
    arena_free(&a->arena);
    json_decref(a->told);
    free(a);
}

static void on_done(struct submit *submit)
{
    answer_free(container_of(submit, struct answer, submit));
}

static void on_due(struct timer *timer)
{
    struct answer *a = container_of(timer, struct answer, timer);
    if (a->told != NULL)
        hooks_tell(a->simulator->options.box, HOOK_BOUNCED, a->of.workspace, a->of.id, a->told);
    submit_begin(&a->submit);
    if (a->submit.talk == NULL)
        answer_free(a);
}

/* In the sandbox, from nobody (RFC 3464 2, RFC 3834 3.3). */
/* Whose inbox the sender is, that one's webhooks are told; else those of the common workspace. */
static void set_told(struct answer *a, const struct original *o, const struct kind *kind)
{
    a->of = (struct inbox_ref){ .workspace = BOX_COMMON };
    inbox_for(a->simulator->options.box, o->sender, slice_make(NULL, 0), &a->of);
    a->told = json_pack("{s:o, s:s, s:o, s:o}", "id", box_text(o->original), "kind", kind->name,
                        "sender", box_text(o->sender), "recipient", box_text(o->recipient));
}

static void answer_to(struct simulator *s, const struct original *o, const struct kind *kind)
{
    struct answer *a = s->count >= UNDER_WAY_MAX ? NULL : calloc(1, sizeof *a);
    if (a == NULL)
        return;
    a->simulator = s;
    list_append(&s->under_way, &a->node);
    s->count++;
    arena_init(&a->arena, 4096);
    timer_init(&a->timer, s->options.loop, on_due);
    buffer_init(&a->submit.octets, MESSAGE_MAX);
    kind->write(s, o, &a->submit.octets);
    a->submit.loop = s->options.loop;
    a->submit.to = s->options.smtp;
    a->submit.hostname = s->options.hostname;
    a->submit.done = on_done;
    a->submit.recipients_count = 1;
    if (a->submit.octets.overflow ||
        !arena_copy(&a->arena, o->sender, &a->submit.recipients[0])) {
        answer_free(a);
        return;
    }
    if (kind->is_told)
        set_told(a, o, kind);
    timer_set(&a->timer, kind->is_later ? LATER_MS : 0);
}

/* ---- what asks for one ---- */

static const struct kind *kind_for(const struct simulator *s, struct slice recipient)
{
    struct slice host = envelope_domain(recipient), domain = s->options.domain;
    struct slice local = slice_part(recipient, 0, recipient.len - host.len - 1);
    size_t plus = slice_find(local, '+');
    if (host.len != domain.len + 10 || !slice_starts_with_nocase(host, SLICE("simulator.")) ||
        !slice_ends_with_nocase(host, domain))
        return NULL;
    local = slice_part(local, 0, plus == SLICE_NOT_FOUND ? local.len : plus);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_equal_nocase(local, slice_from_string(kinds[i].name)))
            return &kinds[i];
    return NULL;
}

static struct slice text_of(json_t *object, const char *member)
{
    return slice_from_string(json_string_value(json_object_get(object, member)));
}

/* Its lines as they came, where they are lines of text. */
static void copy_header(struct slice raw, struct buffer *out)
{
    for (size_t i = 0; i < raw.len && buffer_len(out) < HEADER_MAX; i++) {
        bool ends = (raw.data[i] == '\n' && i + 1 < raw.len &&
                     (raw.data[i + 1] == '\n' || raw.data[i + 1] == '\r'));
        if (raw.data[i] == '\n')
            buffer_append(out, SLICE("\r\n"));
        else if ((unsigned char)raw.data[i] >= ' ' || raw.data[i] == '\t')
            buffer_append_byte(out, raw.data[i]);
        if (ends)
            return;
    }
}

static bool is_automatic(json_t *message)
{
    json_t *header;
    size_t i;
    json_array_foreach(json_object_get(message, "headers"), i, header) {
        struct slice name = slice_from_string(json_string_value(json_array_get(header, 0)));
        struct slice value = slice_from_string(json_string_value(json_array_get(header, 2)));
        if (slice_equal_nocase(name, SLICE("Auto-Submitted")) &&
            !slice_starts_with_nocase(value, SLICE("no")))
            return true;
    }
    return false;
}

static void look_at(struct simulator *s, json_t *message, struct slice id)
{
    json_t *envelope = json_object_get(message, "envelope"), *to;
    struct buffer raw, header;
    size_t i;
    buffer_init(&raw, BOX_RAW_MAX);
    buffer_init(&header, HEADER_MAX + 16);
    if (box_raw(s->options.box, 0, id, &raw))
        copy_header(buffer_slice(&raw), &header);
    struct original o = {
        .sender = text_of(envelope, "from"), .original = id, .id = text_of(message, "messageId"),
        .header = buffer_slice(&header), .now_ms = loop_now(s->options.loop).wall_ms,
    };
    json_array_foreach(json_object_get(envelope, "to"), i, to) {
        o.recipient = slice_from_string(json_string_value(to));
        const struct kind *kind = kind_for(s, o.recipient);
        if (kind != NULL && o.sender.len > 0 && !is_automatic(message))
            answer_to(s, &o, kind);
    }
    buffer_free(&raw);
    buffer_free(&header);
}

/* A message that stands in several inboxes is answered once: its first has no number behind
 * its id. */
static void on_happened(struct box_watcher *watcher, enum box_event event, int64_t workspace,
                        json_t *what)
{
    struct simulator *s = container_of(watcher, struct simulator, watcher);
    struct slice id = event == BOX_NEW ? text_of(what, "id") : slice_make(NULL, 0);
    (void)workspace;
    if (id.len == 0 || slice_find(id, '-') != SLICE_NOT_FOUND)
        return;
    json_t *message = box_message(s->options.box, 0, id);
    if (message != NULL)
        look_at(s, message, id);
    json_decref(message);
}

enum err simulator_open(const struct simulator_options *options, struct simulator **out)
{
    struct simulator *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    s->options = *options;
    list_init(&s->under_way);
    s->watcher.happened = on_happened;
    box_watch(options->box, &s->watcher);
    *out = s;
    return ERR_OK;
}

void simulator_close(struct simulator **simulator)
{
    struct simulator *s = *simulator;
    struct list_node *node;
    if (s == NULL)
        return;
    box_unwatch(s->options.box, &s->watcher);
    while ((node = list_first(&s->under_way)) != NULL)
        answer_free(container_of(node, struct answer, node));
    free(s);
    *simulator = NULL;
}
