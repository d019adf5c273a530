/* record_fuzz.c: key records, joined and as the DNS brings them. */
#include "auth/signature/record.h"
#include "base/must.h"
#include "wire/dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signature_record record;
    struct buffer text;
    buffer_init(&text, 1 << 16);
    bool whole = dns_txt_append(slice_make(data, size), &text);
    must(!whole || buffer_len(&text) < size || size == 0);
    if (signature_record_read(slice_make(data, size), &record) == SIGNATURE_RECORD_FINE) {
        struct public_key *key = NULL;
        uint8_t digest[DIGEST_BYTES] = { 0 };
        must(record.key_len > 0 && record.key_len <= KEY_PUBLIC_MAX);
        if (public_key_read(record.kind, slice_make(record.key, record.key_len), &key) ==
            ERR_OK)
            must(!public_key_verify(key, digest, SLICE("no signature")));
        public_key_free(&key);
    }
    buffer_free(&text);
    return 0;
}
