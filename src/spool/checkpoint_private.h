/* checkpoint_private.h: the whole live state in one file.
 *
 * checkpoint = blocks: length(4) crc(4) payload. A crc covers the spool's number,
 * the checkpoint's number, the block's place and the payload. The first block is the
 * header, then notes, then entries, at last the trailer: a file without it is none.
 */
#ifndef GODWIT_SPOOL_CHECKPOINT_PRIVATE_H
#define GODWIT_SPOOL_CHECKPOINT_PRIVATE_H

#include "spool/spool_private.h"

enum {
    SPOOL_BLOCK_HEADER = 1,
    SPOOL_BLOCK_NOTES,
    SPOOL_BLOCK_ENTRIES,
    SPOOL_BLOCK_TRAILER,
    SPOOL_BLOCK_FRONT = 8,
    SPOOL_BLOCK_TARGET = 64 * 1024,
    SPOOL_BLOCK_MAX = 128 * 1024 * 1024,
    SPOOL_CHECKPOINT_VERSION = 1,
};

/* In a reason's number: its text follows here. */
#define SPOOL_REASON_DEFINED 0x80000000u

uint32_t spool_block_crc(uint64_t magic, uint64_t number, uint64_t block,
                         struct slice payload);

struct spool_checkpoint_header {
    uint64_t sequence;  /* every frame before it is in the checkpoint */
    uint64_t segment;   /* no frame from it on lies in an older segment */
    uint32_t generation;
};

struct spool_checkpoint_reader {
    struct spool *spool;
    uint64_t number;
    int file;
    uint64_t offset;
    uint64_t size;
    uint64_t block;
    struct buffer bytes;
};

enum err spool_checkpoint_open(struct spool *spool, uint64_t number,
                               struct spool_checkpoint_reader *out_reader);
void spool_checkpoint_close(struct spool_checkpoint_reader *reader);

/* The next block, its kind apart from the rest; lives until the next call.
 * ERR_ABSENT at the end, ERR_CORRUPT, ERR_IO, ERR_MEMORY. */
enum err spool_checkpoint_block(struct spool_checkpoint_reader *reader,
                                uint8_t *out_kind, struct slice *out_payload);

/* An entry in a block; all slices borrow. */
struct spool_checkpoint_entry {
    uint64_t id;
    struct spool_place place;
    uint8_t flags;
    uint16_t pins_count;
    uint32_t count;
    struct slice pins;   /* encoded */
    struct slice states; /* encoded: spool_checkpoint_state() */
    struct slice brief;
};

bool spool_checkpoint_take(struct record *block, struct spool_checkpoint_entry *out);

/* The next state of an entry. A reason of 0 is none; a defined one has its text. */
struct spool_checkpoint_state {
    struct recipient_update update; /* without id and recipient */
    uint32_t reason;
    bool defines;
};
bool spool_checkpoint_state(struct record *states, struct spool_checkpoint_state *out);

/* Its header alone. */
enum err spool_checkpoint_begins(struct spool *spool, uint64_t number,
                                 struct spool_checkpoint_header *out_header);

/* Whether the file is whole; its header. */
enum err spool_checkpoint_verify(struct spool *spool, uint64_t number,
                                 struct spool_checkpoint_header *out_header);

#endif
