/* log.h: what happened, one line an event, as JSON or for people.
 *
 *   struct log_line line;
 *   log_begin(&line, LOG_INFO, "accepted");
 *   log_string(&line, "id", text);  log_text(&line, "from", slice);
 *   log_end(&line);
 *
 * Any thread may log. A line goes into a ring of the calling thread; one writer
 * thread takes them to the descriptor, in the order in which they were ended. Nothing
 * here waits: when a ring is full the line is dropped and counted, and the count is
 * logged later. Control bytes from peers are escaped in both forms. Secrets have no
 * business here.
 */
#ifndef GODWIT_LOG_LOG_H
#define GODWIT_LOG_LOG_H

#include "base/err.h"
#include "base/slice.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
};

enum log_form {
    LOG_FORM_HUMAN, /* 2026-11-22T05:14:00.123Z info accepted id=… from=… */
    LOG_FORM_JSON,
};

/* Starts the writer. The descriptor is borrowed, stays open until log_close(); to turn
 * to another file, put that in its place (dup3).
 * Before log_open() and after log_close() lines go to standard error at once. */
enum err log_open(int descriptor, enum log_form form, enum log_level least);

/* Any thread: from now on lines of at least this level are kept. */
void log_level_set(enum log_level least);

/* Writes what is waiting, stops the writer. */
void log_close(void);

enum { LOG_LINE_MAX = 4096 };

struct log_line {
    bool wanted;     /* below the level: everything is a no-op */
    bool cut;        /* did not fit: the rest is left out, marked by "cut" */
    unsigned fields;
    size_t len;
    char text[LOG_LINE_MAX];
};

bool log_wants(enum log_level level);

void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, struct slice value);
void log_string(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, int64_t value);
void log_flag(struct log_line *line, const char *key, bool value);
void log_end(struct log_line *line);

/* The common short form: an event with one text, or an error of the machine with
 * what it was about. */
void log_note(enum log_level level, const char *event, const char *text);
void log_fault(const char *event, const char *about, enum err error);

/* Lines dropped since the start. */
uint64_t log_dropped(void);

#endif
