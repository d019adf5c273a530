/* schedule.c: one report after another, when their day has ended.
 *
 *   load (store) -> who (DNS, one host after another) -> write and commit (intake),
 *   HTTPS where that is asked for -> mark (store), durable -> the next one
 *
 * A look every few minutes; servers do not all begin at midnight, each has an offset of its
 * own. What fails for now is tried at the next look; after some days it is given up.
 */
#include "reports/reports_private.h"

#include "base/list.h"
#include "dns/lookup.h"
#include "log/log.h"
#include "reports/tls_record.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOK_MS = 5 * 60 * 1000, OFFSET_MAX_MS = 3600 * 1000, KEPT_DAYS = 60, GIVE_UP_DAYS = 3,
       ID_MAX = 1024, NAME_MAX_BYTES = 255, HTTPS_TIMEOUT_MS = 60 * 1000, ANSWER_MAX = 64 * 1024 };

struct sending {
    struct reports *reports;
    struct store_job job;
    struct report_loaded loaded;
    struct destinations to;
    size_t at;                    /* the destination that is looked at */
    int64_t before_day;           /* reports of days before this one */
    struct report_place after;    /* of those passed over */
    struct dns_query query;
    char name[NAME_MAX_BYTES + 1];
    struct intake_writer *writer;
    struct buffer packed;
    struct http_request post;
    struct net_address addresses[HTTP_ADDRESSES_MAX];
    size_t addresses_count;
    unsigned posted;              /* to HTTPS, with success */
    enum report_state state;      /* what it becomes */
    const char *why;
    bool is_later;                /* for now it cannot be told: the rest waits for a look */
};

static void load_next(struct sending *s);
static void check_next(struct sending *s);

static int64_t now_wall_ms(const struct reports *r)
{
    return loop_now(r->options.loop).wall_ms;
}

static void clear(struct sending *s)
{
    report_loaded_free(&s->loaded);
    destinations_free(&s->to);
    dns_query_clear(&s->query);
    http_request_clear(&s->post);
    buffer_free(&s->packed);
    s->at = 0;
    s->posted = 0;
}

static void finish(struct sending *s)
{
    struct reports *r = s->reports;
    struct reports_asked *asked = r->asked;
    clear(s);
    free(s);
    r->sending = NULL;
    r->asked = NULL;
    if (asked != NULL)
        asked->done(asked, json_pack("{s:I}", "sent", (json_int_t)r->sent), NULL);
}

/* ---- the mark ---- */

static bool run_mark(struct store_job *job, struct store *store)
{
    struct sending *s = container_of(job, struct sending, job);
    return report_mark(store, s->loaded.id, s->state, now_wall_ms(s->reports), s->why);
}

static void on_marked(struct store_job *job)
{
    struct sending *s = container_of(job, struct sending, job);
    bool good = job->result == ERR_OK;
    if (good && s->state == REPORT_SENT)
        s->reports->sent++;
    clear(s);
    if (good)
        load_next(s);
    else
        finish(s); /* the same again would come of it: at the next look */
}

static void post_job(struct sending *s, bool (*run)(struct store_job *, struct store *),
                     void (*done)(struct store_job *), bool is_durable)
{
    s->job = (struct store_job){ .home = loop_home(s->reports->options.loop), .run = run,
                                 .done = done, .is_durable = is_durable };
    if (!store_post(s->reports->options.store, &s->job))
        finish(s);
}

static void mark(struct sending *s, enum report_state state, const char *why)
{
    struct log_line line;
    static const char *const words[] = { "open", "sent", "unwanted", "failed" };
    log_begin(&line, state == REPORT_FAILED ? LOG_WARNING : LOG_INFO, "report");
    log_string(&line, "kind", s->loaded.kind == REPORT_TLS ? "tls" : "dmarc");
    log_string(&line, "domain", s->loaded.domain);
    log_string(&line, "state", words[state]);
    if (why[0] != '\0')
        log_string(&line, "why", why);
    log_end(&line);
    s->state = state;
    s->why = why;
    post_job(s, run_mark, on_marked, true);
}

/* Here nothing can be done about it for now, nor about those behind it; in the end it is given
 * up. */
static void leave(struct sending *s, const char *why)
{
    if (now_wall_ms(s->reports) / DAY_MS > s->loaded.day + GIVE_UP_DAYS)
        mark(s, REPORT_FAILED, why);
    else
        finish(s);
}

/* The same where others are to blame: those behind it go on. */
static void pass_over(struct sending *s, const char *why)
{
    if (now_wall_ms(s->reports) / DAY_MS > s->loaded.day + GIVE_UP_DAYS) {
        mark(s, REPORT_FAILED, why);
        return;
    }
    s->after = (struct report_place){ s->loaded.day, s->loaded.id };
    clear(s);
    load_next(s);
}

/* ---- the mail ---- */

static void on_resume(void *context)
{
    (void)context; /* all of it is written at once */
}

static void on_committed(void *context, enum err result, struct mail_id id)
{
    struct sending *s = context;
    (void)id;
    if (result == ERR_OK)
        mark(s, REPORT_SENT, "");
    else
        leave(s, "it could not be queued");
}

static bool commit(struct sending *s, struct slice content)
{
    struct reports *r = s->reports;
    struct envelope_recipient recipients[REPORT_DESTINATIONS_MAX];
    struct intake_begin begin = { .home = loop_home(r->options.loop), .resume = on_resume,
                                  .context = s, .is_ours = true };
    struct envelope envelope = { .sender = r->config->reports.from,
                                 .recipients = recipients };
    struct intake_commit commit = { .envelope = &envelope, .done = on_committed, .context = s,
                                    .received_wall_ms = now_wall_ms(r) };
    for (; envelope.recipients_count < s->to.count; envelope.recipients_count++)
        recipients[envelope.recipients_count] = (struct envelope_recipient){
            .address = s->to.all[envelope.recipients_count].address,
            .notify = DSN_NOTIFY_NEVER };
    if (intake_begin(r->options.intake, &begin, &s->writer) != ERR_OK)
        return false;
    intake_write(s->writer, content); /* what fails here is told by the commit */
    intake_commit(&s->writer, &commit);
    return true;
}

static void remove_too_small(struct sending *s, size_t bytes)
{
    for (size_t i = s->to.count; i-- > 0;)
        if (s->to.all[i].size_max > 0 && bytes > s->to.all[i].size_max)
            destinations_remove(&s->to, i);
}

static void send_mail(struct sending *s)
{
    struct reports *r = s->reports;
    struct buffer id, content;
    buffer_init(&id, ID_MAX);
    buffer_init(&content, REPORT_CONTENT_MAX * 2);
    report_id_append(&s->loaded, r->config, &id);
    struct report_mail mail = {
        .kind = s->loaded.kind, .config = r->config, .domain = s->loaded.domain,
        .day = s->loaded.day, .report_id = buffer_slice(&id),
        .packed = buffer_slice(&s->packed), .to = &s->to, .wall_ms = now_wall_ms(r),
    };
    bool good = !id.overflow && report_mail_write(&mail, &content);
    size_t count = s->to.count;
    remove_too_small(s, buffer_len(&content));
    bool fits = s->to.count > 0;
    if (good && fits && s->to.count < count) { /* the header names those alone */
        buffer_clear(&content);
        good = report_mail_write(&mail, &content);
    }
    if (good && fits)
        good = commit(s, buffer_slice(&content));
    buffer_free(&id);
    buffer_free(&content);
    if (!fits)
        mark(s, REPORT_UNWANTED, "it is larger than they take");
    else if (!good)
        leave(s, "it could not be written");
}

/* ---- HTTPS, of TLS reports ---- */

static void post_next(struct sending *s);

static void on_posted(struct http_request *request)
{
    struct sending *s = container_of(request, struct sending, post);
    bool good = request->result == HTTP_ANSWERED && request->status / 100 == 2;
    s->posted += good;
    if (!good) {
        struct log_line line;
        log_begin(&line, LOG_WARNING, "report-post");
        log_string(&line, "to", s->to.all[s->at].uri);
        log_number(&line, "status", request->status);
        log_string(&line, "why", request->trouble);
        log_end(&line);
    }
    http_request_clear(request);
    destinations_remove(&s->to, s->at);
    post_next(s);
}

static void ask_addresses(struct sending *s, uint16_t type);

static void on_addresses(struct dns_query *query)
{
    static const struct slice fields[] = { SLICE_INIT("Content-Type: application/tlsrpt+gzip") };
    struct sending *s = container_of(query, struct sending, query);
    bool was_v6 = query->type == DNS_TYPE_AAAA;
    s->addresses_count += dns_take_addresses(&query->answer, s->addresses + s->addresses_count,
                                             HTTP_ADDRESSES_MAX - s->addresses_count);
    dns_query_clear(query);
    if (!was_v6) {
        ask_addresses(s, DNS_TYPE_AAAA);
        return;
    }
    s->post = (struct http_request){
        .home = loop_home(s->reports->options.loop), .done = on_posted,
        .url = slice_from_string(s->to.all[s->at].uri), .addresses = s->addresses,
        .addresses_count = s->addresses_count, .fields = fields, .fields_count = 1,
        .body = buffer_slice(&s->packed), .answer_max = ANSWER_MAX,
        .timeout_ms = HTTPS_TIMEOUT_MS,
    };
    http_ask(s->reports->options.http, &s->post);
}

static void ask_addresses(struct sending *s, uint16_t type)
{
    s->query = (struct dns_query){ .home = loop_home(s->reports->options.loop),
                                   .done = on_addresses, .type = type,
                                   .name = s->to.all[s->at].host };
    dns_query(s->reports->options.dns, &s->query);
}

/* Those of HTTPS one after another; what is left are those of mailto. */
static void post_next(struct sending *s)
{
    for (s->at = 0; s->at < s->to.count; s->at++) {
        if (!s->to.all[s->at].is_https)
            continue;
        s->addresses_count = 0;
        ask_addresses(s, DNS_TYPE_A);
        return;
    }
    if (s->to.count > 0)
        send_mail(s);
    else if (s->posted > 0)
        mark(s, REPORT_SENT, "");
    else
        pass_over(s, "nobody took it");
}

static void send_it(struct sending *s)
{
    struct reports *r = s->reports;
    struct buffer id, content;
    buffer_init(&id, ID_MAX);
    buffer_init(&content, REPORT_CONTENT_MAX);
    buffer_init(&s->packed, REPORT_CONTENT_MAX + 64 * 1024);
    report_id_append(&s->loaded, r->config, &id);
    bool good = !id.overflow &&
                (s->loaded.kind == REPORT_TLS
                     ? report_tls_write(&s->loaded, r->config, buffer_slice(&id), &content)
                     : report_dmarc_write(&s->loaded, r->config, buffer_slice(&id), &content)) &&
                report_pack(buffer_slice(&content), &s->packed);
    buffer_free(&id);
    buffer_free(&content);
    if (good)
        post_next(s);
    else
        mark(s, REPORT_FAILED, "it could not be written");
}

/* ---- who is to have it ---- */

static void on_agreement(struct dns_query *query)
{
    struct sending *s = container_of(query, struct sending, query);
    struct destination *d = &s->to.all[s->at];
    bool agrees = false;
    struct buffer text;
    buffer_init(&text, REPORT_TEXT_MAX);
    for (size_t i = 0; query->answer.kind == DNS_OK && i < query->answer.records_count; i++) {
        buffer_clear(&text);
        agrees = agrees || (dns_txt_append(query->answer.records[i], &text) &&
                            !text.overflow && destination_agrees(d, buffer_slice(&text)));
    }
    buffer_free(&text);
    s->is_later |= dns_is_temporary(query->answer.kind);
    dns_query_clear(query);
    if (agrees)
        s->at++;
    else
        destinations_remove(&s->to, s->at);
    check_next(s);
}

static void check_next(struct sending *s)
{
    struct reports *r = s->reports;
    for (; s->at < s->to.count; s->at++) {
        const struct destination *d = &s->to.all[s->at];
        if (s->loaded.kind == REPORT_TLS || /* RFC 8460 asks nobody */
            destination_is_own(d, slice_from_string(s->loaded.domain),
                               slice_from_string(s->loaded.organizational)))
            continue;
        int len = snprintf(s->name, sizeof s->name, "%s._report._dmarc.%.*s", s->loaded.domain,
                           (int)d->host.len, d->host.data);
        if (len < 0 || (size_t)len >= sizeof s->name) {
            destinations_remove(&s->to, s->at--);
            continue;
        }
        s->query = (struct dns_query){ .home = loop_home(r->options.loop),
                                       .done = on_agreement, .type = DNS_TYPE_TXT,
                                       .name = slice_from_string(s->name) };
        dns_query(r->options.dns, &s->query);
        return;
    }
    if (s->to.count > 0)
        send_it(s);
    else if (s->is_later)
        pass_over(s, "the DNS did not say whether it is wanted");
    else
        mark(s, REPORT_UNWANTED, "nobody named there takes it");
}

/* TLSRPT record = "v=TLSRPTv1" *WSP ";" *WSP "rua=" ... (RFC 8460 3) */
static void on_tls_record(struct dns_query *query)
{
    struct sending *s = container_of(query, struct sending, query);
    struct slice rua;
    struct buffer text;
    size_t found = 0;
    buffer_init(&text, REPORT_TEXT_MAX);
    for (size_t i = 0; query->answer.kind == DNS_OK && i < query->answer.records_count; i++) {
        struct buffer one;
        buffer_init(&one, REPORT_TEXT_MAX);
        if (dns_txt_append(query->answer.records[i], &one) && !one.overflow &&
            tls_record_read(buffer_slice(&one), &rua) && found++ == 0)
            buffer_append(&text, rua);
        buffer_free(&one);
    }
    s->is_later = dns_is_temporary(query->answer.kind);
    dns_query_clear(query);
    /* several are as good as none */
    if (found == 1 && destinations_parse(buffer_slice(&text), true, &s->to))
        check_next(s);
    else if (s->is_later)
        pass_over(s, "the DNS did not say whether it is wanted");
    else
        mark(s, REPORT_UNWANTED, "the domain asks for no such reports");
    buffer_free(&text);
}

static void begin_tls(struct sending *s)
{
    int len = snprintf(s->name, sizeof s->name, "_smtp._tls.%s", s->loaded.domain);
    if (len < 0 || (size_t)len >= sizeof s->name) {
        mark(s, REPORT_UNWANTED, "the domain's name is too long");
        return;
    }
    s->query = (struct dns_query){ .home = loop_home(s->reports->options.loop),
                                   .done = on_tls_record, .type = DNS_TYPE_TXT,
                                   .name = slice_from_string(s->name) };
    dns_query(s->reports->options.dns, &s->query);
}

/* ---- the next one ---- */

static bool run_load(struct store_job *job, struct store *store)
{
    struct sending *s = container_of(job, struct sending, job);
    return report_load_due(store, s->before_day, &s->after, &s->loaded);
}

static void on_loaded(struct store_job *job)
{
    struct sending *s = container_of(job, struct sending, job);
    const struct config_reports *c = &s->reports->config->reports;
    s->is_later = false;
    if (job->result != ERR_OK || s->loaded.id == 0 || c->from.len == 0)
        finish(s);
    else if (s->loaded.kind == REPORT_TLS ? !c->tls : !c->dmarc)
        mark(s, REPORT_UNWANTED, "such reports are turned off here");
    else if (s->loaded.kind == REPORT_TLS)
        begin_tls(s);
    else if (destinations_parse(slice_from_string(s->loaded.rua), false, &s->to))
        check_next(s);
    else
        mark(s, REPORT_UNWANTED, "nobody is named who can be reached");
}

static void load_next(struct sending *s)
{
    post_job(s, run_load, on_loaded, false);
}

static bool begin(struct reports *r, int64_t before_day)
{
    struct sending *s = r->sending != NULL ? NULL : calloc(1, sizeof *s);
    if (s == NULL)
        return false;
    s->reports = r;
    s->before_day = before_day;
    r->sending = s;
    r->sent = 0;
    load_next(s);
    return r->sending != NULL;
}

/* ---- the clock ---- */

struct forgetting {
    struct store_job job;
    int64_t day;
};

static bool run_forget(struct store_job *job, struct store *store)
{
    return report_forget_before(store, container_of(job, struct forgetting, job)->day);
}

static void end_forget(struct store_job *job)
{
    free(container_of(job, struct forgetting, job));
}

static void forget_old(struct reports *r, int64_t today)
{
    struct forgetting *f = malloc(sizeof *f);
    if (f == NULL)
        return;
    *f = (struct forgetting){ .job = { .run = run_forget, .forget = end_forget },
                              .day = today - KEPT_DAYS };
    if (!store_post(r->options.store, &f->job))
        free(f);
}

static void on_look(struct timer *timer)
{
    struct reports *r = container_of(timer, struct reports, timer);
    struct slice host = r->config->hostname;
    uint32_t offset = 0;
    for (size_t i = 0; i < host.len; i++)
        offset = offset * 31 + (unsigned char)host.data[i];
    int64_t today = (now_wall_ms(r) - (int64_t)(offset % OFFSET_MAX_MS)) / DAY_MS;
    forget_old(r, today);
    if (r->config->reports.from.len > 0 && r->sending == NULL)
        begin(r, today);
    timer_set(&r->timer, LOOK_MS);
}

void schedule_start(struct reports *r)
{
    timer_init(&r->timer, r->options.loop, on_look);
    timer_set(&r->timer, LOOK_MS / 10);
}

void schedule_stop(struct reports *r)
{
    timer_clear(&r->timer);
    if (r->sending == NULL)
        return;
    clear(r->sending);
    free(r->sending);
    r->sending = NULL;
}

bool reports_send(struct reports *r, bool today_too, struct reports_asked *asked)
{
    int64_t today = now_wall_ms(r) / DAY_MS;
    if (r->config->reports.from.len == 0 || r->asked != NULL || r->sending != NULL)
        return false;
    r->asked = asked;
    if (begin(r, today_too ? today + 1 : today))
        return true;
    r->asked = NULL;
    return false;
}
