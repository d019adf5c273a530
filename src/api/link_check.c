/* link_check.c: whether the links of a message lead somewhere: each is asked for its header, some
 * at a time, through reach.h. Redirects are followed only where that is asked for, hop by hop,
 * and each hop is judged anew. */
#include "api/api_private.h"

#include "api/reach.h"

#include <stdlib.h>
#include <string.h>

#define BASE "/api/godwit/v1"

enum { LINKS_MAX_ = 200, AT_ONCE = 8, HOPS_MAX = 10, TIMEOUT_MS = 10000, ANSWER_MAX = 64 * 1024 };

struct api_links {
    struct api *api;
    struct api_request *request; /* NULL: nobody waits any more */
    links_checked_fn *done;
    json_t *list;                /* {url, status, ..} */
    json_t *context;
    size_t next;                 /* of it, to be asked */
    size_t under_way;
    bool follows;
    struct deferred end;
};

struct link_ask {
    struct reach_ask ask;
    struct api_links *links;
    json_t *link;                /* of the list, held */
    json_t *url;                 /* that is asked, a text */
    unsigned hops;
    bool is_get;
};

static void links_free(struct api_links *l)
{
    list_remove(&l->end.node);
    json_decref(l->list);
    json_decref(l->context);
    free(l);
}

static void ask_free(struct link_ask *a)
{
    reach_ask_clear(&a->ask);
    json_decref(a->link);
    json_decref(a->url);
    free(a);
}

static void go_on(struct api_links *l);

static void tell(struct link_ask *a)
{
    const struct http_request *h = &a->ask.http;
    bool answered = h->result == HTTP_ANSWERED || (h->result == HTTP_TOO_LARGE && h->status > 0);
    json_object_set_new(a->link, "status", json_integer(answered ? (json_int_t)h->status : 0));
    json_object_set_new(a->link, "alive",
                        json_boolean(answered && h->status >= 200 && h->status < 400));
    if (!answered)
        json_object_set_new(a->link, "trouble", json_string(h->trouble));
    if (buffer_len(&h->location) > 0)
        json_object_set_new(a->link, "location", json_slice(buffer_slice(&h->location)));
    if (a->hops > 0)
        json_object_set(a->link, "reached", a->url);
}

static void on_done(struct reach_ask *ask);

static void begin(struct link_ask *a)
{
    a->ask.http = (struct http_request){
        .url = slice_from_string(json_string_value(a->url)),
        .method = a->is_get ? NULL : "HEAD", .answer_max = ANSWER_MAX, .timeout_ms = TIMEOUT_MS,
    };
    a->ask.done = on_done;
    reach_begin(a->links->api->reach, &a->ask);
}

/* What refuses HEAD is asked with GET; a redirect is followed. True: it was begun again. */
static bool again(struct link_ask *a)
{
    const struct http_request *h = &a->ask.http;
    bool is_redirect = h->status >= 300 && h->status < 400 && buffer_len(&h->location) > 0;
    if (h->result != HTTP_ANSWERED)
        return false;
    if (!a->is_get && h->status >= 400) {
        a->is_get = true;
    } else if (is_redirect && a->links->follows && a->hops < HOPS_MAX) {
        json_t *url = json_slice(buffer_slice(&h->location));
        json_decref(a->url);
        a->url = url;
        a->hops++;
        a->is_get = false;
    } else {
        return false;
    }
    reach_ask_clear(&a->ask);
    begin(a);
    return true;
}

static void on_done(struct reach_ask *ask)
{
    struct link_ask *a = container_of(ask, struct link_ask, ask);
    struct api_links *l = a->links;
    if (l->request != NULL && again(a))
        return;
    tell(a);
    ask_free(a);
    l->under_way--;
    go_on(l);
}

static void on_end(struct deferred *deferred)
{
    struct api_links *l = container_of(deferred, struct api_links, end);
    struct api_request *r = l->request;
    if (r != NULL) {
        r->links = NULL;
        l->done(l->api, r, l->list, l->context);
        r->answered(r);
    }
    links_free(l);
}

/* The next ones; or the end. */
static void go_on(struct api_links *l)
{
    while (l->request != NULL && l->under_way < AT_ONCE && l->next < json_array_size(l->list)) {
        struct link_ask *a = calloc(1, sizeof *a);
        if (a == NULL)
            break;
        a->links = l;
        a->link = json_incref(json_array_get(l->list, l->next++));
        a->url = json_incref(json_object_get(a->link, "url"));
        l->under_way++;
        begin(a);
    }
    if (l->under_way == 0 && l->request == NULL)
        links_free(l);
    else if (l->under_way == 0)
        loop_defer(l->api->options.loop, &l->end);
}

void links_end(struct api_request *r)
{
    struct api_links *l = r->links;
    r->links = NULL;
    if (l == NULL)
        return;
    l->request = NULL; /* it goes with the last that is under way */
    if (l->under_way == 0)
        links_free(l);
}

bool links_check(struct api *api, struct api_request *r, const struct links_wish *wish)
{
    struct api_links *l = calloc(1, sizeof *l);
    size_t i;
    json_t *url;
    if (l == NULL) {
        json_decref(wish->urls);
        json_decref(wish->context);
        return answer_error(r, 500, "out of memory");
    }
    *l = (struct api_links){ .api = api, .request = r, .done = wish->done, .list = json_array(),
                             .context = wish->context, .follows = wish->follows,
                             .end.run = on_end };
    json_array_foreach(wish->urls, i, url)
        if (i < LINKS_MAX_)
            json_array_append_new(l->list, json_pack("{s:O}", "url", url));
    json_decref(wish->urls);
    r->links = l;
    go_on(l);
    return false;
}

/* ---- the links of a message ---- */

static bool is_of_http(struct slice url)
{
    return slice_starts_with_nocase(url, SLICE("http://")) ||
           slice_starts_with_nocase(url, SLICE("https://"));
}

json_t *links_of(const struct opened *o)
{
    json_t *found = own_links(o), *urls = json_array(), *link, *seen = json_object();
    size_t i;
    json_array_foreach(json_object_get(found, "links"), i, link) {
        const char *url = json_text(link, "url");
        if (is_of_http(slice_from_string(url)) && json_object_get(seen, url) == NULL)
            json_array_append(urls, json_object_get(link, "url"));
        json_object_set_new(seen, url, json_true());
    }
    json_decref(seen);
    json_decref(found);
    return urls;
}

static bool answer_checked(struct api *api, struct api_request *r, json_t *list,
                           json_t *context)
{
    size_t i, dead = 0;
    json_t *link;
    (void)api;
    (void)context;
    json_array_foreach(list, i, link)
        dead += json_is_false(json_object_get(link, "alive"));
    return answer_json(r, 200, json_pack("{s:I, s:I, s:O}", "checked",
                                         (json_int_t)json_array_size(list), "dead",
                                         (json_int_t)dead, "links", list));
}

static bool check(struct api *api, struct api_request *r)
{
    const char *why = request_check(r, "follow");
    struct opened o;
    if (why != NULL)
        return answer_error(r, 400, why);
    if (reach_range(api->reach) == REACH_NONE)
        return answer_error(r, 403, "no link may be asked: start the sandbox with --egress "
                                    "loopback, private or any");
    json_t *urls = message_open(api, r, r->arguments[0], &o) ? links_of(&o) : NULL;
    message_close(&o);
    const struct links_wish wish = { .urls = urls, .follows = request_flag(r, "follow"),
                                     .done = answer_checked };
    return urls == NULL ? answer_error(r, 404, "no such message") : links_check(api, r, &wish);
}

/* ---- Mailpit's ---- */

static bool answer_mailpit(struct api *api, struct api_request *r, json_t *list,
                           json_t *context)
{
    json_t *out = json_array(), *link;
    size_t i;
    json_int_t errors = 0;
    (void)api;
    (void)context;
    json_array_foreach(list, i, link) {
        json_int_t status = json_integer_value(json_object_get(link, "status"));
        bool is_dead = !json_is_true(json_object_get(link, "alive"));
        const char *trouble = json_text(link, "trouble");
        errors += is_dead;
        json_array_append_new(out, json_pack("{s:O, s:I, s:s}", "URL", json_object_get(link, "url"),
                                             "StatusCode", status, "Status",
                                             trouble[0] != '\0' ? trouble
                                             : is_dead ? "not alive" : "OK"));
    }
    return answer_json(r, 200, json_pack("{s:I, s:o}", "Errors", errors, "Links", out));
}

/* Where nothing may be asked, each is told as not looked at. */
static json_t *unchecked(json_t *urls)
{
    json_t *list = json_array(), *url;
    size_t i;
    json_array_foreach(urls, i, url)
        json_array_append_new(list, json_pack("{s:O, s:b, s:s}", "url", url, "alive", 1, "trouble",
                                              "not checked: see --egress"));
    json_decref(urls);
    return list;
}

static bool check_mailpit(struct api *api, struct api_request *r)
{
    struct opened o;
    json_t *urls = message_open(api, r, r->arguments[0], &o) ? links_of(&o) : NULL;
    message_close(&o);
    if (urls == NULL)
        return answer_text(r, 404, "404 page not found");
    const struct links_wish wish = { .urls = urls, .follows = request_flag(r, "follow"),
                                     .done = answer_mailpit };
    if (reach_range(api->reach) != REACH_NONE)
        return links_check(api, r, &wish);
    json_t *list = unchecked(urls);
    answer_mailpit(api, r, list, NULL);
    json_decref(list);
    return true;
}

const struct api_route link_routes[] = {
    { API_GET, BASE "/messages/*/link-check", check },
    { API_GET, "/api/v1/message/*/link-check", check_mailpit },
    { API_OTHER, NULL, NULL },
};
