/* rows.c: the tables, and every statement that writes them.
 *
 * A row is what happened to one message between two writes, mostly its whole life. Numbers
 * of events run on; a row has that of its first. What the ring gave is noted in the same
 * transaction, so that nothing is written twice, whatever ends in between.
 */
#include "history/history_private.h"

#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE history ("
    " number INTEGER PRIMARY KEY, message INTEGER NOT NULL, at INTEGER NOT NULL,"
    " events INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
    "CREATE INDEX history_by_message ON history (message);"
    "CREATE TABLE history_filters ("
    " first INTEGER PRIMARY KEY, last INTEGER NOT NULL, keys INTEGER NOT NULL,"
    " bits BLOB NOT NULL) STRICT;"
    /* the ring's last entry that is here, the next number, the last one in the file */
    "CREATE TABLE history_state ("
    " id INTEGER PRIMARY KEY, serial INTEGER NOT NULL, next INTEGER NOT NULL,"
    " shown INTEGER NOT NULL) STRICT;"
    "INSERT INTO history_state VALUES (1, 0, 1, 0)",
    NULL,
};

const struct store_module history_module = { "history", steps };

enum { ROW_EVENTS_MAX = 64, ROW_BYTES_MAX = 256 * 1024, FORGET_MIN = 500,
       JOB_EVENTS_MAX = 10000 };

struct state {
    uint64_t serial;
    uint64_t next;
};

bool rows_number(struct store *store, const char *sql, uint64_t *out)
{
    sqlite3_stmt *s = store_statement(store, sql);
    if (s == NULL || sqlite3_step(s) != SQLITE_ROW)
        return false;
    *out = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return true;
}

static bool read_state(struct store *store, struct state *out)
{
    sqlite3_stmt *s = store_statement(store, "SELECT serial, next FROM history_state");
    if (s == NULL || sqlite3_step(s) != SQLITE_ROW)
        return false;
    *out = (struct state){ (uint64_t)sqlite3_column_int64(s, 0),
                           (uint64_t)sqlite3_column_int64(s, 1) };
    sqlite3_reset(s);
    return true;
}

/* Without a file of events nothing is owed to it. */
static bool write_state(struct history *h, struct store *store, const struct state *state)
{
    pthread_mutex_lock(&h->path_lock);
    bool has_file = h->path != NULL;
    pthread_mutex_unlock(&h->path_lock);
    sqlite3_stmt *s = store_statement(store,
        "UPDATE history_state SET serial = ?1, next = ?2,"
        " shown = CASE WHEN ?3 THEN shown ELSE ?2 - 1 END");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)state->serial);
    sqlite3_bind_int64(s, 2, (int64_t)state->next);
    sqlite3_bind_int(s, 3, has_file);
    return store_step(s);
}

/* ---- the filter of the newest stretch ---- */

static bool read_filter(struct history *h, struct store *store, uint64_t next)
{
    sqlite3_stmt *s = store_statement(store,
        "SELECT first, keys, bits FROM history_filters ORDER BY first DESC LIMIT 1");
    if (s == NULL)
        return false;
    int code = sqlite3_step(s);
    bool is_whole = code == SQLITE_ROW && sqlite3_column_bytes(s, 2) == FILTER_BYTES;
    memset(h->bits, 0, sizeof h->bits);
    h->filter_first = is_whole ? (uint64_t)sqlite3_column_int64(s, 0) : next;
    h->filter_keys = is_whole ? (uint32_t)sqlite3_column_int(s, 1) : 0;
    if (is_whole)
        memcpy(h->bits, sqlite3_column_blob(s, 2), FILTER_BYTES);
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool write_filter(struct history *h, struct store *store, uint64_t next)
{
    sqlite3_stmt *s = store_statement(store,
        "INSERT INTO history_filters VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (first) DO UPDATE SET last = ?2, keys = ?3, bits = ?4");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)h->filter_first);
    sqlite3_bind_int64(s, 2, (int64_t)next - 1);
    sqlite3_bind_int64(s, 3, h->filter_keys);
    sqlite3_bind_blob(s, 4, h->bits, FILTER_BYTES, SQLITE_STATIC);
    return store_step(s);
}

/* A stretch that is full ends before the next row. */
static bool turn_filter(struct history *h, struct store *store, uint64_t next)
{
    if (h->filter_keys < FILTER_KEYS_MAX && next - h->filter_first < FILTER_ROWS_MAX)
        return true;
    if (!write_filter(h, store, next))
        return false;
    memset(h->bits, 0, sizeof h->bits);
    h->filter_first = next;
    h->filter_keys = 0;
    return true;
}

static void note_keys(struct history *h, struct slice entry)
{
    struct entry_reader r = { .failed = false };
    struct entry_field f;
    unsigned kind;
    int64_t wall_ms;
    entry_begin(&r, entry, &kind, &wall_ms);
    while (entry_next(&r, &f)) {
        if (f.tag != ENTRY_FROM && f.tag != ENTRY_TO && f.tag != ENTRY_MESSAGE_ID)
            continue;
        uint64_t key = filter_key(f.text);
        h->filter_keys += !filter_may_have(h->bits, key);
        filter_add(h->bits, key);
    }
}

/* ---- rows ---- */

static int by_message(const void *a, const void *b)
{
    const struct ring_entry *x = a, *y = b;
    if (x->message != y->message)
        return x->message < y->message ? -1 : 1;
    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static bool insert(struct history *h, struct store *store, const struct ring_entry *first,
                   uint64_t number, size_t events)
{
    struct entry_reader r = { .failed = false };
    unsigned kind;
    int64_t wall_ms;
    entry_begin(&r, first->bytes, &kind, &wall_ms);
    sqlite3_stmt *s = store_statement(store, "INSERT INTO history VALUES (?1, ?2, ?3, ?4, ?5)");
    if (s == NULL || h->row.overflow)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)number);
    sqlite3_bind_int64(s, 2, (int64_t)first->message);
    sqlite3_bind_int64(s, 3, wall_ms);
    sqlite3_bind_int64(s, 4, (int64_t)events);
    sqlite3_bind_blob64(s, 5, buffer_slice(&h->row).data, buffer_len(&h->row), SQLITE_STATIC);
    return store_step(s);
}

/* One row of the first of them; *out_count is how many it holds. */
static bool write_row(struct history *h, struct store *store, const struct ring_entry *e,
                      size_t count, uint64_t number, size_t *out_count)
{
    struct entry_reader shared = { .failed = false };
    size_t n = 0;
    buffer_clear(&h->row);
    while (n < count && n < ROW_EVENTS_MAX && e[n].message == e[0].message &&
           buffer_len(&h->row) < ROW_BYTES_MAX - 2 * (size_t)ENTRY_MAX) {
        row_add(&h->row, &shared, e[n].bytes);
        note_keys(h, e[n].bytes);
        n++;
    }
    *out_count = n;
    return insert(h, store, e, number, n);
}

/* Those of the block that are not in the tables yet, at most as many as a job may take; the
 * caller frees them. The rest of the block is left in *block. */
static bool gather(struct slice *block, uint64_t serial, struct ring_entry **out,
                   size_t *out_count)
{
    struct ring_entry e, *all = NULL;
    size_t count = 0, room = 0;
    while (count < JOB_EVENTS_MAX && ring_take(block, &e)) {
        if (e.serial <= serial)
            continue;
        if (count == room) {
            room = room == 0 ? 1024 : room * 2;
            struct ring_entry *more = reallocarray(all, room, sizeof *all);
            if (more == NULL) {
                free(all);
                return false;
            }
            all = more;
        }
        all[count++] = e;
    }
    *out = all;
    *out_count = count;
    return true;
}

static bool write_all(struct history *h, struct store *store, struct state *state,
                      struct ring_entry *all, size_t count)
{
    size_t taken;
    for (size_t i = 0; i < count; i++)
        if (all[i].serial > state->serial)
            state->serial = all[i].serial;
    if (count > 1)
        qsort(all, count, sizeof *all, by_message);
    for (size_t at = 0; at < count; at += taken) {
        if (!turn_filter(h, store, state->next) ||
            !write_row(h, store, all + at, count - at, state->next, &taken))
            return false;
        state->next += taken;
    }
    return write_filter(h, store, state->next);
}

bool rows_write(struct history *h, struct store *store, uint64_t *out_until, size_t *out_count)
{
    struct state state;
    struct ring_entry *all;
    size_t count;
    if (!read_state(store, &state) || !ring_copy(h->ring, &h->block, out_until))
        return false;
    uint64_t newest = ring_serial(h->ring);
    if (newest < state.serial) /* the ring was made anew: its serials begin again */
        state.serial = 0;
    if (state.next != h->next_number && !read_filter(h, store, state.next))
        return false;
    struct slice rest = buffer_slice(&h->block);
    if (!gather(&rest, state.serial, &all, &count))
        return false;
    *out_until -= rest.len;
    bool good = count == 0 || write_all(h, store, &state, all, count);
    good = good && write_state(h, store, &state);
    h->next_number = good ? state.next : 0;
    free(all);
    *out_count = count;
    return good;
}

/* ---- forgetting ---- */

static bool forget_to(struct store *store, uint64_t number)
{
    static const char *const texts[] = { "DELETE FROM history WHERE number <= ?1",
                                         "DELETE FROM history_filters WHERE last <= ?1" };
    for (size_t i = 0; i < 2; i++) {
        sqlite3_stmt *s = store_statement(store, texts[i]);
        if (s == NULL)
            return false;
        sqlite3_bind_int64(s, 1, (int64_t)number);
        if (!store_step(s))
            return false;
    }
    return true;
}

static bool is_too_large(const struct history *h, struct store *store)
{
    uint64_t pages, unused, page;
    return rows_number(store, "PRAGMA page_count", &pages) &&
           rows_number(store, "PRAGMA freelist_count", &unused) &&
           rows_number(store, "PRAGMA page_size", &page) &&
           (pages - unused) * page > atomic_load(&h->size_bytes);
}

bool rows_forget(struct history *h, struct store *store, int64_t now_wall_ms, size_t most)
{
    int64_t before = now_wall_ms - atomic_load(&h->keep_ms);
    bool too_large = is_too_large(h, store);
    uint64_t last = 0;
    sqlite3_stmt *s = store_statement(store,
        "SELECT number, at FROM history ORDER BY number LIMIT ?1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)(most < FORGET_MIN ? FORGET_MIN : most));
    while (sqlite3_step(s) == SQLITE_ROW) {
        if (!too_large && sqlite3_column_int64(s, 1) >= before)
            break;
        last = (uint64_t)sqlite3_column_int64(s, 0);
    }
    sqlite3_reset(s);
    return last == 0 || forget_to(store, last);
}
