/* mcp_tools.c: the tools that agents have: inboxes, lists, messages, waiting for mail, for a
 * code, for a link.
 *
 * What a message holds is cut short, and its HTML left out unless it is asked for: whoever reads
 * pays for each word. */
#include "api/mcp.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_DEFAULT = 20000, TEXT_MOST = 1000000, LIST_DEFAULT = 20, LIST_MOST = 200,
       WAIT_DEFAULT_S = 30, WAIT_MOST_S = 600, LIFETIME_MOST_S = 365 * 24 * 3600 };

struct parameter {
    const char *name;
    enum { TEXT, NUMBER, FLAG } type;
    bool is_needed;
    json_int_t most;          /* of a number, from 0 */
    const char *about;
};

struct tool {
    const char *name;
    const char *about;
    bool only_reads;
    const struct parameter *parameters;
    bool (*run)(struct api *api, struct api_request *r, json_t *arguments);
};

static const struct parameter of_create[] = {
    { "address", TEXT, false, 0, "an address of your choice; made up where it is left out" },
    { "name", TEXT, false, 0, "for people" },
    { "ttl_seconds", NUMBER, false, LIFETIME_MOST_S, "how long it lives; for ever where it is "
                                                     "left out" },
    { 0 },
};
static const struct parameter of_none[] = { { 0 } };
static const struct parameter of_inbox[] = {
    { "inbox", TEXT, true, 0, "its id or its address" },
    { 0 },
};
static const struct parameter of_list[] = {
    { "inbox", TEXT, false, 0, "an inbox, by its id or its address" },
    { "search", TEXT, false, 0, "words and terms such as from: to: subject: is:unread "
                                "has:attachment after:2026-01-31" },
    { "limit", NUMBER, false, LIST_MOST, "how many at most; 20" },
    { 0 },
};
static const struct parameter of_message[] = {
    { "id", TEXT, true, 0, "the id of the message" },
    { "html", FLAG, false, 0, "with its HTML" },
    { "max_bytes", NUMBER, false, TEXT_MOST, "of the text, and of the HTML; 20000" },
    { 0 },
};
static const struct parameter of_wait[] = {
    { "inbox", TEXT, false, 0, "an inbox, by its id or its address" },
    { "from", TEXT, false, 0, "a part of the sender" },
    { "to", TEXT, false, 0, "a part of a recipient" },
    { "subject", TEXT, false, 0, "a part of the subject" },
    { "search", TEXT, false, 0, "words and terms, as for list_messages" },
    { "since", NUMBER, false, INT64_C(1) << 53, "only what came behind this cursor, which an earlier "
                                         "answer gave" },
    { "timeout_seconds", NUMBER, false, WAIT_MOST_S, "how long to wait; 30" },
    { 0 },
};

/* ---- arguments ---- */

static const struct parameter *find_parameter(const struct tool *tool, const char *name)
{
    for (const struct parameter *p = tool->parameters; p->name != NULL; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static bool is_of_type(const struct parameter *p, json_t *value)
{
    switch (p->type) {
    case TEXT: return json_is_string(value);
    case NUMBER: return json_is_number(value) && json_number_value(value) >= 0 &&
                        json_number_value(value) <= (double)p->most;
    case FLAG: return json_is_boolean(value);
    }
    return false;
}

static bool complain(struct api_request *r, const char *name, const char *what)
{
    struct buffer b;
    buffer_init(&b, 1024);
    buffer_append_string(&b, name);
    buffer_append_string(&b, what);
    buffer_append_byte(&b, '\0');
    mcp_failure(r, b.overflow ? "an argument cannot be read" : b.memory);
    buffer_free(&b);
    return false;
}

/* False: why not is answered. An argument that is null is none. */
static bool check_arguments(struct api_request *r, const struct tool *tool, json_t *arguments)
{
    const char *name;
    json_t *value;
    json_object_foreach(arguments, name, value) {
        const struct parameter *p = find_parameter(tool, name);
        if (p == NULL)
            return complain(r, name, ": there is no such argument");
        if (!json_is_null(value) && !is_of_type(p, value))
            return complain(r, name, p->type == TEXT ? " is a text" : p->type == FLAG
                                ? " is true or false" : " is a number, and not so large");
    }
    for (const struct parameter *p = tool->parameters; p->name != NULL; p++)
        if (p->is_needed && json_text(arguments, p->name)[0] == '\0')
            return complain(r, p->name, " is needed");
    return true;
}

static json_int_t number_of(json_t *arguments, const char *name, json_int_t otherwise)
{
    json_t *value = json_object_get(arguments, name);
    return json_is_number(value) ? (json_int_t)json_number_value(value) : otherwise;
}

/* Outlives the arguments. */
static struct slice text_of(struct api_request *r, json_t *arguments, const char *name)
{
    struct slice kept = { .len = 0 };
    arena_copy(&r->arena, slice_from_string(json_text(arguments, name)), &kept);
    return kept;
}

/* ---- inboxes ---- */

static bool create_inbox(struct api *api, struct api_request *r, json_t *arguments)
{
    const char *why = NULL;
    struct box_inbox_wish wish = {
        .address = slice_from_string(json_text(arguments, "address")),
        .name = slice_from_string(json_text(arguments, "name")),
        .lifetime_ms = (int64_t)number_of(arguments, "ttl_seconds", 0) * SECOND_MS,
    };
    json_t *made = box_inbox_create(api->options.box, r->workspace, &wish, &why);
    return made == NULL ? mcp_failure(r, why) : mcp_result(r, own_inbox(made));
}

static bool list_inboxes(struct api *api, struct api_request *r, json_t *arguments)
{
    json_t *list = box_inboxes(api->options.box, r->workspace), *inbox;
    size_t i;
    (void)arguments;
    json_array_foreach(list, i, inbox)
        own_inbox(inbox);
    return mcp_result(r, json_pack("{s:o}", "inboxes", list));
}

static bool delete_inbox(struct api *api, struct api_request *r, json_t *arguments)
{
    return box_inbox_delete(api->options.box, r->workspace,
                            slice_from_string(json_text(arguments, "inbox")))
               ? mcp_result(r, json_pack("{s:b}", "deleted", 1))
               : mcp_failure(r, "no such inbox");
}

/* ---- messages ---- */

static void copy_members(json_t *from, json_t *to, const char *const *names)
{
    for (; *names != NULL; names++) {
        json_t *value = json_object_get(from, *names);
        if (value != NULL)
            json_object_set(to, *names, value);
    }
}

static json_t *short_summary(json_t *summary)
{
    static const char *const kept[] = { "id", "from", "to", "subject", "snippet", "size", "read",
                                        "attachments", NULL };
    json_t *made = json_object();
    copy_members(summary, made, kept);
    json_object_set_new(made, "created", json_time(json_integer_value(
        json_object_get(summary, "created"))));
    return made;
}

static bool list_messages(struct api *api, struct api_request *r, json_t *arguments)
{
    struct box_query query = {
        .workspace = r->workspace, .inbox = slice_from_string(json_text(arguments, "inbox")),
        .search = slice_from_string(json_text(arguments, "search")),
        .limit = (uint32_t)number_of(arguments, "limit", LIST_DEFAULT),
    };
    struct box_found found;
    const char *why;
    size_t i;
    json_t *summary, *list;
    if (!box_list(api->options.box, &query, &found, &why))
        return mcp_failure(r, why);
    list = json_array();
    json_array_foreach(found.messages, i, summary)
        json_array_append_new(list, short_summary(summary));
    json_decref(found.messages);
    return mcp_result(r, json_pack("{s:I, s:I, s:o}", "count", (json_int_t)found.count, "cursor",
                                   own_cursor(api), "messages", list));
}

/* Cut between two characters of UTF-8. */
static void set_cut(json_t *object, const char *member, json_t *value, size_t most)
{
    size_t len = json_string_length(value);
    const char *text = json_string_value(value);
    bool is_cut = len > most;
    if (is_cut)
        for (len = most; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80; len--)
            ;
    json_object_set_new(object, member, json_stringn(text, len));
    if (is_cut)
        json_object_set_new(object, "cut", json_true());
}

static json_t *short_message(json_t *whole, bool with_html, size_t most)
{
    static const char *const kept[] = { "id", "from", "to", "cc", "replyTo", "subject", "created",
                                        "size", "envelope", "files", NULL };
    json_t *made = json_object(), *links = json_object_get(whole, "links");
    json_t *codes = json_object_get(whole, "codes");
    copy_members(whole, made, kept);
    json_object_set(made, "code", json_object_get(codes, "code"));
    json_object_set(made, "link", json_object_get(links, "best"));
    json_object_set(made, "links", json_object_get(links, "links"));
    set_cut(made, "text", json_object_get(whole, "text"), most);
    if (with_html)
        set_cut(made, "html", json_object_get(whole, "html"), most);
    return made;
}

static bool get_message(struct api *api, struct api_request *r, json_t *arguments)
{
    json_t *whole = own_message(api, r, slice_from_string(json_text(arguments, "id")));
    if (whole == NULL)
        return mcp_failure(r, "no such message");
    json_t *made = short_message(whole, json_is_true(json_object_get(arguments, "html")),
                                 (size_t)number_of(arguments, "max_bytes", TEXT_DEFAULT));
    json_decref(whole);
    return mcp_result(r, made);
}

/* ---- waiting ---- */

static bool refused(struct api_request *r, const char *why)
{
    return mcp_failure(r, why);
}

static json_t *first_of(struct api *api, struct api_request *r, json_t *messages)
{
    return own_message(api, r, slice_from_string(json_text(json_array_get(messages, 0), "id")));
}

static bool message_came(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    json_t *whole = is_met ? first_of(api, r, messages) : NULL;
    if (whole == NULL)
        return mcp_failure(r, "no message of that kind came in time");
    json_t *made = short_message(whole, false, TEXT_DEFAULT);
    json_object_set_new(made, "cursor", json_integer(own_cursor(api)));
    json_decref(whole);
    return mcp_result(r, made);
}

/* What was found in a message, and which message that is. */
struct finding {
    const char *of;           /* a member of the message, */
    const char *best;         /* the one of it that is most likely meant, */
    const char *all;
    const char *best_name;    /* and what both are called here */
    const char *all_name;
    const char *why_not;
};

static bool found(struct api *api, struct api_request *r, json_t *messages, bool is_met,
                  const struct finding *f)
{
    static const char *const kept[] = { "id", "from", "subject", "created", NULL };
    json_t *whole = is_met ? first_of(api, r, messages) : NULL;
    if (whole == NULL)
        return mcp_failure(r, f->why_not);
    json_t *made = json_object(), *part = json_object_get(whole, f->of);
    json_object_set(made, f->best_name, json_object_get(part, f->best));
    json_object_set(made, f->all_name, json_object_get(part, f->all));
    copy_members(whole, made, kept);
    json_object_set_new(made, "cursor", json_integer(own_cursor(api)));
    json_decref(whole);
    return mcp_result(r, made);
}

static bool code_came(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    static const struct finding code = { "codes", "code", "candidates", "code", "candidates",
        "no message of that kind with a code in it came in time" };
    return found(api, r, messages, is_met, &code);
}

static bool link_came(struct api *api, struct api_request *r, json_t *messages, bool is_met)
{
    static const struct finding link = { "links", "best", "links", "link", "links",
        "no message of that kind with a link in it came in time" };
    return found(api, r, messages, is_met, &link);
}

static bool has_text(struct api *api, struct api_request *r, json_t *summary, const char *of,
                     const char *member)
{
    json_t *whole = own_message(api, r, slice_from_string(json_text(summary, "id")));
    bool has = json_text(json_object_get(whole, of), member)[0] != '\0';
    json_decref(whole);
    return has;
}

static bool has_code(struct api *api, struct api_request *r, json_t *summary)
{
    return has_text(api, r, summary, "codes", "code");
}

static bool has_link(struct api *api, struct api_request *r, json_t *summary)
{
    return has_text(api, r, summary, "links", "best");
}

static json_t *match_of(json_t *arguments)
{
    static const char *const names[] = { "from", "to", "subject", NULL };
    json_t *match = json_object();
    copy_members(arguments, match, names);
    for (const char *const *name = names; *name != NULL; name++)
        if (json_text(match, *name)[0] == '\0')
            json_object_del(match, *name);
    return match;
}

static bool wait_with(struct api *api, struct api_request *r, json_t *arguments,
                      bool (*fits)(struct api *, struct api_request *, json_t *),
                      bool (*done)(struct api *, struct api_request *, json_t *, bool))
{
    struct wait_wish wish = {
        .workspace = r->workspace, .inbox = text_of(r, arguments, "inbox"),
        .search = text_of(r, arguments, "search"), .oldest_first = true, .count = 1,
        .since = (int64_t)number_of(arguments, "since", 0), .fits = fits, .done = done,
        .timeout_ms = (int64_t)number_of(arguments, "timeout_seconds", WAIT_DEFAULT_S) *
                      SECOND_MS,
        .refused = refused,
    };
    json_t *inbox = wish.inbox.len == 0 ? NULL
                                        : box_inbox(api->options.box, r->workspace, wish.inbox);
    bool is_there = wish.inbox.len == 0 || inbox != NULL;
    json_decref(inbox);
    if (!is_there)
        return mcp_failure(r, "no such inbox");
    json_t *match = match_of(arguments);
    wish.match = json_object_size(match) == 0 ? NULL : match;
    bool answered = wait_begin(api, r, &wish);
    json_decref(match);
    return answered;
}

static bool wait_for_message(struct api *api, struct api_request *r, json_t *arguments)
{
    return wait_with(api, r, arguments, NULL, message_came);
}

static bool wait_for_code(struct api *api, struct api_request *r, json_t *arguments)
{
    return wait_with(api, r, arguments, has_code, code_came);
}

static bool wait_for_link(struct api *api, struct api_request *r, json_t *arguments)
{
    return wait_with(api, r, arguments, has_link, link_came);
}

/* ---- all of them ---- */

static const struct tool tools[] = {
    { "create_inbox", "Makes an inbox of its own address; give that to the program under test.",
      false, of_create, create_inbox },
    { "list_inboxes", "The inboxes there are, with how many messages each has.", true, of_none,
      list_inboxes },
    { "delete_inbox", "Deletes an inbox and its messages.", false, of_inbox, delete_inbox },
    { "list_messages", "Messages, the newest first, with the start of their text.", true,
      of_list, list_messages },
    { "get_message", "A message: text, code, links, envelope, names of files.", true, of_message,
      get_message },
    { "wait_for_message", "The oldest message of that kind, as soon as it is there.", true,
      of_wait, wait_for_message },
    { "wait_for_code", "The one-time code of the oldest message of that kind that has one, as "
                       "soon as it is there.", true, of_wait, wait_for_code },
    { "wait_for_link", "The link to follow (to verify, to sign in, to reset) of the oldest "
                       "message of that kind that has one, as soon as it is there.", true,
      of_wait, wait_for_link },
};

static json_t *schema_of(const struct tool *tool)
{
    static const char *const types[] = { "string", "integer", "boolean" };
    json_t *properties = json_object(), *needed = json_array();
    for (const struct parameter *p = tool->parameters; p->name != NULL; p++) {
        json_t *property = json_pack("{s:s, s:s}", "type", types[p->type], "description",
                                     p->about);
        if (p->type == NUMBER) {
            json_object_set_new(property, "minimum", json_integer(0));
            json_object_set_new(property, "maximum", json_integer(p->most));
        }
        json_object_set_new(properties, p->name, property);
        if (p->is_needed)
            json_array_append_new(needed, json_string(p->name));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
                     "required", needed, "additionalProperties", 0);
}

json_t *mcp_tools(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:{s:b, s:b}}",
            "name", tools[i].name, "description", tools[i].about, "inputSchema",
            schema_of(&tools[i]), "annotations", "readOnlyHint", tools[i].only_reads,
            "openWorldHint", 0));
    return list;
}

bool mcp_call(struct api *api, struct api_request *r, const char *name, json_t *arguments,
              bool *out_known)
{
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        *out_known = strcmp(tools[i].name, name) == 0;
        if (*out_known)
            return check_arguments(r, &tools[i], arguments)
                       ? tools[i].run(api, r, arguments) : true;
    }
    return true;
}
