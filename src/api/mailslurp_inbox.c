/* mailslurp_inbox.c: MailSlurp's inboxes, as its clients ask for them. A key (x-api-key) is a
 * workspace; errors are JSON with a message. */
#include "api/api_private.h"

#include "net/listener.h"

#include <stdio.h>
#include <string.h>

enum { SIZE_DEFAULT = 20, SIZE_MAX_ = 1000 };

static const char user_id[] = "00000000-0000-4000-8000-000000000000";

static json_t *time_or_null(json_t *value)
{
    return json_is_integer(value) ? json_time(json_integer_value(value)) : json_null();
}

static json_t *dto(json_t *inbox)
{
    const char *address = json_text(inbox, "address");
    const char *at = strrchr(address, '@');
    json_t *out = json_object();
    json_object_set(out, "id", json_object_get(inbox, "id"));
    json_object_set_new(out, "userId", json_string(user_id));
    json_object_set_new(out, "createdAt", time_or_null(json_object_get(inbox, "created")));
    json_object_set(out, "name", json_object_get(inbox, "name"));
    json_object_set(out, "description", json_object_get(inbox, "description"));
    json_object_set_new(out, "emailAddress", json_string(address));
    json_object_set_new(out, "expiresAt", time_or_null(json_object_get(inbox, "expires")));
    json_object_set(out, "favourite", json_object_get(inbox, "favourite"));
    json_object_set(out, "tags", json_object_get(inbox, "tags"));
    json_object_set_new(out, "inboxType", json_string("HTTP_INBOX"));
    json_object_set_new(out, "readOnly", json_false());
    json_object_set_new(out, "virtualInbox", json_false());
    json_object_set_new(out, "functionsAs", json_null());
    json_object_set_new(out, "localPart", json_stringn(address, at == NULL ? 0
                                                                : (size_t)(at - address)));
    json_object_set_new(out, "domain", json_string(at == NULL ? "" : at + 1));
    json_object_set_new(out, "accountRegion", json_string("US_WEST_2"));
    json_decref(inbox);
    return out;
}

static bool no_inbox(struct api_request *r)
{
    return answer_error(r, 404, "Inbox not found");
}

/* Spring's form of a page. */
json_t *mailslurp_page(json_t *content, uint64_t total, uint32_t page, uint32_t size)
{
    uint64_t pages = size == 0 ? 1 : (total + size - 1) / size;
    size_t count = json_array_size(content);
    json_t *sort = json_pack("{s:b, s:b, s:b}", "sorted", 1, "unsorted", 0, "empty", 0);
    json_t *pageable = json_pack("{s:i, s:i, s:I, s:b, s:b, s:O}", "pageNumber", (int)page,
        "pageSize", (int)size, "offset", (json_int_t)page * size, "paged", 1, "unpaged", 0,
        "sort", sort);
    return json_pack("{s:o, s:o, s:I, s:I, s:b, s:b, s:i, s:i, s:I, s:b, s:o}",
        "content", content, "pageable", pageable, "totalPages", (json_int_t)pages,
        "totalElements", (json_int_t)total, "last", page + 1 >= pages, "first", page == 0,
        "size", (int)size, "number", (int)page, "numberOfElements", (json_int_t)count,
        "empty", count == 0, "sort", sort);
}

/* Options come as parameters of the address, or as members of the body. */
static struct slice option(struct api_request *r, json_t *body, const char *name)
{
    struct slice value = request_query(r, name);
    return value.len > 0 ? value : slice_from_string(json_text(body, name));
}

static json_t *option_tags(struct api_request *r, json_t *body)
{
    json_t *given = json_object_get(body, "tags");
    json_t *tags = json_is_array(given) ? json_deep_copy(given) : json_array();
    for (size_t i = 0; i < r->query_count; i++)
        if (slice_equal(r->query[i].name, SLICE("tags")))
            json_array_append_new(tags, json_slice(r->query[i].value));
    return tags;
}

static int64_t option_lifetime(struct api *api, struct api_request *r, json_t *body)
{
    json_t *in = json_object_get(body, "expiresIn");
    uint64_t ms = request_number(r, "expiresIn", 0, INT64_MAX);
    int64_t at = read_time(option(r, body, "expiresAt"));
    if (json_is_integer(in))
        ms = (uint64_t)json_integer_value(in);
    if (ms == 0 && at > 0) {
        int64_t left = at - loop_now(api->options.loop).wall_ms;
        return left > 0 ? left : 1;
    }
    return (int64_t)ms;
}

static bool create(struct api *api, struct api_request *r)
{
    json_t *body = r->body.len == 0 ? NULL : request_json(r, false);
    json_t *tags = option_tags(r, body);
    struct box_inbox_wish wish = {
        .address = option(r, body, "emailAddress"), .name = option(r, body, "name"),
        .description = option(r, body, "description"), .tags = tags,
        .lifetime_ms = option_lifetime(api, r, body),
        .favourite = request_flag(r, "favourite") ||
                     json_is_true(json_object_get(body, "favourite")),
    };
    if (wish.address.len == 0)
        wish.address = option(r, body, "prefix");
    const char *why;
    json_t *made = box_inbox_create(api->options.box, r->workspace, &wish, &why);
    json_decref(tags);
    json_decref(body);
    return made == NULL ? answer_error(r, 400, why) : answer_json(r, 201, dto(made));
}

static bool get(struct api *api, struct api_request *r)
{
    json_t *inbox = box_inbox(api->options.box, r->workspace, r->arguments[0]);
    return inbox == NULL ? no_inbox(r) : answer_json(r, 200, dto(inbox));
}

static bool change(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, true);
    if (body == NULL)
        return true;
    bool good = box_inbox_update(api->options.box, r->workspace, r->arguments[0], body);
    json_decref(body);
    return good ? get(api, r) : no_inbox(r);
}

static json_t *dtos(struct api *api, struct api_request *r)
{
    json_t *all = box_inboxes(api->options.box, r->workspace), *list = json_array(), *inbox;
    size_t i;
    json_array_foreach(all, i, inbox)
        json_array_append_new(list, dto(json_incref(inbox)));
    json_decref(all);
    return list;
}

static bool list(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, dtos(api, r));
}

static bool has_tag(json_t *inbox, struct slice tag)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(inbox, "tags"), i, one)
        if (slice_equal(tag, slice_from_string(json_string_value(one))))
            return true;
    return tag.len == 0;
}

static bool is_searched(json_t *inbox, struct slice search)
{
    static const char *const members[] = { "emailAddress", "name", "description", "id" };
    for (size_t i = 0; i < 4; i++)
        if (slice_contains_nocase(slice_from_string(json_text(inbox, members[i])), search))
            return true;
    return search.len == 0;
}

static bool list_page(struct api *api, struct api_request *r)
{
    uint32_t size = (uint32_t)request_number(r, "size", SIZE_DEFAULT, SIZE_MAX_);
    uint32_t page = (uint32_t)request_number(r, "page", 0, 1000000);
    bool newest_first = slice_equal_nocase(request_query(r, "sort"), SLICE("DESC"));
    json_t *all = dtos(api, r), *fit = json_array(), *content = json_array(), *inbox;
    size_t i;
    json_array_foreach(all, i, inbox)
        if (has_tag(inbox, request_query(r, "tag")) &&
            is_searched(inbox, request_query(r, "search")))
            json_array_insert(fit, newest_first ? 0 : json_array_size(fit), inbox);
    for (i = (size_t)page * size; i < json_array_size(fit) && json_array_size(content) < size; i++)
        json_array_append(content, json_array_get(fit, i));
    uint64_t total = json_array_size(fit);
    json_decref(all);
    json_decref(fit);
    return answer_json(r, 200, mailslurp_page(content, total, page, size));
}

static bool nothing(struct api_request *r)
{
    return answer_text(r, 204, "");
}

static bool delete_one(struct api *api, struct api_request *r)
{
    return box_inbox_delete(api->options.box, r->workspace, r->arguments[0]) ? nothing(r)
                                                                            : no_inbox(r);
}

static bool delete_all(struct api *api, struct api_request *r)
{
    json_t *all = box_inboxes(api->options.box, r->workspace), *inbox;
    size_t i;
    json_array_foreach(all, i, inbox)
        box_inbox_delete(api->options.box, r->workspace,
                         slice_from_string(json_text(inbox, "id")));
    json_decref(all);
    return nothing(r);
}

static bool empty_one(struct api *api, struct api_request *r)
{
    struct slice id = r->arguments[0].len > 0 ? r->arguments[0] : request_query(r, "inboxId");
    return box_inbox_empty(api->options.box, r->workspace, id) < 0 ? no_inbox(r) : nothing(r);
}

static bool exists(struct api *api, struct api_request *r)
{
    json_t *inbox = box_inbox(api->options.box, r->workspace, request_query(r, "emailAddress"));
    json_t *answer = json_pack("{s:b}", "exists", inbox != NULL);
    json_decref(inbox);
    return answer_json(r, 200, answer);
}

static bool count(struct api *api, struct api_request *r)
{
    json_t *inbox = box_inbox(api->options.box, r->workspace, r->arguments[0]);
    if (inbox == NULL)
        return no_inbox(r);
    json_t *answer = json_pack("{s:O}", "totalElements", json_object_get(inbox, "messages"));
    json_decref(inbox);
    return answer_json(r, 200, answer);
}

/* Who logs in with the address of an inbox has its mail there, whoever it is for. */
static bool access(struct api *api, struct api_request *r)
{
    struct slice id = request_query(r, "inboxId");
    json_t *inbox = box_inbox(api->options.box, r->workspace, id);
    struct net_address smtp;
    char host[NET_ADDRESS_TEXT_MAX];
    struct buffer b = { .memory = host, .capacity = sizeof host, .max = sizeof host };
    if (inbox == NULL || listener_address(api->options.smtp, &smtp) != ERR_OK) {
        json_decref(inbox);
        return no_inbox(r);
    }
    net_host_append(&b, &smtp);
    json_t *out = json_object();
    static const char *const prefixes[] = { "smtp", "secureSmtp" };
    for (size_t i = 0; i < 2; i++) {
        char name[40];
        snprintf(name, sizeof name, "%sServerHost", prefixes[i]);
        json_object_set_new(out, name, json_slice(buffer_slice(&b)));
        snprintf(name, sizeof name, "%sServerPort", prefixes[i]);
        json_object_set_new(out, name, json_integer(net_address_port(&smtp)));
        snprintf(name, sizeof name, "%sUsername", prefixes[i]);
        json_object_set(out, name, json_object_get(inbox, "address"));
        snprintf(name, sizeof name, "%sPassword", prefixes[i]);
        json_object_set(out, name, json_object_get(inbox, "id"));
    }
    json_object_set_new(out, "mailFromDomain", json_slice(api->options.domain));
    json_decref(inbox);
    return answer_json(r, 200, out);
}

static bool user(struct api *api, struct api_request *r)
{
    (void)api;
    return answer_json(r, 200, json_pack("{s:s, s:s}", "id", user_id, "userId", user_id));
}

const struct api_route mailslurp_inbox_routes[] = {
    { API_POST, "/inboxes", create },
    { API_POST, "/inboxes/withOptions", create },
    { API_POST, "/inboxes/withDefaults", create },
    { API_GET, "/inboxes", list },
    { API_DELETE, "/inboxes", delete_all },
    { API_GET, "/inboxes/paginated", list_page },
    { API_GET, "/inboxes/imap-smtp-access", access },
    { API_GET, "/inboxes/exists", exists },
    { API_GET, "/inboxes/*", get },
    { API_PATCH, "/inboxes/*", change },
    { API_DELETE, "/inboxes/*", delete_one },
    { API_GET, "/inboxes/*/emails/count", count },
    { API_DELETE, "/inboxes/*/deleteAllInboxEmails", empty_one },
    { API_DELETE, "/emptyInbox", empty_one },
    { API_GET, "/user/info", user },
    { API_OTHER, NULL, NULL },
};
