/* chain_private.h: the ARC sets of a message, gathered and held against RFC 8617 5.2,
 * steps 1 to 3. */
#ifndef GODWIT_AUTH_ARC_CHAIN_PRIVATE_H
#define GODWIT_AUTH_ARC_CHAIN_PRIVATE_H

#include "auth/signature/field.h"
#include "auth/signature/header.h"
#include "auth/signature/steps.h"

/* One ARC set. Borrows from the header. */
struct arc_set {
    struct header_field results;          /* ARC-Authentication-Results */
    struct slice payload;                 /* of it, behind "i=N;" */
    struct signature_field message;       /* ARC-Message-Signature */
    enum signature_fault message_fault;
    size_t message_place;                 /* among the header's fields */
    struct signature_field seal;          /* ARC-Seal */
    bool has_results, has_message, has_seal;
};

struct arc_chain {
    struct arc_set *sets[SIGNATURE_INSTANCE_MAX + 1]; /* by instance; NULL: none */
    unsigned highest;                     /* 0: there is no ARC field with an instance */
    bool any;                             /* there is an ARC field */
    bool is_sound;                        /* one of each for each of 1 to highest, and the
                                             seals say none, pass, pass ... */
    bool is_given_up;                     /* the newest seal says fail */
};

/* Tells in *steps why it is not sound. ERR_MEMORY. */
enum err arc_chain_read(const struct signature_header *header, struct arena *arena,
                        struct arc_chain *out, struct signature_steps *steps);

/* arc-info = instance [CFWS] ";" authres-payload. False when it is something else. */
bool arc_results_read(struct slice value, unsigned *out_instance, struct slice *out_payload);

#endif
