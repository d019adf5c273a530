/* mtasts.c: the table of domains, who waits for each, and what is fetched before its time.
 *
 * All changes are made on the loop's thread, under the lock that lets other threads look.
 * A domain is busy from the question for its record to the end of the fetch: it is not
 * forgotten then. Domains without a policy make room before those that have one: mail to
 * many names forgets no promise (RFC 8461 10.2).
 */
#include "transport/mtasts/mtasts.h"

#include "base/must.h"
#include "base/table.h"
#include "transport/mtasts/fetch.h"
#include "transport/mtasts/known.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { REFRESHES_MAX = 4, REFRESH_PAUSE_MS = 1000, NOTE_MAX = MTASTS_POLICY_MAX + 256,
       RECORDS_MAX = 16, RECORD_MAX = 4096 };

/* What is asked for one domain. */
struct asking {
    struct domain *domain;
    bool is_refresh;
    struct mtasts_id id;
    struct buffer name;
    struct dns_query record;
    struct fetch fetch;
};

struct domain {
    struct table_entry entry;
    struct list_node node;     /* of `promised` or `plain` */
    struct mtasts *mtasts;
    struct known known;
    struct mtasts_id seen;     /* of the last record */
    char trouble[HTTP_TROUBLE_MAX];
    struct asking *asking;     /* NULL: it is not busy */
    struct list waiting;       /* of mtasts_lookup */
    char name[];
};

struct mtasts {
    struct mtasts_options options;
    pthread_mutex_t lock;
    struct table domains;
    struct list promised;      /* those with a policy; the one wanted longest ago first */
    struct list plain;
    size_t promised_count;
    size_t plain_count;
    unsigned refreshes;        /* under way */
    struct timer timer;
};

static struct slice name_of(const struct domain *d)
{
    return d->entry.key;
}

static void wait_for_refresh(struct mtasts *m);

/* ---- the table; each under the lock but where one thread alone knows of it ---- */

static struct domain *find(const struct mtasts *m, struct slice name)
{
    struct table_entry *e = table_find(&m->domains, name);
    return e == NULL ? NULL : container_of(e, struct domain, entry);
}

static void unlink_domain(struct domain *d)
{
    size_t *count = d->known.policy != NULL ? &d->mtasts->promised_count
                                            : &d->mtasts->plain_count;
    (*count)--;
    list_remove(&d->node);
}

static void link_domain(struct domain *d)
{
    struct mtasts *m = d->mtasts;
    bool has_policy = d->known.policy != NULL;
    (*(has_policy ? &m->promised_count : &m->plain_count))++;
    list_append(has_policy ? &m->promised : &m->plain, &d->node);
}

static void forget(struct domain *d)
{
    unlink_domain(d);
    table_remove(&d->mtasts->domains, &d->entry);
    mtasts_policy_drop(&d->known.policy);
    free(d);
}

/* The first of the list that is not busy. */
static struct domain *first_idle(const struct list *list)
{
    for (struct list_node *n = list_first(list); n != NULL; n = list_next(list, n)) {
        struct domain *d = container_of(n, struct domain, node);
        if (d->asking == NULL)
            return d;
    }
    return NULL;
}

static void keep(const struct domain *d, struct slice text)
{
    struct mtasts_keeper *keeper = d->mtasts->options.keeper;
    if (keeper != NULL)
        keeper->keep(keeper, name_of(d), text);
}

static void make_room(struct mtasts *m)
{
    struct domain *d;
    while (m->plain_count >= m->options.domains_max && (d = first_idle(&m->plain)) != NULL)
        forget(d);
    while (m->promised_count > m->options.domains_max &&
           (d = first_idle(&m->promised)) != NULL) {
        keep(d, slice_make(NULL, 0));
        forget(d);
    }
}

/* NULL without memory. */
static struct domain *add(struct mtasts *m, struct slice name)
{
    struct domain *d = calloc(1, sizeof *d + name.len);
    if (d == NULL)
        return NULL;
    make_room(m);
    d->mtasts = m;
    list_init(&d->waiting);
    memcpy(d->name, name.data, name.len);
    if (!table_insert(&m->domains, &d->entry, slice_make(d->name, name.len))) {
        free(d);
        return NULL;
    }
    link_domain(d);
    return d;
}

static void touch(struct domain *d)
{
    unlink_domain(d);
    link_domain(d);
}

bool mtasts_find(struct mtasts *m, struct slice name, struct moment now,
                 struct mtasts_policy **out)
{
    struct dns_name valid;
    if (!dns_name_parse(name, &valid)) { /* a literal, say: there is no policy for it */
        *out = NULL;
        return true;
    }
    pthread_mutex_lock(&m->lock);
    struct domain *d = find(m, name);
    bool is_fresh = d != NULL && known_is_fresh(&d->known, now);
    if (is_fresh) {
        struct mtasts_policy *live = known_live(&d->known, now);
        *out = live == NULL ? NULL : mtasts_policy_hold(live);
        touch(d);
    }
    pthread_mutex_unlock(&m->lock);
    return is_fresh;
}

/* ---- answers ---- */

static void run_done(struct task *task)
{
    struct mtasts_lookup *l = container_of(task, struct mtasts_lookup, task);
    l->done(l);
}

static void answer(struct mtasts_lookup *l)
{
    l->task.run = run_done;
    home_post(l->home, &l->task);
}

/* `d` may be NULL: there was no memory to ask. */
static void answer_with(struct mtasts_lookup *l, const struct domain *d, struct moment now)
{
    struct mtasts_policy *live = d == NULL ? NULL : known_live(&d->known, now);
    if (live != NULL) {
        l->policy = mtasts_policy_hold(live);
        l->expires_wall_ms = known_expires_wall_ms(&d->known);
    }
    if (d != NULL) {
        l->id = d->seen;
        memcpy(l->trouble, d->trouble, sizeof l->trouble);
    }
    answer(l);
}

static void answer_all(struct domain *d, struct moment now)
{
    struct list_node *node;
    while ((node = list_take(&d->waiting)) != NULL)
        answer_with(container_of(node, struct mtasts_lookup, node), d, now);
}

/* ---- asking ---- */

static struct moment now_of(const struct mtasts *m)
{
    return loop_now(m->options.loop);
}

static void asking_free(struct domain *d)
{
    struct asking *a = d->asking;
    d->asking = NULL;
    if (a == NULL)
        return;
    if (a->is_refresh)
        d->mtasts->refreshes--;
    dns_query_clear(&a->record);
    fetch_clear(&a->fetch);
    buffer_free(&a->name);
    free(a);
}

static void asked(struct domain *d)
{
    struct mtasts *m = d->mtasts;
    bool changes_plans = d->asking->is_refresh || d->asking->id.text[0] != '\0';
    asking_free(d);
    answer_all(d, now_of(m));
    if (changes_plans)
        wait_for_refresh(m);
}

static void keep_known(const struct domain *d)
{
    struct buffer text;
    buffer_init(&text, NOTE_MAX);
    known_describe(&d->known, &text);
    keep(d, buffer_slice(&text));
    buffer_free(&text);
}

static void on_fetched(struct fetch *fetch)
{
    struct asking *a = container_of(fetch, struct asking, fetch);
    struct domain *d = a->domain;
    struct mtasts *m = d->mtasts;
    struct mtasts_keeper *keeper = m->options.keeper;
    bool is_good = fetch->policy != NULL;
    memcpy(d->trouble, fetch->trouble, sizeof d->trouble);
    pthread_mutex_lock(&m->lock);
    unlink_domain(d);
    known_take_policy(&d->known, fetch->policy, &a->id, now_of(m));
    link_domain(d);
    pthread_mutex_unlock(&m->lock);
    if (is_good)
        keep_known(d);
    else if (keeper != NULL)
        keeper->failed(keeper, name_of(d), slice_from_string(d->trouble),
                       slice_from_string(fetch->result));
    asked(d);
}

/* Each record's strings as one; those that are longer than any that counts, not at all. */
static enum known_record read_record(const struct dns_answer *answer, struct mtasts_id *out)
{
    struct slice texts[RECORDS_MAX] = { { NULL, 0 } };
    struct buffer all[RECORDS_MAX];
    size_t count = 0;
    if (dns_is_temporary(answer->kind))
        return RECORD_FAILED;
    if (answer->kind != DNS_OK)
        return RECORD_ABSENT;
    for (size_t i = 0; i < answer->records_count && count < RECORDS_MAX; i++) {
        buffer_init(&all[count], RECORD_MAX);
        dns_txt_append(answer->records[i], &all[count]);
        texts[count] = buffer_slice(&all[count]);
        count++;
    }
    bool is_found = mtasts_record_read(texts, count, out);
    for (size_t i = 0; i < count; i++)
        buffer_free(&all[i]);
    return is_found ? RECORD_FOUND : RECORD_ABSENT;
}

static void on_record(struct dns_query *query)
{
    struct asking *a = container_of(query, struct asking, record);
    struct domain *d = a->domain;
    struct mtasts *m = d->mtasts;
    struct mtasts_id id = { "" };
    enum known_record record = read_record(&query->answer, &id);
    pthread_mutex_lock(&m->lock);
    unlink_domain(d);
    bool had_policy = d->known.policy != NULL;
    bool is_wanted = known_take_record(&d->known, record, &id, query->answer.ttl_s,
                                       a->is_refresh, now_of(m));
    bool is_over = had_policy && d->known.policy == NULL;
    link_domain(d);
    pthread_mutex_unlock(&m->lock);
    d->seen = id;
    if (is_over)
        keep(d, slice_make(NULL, 0));
    if (!is_wanted) {
        asked(d);
        return;
    }
    a->id = id;
    a->fetch.home = loop_home(m->options.loop);
    a->fetch.done = on_fetched;
    a->fetch.domain = name_of(d);
    fetch_begin(&a->fetch, m->options.dns, m->options.http);
}

/* False without memory. */
static bool ask(struct domain *d, bool is_refresh)
{
    struct mtasts *m = d->mtasts;
    struct asking *a = calloc(1, sizeof *a);
    if (a == NULL)
        return false;
    a->domain = d;
    a->is_refresh = is_refresh;
    m->refreshes += is_refresh;
    buffer_init(&a->name, DNS_NAME_MAX + 16);
    buffer_append_string(&a->name, "_mta-sts.");
    buffer_append(&a->name, name_of(d));
    d->asking = a;
    a->record = (struct dns_query){ .home = loop_home(m->options.loop), .done = on_record,
                                    .name = buffer_slice(&a->name), .type = DNS_TYPE_TXT };
    dns_query(m->options.dns, &a->record);
    return true;
}

static void run_lookup(struct task *task)
{
    struct mtasts_lookup *l = container_of(task, struct mtasts_lookup, task);
    struct mtasts *m = l->mtasts;
    struct moment now = now_of(m);
    pthread_mutex_lock(&m->lock);
    struct domain *d = find(m, l->domain);
    if (d == NULL)
        d = add(m, l->domain);
    else
        touch(d);
    pthread_mutex_unlock(&m->lock);
    if (d == NULL || (d->asking == NULL && known_is_fresh(&d->known, now))) {
        answer_with(l, d, now);
        return;
    }
    if (d->asking == NULL && !ask(d, false)) {
        answer_with(l, d, now);
        return;
    }
    list_append(&d->waiting, &l->node);
}

void mtasts_look_up(struct mtasts *m, struct mtasts_lookup *l)
{
    struct dns_name valid;
    l->mtasts = m;
    l->policy = NULL;
    l->expires_wall_ms = 0;
    l->id = (struct mtasts_id){ "" };
    l->trouble[0] = '\0';
    l->node = (struct list_node){ NULL, NULL };
    if (!dns_name_parse(l->domain, &valid)) {
        answer(l);
        return;
    }
    l->task.run = run_lookup;
    home_post(loop_home(m->options.loop), &l->task);
}

/* ---- before their time is over ---- */

/* The live policy that is to be fetched next, and when; NULL: none. */
static struct domain *next_due(struct mtasts *m, struct moment now, int64_t *out_ms)
{
    struct domain *next = NULL;
    *out_ms = INT64_MAX;
    pthread_mutex_lock(&m->lock);
    for (struct list_node *n = list_first(&m->promised); n != NULL;
         n = list_next(&m->promised, n)) {
        struct domain *d = container_of(n, struct domain, node);
        int64_t due = d->asking != NULL ? INT64_MAX : known_refresh_wall_ms(&d->known, now);
        if (due < *out_ms) {
            *out_ms = due;
            next = d;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return next;
}

static void wait_for_refresh(struct mtasts *m)
{
    struct moment now = now_of(m);
    int64_t due;
    if (m->refreshes >= REFRESHES_MAX || next_due(m, now, &due) == NULL) {
        timer_clear(&m->timer);
        return;
    }
    int64_t wait = due - now.wall_ms;
    if (wait > HOUR_MS)
        wait = HOUR_MS; /* the wall clock may jump */
    timer_set(&m->timer, wait < REFRESH_PAUSE_MS ? REFRESH_PAUSE_MS : wait);
}

static void on_timer(struct timer *timer)
{
    struct mtasts *m = container_of(timer, struct mtasts, timer);
    struct moment now = now_of(m);
    int64_t due;
    struct domain *d = next_due(m, now, &due);
    if (d != NULL && due <= now.wall_ms)
        (void)ask(d, true); /* without memory another time */
    wait_for_refresh(m);
}

/* ---- the whole ---- */

enum err mtasts_open(const struct mtasts_options *options, struct mtasts **out)
{
    struct mtasts *m = calloc(1, sizeof *m);
    if (m == NULL)
        return ERR_MEMORY;
    m->options = *options;
    pthread_mutex_init(&m->lock, NULL);
    list_init(&m->promised);
    list_init(&m->plain);
    timer_init(&m->timer, options->loop, on_timer);
    *out = m;
    return ERR_OK;
}

bool mtasts_recall(struct mtasts *m, struct slice name, struct slice text, struct moment now)
{
    struct known known = { .policy = NULL };
    if (m->promised_count >= m->options.domains_max || find(m, name) != NULL ||
        !known_recall(&known, text, now))
        return false;
    struct domain *d = add(m, name);
    if (d == NULL) {
        mtasts_policy_drop(&known.policy);
        return false;
    }
    unlink_domain(d);
    d->known = known;
    link_domain(d);
    wait_for_refresh(m);
    return true;
}

static void close_all(struct list *list)
{
    struct list_node *node;
    while ((node = list_first(list)) != NULL) {
        struct domain *d = container_of(node, struct domain, node);
        asking_free(d);
        forget(d);
    }
}

void mtasts_close(struct mtasts **mtasts)
{
    struct mtasts *m = *mtasts;
    *mtasts = NULL;
    if (m == NULL)
        return;
    timer_clear(&m->timer);
    close_all(&m->promised);
    close_all(&m->plain);
    table_free(&m->domains);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
