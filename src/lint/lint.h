/* lint.h: what a receiver will hold against a message, rule by rule.
 *
 * What large receivers ask of all mail and of bulk mail (verify/compliance.h), what mail
 * authentication says (verdict/verdict.h), and what people stumble over: variables that were left
 * over, links that name one host and lead to another, HTML that Gmail cuts. Pure; any thread.
 */
#ifndef GODWIT_LINT_LINT_H
#define GODWIT_LINT_LINT_H

#include "content/message.h"

#include <jansson.h>

struct lint_input {
    struct slice raw;                     /* the message as it came */
    const struct content_message *content; /* of it */
    json_t *verdicts;                     /* verdict_message(); NULL: not known */
    size_t recipients;
};

/* {score, errors, warnings, rules[{rule, level, pass, message, reference}]}, new: `level` is
 * "error" or "warning", `message` what is wrong or "", the score 100 less 20 an error and 5 a
 * warning. NULL: memory is out. */
json_t *lint_message(const struct lint_input *input);

#endif
