/* bounce_private.h: the readers of the several kinds, tried one after another. */
#ifndef GODWIT_BOUNCE_BOUNCE_PRIVATE_H
#define GODWIT_BOUNCE_BOUNCE_PRIVATE_H

#include "bounce/bounce.h"
#include "wire/report/parts.h"

enum { BOUNCE_RECIPIENTS_MAX = 1000 };

/* What is known of the message while it is read. */
struct bounce_source {
    struct arena *arena;
    struct report_parts parts;
    struct slice from;        /* values of header fields, on one line, or empty */
    struct slice to;
    struct slice subject;
    struct slice strangers;   /* To and From, joined */
    size_t text_left;         /* octets that may still be held against the rules */
};

/* Each is true when the message is of its kind; *out is complete then. */
bool bounce_read_complaint(struct bounce_source *source, struct bounce *out);
bool bounce_read_notification(struct bounce_source *source, struct bounce *out); /* JSON */
bool bounce_read_failure(struct bounce_source *source, struct bounce *out);
bool bounce_read_auto_reply(struct bounce_source *source, struct bounce *out);

/* A new recipient, or NULL: there is no room. */
struct bounce_recipient *bounce_add(struct bounce *bounce, struct slice address);

/* Sets reason, code, status and is_hard from what was said. */
void bounce_judge(struct bounce_recipient *recipient, const struct bounce_finding *finding,
                  uint8_t class);

/* Whether the folded value holds one of the phrases. */
struct bounce_phrases {
    const struct slice *items;
    size_t count;
};
bool bounce_has_phrase(struct slice value, struct bounce_phrases phrases);

#endif
