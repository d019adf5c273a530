/* index_private.h: what is live, in memory: about 90 bytes a message.
 *
 * Everything here is under the spool's lock, but making and freeing an entry or a
 * change. Only the log's writer (and recovery) changes the index, after the record
 * is durable. Addresses and contents are not here: they stand in the log and the
 * checkpoint.
 */
#ifndef GODWIT_SPOOL_INDEX_PRIVATE_H
#define GODWIT_SPOOL_INDEX_PRIVATE_H

#include "base/table.h"
#include "spool/commit_private.h"
#include "spool/map_private.h"

struct spool;

struct spool_place {
    uint32_t segment;
    uint32_t offset;
    uint32_t length; /* of the payload */
};

/* A reply's text, shared by all recipients that were told the same. */
struct spool_reason {
    struct table_entry entry;
    uint32_t references;
    uint32_t checkpoint; /* the pass that numbered it last */
    uint32_t number;
    char text[];
};

struct spool_state {
    struct spool_reason *reason; /* or NULL */
    int64_t next_due_wall_ms;
    uint16_t attempts;
    uint16_t code;
    uint32_t packed;             /* state and status: spool_state_of() */
};

enum recipient_state spool_state_of(const struct spool_state *state);
struct smtp_status spool_status_of(const struct spool_state *state);
/* Beside them: the sender knows of a delay. */
#define SPOOL_STATE_TOLD (1u << 31)
uint32_t spool_state_pack(enum recipient_state state, struct smtp_status status);

/* A segment that holds a chunk of the message. */
struct spool_pin {
    uint32_t segment;
    uint32_t bytes;
};

enum {
    SPOOL_ENTRY_LARGE = 1,   /* has a file */
    SPOOL_ENTRY_CORRUPT = 2, /* found not to check; told about */
};

struct spool_entry {
    uint64_t id;
    struct spool_place place; /* of the commit */
    uint8_t flags;
    uint8_t pass;             /* the checkpoint that has it; 0 for none */
    uint16_t pins_count;
    uint32_t count;           /* recipients */
    uint32_t live;            /* of them with no final state */
    struct spool_state states[]; /* and after them the pins */
};

static inline struct spool_pin *spool_entry_pins(struct spool_entry *entry)
{
    return (struct spool_pin *)(void *)(entry->states + entry->count);
}

/* The change of one recipient, ready to apply without memory. */
struct spool_change {
    uint64_t id;
    uint32_t recipient;
    struct spool_state state; /* owns a reference to its reason */
};

struct spool_index {
    struct spool_map entries;
    struct table reasons;
    uint64_t recipients_live;
    bool is_replaying; /* segments are counted at the end, not at each change */
};

void spool_index_free(struct spool_index *index);

/* An entry as its commit says it; NULL without memory. No lock needed. */
struct spool_entry *spool_entry_make(const struct spool_brief *brief, size_t pins,
                                     bool is_large);
/* Gives up the reasons: under the lock. NULL is fine. */
void spool_entry_free(struct spool *spool, struct spool_entry *entry);

/* One more reference; NULL for an empty text or without memory. */
struct spool_reason *spool_reason_take(struct spool *spool, struct slice text);
void spool_reason_drop(struct spool *spool, struct spool_reason *reason);

/* False without memory for the reason. */
bool spool_change_make(struct spool *spool, const struct recipient_update *update,
                       struct spool_change *out_change);

/* Takes the entry, whose id must be new; room must have been reserved. */
void spool_index_add(struct spool *spool, struct spool_entry *entry);
/* Takes the change's reason. Removes the message with its last recipient. */
void spool_index_change(struct spool *spool, struct spool_change *change);
void spool_index_remove(struct spool *spool, struct spool_entry *entry);
/* Puts the message to a new place; as many pins as it has. */
void spool_index_move(struct spool *spool, struct spool_entry *entry,
                      struct spool_place place, const struct spool_pin *pins);
/* Counts the entry's bytes to its segments. False: one of them is not there. */
bool spool_index_count(struct spool *spool, const struct spool_entry *entry);

#endif
