/* life.c: what happened to a message, and which messages an address or a Message-ID names. */
#include "history/history_private.h"

#include <stdlib.h>
#include <strings.h>

enum { PLACES_MAX = 64, SITE_ROWS_MAX = 5000, SITE_FAILURES_MAX = 100 };

static struct slice data_of(sqlite3_stmt *s, int column)
{
    const void *data = sqlite3_column_blob(s, column);
    return slice_make(data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(s, column));
}

/* Appends the row's events after `after` to the list, at most so many in it. */
static bool add_events(json_t *list, size_t most, struct slice row, uint64_t number,
                       uint64_t message, uint64_t after)
{
    struct entry_reader r = { .failed = false };
    struct slice entry;
    for (; row_next(&row, &entry); number++) {
        json_t *value = entry_value(&r, entry, number, message);
        if (value == NULL)
            return false;
        if (number > after && json_array_size(list) < most)
            json_array_append_new(list, value);
        else
            json_decref(value);
    }
    return true;
}

bool rows_after(struct store *store, uint64_t number, size_t limit, json_t *list,
                uint64_t *out_after)
{
    int code = SQLITE_ERROR;
    sqlite3_stmt *s = store_statement(store,
        "SELECT number, message, data FROM history WHERE number >="
        " (SELECT coalesce(max(number), 0) FROM history WHERE number <= ?1) ORDER BY number");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)(number & INT64_MAX));
    *out_after = number;
    while (json_array_size(list) < limit && (code = sqlite3_step(s)) == SQLITE_ROW)
        add_events(list, limit, data_of(s, 2), (uint64_t)sqlite3_column_int64(s, 0),
                   (uint64_t)sqlite3_column_int64(s, 1), number);
    size_t count = json_array_size(list);
    if (count > 0)
        *out_after = (uint64_t)json_integer_value(
            json_object_get(json_array_get(list, count - 1), "cursor"));
    sqlite3_reset(s);
    return count > 0 || code == SQLITE_DONE;
}

/* ---- the trouble of the sites that it had to do with ---- */

struct places {
    const char *all[PLACES_MAX];
    size_t count;
};

static void add_place(struct places *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcasecmp(p->all[i], name) == 0)
            return;
    if (p->count < PLACES_MAX)
        p->all[p->count++] = name;
}

static void add_address(struct places *p, const json_t *address)
{
    const char *text = json_string_value(address);
    const char *at = text == NULL ? NULL : strrchr(text, '@');
    if (at != NULL)
        add_place(p, at + 1);
}

static void gather_places(const json_t *events, struct places *p)
{
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        const char *site = json_string_value(json_object_get(event, "site"));
        const json_t *to = json_object_get(event, "to");
        if (site != NULL)
            add_place(p, site);
        add_address(p, to);
        for (size_t n = 0; n < json_array_size(to); n++)
            add_address(p, json_array_get(to, n));
    }
}

static bool is_among(const struct places *p, const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "text"));
    for (size_t i = 0; name != NULL && i < p->count; i++)
        if (strcasecmp(p->all[i], name) == 0)
            return true;
    return false;
}

static int64_t time_of(const json_t *event)
{
    return (int64_t)json_integer_value(json_object_get(event, "time"));
}

/* While it was here: from its first event on, to its last one where it has ended. */
static void add_failures(struct store *store, json_t *life, uint64_t first, uint64_t last)
{
    json_t *events = json_object_get(life, "events");
    json_t *failures = json_array();
    json_t *some = json_array();
    struct places places = { .count = 0 };
    int64_t begun = time_of(json_array_get(events, 0));
    gather_places(events, &places);
    sqlite3_stmt *s = store_statement(store,
        "SELECT number, data FROM history WHERE message = 0 AND number BETWEEN ?1 AND ?2"
        " ORDER BY number LIMIT ?3");
    if (s != NULL) {
        sqlite3_bind_int64(s, 1, (int64_t)(first > FILTER_ROWS_MAX ? first - FILTER_ROWS_MAX : 0));
        sqlite3_bind_int64(s, 2, (int64_t)last);
        sqlite3_bind_int64(s, 3, SITE_ROWS_MAX);
    }
    while (s != NULL && json_array_size(failures) < SITE_FAILURES_MAX &&
           sqlite3_step(s) == SQLITE_ROW) {
        json_array_clear(some);
        add_events(some, SIZE_MAX, data_of(s, 1), (uint64_t)sqlite3_column_int64(s, 0), 0, 0);
        for (size_t i = 0; i < json_array_size(some); i++)
            if (time_of(json_array_get(some, i)) >= begun &&
                is_among(&places, json_array_get(some, i)))
                json_array_append(failures, json_array_get(some, i));
    }
    if (s != NULL)
        sqlite3_reset(s);
    json_decref(some);
    json_object_set_new(life, "site_failures", failures);
}

static bool may_go_on(const json_t *event)
{
    static const char *const names[] = { "accepted", "deferred", "held", "released" };
    const char *name = json_string_value(json_object_get(event, "event"));
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

json_t *life_value(struct store *store, uint64_t message)
{
    char text[MAIL_ID_CHARACTERS + 1];
    json_t *events = json_array();
    uint64_t first = 0, last = 0;
    sqlite3_stmt *s = store_statement(store,
        "SELECT number, data FROM history WHERE message = ?1 ORDER BY number");
    if (s == NULL)
        return NULL;
    sqlite3_bind_int64(s, 1, (int64_t)message);
    while (json_array_size(events) < HISTORY_EVENTS_MAX && sqlite3_step(s) == SQLITE_ROW) {
        last = (uint64_t)sqlite3_column_int64(s, 0);
        first = first == 0 ? last : first;
        add_events(events, HISTORY_EVENTS_MAX, data_of(s, 1), last, message, 0);
    }
    sqlite3_reset(s);
    size_t count = json_array_size(events);
    if (count == 0) {
        json_decref(events);
        return NULL;
    }
    json_t *life = json_pack("{s:s,s:o,s:b}", "id",
                             mail_id_text((struct mail_id){ message }, text), "events", events,
                             "more", (int)(count == HISTORY_EVENTS_MAX));
    if (life != NULL)
        add_failures(store, life, first,
                     may_go_on(json_array_get(events, count - 1)) ? INT64_MAX : last + 1000);
    return life;
}

/* ---- who is meant ---- */

struct finding {
    struct slice what;
    uint64_t key;
    size_t limit;
    uint64_t *ids;
    size_t count;
    bool more;
};

static bool row_names(struct slice row, struct slice what)
{
    struct entry_reader r = { .failed = false };
    struct slice entry;
    struct entry_field f;
    while (row_next(&row, &entry)) {
        unsigned kind;
        int64_t wall_ms;
        entry_begin(&r, entry, &kind, &wall_ms);
        while (entry_next(&r, &f))
            if ((f.tag == ENTRY_FROM || f.tag == ENTRY_TO || f.tag == ENTRY_MESSAGE_ID) &&
                slice_equal_nocase(f.text, what))
                return true;
    }
    return false;
}

static void find_id(struct finding *f, uint64_t id)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->ids[i] == id)
            return;
    f->more = f->count == f->limit;
    if (!f->more)
        f->ids[f->count++] = id;
}

static void search_stretch(struct finding *f, struct store *store, int64_t first, int64_t last)
{
    sqlite3_stmt *s = store_statement(store,
        "SELECT message, data FROM history WHERE number BETWEEN ?1 AND ?2 AND message <> 0"
        " ORDER BY number DESC");
    if (s == NULL)
        return;
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, last);
    while (!f->more && sqlite3_step(s) == SQLITE_ROW)
        if (row_names(data_of(s, 1), f->what))
            find_id(f, (uint64_t)sqlite3_column_int64(s, 0));
    sqlite3_reset(s);
}

static bool search(struct finding *f, struct store *store)
{
    int code = SQLITE_ERROR;
    sqlite3_stmt *s = store_statement(store,
        "SELECT first, last, bits FROM history_filters ORDER BY first DESC");
    while (s != NULL && !f->more && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct slice bits = data_of(s, 2);
        if (bits.len != FILTER_BYTES || filter_may_have((const uint8_t *)bits.data, f->key))
            search_stretch(f, store, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1));
    }
    if (s != NULL)
        sqlite3_reset(s);
    return f->more || code == SQLITE_DONE;
}

bool lives_find(struct history *h, struct store *store, struct slice what, size_t limit,
                json_t *list, bool *out_more)
{
    struct mail_id id;
    json_t *life;
    (void)h;
    if (mail_id_parse(what, &id)) {
        life = life_value(store, id.value);
        if (life != NULL)
            json_array_append_new(list, life);
        return true;
    }
    if (what.len > 2 && what.data[0] == '<' && what.data[what.len - 1] == '>')
        what = slice_part(what, 1, what.len - 2);
    struct finding f = { .what = what, .key = filter_key(what), .limit = limit,
                         .ids = calloc(limit, sizeof(uint64_t)) };
    bool good = f.ids != NULL && search(&f, store);
    for (size_t i = 0; good && i < f.count; i++)
        if ((life = life_value(store, f.ids[i])) != NULL)
            json_array_append_new(list, life);
    free(f.ids);
    *out_more = f.more;
    return good;
}
