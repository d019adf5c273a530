/* verify_probe.c: a message's DKIM verdicts, for the tests that compare them with others'.
 *
 *   verify_probe NOW ZONE MESSAGE
 *
 * ZONE is a file as fake_zone.h has it. Prints the result of the whole, then a line for
 * each signature: result, domain, selector, algorithm; then its steps, each behind a tab.
 */
#include "auth/dkim/verify.h"
#include "auth/signature/fake_zone.h"
#include "wire/message/header.h"

#include <stdlib.h>

static void print_verdict(const struct dkim_verifier *v, size_t i)
{
    struct dkim_verdict verdict;
    dkim_verifier_verdict(v, i, &verdict);
    printf("%s %.*s %.*s %s\n", dkim_result_text(verdict.result), (int)verdict.domain.len,
           verdict.domain.data, (int)verdict.selector.len, verdict.selector.data,
           verdict.algorithm == NULL ? "-" : verdict.algorithm);
    for (size_t s = 0; s < verdict.steps->count; s++)
        printf("\t%s\n", verdict.steps->text[s]);
}

static bool verify(int64_t now_s, struct slice zone, struct slice message)
{
    struct dkim_options options = { .now_s = now_s };
    struct dkim_verifier *v;
    struct header_scan scan;
    struct slice body = message;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    struct slice header = slice_part(message, 0, message.len - body.len);
    if (dkim_verifier_new(&options, header, &v) != ERR_OK)
        return false;
    for (size_t i = 0; i < dkim_verifier_count(v); i++) {
        struct lookup_question question;
        struct fake_zone_answer answer;
        if (!dkim_verifier_question(v, i, &question))
            continue;
        fake_zone_find(zone, &question, &answer);
        dkim_verifier_answer(v, i, &answer.answer);
        fake_zone_drop(&answer);
    }
    dkim_verifier_body(v, body);
    if (dkim_verifier_body_end(v) != ERR_OK)
        return false;
    printf("%s\n", dkim_result_text(dkim_verifier_result(v)));
    for (size_t i = 0; i < dkim_verifier_count(v); i++)
        print_verdict(v, i);
    dkim_verifier_free(&v);
    return true;
}

int main(int argc, char **argv)
{
    struct buffer zone;
    struct buffer message;
    if (argc != 4 || !fake_zone_read_file(argv[2], &zone) ||
        !fake_zone_read_file(argv[3], &message))
        return EXIT_FAILURE;
    bool done = verify(strtoll(argv[1], NULL, 10), buffer_slice(&zone),
                       buffer_slice(&message));
    buffer_free(&zone);
    buffer_free(&message);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
