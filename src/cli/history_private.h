/* history_private.h: how the life of a message is told. */
#ifndef GODWIT_CLI_HISTORY_PRIVATE_H
#define GODWIT_CLI_HISTORY_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* In plain words, a line for each thing; an empty line first where `is_next`. */
void history_print_life(const json_t *life, int64_t now_ms, bool is_next);

#endif
