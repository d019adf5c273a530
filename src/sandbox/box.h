/* box.h: what a sandbox has captured, by workspace and inbox, to be listed, searched, waited
 * for and thrown away.
 *
 * A workspace is whoever has the same API key; without a key it is the common one. It sees its
 * own messages and inboxes and no others. A message belongs to the inboxes of its recipients
 * (by address, by the address before a "+", by a pattern for a domain, or by the name that
 * somebody has logged in with); what belongs to none is the common workspace's. It stands once
 * in each inbox: who reads or deletes it there does so there alone.
 *
 * The store is one SQLite file, fed from the capture log (capture/read.h), where the octets
 * stay. One thread.
 */
#ifndef GODWIT_SANDBOX_BOX_H
#define GODWIT_SANDBOX_BOX_H

#include "base/buffer.h"
#include "base/err.h"
#include "event/loop.h"

#include <jansson.h>

struct box;

struct box_options {
    struct loop *loop;
    const char *path;        /* of the SQLite file; its folder exists */
    int log;                 /* the capture log; borrowed */
    struct slice domain;     /* of addresses that are made up; borrowed */
    uint64_t messages_max;   /* in all; the oldest go; 0: as many as there is room for */
    uint64_t bytes_max;      /* of the capture log; likewise */
    int64_t age_max_ms;      /* 0: for ever */
    bool is_durable;         /* the file is kept, and outlives a power cut */
    int64_t *trying;         /* which message is being taken apart, its place and one; 0: none. In
                                memory that outlives the process: one that ended it is not taken
                                apart again, and is shown by its octets alone */
};

/* ERR_IO, ERR_MEMORY, ERR_VERSION. */
enum err box_open(const struct box_options *options, struct box **out);
void box_close(struct box **box);

/* Takes up what is new in the log, for a few milliseconds at most; true: there is more. */
bool box_feed(struct box *box);

/* Does once what the first message would wait for: statements and tables. Nothing is changed. */
void box_warm(struct box *box);

/* ---- workspaces ---- */

enum { BOX_COMMON = 1 };

/* The workspace of a key, made where there is none; 0 without memory or disk. Keys are kept as
 * digests. */
int64_t box_workspace(struct box *box, struct slice key);

/* Forgets all messages of it at once; inboxes stay. */
bool box_reset(struct box *box, int64_t workspace);

/* ---- inboxes ---- */

struct box_inbox_wish {
    struct slice address;     /* empty: one is made up; without "@": before the domain */
    struct slice name;
    struct slice description;
    int64_t lifetime_ms;      /* 0: for ever */
    uint32_t quota;           /* messages: the oldest go; 0: none */
    json_t *tags;             /* of texts; borrowed; or NULL */
    json_t *patterns;         /* "*@run7.test", "*@*.run7.test": what else is its; likewise */
    bool favourite;
};

/* A new inbox as an object {id, workspace, address, name, description, created, expires, tags,
 * patterns, favourite, quota, messages, unread}; times in milliseconds since 1970, or null.
 * NULL, and why not in *out_why: a static text. */
json_t *box_inbox_create(struct box *box, int64_t workspace, const struct box_inbox_wish *wish,
                         const char **out_why);
/* By its id or its address; of this workspace. NULL: there is none. */
json_t *box_inbox(struct box *box, int64_t workspace, struct slice id);
/* The newest last; of all workspaces with 0. */
json_t *box_inboxes(struct box *box, int64_t workspace);
bool box_inbox_delete(struct box *box, int64_t workspace, struct slice id);
/* Forgets its messages; how many, or -1: there is no such inbox. */
int64_t box_inbox_empty(struct box *box, int64_t workspace, struct slice id);
/* Changes the given members (name, description, tags, favourite, expires). */
bool box_inbox_update(struct box *box, int64_t workspace, struct slice id, json_t *change);

/* ---- messages ---- */

/* Which ones. */
struct box_query {
    int64_t workspace;        /* 0: of all */
    struct slice inbox;       /* its id or address; empty: any */
    struct slice search;      /* in Mailpit's grammar (search.h); empty: all */
    int zone_minutes;         /* of its dates */
    int64_t since;            /* cursor: behind this sequence; 0: from the first on */
    int64_t before_ms;        /* received before; 0: any */
    int64_t after_ms;
    bool unread_only;
    bool oldest_first;
    uint32_t start;
    uint32_t limit;           /* 0: 100,000 */
};

struct box_found {
    json_t *messages;         /* of summaries */
    uint64_t count;           /* that match */
    uint64_t unread;          /* of these */
};

/* False: the search cannot be read, and *out_why says why: a static text. */
bool box_list(struct box *box, const struct box_query *query, struct box_found *out,
              const char **out_why);

/* How many there are in a workspace (0: in all) and not read yet. */
void box_count(struct box *box, int64_t workspace, uint64_t *out_total, uint64_t *out_unread);

/* The whole of it: a summary {seq, id, inbox, session, created, size, read, subject,
 * messageId, snippet, from{name,address}, to[], cc[], bcc[], replyTo[], tags[], attachments,
 * account} and {date, sender, returnPath, envelope{from, to[], helo, client, tls, ...},
 * headers[[name, raw, value]], files[{part, name, type, id, disposition, size, ...}], parts,
 * unsubscribe, flags}. NULL: there is none of this id in the workspace (0: in any). */
json_t *box_message(struct box *box, int64_t workspace, struct slice id);
/* The octets as they came. False: it is not there. */
bool box_raw(struct box *box, int64_t workspace, struct slice id, struct buffer *out);
bool box_mark(struct box *box, int64_t workspace, struct slice id, bool read);
bool box_delete(struct box *box, int64_t workspace, struct slice id);
bool box_tag(struct box *box, int64_t workspace, struct slice id, json_t *tags);
/* Of everything that matches; how many. */
int64_t box_mark_all(struct box *box, const struct box_query *query, bool read,
                     const char **out_why);
int64_t box_delete_all(struct box *box, const struct box_query *query, const char **out_why);
/* Names, sorted; and with how many messages, as an object. */
json_t *box_tags(struct box *box, int64_t workspace);
bool box_tag_rename(struct box *box, int64_t workspace, struct slice from, struct slice to);
bool box_tag_delete(struct box *box, int64_t workspace, struct slice tag);

/* ---- sessions ---- */

/* {id, opened, closed, client, helo, account, tls, messages[], refusals, aborted, lines[{at,
 * from, text}], faults[]}; in the list without lines. */
json_t *box_session(struct box *box, int64_t id);
json_t *box_sessions(struct box *box, bool refused_only, uint32_t start, uint32_t limit);

/* ---- scripted faults (fault.h) ---- */

/* A rule without its id, with "inbox" where it is for that one's mail alone, is kept; as it is
 * shown, with id and hits. NULL, and why not. Rules of a key's workspace are for mail to its own
 * inboxes. */
json_t *box_fault_add(struct box *box, int64_t workspace, json_t *rule, const char **out_why);
json_t *box_faults(struct box *box, int64_t workspace);
json_t *box_fault(struct box *box, int64_t workspace, struct slice id);
bool box_fault_delete(struct box *box, int64_t workspace, struct slice id); /* empty: all */
/* Those of everybody, for the process that speaks SMTP: {rules[], only: {name: [addresses]}}. */
json_t *box_fault_rules(struct box *box);

/* ---- the test DNS ---- */

/* An object of names (verdict/zone.h), new; empty where there is none. */
json_t *box_zone(struct box *box, int64_t workspace);
/* The common workspace's, borrowed until the next call of box_zone_set(). */
json_t *box_zone_common(struct box *box);
bool box_zone_set(struct box *box, int64_t workspace, json_t *zone);

/* ---- what happens ---- */

enum box_event {
    BOX_NEW,      /* `message` is its summary */
    BOX_UPDATED,  /* read or tagged: {id, read, tags} */
    BOX_DELETED,  /* {id} */
    BOX_EMPTIED,  /* the workspace, or much of it */
    BOX_REFUSED,  /* a session was told 4xx or 5xx: {session, client, line} */
    BOX_FAULT,    /* a scripted fault was met: {session, fault} */
    BOX_RULES,    /* the faults that are scripted have changed */
    BOX_HOOKS,    /* something is to be told to a webhook, or was (hook.h) */
};

struct box_watcher {
    struct list_node node;
    /* `what` is borrowed; `workspace` is 0 where it is nobody's. */
    void (*happened)(struct box_watcher *watcher, enum box_event event, int64_t workspace,
                     json_t *what);
};

void box_watch(struct box *box, struct box_watcher *watcher);
void box_unwatch(struct box *box, struct box_watcher *watcher);

/* A text of a stranger, for JSON: what is no UTF-8 is escaped. NULL: no memory. */
json_t *box_text(struct slice text);

/* Since the start. */
struct box_numbers {
    uint64_t accepted;
    uint64_t accepted_bytes;
    uint64_t refused;
    uint64_t deleted;
    uint64_t database_bytes;
    int64_t started_ms;
    int64_t newest;           /* sequence */
};
void box_numbers(struct box *box, struct box_numbers *out);

#endif
