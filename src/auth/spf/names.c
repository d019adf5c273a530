/* names.c: the names of the client that lead back to it (RFC 7208 5.5): for "ptr" and for
 * the macro "p". Errors of the DNS only make names missing. */
#include "auth/spf/spf_private.h"

#include "wire/dns/reverse.h"

static bool is_at_or_in(struct slice name, struct slice domain)
{
    size_t dot = name.len - domain.len - 1;
    return slice_equal_nocase(name, domain) ||
           (name.len > domain.len && name.data[dot] == '.' &&
            slice_ends_with_nocase(name, domain));
}

/* RFC 7208 7.3: <domain> itself, or one in it, or any. */
static struct slice best_name(const struct spf *spf)
{
    struct slice domain = spf->frames[spf->depth - 1].domain;
    struct slice best = SLICE("unknown");
    if (spf->known_count > 0)
        best = spf->known[0];
    for (size_t i = spf->known_count; i > 0; i--)
        if (is_at_or_in(spf->known[i - 1], domain))
            best = spf->known[i - 1];
    for (size_t i = 0; i < spf->known_count; i++)
        if (slice_equal_nocase(spf->known[i], domain))
            return spf->known[i];
    return best;
}

static bool is_client_in(const struct spf *spf, const struct lookup_answer *answer)
{
    size_t len = spf->client.is_v6 ? 16 : 4;
    for (size_t i = 0; i < answer->records_count; i++)
        if (answer->records[i].len == len &&
            memcmp(answer->records[i].data, spf->client.bytes, len) == 0)
            return true;
    return false;
}

static void on_name_addresses(struct spf *spf, const struct lookup_answer *answer);

static void ask_next_name(struct spf *spf)
{
    if (spf->names_at < spf->names_count) {
        spf_ask(spf, spf->names[spf->names_at++],
                spf->client.is_v6 ? DNS_TYPE_AAAA : DNS_TYPE_A, on_name_addresses);
        return;
    }
    if (spf->wanted.len == 0) {
        memcpy(spf->known, spf->validated, sizeof spf->known);
        spf->known_count = spf->validated_count;
        spf->has_known = true;
        *spf_macro_of(&spf->macros, 'p') = best_name(spf);
    }
    spf->after_names(spf);
}

static void on_name_addresses(struct spf *spf, const struct lookup_answer *answer)
{
    if (!spf_count_void(spf, answer))
        return;
    struct slice name = spf->names[spf->names_at - 1];
    bool is_valid = is_client_in(spf, answer);
    if (!spf->is_explaining)
        reasons_add_about(&spf->reasons, "the client's name ", name,
                          is_valid ? " leads back to it" : " does not lead back to it");
    if (is_valid)
        spf->validated[spf->validated_count++] = name;
    ask_next_name(spf);
}

/* More than 10 are not looked at (RFC 7208 4.6.4). */
static void on_names(struct spf *spf, const struct lookup_answer *answer)
{
    if (!spf_count_void(spf, answer))
        return;
    for (size_t i = 0; i < answer->records_count && i < SPF_NAMES_MAX; i++) {
        struct cursor c = cursor_over(answer->records[i]);
        struct dns_name name;
        if (dns_name_take_any(&c, &name) && name.len > 0 &&
            (spf->wanted.len == 0 || is_at_or_in(dns_name_slice(&name), spf->wanted)) &&
            arena_copy(&spf->arena, dns_name_slice(&name), &spf->names[spf->names_count]))
            spf->names_count++;
    }
    ask_next_name(spf);
}

void spf_find_names(struct spf *spf, struct slice wanted, spf_step *then)
{
    struct slice name;
    spf->wanted = wanted;
    spf->after_names = then;
    spf->names_count = spf->names_at = spf->validated_count = 0;
    buffer_clear(&spf->scratch);
    dns_reverse_append(&spf->scratch, spf->client.bytes, spf->client.is_v6 ? 16 : 4);
    if (!spf->scratch.overflow &&
        arena_copy(&spf->arena, buffer_slice(&spf->scratch), &name))
        spf_ask(spf, name, DNS_TYPE_PTR, on_names);
    else
        spf_conclude(spf, SPF_TEMPERROR, "memory is out");
}

void spf_with_names(struct spf *spf, struct slice text, spf_step *then)
{
    bool is_needed = spf_macro_uses(text, 'p');
    if (is_needed && !spf->has_known) {
        spf_find_names(spf, SLICE(""), then);
        return;
    }
    if (is_needed)
        *spf_macro_of(&spf->macros, 'p') = best_name(spf);
    then(spf);
}
