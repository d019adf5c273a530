/* api.c: which route it is, who asks, and whether that one may. */
#include "api/api_private.h"

#include "api/reach.h"
#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 64 * 1024 * 1024, CREDENTIALS_MAX = 1024 };

static const struct api_route *const tables[] = { own_routes, own_message_routes,
                                                  assert_routes, fault_routes,
                                                  mailpit_routes,
                                                  mailslurp_inbox_routes,
                                                  mailslurp_email_routes,
                                                  mailslurp_wait_routes, mailhog_routes,
                                                  inbucket_routes, maildev_routes,
                                                  ethereal_routes, mcp_routes,
                                                  webhook_routes, webhook_log_routes,
                                                  link_routes, release_routes, auth_routes,
                                                  mailslurp_webhook_routes };

enum err api_open(const struct api_options *options, struct api **out)
{
    struct api *a = calloc(1, sizeof *a);
    if (a == NULL)
        return ERR_MEMORY;
    a->options = *options;
    enum err error = reach_open(options->loop, options->range, &a->reach);
    webhooks_begin(a);
    if (error == ERR_OK)
        error = faults_begin(a);
    if (error != ERR_OK)
        api_close(&a);
    *out = a;
    return error;
}

void api_close(struct api **api)
{
    if (*api != NULL) {
        faults_end(*api);
        webhooks_end(*api);
        reach_close(&(*api)->reach);
    }
    free(*api);
    *api = NULL;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %XX undone, in the arena; false: it holds what may not stand in a name. */
static bool decode_segment(struct arena *arena, struct slice in, struct slice *out)
{
    char *bytes = arena_alloc(arena, in.len + 1);
    size_t len = 0;
    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < in.len; i++) {
        int high = in.data[i] == '%' && i + 2 < in.len ? hex_value(in.data[i + 1]) : -1;
        int low = high >= 0 ? hex_value(in.data[i + 2]) : -1;
        bytes[len] = in.data[i];
        if (low >= 0) {
            bytes[len] = (char)(high * 16 + low);
            i += 2;
        }
        if (bytes[len++] == '\0')
            return false;
    }
    *out = slice_make(bytes, len);
    return true;
}

/* Segment by segment; the last "**" takes all that is left. */
static bool matches(struct api_request *r, const struct api_route *route)
{
    struct slice path = slice_from(r->path, 1);
    struct slice pattern = slice_from(slice_from_string(route->path), 1);
    struct slice have, want;
    size_t count = 0;
    memset(r->arguments, 0, sizeof r->arguments);
    while (slice_split(&pattern, '/', &want)) {
        if (!slice_split(&path, '/', &have))
            return false;
        if (!slice_equal(want, SLICE("*"))) {
            if (!slice_equal(want, have))
                return false;
        } else if (have.len == 0 || count == 4 ||
                   !decode_segment(&r->arena, have, &r->arguments[count++])) {
            return false;
        }
    }
    return path.len == 0;
}

static const struct api_route *find_route(struct api_request *r, bool *out_has_path)
{
    *out_has_path = false;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct api_route *route = tables[t]; route->path != NULL; route++) {
            if (!matches(r, route))
                continue;
            *out_has_path = true;
            if (route->method == r->method)
                return route;
        }
    return NULL;
}

/* ---- who ---- */

bool api_equal(struct slice a, struct slice b)
{
    unsigned char differs = a.len != b.len;
    for (size_t i = 0; i < a.len; i++)
        differs |= (unsigned char)(a.data[i] ^ (b.len == 0 ? 1 : b.data[i % b.len]));
    return differs == 0;
}

static bool is_let_in(struct api *api, const struct api_request *r)
{
    struct slice said = request_header(r, "Authorization");
    struct buffer decoded;
    if (api->options.users.len == 0 || slice_equal(r->path, SLICE("/livez")) ||
        slice_equal(r->path, SLICE("/readyz")))
        return true;
    if (!slice_starts_with_nocase(said, SLICE("Basic ")))
        return false;
    buffer_init(&decoded, CREDENTIALS_MAX);
    bool good = base64_decode(slice_trim(slice_from(said, 6)), &decoded) &&
                api_equal(buffer_slice(&decoded), api->options.users);
    buffer_free(&decoded);
    return good;
}

static struct slice key_of(const struct api_request *r)
{
    struct slice key = request_header(r, "x-api-key");
    struct slice bearer = request_header(r, "Authorization");
    if (key.len == 0 && slice_starts_with_nocase(bearer, SLICE("Bearer ")))
        key = slice_trim(slice_from(bearer, 7));
    return slice_part(key, 0, CREDENTIALS_MAX);
}

bool api_handle(struct api *api, struct api_request *r)
{
    bool has_path;
    arena_init(&r->arena, ARENA_MAX);
    buffer_init(&r->answer, API_ANSWER_MAX);
    if (!is_let_in(api, r)) {
        answer_field(r, "WWW-Authenticate", SLICE("Basic realm=\"Login\""));
        return answer_text(r, 401, "Unauthorised\n");
    }
    if (r->path.len == 0 || r->path.data[0] != '/')
        return answer_text(r, 404, "404 page not found");
    const struct api_route *route = find_route(r, &has_path);
    if (route == NULL && r->method == API_OPTIONS)
        return answer_text(r, 200, "");
    if (route == NULL)
        return has_path ? answer_text(r, 405, "405 method not allowed")
                        : answer_text(r, 404, "404 page not found");
    r->workspace = box_workspace(api->options.box, key_of(r));
    if (r->workspace == 0)
        return answer_error(r, 503, "the store has failed");
    return route->run(api, r);
}

void api_request_free(struct api *api, struct api_request *r)
{
    (void)api;
    wait_end(r);
    send_end(r);
    force_end(r);
    expected_end(r);
    links_end(r);
    arena_free(&r->arena);
    buffer_free(&r->answer);
}

size_t api_body_max(struct slice path)
{
    bool sends = slice_ends_with_nocase(path, SLICE("/send")) ||
                 slice_ends_with_nocase(path, SLICE("/messages"));
    return sends ? API_SEND_MAX : API_BODY_MAX;
}
