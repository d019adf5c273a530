/* record_fuzz.c: a record of any bytes. One that parses gives the same terms again, and
 * each of its domain-specs expands to something that may be asked for, or to nothing. */
#include "auth/spf/macro_private.h"
#include "auth/spf/record_private.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_domain(struct slice domain_spec)
{
    struct spf_macros macros = { 0 };
    struct buffer out;
    buffer_init(&out, 16384);
    for (char letter = 'a'; letter <= 'z'; letter++)
        *spf_macro_of(&macros, letter) = SLICE("some.one-else@there.example");
    must(spf_macro_is_valid(domain_spec, SPF_MACRO_DOMAIN));
    must(spf_macro_is_valid(domain_spec, SPF_MACRO_MODIFIER));
    spf_macro_expand(&macros, domain_spec, SPF_MACRO_DOMAIN, &out);
    must(!out.overflow);
    struct slice target = spf_macro_target(buffer_slice(&out));
    must(target.len <= 253);
    must(slice_equal(spf_macro_target(target), target));
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct spf_record record;
    struct slice wrong;
    if (!spf_record_is_spf(text) || !spf_record_parse(text, &record, &wrong))
        return 0;
    struct cursor c = cursor_over(record.terms);
    struct spf_term term;
    bool has_all = false;
    while (spf_record_next(&c, &term)) {
        must(term.v4_bits <= 32 && term.v6_bits <= 128 && term.text.len > 0);
        has_all = has_all || term.mechanism == SPF_MECHANISM_ALL;
        if (term.domain_spec.len > 0)
            check_domain(term.domain_spec);
    }
    must(has_all == record.has_all);
    if (record.redirect.len > 0)
        check_domain(record.redirect);
    if (record.explanation.len > 0)
        check_domain(record.explanation);
    return 0;
}
