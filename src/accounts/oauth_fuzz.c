/* oauth_fuzz.c: what a stranger says in place of a token, and an answer about one. */
#include "accounts/oauth.h"

#include "base/must.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct oauth_said said;
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    if (oauth_read_bearer(text, &said) || oauth_read_xoauth2(text, &said)) {
        must(said.token.len > 0 && slice_find(said.token, '\n') == SLICE_NOT_FOUND);
        oauth_append_question(said.token, &out);
    }
    buffer_clear(&out);
    if (oauth_read_answer(text, SLICE("x"), 0, &out) == OAUTH_ACTIVE)
        must(buffer_len(&out) > 0);
    buffer_free(&out);
    return 0;
}
