/* message.h: a message as people read it: who, when, what about, its text and HTML, its files.
 *
 * RFC 5322, RFC 2045 to 2047, RFC 2183, RFC 2369; HOSTILE 86, 101, 103, 105, 109. From the
 * octets as they came, with line ends of either kind. What is beyond the limits of the guard
 * is an opaque message without text, and no failure. No I/O. In its own process where mail
 * comes from strangers; one thread at a time.
 */
#ifndef GODWIT_CONTENT_MESSAGE_H
#define GODWIT_CONTENT_MESSAGE_H

#include "content/decode.h"
#include "content/tree.h"

enum {
    CONTENT_FIELDS_MAX = 2000,
    CONTENT_BODY_MAX = 8 * 1024 * 1024, /* octets of text or HTML, as UTF-8; cut behind */
    CONTENT_SNIPPET_MAX = 250,          /* characters */
    CONTENT_ADDRESSES_MAX = 10000,      /* of one kind */
};

/* What stands in a header field, in their order. Texts are UTF-8. */
struct content_field {
    struct slice name;  /* as written */
    struct slice raw;   /* unfolded; octets that are no UTF-8 as U+FFFD */
    struct slice value; /* the same with encoded words decoded, without controls */
};

/* What is no address by RFC 5322 has all of its text in `name`, and no address, so that
 * nobody is shown as somebody else; a single word counts as an address ("root"). */
struct content_address {
    struct slice name;
    struct slice address;
};

struct content_addresses {
    struct content_address *items;
    size_t count;
};

/* RFC 2369, RFC 8058. */
struct content_unsubscribe {
    struct slice header;      /* as it came; empty: none */
    struct slice post;        /* List-Unsubscribe-Post */
    struct slice *links;      /* mailto: and http(s):, those that are good */
    size_t count;
    const char *failure;      /* what is wrong with it, in words for people, or "" */
};

/* A part that is no text to be read in place. */
struct content_file {
    size_t part;              /* its index in the tree */
    struct content_place place;
    bool is_attachment;       /* else inline: an image in the HTML, a calendar */
};

/* Everything lives in the arena, or borrows from the message. */
struct content_message {
    struct content_tree tree; /* verdict and parts with ids, types, names, sizes, places */
    struct content_field *fields;
    size_t field_count;
    struct content_addresses from, sender, reply_to, to, cc, bcc;
    struct slice subject;
    struct slice message_id;  /* without brackets */
    struct slice return_path; /* the address */
    bool has_date;
    int64_t date_ms;          /* since 1970 */
    int zone_minutes;
    struct content_unsubscribe unsubscribe;
    struct slice text;        /* of text/plain parts, or made of the HTML, line ends as LF */
    bool is_text_made;        /* of the HTML */
    struct slice html;        /* line ends as they came */
    struct content_file *files;
    size_t file_count;
    size_t attachment_count;
    struct slice snippet;     /* one line */
};

/* False: memory is out. */
bool content_message_read(struct slice message, struct arena *arena,
                          struct content_message *out_message);

/* Where a part without parts lies. */
struct content_place content_part_place(const struct content_part *part);

/* The part of this id, or NULL. */
const struct content_part *content_message_part(const struct content_message *message,
                                                struct slice id);

/* The first field of that name, any case; NULL: there is none. */
const struct content_field *content_message_field(const struct content_message *message,
                                                  struct slice name);

#endif
