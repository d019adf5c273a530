/* box.c: opened, tidied, closed; workspaces. */
#include "sandbox/box_private.h"

#include "crypto/digest.h"
#include "crypto/password.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TIDY_MS = 500, TIDY_ROWS = 200, KEY_MAX = 256 };

bool box_random(size_t characters, struct buffer *out)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz012345";
    uint8_t bytes[64];
    if (characters > sizeof bytes || crypto_random(bytes, characters) != ERR_OK)
        return false;
    for (size_t i = 0; i < characters; i++)
        buffer_append_byte(out, alphabet[bytes[i] % 32]);
    return !out->overflow;
}

static int64_t get_meta(struct box *box, struct slice name)
{
    sqlite3_stmt *s = db_statement(box, "SELECT value FROM meta WHERE name = ?1");
    db_bind(s, 1, name);
    return db_number(s, 0);
}

/* The octets of spaces that were given up, and of messages beyond what is kept. */
static bool remove_some(struct box *box, sqlite3_stmt *chosen)
{
    int64_t rows[TIDY_ROWS];
    size_t count = 0;
    while (count < TIDY_ROWS && db_row(chosen))
        rows[count++] = sqlite3_column_int64(chosen, 0);
    if (chosen != NULL)
        sqlite3_reset(chosen);
    if (count == 0)
        return false;
    db_exec(box, "BEGIN");
    for (size_t i = 0; i < count; i++)
        message_remove(box, rows[i]);
    db_exec(box, "COMMIT");
    return true;
}

static uint64_t bytes_on_disk(const struct box *box)
{
    struct stat status;
    return fstat(box->options.log, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
}

/* How many are too many now, at most a handful at a time where it is for the room. */
static int64_t excess(struct box *box)
{
    uint64_t total = 0, unread, max = box->options.messages_max;
    if (box->options.bytes_max > 0 &&
        bytes_on_disk(box) > box->options.bytes_max - box->options.bytes_max / 8)
        return 10;
    if (max == 0)
        return 0;
    box_count(box, 0, &total, &unread);
    return total > max ? (int64_t)(total - max) : 0;
}

/* What was reset, some at a time. */
static bool remove_gone(struct box *box)
{
    sqlite3_stmt *s = db_statement(box, "SELECT space FROM gone LIMIT 1");
    int64_t space = db_number(s, 0);
    if (space == 0)
        return false;
    s = db_statement(box, "SELECT seq FROM message WHERE space = ?1 LIMIT 200");
    sqlite3_bind_int64(s, 1, space);
    if (remove_some(box, s))
        return true;
    s = db_statement(box, "DELETE FROM gone WHERE space = ?1");
    sqlite3_bind_int64(s, 1, space);
    return db_run(s);
}

/* True: there is more to do. */
static bool tidy(struct box *box)
{
    int64_t now = loop_now(box->options.loop).wall_ms;
    inbox_expire(box, now);
    hooks_tidy(box);
    if (remove_gone(box))
        return true;
    if (box->options.age_max_ms > 0) {
        sqlite3_stmt *old = db_statement(box, "SELECT seq FROM message WHERE received < ?1 "
                                              "ORDER BY seq LIMIT 200");
        sqlite3_bind_int64(old, 1, now - box->options.age_max_ms);
        if (remove_some(box, old))
            return true;
    }
    int64_t many = excess(box);
    sqlite3_stmt *oldest = db_statement(box, "SELECT seq FROM message ORDER BY seq LIMIT ?1");
    sqlite3_bind_int64(oldest, 1, many);
    return many > 0 && remove_some(box, oldest);
}

static void on_tidy(struct timer *timer)
{
    struct box *box = container_of(timer, struct box, tidy);
    timer_set(timer, tidy(box) ? 1 : TIDY_MS);
}

enum err box_open(const struct box_options *options, struct box **out)
{
    struct box *box = calloc(1, sizeof *box);
    if (box == NULL)
        return ERR_MEMORY;
    box->options = *options;
    box->numbers.started_ms = loop_now(options->loop).wall_ms;
    list_init(&box->watchers);
    if (options->trying != NULL) {
        box->poison = *options->trying;
        *options->trying = 0;
    }
    enum err error = db_open(box);
    if (error != ERR_OK) {
        db_close(box);
        free(box);
        return error;
    }
    hooks_open(box);
    capture_reader_init(&box->reader, options->log, (uint64_t)get_meta(box, SLICE("place")));
    box->numbers.newest = get_meta(box, SLICE("newest"));
    timer_init(&box->tidy, options->loop, on_tidy);
    timer_set(&box->tidy, TIDY_MS);
    *out = box;
    return ERR_OK;
}

void box_close(struct box **box)
{
    struct box *b = *box;
    if (b == NULL)
        return;
    timer_clear(&b->tidy);
    capture_reader_free(&b->reader);
    json_decref(b->zone);
    db_close(b);
    free(b);
    *box = NULL;
}

/* ---- workspaces ---- */

static bool digest_key(struct slice key, struct buffer *out)
{
    uint8_t octets[DIGEST_BYTES];
    struct digest *digest;
    if (digest_new(&digest) != ERR_OK)
        return false;
    digest_update(digest, key);
    bool good = digest_finish(digest, octets) == ERR_OK;
    digest_free(&digest);
    for (size_t i = 0; good && i < sizeof octets; i++)
        buffer_append_format(out, "%02x", octets[i]);
    return good && !out->overflow;
}

int64_t box_workspace(struct box *box, struct slice key)
{
    struct buffer digest;
    int64_t id = 0;
    if (key.len == 0)
        return BOX_COMMON;
    buffer_init(&digest, KEY_MAX);
    if (digest_key(key, &digest)) {
        sqlite3_stmt *find = db_statement(box, "SELECT id FROM workspace WHERE key = ?1");
        db_bind(find, 1, buffer_slice(&digest));
        id = db_number(find, 0);
        sqlite3_stmt *add = id != 0 ? NULL : db_statement(box,
            "INSERT INTO workspace SELECT NULL, ?1, max(max(space), (SELECT coalesce(max(space), 0) FROM "
            "gone)) + 1 FROM workspace");
        db_bind(add, 1, buffer_slice(&digest));
        if (add != NULL && db_run(add))
            id = sqlite3_last_insert_rowid(box->db);
    }
    buffer_free(&digest);
    return id;
}

/* The messages are of a space that is nobody's from now on; they go one by one, later. */
bool box_reset(struct box *box, int64_t workspace)
{
    sqlite3_stmt *s = db_statement(box,
        "UPDATE workspace SET space = (SELECT max(a, b) + 1 FROM (SELECT (SELECT max(space) FROM "
        "workspace) AS a, (SELECT coalesce(max(space), 0) FROM gone) AS b)) WHERE id = ?1");
    sqlite3_stmt *gone = db_statement(box, "INSERT OR IGNORE INTO gone SELECT space FROM workspace "
                                           "WHERE id = ?1");
    uint64_t total, unread;
    box_count(box, workspace, &total, &unread);
    sqlite3_bind_int64(gone, 1, workspace);
    sqlite3_bind_int64(s, 1, workspace);
    db_exec(box, "SAVEPOINT reset");
    bool good = db_run(gone) && db_run(s);
    db_exec(box, "RELEASE reset");
    if (!good)
        return false;
    box->numbers.deleted += total;
    box_tell(box, BOX_EMPTIED, workspace, NULL);
    timer_set(&box->tidy, 1);
    return true;
}

void box_numbers(struct box *box, struct box_numbers *out)
{
    *out = box->numbers;
    int64_t pages = db_number(db_statement(box, "PRAGMA page_count"), 0);
    int64_t size = db_number(db_statement(box, "PRAGMA page_size"), 0);
    out->database_bytes = (uint64_t)(pages * size) + bytes_on_disk(box);
}
