/* mechanism.c: RFC 7208 5: whether a term matches. */
#include "auth/spf/spf_private.h"

#include "base/must.h"

bool spf_count_lookup(struct spf *spf)
{
    if (++spf->lookups <= SPF_LOOKUPS_MAX)
        return true;
    spf_conclude(spf, SPF_PERMERROR, "more than 10 terms ask the DNS");
    return false;
}

bool spf_count_void(struct spf *spf, const struct lookup_answer *answer)
{
    if (spf->is_explaining ||
        (answer->kind != LOOKUP_NODATA && answer->kind != LOOKUP_NXDOMAIN) ||
        ++spf->voids <= SPF_VOIDS_MAX)
        return true;
    spf_conclude(spf, SPF_PERMERROR, "more than 2 look-ups find nothing");
    return false;
}

void spf_matches(struct spf *spf)
{
    const struct spf_term *term = &spf_top(spf)->term;
    reasons_make_room(&spf->reasons, 2);
    reasons_add_about(&spf->reasons, "", term->text, " matches");
    spf->verdict.mechanism = term->text;
    spf_return(spf, term->result);
}

void spf_matches_not(struct spf *spf)
{
    reasons_add_about(&spf->reasons, "", spf_top(spf)->term.text, " does not match");
}

bool spf_expand_target(struct spf *spf, struct slice domain_spec)
{
    struct slice target = spf_top(spf)->domain;
    if (domain_spec.len > 0) {
        buffer_clear(&spf->scratch);
        spf_macro_expand(&spf->macros, domain_spec, SPF_MACRO_DOMAIN, &spf->scratch);
        target = buffer_slice(&spf->scratch);
    }
    target = spf_macro_target(target);
    if (!spf->scratch.overflow && arena_copy(&spf->arena, target, &spf->target))
        return true;
    spf_conclude(spf, SPF_TEMPERROR, "memory is out");
    return false;
}

static bool bits_are_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    return memcmp(a, b, whole) == 0 &&
           (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool is_in_network(const struct spf *spf, const uint8_t *network)
{
    const struct spf_term *term = &spf->frames[spf->depth - 1].term;
    return bits_are_equal(spf->client.bytes, network,
                          spf->client.is_v6 ? term->v6_bits : term->v4_bits);
}

static bool any_is_in_network(const struct spf *spf, const struct lookup_answer *answer)
{
    size_t len = spf->client.is_v6 ? 16 : 4;
    for (size_t i = 0; i < answer->records_count; i++)
        if (answer->records[i].len == len &&
            is_in_network(spf, (const uint8_t *)answer->records[i].data))
            return true;
    return false;
}

static uint16_t address_type(const struct spf *spf)
{
    return spf->client.is_v6 ? DNS_TYPE_AAAA : DNS_TYPE_A;
}

/* False: the check is concluded. RFC 7208 5: an error stops everything. */
static bool is_usable(struct spf *spf, const struct lookup_answer *answer)
{
    if (answer->kind == LOOKUP_FAILED) {
        reasons_add_about(&spf->reasons, "", spf->question.name, " could not be looked up");
        spf_conclude(spf, SPF_TEMPERROR, "a look-up failed");
        return false;
    }
    return spf_count_void(spf, answer);
}

static void on_addresses(struct spf *spf, const struct lookup_answer *answer)
{
    if (!is_usable(spf, answer))
        return;
    if (any_is_in_network(spf, answer))
        spf_matches(spf);
    else
        spf_matches_not(spf);
}

static void on_exists(struct spf *spf, const struct lookup_answer *answer)
{
    if (!is_usable(spf, answer))
        return;
    if (answer->kind == LOOKUP_FOUND)
        spf_matches(spf);
    else
        spf_matches_not(spf);
}

static void on_host_addresses(struct spf *spf, const struct lookup_answer *answer);

static void ask_next_host(struct spf *spf)
{
    if (spf->names_at == spf->names_count)
        spf_matches_not(spf);
    else
        spf_ask(spf, spf->names[spf->names_at++], address_type(spf), on_host_addresses);
}

static void on_host_addresses(struct spf *spf, const struct lookup_answer *answer)
{
    if (!is_usable(spf, answer))
        return;
    if (any_is_in_network(spf, answer))
        spf_matches(spf);
    else
        ask_next_host(spf);
}

/* RFC 7208 5.4. The root for a host is "no mail" (RFC 7505), and nothing to ask for. */
static void on_hosts(struct spf *spf, const struct lookup_answer *answer)
{
    if (!is_usable(spf, answer))
        return;
    if (answer->records_count > SPF_NAMES_MAX) {
        spf_conclude(spf, SPF_PERMERROR, "an mx term leads to more than 10 hosts");
        return;
    }
    spf->names_count = spf->names_at = 0;
    for (size_t i = 0; i < answer->records_count; i++) {
        struct cursor c = cursor_over(answer->records[i]);
        struct slice preference;
        struct dns_name host;
        if (!cursor_take_part(&c, 2, &preference) || !dns_name_take_any(&c, &host) ||
            host.len == 0)
            continue;
        if (!arena_copy(&spf->arena, dns_name_slice(&host),
                        &spf->names[spf->names_count])) {
            spf_conclude(spf, SPF_TEMPERROR, "memory is out");
            return;
        }
        spf->names_count++;
    }
    ask_next_host(spf);
}

/* RFC 7208 5.5: a validated name that is the target or lies in it. */
static void with_client_names(struct spf *spf)
{
    if (spf->validated_count > 0)
        spf_matches(spf);
    else
        spf_matches_not(spf);
}

static void include(struct spf *spf)
{
    if (spf->depth == sizeof spf->frames / sizeof spf->frames[0]) {
        spf_conclude(spf, SPF_PERMERROR, "includes are nested too deep");
        return;
    }
    spf->frames[spf->depth++] = (struct spf_frame){ .is_redirected = false };
    spf_check_host(spf, spf->target);
}

bool spf_uses_high_local(const struct spf *spf, struct slice domain_spec)
{
    return spf->has_high_local &&
           (spf_macro_uses(domain_spec, 'l') || spf_macro_uses(domain_spec, 's'));
}

/* The target is known; one that is no name is one that does not exist. */
static void ask_target(struct spf *spf)
{
    const struct spf_term *term = &spf_top(spf)->term;
    if (spf_uses_high_local(spf, term->domain_spec)) {
        spf_matches_not(spf);
        return;
    }
    if (!spf_expand_target(spf, term->domain_spec))
        return;
    if (term->mechanism == SPF_MECHANISM_INCLUDE) {
        include(spf);
        return;
    }
    if (spf->target.len == 0) {
        spf_matches_not(spf);
        return;
    }
    reasons_add_about(&spf->reasons, "looks up ", spf->target, "");
    switch (term->mechanism) {
    case SPF_MECHANISM_A:
        spf_ask(spf, spf->target, address_type(spf), on_addresses);
        return;
    case SPF_MECHANISM_MX:
        spf_ask(spf, spf->target, DNS_TYPE_MX, on_hosts);
        return;
    case SPF_MECHANISM_EXISTS: /* A, also for IPv6 (RFC 7208 5.7) */
        spf_ask(spf, spf->target, DNS_TYPE_A, on_exists);
        return;
    case SPF_MECHANISM_PTR:
        spf_find_names(spf, spf->target, with_client_names);
        return;
    case SPF_MECHANISM_ALL:
    case SPF_MECHANISM_INCLUDE:
    case SPF_MECHANISM_IP4:
    case SPF_MECHANISM_IP6:
        must(false);
    }
}

/* Networks that do not match are not told one by one: records have many. */
void spf_evaluate(struct spf *spf)
{
    const struct spf_term *term = &spf_top(spf)->term;
    switch (term->mechanism) {
    case SPF_MECHANISM_ALL:
        spf_matches(spf);
        return;
    case SPF_MECHANISM_IP4:
        if (!spf->client.is_v6 && is_in_network(spf, term->address))
            spf_matches(spf);
        return;
    case SPF_MECHANISM_IP6:
        if (spf->client.is_v6 && is_in_network(spf, term->address))
            spf_matches(spf);
        return;
    case SPF_MECHANISM_INCLUDE:
    case SPF_MECHANISM_A:
    case SPF_MECHANISM_MX:
    case SPF_MECHANISM_PTR:
    case SPF_MECHANISM_EXISTS:
        if (spf_count_lookup(spf))
            spf_with_names(spf, term->domain_spec, ask_target);
        return;
    }
}
