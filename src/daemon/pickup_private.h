/* pickup_private.h: one pickup and the one file that it works on. */
#ifndef GODWIT_DAEMON_PICKUP_PRIVATE_H
#define GODWIT_DAEMON_PICKUP_PRIVATE_H

#include "daemon/pickup.h"

#include "event/timer.h"
#include "mail/maildrop.h"
#include "wire/smtp/content.h"

enum {
    PICKUP_PERIOD_MS = 5 * 1000,
    PICKUP_NAMES_MAX = 1000,       /* looked at in one round */
    PICKUP_PIECE_BYTES = 64 * 1024,
    PICKUP_MEMORY_MAX = 64 * 1024 * 1024,
};

enum pickup_phase {
    PICKUP_IDLE,
    PICKUP_READING,    /* content goes into the writer */
    PICKUP_WAITING,    /* for the intake to have room */
    PICKUP_REPORTING,  /* the commit of a report is under way */
    PICKUP_COMMITTING,
};

/* The file being taken up. Dropping it is the reset. */
struct pickup_file {
    const char *name;              /* of the round's list */
    int fd;                        /* -1: none */
    struct arena arena;
    struct buffer head_bytes;      /* what the head borrows from */
    struct maildrop_head head;
    struct envelope_recipient *unknown;
    size_t unknown_count;
    uint64_t offset;               /* of the content not read yet, in the file */
    uint64_t end;
    struct content_decoder decoder;
    char *piece;
    struct slice input;            /* of piece, not decoded yet */
    struct intake_writer *writer;
    struct envelope envelope;      /* as committed */
};

struct pickup {
    struct pickup_options options;
    const struct config *config;
    int folder;
    struct timer timer;            /* the next round, or the next piece */
    struct deferred next;          /* the next file, when no callback is on the stack */
    enum pickup_phase phase;
    char **names;
    size_t names_count;
    size_t names_at;
    struct pickup_file file;
    bool draining;
    bool stuck;                    /* a file cannot be removed: it would come again */
};

/* pickup_file.c */
enum pickup_found {
    PICKUP_TAKEN,    /* the file is open, its head read */
    PICKUP_GONE,     /* somebody else removed it, or it was put aside */
    PICKUP_LATER,    /* want of memory or descriptors: next round */
};
void pickup_list(struct pickup *p);
void pickup_forget_list(struct pickup *p);
enum pickup_found pickup_file_open(struct pickup *p, const char *name);
void pickup_file_drop(struct pickup *p);
void pickup_put_aside(struct pickup *p, const char *name, const char *why);
void pickup_remove(struct pickup *p, const char *name);

/* pickup_report.c: tells the sender of the unknown recipients. False when that cannot
 * be begun now; otherwise pickup_reported() follows. */
bool pickup_report(struct pickup *p);
void pickup_reported(struct pickup *p, enum err result);

#endif
