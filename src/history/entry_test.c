/* entry_test.c: what is written of an event is what is read of it, whatever the bytes. */
#include "history/history_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct mail_event attempt(void)
{
    static struct outcome outcome = {
        .kind = OUTCOME_DEFERRED, .code = 451, .status = { 4, 2, 0 },
        .text = SLICE_INIT("later"), .reply_is_remote = true,
        .times = { .connect_ms = 3, .handshake_ms = 5, .transaction_ms = 20 },
        .transport = { .wanted = TRANSPORT_OPPORTUNISTIC, .had = TRANSPORT_REQUIRED,
                       .version = "TLSv1.3", .cipher = "AES" },
    };
    return (struct mail_event){
        .kind = MAIL_DEFERRED, .at = { .wall_ms = 1700000000123 }, .id = { 77 },
        .peer = SLICE("mx[192.0.2.1]:25"), .recipient = SLICE("b@far.test"),
        .outcome = &outcome, .attempts = 2, .delay_ms = 5000,
        .next_due_wall_ms = 1700000300000, .site = SLICE("far.test"),
    };
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

static json_int_t number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void an_attempt_is_read_as_it_was_written(void **state)
{
    struct mail_event event = attempt();
    struct entry_reader r = { .failed = false };
    struct buffer b;
    (void)state;
    buffer_init(&b, ENTRY_MAX);
    entry_append(&b, &event);
    json_t *o = entry_value(&r, buffer_slice(&b), 9, 77);
    assert_string_equal(text_of(o, "event"), "deferred");
    assert_string_equal(text_of(o, "to"), "b@far.test");
    assert_string_equal(text_of(o, "status"), "4.2.0");
    assert_string_equal(text_of(o, "tls_wanted"), "opportunistic");
    assert_string_equal(text_of(o, "site"), "far.test");
    assert_int_equal(number_of(o, "time"), 1700000000123);
    assert_int_equal(number_of(o, "next"), 1700000300000);
    assert_int_equal(number_of(o, "tls_ms"), 5);
    assert_int_equal(number_of(o, "cursor"), 9);
    json_decref(o);
    buffer_free(&b);
}

static void a_row_leaves_out_the_texts_of_before(void **state)
{
    struct mail_event event = attempt();
    struct entry_reader shared = { .failed = false }, r = { .failed = false };
    struct buffer b, row;
    struct slice entry, rest;
    (void)state;
    buffer_init(&b, ENTRY_MAX);
    buffer_init(&row, 65536);
    entry_append(&b, &event);
    row_add(&row, &shared, buffer_slice(&b));
    size_t first = buffer_len(&row);
    row_add(&row, &shared, buffer_slice(&b));
    assert_true(buffer_len(&row) - first < first - 40);
    rest = buffer_slice(&row);
    for (int i = 0; i < 2; i++) {
        assert_true(row_next(&rest, &entry));
        json_t *o = entry_value(&r, entry, 1, 77);
        assert_string_equal(text_of(o, "reply"), "later");
        assert_string_equal(text_of(o, "peer"), "mx[192.0.2.1]:25");
        json_decref(o);
    }
    assert_false(row_next(&rest, &entry));
    buffer_free(&b);
    buffer_free(&row);
}

static void an_acceptance_names_as_many_as_there_is_room_for(void **state)
{
    enum { MANY = 2000 };
    struct envelope_recipient *all = calloc(MANY, sizeof *all);
    struct envelope envelope = { .sender = SLICE("a@x"), .recipients = all,
                                 .recipients_count = MANY };
    struct mail_event event = { .kind = MAIL_ACCEPTED, .id = { 1 }, .envelope = &envelope,
                                .sender = SLICE("a@x"), .message_id = SLICE("m@x") };
    struct entry_reader r = { .failed = false };
    struct buffer b;
    (void)state;
    for (int i = 0; i < MANY; i++)
        all[i].address = SLICE("somebody@somewhere.example");
    buffer_init(&b, ENTRY_MAX);
    entry_append(&b, &event);
    assert_false(b.overflow);
    json_t *o = entry_value(&r, buffer_slice(&b), 1, 1);
    assert_int_equal(number_of(o, "recipients"), MANY);
    assert_in_range(json_array_size(json_object_get(o, "to")), 100, MANY - 1);
    assert_string_equal(text_of(o, "message_id"), "m@x");
    json_decref(o);
    buffer_free(&b);
    free(all);
}

/* Cut anywhere, or with any byte another: a value or none, and never beyond the end. */
static void damaged_entries_are_harmless(void **state)
{
    struct mail_event event = attempt();
    struct buffer b;
    (void)state;
    buffer_init(&b, ENTRY_MAX);
    entry_append(&b, &event);
    struct slice whole = buffer_slice(&b);
    for (size_t i = 0; i < whole.len; i++) {
        struct entry_reader r = { .failed = false };
        char *copy = malloc(i + 1);
        memcpy(copy, whole.data, i);
        json_decref(entry_value(&r, slice_make(copy, i), 1, 1));
        free(copy);
        for (int byte = 0; byte < 256; byte += 5) {
            struct entry_reader other = { .failed = false };
            char kept = whole.data[i];
            b.memory[b.start + i] = (char)byte;
            json_decref(entry_value(&other, whole, 1, 1));
            b.memory[b.start + i] = kept;
        }
    }
    buffer_free(&b);
}

static void a_filter_knows_what_was_added(void **state)
{
    uint8_t bits[FILTER_BYTES] = { 0 };
    unsigned wrong = 0;
    char text[64];
    (void)state;
    for (int i = 0; i < FILTER_KEYS_MAX; i++) {
        snprintf(text, sizeof text, "User%d@example.com", i);
        filter_add(bits, filter_key(slice_from_string(text)));
    }
    for (int i = 0; i < 2 * FILTER_KEYS_MAX; i++) {
        snprintf(text, sizeof text, "user%d@EXAMPLE.com", i);
        bool may_have = filter_may_have(bits, filter_key(slice_from_string(text)));
        assert_true(may_have || i >= FILTER_KEYS_MAX);
        wrong += i >= FILTER_KEYS_MAX && may_have;
    }
    assert_in_range(wrong, 0, FILTER_KEYS_MAX / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_read_as_it_was_written),
        cmocka_unit_test(a_row_leaves_out_the_texts_of_before),
        cmocka_unit_test(an_acceptance_names_as_many_as_there_is_room_for),
        cmocka_unit_test(damaged_entries_are_harmless),
        cmocka_unit_test(a_filter_knows_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
