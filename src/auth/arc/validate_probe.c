/* validate_probe.c: the chains of messages, for the tests that compare us with others.
 *
 *   validate_probe NOW ZONE MESSAGE
 *   validate_probe NOW ZONE MESSAGE KEY DOMAIN SELECTOR RESULTS
 *
 * ZONE is a file as fake_zone.h has it. The first prints the result, how many sets there
 * are and the oldest that passes, then the steps, each behind a tab. The second validates,
 * and prints the set of fields that seals the message.
 */
#include "auth/arc/seal.h"
#include "auth/arc/validate.h"
#include "auth/signature/fake_zone.h"
#include "wire/message/header.h"

#include <stdlib.h>

static void answer_all(struct arc_validator *v, struct slice zone)
{
    for (size_t i = 0; i < arc_validator_questions(v); i++) {
        struct lookup_question question;
        struct fake_zone_answer answer;
        if (!arc_validator_question(v, i, &question))
            continue;
        fake_zone_find(zone, &question, &answer);
        arc_validator_answer(v, i, &answer.answer);
        fake_zone_drop(&answer);
    }
}

static struct arc_validator *validate(int64_t now_s, struct slice zone, struct slice header,
                                      struct slice body)
{
    struct arc_validator *v = NULL;
    struct arc_options options = { .now_s = now_s };
    if (arc_validator_new(&options, header, &v) != ERR_OK)
        exit(EXIT_FAILURE);
    answer_all(v, zone);
    arc_validator_body(v, body);
    if (arc_validator_body_end(v) != ERR_OK)
        exit(EXIT_FAILURE);
    return v;
}

static bool seal(const struct arc_sealing *sealing, struct slice header, struct slice body)
{
    struct arc_sealer *sealer = NULL;
    enum arc_sealing_fault fault = ARC_SEALING_FINE;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    bool good = arc_sealer_new(sealing, header, &sealer, &fault) == ERR_OK;
    if (good) {
        arc_sealer_body(sealer, body);
        good = arc_sealer_finish(sealer, &out) == ERR_OK;
    }
    fwrite(buffer_slice(&out).data, 1, buffer_len(&out), stdout);
    arc_sealer_free(&sealer);
    buffer_free(&out);
    return good;
}

static bool read_key(const char *path, struct private_key **out)
{
    struct buffer pem;
    struct key_trouble trouble;
    bool good = fake_zone_read_file(path, &pem) &&
                private_key_read(buffer_slice(&pem), out, &trouble) == ERR_OK;
    buffer_free(&pem);
    return good;
}

int main(int argc, char **argv)
{
    struct buffer zone;
    struct buffer message;
    struct arc_verdict verdict;
    struct header_scan scan;
    bool good = true;
    if ((argc != 4 && argc != 8) || !fake_zone_read_file(argv[2], &zone) ||
        !fake_zone_read_file(argv[3], &message))
        return EXIT_FAILURE;
    struct slice body = buffer_slice(&message);
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    struct slice header = slice_part(buffer_slice(&message), 0, buffer_len(&message) - body.len);
    int64_t now_s = strtoll(argv[1], NULL, 10);
    struct arc_validator *v = validate(now_s, buffer_slice(&zone), header, body);
    arc_validator_verdict(v, &verdict);
    if (argc == 4) {
        printf("%s %u %u\n", arc_result_text(verdict.result), verdict.sets,
               verdict.oldest_pass);
        for (size_t i = 0; i < verdict.steps->count; i++)
            printf("\t%s\n", verdict.steps->text[i]);
    } else {
        struct arc_sealing sealing = {
            .domain = slice_from_string(argv[5]), .selector = slice_from_string(argv[6]),
            .results = slice_from_string(argv[7]), .chain = verdict.result,
            .signed_at_s = now_s,
        };
        good = read_key(argv[4], &sealing.key) && seal(&sealing, header, body);
        private_key_drop(&sealing.key);
    }
    arc_validator_free(&v);
    buffer_free(&zone);
    buffer_free(&message);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
