/* attempt_discard.c: what the operator said to throw away. It is on the record as
 * discarded; the message is only opened to name its recipients. */
#include "delivery/delivery_private.h"

#include <stdlib.h>

struct discarding {
    struct task task;
    struct attempt_run *run;
    struct message_source *source;
};

static void decide(struct attempt_run *run)
{
    struct outcome discarded = {
        .kind = OUTCOME_DISCARDED, .status = { 2, 0, 0 },
        .text = SLICE("discarded as configured"),
    };
    run_decide_all(run, &discarded);
}

static void run_discard(struct task *task)
{
    struct discarding *d = container_of(task, struct discarding, task);
    struct message_view *view = NULL;
    struct attempt_run *run = d->run;
    if (message_open(d->source, run->id, &view) == ERR_OK) {
        size_t at = run_keep_addresses(run, view);
        decide(run);
        run_point_addresses(run, view, at);
        message_close(&view);
    } else {
        decide(run);
    }
    free(d);
    run_finish(run);
}

void attempt_discard_start(struct delivery *d, struct attempt_run *run,
                           struct delivery_routes *routes)
{
    struct discarding *job = malloc(sizeof *job);
    delivery_routes_drop(&routes);
    if (job == NULL) {
        decide(run);
        run_finish(run);
        return;
    }
    *job = (struct discarding){ .task.run = run_discard, .run = run,
                                .source = d->options.source };
    home_post(loop_home(delivery_next_thread(d)->loop), &job->task);
}
