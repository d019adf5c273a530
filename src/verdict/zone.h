/* zone.h: answers to look-ups out of a zone that is JSON: names to the records of each, or to
 * "SERVFAIL" or "TIMEOUT". Names have no case; a name that is absent does not exist. Pure.
 *
 *   {"example.test": {"TXT": ["v=spf1 -all"], "MX": [[10, "mx.example.test"]]},
 *    "broken.test": "SERVFAIL"}
 */
#ifndef GODWIT_VERDICT_ZONE_H
#define GODWIT_VERDICT_ZONE_H

#include "base/arena.h"
#include "mail/lookup.h"

#include <jansson.h>

enum { ZONE_NAMES_MAX = 10000, ZONE_NAME_MAX = 255 };

/* The answer lives in the arena. False: memory is out. What cannot be a record is left out. */
bool zone_answer(const json_t *zone, const struct lookup_question *question, struct arena *arena,
                 struct lookup_answer *out);

/* Whether a name is another one's, for a type that it does not have itself; *out borrows. */
bool zone_alias(const json_t *zone, struct slice name, uint16_t type, struct slice *out);
/* Whether nobody is to answer: "TIMEOUT". */
bool zone_is_silent(const json_t *zone, struct slice name, uint16_t type);

/* NULL, or what is wrong with an object that somebody has written, and at which name. */
const char *zone_check(const json_t *zone, const char **out_name);

#endif
