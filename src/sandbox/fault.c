/* fault.c: the gate that makes them happen. */
#include "sandbox/fault_private.h"

#include "net/address.h"

#include <stdlib.h>
#include <string.h>

/* What is remembered of a pair or a magic recipient, by a text that is its key. */
struct pair {
    struct table_entry entry;
    int64_t first_ms;
    uint64_t count;
    char key[];
};

struct faults {
    struct gate gate;
    struct capture *capture;
    struct slice domain;
    struct fault_rule *rules;
    size_t rules_count;
    struct table pairs;
    uint64_t random;             /* of percent: the same at each start */
    struct smtp_reply refusal;   /* of a log-in */
};

static struct pair *pair_of(struct faults *f, struct slice a, struct slice b, int64_t now_ms)
{
    char bytes[1024];
    struct buffer key = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    buffer_append(&key, slice_part(a, 0, 500));
    buffer_append_byte(&key, '\n');
    buffer_append(&key, slice_part(b, 0, 500));
    struct table_entry *found = table_find(&f->pairs, buffer_slice(&key));
    if (found != NULL)
        return container_of(found, struct pair, entry);
    struct pair *p = f->pairs.count >= FAULT_PAIRS_MAX
                         ? NULL : calloc(1, sizeof *p + buffer_len(&key));
    if (p == NULL)
        return NULL;
    memcpy(p->key, bytes, buffer_len(&key));
    p->first_ms = now_ms;
    if (!table_insert(&f->pairs, &p->entry, slice_make(p->key, buffer_len(&key)))) {
        free(p);
        return NULL;
    }
    return p;
}

static void forget_pairs(struct faults *f)
{
    struct table_entry *entry;
    while ((entry = table_next(&f->pairs, NULL)) != NULL) {
        table_remove(&f->pairs, entry);
        free(container_of(entry, struct pair, entry));
    }
}

/* xorshift64*, for chances; the same sequence at each start. */
static bool is_drawn(struct faults *f, unsigned percent)
{
    f->random ^= f->random >> 12;
    f->random ^= f->random << 25;
    f->random ^= f->random >> 27;
    return (f->random * UINT64_C(0x2545F4914F6CDD1D) >> 33) % 100 < percent;
}

static bool is_above(struct fault_rule *r, int64_t now_ms)
{
    if (now_ms - r->window_ms >= r->per_ms) {
        r->window_ms = now_ms;
        r->in_window = 0;
    }
    return ++r->in_window > r->above;
}

/* Whether it happens this time. */
static bool is_due(struct faults *f, struct fault_rule *r, const struct fault_at *at)
{
    if (r->over_bytes > 0 && at->bytes <= r->over_bytes)
        return false;
    if (r->above > 0 && !is_above(r, at->now_ms))
        return false;
    if (r->greylist_ms > 0) {
        struct pair *p = pair_of(f, at->sender, at->recipient, at->now_ms);
        if (p == NULL || at->now_ms - p->first_ms >= r->greylist_ms)
            return false;
    }
    r->seen++;
    if (r->seen <= r->skip || (r->times > 0 && r->met >= r->times))
        return false;
    return r->percent >= 100 || is_drawn(f, r->percent);
}

static bool is_magic_due(struct faults *f, struct fault_rule *r, const struct fault_at *at)
{
    struct pair *p = pair_of(f, SLICE("magic"), at->recipient, at->now_ms);
    if (r->times == 0 || p == NULL)
        return is_due(f, r, at);
    return p->count < r->times && ++p->count;
}

static const struct fault_rule *find(struct faults *f, const struct fault_at *at,
                                     struct fault_rule *magic)
{
    for (size_t i = 0; i < f->rules_count; i++) {
        struct fault_rule *r = &f->rules[i];
        if (fault_is_for(r, at) && is_due(f, r, at)) {
            r->met++;
            capture_note_fault(f->capture, at->session, r->id);
            return r;
        }
    }
    if (at->step == FAULT_RCPT && fault_magic(at->recipient, f->domain, magic) &&
        is_magic_due(f, magic, at)) {
        capture_note_fault(f->capture, at->session, SLICE("simulator"));
        return magic;
    }
    return NULL;
}

static void make_answer(const struct fault_rule *r, struct gate_answer *out)
{
    out->delay_ms = r->delay_ms;
    out->cut_after = r->cut_after;
    out->reply = r->reply;
    if (r->drops)
        out->action = GATE_DROP;
    else if (r->reply.code != 0)
        out->action = r->closes || r->reply.code == 421 ? GATE_CLOSE : GATE_REPLY;
}

static enum fault_step step_of(enum gate_point point)
{
    switch (point) {
    case GATE_CONNECT:
        return FAULT_CONNECT;
    case GATE_HELO:
        return FAULT_HELO;
    case GATE_MAIL:
        return FAULT_MAIL;
    case GATE_RCPT:
        return FAULT_RCPT;
    case GATE_HEADER:
    case GATE_END:
    case GATE_DATA:
    case GATE_UNKNOWN:
    case GATE_BODY:
        break;
    }
    return FAULT_DATA;
}

static enum gate_result on_ask(struct gate *gate, struct gate_question *q,
                               struct gate_answer *out)
{
    struct faults *f = container_of(gate, struct faults, gate);
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer client = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct fault_rule magic;
    if (f->rules_count == 0 && q->point != GATE_RCPT)
        return GATE_ANSWERED;
    net_host_append(&client, q->address);
    struct fault_at at = {
        .step = step_of(q->point), .session = q->session_id, .now_ms = q->now.mono_ms,
        .client = buffer_slice(&client), .account = q->account, .helo = q->helo,
        .sender = q->envelope == NULL ? slice_make(NULL, 0) : q->envelope->sender,
        .envelope = q->envelope, .recipient = q->recipient, .bytes = q->content_size,
    };
    const struct fault_rule *met = find(f, &at, &magic);
    if (met != NULL)
        make_answer(met, out);
    return GATE_ANSWERED;
}

static void on_cancel(struct gate *gate, struct gate_question *q)
{
    (void)gate;
    (void)q;
}

const struct smtp_reply *faults_login(struct faults *f, uint64_t session,
                                      const struct net_address *client, struct slice account)
{
    static const struct smtp_reply refused = {
        .code = 535, .status = { 5, 7, 8 },
        .text = SLICE_INIT("Authentication credentials invalid"),
    };
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer host = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct fault_rule magic;
    net_host_append(&host, client);
    struct fault_at at = { .step = FAULT_LOGIN, .session = session, .account = account,
                           .client = buffer_slice(&host) };
    const struct fault_rule *met = find(f, &at, &magic);
    if (met == NULL)
        return NULL;
    f->refusal = met->reply.code != 0 ? met->reply : refused;
    return &f->refusal;
}

enum err faults_open(struct capture *capture, struct slice domain, struct faults **out)
{
    static const struct gate_ops ops = {
        .name = "faults", .ask = on_ask, .cancel = on_cancel,
        .points = GATE_CONNECT | GATE_HELO | GATE_MAIL | GATE_RCPT | GATE_END,
    };
    struct faults *f = calloc(1, sizeof *f);
    if (f == NULL)
        return ERR_MEMORY;
    f->gate.ops = &ops;
    f->capture = capture;
    f->domain = domain;
    f->random = 88172645463325252u;
    table_init(&f->pairs);
    *out = f;
    return ERR_OK;
}

static void drop_rules(struct fault_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fault_rule_free(&rules[i]);
    free(rules);
}

void faults_close(struct faults **faults)
{
    struct faults *f = *faults;
    if (f == NULL)
        return;
    drop_rules(f->rules, f->rules_count);
    forget_pairs(f);
    table_free(&f->pairs);
    free(f);
    *faults = NULL;
}

/* One that is as it was goes on counting where it was. */
static void take_counts(const struct faults *f, struct fault_rule *r)
{
    for (size_t i = 0; i < f->rules_count; i++)
        if (slice_equal(f->rules[i].id, r->id) && json_equal(f->rules[i].object, r->object)) {
            r->seen = f->rules[i].seen;
            r->met = f->rules[i].met;
            r->in_window = f->rules[i].in_window;
            r->window_ms = f->rules[i].window_ms;
        }
}

const char *faults_set(struct faults *f, json_t *said)
{
    json_t *rules = json_object_get(said, "rules"), *groups = json_object_get(said, "only"), *object;
    size_t count = json_array_size(rules), i;
    const char *why = NULL;
    if (!json_is_array(rules) || count > FAULT_RULES_MAX)
        return "no rules, or too many";
    struct fault_rule *made = calloc(count + 1, sizeof *made);
    size_t read = 0;
    if (made == NULL)
        return "out of memory";
    json_array_foreach(rules, i, object) {
        why = fault_read(object, &made[read]);
        if (why != NULL)
            break;
        struct fault_rule *r = &made[read++];
        take_counts(f, r);
        r->only = json_incref(json_object_get(groups, fault_text(object, "only")));
        if (r->only == NULL && json_object_get(object, "only") != NULL)
            why = "a rule is for nobody knows whom";
    }
    if (why != NULL) {
        drop_rules(made, read);
        return why;
    }
    drop_rules(f->rules, f->rules_count);
    f->rules = made;
    f->rules_count = read;
    if (read == 0)
        forget_pairs(f);
    return NULL;
}

struct gate *faults_gate(struct faults *f)
{
    return &f->gate;
}
