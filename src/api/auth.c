/* auth.c: the test DNS, and what SPF, DKIM, ARC and DMARC say of a message that was captured, by
 * its records and by no others: nothing is asked of the network. The very octets as they came are
 * looked at, when somebody asks, against the records of now. */
#include "api/api_private.h"

#include "base/ascii.h"
#include "lint/lint.h"
#include "verdict/verdict.h"
#include "verdict/zone.h"
#include "wire/message/header.h"

#include <string.h>

#define BASE "/api/godwit/v1"

enum { ANSWER_MAX = 1024 * 1024, HEADER_MAX = 2 * 1024 * 1024, ZONE_BYTES_MAX = 4 * 1024 * 1024 };

/* ---- the test DNS ---- */

static bool refuse_zone(struct api_request *r, const char *name, const char *why)
{
    struct buffer b;
    buffer_init(&b, 1024);
    buffer_append_byte(&b, '\'');
    buffer_append_escaped(&b, slice_part(slice_from_string(name), 0, 300));
    buffer_append_string(&b, "': ");
    buffer_append_string(&b, why);
    answer_json(r, 400, json_pack("{s:i, s:o}", "status", 400, "message",
                                  json_slice(buffer_slice(&b))));
    buffer_free(&b);
    return true;
}

static bool zone_answer_whole(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, json_pack("{s:o}", "zone", box_zone(api->options.box,
                                                                   r->workspace)));
}

static bool set_zone(struct api *api, struct api_request *r, json_t *zone)
{
    const char *name = "", *why = zone_check(zone, &name);
    if (why != NULL)
        return refuse_zone(r, name, why);
    if (json_dumpb(zone, NULL, 0, JSON_COMPACT) > ZONE_BYTES_MAX)
        return answer_error(r, 400, "the zone is too large");
    return box_zone_set(api->options.box, r->workspace, zone)
               ? zone_answer_whole(api, r) : answer_error(r, 500, "the store has failed");
}

/* Names in lower case, without a dot at the end; of two that are the same the later one counts. */
static json_t *with_plain_names(json_t *zone)
{
    json_t *plain = json_object(), *records;
    const char *name;
    json_object_foreach(zone, name, records) {
        char text[ZONE_NAME_MAX + 2];
        size_t len = strlen(name);
        if (len >= sizeof text) { /* refused later, by this name */
            json_object_set(plain, name, records);
            continue;
        }
        for (size_t i = 0; i <= len; i++)
            text[i] = ascii_lower(name[i]);
        if (len > 1 && text[len - 1] == '.')
            text[len - 1] = '\0';
        json_object_set(plain, text, records);
    }
    return plain;
}

/* {"zone": {..}}; NULL: it was answered. */
static json_t *take_zone(struct api_request *r)
{
    static const struct member members[] = {
        { "zone", member_object, "is to be an object of names" }, { NULL, NULL, NULL },
    };
    json_t *body = request_json(r, true), *zone = json_incref(json_object_get(body, "zone"));
    if (body != NULL && members_good(r, body, NULL, members) && zone == NULL)
        answer_error(r, 400, "'zone' is needed");
    if (r->status != 0) {
        json_decref(zone);
        zone = NULL;
    }
    json_decref(body);
    json_t *plain = zone == NULL ? NULL : with_plain_names(zone);
    json_decref(zone);
    return plain;
}

static bool dns_put(struct api *api, struct api_request *r)
{
    json_t *zone = take_zone(r);
    bool answered = zone == NULL || set_zone(api, r, zone);
    json_decref(zone);
    return answered;
}

/* Names take the place of what they had; null takes one away. */
static bool dns_patch(struct api *api, struct api_request *r)
{
    json_t *change = take_zone(r), *zone, *records;
    const char *name;
    if (change == NULL)
        return true;
    zone = box_zone(api->options.box, r->workspace);
    json_object_foreach(change, name, records)
        if (json_is_null(records))
            json_object_del(zone, name);
        else
            json_object_set(zone, name, records);
    bool answered = set_zone(api, r, zone);
    json_decref(zone);
    json_decref(change);
    return answered;
}

static bool dns_delete(struct api *api, struct api_request *r)
{
    json_t *none = json_object();
    bool answered = set_zone(api, r, none);
    json_decref(none);
    return answered;
}

/* ---- verdicts ---- */

/* The workspace's own names come before those of everybody. */
static json_t *zone_of(struct api *api, int64_t workspace)
{
    json_t *zone = box_zone(api->options.box, BOX_COMMON);
    json_t *own = workspace == BOX_COMMON ? NULL : box_zone(api->options.box, workspace);
    if (own != NULL)
        json_object_update(zone, own);
    json_decref(own);
    return zone;
}

static bool answer_all(struct auth *auth, json_t *zone)
{
    struct lookup_question question;
    bool good = true;
    while (good && auth_next(auth, &question)) {
        struct arena arena;
        struct lookup_answer answer;
        arena_init(&arena, ANSWER_MAX);
        good = zone_answer(zone, &question, &arena, &answer);
        if (good)
            auth_answer(auth, &answer);
        arena_free(&arena);
    }
    return good;
}

static json_t *evaluate(const struct auth_request *request, struct slice body, json_t *zone,
                        struct slice hostname)
{
    struct auth *auth;
    json_t *made = NULL;
    if (auth_begin(request, &auth) != ERR_OK)
        return NULL;
    auth_body(auth, body);
    if (auth_body_end(auth) == ERR_OK && answer_all(auth, zone))
        made = verdict_message(auth, hostname);
    auth_free(&auth);
    return made;
}

static struct slice said(json_t *object, const char *member, struct slice otherwise)
{
    json_t *value = json_object_get(object, member);
    return json_is_string(value) ? slice_from_string(json_string_value(value)) : otherwise;
}

/* "192.0.2.1:4711", "[2001:db8::1]:4711" */
static bool read_client(struct slice text, struct spf_client *out)
{
    struct net_address address;
    if (spf_client_parse(text, out))
        return true;
    if (!net_address_parse(text, &address))
        return false;
    if (address.any.sa_family == AF_INET)
        spf_client_make(&address.v4.sin_addr, 4, out);
    else if (address.any.sa_family == AF_INET6)
        spf_client_make(&address.v6.sin6_addr, 16, out);
    else
        return false;
    return true;
}

json_t *auth_verdicts(struct api *api, const struct opened *o, int64_t workspace, json_t *as,
                      const char **out_why)
{
    json_t *envelope = json_object_get(o->message, "envelope");
    struct slice raw = buffer_slice(&o->raw), body = raw;
    json_t *created = json_object_get(o->message, "created");
    struct header_scan scan;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    struct slice header = slice_part(raw, 0, raw.len - body.len);
    struct spf_request spf = {
        .helo = said(as, "helo", said(envelope, "helo", SLICE(""))),
        .mail_from = said(as, "sender", said(envelope, "from", SLICE(""))),
        .receiver = api->options.hostname, .now_s = json_integer_value(created) / 1000,
    };
    struct slice client = said(as, "client", said(envelope, "client", SLICE("")));
    *out_why = header.len > HEADER_MAX ? "the header is too large"
             : !read_client(client, &spf.client) ? "client is an address such as 192.0.2.1" : NULL;
    if (*out_why != NULL)
        return NULL;
    const struct auth_request request = { .spf = &spf, .now_s = spf.now_s, .header = header };
    json_t *zone = zone_of(api, workspace);
    json_t *made = evaluate(&request, body, zone, api->options.hostname);
    json_decref(zone);
    json_object_set(made, "authenticationResults",
                    json_array_get(json_object_get(made, "headers"), 0));
    json_object_del(made, "headers");
    *out_why = made == NULL ? "out of memory" : NULL;
    return made;
}

/* What was asked behind "?", as an object. */
static json_t *asked(const struct api_request *r)
{
    static const char *const names[] = { "client", "helo", "sender" };
    json_t *as = json_object();
    for (size_t i = 0; i < 3; i++)
        if (request_has(r, names[i]))
            json_object_set_new(as, names[i], json_slice(request_query(r, names[i])));
    return as;
}

typedef json_t *evaluate_fn(struct api *api, const struct opened *o, int64_t workspace,
                            json_t *as, const char **out_why);

static bool with_verdicts(struct api *api, struct api_request *r, evaluate_fn *run)
{
    const char *why = request_check(r, "client helo sender");
    struct opened o;
    if (why != NULL)
        return answer_error(r, 400, why);
    bool is_there = message_open(api, r, r->arguments[0], &o);
    json_t *as = asked(r);
    json_t *made = is_there ? run(api, &o, r->workspace, as, &why) : NULL;
    json_decref(as);
    message_close(&o);
    if (!is_there)
        return answer_error(r, 404, "no such message");
    return made == NULL ? answer_error(r, 400, why == NULL ? "out of memory" : why)
                        : answer_json(r, 200, made);
}

static bool verdicts(struct api *api, struct api_request *r)
{
    return with_verdicts(api, r, auth_verdicts);
}

/* ---- lint ---- */

json_t *lint_of(struct api *api, const struct opened *o, int64_t workspace, json_t *as,
                const char **out_why)
{
    json_t *verdicts = auth_verdicts(api, o, workspace, as, out_why);
    json_t *envelope = json_object_get(o->message, "envelope");
    const struct lint_input input = {
        .raw = buffer_slice(&o->raw), .content = &o->content, .verdicts = verdicts,
        .recipients = json_array_size(json_object_get(envelope, "to")),
    };
    json_t *made = verdicts == NULL ? NULL : lint_message(&input);
    json_decref(verdicts);
    return made;
}

static bool lint(struct api *api, struct api_request *r)
{
    return with_verdicts(api, r, lint_of);
}

const struct api_route auth_routes[] = {
    { API_GET, BASE "/dns", zone_answer_whole },
    { API_PUT, BASE "/dns", dns_put },
    { API_PATCH, BASE "/dns", dns_patch },
    { API_DELETE, BASE "/dns", dns_delete },
    { API_GET, BASE "/messages/*/auth", verdicts },
    { API_GET, BASE "/messages/*/lint", lint },
    { API_OTHER, NULL, NULL },
};
