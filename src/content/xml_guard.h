/* xml_guard.h: what a document may be before a library reads it.
 *
 * HOSTILE 112. libxml2 holds each attribute of an element against all before it, so that one
 * element could cost minutes; here they are counted first. Octets are enough for that, since
 * only encodings are let through in which markup looks as it does in ASCII, with zeros between
 * or without. Pure; any thread.
 */
#ifndef GODWIT_CONTENT_XML_GUARD_H
#define GODWIT_CONTENT_XML_GUARD_H

#include "base/slice.h"

enum {
    XML_ATTRIBUTES_MAX = 256,        /* of one element */
    XML_WIDE_ATTRIBUTES_MAX = 20000, /* of all elements of a document in UTF-16 */
};

/* NULL, or why it is not read, in words for people; a static text. */
const char *xml_guard(struct slice xml);

#endif
