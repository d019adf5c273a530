/* line.c: making one line, in either form, on the caller's stack.
 *
 * The last bytes of a line are kept free for its end, so that a line that does not
 * fit is still whole: JSON stays JSON.
 */
#include "base/ascii.h"
#include "base/moment.h"
#include "base/utf8.h"
#include "log/log_private.h"

#include <stdio.h>
#include <time.h>

enum { LINE_TAIL = 32 };

static void put(struct log_line *line, const char *bytes, size_t len)
{
    if (line->cut || line->len + len > LOG_LINE_MAX - LINE_TAIL) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void put_string(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_hex(struct log_line *line, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    const char *lead = log_state.form == LOG_FORM_JSON ? "\\u00" : "\\x";
    put_string(line, lead);
    put(line, (char[]){ hex[byte >> 4], hex[byte & 15u] }, 2);
}

static void put_escaped(struct log_line *line, struct slice value)
{
    while (value.len > 0 && !line->cut) {
        char c = value.data[0];
        size_t whole = utf8_sequence_len(value);
        if (whole == 1 && (c == '"' || c == '\\'))
            put(line, (char[]){ '\\', c }, 2);
        else if (whole == 1 && !ascii_is_control(c))
            put(line, &c, 1);
        else if (whole > 1 && !utf8_is_control(value))
            put(line, value.data, whole);
        else
            for (size_t i = 0; i < (whole == 0 ? 1 : whole); i++)
                put_hex(line, (unsigned char)value.data[i]);
        value = slice_from(value, whole == 0 ? 1 : whole);
    }
}

static bool is_word(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!(ascii_is_alnum(value.data[i]) || (value.data[i] != '\0' &&
              strchr("-_.:/@[]+<>,*", value.data[i]) != NULL)))
            return false;
    return value.len > 0;
}

static void put_key(struct log_line *line, const char *key)
{
    if (log_state.form == LOG_FORM_JSON) {
        put_string(line, line->fields++ == 0 ? "\"" : ",\"");
        put_string(line, key);
        put_string(line, "\":");
    } else {
        put_string(line, " ");
        put_string(line, key);
        put_string(line, "=");
    }
}

static void put_time(struct log_line *line)
{
    /* Formatting the second costs more than all else in a line: keep it. */
    static _Thread_local int64_t known_second = -1;
    static _Thread_local char known[32];
    int64_t now_ms = moment_now().wall_ms;
    time_t second = (time_t)(now_ms / 1000);
    if (second != known_second) {
        struct tm parts;
        gmtime_r(&second, &parts);
        strftime(known, sizeof known, "%Y-%m-%dT%H:%M:%S", &parts);
        known_second = second;
    }
    int ms = (int)(now_ms % 1000);
    put_string(line, known);
    put(line, (char[]){ '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
                        (char)('0' + ms % 10), 'Z' }, 5);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    line->wanted = log_wants(level);
    if (!line->wanted)
        return;
    line->cut = false;
    line->fields = 0;
    line->len = 0;
    if (log_state.form == LOG_FORM_JSON) {
        put_string(line, "{");
        put_key(line, "time");
        put_string(line, "\"");
        put_time(line);
        put_string(line, "\"");
        log_string(line, "level", names[level]);
        log_string(line, "event", event);
    } else {
        put_time(line);
        put_string(line, " ");
        put_string(line, names[level]);
        put_string(line, " ");
        put_string(line, event);
    }
}

void log_text(struct log_line *line, const char *key, struct slice value)
{
    if (!line->wanted)
        return;
    size_t before = line->len;
    bool quoted = log_state.form == LOG_FORM_JSON || !is_word(value);
    put_key(line, key);
    if (quoted)
        put_string(line, "\"");
    put_escaped(line, value);
    if (quoted)
        put_string(line, "\"");
    if (line->cut)
        line->len = before;
}

void log_string(struct log_line *line, const char *key, const char *value)
{
    log_text(line, key, slice_from_string(value));
}

void log_number(struct log_line *line, const char *key, int64_t value)
{
    if (!line->wanted)
        return;
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t before = line->len;
    put_key(line, key);
    put(line, digits, (size_t)len);
    if (line->cut)
        line->len = before;
}

void log_flag(struct log_line *line, const char *key, bool value)
{
    if (!line->wanted)
        return;
    size_t before = line->len;
    put_key(line, key);
    put_string(line, value ? "true" : "false");
    if (line->cut)
        line->len = before;
}

void log_end(struct log_line *line)
{
    if (!line->wanted)
        return;
    bool json = log_state.form == LOG_FORM_JSON;
    const char *end = line->cut ? (json ? ",\"cut\":true}\n" : " cut=true\n")
                                : (json ? "}\n" : "\n");
    size_t len = strlen(end);
    memcpy(line->text + line->len, end, len);
    log_put(line->text, line->len + len);
}

void log_note(enum log_level level, const char *event, const char *text)
{
    struct log_line line;
    log_begin(&line, level, event);
    log_string(&line, "text", text);
    log_end(&line);
}

void log_fault(const char *event, const char *about, enum err error)
{
    struct log_line line;
    log_begin(&line, LOG_ERROR, event);
    log_string(&line, "about", about);
    log_string(&line, "error", err_text(error));
    log_end(&line);
}
