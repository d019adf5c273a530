/* srs_fuzz.c: any octets as a local part that comes back, and as a sender that goes out:
 * what was written anew leads back to where it came from. */
#include "mail/srs.h"

#include "base/must.h"
#include "wire/smtp/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice secret = SLICE_INIT("a secret for fuzzing");
    const struct srs srs = { .domain = SLICE("fwd.test"), .secrets = &secret,
                             .secrets_count = 1, .days_max = 21 };
    struct slice input = slice_make(data, size < 4000 ? size : 4000);
    struct smtp_address written, back;
    struct buffer there, again;
    buffer_init(&there, 4096);
    buffer_init(&again, 4096);
    must(srs_reverse(&srs, input, 20000, &there) != ERR_OK || buffer_len(&there) > 0);
    buffer_clear(&there);
    if (srs_forward(&srs, input, 20000, &there) == ERR_OK) {
        must(smtp_address_parse(buffer_slice(&there), SMTP_UTF8_ALLOWED, &written) ==
             SMTP_PATH_OK);
        must(srs_reverse(&srs, written.local, 20000, &again) == ERR_OK);
        must(smtp_address_parse(buffer_slice(&again), SMTP_UTF8_ALLOWED, &back) ==
             SMTP_PATH_OK);
    }
    buffer_free(&again);
    buffer_free(&there);
    return 0;
}
