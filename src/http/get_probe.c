/* get_probe.c: asks for what the command line says, for tests with servers of their own:
 * probe_http_get CA-FILE URL ADDRESS... prints the result, the status, the type, the length
 * and the trouble. GET_MAX, GET_MS, GET_CLEAR, GET_BODY and GET_OPEN (loopback is allowed)
 * in the environment say more.
 */
#include "event/loop.h"
#include "http/http.h"

#include <stdio.h>
#include <stdlib.h>

static struct loop *loop;

static void on_done(struct http_request *request)
{
    (void)request;
    loop_stop(loop);
}

static uint32_t number(const char *name, uint32_t usual)
{
    const char *text = getenv(name);
    return text == NULL ? usual : (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    static const char *const results[] = {
        [HTTP_ANSWERED] = "answered",       [HTTP_INVALID] = "invalid",
        [HTTP_REFUSED] = "refused",         [HTTP_UNREACHABLE] = "unreachable",
        [HTTP_UNTRUSTED] = "untrusted",     [HTTP_TIMEOUT] = "timeout",
        [HTTP_TOO_LARGE] = "too large",     [HTTP_CANCELLED] = "cancelled",
    };
    struct net_address addresses[HTTP_ADDRESSES_MAX];
    size_t count = 0;
    struct http *http;
    if (argc < 3)
        return 2;
    for (int i = 3; i < argc; i++)
        if (net_host_parse(slice_from_string(argv[i]), 0, &addresses[count]))
            count++;
    struct http_options options = { .ca_file = argv[1],
                                    .egress.allow_loopback = getenv("GET_OPEN") != NULL };
    if (loop_open(&loop) != ERR_OK || http_open(&options, &http) != ERR_OK)
        return 1;
    struct slice field = SLICE("X-Probe: yes");
    struct http_request request = {
        .home = loop_home(loop), .done = on_done, .url = slice_from_string(argv[2]),
        .addresses = addresses, .addresses_count = count, .fields = &field, .fields_count = 1,
        .body = slice_from_string(getenv("GET_BODY")), .answer_max = number("GET_MAX", 65536),
        .timeout_ms = number("GET_MS", 30000), .allows_clear = getenv("GET_CLEAR") != NULL,
    };
    http_ask(http, &request);
    loop_run(loop);
    struct slice type = buffer_slice(&request.type);
    printf("%s %u '%.*s' %zu %s\n", results[request.result], request.status, (int)type.len,
           type.len > 0 ? type.data : "", buffer_len(&request.answer), request.trouble);
    http_request_clear(&request);
    http_close(&http);
    loop_close(&loop);
    return 0;
}
