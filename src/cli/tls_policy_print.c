/* tls_policy_print.c: what was found, for people and as JSON. Both say the same. */
#include "cli/show.h"
#include "cli/tls_policy_private.h"

#include <stdio.h>

static const char *const dane_kinds[] = {
    [DANE_ABSENT] = "absent", [DANE_USABLE] = "usable", [DANE_UNUSABLE] = "unusable",
    [DANE_FAILED] = "failed",
};

static json_t *text_of(struct slice s)
{
    struct buffer text;
    buffer_init(&text, 4 * s.len + 16);
    buffer_append_escaped(&text, s);
    json_t *value = json_stringn_nocheck(buffer_len(&text) == 0 ? "" : buffer_slice(&text).data,
                                         buffer_len(&text));
    buffer_free(&text);
    return value;
}

static json_t *policy_json(const struct found *f)
{
    struct slice pattern;
    if (!f->has_asked_sts)
        return json_null();
    json_t *all = json_pack("{s:s}", "id", f->sts.id.text);
    if (f->sts.trouble[0] != '\0')
        json_object_set_new(all, "trouble", text_of(slice_from_string(f->sts.trouble)));
    if (f->sts.policy == NULL)
        return all;
    json_t *mx = json_array();
    for (size_t i = 0; (pattern = mtasts_policy_pattern(f->sts.policy, i)).len > 0; i++)
        json_array_append_new(mx, text_of(pattern));
    json_object_set_new(all, "mode",
                        json_string(mtasts_mode_text(mtasts_policy_mode(f->sts.policy))));
    json_object_set_new(all, "max_age", json_integer(mtasts_policy_age_s(f->sts.policy)));
    json_object_set_new(all, "mx", mx);
    return all;
}

static json_t *dane_json(const struct dane *dane)
{
    if (dane == NULL)
        return json_null();
    json_t *one = json_pack("{s:s,s:i,s:i}", "state", dane_kinds[dane->kind], "records",
                            (int)dane->records_count, "usable", (int)dane->associations_count);
    if (dane->base.len > 0)
        json_object_set_new(one, "base", text_of(dns_name_slice(&dane->base)));
    if (dane->why != NULL)
        json_object_set_new(one, "why", json_string(dane->why));
    return one;
}

static json_t *host_json(const struct found_host *h, const struct dns_host *host)
{
    json_t *one = json_pack("{s:o,s:i,s:b,s:o,s:s,s:s,s:s}", "name",
                            text_of(dns_name_slice(&host->name)), "preference",
                            (int)host->preference, "secure", (int)host->secure, "tlsa",
                            dane_json(h->dane), "promise",
                            transport_promise_text(h->promise.kind), "tls",
                            transport_level_text(h->level), "by", h->by);
    json_t *addresses = json_array();
    for (size_t i = 0; i < host->addresses_count; i++) {
        struct net_address address;
        struct buffer text;
        dns_address_to_net(&host->addresses[i], 0, &address);
        buffer_init(&text, NET_ADDRESS_TEXT_MAX);
        net_host_append(&text, &address);
        json_array_append_new(addresses, text_of(buffer_slice(&text)));
        buffer_free(&text);
    }
    json_object_set_new(one, "addresses", addresses);
    if (h->promise.refusal != NULL)
        json_object_set_new(one, "refused", json_string(h->promise.refusal));
    if (h->promise.doubt != NULL)
        json_object_set_new(one, "doubt", json_string(h->promise.doubt));
    return one;
}

json_t *tls_policy_json(const struct found *f)
{
    static const char *const ways[] = { [DELIVERY_MX] = "mx", [DELIVERY_SMTP] = "smtp",
                                        [DELIVERY_LMTP] = "lmtp",
                                        [DELIVERY_MAILDIR] = "maildir",
                                        [DELIVERY_DISCARD] = "discard" };
    const struct dns_hosts *hosts = f->mx.hosts;
    json_t *list = json_array();
    for (uint32_t i = 0; hosts != NULL && i < hosts->count; i++)
        json_array_append_new(list, host_json(&f->hosts[i], &hosts->hosts[i]));
    json_t *all = json_pack("{s:o,s:s,s:s,s:b,s:o,s:o}", "domain", text_of(f->domain), "way",
                            ways[f->route.way], "route_tls",
                            transport_level_text(f->route.security.level), "secure",
                            hosts != NULL && hosts->secure, "mta_sts", policy_json(f), "hosts",
                            list);
    if (hosts == NULL && f->mx.outcome.kind != OUTCOME_NONE)
        json_object_set_new(all, "error", text_of(f->mx.outcome.text));
    return all;
}

/* ---- for people ---- */

static void print_policy(const struct found *f)
{
    struct slice pattern;
    struct buffer text;
    if (!f->has_asked_sts)
        return;
    buffer_init(&text, MTASTS_POLICY_MAX * 2);
    buffer_append_string(&text, "MTA-STS     ");
    if (f->sts.policy == NULL) {
        buffer_append_string(&text, f->sts.trouble[0] != '\0' ? "no policy can be had: "
                                                             : "none is published");
        show_text(&text, f->sts.trouble);
    } else {
        buffer_append_format(&text, "%s, for ",
                             mtasts_mode_text(mtasts_policy_mode(f->sts.policy)));
        show_duration(&text, (int64_t)mtasts_policy_age_s(f->sts.policy) * 1000);
        for (size_t i = 0; (pattern = mtasts_policy_pattern(f->sts.policy, i)).len > 0; i++) {
            buffer_append_string(&text, i == 0 ? ": " : ", ");
            buffer_append_escaped(&text, pattern);
        }
    }
    printf("%.*s\n", (int)buffer_len(&text), buffer_slice(&text).data);
    buffer_free(&text);
}

static void print_tlsa(const struct found_host *h, const struct dns_host *host)
{
    const struct dane *d = h->dane;
    if (d == NULL)
        printf("  TLSA      not asked for: the way to it is not signed, or it is not heeded\n");
    else if (d->kind == DANE_ABSENT)
        printf("  TLSA      none%s\n", host->secure ? "" : ": its addresses are not signed");
    else if (d->kind == DANE_FAILED)
        printf("  TLSA      %s\n", d->why);
    else
        printf("  TLSA      %zu of %zu are of use, below %s\n", d->associations_count,
               d->records_count, d->base.text);
}

static void print_host(const struct found_host *h, const struct dns_host *host)
{
    printf("%s (preference %u, addresses %ssigned)\n",
           host->name.len > 0 ? host->name.text : "an address", host->preference,
           host->secure ? "" : "not ");
    print_tlsa(h, host);
    if (h->promise.refusal != NULL)
        printf("  delivery  not to this host: %s (%s)\n", h->promise.refusal, h->promise.why);
    else
        printf("  delivery  TLS %s, as %s asks\n", transport_level_text(h->level), h->by);
    if (h->promise.doubt != NULL)
        printf("  testing   %s\n", h->promise.doubt);
}

void tls_policy_print(const struct found *f)
{
    const struct dns_hosts *hosts = f->mx.hosts;
    printf("domain      %.*s\n", (int)f->domain.len, f->domain.data);
    if (hosts == NULL) {
        struct slice why = f->mx.outcome.text;
        printf("delivery    %.*s\n", (int)why.len, why.len > 0 ? why.data : "");
        return;
    }
    printf("route       %s, TLS %s\n",
           f->route.way == DELIVERY_MX ? "mail hosts of the DNS" : "a host that is named",
           transport_level_text(f->route.security.level));
    if (f->route.way == DELIVERY_MX)
        printf("DNSSEC      the MX records are %ssigned\n", hosts->secure ? "" : "not ");
    print_policy(f);
    for (uint32_t i = 0; i < hosts->count; i++)
        print_host(&f->hosts[i], &hosts->hosts[i]);
}
