/* dns_fuzz.c: names, MX data and messages of any bytes. A name that reads must parse
 * again from its text to the same. */
#include "base/must.h"
#include "wire/dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make(data, size);
    struct dns_mx_record mx;
    if (dns_mx_record_read(bytes, &mx)) {
        struct dns_name again;
        struct slice text = mx.host.len == 0 ? SLICE(".") : dns_name_slice(&mx.host);
        must(dns_name_parse(text, &again));
        must(slice_equal(dns_name_slice(&again), dns_name_slice(&mx.host)));
    }
    struct dns_name name;
    if (dns_name_parse(bytes, &name))
        must(name.len <= DNS_NAME_MAX && name.text[name.len] == '\0');
    struct cursor c = cursor_over(bytes);
    if (dns_name_take_any(&c, &name))
        must(slice_find(dns_name_slice(&name), ' ') == SLICE_NOT_FOUND);
    struct dns_tlsa_record tlsa;
    if (dns_tlsa_record_read(bytes, &tlsa))
        must(tlsa.association.len > 0 && tlsa.association.len + 3 == size);
    struct buffer text;
    buffer_init(&text, size);
    must(!dns_txt_append(bytes, &text) || buffer_len(&text) < size);
    buffer_free(&text);
    uint32_t count;
    if (dns_message_count(bytes, DNS_TYPE_CNAME, &count))
        must(count <= size / 11);
    return 0;
}
