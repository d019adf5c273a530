/* mx.c: from DNS answers to hosts: the rules, free of I/O.
 *
 * RFC 5321 5.1 (MX and implicit MX, order, ourselves in the list), RFC 7505 (null MX),
 * RFC 5321 4.1.3 (literals). Only NODATA makes a domain its own host: an answer that
 * failed never does (HOSTILE 118).
 */
#include "dns/mx.h"

#include "base/must.h"
#include "net/egress.h"

#include <arpa/inet.h>
#include <stdlib.h>

static struct outcome outcome_make(enum outcome_kind kind, uint16_t code,
                                   uint16_t subject, uint16_t detail, const char *text)
{
    return (struct outcome){
        .kind = kind,
        .code = code,
        .status = { kind == OUTCOME_FAILED ? 5 : 4, subject, detail },
        .text = slice_from_string(text),
    };
}

static struct outcome not_a_host(enum dns_kind kind)
{
    switch (kind) {
    case DNS_NXDOMAIN:
        return outcome_make(OUTCOME_FAILED, 0, 1, 2, "the domain does not exist");
    case DNS_INVALID:
        return outcome_make(OUTCOME_FAILED, 0, 1, 2, "this is not a name of a domain");
    case DNS_TIMEOUT:
        return outcome_make(OUTCOME_DEFERRED, 0, 4, 3,
                            "the DNS did not answer in time for this domain");
    case DNS_BOGUS:
        return outcome_make(OUTCOME_DEFERRED, 0, 4, 3,
                            "the DNS answer for this domain fails DNSSEC validation");
    case DNS_CANCELLED:
        return outcome_make(OUTCOME_DEFERRED, 0, 4, 3, "the DNS query was stopped");
    case DNS_OK:
    case DNS_NODATA:
    case DNS_SERVFAIL:
        break;
    }
    return outcome_make(OUTCOME_DEFERRED, 0, 4, 3,
                        "the DNS servers of this domain fail");
}

static struct outcome is_ourselves(void)
{
    return outcome_make(OUTCOME_FAILED, 0, 4, 6,
                        "mail for this domain leads back to this server");
}

static bool knows_host(const struct dns_hosts *hosts, const struct dns_name *name)
{
    for (uint32_t i = 0; i < hosts->count; i++)
        if (slice_equal(dns_name_slice(&hosts->hosts[i].name), dns_name_slice(name)))
            return true;
    return false;
}

/* A random number below `below`; the caller's bits are spread by a multiplication
 * (Steele, Lea and Flood's SplitMix64). */
static uint32_t next_random(uint64_t *state, uint32_t below)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % below);
}

/* The best ones first; those that are equal in random order. More records than we
 * keep are no reason to lose the best: a place is given up only for a better one. */
static void insert_host(struct dns_hosts *hosts, const struct dns_mx_record *record,
                        uint64_t *random)
{
    uint32_t first = 0;
    while (first < hosts->count && hosts->hosts[first].preference < record->preference)
        first++;
    uint32_t last = first;
    while (last < hosts->count && hosts->hosts[last].preference == record->preference)
        last++;
    uint32_t place = first + next_random(random, last - first + 1);
    if (place >= DNS_HOSTS_MAX)
        return;
    uint32_t moved = hosts->count - place;
    if (hosts->count == DNS_HOSTS_MAX)
        moved--;
    else
        hosts->count++;
    memmove(&hosts->hosts[place + 1], &hosts->hosts[place],
            moved * sizeof hosts->hosts[0]);
    hosts->hosts[place] = (struct dns_host){ .preference = record->preference,
                                             .name = record->host };
}

static bool is_own_name(const struct dns_name *name, const struct dns_mx_rules *rules)
{
    return rules->own_name.len > 0 &&
           slice_equal_nocase(dns_name_slice(name), rules->own_name);
}

/* Cuts off this preference and all that are worse (RFC 5321 5.1). */
static void cut_at(struct dns_hosts *hosts, uint16_t preference)
{
    while (hosts->count > 0 && hosts->hosts[hosts->count - 1].preference >= preference)
        hosts->count--;
}

static bool read_records(const struct dns_answer *answer,
                         const struct dns_mx_rules *rules, uint64_t random,
                         struct dns_hosts *out, struct outcome *out_outcome)
{
    bool is_null = false;
    uint32_t own = UINT32_MAX;
    for (size_t i = 0; i < answer->records_count; i++) {
        struct dns_mx_record record;
        if (!dns_mx_record_read(answer->records[i], &record))
            continue;
        if (record.host.len == 0)
            is_null = true;
        else if (is_own_name(&record.host, rules))
            own = record.preference < own ? record.preference : own;
        else if (!knows_host(out, &record.host))
            insert_host(out, &record, &random);
    }
    bool had_hosts = out->count > 0 || own != UINT32_MAX;
    if (own != UINT32_MAX)
        cut_at(out, (uint16_t)own);
    if (out->count > 0)
        return true;
    if (had_hosts)
        *out_outcome = is_ourselves();
    else if (is_null)
        *out_outcome = outcome_make(OUTCOME_FAILED, 556, 1, 10,
                                    "the domain accepts no mail (null MX)");
    else
        *out_outcome = outcome_make(OUTCOME_FAILED, 0, 4, 4,
                                    "the domain names no usable mail host");
    return false;
}

bool dns_mx_read(const struct dns_answer *answer, struct slice domain,
                 const struct dns_mx_rules *rules, uint64_t random,
                 struct dns_hosts *out, struct outcome *out_outcome)
{
    out->count = 0;
    out->is_implicit = answer->kind == DNS_NODATA;
    out->secure = answer->secure;
    out->domain = answer->canonical;
    out->ttl_s = answer->kind == DNS_OK ? answer->ttl_s : UINT32_MAX;
    if (answer->kind == DNS_OK)
        return read_records(answer, rules, random, out, out_outcome);
    if (answer->kind != DNS_NODATA) {
        *out_outcome = not_a_host(answer->kind);
        return false;
    }
    out->hosts[0] = (struct dns_host){ .preference = 0 };
    if (!dns_name_parse(domain, &out->hosts[0].name)) {
        *out_outcome = not_a_host(DNS_INVALID);
        return false;
    }
    if (is_own_name(&out->hosts[0].name, rules)) {
        *out_outcome = is_ourselves();
        return false;
    }
    out->count = 1;
    return true;
}

static bool is_own_address(const struct dns_address *a, const struct dns_mx_rules *rules)
{
    struct net_address address;
    dns_address_to_net(a, 0, &address);
    for (size_t i = 0; i < rules->own_addresses_count; i++)
        if (net_address_equal_host(&rules->own_addresses[i], &address))
            return true;
    return false;
}

bool dns_address_is_allowed(const struct dns_address *address,
                            const struct dns_mx_rules *rules)
{
    struct net_address as;
    struct egress_rules egress = { .allow_loopback = rules->allow_loopback,
                                   .allow_private = rules->allow_private };
    dns_address_to_net(address, 0, &as);
    return egress_is_allowed(&as, &egress);
}

static void take_address(struct dns_host *host, struct slice data, bool is_v6,
                         const struct dns_mx_rules *rules)
{
    struct dns_address address = { .is_v6 = is_v6 };
    if (data.len != (is_v6 ? 16 : 4))
        return;
    memcpy(address.bytes, data.data, data.len);
    if (is_own_address(&address, rules))
        host->is_own = true;
    else if (!dns_address_is_allowed(&address, rules))
        host->is_refused = true;
    else if (host->addresses_count < DNS_HOST_ADDRESSES_MAX)
        host->addresses[host->addresses_count++] = address;
}

/* Of two answers that are not equally secure the secure one counts: what is published below
 * it is a promise. */
static void note_canonical(struct dns_host *host, const struct dns_answer *answer)
{
    if (answer->kind != DNS_OK || (host->canonical.len > 0 && !answer->secure))
        return;
    host->secure = answer->secure;
    host->canonical = answer->canonical.len > 0 ? answer->canonical : host->name;
}

static void note_answer(struct dns_hosts *hosts, struct dns_host *host,
                        const struct dns_answer *answer)
{
    note_canonical(host, answer);
    if (dns_is_temporary(answer->kind))
        host->is_temporary = true;
    if (answer->kind == DNS_OK && answer->ttl_s < hosts->ttl_s)
        hosts->ttl_s = answer->ttl_s;
}

void dns_host_take_addresses(struct dns_hosts *hosts, struct dns_host *host,
                             const struct dns_answer *v4, const struct dns_answer *v6,
                             const struct dns_mx_rules *rules)
{
    note_answer(hosts, host, v4);
    note_answer(hosts, host, v6);
    size_t v4_count = v4->kind == DNS_OK ? v4->records_count : 0;
    size_t v6_count = v6->kind == DNS_OK ? v6->records_count : 0;
    for (size_t i = 0; i < v4_count || i < v6_count; i++) {
        if (i < v6_count)
            take_address(host, v6->records[i], true, rules);
        if (i < v4_count)
            take_address(host, v4->records[i], false, rules);
    }
}

bool dns_hosts_settle(struct dns_hosts *hosts, struct outcome *out_outcome)
{
    bool any_temporary = false;
    bool any_refused = false;
    bool any_own = false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < hosts->count; i++)
        if (hosts->hosts[i].is_own) {
            any_own = true;
            cut_at(hosts, hosts->hosts[i].preference);
        }
    for (uint32_t i = 0; i < hosts->count; i++) {
        struct dns_host *h = &hosts->hosts[i];
        any_temporary = any_temporary || h->is_temporary;
        any_refused = any_refused || h->is_refused;
        if (h->addresses_count > 0 && kept++ != i)
            hosts->hosts[kept - 1] = *h;
    }
    hosts->count = kept;
    if (kept > 0)
        return true;
    if (any_temporary)
        *out_outcome = outcome_make(OUTCOME_DEFERRED, 0, 4, 3,
                                    "the addresses of the mail hosts cannot be looked "
                                    "up now");
    else if (any_own)
        *out_outcome = is_ourselves();
    else if (any_refused)
        *out_outcome = outcome_make(OUTCOME_FAILED, 0, 4, 4,
                                    "the mail hosts have only addresses that mail is "
                                    "not sent to");
    else
        *out_outcome = outcome_make(OUTCOME_FAILED, 0, 4, 4,
                                    "no mail host of the domain has an address");
    return false;
}

/* address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]" */
bool dns_literal_read(struct slice domain, const struct dns_mx_rules *rules,
                      struct dns_hosts *out, struct outcome *out_outcome)
{
    if (domain.len < 2 || domain.data[0] != '[')
        return false;
    struct slice inner = slice_part(domain, 1, domain.len - 2);
    struct slice prefix = SLICE("IPv6:");
    bool is_v6 = slice_starts_with_nocase(inner, prefix);
    if (is_v6)
        inner = slice_from(inner, prefix.len);
    char *text = slice_to_string(inner);
    uint8_t bytes[16];
    bool valid = text != NULL && domain.data[domain.len - 1] == ']' &&
                 inet_pton(is_v6 ? AF_INET6 : AF_INET, text, bytes) == 1;
    free(text);
    if (!valid) {
        *out_outcome = not_a_host(DNS_INVALID);
        return true;
    }
    *out = (struct dns_hosts){ .is_implicit = true, .ttl_s = UINT32_MAX, .count = 1 };
    take_address(&out->hosts[0], slice_make(bytes, is_v6 ? 16 : 4), is_v6, rules);
    *out_outcome = (struct outcome){ .kind = OUTCOME_NONE };
    dns_hosts_settle(out, out_outcome);
    return true;
}

void dns_address_to_net(const struct dns_address *address, uint16_t port,
                        struct net_address *out)
{
    memset(out, 0, sizeof *out);
    if (address->is_v6) {
        out->v6.sin6_family = AF_INET6;
        memcpy(&out->v6.sin6_addr, address->bytes, 16);
        out->v6.sin6_port = htons(port);
        out->len = sizeof out->v6;
    } else {
        out->v4.sin_family = AF_INET;
        memcpy(&out->v4.sin_addr, address->bytes, 4);
        out->v4.sin_port = htons(port);
        out->len = sizeof out->v4;
    }
}
