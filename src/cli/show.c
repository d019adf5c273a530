/* show.c: durations, sizes, times, and text that may hold anything. */
#include "cli/show.h"

#include <stdlib.h>

#include "base/moment.h"

#include <time.h>

void show_duration(struct buffer *out, int64_t ms)
{
    static const struct {
        int64_t ms;
        char letter;
    } units[] = { { DAY_MS, 'd' }, { HOUR_MS, 'h' }, { MINUTE_MS, 'm' } };
    if (ms < 0)
        ms = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ms >= units[i].ms) {
            buffer_append_format(out, "%lld%c", (long long)(ms / units[i].ms),
                                 units[i].letter);
            return;
        }
    buffer_append_format(out, "%llds", (long long)(ms / SECOND_MS));
}

void show_size(struct buffer *out, uint64_t bytes)
{
    static const char letters[] = "KMGTPE";
    size_t unit = 0;
    uint64_t tenths;
    if (bytes < 1000) {
        buffer_append_number(out, bytes);
        return;
    }
    while (bytes >= UINT64_C(1024) * 1000 && letters[unit + 1] != '\0') {
        bytes /= 1024;
        unit++;
    }
    tenths = bytes * 10 / 1024;
    if (tenths < 100)
        buffer_append_format(out, "%llu.%llu%c", (unsigned long long)(tenths / 10),
                             (unsigned long long)(tenths % 10), letters[unit]);
    else
        buffer_append_format(out, "%llu%c", (unsigned long long)(tenths / 10),
                             letters[unit]);
}

void show_time(struct buffer *out, int64_t wall_ms)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)(wall_ms / SECOND_MS);
    if (localtime_r(&seconds, &parts) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) > 0)
        buffer_append_string(out, text);
}

void show_text(struct buffer *out, const char *text)
{
    buffer_append_escaped(out, slice_from_string(text));
}

size_t show_width(struct slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        if (((unsigned char)text.data[i] & 0xc0u) != 0x80u)
            width++;
    return width;
}

/* time = 1*DIGIT ( "s" / "m" / "h" / "d" ); at most a year */
bool show_read_duration(const char *text, int64_t *out_ms)
{
    static const struct { char unit; int64_t ms; } units[] = {
        { 's', SECOND_MS }, { 'm', MINUTE_MS }, { 'h', HOUR_MS }, { 'd', DAY_MS },
    };
    char *end;
    long count = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || count < 1 || end[0] == '\0' || end[1] != '\0')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end[0] == units[i].unit) {
            *out_ms = count * units[i].ms;
            return count <= 366 * DAY_MS / units[i].ms;
        }
    return false;
}
