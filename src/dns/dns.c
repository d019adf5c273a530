/* dns.c: the resolver thread, around libunbound.
 *
 * Everything that touches the context runs on the resolver's loop: questions and
 * cancellations come in by its mailbox, answers by the context's descriptor. A query
 * is completed by whoever moves its stage away from asking.
 */
#include "dns/dns.h"

#include "base/must.h"
#include "event/loop.h"
#include "event/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unbound.h>
#include <unistd.h>

enum { TIMEOUT_DEFAULT_MS = 20 * SECOND_MS, CNAME_MAX = 8, CLASS_IN = 1 };

enum stage {
    STAGE_ASKING,
    STAGE_CANCELLING,
    STAGE_DONE,
};

struct dns {
    struct loop *loop;
    struct ub_ctx *context;
    struct watch watch;
    struct list active;
    uint32_t timeout_ms;
    pthread_t thread;
    struct task stop;
};

static void run_done(struct task *task)
{
    struct dns_query *q = container_of(task, struct dns_query, task);
    q->done(q);
}

static void complete(struct dns_query *q)
{
    if (list_is_linked(&q->node))
        list_remove(&q->node);
    timer_clear(&q->timer);
    q->id = 0;
    q->task.run = run_done;
    home_post(q->home, &q->task);
}

/* Ends it unless its owner has just begun to cancel: then that ends it. */
static void finish(struct dns_query *q, enum dns_kind kind)
{
    int asking = STAGE_ASKING;
    q->answer.kind = kind;
    timer_clear(&q->timer);
    if (atomic_compare_exchange_strong(&q->stage, &asking, STAGE_DONE))
        complete(q);
}

static enum dns_kind kind_of(const struct ub_result *result)
{
    enum { RCODE_NXDOMAIN = 3 };
    uint32_t links;
    if (result->bogus)
        return DNS_BOGUS;
    if (result->nxdomain || result->rcode == RCODE_NXDOMAIN)
        return DNS_NXDOMAIN;
    if (result->rcode != 0)
        return DNS_SERVFAIL;
    struct slice packet = slice_make(
        result->answer_packet, result->answer_len < 0 ? 0 : (size_t)result->answer_len);
    if (dns_message_count(packet, DNS_TYPE_CNAME, &links) && links > CNAME_MAX)
        return DNS_SERVFAIL;
    return result->havedata ? DNS_OK : DNS_NODATA;
}

/* Copies the records into one block; false without memory. */
static bool copy_records(struct dns_query *q, const struct ub_result *result)
{
    size_t count = 0;
    size_t bytes = 0;
    while (result->data[count] != NULL && result->len[count] >= 0)
        bytes += (size_t)result->len[count++];
    struct slice *records = malloc(count * sizeof *records + bytes + 1);
    if (records == NULL)
        return false;
    char *at = (char *)(records + count);
    for (size_t i = 0; i < count; i++) {
        size_t len = (size_t)result->len[i];
        memcpy(at, result->data[i], len);
        records[i] = slice_make(at, len);
        at += len;
    }
    q->memory = records;
    q->answer.records = records;
    q->answer.records_count = count;
    return true;
}

static void on_answer(void *argument, int error, struct ub_result *result)
{
    struct dns_query *q = argument;
    q->id = 0;
    enum dns_kind kind = DNS_SERVFAIL;
    if (error == 0 && result != NULL) {
        kind = kind_of(result);
        q->answer.secure = result->secure && kind != DNS_SERVFAIL;
        q->answer.ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0;
        const char *name = result->canonname != NULL ? result->canonname : result->qname;
        if (!dns_name_parse(slice_from_string(name), &q->answer.canonical))
            q->answer.canonical.len = 0;
        if (kind == DNS_OK && !copy_records(q, result))
            kind = DNS_SERVFAIL;
    }
    ub_resolve_free(result);
    finish(q, kind);
}

static void forget(struct dns_query *q)
{
    if (q->id != 0)
        ub_cancel(q->dns->context, q->id);
    q->id = 0;
}

static void on_timeout(struct timer *timer)
{
    struct dns_query *q = container_of(timer, struct dns_query, timer);
    forget(q);
    finish(q, DNS_TIMEOUT);
}

/* On the resolver's thread. */
static void run_query(struct task *task)
{
    struct dns_query *q = container_of(task, struct dns_query, task);
    struct dns *dns = q->dns;
    struct dns_name name;
    timer_init(&q->timer, dns->loop, on_timeout);
    if (!dns_name_parse(q->name, &name)) {
        finish(q, DNS_INVALID);
        return;
    }
    list_append(&dns->active, &q->node);
    timer_set(&q->timer, dns->timeout_ms);
    const char *text = name.len == 0 ? "." : name.text;
    if (ub_resolve_async(dns->context, text, q->type, CLASS_IN, q, on_answer,
                         &q->id) != 0)
        finish(q, DNS_SERVFAIL);
}

static void run_cancel(struct task *task)
{
    struct dns_query *q = container_of(task, struct dns_query, cancelling);
    forget(q);
    q->answer.kind = DNS_CANCELLED;
    complete(q);
}

void dns_query(struct dns *dns, struct dns_query *query)
{
    query->dns = dns;
    query->answer = (struct dns_answer){ .kind = DNS_SERVFAIL };
    query->memory = NULL;
    query->id = 0;
    query->node = (struct list_node){ NULL, NULL };
    query->timer = (struct timer){ .due_mono_ms = 0 };
    query->task.run = run_query;
    query->cancelling.run = run_cancel;
    atomic_init(&query->stage, STAGE_ASKING);
    home_post(loop_home(dns->loop), &query->task);
}

void dns_cancel(struct dns_query *query)
{
    int asking = STAGE_ASKING;
    if (atomic_compare_exchange_strong(&query->stage, &asking, STAGE_CANCELLING))
        home_post(loop_home(query->dns->loop), &query->cancelling);
}

void dns_query_clear(struct dns_query *query)
{
    free(query->memory);
    query->memory = NULL;
    query->answer.records = NULL;
    query->answer.records_count = 0;
}

static void on_readable(struct watch *watch)
{
    struct dns *dns = container_of(watch, struct dns, watch);
    ub_process(dns->context);
}

static void run_stop(struct task *task)
{
    struct dns *dns = container_of(task, struct dns, stop);
    struct list_node *node;
    while ((node = list_take(&dns->active)) != NULL) {
        struct dns_query *q = container_of(node, struct dns_query, node);
        forget(q);
        finish(q, DNS_CANCELLED);
    }
    loop_stop(dns->loop);
}

static void *resolver_thread(void *argument)
{
    struct dns *dns = argument;
    loop_run(dns->loop);
    return NULL;
}

static enum err add_upstream(struct ub_ctx *context, const struct net_address *address)
{
    struct buffer text;
    buffer_init(&text, 128);
    net_host_append(&text, address);
    uint16_t port = net_address_port(address);
    buffer_append_byte(&text, '@');
    buffer_append_number(&text, port == 0 ? 53 : port);
    buffer_append_byte(&text, '\0');
    enum err error = ERR_OK;
    if (text.overflow)
        error = ERR_MEMORY;
    else if (ub_ctx_set_fwd(context, buffer_slice(&text).data) != 0)
        error = ERR_INVALID;
    buffer_free(&text);
    return error;
}

static enum err configure(struct ub_ctx *context, const struct dns_options *options)
{
    static const char *const settings[][2] = {
        { "do-not-query-localhost:", "no" }, /* an upstream may be on this machine */
        { "unblock-lan-zones:", "yes" },     /* the upstream knows private zones */
        { "insecure-lan-zones:", "yes" },
        { "edns-buffer-size:", "1232" },
        { "cache-max-negative-ttl:", "300" },
        { "use-syslog:", "no" },
    };
    ub_ctx_debugout(context, NULL);
    /* A thread of the library does the work; a fork would copy this process. */
    if (ub_ctx_async(context, 1) != 0)
        return ERR_MEMORY;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        must(ub_ctx_set_option(context, settings[i][0], settings[i][1]) == 0);
    ub_ctx_hosts(context, NULL); /* a machine without /etc/hosts is no fault */
    if (options->upstreams_count == 0 && ub_ctx_resolvconf(context, NULL) != 0)
        return ERR_IO;
    for (size_t i = 0; i < options->upstreams_count; i++) {
        enum err error = add_upstream(context, &options->upstreams[i]);
        if (error != ERR_OK)
            return error;
    }
    if (options->trust_anchor_file != NULL) {
        if (access(options->trust_anchor_file, R_OK) != 0)
            return err_from_errno(errno);
        if (ub_ctx_add_ta_file(context, options->trust_anchor_file) != 0)
            return ERR_INVALID;
    }
    /* RFC 6761 6.2: "test." is not asked for, unless the operator says where. This
     * call completes the context: no setting can follow it. */
    if (options->upstreams_count > 0 && ub_ctx_zone_remove(context, "test.") != 0)
        return ERR_INVALID;
    return ERR_OK;
}

static enum err start(struct dns *dns, const struct dns_options *options)
{
    enum err error = loop_open(&dns->loop);
    if (error != ERR_OK)
        return error;
    dns->context = ub_ctx_create();
    if (dns->context == NULL)
        return ERR_MEMORY;
    error = configure(dns->context, options);
    if (error != ERR_OK)
        return error;
    watch_init(&dns->watch, dns->loop, ub_fd(dns->context), on_readable, NULL);
    error = watch_read(&dns->watch, true);
    if (error != ERR_OK)
        return error;
    return pthread_create(&dns->thread, NULL, resolver_thread, dns) == 0 ? ERR_OK
                                                                         : ERR_MEMORY;
}

static void release(struct dns *dns)
{
    watch_close(&dns->watch);
    if (dns->context != NULL)
        ub_ctx_delete(dns->context);
    loop_close(&dns->loop);
    free(dns);
}

const char *dns_machine_anchor(void)
{
    static const char debian[] = "/usr/share/dns/root.key";
    return access(debian, R_OK) == 0 ? debian : NULL;
}

enum err dns_open(const struct dns_options *options, struct dns **out)
{
    struct dns *dns = calloc(1, sizeof *dns);
    if (dns == NULL)
        return ERR_MEMORY;
    list_init(&dns->active);
    dns->stop.run = run_stop;
    dns->timeout_ms = options->timeout_ms == 0 ? TIMEOUT_DEFAULT_MS : options->timeout_ms;
    enum err error = start(dns, options);
    if (error != ERR_OK) {
        release(dns);
        return error;
    }
    *out = dns;
    return ERR_OK;
}

void dns_close(struct dns **dns)
{
    if (*dns == NULL)
        return;
    home_post(loop_home((*dns)->loop), &(*dns)->stop);
    pthread_join((*dns)->thread, NULL);
    release(*dns);
    *dns = NULL;
}
