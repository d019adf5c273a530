/* schema.c: the tables of keys as a JSON schema (draft 2020-12). */
#include "config/reader_private.h"

static void append_json(struct buffer *out, const char *text)
{
    buffer_append_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, *at);
    }
    buffer_append_byte(out, '"');
}

static void append_required(const struct key *keys, struct buffer *out)
{
    const char *before = ",\"required\":[";
    for (const struct key *k = keys; k->name != NULL; k++) {
        if (!k->is_required)
            continue;
        buffer_append_string(out, before);
        append_json(out, k->name);
        before = ",";
    }
    if (before[1] == '\0')
        buffer_append_byte(out, ']');
}

void schema_of_keys(const struct key *keys, struct buffer *out)
{
    buffer_append(out, SLICE("\"type\":\"object\",\"additionalProperties\":false"));
    append_required(keys, out);
    buffer_append(out, SLICE(",\"properties\":{"));
    for (const struct key *k = keys; k->name != NULL; k++) {
        if (k != keys)
            buffer_append_byte(out, ',');
        append_json(out, k->name);
        buffer_append(out, SLICE(":{"));
        k->type->schema(k, out);
        buffer_append(out, SLICE(",\"description\":"));
        append_json(out, k->help);
        if (k->fallback != NULL && k->type->kind == NODE_TEXT) {
            buffer_append(out, SLICE(",\"$comment\":\"default: "));
            buffer_append_string(out, k->fallback);
            buffer_append_byte(out, '"');
        }
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, '}');
}

void config_schema(struct buffer *out)
{
    buffer_append(out, SLICE("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                             "\"title\":\"godwit configuration\","));
    schema_of_keys(config_keys, out);
    buffer_append(out, SLICE("}\n"));
}
