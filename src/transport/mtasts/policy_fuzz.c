/* policy_fuzz.c: any bytes as a policy and as a record. What reads must be written to what
 * reads to the same. */
#include "base/must.h"
#include "transport/mtasts/policy.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write(const struct mtasts_policy *policy, struct buffer *out)
{
    buffer_init(out, 4 * MTASTS_POLICY_MAX);
    mtasts_policy_write(policy, out);
    must(!out->overflow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make(data, size);
    struct mtasts_policy *policy, *again;
    struct mtasts_id id;
    if (mtasts_record_read(&bytes, 1, &id))
        must(id.text[0] != '\0' && strlen(id.text) <= MTASTS_ID_MAX);
    if (mtasts_policy_read(bytes, &policy) != NULL)
        return 0;
    struct buffer one, two;
    must(mtasts_policy_mode(policy) == MTASTS_NONE ||
         mtasts_policy_pattern(policy, 0).len > 0);
    must(mtasts_policy_age_s(policy) <= MTASTS_AGE_MAX_S);
    for (size_t i = 0; mtasts_policy_pattern(policy, i).len > 0; i++)
        must(mtasts_policy_has(policy, mtasts_policy_pattern(policy, i)));
    write(policy, &one);
    if (buffer_len(&one) <= MTASTS_POLICY_MAX) {
        must(mtasts_policy_read(buffer_slice(&one), &again) == NULL);
        write(again, &two);
        must(slice_equal(buffer_slice(&one), buffer_slice(&two)));
        buffer_free(&two);
        mtasts_policy_drop(&again);
    }
    buffer_free(&one);
    mtasts_policy_drop(&policy);
    return 0;
}
