/* mailslurp_email.c: MailSlurp's emails: previews, whole ones, what is found in them,
 * attachments, and sending. */
#include "api/api_private.h"

#include "base/base64.h"
#include "content/select.h"
#include "crypto/checksum.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE_DEFAULT = 20, SIZE_MAX_ = 1000, OCTETS_MAX = 100 * 1024 * 1024, MATCHES_MAX = 100,
       EXCERPT = 250 };

static bool no_email(struct api_request *r)
{
    return answer_error(r, 404, "Email not found");
}

json_t *mailslurp_addresses(json_t *list)
{
    json_t *made = json_array(), *item;
    size_t i;
    json_array_foreach(list, i, item)
        json_array_append(made, json_object_get(item, "address"));
    return made;
}

static json_t *person(json_t *item)
{
    if (!json_is_object(item))
        return json_null();
    const char *name = json_text(item, "name"), *address = json_text(item, "address");
    struct buffer raw;
    buffer_init(&raw, 8192);
    if (name[0] != '\0')
        buffer_append_format(&raw, "%s <%s>", name, address);
    else
        buffer_append_string(&raw, address);
    json_t *made = json_pack("{s:o, s:s, s:o}", "rawValue", json_slice(buffer_slice(&raw)),
                             "emailAddress", address, "name",
                             name[0] == '\0' ? json_null() : json_string(name));
    buffer_free(&raw);
    return made;
}

static json_t *people(json_t *list)
{
    json_t *made = json_array(), *item;
    size_t i;
    json_array_foreach(list, i, item)
        json_array_append_new(made, person(item));
    return made;
}

static json_t *attachment_ids(json_t *m)
{
    json_t *made = json_array(), *file;
    size_t i;
    struct buffer id;
    json_array_foreach(json_object_get(m, "files"), i, file) {
        if (!json_is_true(json_object_get(file, "attachment")))
            continue;
        buffer_init(&id, 200);
        buffer_append_string(&id, json_text(m, "id"));
        buffer_append_byte(&id, '_');
        buffer_append_string(&id, json_text(file, "part"));
        json_array_append_new(made, json_slice(buffer_slice(&id)));
        buffer_free(&id);
    }
    return made;
}

static void set_common(json_t *out, json_t *m)
{
    json_t *from = json_object_get(m, "from");
    json_object_set(out, "id", json_object_get(m, "id"));
    json_object_set(out, "inboxId", json_object_get(m, "inbox"));
    json_object_set(out, "domainId", json_null());
    json_object_set(out, "subject", json_object_get(m, "subject"));
    json_object_set_new(out, "to", mailslurp_addresses(json_object_get(m, "to")));
    json_object_set_new(out, "from", json_string(json_text(from, "address")));
    json_object_set_new(out, "cc", mailslurp_addresses(json_object_get(m, "cc")));
    json_object_set_new(out, "bcc", mailslurp_addresses(json_object_get(m, "bcc")));
    json_object_set_new(out, "createdAt",
                        json_time(json_integer_value(json_object_get(m, "created"))));
    json_object_set(out, "read", json_object_get(m, "read"));
    json_object_set_new(out, "attachments", attachment_ids(m));
    json_object_set_new(out, "threadId", json_null());
    json_object_set(out, "messageId", json_object_get(m, "messageId"));
    json_object_set_new(out, "inReplyTo", json_null());
    json_object_set_new(out, "sender", person(from));
    json_object_set_new(out, "recipients", json_pack("{s:o, s:o, s:o}",
        "to", people(json_object_get(m, "to")), "cc", people(json_object_get(m, "cc")),
        "bcc", people(json_object_get(m, "bcc"))));
    json_object_set(out, "sizeBytes", json_object_get(m, "size"));
}

json_t *mailslurp_preview(json_t *summary)
{
    json_t *out = json_object();
    set_common(out, summary);
    json_object_set_new(out, "bodyPartContentTypes", json_array());
    return out;
}

static void set_headers(json_t *out, json_t *m)
{
    json_t *flat = json_object(), *map = json_object(), *header;
    size_t i;
    json_array_foreach(json_object_get(m, "headers"), i, header) {
        const char *name = json_string_value(json_array_get(header, 0));
        json_t *value = json_array_get(header, 2), *list = json_object_get(map, name);
        json_object_set(flat, name, value);
        if (list == NULL) {
            json_object_set_new(map, name, json_array());
            list = json_object_get(map, name);
        }
        json_array_append(list, value);
    }
    json_object_set_new(out, "headers", flat);
    json_object_set_new(out, "headersMap", map);
}

static struct slice body_of(const struct opened *o)
{
    return o->content.html.len > 0 ? o->content.html : o->content.text;
}

/* Not in the middle of a character. */
static struct slice excerpt(struct slice text)
{
    size_t len = text.len < EXCERPT ? text.len : EXCERPT;
    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len--;
    return slice_part(text, 0, len);
}

/* In the words of its analysis. */
static const char *word_for(const char *result)
{
    bool is_bad = strcmp(result, "fail") == 0 || strcmp(result, "softfail") == 0;
    return strcmp(result, "pass") == 0 ? "PASS" : is_bad ? "FAIL" : "GRAY";
}

/* By the test DNS; one signature that is good is enough. */
static json_t *analysis(struct api *api, const struct api_request *r, const struct opened *o)
{
    const char *why;
    json_t *said = auth_verdicts(api, o, r->workspace, NULL, &why), *one;
    const char *dkim = "none";
    size_t i;
    json_array_foreach(json_object_get(said, "dkim"), i, one)
        if (strcmp(dkim, "pass") != 0)
            dkim = json_text(one, "result");
    json_t *made = json_pack("{s:n, s:n, s:s, s:s, s:s}", "spamVerdict", "virusVerdict",
        "spfVerdict", word_for(json_text(json_object_get(said, "spf"), "result")),
        "dkimVerdict", word_for(dkim), "dmarcVerdict",
        word_for(json_text(json_object_get(said, "dmarc"), "result")));
    json_decref(said);
    return made;
}

static json_t *whole(struct api *api, const struct api_request *r, struct opened *o)
{
    json_t *out = json_object(), *m = o->message;
    struct slice body = body_of(o);
    struct checksums sums = { .md5 = "" };
    json_t *reply = mailslurp_addresses(json_object_get(m, "replyTo"));
    set_common(out, m);
    set_headers(out, m);
    checksums_of(body, &sums);
    json_object_set_new(out, "userId", json_string("00000000-0000-4000-8000-000000000000"));
    json_object_set(out, "replyTo", json_array_size(reply) == 0 ? json_null()
                                                                : json_array_get(reply, 0));
    json_decref(reply);
    json_object_set_new(out, "body", json_slice(body));
    json_object_set_new(out, "bodyExcerpt", json_slice(excerpt(body)));
    json_object_set_new(out, "textExcerpt", json_slice(excerpt(o->content.text)));
    json_object_set_new(out, "bodyMD5Hash", json_string(sums.md5));
    json_object_set_new(out, "isHTML", json_boolean(o->content.html.len > 0));
    json_object_set_new(out, "charset", json_string("UTF-8"));
    json_object_set_new(out, "analysis", analysis(api, r, o));
    json_object_set(out, "updatedAt", json_object_get(out, "createdAt"));
    json_object_set_new(out, "teamAccess", json_false());
    json_object_set_new(out, "html", json_boolean(o->content.html.len > 0));
    return out;
}

json_t *mailslurp_email(struct api *api, const struct api_request *r, struct slice id)
{
    struct opened o;
    json_t *made = NULL;
    box_mark(api->options.box, r->workspace, id, true);
    if (message_open(api, r, id, &o))
        made = whole(api, r, &o);
    message_close(&o);
    return made;
}

/* ---- asked ---- */

static bool get(struct api *api, struct api_request *r)
{
    json_t *email = mailslurp_email(api, r, r->arguments[0]);
    return email == NULL ? no_email(r) : answer_json(r, 200, email);
}

static bool delete_one(struct api *api, struct api_request *r)
{
    return box_delete(api->options.box, r->workspace, r->arguments[0]) ? answer_text(r, 204, "")
                                                                      : no_email(r);
}

static bool delete_all(struct api *api, struct api_request *r)
{
    box_reset(api->options.box, r->workspace);
    return answer_text(r, 204, "");
}

static bool mark(struct api *api, struct api_request *r)
{
    bool read = !request_has(r, "read") || request_flag(r, "read");
    json_t *m = box_mark(api->options.box, r->workspace, r->arguments[0], read)
                    ? box_message(api->options.box, r->workspace, r->arguments[0]) : NULL;
    if (m == NULL)
        return no_email(r);
    json_t *out = mailslurp_preview(m);
    json_decref(m);
    return answer_json(r, 200, out);
}

static bool page(struct api *api, struct api_request *r)
{
    uint32_t size = (uint32_t)request_number(r, "size", SIZE_DEFAULT, SIZE_MAX_);
    uint32_t number = (uint32_t)request_number(r, "page", 0, 1000000);
    struct box_query query = {
        .workspace = r->workspace, .inbox = request_query(r, "inboxId"),
        .unread_only = request_flag(r, "unreadOnly"), .start = number * size, .limit = size,
        .search = request_query(r, "searchFilter"),
        .oldest_first = !slice_equal_nocase(request_query(r, "sort"), SLICE("DESC")),
        .after_ms = read_time(request_query(r, "since")),
        .before_ms = read_time(request_query(r, "before")),
    };
    struct box_found found;
    const char *why;
    json_t *list = json_array(), *m;
    size_t i;
    if (!box_list(api->options.box, &query, &found, &why)) {
        json_decref(list);
        return answer_error(r, 400, why);
    }
    json_array_foreach(found.messages, i, m)
        json_array_append_new(list, mailslurp_preview(m));
    json_decref(found.messages);
    return answer_json(r, 200, mailslurp_page(list, found.count, number, size));
}

static bool with_email(struct api *api, struct api_request *r,
                       bool (*act)(struct api_request *r, struct opened *o))
{
    struct opened o;
    if (message_open(api, r, r->arguments[0], &o))
        act(r, &o);
    else
        no_email(r);
    message_close(&o);
    return true;
}

static bool show_raw(struct api_request *r, struct opened *o)
{
    return answer_octets(r, "text/plain; charset=utf-8", buffer_slice(&o->raw));
}

static bool raw(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_raw);
}

static bool show_raw_json(struct api_request *r, struct opened *o)
{
    return answer_json(r, 200, json_pack("{s:o}", "content", json_slice(buffer_slice(&o->raw))));
}

static bool raw_json(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_raw_json);
}

static bool show_html(struct api_request *r, struct opened *o)
{
    answer_octets(r, "text/html; charset=utf-8", body_of(o));
    answer_field(r, "Content-Security-Policy", SLICE("sandbox; default-src 'none'; style-src "
                                                     "'unsafe-inline'; img-src data:"));
    return true;
}

static bool html(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_html);
}

/* What a code has to look like, in the request. */
static bool is_wanted(json_t *body, json_t *candidate)
{
    size_t len = strlen(json_text(candidate, "code"));
    json_int_t least = json_integer_value(json_object_get(body, "minLength"));
    json_int_t most = json_integer_value(json_object_get(body, "maxLength"));
    return (least == 0 || (json_int_t)len >= least) && (most == 0 || (json_int_t)len <= most);
}

/* The first match of each pattern, whole or its first group. */
static void add_patterns(json_t *list, json_t *patterns, struct slice text)
{
    size_t i;
    json_t *pattern;
    json_array_foreach(patterns, i, pattern) {
        struct slice found;
        if (match_find(slice_from_string(json_string_value(pattern)), text, &found) == NULL &&
            found.data != NULL)
            json_array_append_new(list, json_pack("{s:o, s:f, s:s, s:s, s:o}",
                "code", json_slice(found), "confidence", 1.0, "method", "CUSTOM_PATTERN",
                "source", "text", "context", json_slice(found)));
    }
}

static bool show_codes(struct api_request *r, struct opened *o)
{
    json_t *body = r->body.len == 0 ? json_object() : request_json(r, false);
    json_t *found = own_codes(o), *list = json_array(), *candidate;
    json_int_t most = json_integer_value(json_object_get(body, "maxCandidates"));
    size_t i;
    add_patterns(list, json_object_get(body, "customPatterns"), o->content.text);
    bool is_sure = json_array_size(list) > 0 || json_is_true(json_object_get(found, "found"));
    json_array_foreach(json_object_get(found, "candidates"), i, candidate)
        if (is_sure && is_wanted(body, candidate) &&
            (most == 0 || (json_int_t)json_array_size(list) < most)) {
            json_object_set_new(candidate, "method", json_string("PATTERN"));
            json_array_append(list, candidate);
        }
    json_t *best = json_array_get(list, 0);
    json_t *out = json_pack("{s:b, s:o, s:o, s:o, s:[]}", "found", best != NULL,
        "code", best == NULL ? json_null() : json_string(json_text(best, "code")),
        "methodUsed", best == NULL ? json_null() : json_string(json_text(best, "method")),
        "candidates", list, "warnings");
    json_decref(found);
    json_decref(body);
    return answer_json(r, 200, out);
}

static bool codes(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_codes);
}

static bool show_links(struct api_request *r, struct opened *o)
{
    json_t *found = own_links(o), *list = json_array(), *link;
    size_t i;
    json_array_foreach(json_object_get(found, "links"), i, link)
        json_array_append(list, json_object_get(link, "url"));
    json_decref(found);
    return answer_json(r, 200, json_pack("{s:o, s:o}", "links", list, "body",
                                         json_slice(body_of(o))));
}

static bool links(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_links);
}

static bool show_match(struct api_request *r, struct opened *o)
{
    json_t *body = request_json(r, true);
    if (body == NULL)
        return true;
    json_t *list = json_array();
    const char *pattern = json_text(body, "pattern");
    const char *why = match_groups(slice_from_string(pattern), body_of(o), list);
    json_t *out = json_pack("{s:s, s:o}", "pattern", pattern, "matches", list);
    json_decref(body);
    if (why == NULL)
        return answer_json(r, 200, out);
    json_decref(out);
    return answer_error(r, 400, why);
}

static bool content_match(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_match);
}

static bool answer_lines(struct api_request *r, json_t *lines)
{
    struct buffer body;
    size_t i;
    json_t *line;
    buffer_init(&body, OCTETS_MAX);
    json_array_foreach(lines, i, line) {
        if (i > 0)
            buffer_append_byte(&body, '\n');
        buffer_append_string(&body, json_string_value(line));
    }
    json_t *out = json_pack("{s:o, s:o}", "lines", lines, "body", json_slice(buffer_slice(&body)));
    buffer_free(&body);
    return answer_json(r, 200, out);
}

static bool show_selected(struct api_request *r, struct opened *o)
{
    struct arena arena;
    struct html tree;
    struct select_matches found = { .count = 0 };
    json_t *lines = json_array();
    const char *why = NULL;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    html_read(o->content.html, &arena, &tree);
    if (o->content.html.len > 0)
        why = select_find(&tree, request_query(r, "htmlSelector"), MATCHES_MAX, &arena, &found);
    for (size_t i = 0; i < found.count; i++)
        json_array_append_new(lines, json_slice(found.items[i].text));
    arena_free(&arena);
    if (why == NULL)
        return answer_lines(r, lines);
    json_decref(lines);
    return answer_error(r, 400, why);
}

static bool html_query(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_selected);
}

static bool show_text_lines(struct api_request *r, struct opened *o)
{
    json_t *lines = json_array();
    struct slice rest = o->content.text, line;
    while (slice_split(&rest, '\n', &line))
        json_array_append_new(lines, json_slice(line));
    return answer_lines(r, lines);
}

static bool text_lines(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_text_lines);
}

/* ---- attachments ---- */

/* "ID_PART", or the part alone. */
static struct slice part_of(struct slice id)
{
    size_t mark = slice_find_last(id, '_');
    return mark == SLICE_NOT_FOUND ? id : slice_from(id, mark + 1);
}

static json_t *attachment_json(json_t *file, struct slice id)
{
    json_t *out = json_object();
    json_object_set(out, "name", json_object_get(file, "name"));
    json_object_set(out, "contentType", json_object_get(file, "type"));
    json_object_set(out, "contentLength", json_object_get(file, "size"));
    json_object_set_new(out, "id", json_slice(id));
    json_object_set(out, "contentId", json_object_get(file, "id"));
    return out;
}

static bool show_attachments(struct api_request *r, struct opened *o)
{
    json_t *ids = attachment_ids(o->message), *list = json_array(), *file;
    size_t i, at = 0;
    json_array_foreach(json_object_get(o->message, "files"), i, file)
        if (json_is_true(json_object_get(file, "attachment")))
            json_array_append_new(list, attachment_json(file,
                slice_from_string(json_string_value(json_array_get(ids, at++)))));
    json_decref(ids);
    return answer_json(r, 200, list);
}

static bool attachments(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_attachments);
}

static bool with_attachment(struct api_request *r, struct opened *o,
                            bool (*act)(struct api_request *r, const struct content_part *part,
                                        struct slice octets))
{
    struct buffer octets;
    const struct content_part *part;
    buffer_init(&octets, OCTETS_MAX);
    if (message_part(o, part_of(r->arguments[1]), &octets, &part))
        act(r, part, buffer_slice(&octets));
    else
        answer_error(r, 404, "Attachment not found");
    buffer_free(&octets);
    return true;
}

static bool give_octets(struct api_request *r, const struct content_part *part,
                        struct slice octets)
{
    answer_octets(r, "application/octet-stream", octets);
    answer_disposition(r, true, part->filename);
    return true;
}

static bool give_metadata(struct api_request *r, const struct content_part *part,
                          struct slice octets)
{
    return answer_json(r, 200, json_pack("{s:o, s:o, s:I, s:o, s:o}",
        "name", json_slice(part->filename), "contentType", json_slice(part->type),
        "contentLength", (json_int_t)octets.len, "id", json_slice(r->arguments[1]),
        "contentId", json_slice(part->content_id)));
}

static bool give_base64(struct api_request *r, const struct content_part *part,
                        struct slice octets)
{
    struct buffer coded;
    buffer_init(&coded, 2 * (size_t)OCTETS_MAX);
    base64_append(&coded, octets);
    json_t *out = json_pack("{s:o, s:o, s:I}", "base64FileContents",
        json_slice(buffer_slice(&coded)), "contentType", json_slice(part->type),
        "sizeBytes", (json_int_t)octets.len);
    buffer_free(&coded);
    return answer_json(r, 200, out);
}

static bool show_octets(struct api_request *r, struct opened *o)
{
    return with_attachment(r, o, give_octets);
}

static bool show_metadata(struct api_request *r, struct opened *o)
{
    return with_attachment(r, o, give_metadata);
}

static bool show_base64(struct api_request *r, struct opened *o)
{
    return with_attachment(r, o, give_base64);
}

static bool attachment(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_octets);
}

static bool attachment_metadata(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_metadata);
}

static bool attachment_base64(struct api *api, struct api_request *r)
{
    return with_email(api, r, show_base64);
}

/* ---- sending ---- */

static json_t *given_people(json_t *given)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach(given, i, one)
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", "", "address",
            json_is_string(one) ? json_string_value(one) : ""));
    return list;
}

/* {{name}} of the variables. */
static char *fill(const char *template, json_t *variables)
{
    struct buffer out;
    buffer_init(&out, OCTETS_MAX);
    while (*template != '\0') {
        const char *end = strncmp(template, "{{", 2) == 0 ? strstr(template, "}}") : NULL;
        char name[100];
        size_t len = end == NULL ? 0 : (size_t)(end - template) - 2;
        json_t *value = NULL;
        if (end != NULL && len < sizeof name) {
            memcpy(name, template + 2, len);
            name[len] = '\0';
            value = json_object_get(variables, name);
        }
        if (json_is_string(value)) {
            buffer_append_string(&out, json_string_value(value));
            template = end + 2;
        } else {
            buffer_append_byte(&out, *template++);
        }
    }
    buffer_append_byte(&out, '\0');
    char *made = out.overflow ? NULL : strdup(out.memory);
    buffer_free(&out);
    return made;
}

static json_t *mail_of(json_t *inbox, json_t *body)
{
    const char *from = json_text(body, "from"), *reply = json_text(body, "replyTo");
    json_t *headers = json_object_get(body, "customHeaders");
    bool is_html = json_is_true(json_object_get(body, "isHTML")) ||
                   json_is_true(json_object_get(body, "html"));
    char *content = fill(json_text(body, "body"), json_object_get(body, "templateVariables"));
    json_t *mail = json_pack("{s:{s:s, s:s}, s:o, s:o, s:o, s:s, s:s, s:o}",
        "from", "name", json_text(body, "fromName"),
        "address", from[0] != '\0' ? from : json_text(inbox, "address"),
        "to", given_people(json_object_get(body, "to")),
        "cc", given_people(json_object_get(body, "cc")),
        "bcc", given_people(json_object_get(body, "bcc")),
        "subject", json_text(body, "subject"), is_html ? "html" : "text",
        content == NULL ? "" : content,
        "headers", json_is_object(headers) ? json_incref(headers) : json_object());
    if (reply[0] != '\0')
        json_object_set_new(mail, "replyTo", json_pack("[{s:s, s:s}]", "name", "", "address",
                                                       reply));
    free(content);
    return mail;
}

/* What was sent, for the answer: kept with the request. */
static bool on_confirmed(struct api *api, struct api_request *r, const char *why,
                         struct slice id)
{
    json_t *body = request_json(r, false);
    if (why != NULL) {
        json_decref(body);
        return answer_error(r, 400, why);
    }
    json_t *to = json_object_get(body, "to");
    json_t *out = json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:s, s:b, s:b}",
        "id", json_slice(id), "userId", "00000000-0000-4000-8000-000000000000",
        "inboxId", json_slice(r->arguments[0]), "subject", json_text(body, "subject"),
        "to", json_is_array(to) ? json_incref(to) : json_array(),
        "sentAt", json_time(loop_now(api->options.loop).wall_ms),
        "body", json_text(body, "body"), "isHTML", json_is_true(json_object_get(body, "isHTML")),
        "virtualSend", 0);
    json_decref(body);
    return answer_json(r, 201, out);
}

static bool on_sent(struct api *api, struct api_request *r, const char *why, struct slice id)
{
    (void)api;
    (void)id;
    return why != NULL ? answer_error(r, 400, why) : answer_text(r, 201, "");
}

static bool send_from(struct api *api, struct api_request *r, send_done_fn *done)
{
    json_t *inbox = box_inbox(api->options.box, r->workspace, r->arguments[0]);
    json_t *body = inbox == NULL ? NULL : request_json(r, true);
    if (inbox == NULL)
        return answer_error(r, 404, "Inbox not found");
    bool answered = body == NULL || send_mail(api, r, mail_of(inbox, body), done);
    json_decref(inbox);
    json_decref(body);
    return answered;
}

static bool send_confirm(struct api *api, struct api_request *r)
{
    return send_from(api, r, on_confirmed);
}

static bool send_only(struct api *api, struct api_request *r)
{
    return send_from(api, r, on_sent);
}

static bool send_envelope(struct api *api, struct api_request *r)
{
    json_t *body = request_json(r, true);
    if (body == NULL)
        return true;
    const struct send_octets wish = { .octets = slice_from_string(json_text(body, "data")),
                                      .sender = json_text(body, "mailFrom"),
                                      .recipients = json_object_get(body, "rcptTo") };
    bool answered = send_octets(api, r, &wish, on_sent);
    json_decref(body);
    return answered;
}

/* Put into the inbox as if it had come. */
static bool import(struct api *api, struct api_request *r)
{
    json_t *inbox = box_inbox(api->options.box, r->workspace, r->arguments[0]);
    json_t *body = inbox == NULL ? NULL : request_json(r, true);
    struct buffer octets;
    bool answered = true;
    if (inbox == NULL)
        return answer_error(r, 404, "Inbox not found");
    buffer_init(&octets, OCTETS_MAX);
    if (body != NULL && base64_decode(slice_from_string(json_text(body, "rawEmailBase64")),
                                      &octets)) {
        json_t *to = json_pack("[s]", json_text(inbox, "address"));
        const struct send_octets wish = { .octets = buffer_slice(&octets), .sender = "",
                                          .recipients = to };
        answered = send_octets(api, r, &wish, on_sent);
        json_decref(to);
    } else if (body != NULL) {
        answer_error(r, 400, "rawEmailBase64 is no base64");
    }
    buffer_free(&octets);
    json_decref(body);
    json_decref(inbox);
    return answered;
}

const struct api_route mailslurp_email_routes[] = {
    { API_GET, "/emails", page },
    { API_DELETE, "/emails", delete_all },
    { API_GET, "/emails/*", get },
    { API_DELETE, "/emails/*", delete_one },
    { API_PATCH, "/emails/*/read", mark },
    { API_GET, "/emails/*/raw", raw },
    { API_GET, "/emails/*/raw/json", raw_json },
    { API_GET, "/emails/*/html", html },
    { API_POST, "/emails/*/codes", codes },
    { API_GET, "/emails/*/links", links },
    { API_POST, "/emails/*/contentMatch", content_match },
    { API_GET, "/emails/*/htmlQuery", html_query },
    { API_GET, "/emails/*/textLines", text_lines },
    { API_GET, "/emails/*/attachments", attachments },
    { API_GET, "/emails/*/attachments/*", attachment },
    { API_GET, "/emails/*/attachments/*/metadata", attachment_metadata },
    { API_GET, "/emails/*/attachments/*/base64", attachment_base64 },
    { API_POST, "/inboxes/*/confirm", send_confirm },
    { API_POST, "/inboxes/*", send_only },
    { API_POST, "/inboxes/*/smtp-envelope", send_envelope },
    { API_POST, "/inboxes/*/emails/import", import },
    { API_OTHER, NULL, NULL },
};
