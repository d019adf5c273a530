/* operator_site.c: what is asked about sites, on the queue's thread. */
#include "daemon/engine_private.h"

#include "base/moment.h"

static bool say_site(void *context, const struct queue_site_info *s)
{
    char bytes[16];
    struct buffer status = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    smtp_status_append(&status, s->status);
    control_say(context,
                json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:I,s:b,s:o,"
                          "s:i,s:o}",
                          "name", operator_text(s->name), "site", operator_text(s->site),
                          "ready", (json_int_t)s->ready,
                          "connections", (json_int_t)s->connections,
                          "busy", (json_int_t)s->busy,
                          "shared_connections", (json_int_t)s->shared_connections,
                          "connections_max", (json_int_t)s->connections_max,
                          "rate_count", (json_int_t)s->rate.count,
                          "rate_per_ms", (json_int_t)s->rate.per_ms,
                          "pace", (json_int_t)s->pace, "taken", (json_int_t)s->taken,
                          "usual_ms", (json_int_t)s->usual_ms,
                          "limit", queue_limit_name(s->limit),
                          "until", (json_int_t)s->until_wall_ms,
                          "by_operator", (int)s->by_operator,
                          "reason", operator_text(s->reason), "code", (int)s->code,
                          "status", operator_text(buffer_slice(&status))));
    return true;
}

void operator_site(struct engine *e, struct control_call *call, const json_t *request)
{
    struct slice command = operator_string(request, "command");
    struct slice name = operator_string(request, "name");
    size_t sites;
    if (slice_equal(command, SLICE("site-list"))) {
        sites = queue_each_site(e->queue, name, say_site, call);
    } else if (slice_is_empty(name)) {
        control_done(call, "a name is needed", NULL);
        return;
    } else if (slice_equal(command, SLICE("site-suspend"))) {
        json_int_t for_ms = json_integer_value(json_object_get(request, "for_ms"));
        bool fits = for_ms >= 0 && for_ms <= 366 * DAY_MS;
        sites = queue_suspend(e->queue, name, fits ? for_ms : 0, operator_string(request, "reason"));
    } else if (slice_equal(command, SLICE("site-resume"))) {
        sites = queue_resume(e->queue, name);
    } else {
        control_done(call, "unknown command", NULL);
        return;
    }
    control_done(call, NULL, json_pack("{s:I}", "sites", (json_int_t)sites));
}
