/* submitted_gate.c: nothing is kept between two questions; any thread of a session. */
#include "verify/submitted_gate.h"

#include "base/list.h"
#include "verify/verify_private.h"

#include <stdlib.h>

struct submitted_gate {
    struct gate gate;
};

static enum gate_result submitted_ask(struct gate *gate, struct gate_question *q,
                                      struct gate_answer *out)
{
    (void)gate;
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (!q->config->verify.check)
        return GATE_ANSWERED;
    buffer_clear(q->scratch);
    out->changes_header = results_remove(q->header, verify_id(q->config), q->scratch);
    out->header = buffer_slice(q->scratch);
    return GATE_ANSWERED;
}

/* It never parks. */
static void submitted_cancel(struct gate *gate, struct gate_question *question)
{
    (void)gate;
    (void)question;
}

static const struct gate_ops submitted_ops = {
    .name = "submitted", .points = GATE_HEADER, .content_of = GATE_CONTENT_OF_SUBMITTERS,
    .ask = submitted_ask, .cancel = submitted_cancel,
};

enum err verify_submitted_gate_open(struct gate **out)
{
    struct submitted_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &submitted_ops;
    *out = &g->gate;
    return ERR_OK;
}

void verify_submitted_gate_close(struct gate **gate)
{
    if (*gate != NULL)
        free(container_of(*gate, struct submitted_gate, gate));
    *gate = NULL;
}
