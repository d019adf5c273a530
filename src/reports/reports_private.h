/* reports_private.h: the parts: what is noted (gather.c, dmarc.c, tls.c), the tables
 * (rows.c), to whom it goes (destinations.c), the mail (mail.c), and when (schedule.c). */
#ifndef GODWIT_REPORTS_REPORTS_PRIVATE_H
#define GODWIT_REPORTS_REPORTS_PRIVATE_H

#include "reports/reports.h"

#include "event/timer.h"

enum {
    REPORT_ROWS_MAX = 20000,      /* distinct ones in a report; what is more is not kept */
    REPORT_ROWS_SUM_MAX = 500000, /* in all reports, each of which counts as one */
    REPORT_DESTINATIONS_MAX = 10, /* HOSTILE 99 */
    REPORT_CONTENT_MAX = 25 * 1024 * 1024, /* before it is packed */
    REPORT_RECEIVED_MAX = 256 * 1024 * 1024, /* of others; a part of what the store may hold */
    REPORT_TEXT_MAX = 64 * 1024,  /* a policy, a row, a list of addresses */
};

/* As the tables say it. */
enum report_kind {
    REPORT_DMARC = 0,
    REPORT_TLS = 1,
};

enum report_state {
    REPORT_OPEN = 0,
    REPORT_SENT = 1,
    REPORT_UNWANTED = 2,          /* nobody asks for it, or who is named did not agree */
    REPORT_FAILED = 3,            /* it could not be made or sent, for good */
};

/* rows.c: one row more of a day, a domain and a policy. Texts are copied. */
struct report_note {
    enum report_kind kind;
    int64_t day;                  /* since 1970 */
    struct slice domain;
    struct slice organizational;  /* domain, or empty */
    struct slice policy;          /* JSON with sorted keys, as `row` */
    struct slice rua;             /* as published, or empty */
    struct slice row;
};
void report_note(struct reports *reports, const struct report_note *note);

/* One report with its rows, as it comes from the tables; arena-less: one buffer. */
struct report_row {
    json_t *row;
    uint64_t count;
};
struct report_loaded {
    int64_t id;                   /* 0: there is none */
    enum report_kind kind;
    int64_t day;
    char *domain;
    char *organizational;
    char *rua;
    json_t *policy;
    struct report_row *rows;
    size_t rows_count;
};
void report_loaded_free(struct report_loaded *loaded);

/* Where a report stands in the order in which they are sent. */
struct report_place {
    int64_t day;
    int64_t id;
};
/* On the store's thread: the oldest open one behind `after` whose day is before `day`, with
 * rows. */
bool report_load_due(struct store *store, int64_t day, const struct report_place *after,
                     struct report_loaded *out);
/* The open ones of a domain, the n-th of them. */
bool report_load_of(struct store *store, struct slice domain, int64_t offset,
                    struct report_loaded *out);
bool report_mark(struct store *store, int64_t id, enum report_state state, int64_t wall_ms,
                 const char *why);
/* Forgets what ended before that day. */
bool report_forget_before(struct store *store, int64_t day);
/* What the tables hold, of one domain or, empty, of all. */
bool report_list(struct store *store, struct slice domain, json_t *out_list);

/* received.c: a report of somebody else's, as JSON: kept once by who sent it and its id. */
bool received_keep(struct store *store, const json_t *report, int64_t wall_ms);
/* Forgets the oldest of them, until the others have at most so many octets. */
bool received_trim(struct store *store, int64_t octets_max);
bool received_list(struct store *store, struct slice domain, json_t *out_list);

/* dmarc.c, tls.c: the content, not yet packed, of DMARC with the records that there is room for;
 * false: no memory. */
bool report_dmarc_write(const struct report_loaded *loaded, const struct config *config,
                 struct slice report_id, struct buffer *out);
bool report_tls_write(const struct report_loaded *loaded, const struct config *config,
               struct slice report_id, struct buffer *out);
void report_dmarc_watch(struct verify_watcher *watcher, const struct verify_facts *facts);
void report_tls_watch(struct delivery_tls_watcher *watcher, const struct delivery_tls_session *session);

/* destinations.c: who is to have a report. */
struct destination {
    char *uri;                    /* "mailto:a@b.test" or "https://..." */
    struct slice address;         /* of mailto: within it, decoded */
    struct slice host;
    uint64_t size_max;            /* "!10m" of RFC 7489; 0: none */
    bool is_https;
};
struct destinations {
    struct destination all[REPORT_DESTINATIONS_MAX];
    size_t count;
};
/* From the value of rua=; what is no URI, or of another scheme, is passed over. */
bool destinations_parse(struct slice rua, bool takes_https, struct destinations *out);
void destinations_free(struct destinations *d);
void destinations_remove(struct destinations *d, size_t index);
/* Whether the domain itself may say so; else its host must agree (RFC 9990 4). */
bool destination_is_own(const struct destination *d, struct slice domain,
                        struct slice organizational);
/* A TXT record at the host agrees: a destination of its own may take the other's place. False:
 * it does not agree. */
bool destination_agrees(struct destination *d, struct slice record);

/* mail.c: the message with the packed report. False: no memory. */
struct report_mail {
    enum report_kind kind;
    const struct config *config;
    const char *domain;
    int64_t day;
    struct slice report_id;
    struct slice packed;
    const struct destinations *to; /* those of mailto: */
    int64_t wall_ms;
};
bool report_mail_write(const struct report_mail *mail, struct buffer *out);
/* gzip (RFC 1952). */
bool report_pack(struct slice content, struct buffer *out);
/* "2026-11-26.far.test.1@mx.our.test": the same whenever it is written. */
void report_id_append(const struct report_loaded *loaded, const struct config *config,
                      struct buffer *out);

/* schedule.c */
struct sending;

struct reports {
    struct reports_options options;
    const struct config *config;     /* the loop's thread's */
    struct verify_watcher verify_watcher;
    struct delivery_tls_watcher tls_watcher;
    atomic_bool wants_dmarc;         /* for any thread */
    atomic_bool wants_tls;
    struct timer timer;
    struct sending *sending;         /* under way, or NULL */
    struct reports_asked *asked;     /* waits for the end of it */
    uint32_t sent;                   /* by it */
    int64_t rows_max;                /* in sum; else the store's thread's: */
    int64_t rows;                    /* of them, as far as they were counted */
    uint32_t noted;                  /* since they were counted */
};

void schedule_start(struct reports *reports);
void schedule_stop(struct reports *reports);

#endif
