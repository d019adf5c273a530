/* secure_probe.c: asks the resolver what the command line says, for tests with signed
 * zones: probe_dns_secure SERVER ANCHOR [NAME TYPE]... prints "NAME kind secure" lines.
 */
#include "dns/dns.h"

#include "event/loop.h"

#include <stdio.h>
#include <stdlib.h>

struct asked {
    struct dns_query query;
    struct loop *loop;
};

static void on_done(struct dns_query *query)
{
    loop_stop(container_of(query, struct asked, query)->loop);
}

static void ask(struct dns *dns, struct loop *loop, const char *name, uint16_t type)
{
    static const char *const kinds[] = {
        [DNS_OK] = "ok",           [DNS_NODATA] = "nodata",       [DNS_NXDOMAIN] = "nxdomain",
        [DNS_SERVFAIL] = "servfail", [DNS_BOGUS] = "bogus",       [DNS_TIMEOUT] = "timeout",
        [DNS_CANCELLED] = "cancelled", [DNS_INVALID] = "invalid",
    };
    struct asked asked = {
        .query = { .home = loop_home(loop), .done = on_done,
                   .name = slice_from_string(name), .type = type },
        .loop = loop,
    };
    dns_query(dns, &asked.query);
    loop_run(loop);
    const struct dns_answer *a = &asked.query.answer;
    printf("%s %s %s\n", name, kinds[a->kind], a->secure ? "secure" : "insecure");
    dns_query_clear(&asked.query);
}

int main(int argc, char **argv)
{
    struct net_address server;
    struct dns *dns;
    struct loop *loop;
    if (argc < 3 || !net_address_parse(slice_from_string(argv[1]), &server))
        return 2;
    struct dns_options options = { .upstreams = &server, .upstreams_count = 1,
                                   .trust_anchor_file = argv[2] };
    if (loop_open(&loop) != ERR_OK || dns_open(&options, &dns) != ERR_OK)
        return 1;
    for (int i = 3; i + 1 < argc; i += 2)
        ask(dns, loop, argv[i], (uint16_t)strtoul(argv[i + 1], NULL, 10));
    dns_close(&dns);
    loop_close(&loop);
    return 0;
}
