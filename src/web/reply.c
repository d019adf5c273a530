/* reply.c: answers onto the wire, packed where the other side takes that. */
#include "web/web_private.h"

#include <string.h>
#include <zlib.h>

enum { PACK_FROM = 1024, PACK_MAX = 16 * 1024 * 1024, GZIP_WINDOW = 15 + 16 };

/* What the answer says of itself counts. */
static bool has_field(const struct api_request *api, const char *name)
{
    for (size_t i = 0; i < api->fields_count; i++)
        if (slice_equal_nocase(api->fields[i].name, slice_from_string(name)))
            return true;
    return false;
}

void reply_common(const struct api_request *api, struct MHD_Response *response)
{
    static const char *const fields[][2] = {
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "no-referrer" },
        { "X-Frame-Options", "SAMEORIGIN" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "X-DNS-Prefetch-Control", "off" },
        { "Cache-Control", "no-store" },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!has_field(api, fields[i][0]))
            MHD_add_response_header(response, fields[i][0], fields[i][1]);
}

static bool takes_gzip(const struct web_request *r)
{
    for (size_t i = 0; i < r->api.headers_count; i++)
        if (slice_equal_nocase(r->headers[i].name, SLICE("Accept-Encoding")))
            return slice_contains_nocase(r->headers[i].value, SLICE("gzip"));
    return false;
}

static bool is_text(const char *type)
{
    return strncmp(type, "text/", 5) == 0 || strncmp(type, "application/json", 16) == 0 ||
           strncmp(type, "message/", 8) == 0;
}

/* Into r->body, which nobody needs any more. */
static bool pack(struct web_request *r)
{
    struct slice from = buffer_slice(&r->api.answer);
    z_stream z = { .next_in = (Bytef *)(uintptr_t)from.data, .avail_in = (uInt)from.len };
    if (from.len < PACK_FROM || from.len > PACK_MAX || !is_text(r->api.type) ||
        !takes_gzip(r) ||
        deflateInit2(&z, 5, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    buffer_clear(&r->body);
    size_t room = deflateBound(&z, from.len);
    char *out = buffer_reserve(&r->body, room);
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    bool good = out != NULL && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (good)
        buffer_added(&r->body, (size_t)z.total_out);
    deflateEnd(&z);
    return good;
}

static void add_fields(struct web_request *r, struct MHD_Response *response)
{
    char name[64], value[4096];
    for (size_t i = 0; i < r->api.fields_count; i++) {
        const struct api_pair *f = &r->api.fields[i];
        if (f->name.len >= sizeof name || f->value.len >= sizeof value)
            continue;
        memcpy(name, f->name.data, f->name.len);
        name[f->name.len] = '\0';
        memcpy(value, f->value.data, f->value.len);
        value[f->value.len] = '\0';
        MHD_add_response_header(response, name, value);
    }
}

static enum MHD_Result queue(struct web_request *r, unsigned status, struct slice body,
                             bool is_packed)
{
    static char nothing[1];
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, body.len == 0 ? nothing : (void *)(uintptr_t)body.data,
        MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    reply_common(&r->api, response);
    if (r->api.type != NULL)
        MHD_add_response_header(response, "Content-Type", r->api.type);
    if (is_packed)
        MHD_add_response_header(response, "Content-Encoding", "gzip");
    add_fields(r, response);
    enum MHD_Result result = MHD_queue_response(r->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result reply_send(struct web_request *r)
{
    bool is_packed = pack(r);
    return queue(r, r->api.status, buffer_slice(is_packed ? &r->body : &r->api.answer),
                 is_packed);
}

enum MHD_Result reply_refuse(struct web_request *r, unsigned status, const char *text)
{
    r->api.type = "text/plain; charset=utf-8";
    return queue(r, status, slice_from_string(text), false);
}
