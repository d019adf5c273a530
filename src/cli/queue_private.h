/* queue_private.h: how the queue tool prints what godwit answers. */
#ifndef GODWIT_CLI_QUEUE_PRIVATE_H
#define GODWIT_CLI_QUEUE_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum queue_column {
    QUEUE_COLUMN_ID,
    QUEUE_COLUMN_AGE,
    QUEUE_COLUMN_SIZE,
    QUEUE_COLUMN_SENDER,
    QUEUE_COLUMN_RECIPIENT,
    QUEUE_COLUMN_STATE,
    QUEUE_COLUMN_NEXT,
    QUEUE_COLUMN_WHY, /* the last: as long as it is */
    QUEUE_COLUMNS,
};

/* Columns only grow from page to page. */
struct queue_table {
    size_t widths[QUEUE_COLUMNS];
    bool has_heading;
};

/* Prints the objects of one page of queue-list, an array, as rows. */
void queue_table_print(struct queue_table *table, const json_t *objects, int64_t now_ms);

/* Prints the objects of queue-show. */
void queue_print_message(const json_t *objects, int64_t now_ms);

struct control_client;

/* Asks for the shape of the queue and prints it; both may be NULL. An exit code. */
int queue_shape_show(struct control_client *client, const char *by, const char *limit,
                     bool as_json);

/* The whole queue of the godwit that uses the data folder (both may be NULL: see
 * place.h), as a table or as JSON lines. An exit code. */
int queue_list(const char *config, const char *data, bool as_json);

#endif
