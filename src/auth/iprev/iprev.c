/* iprev.c: RFC 8601 3, and RFC 8601 2.7.3 for the results. */
#include "auth/iprev/iprev.h"

#include "base/must.h"
#include "wire/dns/message.h"
#include "wire/dns/reverse.h"

#include <arpa/inet.h>

const char *iprev_result_text(enum iprev_result result)
{
    switch (result) {
    case IPREV_PASS: return "pass";
    case IPREV_FAIL: return "fail";
    case IPREV_TEMPERROR: return "temperror";
    case IPREV_PERMERROR: return "permerror";
    }
    return "";
}

static bool is_mapped(const uint8_t *octets)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    return memcmp(octets, mapped, sizeof mapped) == 0;
}

void iprev_begin(const uint8_t *octets, size_t len, struct iprev *out)
{
    struct buffer name = { .memory = out->asked, .capacity = DNS_NAME_MAX,
                           .max = DNS_NAME_MAX };
    must(len == 4 || len == 16);
    if (len == 16 && is_mapped(octets)) {
        octets += 12;
        len = 4;
    }
    *out = (struct iprev){ .len = len };
    memcpy(out->octets, octets, len);
    dns_reverse_append(&name, octets, len);
    must(!name.overflow);
    out->asked_len = buffer_len(&name);
}

static void conclude(struct iprev *iprev, enum iprev_result result)
{
    iprev->result = result;
    iprev->is_done = true;
}

bool iprev_next(const struct iprev *iprev, struct lookup_question *out_question)
{
    if (iprev->is_done)
        return false;
    if (!iprev->has_names)
        *out_question = (struct lookup_question){
            .name = slice_make(iprev->asked, iprev->asked_len), .type = DNS_TYPE_PTR };
    else
        *out_question = (struct lookup_question){
            .name = dns_name_slice(&iprev->names[iprev->at]),
            .type = iprev->len == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA };
    return true;
}

static void take_names(struct iprev *iprev, const struct lookup_answer *answer)
{
    iprev->has_names = true;
    if (answer->kind == LOOKUP_FAILED) {
        conclude(iprev, IPREV_TEMPERROR);
        return;
    }
    for (size_t i = 0; answer->kind == LOOKUP_FOUND && i < answer->records_count; i++) {
        struct cursor c = cursor_over(answer->records[i]);
        if (iprev->names_count < IPREV_NAMES_MAX &&
            dns_name_take(&c, &iprev->names[iprev->names_count]))
            iprev->names_count++;
    }
    if (iprev->names_count == 0)
        conclude(iprev, answer->kind == LOOKUP_FOUND ? IPREV_FAIL : IPREV_PERMERROR);
}

static bool leads_back(const struct iprev *iprev, const struct lookup_answer *answer)
{
    for (size_t i = 0; answer->kind == LOOKUP_FOUND && i < answer->records_count; i++)
        if (slice_equal(answer->records[i],
                        slice_make((const char *)iprev->octets, iprev->len)))
            return true;
    return false;
}

void iprev_answer(struct iprev *iprev, const struct lookup_answer *answer)
{
    must(!iprev->is_done);
    if (!iprev->has_names) {
        take_names(iprev, answer);
        return;
    }
    iprev->any_failed |= answer->kind == LOOKUP_FAILED;
    if (leads_back(iprev, answer))
        conclude(iprev, IPREV_PASS);
    else if (++iprev->at == iprev->names_count)
        conclude(iprev, iprev->any_failed ? IPREV_TEMPERROR : IPREV_FAIL);
}

enum iprev_result iprev_result(const struct iprev *iprev)
{
    must(iprev->is_done);
    return iprev->result;
}

struct slice iprev_name(const struct iprev *iprev)
{
    must(iprev->is_done);
    return iprev->result == IPREV_PASS ? dns_name_slice(&iprev->names[iprev->at])
                                       : slice_make(NULL, 0);
}

/* A name holds letters, digits, '-', '_' and dots alone (dns_name_take). */
void iprev_append_result(const struct iprev *iprev, struct buffer *out)
{
    char text[INET6_ADDRSTRLEN];
    must(iprev->is_done);
    inet_ntop(iprev->len == 4 ? AF_INET : AF_INET6, iprev->octets, text, sizeof text);
    buffer_append_format(out, "iprev=%s policy.iprev=", iprev_result_text(iprev->result));
    /* ':' stands in no token (RFC 8601 2.2) */
    buffer_append_format(out, iprev->len == 4 ? "%s" : "\"%s\"", text);
    if (iprev->result == IPREV_PASS)
        buffer_append_format(out, " (%s)", iprev->names[iprev->at].text);
}
