/* engine_reports.c: the store, the reports in it, and what an operator asks of them.
 *
 * Mail does not wait for either: where the store cannot be opened the engine runs without.
 */
#include "daemon/engine_private.h"

#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void on_problem(struct store_watcher *watcher, const char *text)
{
    (void)watcher;
    log_note(LOG_ERROR, "store", text);
}

static enum err open_store(struct engine *e)
{
    static const struct store_module *const modules[] = { &reports_module, &greylist_module,
                                                           &suppression_module, NULL };
    char path[4200];
    snprintf(path, sizeof path, "%.*s/store.db", (int)e->config->data.len,
             e->config->data.data);
    const struct store_options options = { .path = path, .modules = modules,
                                           .watcher = &e->store_watcher };
    e->store_watcher.problem = on_problem;
    return store_open(&options, &e->store_of_tables);
}

int engine_reports_open(struct engine *e)
{
    struct reports_options options = {
        .loop = e->queue_loop.loop, .dns = e->dns, .http = e->http,
        .intake = seal_intake(e->queue_loop.seal),
    };
    enum err error = open_store(e);
    if (error == ERR_VERSION) {
        fprintf(stderr, "godwit: the store in %.*s was written by a newer godwit\n",
                (int)e->config->data.len, e->config->data.data);
        return EX_CANTCREAT;
    }
    if (error == ERR_OK) {
        options.store = e->store_of_tables;
        error = reports_open(&options, e->config, &e->reports);
    }
    if (error != ERR_OK)
        log_fault("store", "it cannot be opened: no reports are gathered or sent", error);
    return 0;
}

/* ---- what an operator asks ---- */

struct asking {
    struct reports_asked asked;
    struct control_call *call;
};

static void on_answer(struct reports_asked *asked, json_t *answer, const char *complaint)
{
    struct asking *a = container_of(asked, struct asking, asked);
    const char *section;
    json_t *list, *one;
    void *next;
    size_t index;
    json_object_foreach_safe(answer, next, section, list) {
        if (!json_is_array(list))
            continue;
        json_array_foreach(list, index, one) {
            json_object_set_new(one, "section", json_string(section));
            control_say(a->call, json_incref(one));
        }
        json_object_del(answer, section);
    }
    control_done(a->call, complaint, answer);
    free(a);
}

static struct slice domain_of(const json_t *request)
{
    const char *text = json_string_value(json_object_get(request, "domain"));
    return slice_from_string(text == NULL ? "" : text);
}

void engine_reports_asked(struct engine *e, struct control_call *call, const json_t *request)
{
    struct slice what = slice_from_string(json_string_value(json_object_get(request, "command")));
    struct asking *a = e->reports == NULL ? NULL : malloc(sizeof *a);
    bool good = a != NULL;
    if (a != NULL)
        *a = (struct asking){ .asked.done = on_answer, .call = call };
    if (good && slice_equal(what, SLICE("report-show")))
        good = reports_show(e->reports, domain_of(request), &a->asked);
    else if (good && slice_equal(what, SLICE("report-preview")))
        good = reports_preview(e->reports, domain_of(request), &a->asked);
    else if (good)
        good = reports_send(e->reports, json_is_true(json_object_get(request, "today")),
                            &a->asked);
    if (good)
        return;
    free(a);
    control_done(call, e->reports == NULL ? "the store could not be opened: see the log"
                       : e->config->reports.from.len == 0 && slice_equal(what, SLICE("report-send"))
                           ? "nobody writes reports here: say reports.from"
                           : "reports are being sent: try again in a moment", NULL);
}
