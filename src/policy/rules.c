#include "policy/rules.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "wire/smtp/address.h"

#include <stdio.h>

void rules_begin(struct rules_run *run, const struct rules_facts *facts,
                 struct rules_memory *memory)
{
    *run = (struct rules_run){ .facts = *facts, .memory = memory };
}

void rules_go_on(struct rules_run *run)
{
    run->at++;
}

/* ---- patterns ---- */

static bool is_none(struct slice pattern)
{
    return slice_equal(pattern, SLICE("none"));
}

static bool helo_matches(const struct config_slices *all, struct slice helo)
{
    for (size_t i = 0; i < all->count; i++)
        if (is_none(all->all[i]) ? slice_is_empty(helo) : config_name_matches(all->all[i], helo))
            return true;
    return all->count == 0;
}

/* pattern = "<>" / "@" host / mailbox, in canonical form */
static bool address_matches(struct slice pattern, struct slice address, struct slice domain)
{
    if (slice_is_empty(address))
        return slice_equal(pattern, SLICE("<>"));
    if (pattern.data[0] == '@')
        return config_name_matches(slice_from(pattern, 1), domain);
    return slice_equal_nocase(pattern, address);
}

static bool addresses_match(const struct config_slices *all, struct slice said)
{
    struct smtp_address parsed;
    struct buffer canonical;
    bool matches = all->count == 0;
    if (matches)
        return true;
    buffer_init(&canonical, SMTP_PATH_MAX * 4);
    if (said.len > 0 &&
        smtp_address_parse(said, SMTP_UTF8_ALLOWED, &parsed) == SMTP_PATH_OK)
        smtp_address_canonical(&parsed, &canonical);
    else
        buffer_append(&canonical, said);
    struct slice address = buffer_slice(&canonical);
    size_t at = slice_is_empty(address) ? SLICE_NOT_FOUND : slice_find_last(address, '@');
    struct slice domain = at == SLICE_NOT_FOUND ? slice_make(NULL, 0)
                                                : slice_from(address, at + 1);
    for (size_t i = 0; i < all->count && !matches; i++)
        matches = address_matches(all->all[i], address, domain);
    buffer_free(&canonical);
    return matches;
}

static bool account_matches(const struct config_slices *all, struct slice account)
{
    size_t at = slice_is_empty(account) ? SLICE_NOT_FOUND : slice_find_last(account, '@');
    struct slice domain = at == SLICE_NOT_FOUND ? slice_make(NULL, 0)
                                                : slice_from(account, at + 1);
    for (size_t i = 0; i < all->count; i++) {
        struct slice pattern = all->all[i];
        bool matches = slice_equal(pattern, SLICE("*")) || is_none(pattern)
                           ? slice_is_empty(account) == is_none(pattern)
                           : account.len > 0 && address_matches(pattern, account, domain);
        if (matches)
            return true;
    }
    return all->count == 0;
}

static bool either_matches(enum config_either wanted, bool is)
{
    return wanted == CONFIG_EITHER || (wanted == CONFIG_YES) == is;
}

/* All that can be told without the DNS. */
static bool plainly_matches(const struct config_rule *rule, const struct rules_facts *f)
{
    return either_matches(rule->role, f->is_submission) &&
           either_matches(rule->tls, f->is_tls) &&
           (rule->clients_count == 0 ||
            networks_have(rule->clients, rule->clients_count, f->client)) &&
           account_matches(&rule->accounts, f->account) &&
           helo_matches(&rule->helo, f->helo) && addresses_match(&rule->from, f->from) &&
           addresses_match(&rule->to, f->to);
}

/* ---- what the DNS says ---- */

/* "1.2.0.192" of 192.0.2.1, nibbles of an IPv6 address, then '.' and the zone: RFC 5782
 * 2.1 and 2.4, RFC 3596 2.5. False: no such name. */
static bool reversed_name(const struct net_address *client, struct slice zone,
                          char out[DNS_NAME_MAX + 1], size_t *out_len)
{
    static const char digits[] = "0123456789abcdef";
    struct buffer b = { .memory = out, .capacity = DNS_NAME_MAX, .max = DNS_NAME_MAX };
    if (client->any.sa_family == AF_INET) {
        uint32_t address = ntohl(client->v4.sin_addr.s_addr);
        buffer_append_format(&b, "%u.%u.%u.%u.", address & 255, address >> 8 & 255,
                             address >> 16 & 255, address >> 24);
    } else if (client->any.sa_family == AF_INET6) {
        for (int i = 15; i >= 0; i--) {
            uint8_t byte = client->v6.sin6_addr.s6_addr[i];
            char part[] = { digits[byte & 15], '.', digits[byte >> 4], '.' };
            buffer_append(&b, slice_make(part, sizeof part));
        }
    } else {
        return false;
    }
    buffer_append(&b, zone);
    *out_len = buffer_len(&b);
    return !b.overflow;
}

static void ask(struct rules_run *run, size_t len, uint16_t type)
{
    run->question = (struct lookup_question){ slice_make(run->name, len), type };
}

static struct rules_list *find_list(struct rules_memory *m, struct slice zone)
{
    for (size_t i = 0; i < m->lists_count; i++)
        if (slice_equal(dns_name_slice(&m->lists[i].zone), zone))
            return &m->lists[i];
    return NULL;
}

/* What a rule's need of the DNS comes to. */
enum need { NEED_MET, NEED_NOT_MET, NEED_ASKS };

static const uint16_t helo_types[] = { DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_MX };
enum { HELO_TYPES = sizeof helo_types / sizeof *helo_types };

/* What can be told of it without the DNS. */
static uint32_t helo_kinds(const struct config *config, struct slice helo)
{
    struct buffer canonical;
    bool is_literal = helo.len > 0 && helo.data[0] == '[';
    bool is_bare = !is_literal && slice_find(helo, '.') == SLICE_NOT_FOUND;
    bool is_ours = slice_equal_nocase(helo, config->hostname);
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    if (!is_ours && smtp_domain_canonical(helo, &canonical))
        is_ours = config_domain(config, buffer_slice(&canonical)) != NULL;
    buffer_free(&canonical);
    return (is_literal ? CONFIG_HELO_LITERAL : 0) | (is_bare ? CONFIG_HELO_BARE : 0) |
           (is_ours ? CONFIG_HELO_OURS : 0);
}

static bool ask_of_helo(struct rules_run *run)
{
    struct dns_name name;
    if (run->helo_asked == HELO_TYPES || run->facts.helo.len == 0 ||
        run->facts.helo.data[0] == '[' || !dns_name_parse(run->facts.helo, &name))
        return false;
    memcpy(run->name, name.text, name.len);
    ask(run, name.len, helo_types[run->helo_asked++]);
    run->is_about_helo = true;
    return true;
}

static enum need look_at_helo(struct rules_run *run, const struct config_rule *rule)
{
    if (rule->helo_is == 0 ||
        (rule->helo_is & helo_kinds(run->facts.config, run->facts.helo)) != 0)
        return NEED_MET;
    if ((rule->helo_is & CONFIG_HELO_UNKNOWN) == 0)
        return NEED_NOT_MET;
    if (!run->memory->helo_known && ask_of_helo(run))
        return NEED_ASKS;
    if (!run->memory->helo_known) {
        bool was_asked = run->helo_asked == HELO_TYPES;
        run->memory->helo_known = true;
        run->memory->helo_is = was_asked && !run->helo_unsure ? CONFIG_HELO_UNKNOWN : 0;
    }
    return run->memory->helo_is != 0 ? NEED_MET : NEED_NOT_MET;
}

static void take_helo(struct rules_run *run, const struct lookup_answer *answer)
{
    bool has_records = answer->kind == LOOKUP_FOUND && answer->records_count > 0;
    run->helo_unsure |= answer->kind == LOOKUP_FAILED;
    if (has_records) { /* it is known: nothing more is asked */
        run->memory->helo_known = true;
        run->memory->helo_is = 0;
    }
}

static bool is_listed(const struct rules_list *list, const struct config_dnsbl *wanted)
{
    struct net_address value;
    if (slice_is_empty(wanted->value) || !net_host_parse(wanted->value, 0, &value))
        return list->count > 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->values[i] == ntohl(value.v4.sin_addr.s_addr))
            return true;
    return false;
}

static enum need look_at_lists(struct rules_run *run, const struct config_rule *rule)
{
    struct rules_memory *m = run->memory;
    for (size_t i = 0; i < rule->dnsbl_count; i++) {
        const struct rules_list *known = find_list(m, rule->dnsbl[i].zone);
        size_t len;
        if (known != NULL && is_listed(known, &rule->dnsbl[i]))
            return NEED_MET;
        if (known != NULL || m->lists_count == RULES_LISTS_MAX)
            continue;
        struct rules_list *list = &m->lists[m->lists_count];
        if (!dns_name_parse(rule->dnsbl[i].zone, &list->zone) ||
            !reversed_name(run->facts.client, rule->dnsbl[i].zone, run->name, &len))
            continue;
        *list = (struct rules_list){ .zone = list->zone };
        m->lists_count++;
        run->list = list;
        ask(run, len, DNS_TYPE_A);
        return NEED_ASKS;
    }
    return rule->dnsbl_count == 0 ? NEED_MET : NEED_NOT_MET;
}

static bool name_matches(const struct config_slices *all, const struct rules_memory *m)
{
    for (size_t i = 0; i < all->count; i++) {
        if (is_none(all->all[i]) && m->names_count == 0)
            return true;
        for (size_t n = 0; n < m->names_count; n++)
            if (!is_none(all->all[i]) &&
                config_name_matches(all->all[i], dns_name_slice(&m->names[n])))
                return true;
    }
    return false;
}

static bool ask_candidate(struct rules_run *run)
{
    if (run->candidate >= run->candidates_count)
        return false;
    const struct dns_name *name = &run->candidates[run->candidate];
    memcpy(run->name, name->text, name->len);
    ask(run, name->len,
        run->facts.client->any.sa_family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA);
    return true;
}

static enum need look_at_names(struct rules_run *run, const struct config_rule *rule)
{
    struct slice zone = run->facts.client->any.sa_family == AF_INET
                            ? SLICE("in-addr.arpa") : SLICE("ip6.arpa");
    size_t len;
    if (rule->names.count == 0)
        return NEED_MET;
    if (!run->memory->names_known) {
        if (!run->asks_names && reversed_name(run->facts.client, zone, run->name, &len)) {
            run->asks_names = true;
            ask(run, len, DNS_TYPE_PTR);
            return NEED_ASKS;
        }
        if (run->asks_names && ask_candidate(run))
            return NEED_ASKS;
        run->memory->names_known = true;
    }
    return name_matches(&rule->names, run->memory) ? NEED_MET : NEED_NOT_MET;
}

static void take_list(struct rules_list *list, const struct lookup_answer *answer)
{
    for (size_t i = 0; answer->kind == LOOKUP_FOUND && i < answer->records_count; i++) {
        const unsigned char *a = (const unsigned char *)answer->records[i].data;
        /* 127.255.255.0/24 says that the question was refused (open resolver, limit):
         * lists that answer so mean no client by it. Outside of 127/8 it is no list. */
        bool is_entry = answer->records[i].len == 4 && a[0] == 127 &&
                        !(a[1] == 255 && a[2] == 255);
        if (is_entry && list->count < RULES_VALUES_MAX)
            list->values[list->count++] = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 |
                                          (uint32_t)a[2] << 8 | a[3];
    }
}

static void take_candidates(struct rules_run *run, const struct lookup_answer *answer)
{
    for (size_t i = 0; answer->kind == LOOKUP_FOUND && i < answer->records_count; i++) {
        struct cursor c = cursor_over(answer->records[i]);
        if (run->candidates_count < RULES_NAMES_MAX &&
            dns_name_take(&c, &run->candidates[run->candidates_count]))
            run->candidates_count++;
    }
}

static bool is_client(const struct net_address *client, struct slice record)
{
    const void *own = client->any.sa_family == AF_INET
                          ? (const void *)&client->v4.sin_addr
                          : (const void *)&client->v6.sin6_addr;
    size_t len = client->any.sa_family == AF_INET ? 4 : 16;
    return record.len == len && memcmp(record.data, own, len) == 0;
}

static void take_address(struct rules_run *run, const struct lookup_answer *answer)
{
    struct rules_memory *m = run->memory;
    bool leads_back = false;
    for (size_t i = 0; answer->kind == LOOKUP_FOUND && i < answer->records_count; i++)
        leads_back |= is_client(run->facts.client, answer->records[i]);
    if (leads_back && m->names_count < RULES_NAMES_MAX)
        m->names[m->names_count++] = run->candidates[run->candidate];
    run->candidate++;
}

void rules_answer(struct rules_run *run, const struct lookup_answer *answer)
{
    if (run->is_about_helo)
        take_helo(run, answer);
    else if (run->list != NULL)
        take_list(run->list, answer);
    else if (run->question.type == DNS_TYPE_PTR)
        take_candidates(run, answer);
    else
        take_address(run, answer);
    run->list = NULL;
    run->is_about_helo = false;
}

enum rules_step rules_next(struct rules_run *run)
{
    const struct config *c = run->facts.config;
    for (; run->at < c->rules_count; run->at++) {
        const struct config_rule *rule = &c->rules[run->at];
        if (!plainly_matches(rule, &run->facts))
            continue;
        enum need helo = look_at_helo(run, rule);
        enum need names = helo == NEED_MET ? look_at_names(run, rule) : helo;
        enum need lists = names == NEED_MET ? look_at_lists(run, rule) : names;
        if (lists == NEED_ASKS)
            return RULES_ASK;
        if (lists == NEED_MET) {
            run->rule = rule;
            return RULES_DECIDED;
        }
    }
    run->rule = NULL;
    return RULES_DECIDED;
}
