/* dovecot_fuzz.c: whatever Dovecot's socket may say. */
#include "accounts/dovecot.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size);
    struct slice line;
    while (slice_split(&rest, '\n', &line)) {
        struct buffer user;
        buffer_init(&user, 256);
        if (dovecot_read_line(line, &user) == DOVECOT_GRANTED)
            must(buffer_len(&user) > 0 && !user.overflow);
        buffer_free(&user);
    }
    return 0;
}
