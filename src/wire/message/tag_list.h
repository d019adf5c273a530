/* tag_list.h: lists of tag=value, of which DKIM-Signature, its keys in the DNS, ARC and
 * DMARC records are made (RFC 6376 3.2, RFC 8616 2). Pure; any thread.
 */
#ifndef GODWIT_WIRE_MESSAGE_TAG_LIST_H
#define GODWIT_WIRE_MESSAGE_TAG_LIST_H

#include "base/cursor.h"

enum { TAG_LIST_MAX = 64 }; /* tags */

/* Borrows from the list. */
struct tag {
    struct slice name;
    struct slice value; /* without white space at its ends; folds in it are kept */
    struct slice raw;   /* all that stands between '=' and ';' */
};

struct tag_list {
    struct tag tags[TAG_LIST_MAX];
    size_t count;
};

/* False, *out of no use, when the whole is no list: a tag without a name or '=', a name
 * that is there twice, a control byte or what is not UTF-8 in a value, a line end that is
 * no fold, more than TAG_LIST_MAX tags, or none. */
bool tag_list_parse(struct slice text, struct tag_list *out);

/* The tag of that name, in this case of letters, or NULL. */
const struct tag *tag_list_find(const struct tag_list *list, struct slice name);

/* Takes the next word of a list with colons ("dns/txt : x"), white space off at its ends.
 * False at the end. An empty list has no word; "a::b" has an empty one. */
bool tag_word_next(struct slice *rest, struct slice *out_word);

/* Whether `word` stands in such a list, any case of letters. */
bool tag_word_is_in(struct slice words, struct slice word);

#endif
