/* show.h: values as people read them. Each appends; what came from peers is escaped. */
#ifndef GODWIT_CLI_SHOW_H
#define GODWIT_CLI_SHOW_H

#include "base/buffer.h"

/* "12s", "5m", "3h", "2d". */
void show_duration(struct buffer *out, int64_t ms);

/* Reads "30s", "15m", "4h" or "2d", at most a year; false: it is none. */
bool show_read_duration(const char *text, int64_t *out_ms);

/* "812", "3.4K", "1.2M". */
void show_size(struct buffer *out, uint64_t bytes);

/* "2026-11-22 05:14:00", local time. */
void show_time(struct buffer *out, int64_t wall_ms);

/* A string of the operating system or of a JSON answer; NULL is nothing. */
void show_text(struct buffer *out, const char *text);

/* How many columns a terminal gives to UTF-8 text of narrow letters. */
size_t show_width(struct slice text);

#endif
