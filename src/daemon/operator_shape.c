/* operator_shape.c: the shape of the queue, for the command-line tools. */
#include "daemon/engine_private.h"

#include "base/utf8.h"

#include <stdlib.h>

enum { ROWS_MAX = 10000 };

struct shaping {
    struct queue_census shape;
    struct control_call *call;
    size_t limit;
};

static json_t *row_value(const struct queue_census_row *row)
{
    json_t *bands = json_array();
    for (size_t i = 0; i < QUEUE_CENSUS_BANDS; i++)
        json_array_append_new(bands, json_integer((json_int_t)row->bands[i]));
    bool is_text = utf8_is_valid(row->name) && row->name.len > 0;
    return json_pack("{s:o,s:I,s:I,s:I,s:I,s:o}", "name",
                     is_text ? json_stringn(row->name.data, row->name.len) : json_string("?"),
                     "recipients", (json_int_t)row->recipients,
                     "ready", (json_int_t)row->ready, "in_flight", (json_int_t)row->in_flight,
                     "held", (json_int_t)row->held, "ages", bands);
}

static void on_done(struct queue_census *shape, const struct queue_census_row *const *rows,
                    size_t count, const struct queue_census_row *all)
{
    struct shaping *s = container_of(shape, struct shaping, shape);
    size_t shown = rows == NULL ? 0 : count < s->limit ? count : s->limit;
    for (size_t i = 0; i < shown; i++)
        control_say(s->call, row_value(rows[i]));
    control_done(s->call, rows == NULL ? "there is no memory for it" : NULL,
                 json_pack("{s:o,s:I}", "total", row_value(all), "rows", (json_int_t)count));
    free(s);
}

void engine_shape_asked(struct engine *e, struct control_call *call, const json_t *request)
{
    json_int_t limit = json_integer_value(json_object_get(request, "limit"));
    struct shaping *s = malloc(sizeof *s);
    if (s != NULL)
        *s = (struct shaping){
            .shape = { .by_site = json_is_true(json_object_get(request, "by_site")),
                       .done = on_done },
            .call = call, .limit = limit > 0 && limit < ROWS_MAX ? (size_t)limit : ROWS_MAX,
        };
    if (s != NULL && queue_census(e->queue, &s->shape))
        return;
    free(s);
    control_done(call, "it is being counted for somebody else: try again", NULL);
}
