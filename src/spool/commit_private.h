/* commit_private.h: what stands in the payloads of the log, written and read.
 *
 * Pure: bytes in, values out, no memory but the caller's. What is parsed borrows
 * from the payload.
 */
#ifndef GODWIT_SPOOL_COMMIT_PRIVATE_H
#define GODWIT_SPOOL_COMMIT_PRIVATE_H

#include "base/buffer.h"
#include "base/record.h"
#include "mail/intake.h"

enum {
    SPOOL_PREFIX_MAX = 65536,
    SPOOL_RECIPIENTS_MAX = 65536,
    SPOOL_ADDRESS_MAX = 4096,
    SPOOL_CHUNKS_MAX = 65535,
    /* Where the brief of a commit begins in its payload. */
    SPOOL_BRIEF_AT = 8,
    /* In the byte of a recipient's state: the sender knows of the delay. */
    SPOOL_TOLD = 128,
};

/* A part of a body. Segment 0: it stands in the message's file, after the parts
 * before it. */
struct spool_chunk {
    uint32_t segment;
    uint32_t offset; /* of the frame's header */
    uint32_t length;
    uint32_t crc;
};

/* What the queue has to know of a message; kept in checkpoints too. */
struct spool_brief {
    struct mail_id id;
    int64_t received_wall_ms;
    int64_t not_before_wall_ms;
    uint64_t content_size;
    bool hold;
    bool is_report;
    uint32_t recipients_count;
    struct slice sender;
    struct slice recipients; /* encoded: spool_brief_recipient(); more may follow */
    struct slice hold_request;
    int8_t priority;
    bool require_tls;
    int64_t deliver_by_wall_ms;
    bool by_returns;
    bool by_traces;
};

struct spool_commit {
    struct slice brief_bytes;
    struct spool_brief brief;
    struct slice fixed_bytes; /* the envelope's rest and the prefix, encoded */
    struct envelope envelope; /* without recipients */
    struct slice orcpts;      /* encoded, one slice a recipient */
    struct slice prefix;
    uint32_t updates_count;
    struct slice updates;     /* encoded: spool_update_take() */
    uint32_t chunks_count;
    struct slice chunks;      /* encoded: spool_chunk_at() */
    struct slice tail;        /* the end of the body */
};

/* Appends everything but the chunks and the tail. False: something is beyond its
 * limit (buffer_overflow is apart). */
bool spool_commit_encode(struct buffer *out, struct mail_id id, uint64_t content_size,
                         const struct intake_commit *commit);
void spool_chunks_encode(struct buffer *out, const struct spool_chunk *chunks,
                         size_t count);

/* The same message again, with other chunks and without its updates. */
void spool_commit_encode_again(struct buffer *out, const struct spool_commit *commit,
                               const struct spool_chunk *chunks, size_t count);

bool spool_commit_parse(struct slice payload, struct spool_commit *out_commit);

/* From the first bytes of a payload: the brief alone, which checks by itself. */
bool spool_brief_find(struct slice payload, struct slice *out_brief);
bool spool_brief_parse(struct slice brief, struct spool_brief *out_brief);
/* Takes the next recipient; false after the last. */
bool spool_brief_recipient(struct record *recipients,
                           struct envelope_recipient *out_recipient);

struct spool_chunk spool_chunk_at(const struct spool_commit *commit, size_t index);

void spool_update_encode(struct buffer *out, const struct recipient_update *update);
/* The reason borrows. False at the end or on what cannot be. */
bool spool_update_take(struct record *updates, struct recipient_update *out_update);

void spool_note_encode(struct buffer *out, struct slice key, struct slice value);
bool spool_note_parse(struct slice payload, struct slice *out_key,
                      struct slice *out_value);

#endif
