/* operate.c: what an operator asks of the queue. */
#include "queue/queue_private.h"

#include <stdlib.h>

enum { LOWEST_MAX = 1024 };

struct slice site_waits_for(struct queue_site *s, int64_t *out_until_mono_ms)
{
    struct slice none = { .len = 0 };
    *out_until_mono_ms = 0;
    switch (site_limit(s)) {
    case QUEUE_LIMIT_SUSPENDED:
        shape_limit(s->shape, out_until_mono_ms);
        return s->shape->why == NULL ? SLICE("its site is suspended")
                                     : reason_text(s->shape->why);
    case QUEUE_LIMIT_RATE:
        shape_limit(s->shape, out_until_mono_ms);
        return SLICE("it waits for its turn: the rate of its site");
    case QUEUE_LIMIT_PACE:
        shape_limit(s->shape, out_until_mono_ms);
        return SLICE("it waits for its turn: its site has asked for less");
    case QUEUE_LIMIT_CONNECTIONS:
        return SLICE("it waits for its turn: all connections of its site are busy");
    case QUEUE_LIMIT_REFUSED:
        return SLICE("it waits for its turn: its site takes no more connections");
    case QUEUE_LIMIT_STOPPED:
    case QUEUE_LIMIT_TROUBLE:
    case QUEUE_LIMIT_PROBE:
    case QUEUE_LIMIT_NO_MAIL:
    case QUEUE_LIMIT_NONE:
        break;
    }
    return none;
}

static void fill_info(const struct queue_recipient *r, struct queue_recipient_info *out)
{
    const struct queue_domain *d = r->domain;
    *out = (struct queue_recipient_info){
        .index = r->index,
        .state = r->place == PLACE_HELD ? RECIPIENT_HELD : RECIPIENT_QUEUED,
        .attempts = r->attempts, .code = r->code, .status = r->status,
        .next_due_wall_ms = r->place == PLACE_WAITING ? r->due_wall_ms : 0,
        .in_flight = r->place == PLACE_FLIGHT,
        .reason = reason_text(r->reason),
    };
    if (d == NULL)
        return;
    out->domain = d->entry.key;
    struct queue_site *s = d->site;
    int64_t until = 0;
    if (s != NULL)
        out->site = s->entry.key;
    if (r->place != PLACE_READY)
        return;
    if (d->trouble != NULL) {
        out->reason = reason_text(d->trouble);
        out->status = d->trouble_status;
        if (timer_is_set(&d->retry))
            out->next_due_wall_ms =
                moment_wall_of(loop_now(d->queue->loop), d->retry.due_mono_ms);
    } else if (s != NULL && s->trouble != NULL) {
        out->reason = reason_text(s->trouble);
        out->code = s->trouble_code;
        out->status = s->trouble_status;
        if (timer_is_set(&s->retry))
            out->next_due_wall_ms =
                moment_wall_of(loop_now(d->queue->loop), s->retry.due_mono_ms);
    } else if (s != NULL) {
        struct slice why = site_waits_for(s, &until);
        if (why.len > 0)
            out->reason = why;
        if (until != 0)
            out->next_due_wall_ms = moment_wall_of(loop_now(d->queue->loop), until);
    }
}

/* ---- which are meant ---- */

/* Why it waits: its own last reply, or the trouble of where it goes. */
static struct slice reason_of(const struct queue_recipient *r)
{
    struct queue_recipient_info info;
    fill_info(r, &info);
    return info.reason;
}

static bool sender_fits(struct slice wanted, struct slice sender)
{
    if (wanted.len == 0)
        return true;
    if (slice_equal(wanted, SLICE("<>")))
        return sender.len == 0;
    return wanted.data[0] == '@' ? sender.len > wanted.len &&
                                       slice_ends_with_nocase(sender, wanted)
                                 : slice_equal_nocase(sender, wanted);
}

static bool message_fits(const struct queue *q, const struct queue_filter *f,
                         const struct queue_message *m)
{
    return (f->older_ms == 0 || queue_now(q).wall_ms - m->received_wall_ms >= f->older_ms) &&
           sender_fits(f->sender, slice_make(m->sender, m->sender_len));
}

static bool site_fits(struct slice wanted, const struct queue_site *s)
{
    if (wanted.len == 0)
        return true;
    return s != NULL && (slice_equal(wanted, site_name(s)) || slice_equal(wanted, s->entry.key));
}

static bool recipient_fits(const struct queue_filter *f, const struct queue_recipient *r)
{
    const struct queue_domain *d = r->domain;
    if (f->domain.len > 0 && (d == NULL || !config_name_matches(f->domain, d->entry.key)))
        return false;
    if (!site_fits(f->site, d == NULL ? NULL : d->site))
        return false;
    return f->reason.len == 0 || slice_contains_nocase(reason_of(r), f->reason);
}

typedef bool each_function(void *context, const struct queue_message_info *message,
                           const struct queue_recipient_info *recipient);

static bool show(const struct queue *q, const struct queue_message *m,
                 const struct queue_filter *filter, each_function *each, void *context)
{
    if (!message_fits(q, filter, m))
        return true;
    struct queue_message_info message = {
        .id = m->id, .received_wall_ms = m->received_wall_ms,
        .content_size = m->content_size,
        .sender = slice_make(m->sender, m->sender_len),
        .recipients_count = m->recipients_count,
    };
    for (uint32_t i = 0; i < m->recipients_count; i++) {
        struct queue_recipient_info recipient;
        if (m->recipients[i].place == PLACE_ENDED || !recipient_fits(filter, &m->recipients[i]))
            continue;
        fill_info(&m->recipients[i], &recipient);
        if (!each(context, &message, &recipient))
            return false;
    }
    return true;
}

/* The messages with the lowest ids after one, gathered in one pass over all: the
 * highest of them is at the root of a heap, and gives way to a lower one. */
struct lowest {
    size_t count;
    struct queue_message *messages[LOWEST_MAX];
};

static uint64_t id_at(const struct lowest *l, size_t place)
{
    return l->messages[place]->id.value;
}

static void exchange(struct lowest *l, size_t a, size_t b)
{
    struct queue_message *held = l->messages[a];
    l->messages[a] = l->messages[b];
    l->messages[b] = held;
}

static void sift_up(struct lowest *l, size_t place)
{
    while (place > 0 && id_at(l, place) > id_at(l, (place - 1) / 2)) {
        exchange(l, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

static void sift_down(struct lowest *l)
{
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= l->count)
            return;
        child += child + 1 < l->count && id_at(l, child + 1) > id_at(l, child);
        if (id_at(l, child) <= id_at(l, place))
            return;
        exchange(l, place, child);
        place = child;
    }
}

static void offer(struct lowest *l, struct queue_message *m)
{
    if (l->count < LOWEST_MAX) {
        l->messages[l->count] = m;
        sift_up(l, l->count++);
    } else if (m->id.value < id_at(l, 0)) {
        l->messages[0] = m;
        sift_down(l);
    }
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = (*(struct queue_message *const *)a)->id.value;
    uint64_t y = (*(struct queue_message *const *)b)->id.value;
    return x < y ? -1 : x > y;
}

static void gather_lowest(const struct queue *q, struct mail_id after, struct lowest *out)
{
    out->count = 0;
    for (size_t i = 0; i < q->buckets_count; i++)
        for (struct queue_message *m = q->buckets[i]; m != NULL; m = m->next)
            if (m->id.value > after.value)
                offer(out, m);
    qsort(out->messages, out->count, sizeof(struct queue_message *), by_id);
}

void queue_each(struct queue *q, const struct queue_filter *filter, struct mail_id after,
                each_function *each, void *context)
{
    if (filter->id.value != 0) {
        struct queue_message *m = message_find(q, filter->id);
        if (m != NULL)
            show(q, m, filter, each, context);
        return;
    }
    struct lowest *next = malloc(sizeof *next);
    bool more = next != NULL;
    while (more) {
        gather_lowest(q, after, next);
        more = next->count == LOWEST_MAX;
        for (size_t i = 0; i < next->count; i++) {
            after = next->messages[i]->id;
            if (!show(q, next->messages[i], filter, each, context)) {
                more = false;
                break;
            }
        }
    }
    free(next);
}

static void clear_trouble(struct queue *q, struct queue_recipient *r)
{
    struct queue_domain *d = r->domain;
    if (d == NULL)
        return;
    if (d->site != NULL)
        timer_clear(&d->site->retry);
    if (timer_is_set(&d->retry)) {
        timer_clear(&d->retry);
        domain_resolve(q, d);
    }
    if (d->site != NULL)
        site_dispatch(d->site);
}

static bool act_applies(enum queue_action action, const struct queue_recipient *r)
{
    if (r->place == PLACE_ENDED)
        return false;
    switch (action) {
    case QUEUE_RETRY:
    case QUEUE_HOLD:
        return r->place != PLACE_HELD;
    case QUEUE_RELEASE:
        return r->place == PLACE_HELD;
    case QUEUE_DELETE:
        return true;
    }
    return false;
}

/* When the message may leave first, while that is yet to come; else 0. */
static int64_t yet_to_begin(const struct queue *q, const struct queue_message *m)
{
    return m->begun_wall_ms > queue_now(q).wall_ms ? m->begun_wall_ms : 0;
}

static void record(struct queue *q, struct queue_recipient *r, enum recipient_state state)
{
    struct recipient_update update = {
        .id = recipient_message(r)->id, .recipient = r->index, .state = state,
        .next_due_wall_ms = yet_to_begin(q, recipient_message(r)),
        .attempts = r->attempts, .code = r->code, .status = r->status,
        .reason = reason_text(r->reason), .told = r->told,
    };
    record_write(q, &update, 1);
}

static void act(struct queue *q, struct queue_recipient *r, enum queue_action action)
{
    bool was_ready = r->place == PLACE_READY;
    if (!(action == QUEUE_RETRY && was_ready))
        recipient_unschedule(q, r);
    switch (action) {
    case QUEUE_RETRY:
        if (!was_ready)
            recipient_ready(q, r);
        clear_trouble(q, r);
        return;
    case QUEUE_HOLD:
        record(q, r, RECIPIENT_HELD);
        recipient_place(q, r, PLACE_HELD);
        return;
    case QUEUE_RELEASE:
        record(q, r, RECIPIENT_QUEUED);
        if (r->domain == NULL)
            return; /* without memory when it came: the next start takes it up */
        if (yet_to_begin(q, recipient_message(r)) != 0)
            recipient_wait(q, r, recipient_message(r)->begun_wall_ms);
        else
            recipient_ready(q, r);
        return;
    case QUEUE_DELETE:
        record(q, r, RECIPIENT_DELETED);
        recipient_place(q, r, PLACE_ENDED);
        return;
    }
}

static void wish(struct queue_recipient *r, enum queue_action action)
{
    switch (action) {
    case QUEUE_RETRY:
        return;
    case QUEUE_HOLD:
        r->wish = WISH_HOLD;
        return;
    case QUEUE_RELEASE:
        r->wish = WISH_NONE;
        return;
    case QUEUE_DELETE:
        r->wish = WISH_DELETE;
        return;
    }
}

static void tell(struct queue *q, struct queue_message *m, enum queue_action action)
{
    static const enum mail_event_kind kinds[] = {
        [QUEUE_HOLD] = MAIL_HELD, [QUEUE_RELEASE] = MAIL_RELEASED,
        [QUEUE_DELETE] = MAIL_DELETED,
    };
    if (action != QUEUE_RETRY)
        queue_emit(q, kinds[action], m, NULL);
}

void wish_grant(struct queue *q, struct queue_recipient *r)
{
    struct queue_message *m = recipient_message(r);
    enum queue_action action = r->wish == WISH_HOLD ? QUEUE_HOLD : QUEUE_DELETE;
    if (r->wish == WISH_NONE)
        return;
    r->wish = WISH_NONE;
    act(q, r, action);
    tell(q, m, action);
}

static void act_on(struct queue *q, struct queue_message *m, const struct queue_filter *filter,
                   enum queue_action action, struct queue_acted *acted)
{
    bool changed = false;
    if (!message_fits(q, filter, m))
        return;
    m->open++; /* stays while its recipients go */
    gather_begin(q);
    for (uint32_t i = 0; i < m->recipients_count; i++) {
        struct queue_recipient *r = &m->recipients[i];
        if (!recipient_fits(filter, r))
            continue;
        if (r->place == PLACE_FLIGHT) {
            wish(r, action);
            acted->in_flight++;
        } else if (act_applies(action, r)) {
            changed = true;
            act(q, r, action);
        }
    }
    gather_end(q);
    if (changed)
        tell(q, m, action);
    acted->messages += changed;
    m->open--;
    message_release(q, m);
}

/* The caller frees; NULL without memory. What came first is to go first. */
static struct queue_message **all_in_order(const struct queue *q, size_t *out_count)
{
    struct queue_message **all = calloc(q->messages_count + 1, sizeof *all);
    size_t count = 0;
    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < q->buckets_count; i++)
        for (struct queue_message *m = q->buckets[i]; m != NULL; m = m->next)
            all[count++] = m;
    qsort(all, count, sizeof *all, by_id);
    *out_count = count;
    return all;
}

struct queue_acted queue_act(struct queue *q, const struct queue_filter *filter,
                             enum queue_action action)
{
    struct queue_acted acted = { .messages = 0 };
    if (filter->id.value != 0) {
        struct queue_message *m = message_find(q, filter->id);
        if (m != NULL)
            act_on(q, m, filter, action, &acted);
        return acted;
    }
    size_t count = 0;
    struct queue_message **all = all_in_order(q, &count);
    for (size_t i = 0; i < count; i++)
        if (action != QUEUE_RETRY || yet_to_begin(q, all[i]) == 0)
            act_on(q, all[i], filter, action, &acted);
    free(all);
    return acted;
}

static bool is_for(const struct queue_recipient *r, struct slice domain, bool below)
{
    if (r->domain == NULL || (r->place != PLACE_WAITING && r->place != PLACE_READY))
        return false;
    struct slice name = r->domain->entry.key;
    if (slice_equal(name, domain))
        return true;
    return below && name.len > domain.len + 1 &&
           name.data[name.len - domain.len - 1] == '.' &&
           slice_equal(slice_from(name, name.len - domain.len), domain);
}

size_t queue_kick(struct queue *q, struct slice domain, bool below)
{
    size_t count = 0;
    size_t messages = 0;
    struct queue_message **all = all_in_order(q, &count);
    gather_begin(q);
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        if (yet_to_begin(q, all[i]) != 0)
            continue;
        for (uint32_t n = 0; n < all[i]->recipients_count; n++) {
            struct queue_recipient *r = &all[i]->recipients[n];
            if (!is_for(r, domain, below))
                continue;
            found = true;
            act(q, r, QUEUE_RETRY);
        }
        messages += found;
    }
    gather_end(q);
    free(all);
    return messages;
}

struct queue_stats queue_stats(const struct queue *q)
{
    return (struct queue_stats){
        .messages = q->messages_count,
        .recipients = q->counts[PLACE_WAITING] + q->counts[PLACE_READY] +
                      q->counts[PLACE_FLIGHT] + q->counts[PLACE_HELD],
        .waiting = q->counts[PLACE_WAITING],
        .ready = q->counts[PLACE_READY],
        .in_flight = q->counts[PLACE_FLIGHT],
        .held = q->counts[PLACE_HELD],
        .sites = q->sites.count,
        .connections_idle = q->idle.count,
        .alarms = q->alarms,
    };
}
