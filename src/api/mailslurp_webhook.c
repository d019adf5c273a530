/* mailslurp_webhook.c: MailSlurp's webhooks: asked for as its clients do, told in its form. */
#include "api/webhook_private.h"

#include "base/base64.h"

#include <string.h>

enum { WAIT_DEFAULT_MS = 60000, SIZE_DEFAULT = 20, SIZE_MAX_ = 1000, EXTRACT_MAX = 1000 };

static const char user_id[] = "00000000-0000-4000-8000-000000000000";

/* What they call it. */
static const struct {
    const char *theirs;
    enum hook_event ours;
} names[] = {
    { "EMAIL_RECEIVED", HOOK_RECEIVED }, { "NEW_EMAIL", HOOK_RECEIVED },
    { "NEW_ATTACHMENT", HOOK_RECEIVED }, { "EMAIL_READ", HOOK_UPDATED },
    { "BOUNCE", HOOK_BOUNCED },          { "BOUNCE_RECIPIENT", HOOK_BOUNCED },
};

static const char *our_event(const char *theirs)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].theirs, theirs) == 0)
            return hook_event_name(names[i].ours);
    return NULL;
}

/* ---- told ---- */

static json_t *file_facts(json_t *file, bool is_whole)
{
    json_t *made = json_object();
    json_object_set(made, is_whole ? "attachmentId" : "id", json_object_get(file, "part"));
    json_object_set(made, "name", json_object_get(file, "name"));
    json_object_set(made, "contentType", json_object_get(file, "type"));
    json_object_set(made, "contentLength", json_object_get(file, "size"));
    return made;
}

static void set_message(json_t *out, json_t *data, json_t *files)
{
    json_t *facts = json_array(), *file;
    size_t i;
    json_array_foreach(files, i, file)
        json_array_append_new(facts, file_facts(file, false));
    json_object_set(out, "inboxId", json_object_get(data, "inbox"));
    json_object_set(out, "emailId", json_object_get(data, "id"));
    json_object_set(out, "from", json_object_get(json_object_get(data, "from"), "address"));
    json_object_set_new(out, "to", mailslurp_addresses(json_object_get(data, "to")));
    json_object_set_new(out, "cc", mailslurp_addresses(json_object_get(data, "cc")));
    json_object_set_new(out, "bcc", mailslurp_addresses(json_object_get(data, "bcc")));
    json_object_set(out, "subject", json_object_get(data, "subject"));
    json_object_set_new(out, "attachmentMetaDatas", facts);
}

static void set_bounce(json_t *out, json_t *data)
{
    json_t *recipient = json_object_get(data, "recipient");
    json_object_set(out, "bounceId", json_object_get(data, "id"));
    json_object_set(out, "sender", json_object_get(data, "sender"));
    json_object_set(out, "recipient", recipient);
    json_object_set_new(out, "sentToRecipients", json_pack("[O]", recipient));
    json_object_set_new(out, "bounceRecipients", json_pack("[O]", recipient));
}

json_t *mailslurp_webhook_body(struct api *api, const struct hook_job *job)
{
    json_t *out = json_object(), *data = job->data;
    const char *event = json_text(job->hook, "eventName"), *name = json_text(job->hook, "name");
    json_object_set_new(out, "messageId", json_string(job->uid));
    json_object_set(out, "webhookId", json_object_get(job->hook, "id"));
    json_object_set_new(out, "webhookName", name[0] == '\0' ? json_null() : json_string(name));
    json_object_set_new(out, "eventName", json_string(event));
    json_object_set_new(out, "createdAt", json_time(job->created_ms));
    if (job->event == HOOK_RECEIVED) {
        json_t *whole = box_message(api->options.box, job->workspace,
                                    slice_from_string(json_text(data, "id")));
        json_t *files = json_object_get(whole, "files");
        json_t *first = json_array_get(files, 0);
        set_message(out, data, files);
        if (strcmp(event, "NEW_ATTACHMENT") == 0 && first != NULL) {
            json_t *facts = file_facts(first, true);
            json_object_update(out, facts);
            json_decref(facts);
        }
        json_decref(whole);
    } else if (job->event == HOOK_BOUNCED) {
        set_bounce(out, data);
    } else if (job->event == HOOK_UPDATED) {
        json_object_set(out, "emailId", json_object_get(data, "id"));
        json_object_set(out, "inboxId", json_object_get(job->hook, "inbox"));
        json_object_set(out, "emailIsRead", json_object_get(data, "read"));
    }
    return out;
}

/* ---- shown ---- */

static json_t *dto(json_t *hook)
{
    json_t *created = json_object_get(hook, "created");
    json_t *at = json_time(json_integer_value(created));
    json_t *out = json_object();
    json_object_set(out, "id", json_object_get(hook, "id"));
    json_object_set_new(out, "userId", json_string(user_id));
    json_object_set_new(out, "basicAuth", json_boolean(json_is_true(json_object_get(hook,
                                                                                   "basicAuth"))));
    json_object_set(out, "name", json_object_get(hook, "name"));
    json_object_set(out, "inboxId", json_object_get(hook, "inbox"));
    json_object_set(out, "url", json_object_get(hook, "url"));
    json_object_set_new(out, "method", json_string("POST"));
    json_object_set_new(out, "payloadJsonSchema", json_string("{}"));
    json_object_set(out, "createdAt", at);
    json_object_set_new(out, "updatedAt", at);
    json_object_set(out, "eventName", json_object_get(hook, "eventName"));
    json_object_set_new(out, "requestHeaders", json_null());
    json_object_set_new(out, "enabled", json_boolean(!json_is_true(json_object_get(hook,
                                                                                  "paused"))));
    json_decref(hook);
    return out;
}

static json_t *result_dto(json_t *delivery, json_t *hook)
{
    json_t *attempts = json_object_get(delivery, "attempts");
    size_t count = json_array_size(attempts);
    json_t *last = json_array_get(attempts, count == 0 ? 0 : count - 1);
    json_t *created = json_object_get(delivery, "created");
    json_t *status = json_object_get(last, "status");
    json_t *at = json_time(json_integer_value(created)), *out = json_object();
    bool is_good = strcmp(json_text(delivery, "state"), "delivered") == 0;
    json_object_set(out, "id", json_object_get(delivery, "id"));
    json_object_set_new(out, "userId", json_string(user_id));
    json_object_set(out, "webhookId", json_object_get(delivery, "webhook"));
    json_object_set(out, "webhookUrl", json_object_get(hook, "url"));
    json_object_set(out, "messageId", json_object_get(delivery, "id"));
    json_object_set_new(out, "httpMethod", json_string("POST"));
    json_object_set(out, "webhookEvent", json_object_get(hook, "eventName"));
    json_object_set_new(out, "responseStatus", json_integer_value(status) == 0
                                                   ? json_null() : json_incref(status));
    json_object_set_new(out, "responseTimeMillis",
                        json_integer(json_integer_value(json_object_get(last, "ms"))));
    json_object_set(out, "responseBodyExtract", json_object_get(last, "answer"));
    json_object_set_new(out, "resultType", json_string(is_good ? "SUCCESS" : "BAD_RESPONSE"));
    json_object_set(out, "createdAt", at);
    json_object_set_new(out, "updatedAt", at);
    json_object_set_new(out, "seen", json_false());
    json_object_set(out, "inboxId", json_object_get(hook, "inbox"));
    json_object_set(out, "emailId", json_object_get(delivery, "message"));
    json_decref(delivery);
    return out;
}

/* ---- asked for ---- */

static bool no_webhook(struct api_request *r)
{
    return answer_error(r, 404, "Webhook not found");
}

static void take_headers(json_t *wish, json_t *body)
{
    json_t *headers = json_object(), *auth = json_object_get(body, "basicAuth"), *one;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(body, "includeHeaders"), "headers"), i, one)
        json_object_set(headers, json_text(one, "name"), json_object_get(one, "value"));
    if (json_is_object(auth)) {
        struct buffer plain, coded;
        buffer_init(&plain, 400);
        buffer_init(&coded, 800);
        buffer_append_format(&plain, "%s:%s", json_text(auth, "username"),
                             json_text(auth, "password"));
        buffer_append_string(&coded, "Basic ");
        base64_append(&coded, buffer_slice(&plain));
        json_object_set_new(headers, "Authorization", json_slice(buffer_slice(&coded)));
        json_object_set_new(wish, "basicAuth", json_true());
        buffer_free(&plain);
        buffer_free(&coded);
    }
    json_object_set_new(wish, "headers", headers);
}

/* What is wanted, as our own webhooks are kept; NULL, and why not. */
static json_t *read_wish(json_t *body, struct slice inbox, const char **out_why)
{
    const char *event = json_text(body, "eventName");
    const char *theirs = event[0] == '\0' ? "EMAIL_RECEIVED" : event, *ours = our_event(theirs);
    *out_why = ours == NULL ? "eventName is EMAIL_RECEIVED, NEW_EMAIL, NEW_ATTACHMENT, EMAIL_READ, "
                              "BOUNCE or BOUNCE_RECIPIENT"
             : !webhook_is_url(json_object_get(body, "url")) ? "url is a URL of http or https"
             : json_is_string(json_object_get(body, "requestBodyTemplate"))
                   ? "requestBodyTemplate is not to be had here" : NULL;
    if (*out_why != NULL)
        return NULL;
    json_t *wish = json_pack("{s:s, s:O, s:[s], s:s}", "dialect", "mailslurp", "url",
                             json_object_get(body, "url"), "events", ours, "eventName", theirs);
    if (json_is_string(json_object_get(body, "name")))
        json_object_set(wish, "name", json_object_get(body, "name"));
    if (inbox.len > 0)
        json_object_set_new(wish, "inbox", json_slice(inbox));
    if (strcmp(theirs, "NEW_ATTACHMENT") == 0)
        json_object_set_new(wish, "match", json_pack("{s:b}", "attachments", 1));
    take_headers(wish, body);
    if (webhook_are_headers(json_object_get(wish, "headers")))
        return wish;
    *out_why = "includeHeaders are at most 16 texts";
    json_decref(wish);
    return NULL;
}

static bool create(struct api *api, struct api_request *r, struct slice inbox)
{
    json_t *body = request_json(r, true), *made = NULL;
    const char *why;
    if (body == NULL)
        return true;
    json_t *wish = read_wish(body, inbox, &why);
    if (wish != NULL)
        made = webhook_add(api, r, wish, &why);
    json_decref(wish);
    json_decref(body);
    return made == NULL ? answer_error(r, 400, why) : answer_json(r, 201, dto(made));
}

static bool create_for_inbox(struct api *api, struct api_request *r)
{
    return create(api, r, r->arguments[0]);
}

static bool create_for_any(struct api *api, struct api_request *r)
{
    return create(api, r, request_query(r, "inboxId"));
}

static bool get(struct api *api, struct api_request *r)
{
    json_t *hook = box_hook(api->options.box, r->workspace, r->arguments[0]);
    return hook == NULL ? no_webhook(r) : answer_json(r, 200, dto(hook));
}

/* Of an inbox, or all. */
static json_t *list_of(struct api *api, struct api_request *r, struct slice inbox)
{
    json_t *all = box_hooks(api->options.box, r->workspace), *list = json_array(), *hook;
    size_t i;
    json_array_foreach(all, i, hook)
        if (inbox.len == 0 ||
            slice_equal(inbox, slice_from_string(json_text(hook, "inbox"))))
            json_array_append_new(list, dto(json_incref(hook)));
    json_decref(all);
    return list;
}

static bool list_for_inbox(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, list_of(api, r, r->arguments[0]));
}

static bool list_all(struct api *api, struct api_request *r)
{
    return answer_json(r, 200, list_of(api, r, SLICE("")));
}

static bool pages(struct api *api, struct api_request *r)
{
    json_t *list = list_of(api, r, SLICE(""));
    size_t count = json_array_size(list);
    return answer_json(r, 200, mailslurp_page(list, count, 0,
                                              (uint32_t)(count == 0 ? SIZE_DEFAULT : count)));
}

static bool delete_one(struct api *api, struct api_request *r)
{
    return box_hook_delete(api->options.box, r->workspace,
                           r->arguments[1].len > 0 ? r->arguments[1] : r->arguments[0])
               ? answer_text(r, 204, "") : no_webhook(r);
}

static bool delete_all(struct api *api, struct api_request *r)
{
    json_t *all = box_hooks(api->options.box, r->workspace), *hook;
    size_t i;
    json_array_foreach(all, i, hook)
        box_hook_delete(api->options.box, r->workspace, slice_from_string(json_text(hook, "id")));
    json_decref(all);
    return answer_text(r, 204, "");
}

/* ---- results ---- */

static json_t *results_of(struct api *api, struct api_request *r, struct slice hook_id,
                          struct slice state)
{
    const struct hook_query query = {
        .workspace = r->workspace, .hook = hook_id, .state = state,
        .start = (uint32_t)(request_number(r, "page", 0, 100000) *
                            request_number(r, "size", SIZE_DEFAULT, SIZE_MAX_)),
        .limit = (uint32_t)request_number(r, "size", SIZE_DEFAULT, SIZE_MAX_),
    };
    json_t *rows = box_deliveries(api->options.box, &query), *list = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        json_t *whole = box_delivery(api->options.box, r->workspace,
                                     slice_from_string(json_text(row, "id")));
        json_t *hook = box_hook(api->options.box, r->workspace,
                                slice_from_string(json_text(row, "webhook")));
        if (whole != NULL)
            json_array_append_new(list, result_dto(whole, hook));
        json_decref(hook);
    }
    json_decref(rows);
    return list;
}

static bool results(struct api *api, struct api_request *r)
{
    json_t *list = results_of(api, r, r->arguments[0], SLICE(""));
    uint64_t total = box_deliveries_count(api->options.box, r->workspace, r->arguments[0], -1);
    return answer_json(r, 200, mailslurp_page(list, total,
        (uint32_t)request_number(r, "page", 0, 100000),
        (uint32_t)request_number(r, "size", SIZE_DEFAULT, SIZE_MAX_)));
}

static bool result(struct api *api, struct api_request *r)
{
    json_t *one = box_delivery(api->options.box, r->workspace, r->arguments[0]);
    if (one == NULL)
        return answer_error(r, 404, "Webhook result not found");
    json_t *hook = box_hook(api->options.box, r->workspace,
                            slice_from_string(json_text(one, "webhook")));
    json_t *shown = result_dto(one, hook);
    json_decref(hook);
    return answer_json(r, 200, shown);
}

static bool redrive(struct api *api, struct api_request *r)
{
    bool good = box_redrive(api->options.box, r->workspace, SLICE(""), r->arguments[0]) > 0;
    return answer_json(r, 200, json_pack("{s:o, s:b, s:s}", "webhookResultId",
                                         json_slice(r->arguments[0]), "success", good, "message",
                                         good ? "It is tried again" : "There is no such result"));
}

static bool waited(struct api *api, struct api_request *r, enum hook_state state, bool met)
{
    (void)state;
    return met ? answer_json(r, 200, results_of(api, r, r->arguments[0], SLICE("delivered")))
               : answer_error(r, 408, "Failed to satisfy webhook query: not so many results in "
                                      "time");
}

static bool wait_for(struct api *api, struct api_request *r)
{
    const struct webhook_wish wish = {
        .state = HOOK_DELIVERED, .count = request_number(r, "expectedCount", 1, 1000),
        .timeout_ms = (int64_t)request_number(r, "timeout", WAIT_DEFAULT_MS, 300000),
        .done = waited,
    };
    json_t *hook = box_hook(api->options.box, r->workspace, r->arguments[0]);
    bool is_there = hook != NULL;
    json_decref(hook);
    return is_there ? webhook_wait(api, r, &wish) : no_webhook(r);
}

static bool verify(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, true);
    struct buffer expected;
    if (body == NULL)
        return true;
    buffer_init(&expected, 200);
    struct slice id = slice_from_string(json_text(body, "messageId"));
    struct slice said = slice_from_string(json_text(body, "signature"));
    bool is_valid = webhook_mailslurp_sign(api, id, &expected) &&
                    api_equal(said, buffer_slice(&expected));
    buffer_free(&expected);
    json_decref(body);
    return answer_json(r, 200, json_pack("{s:b}", "isValid", is_valid));
}

const struct api_route mailslurp_webhook_routes[] = {
    { API_POST, "/inboxes/*/webhooks", create_for_inbox },
    { API_GET, "/inboxes/*/webhooks", list_for_inbox },
    { API_DELETE, "/inboxes/*/webhooks/*", delete_one },
    { API_POST, "/webhooks", create_for_any },
    { API_GET, "/webhooks", list_all },
    { API_DELETE, "/webhooks", delete_all },
    { API_GET, "/webhooks/paginated", pages },
    { API_POST, "/webhooks/verify", verify },
    { API_GET, "/webhooks/*", get },
    { API_DELETE, "/webhooks/*", delete_one },
    { API_GET, "/webhooks/*/results", results },
    { API_GET, "/webhooks/*/wait", wait_for },
    { API_GET, "/webhooks/results/*", result },
    { API_POST, "/webhooks/results/*/redrive", redrive },
    { API_OTHER, NULL, NULL },
};
