/* query_fuzz.c: any octets as a question; what is answered can be read, and has its id. */
#include "base/must.h"
#include "wire/dns/message.h"
#include "wire/dns/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice_make(data, size);
    struct dns_asked asked;
    enum dns_rcode rcode;
    struct buffer out;
    uint32_t count;
    if (!dns_asked_read(message, &asked, &rcode))
        return 0;
    const struct dns_told told[] = {
        { dns_name_slice(&asked.name), DNS_TYPE_TXT, 300, SLICE_INIT("\004text") },
        { SLICE_INIT("other.test"), DNS_TYPE_TXT, 300, SLICE_INIT("\004more") },
    };
    size_t many = rcode == DNS_NOERROR ? 2 : 0;
    buffer_init(&out, DNS_MESSAGE_MAX);
    must(asked.room >= DNS_UDP_PLAIN_MAX && asked.room <= DNS_UDP_EDNS_MAX);
    must(dns_answer_append(&asked, rcode, told, many, asked.room, &out));
    must(buffer_len(&out) <= asked.room && buffer_len(&out) >= 12);
    must(out.memory[0] == message.data[0] && out.memory[1] == message.data[1]);
    must(dns_message_count(buffer_slice(&out), DNS_TYPE_TXT, &count) && count == many);
    buffer_free(&out);
    return 0;
}
