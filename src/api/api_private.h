/* api_private.h: the routes (api.c, one table a dialect), and what handlers have in common. */
#ifndef GODWIT_API_API_PRIVATE_H
#define GODWIT_API_API_PRIVATE_H

#include "api/api.h"
#include "base/list.h"
#include "content/message.h"
#include "event/timer.h"
#include "event/watch.h"

#include <jansson.h>

struct api {
    struct api_options options;
    struct box_watcher rules_watcher; /* fault.c, all of these */
    struct watch channel;
    struct buffer heard;
    struct list forced;       /* requests that wait until a fault is in force */
    int64_t revision;         /* the last that was told */
    int64_t in_force;         /* the last that was heard to be */
    struct reach *reach;      /* HTTP to others */
    struct box_watcher webhooks_watcher; /* webhook_send.c, all of these */
    struct timer webhooks_due;
    size_t webhooks_under_way;
};

struct api_route {
    enum api_method method;
    const char *path;         /* "/api/v1/message/" "*" "/raw": one segment each */
    bool (*run)(struct api *api, struct api_request *r); /* as api_handle() */
};

extern const struct api_route own_routes[];      /* own.c */
extern const struct api_route mailpit_routes[];  /* mailpit.c */
extern const struct api_route assert_routes[];   /* assert.c */
extern const struct api_route fault_routes[];    /* fault.c */
extern const struct api_route mailslurp_inbox_routes[];
extern const struct api_route mailslurp_email_routes[];
extern const struct api_route mailslurp_wait_routes[];
extern const struct api_route mailhog_routes[];
extern const struct api_route inbucket_routes[];
extern const struct api_route maildev_routes[];
extern const struct api_route ethereal_routes[];
extern const struct api_route mcp_routes[];
extern const struct api_route link_routes[];
extern const struct api_route release_routes[];
extern const struct api_route auth_routes[];
extern const struct api_route webhook_routes[];
extern const struct api_route webhook_log_routes[];
extern const struct api_route mailslurp_webhook_routes[];

/* api.c: in a time that tells nothing of what is in them. */
bool api_equal(struct slice a, struct slice b);

/* ---- request.c: what was asked ---- */

struct slice request_header(const struct api_request *r, const char *name);
/* The first of that name; *out_is_there may be NULL. */
struct slice request_query(const struct api_request *r, const char *name);
bool request_has(const struct api_request *r, const char *name);
bool request_flag(const struct api_request *r, const char *name);
/* A number, at most `max`, or `otherwise` where it is none. */
uint64_t request_number(const struct api_request *r, const char *name, uint64_t otherwise,
                        uint64_t max);
/* NULL, or what is wrong with what was asked behind "?": a name that is not among `known`
 * ("inbox search since", with blanks between), or a number or time that is none. Whoever deletes
 * by a filter must not find that it was not heard. */
const char *request_check(const struct api_request *r, const char *known);
/* "2s", "500ms", "1m", or milliseconds; -1: it is none. */
int64_t read_duration(struct slice text);
/* Of a member that is a number of milliseconds or such a text. */
int64_t json_duration(const json_t *value);
/* RFC 3339, or a date; 0: it is none. */
int64_t read_time(struct slice text);
/* Minutes east of UTC of "+02:00", or of a name that means UTC; else 0. */
int read_zone(struct slice text);
/* The body as an object, new; NULL: it is none, and 400 is answered when `needed`. */
json_t *request_json(struct api_request *r, bool needed);
const char *json_text(json_t *object, const char *member); /* "" where it is none */

/* ---- member.c ---- */

struct member {
    const char *name;         /* NULL: the last */
    bool (*is_good)(const json_t *value);
    const char *is;           /* "is to be a text" */
};
/* False: a member of the object is not among the known, or not of its type, and 400 is answered
 * with its name; `within` is where, or NULL. */
bool members_good(struct api_request *r, json_t *object, const char *within,
                  const struct member *known);
bool member_any(const json_t *value);
bool member_text(const json_t *value);
bool member_texts(const json_t *value);      /* a list of texts */
bool member_list(const json_t *value);
bool member_object(const json_t *value);
bool member_count(const json_t *value);      /* no less than 0 */
bool member_flag(const json_t *value);
bool member_duration(const json_t *value);   /* milliseconds, or "10s" */
bool member_wish(const json_t *value);       /* what match_text() takes */

/* assert_check.c: the same for all of an assertion. */
bool assert_check(struct api_request *r, json_t *body);

/* ---- answer.c ---- */

/* Each of them answers and returns true. `value` is taken. */
bool answer_json(struct api_request *r, unsigned status, json_t *value);
bool answer_text(struct api_request *r, unsigned status, const char *text);
bool answer_error(struct api_request *r, unsigned status, const char *message); /* ours */
bool answer_octets(struct api_request *r, const char *type, struct slice octets);
/* Adds a field; what cannot stand in one is left out. */
void answer_field(struct api_request *r, const char *name, struct slice value);
/* inline or attachment; filename="..." with what may be dangerous taken out (RFC 6266). */
void answer_disposition(struct api_request *r, bool is_attachment, struct slice filename);
/* "2026-01-31T10:00:00.000Z" */
json_t *json_time(int64_t wall_ms);
json_t *json_slice(struct slice text); /* escaped where it is no UTF-8 */

/* ---- a message taken apart, for as long as a request ---- */

struct opened {
    json_t *message;          /* box_message() */
    struct buffer raw;
    struct arena arena;
    struct content_message content;
};
/* False: it is not there. Close it in any case. */
bool message_open(struct api *api, const struct api_request *r, struct slice id,
                  struct opened *out);
void message_close(struct opened *opened);
/* The octets of a part by its id, as a browser may have them; false: there is none. */
bool message_part(const struct opened *opened, struct slice id, struct buffer *out,
                  const struct content_part **out_part);

/* ---- match.c ---- */

/* Whether a message (box_message()) is what is wanted: {"from": .., "to": .., "subject": ..,
 * "header": {name: ..}} with a text (a part of it, without case) or {"equals"|"contains"|
 * "matches"|"lacks": ..} each. NULL, or why `wanted` cannot be read. */
const char *match_check(json_t *wanted);
bool match_message(json_t *wanted, json_t *message);
/* One text against one wish of it. */
bool match_text(json_t *wish, struct slice text);
/* A regular expression over text, with limits; NULL or why it is none. */
const char *match_regex(struct slice pattern, struct slice text, bool *out_matches);
/* Its first group, or all of the match; {NULL, 0}: none. Borrows from the text. */
const char *match_find(struct slice pattern, struct slice text, struct slice *out);
/* Appends the match and its groups, as texts; nothing where there is none. */
const char *match_groups(struct slice pattern, struct slice text, json_t *out);

/* ---- wait.c ---- */

struct wait_wish {
    int64_t workspace;
    struct slice inbox;       /* id or address, or empty */
    struct slice search;
    json_t *match;            /* borrowed; or NULL */
    int64_t since;            /* a cursor */
    int64_t after_ms;         /* received behind that, likewise */
    int64_t before_ms;
    bool unread_only;
    bool oldest_first;
    bool is_exact;            /* neither fewer nor more */
    bool is_none;             /* nothing comes until the time is over */
    uint32_t count;
    int64_t timeout_ms;
    /* `messages` (summaries) is borrowed. Answers the request; as api_handle(). */
    bool (*done)(struct api *api, struct api_request *r, json_t *messages, bool is_met);
    /* What else it must have, by its summary; or NULL. */
    bool (*fits)(struct api *api, struct api_request *r, json_t *summary);
    /* Answers why `search` cannot be read; NULL: 400, as our own API does. */
    bool (*refused)(struct api_request *r, const char *why);
};
/* As api_handle(). What `wish` points to lies in the request's arena. */
bool wait_begin(struct api *api, struct api_request *r, const struct wait_wish *wish);
void wait_end(struct api_request *r);

/* ---- send.c ---- */

/* Makes the message (content/compose.h) and hands it in over SMTP; as api_handle(). `mail` is
 * taken. `done` answers: `why` is NULL when it was taken, with the id that the server gave. */
typedef bool send_done_fn(struct api *api, struct api_request *r, const char *why,
                          struct slice id);
bool send_mail(struct api *api, struct api_request *r, json_t *mail, send_done_fn *done);
/* The same with octets that are there already. */
struct send_octets {
    struct slice octets;
    const char *sender;
    json_t *recipients;       /* a list of addresses */
    const struct net_address *to; /* a server; NULL: the sandbox itself */
};
bool send_octets(struct api *api, struct api_request *r, const struct send_octets *wish,
                 send_done_fn *done);
void send_end(struct api_request *r);

/* ---- auth.c ---- */
/* {spf, dkim[], arc, dmarc, authenticationResults} (verdict/verdict.h), by the test DNS; as if it
 * came as the object says: {client, helo, sender}, each as it was where it is not said. NULL, and
 * why. */
json_t *auth_verdicts(struct api *api, const struct opened *o, int64_t workspace, json_t *as,
                      const char **out_why);

/* The same for lint_message() (lint/lint.h). */
json_t *lint_of(struct api *api, const struct opened *o, int64_t workspace, json_t *as,
                const char **out_why);

/* ---- release.c ---- */
bool release_is_on(const struct api *api);
json_t *release_patterns(const struct api *api); /* who may get it: a list of texts */
/* NULL, or why it may not be released to these. */
const char *release_check(const struct api *api, json_t *recipients);
/* A message, to recipients that were checked; as api_handle(). */
bool release_begin(struct api *api, struct api_request *r, struct slice id, json_t *recipients,
                   send_done_fn *done);

/* ---- fault.c ---- */
enum err faults_begin(struct api *api);
void faults_end(struct api *api);
void force_end(struct api_request *r);

/* ---- webhook_send.c, webhook_log.c ---- */
void webhooks_begin(struct api *api);
void webhooks_end(struct api *api);
void expected_end(struct api_request *r);

/* ---- link_check.c ---- */

/* Asks each of the URLs; as api_handle(). `list` has an object {url, alive, status, trouble,
 * location, reached} for each; it and the context are borrowed. */
typedef bool links_checked_fn(struct api *api, struct api_request *r, json_t *list,
                              json_t *context);
struct links_wish {
    json_t *urls;             /* a list of texts, taken */
    json_t *context;          /* taken; or NULL */
    bool follows;             /* redirects */
    links_checked_fn *done;
};
bool links_check(struct api *api, struct api_request *r, const struct links_wish *wish);
void links_end(struct api_request *r);
json_t *links_of(const struct opened *opened); /* of HTTP, each once */

/* ---- own.c ---- */
/* An inbox (box_inbox()) as it is shown; the same object. */
json_t *own_inbox(json_t *inbox);
json_int_t own_cursor(struct api *api); /* behind the newest message */

/* ---- own_message.c ---- */
json_t *own_codes(const struct opened *opened);
json_t *own_links(const struct opened *opened);
/* A message as our own API shows it, with text, HTML, codes and links; NULL: gone. */
json_t *own_message(struct api *api, const struct api_request *r, struct slice id);
extern const struct api_route own_message_routes[];

/* ---- mailpit_message.c ---- */
json_t *mailpit_summary(json_t *summary);
json_t *mailpit_message(const struct opened *opened);
/* mailpit_send.c */
bool mailpit_send(struct api *api, struct api_request *r);

/* ---- mailslurp_email.c ---- */
json_t *mailslurp_preview(json_t *summary);
json_t *mailslurp_addresses(json_t *list); /* without names */
/* The whole of it, marked as read; NULL: it is gone. */
json_t *mailslurp_email(struct api *api, const struct api_request *r, struct slice id);
/* mailslurp_inbox.c */
json_t *mailslurp_page(json_t *content, uint64_t total, uint32_t page, uint32_t size);

/* ---- stream.c ---- */
enum { STREAM_OWN, STREAM_MAILPIT, STREAM_INBUCKET, STREAM_INBUCKET_2 };
/* inbucket.c: a frame for the monitors, or NULL. */
json_t *inbucket_frame(int dialect, enum box_event event, json_t *what);

#endif
