/* compliance_test.c: a good and a bad case of each rule. */
#include "verify/compliance.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOOD "From: Ann <ann@our.test>\r\nDate: Thu, 26 Nov 2026 01:02:03 +0000\r\n" \
             "Message-ID: <1@our.test>\r\nSubject: x\r\n"
#define CLICK "List-Unsubscribe: <mailto:off@our.test>,\r\n <https://our.test/off?x=1>\r\n" \
              "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"

static const struct {
    const char *header;
    bool is_to_many;
    unsigned faults;
} cases[] = {
    { GOOD, false, 0 },
    { GOOD "\r\n", false, 0 },
    { GOOD CLICK, false, 0 },
    { GOOD CLICK, true, 0 },
    { GOOD, true, COMPLIANCE_UNSUBSCRIBE },
    { GOOD "List-Id: <a.our.test>\r\n", false, COMPLIANCE_UNSUBSCRIBE },
    { GOOD "Precedence: bulk\r\n", false, COMPLIANCE_UNSUBSCRIBE },
    { GOOD "Precedence: first-class\r\n", false, 0 },
    { GOOD "Feedback-ID: a:b:c:d\r\n" CLICK, false, 0 },
    { GOOD "List-Unsubscribe: <https://our.test/off>\r\n", false, COMPLIANCE_UNSUBSCRIBE },
    { GOOD "List-Unsubscribe: <mailto:off@our.test>\r\n"
           "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", false, COMPLIANCE_UNSUBSCRIBE },
    { GOOD "List-Unsubscribe: <http://our.test/off>\r\n"
           "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", false, COMPLIANCE_UNSUBSCRIBE },
    { GOOD "List-Unsubscribe: <https://our.test/off>\r\nList-Unsubscribe-Post: yes\r\n", false,
      COMPLIANCE_UNSUBSCRIBE },
    { GOOD "From: b@our.test\r\n", false, COMPLIANCE_FROM },
    { "Date: Thu, 26 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@our.test>\r\n", false,
      COMPLIANCE_FROM },
    { GOOD "Date: Thu, 26 Nov 2026 01:02:03 +0000\r\n", false, COMPLIANCE_DATE },
    { "From: a@our.test\r\nDate: soon\r\nMessage-ID: <1@our.test>\r\n", false, COMPLIANCE_DATE },
    { "From: a@our.test\r\nMessage-ID: <1@our.test>\r\n", false, COMPLIANCE_DATE },
    { "From: a@our.test\r\nDate: Thu, 26 Nov 2026 01:02:03 +0000\r\n", false,
      COMPLIANCE_MESSAGE_ID },
    { GOOD "Message-ID: <2@our.test>\r\n", false, COMPLIANCE_MESSAGE_ID },
    { "From: a@else.test\r\nDate: Thu, 26 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@x>\r\n",
      false, COMPLIANCE_DKIM },
    { "DKIM-Signature: v=1; d=else.test; s=s; b=x\r\nFrom: a@mail.else.test\r\n"
      "Date: Thu, 26 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@x>\r\n", false, 0 },
    { "DKIM-Signature: v=1; d=third.test; s=s; b=x\r\nFrom: a@else.test\r\n"
      "Date: Thu, 26 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@x>\r\n", false, COMPLIANCE_DKIM },
    { "From: a@below.our.test\r\nDate: Thu, 26 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@x>\r\n",
      false, 0 },
};

static const struct config *config_with_keys(void)
{
    const struct config *config = NULL;
    struct config_error error;
    struct config_flags flags = { .data = SLICE("/tmp/x") };
    static const char yaml[] =
        "hostname: mx.our.test\nlisten: ['127.0.0.1:0']\n"
        "domains: { our.test: { relay: true, dkim_subdomains: true,\n"
        "  dkim: [{ selector: s, key: /k }] } }\n";
    char path[] = "/tmp/godwit-compliance-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, sizeof yaml - 1), sizeof yaml - 1);
    close(fd);
    enum err result = config_load(slice_from_string(path), &flags, &config, &error);
    unlink(path);
    assert_int_equal(result, ERR_OK);
    return config;
}

static void each_rule_has_its_cases(void **state)
{
    const struct config *config = config_with_keys();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct compliance c;
        compliance_header(config, slice_from_string(cases[i].header), &c);
        compliance_body(&c, SLICE("a body\r\n"));
        if (compliance_faults(&c, cases[i].is_to_many) != cases[i].faults)
            fail_msg("case %zu: %u", i, compliance_faults(&c, cases[i].is_to_many));
    }
    config_drop(&config);
}

static void lines_are_counted_over_pieces(void **state)
{
    static const struct { size_t octets; bool is_fault; } lines[] = {
        { 0, false }, { 997, false }, { 998, false }, { 999, true }, { 70000, true },
    };
    static char text[70002];
    struct config config = { .hostname = SLICE("mx.our.test") };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        memset(text, 'x', lines[i].octets);
        memcpy(text + lines[i].octets, "\r\n", 2);
        for (size_t cut = 0; cut <= lines[i].octets + 2; cut += 499) {
            struct compliance c;
            compliance_header(&config, slice_make(NULL, 0), &c);
            compliance_body(&c, slice_make(text, cut));
            compliance_body(&c, slice_make(text + cut, lines[i].octets + 2 - cut));
            compliance_body(&c, SLICE("short\r\n"));
            assert_int_equal((compliance_faults(&c, false) & COMPLIANCE_LINES) != 0,
                             lines[i].is_fault);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_has_its_cases),
        cmocka_unit_test(lines_are_counted_over_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
