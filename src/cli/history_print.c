/* history_print.c: the life of a message in plain words. */
#include "cli/history_private.h"

#include "cli/show.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 * 1024 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static bool is(const json_t *event, const char *name)
{
    return strcmp(text_of(event, "event"), name) == 0;
}

static void print_line(struct buffer *b)
{
    buffer_append_byte(b, '\n');
    struct slice text = buffer_slice(b);
    fwrite(text.data, 1, text.len, stdout);
    buffer_clear(b);
}

static void append_address(struct buffer *b, const char *address)
{
    buffer_append_byte(b, '<');
    show_text(b, address);
    buffer_append_byte(b, '>');
}

static void append_reply(struct buffer *b, const json_t *o, const char *text_key)
{
    if (number_of(o, "code") != 0)
        buffer_append_format(b, "%lld ", (long long)number_of(o, "code"));
    if (text_of(o, "status")[0] != '\0') {
        show_text(b, text_of(o, "status"));
        buffer_append_byte(b, ' ');
    }
    show_text(b, text_of(o, text_key));
}

static void append_tls(struct buffer *b, const json_t *e)
{
    if (text_of(e, "tls")[0] != '\0')
        buffer_append_format(b, ", %s", text_of(e, "tls"));
    else if (text_of(e, "tls_wanted")[0] != '\0')
        buffer_append(b, SLICE(", in clear"));
    if (strcmp(text_of(e, "tls_had"), "verified") == 0)
        buffer_append(b, SLICE(" verified"));
    if (text_of(e, "tls_wanted")[0] != '\0')
        buffer_append_format(b, " (%s was wanted)", text_of(e, "tls_wanted"));
    if (text_of(e, "tls_trouble")[0] != '\0') {
        buffer_append(b, SLICE(": "));
        show_text(b, text_of(e, "tls_trouble"));
    }
}

static void append_times(struct buffer *b, const json_t *e)
{
    if (text_of(e, "peer")[0] == '\0')
        return;
    if (json_is_true(json_object_get(e, "connection_reused")))
        buffer_append(b, SLICE(", on a connection of before"));
    else
        buffer_append_format(b, ", connected in %lld ms", (long long)number_of(e, "connect_ms"));
    if (number_of(e, "tls_ms") != 0)
        buffer_append_format(b, ", TLS %lld ms", (long long)number_of(e, "tls_ms"));
    buffer_append_format(b, ", transaction %lld ms", (long long)number_of(e, "transaction_ms"));
}

static void append_accepted(struct buffer *b, const json_t *e)
{
    buffer_append(b, SLICE("accepted from "));
    show_text(b, text_of(e, "peer"));
    if (text_of(e, "helo")[0] != '\0') {
        buffer_append(b, SLICE(" ("));
        show_text(b, text_of(e, "helo"));
        buffer_append_byte(b, ')');
    }
    if (text_of(e, "account")[0] != '\0') {
        buffer_append(b, SLICE(", logged in as "));
        show_text(b, text_of(e, "account"));
    }
    if (text_of(e, "tls")[0] != '\0')
        buffer_append_format(b, ", %s", text_of(e, "tls"));
    if (number_of(e, "code") != 0) {
        buffer_append(b, SLICE(", and was told: "));
        append_reply(b, e, "reply");
    } else if (number_of(e, "session") != 0) {
        buffer_append(b, SLICE(", which was gone before it could be told"));
    }
    if (json_is_true(json_object_get(e, "held")))
        buffer_append(b, SLICE("; it is held at first"));
}

static void append_attempt(struct buffer *b, const json_t *e)
{
    static const struct { const char *event; const char *words; } all[] = {
        { "delivered", "delivered" }, { "relayed", "handed on" }, { "deferred", "put off" },
        { "bounced", "failed for good" }, { "discarded", "thrown away" },
    };
    append_address(b, text_of(e, "to"));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (is(e, all[i].event))
            buffer_append_format(b, " %s", all[i].words);
    if (number_of(e, "attempts") != 0)
        buffer_append_format(b, ", attempt %lld", (long long)number_of(e, "attempts"));
    if (text_of(e, "peer")[0] != '\0') {
        buffer_append(b, SLICE(", by "));
        show_text(b, text_of(e, "peer"));
    }
    append_tls(b, e);
    append_times(b, e);
    if (text_of(e, "reply")[0] != '\0' || number_of(e, "code") != 0) {
        buffer_append_string(b, json_is_true(json_object_get(e, "said_by_peer"))
                                    ? "; it said: " : "; because: ");
        append_reply(b, e, "reply");
    }
    if (number_of(e, "next") != 0) {
        buffer_append(b, SLICE("; to be tried again at "));
        show_time(b, number_of(e, "next"));
    }
}

static void append_other(struct buffer *b, const json_t *e)
{
    if (is(e, "reported")) {
        buffer_append(b, SLICE("its sender was told, by the message "));
        show_text(b, text_of(e, "text"));
    } else if (is(e, "report-of")) {
        buffer_append(b, SLICE("made by godwit itself, to tell of the message "));
        show_text(b, text_of(e, "text"));
    } else if (is(e, "site-failed")) {
        buffer_append(b, SLICE("where it goes could not be reached: "));
        append_reply(b, e, "reply");
        append_tls(b, e);
        buffer_append(b, SLICE(" (site "));
        show_text(b, text_of(e, "text"));
        buffer_append_byte(b, ')');
    } else {
        show_text(b, text_of(e, "event"));
        if (text_of(e, "account")[0] != '\0') {
            buffer_append(b, SLICE(" by "));
            show_text(b, text_of(e, "account"));
        }
    }
}

static void append_event(struct buffer *b, const json_t *e)
{
    if (is(e, "accepted"))
        append_accepted(b, e);
    else if (json_is_string(json_object_get(e, "to")))
        append_attempt(b, e);
    else
        append_other(b, e);
}

static void print_event(struct buffer *b, const json_t *e)
{
    buffer_append(b, SLICE("  "));
    show_time(b, number_of(e, "time"));
    buffer_append(b, SLICE("  "));
    append_event(b, e);
    print_line(b);
}

/* Of a session: what came of a command, of a log-in. */
static void append_session(struct buffer *b, const json_t *e)
{
    buffer_append_format(b, "in %lld ", (long long)number_of(e, "session"));
    show_text(b, text_of(e, "peer"));
    buffer_append_byte(b, ' ');
    show_text(b, text_of(e, "event"));
    if (text_of(e, "account")[0] != '\0') {
        buffer_append_byte(b, ' ');
        show_text(b, text_of(e, "account"));
    }
    if (number_of(e, "code") != 0) {
        buffer_append(b, SLICE(": "));
        append_reply(b, e, "reply");
    }
}

void history_print_event(const json_t *e)
{
    struct buffer b;
    buffer_init(&b, LINE_MAX_BYTES);
    show_time(&b, number_of(e, "time"));
    buffer_append(&b, SLICE("  "));
    if (text_of(e, "id")[0] == '\0' && !is(e, "site-failed")) {
        append_session(&b, e);
    } else {
        show_text(&b, text_of(e, "id"));
        buffer_append_string(&b, text_of(e, "id")[0] == '\0' ? "" : "  ");
        append_event(&b, e);
    }
    print_line(&b);
    buffer_free(&b);
}

static void print_head(struct buffer *b, const json_t *life)
{
    const json_t *first = json_array_get(json_object_get(life, "events"), 0);
    show_text(b, text_of(life, "id"));
    if (is(first, "accepted")) {
        const json_t *to = json_object_get(first, "to");
        int64_t recipients = number_of(first, "recipients");
        buffer_append(b, SLICE(" from "));
        append_address(b, text_of(first, "from"));
        buffer_append(b, SLICE(" to "));
        const char *address = json_string_value(json_array_get(to, 0));
        append_address(b, address == NULL ? "" : address);
        if (recipients > 1)
            buffer_append_format(b, " and %lld more", (long long)recipients - 1);
        buffer_append(b, SLICE(", "));
        buffer_append_string(b, "size ");
        show_size(b, (uint64_t)number_of(first, "size"));
        if (text_of(first, "message_id")[0] != '\0') {
            buffer_append(b, SLICE(", Message-ID "));
            append_address(b, text_of(first, "message_id"));
        }
    } else {
        buffer_append(b, SLICE(" (how it came is not kept)"));
    }
    print_line(b);
}

/* What it waits for now. */
static void print_waiting(struct buffer *b, const json_t *r, int64_t now_ms)
{
    int64_t next = number_of(r, "next");
    buffer_append(b, SLICE("  now  "));
    append_address(b, text_of(r, "address")[0] == '\0' ? text_of(r, "domain")
                                                       : text_of(r, "address"));
    if (json_is_true(json_object_get(r, "in_flight"))) {
        buffer_append(b, SLICE(" is being tried just now"));
    } else if (strcmp(text_of(r, "state"), "held") == 0) {
        buffer_append(b, SLICE(" is held, until it is released"));
    } else if (next > now_ms) {
        buffer_append(b, SLICE(" is tried next in "));
        show_duration(b, next - now_ms);
        buffer_append(b, SLICE(", at "));
        show_time(b, next);
    } else {
        buffer_append(b, SLICE(" is ready, and waits for its turn"));
    }
    if (text_of(r, "site")[0] != '\0') {
        buffer_append(b, SLICE(", at the site "));
        show_text(b, text_of(r, "site"));
    }
    if (text_of(r, "reason")[0] != '\0' || number_of(r, "code") != 0) {
        buffer_append(b, SLICE("; because: "));
        append_reply(b, r, "reason");
    }
    print_line(b);
}

/* Events and the trouble of sites, in the order of time. */
static void print_events(struct buffer *b, const json_t *life)
{
    const json_t *events = json_object_get(life, "events");
    const json_t *failures = json_object_get(life, "site_failures");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        for (; n < json_array_size(failures) &&
               number_of(json_array_get(failures, n), "time") < number_of(event, "time"); n++)
            print_event(b, json_array_get(failures, n));
        print_event(b, event);
    }
    for (; n < json_array_size(failures); n++)
        print_event(b, json_array_get(failures, n));
}

void history_print_life(const json_t *life, int64_t now_ms, bool is_next)
{
    const json_t *queue = json_object_get(life, "queue");
    struct buffer b;
    buffer_init(&b, LINE_MAX_BYTES);
    if (is_next)
        putchar('\n');
    print_head(&b, life);
    print_events(&b, life);
    if (json_is_true(json_object_get(life, "more")))
        printf("  (there is more than is shown)\n");
    for (size_t i = 0; i < json_array_size(queue); i++)
        print_waiting(&b, json_array_get(queue, i), now_ms);
    if (json_array_size(queue) == 0)
        printf("  now  nothing of it is in the queue\n");
    buffer_free(&b);
}
