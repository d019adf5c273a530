/* engine_suppression.c: who failed for good comes on the list; what an operator asks of it. */
#include "daemon/engine_private.h"

#include "bounce/classify.h"
#include "log/log.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 500, PAGE_BYTES = 1024 * 1024 };

/* ---- what fails ---- */

/* Whether it is the recipient that can never be reached: not what we sent, or who we are. */
static bool is_about_the_recipient(enum bounce_reason reason)
{
    return reason == BOUNCE_USERUNKNOWN || reason == BOUNCE_HOSTUNKNOWN ||
           reason == BOUNCE_HASMOVED || reason == BOUNCE_NOTACCEPT;
}

static void note_failure(struct engine_suppression *s, const struct mail_event *e)
{
    struct bounce_said said = { .text = e->outcome->text, .status = e->outcome->status,
                                .code = e->outcome->code };
    struct bounce_finding found;
    struct buffer address;
    int64_t keep_ms = atomic_load(&s->keep_ms);
    bounce_classify(&said, &found);
    if (!is_about_the_recipient(found.reason) || !bounce_is_hard(found.reason, found.status))
        return;
    buffer_init(&address, 4096);
    if (suppression_address(e->recipient, &address)) {
        struct suppression_entry entry = {
            .address = buffer_slice(&address), .text = e->outcome->text,
            .why = slice_from_string(bounce_reason_name(found.reason)),
            .since_wall_ms = e->at.wall_ms,
            .until_wall_ms = keep_ms == 0 ? 0 : e->at.wall_ms + keep_ms,
        };
        if (!suppression_note(s->list, &entry))
            log_note(LOG_WARNING, "suppression", "the list is full");
    }
    buffer_free(&address);
}

/* Reports go to whom we have never written: their failures are no word about our mail. */
static void on_event(struct event_sink *sink, const struct mail_event *e)
{
    struct engine_suppression *s = container_of(sink, struct engine_suppression, sink);
    if (e->kind == MAIL_FAILED && e->outcome != NULL && e->sender.len > 0 &&
        e->recipient.len > 0 && s->list != NULL && atomic_load(&s->is_on))
        note_failure(s, e);
    event_emit(s->next, e);
}

void engine_suppression_configure(struct engine *e, const struct config *config)
{
    atomic_store(&e->suppression.is_on,
                 config->suppression.then != CONFIG_SUPPRESSED_DELIVER);
    atomic_store(&e->suppression.keep_ms, config->suppression.keep_ms);
}

void engine_suppression_init(struct engine *e)
{
    e->suppression.sink.emit = on_event;
    e->suppression.next = &e->events;
    atomic_init(&e->suppression.is_on, false);
    atomic_init(&e->suppression.keep_ms, 0);
    engine_suppression_configure(e, e->config);
}

/* ---- what an operator asks, on the queue's thread ---- */

struct asking {
    struct control_call *call;
    struct suppression_page page;
    struct suppression_change change;
    struct buffer texts;         /* of what is changed */
    struct suppression_entry entries[PAGE_MAX];
};

static void asking_free(struct asking *a)
{
    buffer_free(&a->texts);
    buffer_free(&a->page.texts);
    free(a);
}

static struct asking *asking_new(struct engine *e, struct control_call *call)
{
    struct asking *a = calloc(1, sizeof *a);
    if (a == NULL) {
        control_done(call, "memory is out", NULL);
        return NULL;
    }
    a->call = call;
    buffer_init(&a->texts, PAGE_BYTES);
    buffer_init(&a->page.texts, PAGE_BYTES);
    a->page.home = a->change.home = loop_home(e->queue_loop.loop);
    return a;
}

static const char *complaint(enum err result)
{
    return result == ERR_OK       ? NULL
           : result == ERR_CLOSED ? "the store could not be opened: see the log"
           : result == ERR_BUSY   ? "the store has too much to do: try again in a moment"
           : result == ERR_FULL   ? "the list or the disk is full"
                                  : "the store failed: see the log";
}

static void on_page(struct suppression_page *page)
{
    struct asking *a = container_of(page, struct asking, page);
    json_t *last = NULL;
    for (size_t i = 0; page->result == ERR_OK && i < page->count; i++) {
        const struct suppression_entry *s = &page->entries[i];
        control_say(a->call, json_pack("{s:o,s:o,s:o,s:I,s:I}", "address",
                                       operator_text(s->address), "why", operator_text(s->why),
                                       "text", operator_text(s->text),
                                       "since", (json_int_t)s->since_wall_ms,
                                       "until", (json_int_t)s->until_wall_ms));
    }
    if (page->result == ERR_OK)
        last = json_pack("{s:b,s:I,s:o}", "more", (int)page->more, "count",
                         (json_int_t)page->count, "after",
                         operator_text(page->count == 0 ? slice_make(NULL, 0)
                                           : page->entries[page->count - 1].address));
    control_done(a->call, complaint(page->result), last);
    asking_free(a);
}

static void list(struct engine *e, struct asking *a, const json_t *request)
{
    buffer_append(&a->texts, operator_string(request, "after"));
    a->page.after = buffer_slice(&a->texts);
    a->page.only = json_is_true(json_object_get(request, "only"));
    a->page.entries = a->entries;
    a->page.limit = PAGE_MAX;
    a->page.now_wall_ms = loop_now(e->queue_loop.loop).wall_ms;
    a->page.done = on_page;
    if (a->page.only) { /* as somebody writes it */
        struct buffer canonical;
        buffer_init(&canonical, 4096);
        if (suppression_address(a->page.after, &canonical)) {
            buffer_clear(&a->texts);
            buffer_append(&a->texts, buffer_slice(&canonical));
            a->page.after = buffer_slice(&a->texts);
        }
        buffer_free(&canonical);
    }
    suppression_read(e->suppression.list, &a->page);
}

static void on_changed(struct suppression_change *change)
{
    struct asking *a = container_of(change, struct asking, change);
    json_t *last = NULL;
    if (change->result == ERR_OK)
        last = json_pack("{s:I}", "changed", (json_int_t)change->changed);
    control_done(a->call, complaint(change->result), last);
    asking_free(a);
}

/* False: it is no address; the place of the texts in the buffer stands in for them. */
static bool take_entry(struct asking *a, const json_t *one, int64_t now_wall_ms)
{
    struct suppression_entry *entry = &a->entries[a->change.count];
    const json_t *since = json_object_get(one, "since");
    size_t at = buffer_len(&a->texts);
    if (!suppression_address(operator_string(one, "address"), &a->texts))
        return false;
    entry->address = slice_make(NULL, buffer_len(&a->texts) - at);
    entry->why = slice_part(operator_string(one, "why"), 0, SUPPRESSION_WHY_MAX);
    if (entry->why.len == 0)
        entry->why = SLICE("manual");
    entry->text = operator_string(one, "text");
    entry->since_wall_ms = json_is_integer(since) ? json_integer_value(since) : now_wall_ms;
    entry->until_wall_ms = json_integer_value(json_object_get(one, "until"));
    if (entry->until_wall_ms < 0)
        entry->until_wall_ms = 0;
    a->change.count++;
    return true;
}

static void keep_texts(struct asking *a)
{
    size_t at = 0;
    struct slice all = buffer_slice(&a->texts);
    for (size_t i = 0; i < a->change.count; i++) {
        struct slice *address = &a->entries[i].address;
        *address = slice_part(all, at, address->len);
        at += address->len;
    }
}

/* The request lives as long as its call: words and texts stay in it. */
static void change(struct engine *e, struct asking *a, const json_t *request, bool removes)
{
    const json_t *entries = json_object_get(request, "entries");
    int64_t now = loop_now(e->queue_loop.loop).wall_ms;
    size_t i;
    json_t *one;
    bool good = json_array_size(entries) <= PAGE_MAX;
    json_array_foreach(entries, i, one)
        good = good && take_entry(a, one, now);
    if (!good) {
        control_done(a->call, "that is no list of addresses", NULL);
        asking_free(a);
        return;
    }
    keep_texts(a);
    a->change.removes = removes;
    a->change.entries = a->entries;
    a->change.done = on_changed;
    suppression_change(e->suppression.list, &a->change);
}

void operator_suppression(struct engine *e, struct control_call *call, const json_t *request)
{
    struct slice command = operator_string(request, "command");
    struct asking *a = asking_new(e, call);
    if (a == NULL)
        return;
    if (slice_equal(command, SLICE("suppression-list"))) {
        list(e, a, request);
    } else if (slice_equal(command, SLICE("suppression-add"))) {
        change(e, a, request, false);
    } else if (slice_equal(command, SLICE("suppression-remove"))) {
        change(e, a, request, true);
    } else {
        control_done(call, "unknown command", NULL);
        asking_free(a);
    }
}
