/* spf_private.h: one check under way. A question is asked with what is to be done with
 * its answer; between two questions everything runs through. */
#ifndef GODWIT_AUTH_SPF_SPF_PRIVATE_H
#define GODWIT_AUTH_SPF_SPF_PRIVATE_H

#include "auth/spf/macro_private.h"
#include "auth/spf/record_private.h"
#include "auth/spf/spf.h"
#include "base/arena.h"
#include "wire/dns/message.h"

enum {
    SPF_LOOKUPS_MAX = 10, /* terms that ask the DNS (RFC 7208 4.6.4) */
    SPF_VOIDS_MAX = 2,    /* of these, answers without a record */
    SPF_NAMES_MAX = 10,   /* hosts of an MX, names of a PTR */
    SPF_RECORD_MAX = 64 * 1024,
    SPF_ARENA_MAX = 2 * 1024 * 1024, /* eleven records, and names */
};

/* check_host() for one domain. */
struct spf_frame {
    struct slice domain;
    bool is_redirected;
    struct spf_record record;
    struct cursor at;
    struct spf_term term; /* being evaluated; of an outer frame: its include */
};

/* What to do when the names of the client are known. */
typedef void spf_step(struct spf *spf);

struct spf {
    struct arena arena;
    struct reasons reasons;
    struct buffer scratch;
    struct spf_client client;
    struct spf_macros macros;
    bool has_high_local;             /* "l" and "s" match nothing (RFC 8616 4) */
    struct slice mail_from;          /* as given; empty of a host */
    struct spf_frame frames[SPF_LOOKUPS_MAX + 1];
    size_t depth;                    /* the frames in use */
    uint8_t lookups;
    uint8_t voids;
    struct slice target;             /* of the term being evaluated */
    struct lookup_question question;
    void (*on_answer)(struct spf *spf, const struct lookup_answer *answer);
    /* hosts of an MX, or names of the client, whose addresses are asked for */
    struct slice names[SPF_NAMES_MAX];
    size_t names_count;
    size_t names_at;
    /* those of its names that lead back to the client */
    struct slice validated[SPF_NAMES_MAX];
    size_t validated_count;
    struct slice wanted;             /* only names in this domain; empty: any */
    /* all that do, once the macro "p" has asked for them */
    struct slice known[SPF_NAMES_MAX];
    size_t known_count;
    bool has_known;
    spf_step *after_names;
    bool is_done;
    bool is_explaining;              /* the result stands */
    struct spf_verdict verdict;
};

static inline struct spf_frame *spf_top(struct spf *spf)
{
    return &spf->frames[spf->depth - 1];
}

/* spf.c */

void spf_ask(struct spf *spf, struct slice name, uint16_t type,
             void (*on_answer)(struct spf *, const struct lookup_answer *));

/* The whole check ends; `problem` of an error, static. */
void spf_conclude(struct spf *spf, enum spf_result result, const char *problem);

/* The frame's check_host() returns; an outer one goes on with it. */
void spf_return(struct spf *spf, enum spf_result result);

/* A frame's record is asked for. */
void spf_check_host(struct spf *spf, struct slice domain);

/* Begins with a check of this domain. */
void spf_start(struct spf *spf, struct slice domain);


/* mechanism.c */

/* Evaluates spf_top()->term. It matches, does not, asks, or concludes. */
void spf_evaluate(struct spf *spf);

/* The domain is made with a local part beyond ASCII: what names it matches nothing
 * (RFC 8616 4). */
bool spf_uses_high_local(const struct spf *spf, struct slice domain_spec);

/* Counts a term that asks the DNS. False: one too many, and the check is concluded. */
bool spf_count_lookup(struct spf *spf);

/* Counts an answer without records. False: one too many, and the check is concluded. */
bool spf_count_void(struct spf *spf, const struct lookup_answer *answer);

void spf_matches(struct spf *spf);
void spf_matches_not(struct spf *spf);

/* Expands into spf->target; empty when there is no such name. Names of the client that
 * it may need are known. False: memory is out, and the check is concluded. */
bool spf_expand_target(struct spf *spf, struct slice domain_spec);

/* names.c */

/* Finds the names of the client (RFC 7208 5.5), then calls `then`; at once when `text`
 * has no use for them. */
void spf_with_names(struct spf *spf, struct slice text, spf_step *then);
void spf_find_names(struct spf *spf, struct slice wanted, spf_step *then);

/* explain.c */

/* The result is a fail; the domain may have something to say. */
void spf_explain(struct spf *spf);

#endif
