/* box_private.h: the store (db.c), what comes in (feed.c, detail.c), and what is asked. */
#ifndef GODWIT_SANDBOX_BOX_PRIVATE_H
#define GODWIT_SANDBOX_BOX_PRIVATE_H

#include "capture/read.h"
#include "event/timer.h"
#include "sandbox/box.h"
#include "sandbox/hook.h"

#include <sqlite3.h>
#include <string.h>

enum { STATEMENTS_MAX = 240, BOX_ID_MAX = 64, BOX_RAW_MAX = 256 * 1024 * 1024 };

struct kept_statement {
    const char *sql;
    sqlite3_stmt *statement;
};

struct box {
    struct box_options options;
    sqlite3 *db;
    struct kept_statement statements[STATEMENTS_MAX];
    size_t statements_count;
    struct capture_reader reader;
    struct list watchers;
    struct box_numbers numbers;
    int64_t poison;              /* as trying: what ended the process before us; 0: nothing */
    json_t *zone;                /* of the common workspace, as it was read; or NULL */
    uint64_t hooks;              /* how many webhooks there are (hook.c) */
    struct timer tidy;           /* what is over goes */
    bool is_broken;              /* the store failed: nothing new is taken up */
};

/* db.c: one made statement for each static text; NULL: it cannot be made. Reset, unbound. */
sqlite3_stmt *db_statement(struct box *box, const char *sql);
bool db_exec(struct box *box, const char *sql);
enum err db_open(struct box *box);
void db_close(struct box *box);
/* Runs to its end; true when that was good. */
bool db_run(sqlite3_stmt *statement);
/* The next row; false: there is none. */
bool db_row(sqlite3_stmt *statement);
void db_bind(sqlite3_stmt *statement, int at, struct slice text); /* borrowed until reset */
void db_bind_blob(sqlite3_stmt *statement, int at, struct slice octets);
struct slice db_text(sqlite3_stmt *statement, int column);
/* A number, or `otherwise` where there is no row. */
int64_t db_number(sqlite3_stmt *statement, int64_t otherwise);

/* detail.c: what is shown of a message, made of its octets. False: memory is out. */
struct detail {
    json_t *summary;
    json_t *whole;
    json_t *tags;                /* that it brings along */
    struct buffer text;          /* for the index */
};
/* The same for one that nobody could take apart. */
bool detail_make_opaque(const struct capture_message *captured, struct detail *out);
bool detail_make(const struct capture_message *captured, struct slice raw, struct detail *out);
void detail_free(struct detail *detail);

/* message.c: a row of a statement that selects MESSAGE_COLUMNS, as a summary. */
#define MESSAGE_COLUMNS                                                                   \
    "m.seq, m.id, m.workspace, m.session, m.received, m.size, m.is_read, "                 \
    "(SELECT summary FROM shown WHERE shown.seq = m.seq), "                                \
    "(SELECT json_group_array(name) FROM (SELECT name FROM tag WHERE tag.seq = m.seq "     \
    "ORDER BY name)), (SELECT uid FROM inbox WHERE inbox.id = m.inbox)"
json_t *message_summary(sqlite3_stmt *row);
/* Takes it out of the tables; the octets go back to the disk with the last one that has them. */
bool message_remove(struct box *box, int64_t seq);
/* Of texts; no more than a message may have. */
void message_add_tags(struct box *box, int64_t seq, json_t *tags);

/* inbox.c: the inbox of a recipient, or 0. */
struct inbox_ref {
    int64_t id;
    int64_t workspace;
    uint32_t quota;
};
bool inbox_for(struct box *box, struct slice address, struct slice account,
               struct inbox_ref *out);
int64_t inbox_find(struct box *box, int64_t workspace, struct slice id);
void inbox_expire(struct box *box, int64_t now_ms);

/* fault_store.c: inboxes come and go, and with them those whom rules are for. */
void faults_may_have_changed(struct box *box);

/* hook.c: what is under way was not told to the end. */
bool hooks_open(struct box *box);
/* Queues what happened for those who want to know; within the caller's transaction. */
bool hooks_tell(struct box *box, enum hook_event event, int64_t workspace, int64_t inbox,
                json_t *what);
/* The inbox is gone. */
void hooks_of_inbox_gone(struct box *box, int64_t inbox);
/* Of what was told long ago, the record goes. */
void hooks_tidy(struct box *box);

/* watch.c */
void box_tell(struct box *box, enum box_event event, int64_t workspace, json_t *what);

/* session.c: an item of the log that is about a session. */
bool session_take(struct box *box, const struct capture_item *item);

/* Random text of lower case letters and digits. */
bool box_random(size_t characters, struct buffer *out);

#endif
