/* history_private.h: how the life of a message is told. */
#ifndef GODWIT_CLI_HISTORY_PRIVATE_H
#define GODWIT_CLI_HISTORY_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* In plain words, a line for each thing; an empty line first where `is_next`. */
void history_print_life(const json_t *life, int64_t now_ms, bool is_next);

/* One event in a line, with the id of its message. */
void history_print_event(const json_t *event);

#endif
