/* field_fuzz.c: a header whose every field is read as each kind of signature. */
#include "auth/signature/field.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(enum signature_kind kind, const struct header_field *field)
{
    struct signature_field f;
    enum signature_fault fault = signature_field_read(kind, field, &f);
    must(signature_fault_text(fault)[0] != '\0');
    if (fault != SIGNATURE_FINE)
        return;
    must(f.domain.len > 0 && f.selector.len > 0 && f.key_name.len > f.domain.len);
    must(f.signature_len > 0 && f.signature_len <= KEY_SIGNATURE_MAX);
    must(f.signature_raw.data >= field->value.data &&
         f.signature_raw.data + f.signature_raw.len <=
             field->value.data + field->value.len);
    must(kind == SIGNATURE_DKIM || (f.instance >= 1 && f.instance <= SIGNATURE_INSTANCE_MAX));
    struct buffer out;
    buffer_init(&out, 1 << 22);
    canonical_append_field(&out, f.header, field, f.signature_raw);
    must(!out.overflow);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_over(slice_make(data, size));
    struct header_field field;
    enum header_result got;
    while ((got = header_next(&c, &field)) != HEADER_END) {
        if (got != HEADER_FIELD)
            continue;
        check(SIGNATURE_DKIM, &field);
        check(SIGNATURE_ARC_MESSAGE, &field);
        check(SIGNATURE_ARC_SEAL, &field);
    }
    return 0;
}
