/* guard.c: what is not let in: requests that can be read in two ways, and those that a page of
 * somebody else makes in a visitor's browser.
 *
 * A browser says where a page came from (Origin) in whatever changes something, and in every
 * WebSocket. A name that leads to this machine although it is somebody else's (DNS rebinding)
 * is a public name: those with a dot are let in only where they are reserved for use at home
 * (RFC 6761, RFC 6762, RFC 8375, RFC 9476), or are an address.
 */
#include "web/web_private.h"

#include "net/address.h"

static struct slice header(const struct web_request *r, struct slice name, size_t *out_count)
{
    struct slice found = SLICE("");
    size_t count = 0;
    for (size_t i = 0; i < r->api.headers_count; i++)
        if (slice_equal_nocase(r->headers[i].name, name)) {
            found = r->headers[i].value;
            count++;
        }
    if (out_count != NULL)
        *out_count = count;
    return found;
}

static bool is_number(struct slice s)
{
    uint64_t value;
    return slice_to_number(s, INT64_MAX, &value);
}

/* Of "host:port"; brackets stay. */
static struct slice without_port(struct slice host)
{
    if (host.data == NULL)
        return host;
    size_t colon = slice_find_last(host, ':');
    size_t bracket = slice_find_last(host, ']');
    if (colon == SLICE_NOT_FOUND || (bracket != SLICE_NOT_FOUND && bracket > colon))
        return host;
    return slice_part(host, 0, colon);
}

static bool is_at_home(struct slice host)
{
    static const struct slice ends[] = { SLICE_INIT(".localhost"), SLICE_INIT(".local"),
        SLICE_INIT(".test"), SLICE_INIT(".internal"), SLICE_INIT(".home.arpa"),
        SLICE_INIT(".lan"), SLICE_INIT(".svc"), SLICE_INIT(".cluster.local") };
    struct net_address address;
    host = without_port(host);
    if (slice_find(host, '.') == SLICE_NOT_FOUND || net_host_parse(host, 0, &address))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (slice_ends_with_nocase(host, ends[i]))
            return true;
    return false;
}

bool guard_is_same_origin(const struct web_request *r)
{
    struct slice origin = header(r, SLICE("Origin"), NULL);
    struct slice host = header(r, SLICE("Host"), NULL);
    size_t slashes = slice_find(origin, '/');
    if (origin.len == 0)
        return true; /* no browser */
    if (slashes == SLICE_NOT_FOUND || slashes + 2 > origin.len)
        return false; /* "null" */
    return slice_equal_nocase(slice_from(origin, slashes + 2), host);
}

const char *guard_request(const struct web_request *r, unsigned *out_status)
{
    size_t lengths, hosts, codings;
    struct slice length = header(r, SLICE("Content-Length"), &lengths);
    struct slice host = header(r, SLICE("Host"), &hosts);
    struct slice coding = header(r, SLICE("Transfer-Encoding"), &codings);
    uint64_t size = 0;
    *out_status = 400;
    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0) ||
        (lengths > 0 && !is_number(length)) ||
        (codings > 0 && !slice_equal_nocase(slice_trim(coding), SLICE("chunked"))))
        return "the length of the body is not clear";
    if (hosts > 1)
        return "more than one Host";
    if (slice_to_number(length, INT64_MAX, &size) && size > api_body_max(r->api.path)) {
        *out_status = 413;
        return "the body is too large";
    }
    *out_status = 403;
    if (hosts == 1 && !is_at_home(host))
        return "this name is not served: use an address, or a name without a dot";
    bool changes = r->api.method != API_GET && r->api.method != API_OPTIONS;
    if (changes && !guard_is_same_origin(r))
        return "asked from another site's page";
    return NULL;
}
