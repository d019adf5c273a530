/* assert.c: expectations of a message, all in one call, with what was there in their place.
 *
 *   {"inbox", "search", "match", "since", "timeout": as for waiting; "count": 1,
 *    "subject" "from" "to" "text" "html": a text that it holds, or {"equals"|"contains"|
 *    "matches"|"lacks": ..}, "headers": {name: the same}, "select": [{"selector", "text", "count"}],
 *    "links": {"contains": [..], "hosts": [..], "alive": [hosts]}, "code": true|"482913", "attachments": [names],
 *    "leaks": false, "auth": {"spf" "dkim" "dmarc" "arc": "pass", "client" "helo" "sender"},
 *    "lint": {"score": 80, "passes": [rules]}}
 *
 * 200 when all of it is so, 422 when not. The last message that was found is looked at. */
#include "api/api_private.h"

#include "api/reach.h"
#include "content/found.h"
#include "content/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "/api/godwit/v1"

enum { TIMEOUT_MS = 5000, SHOWN_MAX = 200, SELECT_MOST = 100 };

struct checks {
    json_t *list;
    bool pass;
};

/* `got` is taken. */
static void add(struct checks *c, const char *what, bool pass, json_t *wanted, json_t *got)
{
    c->pass = c->pass && pass;
    json_array_append_new(c->list, json_pack("{s:s, s:b, s:O, s:o}", "check", what, "pass", pass,
                                             "wanted", wanted, "got", got));
}

/* Not in the middle of a character. */
static json_t *shown(struct slice text)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len--;
    return json_slice(slice_part(text, 0, len));
}

static void check_texts(struct checks *c, json_t *body, const struct opened *o)
{
    const struct content_message *m = &o->content;
    struct {
        const char *name;
        struct slice text;
    } all[] = { { "subject", m->subject }, { "text", m->text }, { "html", m->html } };
    for (size_t i = 0; i < 3; i++) {
        json_t *wish = json_object_get(body, all[i].name);
        if (wish != NULL)
            add(c, all[i].name, match_text(wish, all[i].text), wish, shown(all[i].text));
    }
}

static void check_people(struct checks *c, json_t *body, const struct opened *o)
{
    static const char *const names[] = { "from", "to" };
    for (size_t i = 0; i < 2; i++) {
        json_t *wish = json_object_get(body, names[i]);
        json_t *match = wish == NULL ? NULL : json_pack("{s:O}", names[i], wish);
        if (match != NULL)
            add(c, names[i], match_message(match, o->message), wish,
                json_incref(json_object_get(o->message, names[i])));
        json_decref(match);
    }
}

static void check_headers(struct checks *c, json_t *body, const struct opened *o)
{
    const char *name;
    json_t *wish;
    json_object_foreach(json_object_get(body, "headers"), name, wish) {
        const struct content_field *f =
            content_message_field(&o->content, slice_from_string(name));
        bool pass = json_is_null(wish) ? f == NULL : f != NULL && match_text(wish, f->value);
        add(c, name, pass, wish, f == NULL ? json_null() : shown(f->value));
    }
}

/* One selector: how many, or that one of them has a text. */
static void check_one_select(struct checks *c, json_t *wish, const struct html *tree,
                             struct arena *arena)
{
    struct select_matches found = { .count = 0 };
    json_t *count = json_object_get(wish, "count"), *text = json_object_get(wish, "text");
    const char *selector = json_text(wish, "selector");
    const char *why = select_find(tree, slice_from_string(selector), SELECT_MOST, arena, &found);
    bool pass = why == NULL && (count != NULL ? (json_int_t)found.total == json_integer_value(count)
                                              : found.total > 0);
    bool has_text = text == NULL;
    json_t *texts = json_array();
    for (size_t i = 0; i < found.count; i++) {
        has_text = has_text || match_text(text, found.items[i].text);
        json_array_append_new(texts, shown(found.items[i].text));
    }
    add(c, "select", pass && has_text, wish,
        why != NULL ? json_string(why)
                    : json_pack("{s:I, s:O}", "count", (json_int_t)found.total, "texts", texts));
    json_decref(texts);
}

static void check_selects(struct checks *c, json_t *body, const struct opened *o)
{
    struct arena arena;
    struct html tree;
    size_t i;
    json_t *wish;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    html_read(o->content.html, &arena, &tree);
    json_array_foreach(json_object_get(body, "select"), i, wish)
        check_one_select(c, wish, &tree, &arena);
    arena_free(&arena);
}

/* Of "https://user@host:port/..." */
static struct slice host_of(struct slice url)
{
    size_t slashes = slice_find(url, '/');
    struct slice rest = slice_from(url, slashes + 2);
    rest = slice_part(rest, 0, slice_find(rest, '/'));
    size_t at = slice_find_last(rest, '@');
    rest = at == SLICE_NOT_FOUND ? rest : slice_from(rest, at + 1);
    rest = slice_part(rest, 0, slice_find(rest, '?'));
    if (rest.len > 0 && rest.data[0] == '[')
        return slice_part(rest, 1, slice_find(rest, ']') - 1);
    return slice_part(rest, 0, slice_find(rest, ':'));
}

static bool is_listed(json_t *list, struct slice text)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
        if (slice_equal_nocase(slice_from_string(json_string_value(one)), text))
            return true;
    return false;
}

static void check_links(struct checks *c, json_t *body, const struct opened *o)
{
    json_t *wish = json_object_get(body, "links"), *found, *part, *link;
    json_t *hosts = json_object_get(wish, "hosts"), *strange = json_array(), *urls = json_array();
    size_t i, j;
    if (wish == NULL) {
        json_decref(strange);
        json_decref(urls);
        return;
    }
    found = found_links(&o->content);
    json_array_foreach(json_object_get(found, "links"), i, link) {
        const char *url = json_text(link, "url");
        json_array_append_new(urls, json_string(url));
        if (hosts != NULL && !is_listed(hosts, host_of(slice_from_string(url))))
            json_array_append_new(strange, json_string(url));
    }
    if (hosts != NULL)
        add(c, "links.hosts", json_array_size(strange) == 0, hosts, json_incref(strange));
    json_array_foreach(json_object_get(wish, "contains"), i, part) {
        bool there = false;
        json_array_foreach(urls, j, link)
            there = there || strstr(json_string_value(link), json_string_value(part)) != NULL;
        add(c, "links.contains", there, part, json_incref(urls));
    }
    json_decref(found);
    json_decref(strange);
    json_decref(urls);
}

static void check_found(struct checks *c, json_t *body, const struct opened *o)
{
    json_t *code = json_object_get(body, "code"), *leaks = json_object_get(body, "leaks");
    if (code != NULL) {
        json_t *found = found_codes(&o->content);
        json_t *best = json_object_get(found, "code");
        bool pass = json_is_boolean(code) ? json_is_true(code) == json_is_string(best)
                                          : json_equal(code, best);
        add(c, "code", pass, code, json_incref(best));
        json_decref(found);
    }
    if (json_is_false(leaks)) {
        json_t *found = found_leaks(&o->content);
        add(c, "leaks", json_array_size(found) == 0, leaks, found);
    }
}

static void check_files(struct checks *c, json_t *body, const struct opened *o)
{
    json_t *wanted = json_object_get(body, "attachments"), *names = json_array(), *file, *one;
    size_t i;
    json_array_foreach(json_object_get(o->message, "files"), i, file)
        if (json_is_true(json_object_get(file, "attachment")))
            json_array_append(names, json_object_get(file, "name"));
    json_array_foreach(wanted, i, one)
        add(c, "attachments",
            is_listed(names, slice_from_string(json_string_value(one))), one, json_incref(names));
    json_decref(names);
}

/* Each standard that is named; of DKIM one signature. */
static void check_auth(struct api *api, struct api_request *r, struct checks *c, json_t *body,
                       const struct opened *o)
{
    static const char *const names[] = { "spf", "dkim", "dmarc", "arc" };
    json_t *wish = json_object_get(body, "auth"), *signature;
    const char *why;
    if (wish == NULL)
        return;
    json_t *all = auth_verdicts(api, o, r->workspace, wish, &why);
    for (size_t i = 0; i < 4; i++) {
        json_t *wanted = json_object_get(wish, names[i]), *got = json_object_get(all, names[i]);
        const char *text = json_string_value(wanted);
        size_t at;
        bool pass = text != NULL && strcmp(json_text(got, "result"), text) == 0;
        if (wanted == NULL)
            continue;
        if (json_is_array(got) && json_array_size(got) == 0)
            pass = strcmp(text, "none") == 0;
        json_array_foreach(got, at, signature)
            pass = pass || strcmp(json_text(signature, "result"), text) == 0;
        char check[16];
        snprintf(check, sizeof check, "auth.%s", names[i]);
        add(c, check, pass, wanted, all == NULL ? json_string(why) : json_incref(got));
    }
    json_decref(all);
}

/* {"score": 80, "passes": [rules]}: no less, and these. */
static void check_lint(struct api *api, struct api_request *r, struct checks *c, json_t *body,
                       const struct opened *o)
{
    json_t *wish = json_object_get(body, "lint"), *score = json_object_get(wish, "score"), *rule;
    json_t *passes = json_object_get(wish, "passes"), *one;
    const char *why = "";
    size_t i, j;
    if (wish == NULL)
        return;
    json_t *found = lint_of(api, o, r->workspace, json_object_get(body, "auth"), &why);
    json_t *got = json_object_get(found, "score");
    if (score != NULL)
        add(c, "lint.score", found != NULL && json_integer_value(got) >= json_integer_value(score),
            score, found == NULL ? json_string(why) : json_incref(got));
    json_array_foreach(passes, i, one) {
        json_t *of = NULL;
        json_array_foreach(json_object_get(found, "rules"), j, rule)
            if (strcmp(json_text(rule, "rule"), json_string_value(one)) == 0)
                of = rule;
        add(c, "lint.passes", json_is_true(json_object_get(of, "pass")), one,
            of == NULL ? json_string("there is no such rule") : json_incref(of));
    }
    json_decref(found);
}

static void check_message(struct api *api, struct api_request *r, struct checks *c, json_t *body,
                          json_t *summary)
{
    struct opened o;
    if (message_open(api, r, slice_from_string(json_text(summary, "id")), &o)) {
        check_texts(c, body, &o);
        check_people(c, body, &o);
        check_headers(c, body, &o);
        check_selects(c, body, &o);
        check_links(c, body, &o);
        check_found(c, body, &o);
        check_files(c, body, &o);
        check_auth(api, r, c, body, &o);
        check_lint(api, r, c, body, &o);
    }
    message_close(&o);
}

/* Each that failed, a line a person can read. */
static json_t *words(json_t *checks)
{
    struct buffer b;
    size_t i;
    json_t *check;
    buffer_init(&b, 256 * 1024);
    json_array_foreach(checks, i, check) {
        if (json_is_true(json_object_get(check, "pass")))
            continue;
        char *wanted = json_dumps(json_object_get(check, "wanted"), JSON_ENCODE_ANY | JSON_COMPACT);
        char *got = json_dumps(json_object_get(check, "got"), JSON_ENCODE_ANY | JSON_COMPACT);
        buffer_append_format(&b, "%s%s: wanted %s, got %s", buffer_len(&b) > 0 ? "\n" : "",
                             json_text(check, "check"), wanted == NULL ? "?" : wanted,
                             got == NULL ? "?" : got);
        free(wanted);
        free(got);
    }
    json_t *made = json_slice(buffer_slice(&b));
    buffer_free(&b);
    return made;
}

static bool answer(struct api_request *r, const struct checks *c, json_t *last)
{
    json_t *id = json_object_get(last, "id");
    json_t *made = json_pack("{s:b, s:o, s:o, s:O}", "pass", c->pass, "message", words(c->list),
        "id", id == NULL ? json_null() : json_incref(id), "checks", c->list);
    return answer_json(r, c->pass ? 200 : 422, made);
}

/* Those that are dead stand there; with the links of these hosts alone. */
static bool on_alive(struct api *api, struct api_request *r, json_t *list, json_t *context)
{
    struct checks c = { .list = json_object_get(context, "checks"),
                        .pass = json_is_true(json_object_get(context, "pass")) };
    json_t *dead = json_array(), *link;
    size_t i;
    (void)api;
    json_array_foreach(list, i, link)
        if (!json_is_true(json_object_get(link, "alive")))
            json_array_append(dead, link);
    add(&c, "links.alive", json_array_size(dead) == 0, json_object_get(context, "hosts"), dead);
    return answer(r, &c, json_object_get(context, "last"));
}

static json_t *urls_of_hosts(struct api *api, struct api_request *r, json_t *last, json_t *hosts)
{
    struct opened o;
    json_t *urls = json_array(), *url;
    size_t i;
    bool is_there = message_open(api, r, slice_from_string(json_text(last, "id")), &o);
    json_t *all = is_there ? links_of(&o) : NULL;
    message_close(&o);
    json_array_foreach(all, i, url)
        if (is_listed(hosts, host_of(slice_from_string(json_string_value(url)))))
            json_array_append(urls, url);
    json_decref(all);
    return urls;
}

static bool done(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    json_t *body = request_json(r, false), *count = json_object_get(body, "count");
    json_t *alive = json_object_get(json_object_get(body, "links"), "alive");
    struct checks c = { .list = json_array(), .pass = true };
    size_t found = json_array_size(messages);
    json_t *last = json_array_get(messages, found == 0 ? 0 : found - 1);
    json_t *one = json_integer(1);
    bool answered;
    add(&c, "count", is_met && (count == NULL || found == (size_t)json_integer_value(count)),
        count == NULL ? one : count, json_integer((json_int_t)found));
    if (last != NULL)
        check_message(api, r, &c, body, last);
    if (last != NULL && alive != NULL) {
        const struct links_wish wish = {
            .urls = urls_of_hosts(api, r, last, alive), .follows = true, .done = on_alive,
            .context = json_pack("{s:O, s:b, s:O, s:O}", "checks", c.list, "pass", c.pass, "hosts",
                                 alive, "last", last),
        };
        answered = links_check(api, r, &wish);
    } else {
        answered = answer(r, &c, last);
    }
    json_decref(c.list);
    json_decref(one);
    json_decref(body);
    return answered;
}

static struct slice keep(struct api_request *r, const char *text)
{
    struct slice kept = { .len = 0 };
    arena_copy(&r->arena, slice_from_string(text), &kept);
    return kept;
}

static bool assert_all(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, true);
    if (body == NULL || !assert_check(r, body)) {
        json_decref(body);
        return true;
    }
    const char *why = match_check(json_object_get(body, "match"));
    json_t *alive = json_object_get(json_object_get(body, "links"), "alive");
    if (why == NULL && alive != NULL && reach_range(api->reach) == REACH_NONE)
        why = "links.alive: no link may be asked: start the sandbox with --egress";
    json_t *count = json_object_get(body, "count"), *timeout = json_object_get(body, "timeout");
    struct wait_wish wish = {
        .workspace = r->workspace, .inbox = keep(r, json_text(body, "inbox")),
        .search = keep(r, json_text(body, "search")), .match = json_object_get(body, "match"),
        .since = json_integer_value(json_object_get(body, "since")), .oldest_first = true,
        .count = count == NULL ? 1 : (uint32_t)json_integer_value(count),
        .timeout_ms = timeout == NULL ? TIMEOUT_MS : json_duration(timeout), .done = done,
    };
    bool answered = why != NULL ? answer_error(r, 400, why) : wait_begin(api, r, &wish);
    json_decref(body);
    return answered;
}

const struct api_route assert_routes[] = {
    { API_POST, BASE "/assert", assert_all },
    { API_OTHER, NULL, NULL },
};
