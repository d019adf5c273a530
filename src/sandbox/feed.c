/* feed.c: from the log into the tables, some milliseconds at a time, each in one transaction
 * with the place in the log that it ended at. */
#include "sandbox/box_private.h"

#include "log/log.h"

#include <stdlib.h>
#include <time.h>

enum { FEED_MS = 8, FEED_ITEMS = 200, RECIPIENTS_MAX = 1000, NEWS_MAX = 2 * RECIPIENTS_MAX };

/* Rows that one message becomes: one for each inbox, and one for those who have none. */
struct targets {
    struct inbox_ref all[RECIPIENTS_MAX];
    size_t count;
};

static void add_target(struct targets *t, struct inbox_ref ref)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->all[i].id == ref.id && t->all[i].workspace == ref.workspace)
            return;
    if (t->count < RECIPIENTS_MAX)
        t->all[t->count++] = ref;
}

static void find_targets(struct box *box, const struct capture_message *m, struct targets *out)
{
    const struct envelope *e = &m->envelope;
    out->count = 0;
    for (size_t i = 0; i < e->recipients_count; i++) {
        struct inbox_ref ref = { .workspace = BOX_COMMON };
        inbox_for(box, e->recipients[i].address, m->facts.account, &ref);
        add_target(out, ref);
    }
}

static bool add_body(struct box *box, const struct capture_item *item, size_t uses)
{
    const struct capture_message *m = &item->message;
    sqlite3_stmt *s = db_statement(box, "INSERT OR REPLACE INTO body VALUES (?1, ?2, ?3)");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)item->place);
    db_bind_blob(s, 2, slice_make(m->extents, m->extents_count * sizeof *m->extents));
    sqlite3_bind_int64(s, 3, (int64_t)uses);
    return db_run(s);
}

static void join_addresses(json_t *list, struct buffer *out)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        buffer_append_string(out, json_string_value(json_object_get(item, "name")));
        buffer_append_byte(out, ' ');
        buffer_append_string(out, json_string_value(json_object_get(item, "address")));
        buffer_append_byte(out, ' ');
    }
}

static void bind_addresses(sqlite3_stmt *s, int at, json_t *list, struct buffer *room)
{
    buffer_clear(room);
    join_addresses(list, room);
    sqlite3_bind_text64(s, at, buffer_len(room) == 0 ? "" : room->memory, buffer_len(room),
                        SQLITE_TRANSIENT, SQLITE_UTF8);
}

static bool index_it(struct box *box, int64_t seq, const struct detail *d)
{
    static const char *const lists[] = { "to", "cc", "bcc", "replyTo" };
    struct buffer room;
    sqlite3_stmt *s = db_statement(box,
        "INSERT INTO fts (rowid, subject, text, sender, receiver, cc, bcc, reply_to, message_id) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    if (s == NULL)
        return false;
    buffer_init(&room, 1024 * 1024);
    json_t *from = json_pack("[O]", json_object_get(d->summary, "from"));
    sqlite3_bind_int64(s, 1, seq);
    db_bind(s, 2, slice_from_string(json_string_value(json_object_get(d->summary, "subject"))));
    db_bind(s, 3, buffer_slice(&d->text));
    bind_addresses(s, 4, from, &room);
    for (int i = 0; i < 4; i++)
        bind_addresses(s, 5 + i, json_object_get(d->summary, lists[i]), &room);
    db_bind(s, 9, slice_from_string(json_string_value(json_object_get(d->summary,
                                                                      "messageId"))));
    bool good = db_run(s);
    json_decref(from);
    buffer_free(&room);
    return good;
}

static size_t count_inlines(const struct detail *d)
{
    size_t i, count = 0;
    json_t *file;
    json_array_foreach(json_object_get(d->whole, "files"), i, file)
        count += json_is_false(json_object_get(file, "attachment"));
    return count;
}

/* The first has the id that the client was told; the others have it with a number. */
static void append_id(struct buffer *out, struct mail_id id, size_t number)
{
    mail_id_append(out, id);
    if (number > 0)
        buffer_append_format(out, "-%zu", number + 1);
}

static bool add_shown(struct box *box, int64_t seq, const struct detail *d)
{
    sqlite3_stmt *s = db_statement(box, "INSERT INTO shown VALUES (?1, ?2, ?3)");
    char *summary = json_dumps(d->summary, JSON_COMPACT);
    char *whole = json_dumps(d->whole, JSON_COMPACT);
    bool good = s != NULL && summary != NULL && whole != NULL;
    if (good) {
        sqlite3_bind_int64(s, 1, seq);
        db_bind(s, 2, slice_from_string(summary));
        db_bind(s, 3, slice_from_string(whole));
        good = db_run(s);
    }
    free(summary);
    free(whole);
    return good;
}

static int64_t add_row(struct box *box, const struct capture_item *item, const struct detail *d,
                       const struct inbox_ref *ref, struct slice id)
{
    const struct capture_message *m = &item->message;
    sqlite3_stmt *s = db_statement(box,
        "INSERT INTO message SELECT NULL, ?1, ?2, space, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9 FROM "
        "workspace WHERE id = ?2");
    if (s == NULL)
        return 0;
    db_bind(s, 1, id);
    sqlite3_bind_int64(s, 2, ref->workspace);
    sqlite3_bind_int64(s, 3, ref->id);
    sqlite3_bind_int64(s, 4, (int64_t)m->session);
    sqlite3_bind_int64(s, 5, m->received_wall_ms);
    sqlite3_bind_int64(s, 6, (int64_t)m->size);
    sqlite3_bind_int64(s, 7, json_integer_value(json_object_get(d->summary, "attachments")));
    sqlite3_bind_int64(s, 8, (int64_t)count_inlines(d));
    sqlite3_bind_int64(s, 9, (int64_t)item->place);
    int64_t seq = db_run(s) ? sqlite3_last_insert_rowid(box->db) : 0;
    return seq != 0 && add_shown(box, seq, d) && index_it(box, seq, d) ? seq : 0;
}

/* The oldest of an inbox that has more than it may. */
static void keep_quota(struct box *box, const struct inbox_ref *ref)
{
    sqlite3_stmt *s;
    if (ref->id == 0 || ref->quota == 0)
        return;
    for (;;) {
        s = db_statement(box, "SELECT seq FROM message WHERE inbox = ?1 ORDER BY seq DESC LIMIT 1 "
                              "OFFSET ?2");
        sqlite3_bind_int64(s, 1, ref->id);
        sqlite3_bind_int64(s, 2, ref->quota);
        int64_t seq = db_number(s, 0);
        if (seq == 0 || !message_remove(box, seq))
            return;
    }
}

static json_t *told_summary(struct box *box, int64_t seq)
{
    json_t *made = NULL;
    sqlite3_stmt *s = db_statement(box, "SELECT " MESSAGE_COLUMNS " FROM message m WHERE seq = ?1");
    sqlite3_bind_int64(s, 1, seq);
    if (db_row(s))
        made = message_summary(s);
    sqlite3_reset(s);
    return made;
}

static bool tell_hooks(struct box *box, int64_t seq, const struct inbox_ref *ref)
{
    json_t *summary = box->hooks == 0 ? NULL : told_summary(box, seq);
    bool good = summary == NULL || hooks_tell(box, HOOK_RECEIVED, ref->workspace, ref->id, summary);
    json_decref(summary);
    return good;
}

/* What was taken up, to be told when the transaction is over. */
struct news {
    int64_t seqs[NEWS_MAX];
    int64_t workspaces[NEWS_MAX];
    size_t count;
};

static bool has_room(const struct news *news)
{
    return news->count + RECIPIENTS_MAX <= NEWS_MAX;
}

static bool add_rows(struct box *box, const struct capture_item *item, const struct detail *d,
                     struct news *news)
{
    struct targets targets;
    char bytes[BOX_ID_MAX];
    find_targets(box, &item->message, &targets);
    if (!add_body(box, item, targets.count))
        return false;
    for (size_t i = 0; i < targets.count; i++) {
        struct buffer id = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
        append_id(&id, item->message.id, i);
        int64_t seq = add_row(box, item, d, &targets.all[i], buffer_slice(&id));
        if (seq == 0)
            return false;
        message_add_tags(box, seq, d->tags);
        if (!tell_hooks(box, seq, &targets.all[i]))
            return false;
        keep_quota(box, &targets.all[i]);
        box->numbers.newest = seq;
        news->seqs[news->count] = seq;
        news->workspaces[news->count++] = targets.all[i].workspace;
    }
    return true;
}

/* Kept in mind meanwhile, for a successor. */
static bool take_apart(struct box *box, const struct capture_item *item, struct slice raw,
                       struct detail *out)
{
    int64_t name = (int64_t)item->place + 1;
    if (name == box->poison)
        return detail_make_opaque(&item->message, out);
    if (box->options.trying != NULL)
        *box->options.trying = name;
    bool good = detail_make(&item->message, raw, out);
    if (box->options.trying != NULL)
        *box->options.trying = 0;
    return good;
}

/* What is not whole was never answered with 250. */
static bool take_message(struct box *box, const struct capture_item *item, struct news *news)
{
    const struct capture_message *m = &item->message;
    struct buffer raw;
    struct detail d;
    buffer_init(&raw, BOX_RAW_MAX);
    bool is_there = capture_read_content(box->options.log, m->extents, m->extents_count, &raw);
    bool good = !is_there || take_apart(box, item, buffer_slice(&raw), &d);
    if (is_there && good) {
        good = add_rows(box, item, &d, news);
        box->numbers.accepted++;
        box->numbers.accepted_bytes += m->size;
    }
    if (is_there)
        detail_free(&d);
    buffer_free(&raw);
    return good;
}

static bool set_meta(struct box *box, struct slice name, int64_t value)
{
    sqlite3_stmt *s = db_statement(box, "INSERT OR REPLACE INTO meta VALUES (?1, ?2)");
    db_bind(s, 1, name);
    sqlite3_bind_int64(s, 2, value);
    return db_run(s);
}

static void tell_news(struct box *box, const struct news *news)
{
    for (size_t i = 0; i < news->count; i++) {
        json_t *summary = told_summary(box, news->seqs[i]);
        if (summary != NULL)
            box_tell(box, BOX_NEW, news->workspaces[i], summary);
        json_decref(summary);
    }
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool box_feed(struct box *box)
{
    struct news news = { .count = 0 };
    bool more = true, good = !box->is_broken;
    int64_t end = clock_ms() + FEED_MS;
    uint64_t before = box->reader.place;
    if (!good || !capture_read(&box->reader))
        return false;
    good = db_exec(box, "BEGIN IMMEDIATE");
    for (size_t i = 1; good; i++) {
        const struct capture_item *item = &box->reader.item;
        good = item->kind == CAPTURE_MESSAGE ? take_message(box, item, &news)
                                             : session_take(box, item);
        if (i >= FEED_ITEMS || !has_room(&news) || clock_ms() >= end)
            break;
        more = good && capture_read(&box->reader);
        if (!more)
            break;
    }
    good = good && set_meta(box, SLICE("place"), (int64_t)box->reader.place) &&
           set_meta(box, SLICE("newest"), box->numbers.newest) && db_exec(box, "COMMIT");
    if (!good) {
        struct log_line line;
        log_begin(&line, LOG_ERROR, "store");
        log_string(&line, "error", sqlite3_errmsg(box->db));
        log_end(&line);
        db_exec(box, "ROLLBACK");
        box->reader.place = before;
        return false; /* tried again with what comes next */
    }
    tell_news(box, &news);
    return more;
}

/* A message that is taken back again. */
void box_warm(struct box *box)
{
    const struct capture_item item = { .kind = CAPTURE_MESSAGE, .message = { .size = 1 } };
    const struct inbox_ref ref = { .workspace = BOX_COMMON };
    struct detail d;
    if (box->is_broken || !db_exec(box, "BEGIN IMMEDIATE"))
        return;
    if (detail_make(&item.message, SLICE("Subject: x\r\n\r\nx\r\n"), &d)) {
        int64_t seq = add_body(box, &item, 1) ? add_row(box, &item, &d, &ref, SLICE("warm")) : 0;
        json_decref(seq == 0 ? NULL : told_summary(box, seq));
        json_decref(box_message(box, BOX_COMMON, SLICE("warm")));
    }
    detail_free(&d);
    db_exec(box, "ROLLBACK");
}
