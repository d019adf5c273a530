/* suppression.c: addresses in a table under a mutex, rows in the store. */
#include "policy/suppression.h"

#include "base/ascii.h"
#include "base/list.h"
#include "base/table.h"
#include "log/log.h"
#include "wire/smtp/address.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const steps[] = {
    "CREATE TABLE suppressed ("
    " address TEXT PRIMARY KEY, why TEXT NOT NULL, text BLOB NOT NULL,"
    " since INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX suppressed_by_end ON suppressed (until) WHERE until > 0",
    NULL,
};

const struct store_module suppression_module = { "suppression", steps };

struct listed {
    struct table_entry entry;    /* by address, which stands behind */
    int64_t since_wall_ms;
    int64_t until_wall_ms;
    char why[SUPPRESSION_WHY_MAX + 1];
    char address[];
};

struct suppression {
    struct gate gate;
    struct store *store;
    pthread_mutex_t mutex;
    struct table listed;         /* under the mutex */
};

#define MANUAL SLICE("manual")

bool suppression_address(struct slice written, struct buffer *out)
{
    struct smtp_address address;
    size_t start = buffer_len(out);
    if (smtp_address_parse(written, SMTP_UTF8_ALLOWED, &address) != SMTP_PATH_OK)
        return false;
    smtp_address_canonical(&address, out);
    if (out->overflow || buffer_len(out) == start)
        return false;
    for (size_t i = out->start + start; i < out->end; i++)
        out->memory[i] = ascii_lower(out->memory[i]);
    return true;
}

/* ---- in memory; under the mutex ---- */

static struct listed *find(const struct suppression *list, struct slice address)
{
    struct table_entry *entry = table_find(&list->listed, address);
    return entry == NULL ? NULL : container_of(entry, struct listed, entry);
}

static void set(struct listed *l, const struct suppression_entry *e)
{
    struct slice why = slice_part(e->why, 0, SUPPRESSION_WHY_MAX);
    if (why.len > 0)
        memcpy(l->why, why.data, why.len);
    l->why[why.len] = '\0';
    l->since_wall_ms = e->since_wall_ms;
    l->until_wall_ms = e->until_wall_ms;
}

static bool put(struct suppression *list, const struct suppression_entry *e)
{
    struct listed *l = find(list, e->address);
    if (l == NULL) {
        if (list->listed.count >= SUPPRESSION_ADDRESSES_MAX)
            return false;
        l = calloc(1, sizeof *l + e->address.len + 1);
        if (l == NULL)
            return false;
        memcpy(l->address, e->address.data, e->address.len);
        if (!table_insert(&list->listed, &l->entry, slice_make(l->address, e->address.len))) {
            free(l);
            return false;
        }
    }
    set(l, e);
    return true;
}

static void take_out(struct suppression *list, struct listed *l)
{
    table_remove(&list->listed, &l->entry);
    free(l);
}

bool suppression_has(struct suppression *list, struct slice address, int64_t now_wall_ms,
                     char *out_why, int64_t *out_since_wall_ms)
{
    pthread_mutex_lock(&list->mutex);
    const struct listed *l = find(list, address);
    bool is_there = l != NULL && (l->until_wall_ms == 0 || l->until_wall_ms > now_wall_ms);
    if (is_there) {
        memcpy(out_why, l->why, sizeof l->why);
        *out_since_wall_ms = l->since_wall_ms;
    }
    pthread_mutex_unlock(&list->mutex);
    return is_there;
}

/* ---- in the store; on its thread ---- */

static void bind_text(sqlite3_stmt *s, int index, struct slice text)
{
    sqlite3_bind_text64(s, index, text.data == NULL ? "" : text.data, text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

static bool write_row(struct store *store, const struct suppression_entry *e)
{
    struct slice text = slice_part(e->text, 0, SUPPRESSION_TEXT_MAX);
    sqlite3_stmt *s = store_statement(store,
        "INSERT INTO suppressed (address, why, text, since, until) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (address) DO UPDATE SET why = ?2, text = ?3, since = ?4, until = ?5");
    if (s == NULL)
        return false;
    bind_text(s, 1, e->address);
    bind_text(s, 2, slice_part(e->why, 0, SUPPRESSION_WHY_MAX));
    sqlite3_bind_blob64(s, 3, text.data == NULL ? "" : text.data, text.len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, e->since_wall_ms);
    sqlite3_bind_int64(s, 5, e->until_wall_ms);
    return store_step(s);
}

static bool delete_row(struct store *store, struct slice address)
{
    sqlite3_stmt *s = store_statement(store, "DELETE FROM suppressed WHERE address = ?1");
    if (s == NULL)
        return false;
    bind_text(s, 1, address);
    return store_step(s);
}

static struct slice column(sqlite3_stmt *s, int index)
{
    const void *data = sqlite3_column_blob(s, index);
    return slice_make(data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(s, index));
}

static struct suppression_entry row(sqlite3_stmt *s)
{
    return (struct suppression_entry){
        .address = column(s, 0), .why = column(s, 1), .text = column(s, 2),
        .since_wall_ms = sqlite3_column_int64(s, 3),
        .until_wall_ms = sqlite3_column_int64(s, 4),
    };
}

/* ---- the beginning ---- */

struct loading {
    struct store_job job;
    struct suppression *list;
};

static bool load_run(struct store_job *job, struct store *store)
{
    struct loading *l = container_of(job, struct loading, job);
    sqlite3_stmt *s = store_statement(store,
        "SELECT address, why, text, since, until FROM suppressed");
    int code = SQLITE_ERROR;
    while (s != NULL && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct suppression_entry e = row(s);
        pthread_mutex_lock(&l->list->mutex);
        /* What was told meanwhile is newer. */
        bool good = find(l->list, e.address) != NULL || put(l->list, &e);
        pthread_mutex_unlock(&l->list->mutex);
        if (!good)
            break;
    }
    return code == SQLITE_DONE;
}

static void load_forget(struct store_job *job)
{
    if (job->result != ERR_OK && job->result != ERR_CLOSED)
        log_fault("suppression", "the list cannot be read from the store", job->result);
    free(container_of(job, struct loading, job));
}

enum err suppression_open(struct store *store, struct suppression **out)
{
    struct suppression *list = calloc(1, sizeof *list);
    struct loading *l = calloc(1, sizeof *l);
    if (list == NULL || l == NULL) {
        free(list);
        free(l);
        return ERR_MEMORY;
    }
    list->store = store;
    pthread_mutex_init(&list->mutex, NULL);
    table_init(&list->listed);
    *l = (struct loading){ .job = { .run = load_run, .forget = load_forget }, .list = list };
    if (store == NULL || !store_post(store, &l->job))
        free(l);
    *out = list;
    return ERR_OK;
}

void suppression_close(struct suppression **place)
{
    struct suppression *list = *place;
    struct table_entry *entry;
    *place = NULL;
    if (list == NULL)
        return;
    while ((entry = table_next(&list->listed, NULL)) != NULL)
        take_out(list, container_of(entry, struct listed, entry));
    table_free(&list->listed);
    pthread_mutex_destroy(&list->mutex);
    free(list);
}

/* ---- what failures tell ---- */

struct noting {
    struct store_job job;
    struct suppression *list;
    struct suppression_entry entry;
    char bytes[];
};

/* Memory follows the rows, in their order: what was changed while the list was being read, or
 * twice at once, ends alike in both. */
static void follow(struct suppression *list, bool removes, const struct suppression_entry *e)
{
    pthread_mutex_lock(&list->mutex);
    struct listed *l = find(list, e->address);
    if (!removes)
        put(list, e);
    else if (l != NULL)
        take_out(list, l);
    pthread_mutex_unlock(&list->mutex);
}

static bool note_run(struct store_job *job, struct store *store)
{
    struct noting *n = container_of(job, struct noting, job);
    bool good = write_row(store, &n->entry);
    if (good)
        follow(n->list, false, &n->entry);
    return good;
}

static void note_forget(struct store_job *job)
{
    free(container_of(job, struct noting, job));
}

static struct slice copy(char **at, struct slice s)
{
    struct slice kept = slice_make(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.data, s.len);
    *at += s.len;
    return kept;
}

static void keep(struct suppression *list, const struct suppression_entry *e)
{
    struct slice text = slice_part(e->text, 0, SUPPRESSION_TEXT_MAX);
    struct noting *n = malloc(sizeof *n + e->address.len + e->why.len + text.len);
    if (n == NULL)
        return;
    char *at = n->bytes;
    *n = (struct noting){ .job = { .run = note_run, .forget = note_forget }, .list = list,
                           .entry = *e };
    n->entry.address = copy(&at, e->address);
    n->entry.why = copy(&at, e->why);
    n->entry.text = copy(&at, text);
    if (!store_post(list->store, &n->job))
        free(n);
}

bool suppression_note(struct suppression *list, const struct suppression_entry *e)
{
    pthread_mutex_lock(&list->mutex);
    const struct listed *l = find(list, e->address);
    bool stays = l != NULL && (l->until_wall_ms == 0 ||
                               slice_equal(slice_from_string(l->why), MANUAL) ||
                               (e->until_wall_ms != 0 && l->until_wall_ms >= e->until_wall_ms));
    bool good = stays || put(list, e);
    pthread_mutex_unlock(&list->mutex);
    if (good && !stays && list->store != NULL)
        keep(list, e);
    return good;
}

/* ---- by hand ---- */

static bool change_run(struct store_job *job, struct store *store)
{
    struct suppression_change *c = container_of(job, struct suppression_change, job);
    for (size_t i = 0; i < c->count; i++)
        if (!(c->removes ? delete_row(store, c->entries[i].address)
                         : write_row(store, &c->entries[i])))
            return false;
    for (size_t i = 0; i < c->count; i++)
        follow(c->list, c->removes, &c->entries[i]);
    return true;
}

static void change_done(struct store_job *job)
{
    struct suppression_change *c = container_of(job, struct suppression_change, job);
    c->result = job->result;
    c->done(c);
}

static void change_end(struct task *task)
{
    struct store_job *job = container_of(task, struct store_job, task);
    struct suppression_change *c = container_of(job, struct suppression_change, job);
    c->done(c);
}

/* Under the mutex. */
static bool has_room(const struct suppression *list, const struct suppression_change *c)
{
    return c->removes || list->listed.count + c->count <= SUPPRESSION_ADDRESSES_MAX;
}

static bool change_one(struct suppression *list, bool removes, const struct suppression_entry *e)
{
    struct listed *l = find(list, e->address);
    if (removes && l != NULL)
        take_out(list, l);
    if (removes)
        return l != NULL;
    bool is_same = l != NULL && l->until_wall_ms == e->until_wall_ms &&
                   slice_equal(slice_from_string(l->why), e->why);
    return put(list, e) && !is_same;
}

void suppression_change(struct suppression *list, struct suppression_change *c)
{
    c->list = list;
    c->changed = 0;
    c->result = ERR_OK;
    c->job = (struct store_job){ .home = c->home, .run = change_run, .done = change_done,
                                 .is_durable = true };
    pthread_mutex_lock(&list->mutex);
    bool fits = has_room(list, c);
    for (size_t i = 0; fits && i < c->count; i++)
        c->changed += change_one(list, c->removes, &c->entries[i]);
    pthread_mutex_unlock(&list->mutex);
    if (fits && list->store != NULL && store_post(list->store, &c->job))
        return;
    c->result = !fits ? ERR_FULL : list->store == NULL ? ERR_CLOSED : ERR_BUSY;
    c->job.task.run = change_end;
    home_post(c->home, &c->job.task);
}

/* ---- a page ---- */

static bool add_row(struct suppression_page *p, const struct suppression_entry *e)
{
    buffer_append(&p->texts, e->address);
    buffer_append(&p->texts, e->why);
    buffer_append(&p->texts, e->text);
    if (p->texts.overflow)
        return false;
    p->entries[p->count++] = *e;
    return true;
}

static struct slice next_text(struct slice *rest, size_t len)
{
    struct slice text = slice_part(*rest, 0, len);
    *rest = slice_from(*rest, len);
    return text;
}

/* When the memory of the texts moves no more. */
static void settle_texts(struct suppression_page *p)
{
    struct slice rest = buffer_slice(&p->texts);
    for (size_t i = 0; i < p->count; i++) {
        struct suppression_entry *e = &p->entries[i];
        e->address = next_text(&rest, e->address.len);
        e->why = next_text(&rest, e->why.len);
        e->text = next_text(&rest, e->text.len);
    }
}

static bool page_run(struct store_job *job, struct store *store)
{
    struct suppression_page *p = container_of(job, struct suppression_page, job);
    sqlite3_stmt *s = store_statement(store,
        "SELECT address, why, text, since, until FROM suppressed WHERE"
        " (CASE WHEN ?4 THEN address = ?1 ELSE address > ?1 END) AND address >= ?1"
        " AND (until = 0 OR until > ?2) ORDER BY address LIMIT ?3");
    if (s == NULL)
        return false;
    bind_text(s, 1, p->after);
    sqlite3_bind_int64(s, 2, p->now_wall_ms);
    sqlite3_bind_int64(s, 3, (int64_t)p->limit + 1);
    sqlite3_bind_int(s, 4, p->only);
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && !p->more) {
        struct suppression_entry e = row(s);
        p->more = p->count == p->limit || !add_row(p, &e);
    }
    settle_texts(p);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static void page_done(struct store_job *job)
{
    struct suppression_page *p = container_of(job, struct suppression_page, job);
    p->result = job->result;
    p->done(p);
}

static void page_end(struct task *task)
{
    struct store_job *job = container_of(task, struct store_job, task);
    struct suppression_page *p = container_of(job, struct suppression_page, job);
    p->done(p);
}

void suppression_read(struct suppression *list, struct suppression_page *p)
{
    p->count = 0;
    p->more = false;
    p->job = (struct store_job){ .home = p->home, .run = page_run, .done = page_done };
    if (list->store != NULL && store_post(list->store, &p->job))
        return;
    p->result = list->store == NULL ? ERR_CLOSED : ERR_BUSY;
    p->job.task.run = page_end;
    home_post(p->home, &p->job.task);
}

/* ---- the end ---- */

struct expiring {
    struct store_job job;
    int64_t now_wall_ms;
};

static bool expire_run(struct store_job *job, struct store *store)
{
    sqlite3_stmt *s = store_statement(store,
        "DELETE FROM suppressed WHERE until > 0 AND until <= ?1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, container_of(job, struct expiring, job)->now_wall_ms);
    return store_step(s);
}

static void expire_forget(struct store_job *job)
{
    free(container_of(job, struct expiring, job));
}

void suppression_expire(struct suppression *list, int64_t now_wall_ms)
{
    bool any = false;
    pthread_mutex_lock(&list->mutex);
    struct table_entry *entry = table_next(&list->listed, NULL);
    while (entry != NULL) {
        struct table_entry *next = table_next(&list->listed, entry);
        struct listed *l = container_of(entry, struct listed, entry);
        if (l->until_wall_ms != 0 && l->until_wall_ms <= now_wall_ms) {
            take_out(list, l);
            any = true;
        }
        entry = next;
    }
    pthread_mutex_unlock(&list->mutex);
    struct expiring *e = any && list->store != NULL ? calloc(1, sizeof *e) : NULL;
    if (e == NULL)
        return;
    *e = (struct expiring){ .job = { .run = expire_run, .forget = expire_forget },
                            .now_wall_ms = now_wall_ms };
    if (!store_post(list->store, &e->job))
        free(e);
}

/* ---- the gate ---- */

static void say(struct buffer *out, const char *why, int64_t since_wall_ms)
{
    time_t since = (time_t)(since_wall_ms / SECOND_MS);
    struct tm day;
    char text[16] = "";
    if (gmtime_r(&since, &day) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d", &day);
    buffer_clear(out);
    buffer_append_format(out, "Nothing is sent to this address since %s (suppressed: %s)", text,
                         why);
}

static enum gate_result suppression_ask(struct gate *gate, struct gate_question *q,
                                        struct gate_answer *out)
{
    struct suppression *list = container_of(gate, struct suppression, gate);
    bool is_ours = q->is_submission || q->client_is_trusted || q->account.len > 0;
    char bytes[SMTP_PATH_MAX * 4];
    struct buffer address = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    char why[SUPPRESSION_WHY_MAX + 1];
    int64_t since;
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (q->config->suppression.then == CONFIG_SUPPRESSED_DELIVER || !is_ours ||
        !suppression_address(q->recipient, &address) ||
        !suppression_has(list, buffer_slice(&address), q->now.wall_ms, why, &since))
        return GATE_ANSWERED;
    say(q->scratch, why, since);
    out->action = GATE_REPLY;
    out->reply = smtp_reply_make(550, 5, 7, 1, buffer_slice(q->scratch));
    return GATE_ANSWERED;
}

struct gate *suppression_gate(struct suppression *list)
{
    static const struct gate_ops ops = {
        .name = "suppression", .points = GATE_RCPT, .ask = suppression_ask,
    };
    list->gate.ops = &ops;
    return &list->gate;
}
