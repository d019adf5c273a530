/* dkim_private.h: the parts of "godwit dkim": a key and its name, its record, and what the
 * DNS has of it. Single-threaded. */
#ifndef GODWIT_CLI_DKIM_PRIVATE_H
#define GODWIT_CLI_DKIM_PRIVATE_H

#include "base/buffer.h"
#include "cli/check_private.h"
#include "cli/tool.h"
#include "config/config.h"
#include "crypto/key.h"

enum { DKIM_RECORD_MAX = 4096, DKIM_NAME_MAX = 512 };

/* A key by its name in the DNS. */
struct dkim_name {
    struct slice domain;
    struct slice selector;
};

/* dkim_key.c: reads a key; "-" is standard input. Complains and returns an exit code. */
int dkim_read_key(const char *file, struct private_key **out);
int dkim_read_key_at(struct slice file, struct private_key **out);
/* Makes a key in a new file that its owner alone may read. The same. */
struct dkim_making {
    enum key_kind kind;
    unsigned bits;
};
int dkim_make_key(const char *file, const struct dkim_making *making);

/* dkim_record.c: "v=DKIM1; k=...; p=...", in one piece. */
void dkim_append_record(const struct private_key *key, struct buffer *out);
/* "selector._domainkey.domain" */
void dkim_append_name(const struct dkim_name *name, struct buffer *out);
/* As a zone file has it: strings of at most 255 octets, with its LF. */
void dkim_append_zone(const struct dkim_name *name, const struct private_key *key,
                      struct buffer *out);

/* dkim_check.c: what the DNS serves under a key's name. */
enum dkim_served {
    DKIM_SERVED,         /* this key */
    DKIM_SERVED_NOTHING,
    DKIM_SERVED_OTHER,   /* another key */
    DKIM_SERVED_WRONG,   /* what is no usable record */
    DKIM_SERVED_SEVERAL, /* more than one record: nobody knows which */
    DKIM_SERVED_UNKNOWN, /* the DNS did not answer */
};

struct dkim_found {
    enum dkim_served served;
    const char *why;     /* of WRONG, static; or NULL */
    bool is_testing;     /* t=y */
};

/* False, after a complaint: nobody can be asked. */
bool dkim_look_up(struct check_source *source, const struct dkim_name *name,
                  const struct private_key *key, struct dkim_found *out);
/* In words, static. */
const char *dkim_served_text(enum dkim_served served);

/* --dns of the call. An exit code. */
int dkim_source(const struct cli_call *call, struct check_source *out);

/* dkim.c: calls `each` for every key that the call names, by --key or out of the
 * configuration, until one returns another code than 0, EX_DATAERR, EX_TEMPFAIL or
 * EX_NOINPUT; the last that is not 0. */
struct dkim_each {
    int (*run)(struct dkim_each *each, const struct dkim_name *name,
               const struct private_key *key);
};
int dkim_for_each(const struct cli_call *call, struct dkim_each *each);

/* --algorithm and --bits; without them what `out` has. An exit code. */
int dkim_read_making(const struct cli_call *call, struct dkim_making *out);

/* dkim_rotate.c */
int dkim_rotate(const struct cli_call *call);

#endif
