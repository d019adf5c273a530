/* engine_etrn.c: ETRN from a session's thread to the queue's and back. */
#include "daemon/engine_private.h"

static void on_answered(struct task *task)
{
    struct etrn_request *request = container_of(task, struct etrn_request, task);
    request->done(request);
}

static void on_asked(struct task *task)
{
    struct etrn_request *request = container_of(task, struct etrn_request, task);
    struct engine *e = container_of(request->etrn, struct engine, etrn);
    request->messages = queue_kick(e->queue, request->node, request->below);
    request->task.run = on_answered;
    home_post(request->home, &request->task);
}

static void start(struct etrn *etrn, struct etrn_request *request)
{
    struct engine *e = container_of(etrn, struct engine, etrn);
    request->etrn = etrn;
    request->task = (struct task){ .run = on_asked };
    home_post(loop_home(e->queue_loop.loop), &request->task);
}

void engine_etrn_init(struct engine *e)
{
    e->etrn.start = start;
}
