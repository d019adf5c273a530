/* answer.c: answers, made of values. */
#include "api/api_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int append(const char *text, size_t len, void *context)
{
    buffer_append(context, slice_make(text, len));
    return 0;
}

bool answer_json(struct api_request *r, unsigned status, json_t *value)
{
    buffer_clear(&r->answer);
    r->status = status;
    r->type = "application/json";
    if (value == NULL || json_dump_callback(value, append, &r->answer,
                                            JSON_COMPACT | JSON_ENCODE_ANY) != 0 ||
        r->answer.overflow) {
        buffer_clear(&r->answer);
        buffer_append(&r->answer, SLICE("{\"message\":\"out of memory\"}"));
        r->status = 500;
    }
    json_decref(value);
    return true;
}

bool answer_text(struct api_request *r, unsigned status, const char *text)
{
    buffer_clear(&r->answer);
    r->status = status;
    r->type = "text/plain; charset=utf-8";
    buffer_append_string(&r->answer, text);
    return true;
}

bool answer_error(struct api_request *r, unsigned status, const char *message)
{
    return answer_json(r, status, json_pack("{s:i, s:s}", "status", (int)status, "message",
                                            message));
}

bool answer_octets(struct api_request *r, const char *type, struct slice octets)
{
    buffer_clear(&r->answer);
    r->status = 200;
    r->type = type;
    buffer_append(&r->answer, octets);
    return r->answer.overflow ? answer_text(r, 500, "too large") : true;
}

void answer_field(struct api_request *r, const char *name, struct slice value)
{
    struct slice kept;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.data[i] < ' ' || (unsigned char)value.data[i] >= 127)
            return;
    if (r->fields_count == API_FIELDS_MAX || !arena_copy(&r->arena, value, &kept))
        return;
    r->fields[r->fields_count++] =
        (struct api_pair){ .name = slice_from_string(name), .value = kept };
}

/* attr-char of RFC 5987 */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '-' || c == '_';
}

void answer_disposition(struct api_request *r, bool is_attachment, struct slice filename)
{
    struct buffer b;
    buffer_init(&b, 8192);
    buffer_append_string(&b, is_attachment ? "attachment" : "inline");
    filename = slice_part(filename, 0, 255);
    if (filename.len > 0) {
        buffer_append_string(&b, "; filename=\"");
        for (size_t i = 0; i < filename.len; i++)
            buffer_append_byte(&b, is_plain(filename.data[i]) || filename.data[i] == ' '
                                       ? filename.data[i] : '_');
        buffer_append_string(&b, "\"; filename*=UTF-8''");
        for (size_t i = 0; i < filename.len; i++)
            if (is_plain(filename.data[i]))
                buffer_append_byte(&b, filename.data[i]);
            else
                buffer_append_format(&b, "%%%02X", (unsigned char)filename.data[i]);
    }
    answer_field(r, "Content-Disposition", buffer_slice(&b));
    buffer_free(&b);
}

json_t *json_time(int64_t wall_ms)
{
    char text[64];
    struct tm t;
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &t);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(text + len, sizeof text - len, ".%03dZ", (int)(wall_ms % 1000));
    return json_string(text);
}

json_t *json_slice(struct slice text)
{
    return box_text(text);
}
