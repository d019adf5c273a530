/* suppression.h: the list of those whom nothing is sent to, and the gate that answers for it.
 *
 * An address comes on it by a failure for good, or by hand; it is there until a time or for
 * ever. All addresses are in memory, so that nobody waits for the disk; the rows behind them
 * are the store's. What a failure puts there may be lost by a crash within moments: the next
 * failure puts it there again. What is changed by hand is answered when it is durable.
 *
 * Addresses are canonical and in small letters: suppression_address().
 */
#ifndef GODWIT_POLICY_SUPPRESSION_H
#define GODWIT_POLICY_SUPPRESSION_H

#include "config/config.h"
#include "mail/gate.h"
#include "store/store.h"

enum {
    SUPPRESSION_WHY_MAX = 40,    /* octets of a word */
    SUPPRESSION_TEXT_MAX = 300,
    SUPPRESSION_ADDRESSES_MAX = 2000000,
};

/* To be given to store_open(). */
extern const struct store_module suppression_module;

struct suppression;

struct suppression_entry {
    struct slice address;
    struct slice why;            /* a word: "userunknown", "complaint", "manual" */
    struct slice text;           /* the reply, or what somebody said; raw */
    int64_t since_wall_ms;
    int64_t until_wall_ms;       /* 0: for ever */
};

/* Reads the list in the background; until it is there nobody is on it. `store` may be NULL:
 * it then lasts until the end of the process. It is closed before the list. ERR_MEMORY. */
enum err suppression_open(struct store *store, struct suppression **out);

/* NULL inside is allowed. */
void suppression_close(struct suppression **list);

/* Appends the form in which an address stands here; false, nothing appended: it is none. */
bool suppression_address(struct slice written, struct buffer *out);

/* Whether it is there at that time. *out_why has SUPPRESSION_WHY_MAX + 1 octets, ended by
 * NUL. Any thread. */
bool suppression_has(struct suppression *list, struct slice address, int64_t now_wall_ms,
                     char *out_why, int64_t *out_since_wall_ms);

/* Any thread: puts it there, or tells of it anew; all is copied. False: the list is full, or
 * there is no memory. An entry that lasts longer, or was made by hand, stays as it is. */
bool suppression_note(struct suppression *list, const struct suppression_entry *entry);

/* What is changed by hand. The caller's, with all that it points to, until done(). */
struct suppression_change {
    struct store_job job;        /* not the caller's */
    struct suppression *list;    /* likewise */
    bool removes;                /* the entries' addresses alone count */
    struct suppression_entry *entries;
    size_t count;
    struct home *home;
    void (*done)(struct suppression_change *change);
    size_t changed;              /* addresses: new, or other than before; or taken out */
    enum err result;             /* ERR_OK: durable; ERR_FULL: nothing of it was done, or the
                                    disk; else as of a store_job */
};
void suppression_change(struct suppression *list, struct suppression_change *change);

/* A page of the list, in the order of the addresses. */
struct suppression_page {
    struct store_job job;        /* not the caller's */
    struct buffer texts;         /* made by the caller, with its maximum */
    struct slice after;          /* the caller's: begins behind it */
    bool only;                   /* `after` alone, if it is there */
    struct suppression_entry *entries; /* made by the caller, room for `limit` */
    size_t limit;
    size_t count;
    bool more;
    int64_t now_wall_ms;         /* what has ended by then is left out */
    struct home *home;
    void (*done)(struct suppression_page *page);
    enum err result;
};
void suppression_read(struct suppression *list, struct suppression_page *page);

/* Drops what has ended: now and then. */
void suppression_expire(struct suppression *list, int64_t now_wall_ms);

/* At GATE_RCPT: who is ours (has logged in, is trusted, or comes by a submission listener)
 * hears 550 5.7.1 of a recipient on the list, where the configuration says so. The gate lives
 * as long as the list. */
struct gate *suppression_gate(struct suppression *list);

#endif
