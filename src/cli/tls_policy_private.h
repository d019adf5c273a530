/* tls_policy_private.h: what a delivery to a domain would ask of TLS: found, then told. */
#ifndef GODWIT_CLI_TLS_POLICY_PRIVATE_H
#define GODWIT_CLI_TLS_POLICY_PRIVATE_H

#include "delivery/promise.h"
#include "transport/mtasts/mtasts.h"

#include <jansson.h>

struct found_host {
    struct dane *dane;        /* NULL: it was not asked for */
    struct promise promise;
    enum transport_level level;
    const char *by;           /* who asks for the level */
};

/* What was found. */
struct found {
    struct slice domain;
    struct delivery_route route;
    struct dns_mx_lookup mx;  /* hosts or an outcome */
    struct mtasts_lookup sts;
    bool has_asked_sts;
    struct found_host hosts[DNS_HOSTS_MAX];
};

/* tls_policy_find.c: asks the DNS and the policy host; an exit code, after a complaint. */
struct finding {
    const struct net_address *servers;
    size_t servers_count;
    const char *trust_anchor;     /* or NULL */
    struct dns_mx_rules rules;
    bool heeds_dane;
    bool heeds_mtasts;
    uint16_t smtp_port;
};
int tls_policy_find(const struct finding *how, struct found *found);
void tls_policy_free(struct found *found);

/* tls_policy_print.c */
void tls_policy_print(const struct found *found);
json_t *tls_policy_json(const struct found *found);

#endif
