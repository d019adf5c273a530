/* reports.c: opening and closing, and what operators ask. */
#include "reports/reports_private.h"

#include "base/list.h"
#include "log/log.h"

#include <stdlib.h>

static void take_wishes(struct reports *r)
{
    const struct config_reports *c = &r->config->reports;
    atomic_store(&r->wants_dmarc, c->from.len > 0 && c->dmarc);
    atomic_store(&r->wants_tls, c->from.len > 0 && c->tls);
}

enum err reports_open(const struct reports_options *options, const struct config *config,
                      struct reports **out)
{
    struct reports *r = calloc(1, sizeof *r);
    if (r == NULL)
        return ERR_MEMORY;
    r->rows_max = REPORT_ROWS_SUM_MAX;
    r->options = *options;
    r->config = config_hold(config);
    r->verify_watcher.decided = report_dmarc_watch;
    r->tls_watcher.session = report_tls_watch;
    take_wishes(r);
    schedule_start(r);
    *out = r;
    return ERR_OK;
}

void reports_close(struct reports **reports)
{
    struct reports *r = *reports;
    *reports = NULL;
    if (r == NULL)
        return;
    schedule_stop(r);
    config_drop(&r->config);
    free(r);
}

void reports_configure(struct reports *r, const struct config *config)
{
    const struct config *before = r->config;
    r->config = config_hold(config);
    config_drop(&before);
    take_wishes(r);
}

struct verify_watcher *reports_verify_watcher(struct reports *r)
{
    return &r->verify_watcher;
}

struct delivery_tls_watcher *reports_tls_watcher(struct reports *r)
{
    return &r->tls_watcher;
}

/* ---- what others send ---- */

struct arrived {
    struct store_job job;
    struct buffer text;
    int64_t wall_ms;
};

static bool run_keep(struct store_job *job, struct store *store)
{
    struct arrived *a = container_of(job, struct arrived, job);
    struct slice text = buffer_slice(&a->text);
    json_t *report = json_loadb(text.data, text.len, 0, NULL);
    bool good = report != NULL && received_keep(store, report, a->wall_ms);
    json_decref(report);
    return good;
}

static void on_kept(struct store_job *job)
{
    struct arrived *a = container_of(job, struct arrived, job);
    if (job->result != ERR_OK)
        log_fault("report-lost", "the store did not keep it", job->result);
    buffer_free(&a->text);
    free(a);
}

void reports_receive(struct reports *r, struct buffer *text, int64_t wall_ms)
{
    struct arrived *a = calloc(1, sizeof *a);
    if (a != NULL) {
        *a = (struct arrived){ .wall_ms = wall_ms,
                               .job = { .home = loop_home(r->options.loop), .run = run_keep,
                                        .done = on_kept } };
        buffer_init(&a->text, text->max);
        buffer_move(&a->text, text);
        if (store_post(r->options.store, &a->job))
            return;
        buffer_free(&a->text);
    }
    free(a);
    log_note(LOG_WARNING, "report-lost", "too much waits for the store");
}

/* ---- what operators ask ---- */

struct question {
    struct store_job job;
    struct reports *reports;
    struct reports_asked *asked;
    const struct config *config;
    struct slice domain;          /* lies behind */
    json_t *answer;
    char bytes[];
};

static bool run_show(struct store_job *job, struct store *store)
{
    struct question *q = container_of(job, struct question, job);
    json_t *gathered = json_array(), *received = json_array();
    bool good = report_list(store, q->domain, gathered) &&
                received_list(store, q->domain, received);
    q->answer = json_pack("{s:o,s:o}", "gathered", gathered, "received", received);
    return good && q->answer != NULL;
}

/* One report as it would be written now. */
static json_t *preview_of(const struct report_loaded *l, const struct config *config)
{
    struct buffer id, content;
    json_t *one = NULL;
    buffer_init(&id, 1024);
    buffer_init(&content, REPORT_CONTENT_MAX);
    report_id_append(l, config, &id);
    bool good = l->kind == REPORT_TLS
                    ? report_tls_write(l, config, buffer_slice(&id), &content)
                    : report_dmarc_write(l, config, buffer_slice(&id), &content);
    if (good)
        one = json_pack("{s:s,s:I,s:s,s:s#}", "kind", l->kind == REPORT_TLS ? "tls" : "dmarc",
                        "day", (json_int_t)l->day, "rua", l->rua, "content", content.memory,
                        (int)buffer_len(&content));
    buffer_free(&id);
    buffer_free(&content);
    return one;
}

static bool run_preview(struct store_job *job, struct store *store)
{
    enum { SHOWN_MAX = 20 };
    struct question *q = container_of(job, struct question, job);
    json_t *list = json_array();
    bool good = true;
    for (int64_t i = 0; good && i < SHOWN_MAX; i++) {
        struct report_loaded l = { .id = 0 };
        good = report_load_of(store, q->domain, i, &l);
        if (l.id == 0)
            break;
        json_array_append_new(list, preview_of(&l, q->config));
        report_loaded_free(&l);
    }
    q->answer = json_pack("{s:o}", "reports", list);
    return good && q->answer != NULL;
}

static void on_answered(struct store_job *job)
{
    struct question *q = container_of(job, struct question, job);
    json_t *answer = q->answer;
    if (job->result != ERR_OK) {
        json_decref(answer);
        answer = NULL;
    }
    q->asked->done(q->asked, answer, answer == NULL ? "the store cannot be read" : NULL);
    config_drop(&q->config);
    free(q);
}

static bool ask(struct reports *r, struct slice domain, struct reports_asked *asked,
                bool (*run)(struct store_job *, struct store *))
{
    struct question *q = calloc(1, sizeof *q + domain.len);
    if (q == NULL)
        return false;
    if (domain.len > 0)
        memcpy(q->bytes, domain.data, domain.len);
    q->reports = r;
    q->asked = asked;
    q->config = config_hold(r->config);
    q->domain = slice_make(q->bytes, domain.len);
    q->job = (struct store_job){ .home = loop_home(r->options.loop), .run = run,
                                 .done = on_answered };
    if (store_post(r->options.store, &q->job))
        return true;
    config_drop(&q->config);
    free(q);
    return false;
}

bool reports_show(struct reports *r, struct slice domain, struct reports_asked *asked)
{
    return ask(r, domain, asked, run_show);
}

bool reports_preview(struct reports *r, struct slice domain, struct reports_asked *asked)
{
    return ask(r, domain, asked, run_preview);
}
