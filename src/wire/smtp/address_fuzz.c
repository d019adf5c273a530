/* address_fuzz.c: whatever parses is canonical in one step, equal to itself and to its
 * canonical form, and holds no control byte. The first octet picks the role. */
#include "base/ascii.h"
#include "base/must.h"
#include "wire/smtp/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct smtp_address *a)
{
    struct buffer first;
    struct buffer second;
    struct smtp_address b;
    buffer_init(&first, 4096);
    buffer_init(&second, 4096);
    smtp_address_canonical(a, &first);
    enum smtp_path_result got =
        smtp_address_parse(buffer_slice(&first), SMTP_UTF8_ALLOWED, &b);
    if (got == SMTP_PATH_OK) {
        must(smtp_address_equal(a, &b) && smtp_address_equal(&b, a));
        smtp_address_canonical(&b, &second);
        must(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    } else {
        must(a->kind == SMTP_DOMAIN_NONE || got == SMTP_PATH_TOO_LONG);
    }
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice input = slice_make(data + 1, size - 1);
    struct cursor c = cursor_over(input);
    struct smtp_address a;
    enum smtp_path_result got = (data[0] & 1) != 0
        ? smtp_forward_path_parse(&c, SMTP_UTF8_ALLOWED, &a)
        : smtp_reverse_path_parse(&c, SMTP_UTF8_ALLOWED, &a);
    if (got == SMTP_PATH_OK) {
        for (size_t i = 0; i < a.text.len; i++)
            must(!ascii_is_control(a.text.data[i]));
        must(slice_find(a.domain, '@') == SLICE_NOT_FOUND);
        must(smtp_address_equal(&a, &a));
        check_again(&a);
    } else {
        must(c.at == input.data);
    }
    struct smtp_helo helo;
    (void)smtp_helo_parse(input, &helo);
    struct buffer out;
    buffer_init(&out, 4096);
    if (smtp_domain_canonical(input, &out))
        must(buffer_len(&out) <= SMTP_DOMAIN_MAX);
    buffer_free(&out);
    return 0;
}
