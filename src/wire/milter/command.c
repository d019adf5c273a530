#include "wire/milter/command.h"

#include "base/must.h"

static void append_number(struct buffer *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_append_byte(out, (char)(value >> shift));
}

static void append_head(struct buffer *out, enum milter_command command, size_t data_len)
{
    must(data_len < UINT32_MAX);
    append_number(out, (uint32_t)data_len + 1);
    buffer_append_byte(out, (char)command);
}

static void append_string(struct buffer *out, struct slice text)
{
    size_t nul;
    while ((nul = slice_find(text, '\0')) != SLICE_NOT_FOUND) {
        buffer_append(out, slice_part(text, 0, nul));
        buffer_append_byte(out, '?');
        text = slice_from(text, nul + 1);
    }
    buffer_append(out, text);
    buffer_append_byte(out, '\0');
}

static size_t strings_len(const struct slice *strings, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += strings[i].len + 1;
    return len;
}

void milter_append_options(struct buffer *out, const struct milter_options *options)
{
    append_head(out, MILTER_OPTNEG, 12);
    append_number(out, options->version);
    append_number(out, options->actions);
    append_number(out, options->protocol);
}

void milter_append_client(struct buffer *out, const struct milter_client *client)
{
    bool has_address = client->family != MILTER_FAMILY_UNKNOWN;
    size_t address_len = has_address ? 2 + client->address.len + 1 : 0;
    append_head(out, MILTER_CONNECT, client->name.len + 1 + 1 + address_len);
    append_string(out, client->name);
    buffer_append_byte(out, (char)client->family);
    if (!has_address)
        return;
    buffer_append_byte(out, (char)(client->port >> 8));
    buffer_append_byte(out, (char)client->port);
    append_string(out, client->address);
}

void milter_append_strings(struct buffer *out, enum milter_command command,
                           const struct slice *strings, size_t count)
{
    append_head(out, command, strings_len(strings, count));
    for (size_t i = 0; i < count; i++)
        append_string(out, strings[i]);
}

void milter_append_chunk(struct buffer *out, struct slice chunk)
{
    must(chunk.len <= MILTER_CHUNK_MAX);
    append_head(out, MILTER_BODY, chunk.len);
    buffer_append(out, chunk);
}

void milter_append_macros(struct buffer *out, enum milter_command command,
                          const struct slice *pairs, size_t count)
{
    append_head(out, MILTER_MACRO, 1 + strings_len(pairs, 2 * count));
    buffer_append_byte(out, (char)command);
    for (size_t i = 0; i < 2 * count; i++)
        append_string(out, pairs[i]);
}
