/* history_private.h: entries, the ring, the tables. */
#ifndef GODWIT_HISTORY_HISTORY_PRIVATE_H
#define GODWIT_HISTORY_HISTORY_PRIVATE_H

#include "event/timer.h"
#include "history/history.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- entry.c: one event as bytes ----
 *
 * kind, time, then fields until the end of the entry: a tag, and a number of 7 bits a byte,
 * the lowest first, or such a length and a text. In a row several entries follow one another,
 * each after its length, and a text that is that of the same field before is left out. */

enum entry_tag {
    ENTRY_SESSION = 1, ENTRY_SIZE, ENTRY_ATTEMPTS, ENTRY_DELAY, ENTRY_NEXT, ENTRY_CODE,
    ENTRY_STATUS, ENTRY_REMOTE_REPLY, ENTRY_RECIPIENTS, ENTRY_HELD, ENTRY_TLS_WANTED,
    ENTRY_TLS_HAD, ENTRY_TLS_PROMISE, ENTRY_TLS_FAILURE, ENTRY_TLS_RESUMED, ENTRY_CONNECT,
    ENTRY_HANDSHAKE, ENTRY_TRANSACTION, ENTRY_REUSED, ENTRY_LOST,
    ENTRY_TEXTS = 32,          /* those that follow are texts */
    ENTRY_PEER = 32, ENTRY_HELO, ENTRY_ACCOUNT, ENTRY_FROM, ENTRY_TO, ENTRY_REPLY, ENTRY_SITE,
    ENTRY_MESSAGE_ID, ENTRY_TLS, ENTRY_CIPHER, ENTRY_TLS_WHY, ENTRY_TLS_TROUBLE, ENTRY_TEXT,
    ENTRY_TAGS,
    ENTRY_SAME = 64,           /* the text of before */
};

enum {
    ENTRY_MAX = 16 * 1024,
    ENTRY_KIND_LOST = 200,     /* beside enum mail_event_kind: events were lost */
    ENTRY_KIND_REPORT_OF = 201, /* the message is a report; ENTRY_TEXT: of which */
};

/* Appends it; recipients of an acceptance as many as there is room for. */
void entry_append(struct buffer *out, const struct mail_event *event);
void entry_append_lost(struct buffer *out, int64_t wall_ms, uint64_t count);
void entry_append_report_of(struct buffer *out, int64_t wall_ms, struct slice id);

struct entry_field {
    enum entry_tag tag;
    uint64_t number;
    struct slice text;
};

struct entry_reader {
    struct slice rest;
    struct slice last[ENTRY_TAGS]; /* the texts, for those that are left out */
    bool failed;                   /* it is no such thing */
};

/* Takes the beginning of the entry. */
void entry_begin(struct entry_reader *r, struct slice entry, unsigned *out_kind,
                 int64_t *out_wall_ms);
/* False: at the end, or it failed. A field that is not known is passed over. */
bool entry_next(struct entry_reader *r, struct entry_field *out);

/* A row: begins with the reader zeroed; the entries after another. */
void row_add(struct buffer *row, struct entry_reader *shared, struct slice entry);
bool row_next(struct slice *row, struct slice *out_entry);

/* value.c: as JSON; the reader goes on from entry to entry of a row. NULL: it is damaged, or
 * there is no memory. */
json_t *entry_value(struct entry_reader *r, struct slice entry, uint64_t number, uint64_t id);

/* ---- filter.c: which stretch of the history may tell of an address or a Message-ID ---- */

enum { FILTER_BYTES = 8192, FILTER_KEYS_MAX = 4096, FILTER_ROWS_MAX = 20000 };

/* Of a text without regard to the case of letters; the same at every start. */
uint64_t filter_key(struct slice text);
void filter_add(uint8_t bits[FILTER_BYTES], uint64_t key);
bool filter_may_have(const uint8_t bits[FILTER_BYTES], uint64_t key);

/* ---- ring.c ---- */

struct ring;

struct ring_entry {
    uint64_t serial;
    uint64_t message;
    struct slice bytes;        /* in the reader's own buffer */
};

enum err ring_open(const char *path, struct ring **out);
void ring_close(struct ring **ring);
/* Any thread. False: there is no room. */
bool ring_put(struct ring *ring, uint64_t message, struct slice entry);
bool ring_is_empty(struct ring *ring);
uint64_t ring_serial(struct ring *ring); /* of the newest entry */
/* What is there now, as one block that ring_take() walks; any thread that is the only
 * reader. *out_until is for ring_drop(). */
bool ring_copy(struct ring *ring, struct buffer *out, uint64_t *out_until);
bool ring_take(struct slice *block, struct ring_entry *out);
/* All up to there is kept elsewhere by now. */
void ring_drop(struct ring *ring, uint64_t until);

/* ---- the history ---- */

struct history {
    struct event_sink sink;
    struct history_options options;
    struct ring *ring;
    atomic_bool is_armed;
    atomic_ullong told;
    atomic_ullong lost;
    atomic_ullong lost_untold;
    atomic_bool is_off;
    atomic_llong keep_ms;      /* of the configuration, for the store's thread */
    atomic_ullong size_bytes;
    struct task arm;           /* posted by whoever tells the first event */
    struct timer timer;        /* to write */
    struct timer tidy;         /* to forget, also when nothing comes */
    struct store_job write;
    bool is_writing;
    bool again;
    bool is_stopped;
    uint64_t written_until;    /* by the job under way, */
    bool written_some;         /* and there may be more */
    struct store_job show;     /* to the file of events */
    bool is_showing;
    bool show_more;            /* set by the job */
    pthread_mutex_t path_lock;
    char *path;                /* of that file, or NULL; under the lock */
    /* the store's thread's */
    uint8_t bits[FILTER_BYTES];
    uint64_t next_number;      /* as it was left; 0: read it all again */
    uint64_t filter_first;
    uint32_t filter_keys;
    struct buffer block;
    struct buffer row;
};

/* rows.c, on the store's thread: a new number for each event of the ring, of some of them
 * where there are many: until there, *out_count of them; forgets some. */
bool rows_write(struct history *h, struct store *store, uint64_t *out_until, size_t *out_count);
bool rows_forget(struct history *h, struct store *store, int64_t now_wall_ms, size_t most);
/* The events after `number` as JSON into the list, at most so many; *out_after is the last. */
bool rows_after(struct store *store, uint64_t number, size_t limit, json_t *list,
                uint64_t *out_after);
bool rows_number(struct store *store, const char *sql, uint64_t *out);

/* life.c, on the store's thread. */
json_t *life_value(struct store *store, uint64_t message);
bool lives_find(struct history *h, struct store *store, struct slice what, size_t limit,
                json_t *list, bool *out_more);

/* file.c: gives the file, where there is one, what it has not been given yet. */
void history_show(struct history *h);
bool history_show_to(struct history *h, struct slice path); /* false: no memory */

#endif
