/* chain.c: RFC 8617 4.1.1 (the syntax of the results), 4.2.1 (instances), 5.2 steps 1 to 3.
 * HOSTILE 95. */
#include "auth/arc/chain_private.h"

#include "wire/message/lexer.h"

/* instance = [CFWS] %s"i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";" */
bool arc_results_read(struct slice value, unsigned *out_instance, struct slice *out_payload)
{
    struct cursor c = cursor_over(value);
    uint64_t instance;
    lexer_skip_cfws(&c);
    if (!cursor_take_byte(&c, 'i'))
        return false;
    lexer_skip_cfws(&c);
    if (!cursor_take_byte(&c, '='))
        return false;
    lexer_skip_cfws(&c);
    if (!cursor_take_number(&c, SIGNATURE_INSTANCE_MAX, &instance) || instance == 0)
        return false;
    lexer_skip_cfws(&c);
    if (!cursor_take_byte(&c, ';'))
        return false;
    *out_instance = (unsigned)instance;
    *out_payload = cursor_rest(&c);
    return true;
}

static enum err set_of(struct arc_chain *chain, unsigned instance, struct arena *arena,
                       struct arc_set **out)
{
    struct arc_set *set = chain->sets[instance];
    if (set == NULL)
        set = arena_alloc(arena, sizeof *set);
    if (set == NULL)
        return ERR_MEMORY;
    chain->sets[instance] = set;
    if (instance > chain->highest)
        chain->highest = instance;
    *out = set;
    return ERR_OK;
}

/* False when the chain cannot be sound any more. */
static bool first_time(bool *has, const char *what, unsigned instance,
                       struct signature_steps *steps)
{
    if (*has)
        signature_step(steps, "there are two %s fields with i=%u", what, instance);
    bool first = !*has;
    *has = true;
    return first;
}

static enum err add_results(struct arc_chain *chain, const struct header_field *field,
                            struct arena *arena, struct signature_steps *steps)
{
    unsigned instance;
    struct slice payload;
    struct arc_set *set;
    if (!arc_results_read(field->value, &instance, &payload)) {
        chain->is_sound = false;
        signature_step(steps, "an ARC-Authentication-Results field does not begin with i= and "
                       "a number from 1 to %d", SIGNATURE_INSTANCE_MAX);
        return ERR_OK;
    }
    enum err error = set_of(chain, instance, arena, &set);
    if (error == ERR_OK) {
        chain->is_sound &= first_time(&set->has_results, "ARC-Authentication-Results",
                                      instance, steps);
        set->results = *field;
        set->payload = payload;
    }
    return error;
}

static void tell_fault(struct signature_steps *steps, const char *what,
                       enum signature_fault fault, const struct signature_field *f)
{
    signature_step(steps, "%s, i=%u: it %s%s%s", what, f->instance,
                   signature_fault_text(fault), f->about == NULL ? "" : ": ",
                   f->about == NULL ? "" : f->about);
}

static enum err add_message(struct arc_chain *chain, const struct header_field *field,
                            size_t place, struct arena *arena, struct signature_steps *steps)
{
    struct signature_field read;
    struct arc_set *set;
    enum signature_fault fault = signature_field_read(SIGNATURE_ARC_MESSAGE, field, &read);
    if (read.instance == 0) {
        chain->is_sound = false;
        tell_fault(steps, "an ARC-Message-Signature", fault, &read);
        return ERR_OK;
    }
    enum err error = set_of(chain, read.instance, arena, &set);
    if (error == ERR_OK) {
        chain->is_sound &= first_time(&set->has_message, "ARC-Message-Signature",
                                      read.instance, steps);
        set->message = read;
        set->message_fault = fault;
        set->message_place = place;
    }
    return error;
}

static enum err add_seal(struct arc_chain *chain, const struct header_field *field,
                         struct arena *arena, struct signature_steps *steps)
{
    struct signature_field read;
    struct arc_set *set;
    enum signature_fault fault = signature_field_read(SIGNATURE_ARC_SEAL, field, &read);
    if (fault != SIGNATURE_FINE) {
        chain->is_sound = false;
        tell_fault(steps, "an ARC-Seal", fault, &read);
    }
    if (read.instance == 0)
        return ERR_OK;
    enum err error = set_of(chain, read.instance, arena, &set);
    if (error == ERR_OK) {
        chain->is_sound &= first_time(&set->has_seal, "ARC-Seal", read.instance, steps);
        set->seal = read;
    }
    return error;
}

static bool set_is_sound(const struct arc_set *set, unsigned instance,
                         struct signature_steps *steps)
{
    enum signature_chain want = instance == 1 ? SIGNATURE_CHAIN_NONE : SIGNATURE_CHAIN_PASS;
    if (set == NULL || !set->has_results || !set->has_message || !set->has_seal) {
        signature_step(steps, "the set with i=%u is not whole", instance);
        return false;
    }
    if (set->seal.chain != want) {
        signature_step(steps, "the seal with i=%u does not say cv=%s", instance,
                       instance == 1 ? "none" : "pass");
        return false;
    }
    return true;
}

static void check(struct arc_chain *chain, struct signature_steps *steps)
{
    const struct arc_set *newest = chain->sets[chain->highest];
    chain->is_given_up = newest != NULL && newest->has_seal &&
                         newest->seal.chain == SIGNATURE_CHAIN_FAIL;
    if (chain->is_given_up)
        signature_step(steps, "the newest seal, i=%u, says that the chain is broken (cv=fail)",
                       chain->highest);
    for (unsigned i = 1; i <= chain->highest && chain->is_sound; i++)
        chain->is_sound = set_is_sound(chain->sets[i], i, steps);
}

enum err arc_chain_read(const struct signature_header *header, struct arena *arena,
                        struct arc_chain *out, struct signature_steps *steps)
{
    enum err error = ERR_OK;
    *out = (struct arc_chain){ .is_sound = true };
    for (size_t i = 0; i < header->count && error == ERR_OK; i++) {
        const struct header_field *field = &header->fields[i];
        if (!slice_starts_with_nocase(field->name, SLICE("ARC-")))
            continue;
        bool results = slice_equal_nocase(field->name, SLICE("ARC-Authentication-Results"));
        bool message = slice_equal_nocase(field->name, SLICE("ARC-Message-Signature"));
        bool seal = slice_equal_nocase(field->name, SLICE("ARC-Seal"));
        out->any |= results || message || seal;
        if (results)
            error = add_results(out, field, arena, steps);
        else if (message)
            error = add_message(out, field, i, arena, steps);
        else if (seal)
            error = add_seal(out, field, arena, steps);
    }
    if (error == ERR_OK)
        check(out, steps);
    return error;
}
