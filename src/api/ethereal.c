/* ethereal.c: accounts for tests as Ethereal makes them, for nodemailer's createTestAccount().
 * What is sent with one is answered with "[STATUS=new MSGID=ID]", and the link of the page is
 * made of that. */
#include "api/api_private.h"

#include "net/listener.h"
#include "sandbox/account.h"

static bool make(struct api *api, struct api_request *r)
{
    struct net_address smtp;
    struct buffer user, pass, host, web;
    struct slice name = request_header(r, "Host");
    buffer_init(&user, 300);
    buffer_init(&pass, 100);
    buffer_init(&host, NET_ADDRESS_TEXT_MAX);
    buffer_init(&web, 1024);
    bool good = listener_address(api->options.smtp, &smtp) == ERR_OK &&
                account_make(api->options.secret, api->options.domain, &user, &pass);
    if (good)
        net_host_append(&host, &smtp);
    buffer_append_string(&web, "http://");
    buffer_append(&web, name.len > 0 ? name : SLICE("127.0.0.1:8025"));
    json_t *made = !good ? NULL : json_pack(
        "{s:s, s:o, s:o, s:{s:o, s:i, s:b}, s:{s:o, s:i, s:b}, s:{s:o, s:i, s:b}, s:o, s:o}",
        "status", "success", "user", json_slice(buffer_slice(&user)),
        "pass", json_slice(buffer_slice(&pass)),
        "smtp", "host", json_slice(buffer_slice(&host)), "port", net_address_port(&smtp),
        "secure", 0,
        "imap", "host", json_slice(buffer_slice(&host)), "port", 0, "secure", 1,
        "pop3", "host", json_slice(buffer_slice(&host)), "port", 0, "secure", 1,
        "web", json_slice(buffer_slice(&web)), "mxEnabled", json_false());
    buffer_free(&user);
    buffer_free(&pass);
    buffer_free(&host);
    buffer_free(&web);
    return made == NULL ? answer_json(r, 500, json_pack("{s:s, s:s}", "status", "error", "error",
                                                        "no account can be made"))
                        : answer_json(r, 200, made);
}

/* The link that nodemailer makes. */
static bool link_to(struct api *api, struct api_request *r)
{
    struct buffer where;
    (void)api;
    buffer_init(&where, 300);
    buffer_append_string(&where, "/#/message/");
    buffer_append(&where, slice_part(r->arguments[0], 0, 100));
    answer_text(r, 302, "");
    answer_field(r, "Location", buffer_slice(&where));
    buffer_free(&where);
    return true;
}

const struct api_route ethereal_routes[] = {
    { API_POST, "/user", make },
    { API_GET, "/message/*", link_to },
    { API_OTHER, NULL, NULL },
};
