/* history.h: the life of each message, kept when it is long gone: accepted, every attempt,
 * held, released, deleted, reported, ended.
 *
 * An event that is told to the sink goes into a ring in shared memory of a file, so that
 * kill -9 loses none; from there, many in a transaction, into tables of the store. A power
 * cut may lose those of the last seconds. Where the ring is full (the disk is, or the store
 * does not keep up) events are dropped, counted, and the gap itself is an event. What is
 * older than `history.keep`, or over `history.size`, goes, the oldest first, in small steps.
 *
 * Every event has a number, greater than all before it: the cursor of a reader.
 *
 * The sink is for any thread and never waits for a disk or another's work; all else is for
 * the thread of the loop.
 */
#ifndef GODWIT_HISTORY_HISTORY_H
#define GODWIT_HISTORY_HISTORY_H

#include "config/config.h"
#include "event/loop.h"
#include "mail/event.h"
#include "store/store.h"

#include <jansson.h>

struct history;

/* The tables. */
extern const struct store_module history_module;

struct history_options {
    struct loop *loop;
    struct store *store;      /* its thread reads and writes; outlives the history */
    const char *ring_path;    /* a file of 8 MiB, made where there is none */
};

/* Takes up what an end without notice has left in the ring. ERR_MEMORY; ERR_FULL, ERR_DENIED,
 * ERR_IO: of the ring. */
enum err history_open(const struct history_options *options, const struct config *config,
                      struct history **out);

/* Takes a reference. */
void history_configure(struct history *history, const struct config *config);

/* The last events are handed to the store; after this the sink must not be used. Then the
 * store is closed, then the history. */
void history_stop(struct history *history);

/* NULL inside is allowed. */
void history_close(struct history **history);

struct event_sink *history_sink(struct history *history);

struct history_counts {
    uint64_t told;            /* events since the start */
    uint64_t lost;            /* of them: there was no room */
};
struct history_counts history_counts(const struct history *history);

/* ---- what is asked of it ---- */

struct history_asked {
    /* Once, on the loop; takes the answer; `complaint`, static, in its place. */
    void (*done)(struct history_asked *asked, json_t *answer, const char *complaint);
};

enum { HISTORY_LIVES_MAX = 1000, HISTORY_EVENTS_MAX = 1000 };

/* The lives of the messages that `what` names: an id, a Message-ID with or without its
 * brackets, or an address that sent or was sent to; the newest first, at most `limit`.
 * {"lives":[{"id","events":[..],"more"}],"more","keep_ms"}. False: it cannot be asked now. */
bool history_why(struct history *history, struct slice what, size_t limit,
                 struct history_asked *asked);

/* The events after that number in their order, at most `limit`:
 * {"events":[..],"after":N}, where N goes into the next question, and "first", the oldest
 * number there is. False: it cannot be asked now. */
bool history_events(struct history *history, uint64_t after, size_t limit,
                    struct history_asked *asked);

/* The event as `events` shows it, without a cursor; of any kind, on any thread; NULL without
 * memory. */
json_t *history_event_value(const struct mail_event *event);

/* What happened, as it is named: "relayed"; static. */
const char *history_event_name(enum mail_event_kind kind);

#endif
