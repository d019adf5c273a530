/* dmarc_private.h: an evaluation under way. What was asked is kept by name; after each
 * answer the evaluation is gone through from its start, and ends at the first name that
 * has not been asked for. */
#ifndef GODWIT_AUTH_DMARC_DMARC_PRIVATE_H
#define GODWIT_AUTH_DMARC_DMARC_PRIVATE_H

#include "auth/dmarc/dmarc.h"
#include "base/arena.h"

enum {
    DMARC_WALK_MAX = 8,    /* questions of one tree walk (RFC 9989 4.10) */
    DMARC_WALK_LABELS = 7, /* where a longer name goes on, one question later */
    DMARC_NODES_MAX = DMARC_WALK_MAX * (DMARC_SIGNATURES_MAX + 2),
    DMARC_RECORD_MAX = 64 * 1024, /* a longer text is no record */
    DMARC_ARENA_MAX = 2 * 1024 * 1024,
};

enum dmarc_node_state {
    DMARC_NODE_EMPTY,  /* no record, or several */
    DMARC_NODE_RECORD,
    DMARC_NODE_FAILED, /* it could not be looked up */
};

/* What stands at "_dmarc." and a domain. */
struct dmarc_node {
    struct slice domain;
    enum dmarc_node_state state;
    struct slice text;
    struct dmarc_record record;
};

enum dmarc_existence {
    DMARC_EXISTENCE_UNASKED,
    DMARC_EXISTS,
    DMARC_EXISTS_NOT,
    DMARC_EXISTENCE_UNKNOWN, /* the look-up failed */
};

struct dmarc {
    struct arena arena;
    struct reasons reasons;
    struct dmarc_from from;
    struct dmarc_identifier spf;
    struct dmarc_identifier dkim[DMARC_SIGNATURES_MAX];
    size_t dkim_count;
    struct dmarc_node nodes[DMARC_NODES_MAX];
    size_t nodes_count;
    enum dmarc_existence existence; /* of the author's domain */
    bool is_asking;
    struct slice asked_domain;      /* empty: whether the author's domain exists */
    struct lookup_question question;
    bool is_out_of_memory;
    struct dmarc_verdict verdict;
};

/* walk.c */

/* The node of a domain, or NULL: it is asked for now. */
const struct dmarc_node *dmarc_node_of(struct dmarc *dmarc, struct slice domain);

/* The n-th domain of the walk that begins at `domain`, from 0; empty behind the last. */
struct slice dmarc_walk_target(struct slice domain, size_t n);

enum dmarc_walk_result {
    DMARC_WALK_ASKS,
    DMARC_WALK_FAILED, /* a look-up did */
    DMARC_WALK_DONE,
};

struct dmarc_walk {
    struct slice organizational_domain;
    const struct dmarc_node *organizational; /* its record, or NULL */
    const struct dmarc_node *suffix;         /* the record of a public suffix, or NULL */
};

enum dmarc_walk_result dmarc_walk(struct dmarc *dmarc, struct slice domain,
                                  struct dmarc_walk *out);

/* Whether `domain` is `above` or lies in it. */
bool dmarc_is_at_or_in(struct slice domain, struct slice above);

/* evaluate.c */

/* Goes through everything; false: something is asked for. */
bool dmarc_evaluate(struct dmarc *dmarc);

#endif
