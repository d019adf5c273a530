/* letter_test.c: what filters may make of a message, and what they may not. */
#include "milter/letter.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct world {
    struct arena arena;
    struct letter letter;
};

static const struct envelope_recipient two[] = {
    { .address = SLICE_INIT("a@far.test") }, { .address = SLICE_INIT("b@far.test") },
};

static void open_world(struct world *w, struct slice header)
{
    static const struct letter_limits limits = { 4096, 8, 4 };
    static const struct envelope envelope = {
        .sender = SLICE_INIT("s@near.test"), .recipients = two, .recipients_count = 2,
    };
    arena_init(&w->arena, 1 << 20);
    assert_true(letter_make(&w->letter, &w->arena, &limits, header, &envelope));
}

static void assert_header(const struct letter *l, const char *wanted)
{
    struct buffer all;
    buffer_init(&all, 65536);
    for (size_t i = 0; i < l->fields_count; i++)
        buffer_append(&all, l->fields[i]);
    size_t len = buffer_len(&all);
    assert_int_equal(len, l->header_bytes);
    buffer_append_byte(&all, '\0');
    assert_string_equal(buffer_slice(&all).data, wanted);
    buffer_free(&all);
}

static void fields_are_added_inserted_changed_and_taken_out(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, SLICE("A: 1\r\nB: 2\r\n 3\r\na: 4\r\n\r\n"));
    struct letter *l = &w.letter;
    assert_true(l->has_end);
    assert_null(letter_add(l, SLICE("Z"), SLICE("z"), false));
    assert_null(letter_insert(l, 0, SLICE("T"), SLICE("t"), false));
    assert_null(letter_insert(l, 2, SLICE("M"), SLICE(" m"), true));
    assert_null(letter_insert(l, 99, SLICE("Y"), SLICE("y"), true));
    assert_header(l, "T: t\r\nA: 1\r\nM: m\r\nB: 2\r\n 3\r\na: 4\r\nZ: z\r\nY:y\r\n");
    assert_null(letter_change(l, 2, SLICE("A"), SLICE("new"), false));
    assert_null(letter_change(l, 1, SLICE("B"), SLICE(""), false));
    assert_null(letter_change(l, 5, SLICE("B"), SLICE(""), false));
    assert_null(letter_change(l, 3, SLICE("C"), SLICE("c"), false));
    assert_header(l, "T: t\r\nA: 1\r\nM: m\r\nA: new\r\nZ: z\r\nY:y\r\nC: c\r\n");
    arena_free(&w.arena);
}

/* The place of our own field counts, and nobody sees it. */
static void our_own_field_has_a_place(void **state)
{
    (void)state;
    struct world w;
    struct slice name;
    struct slice value;
    open_world(&w, SLICE("A: 1\r\nB: 2\r\n\r\n"));
    struct letter *l = &w.letter;
    assert_true(letter_prepend(l, SLICE("P: p\r\n")));
    assert_int_equal(l->fields[0].len, 0);
    assert_false(letter_field(l, 0, &name, &value));
    assert_null(letter_insert(l, 1, SLICE("Y"), SLICE("y"), false));
    assert_null(letter_insert(l, 0, SLICE("X"), SLICE("x"), false));
    assert_int_equal(l->fields[1].len, 0);
    assert_header(l, "X: x\r\nY: y\r\nP: p\r\nA: 1\r\nB: 2\r\n");
    arena_free(&w.arena);
}

/* HOSTILE 13: no line end of a filter's gets through as one. */
static void no_line_end_is_injected(void **state)
{
    (void)state;
    static const struct { struct slice value; const char *wanted; } cases[] = {
        { SLICE_INIT("a\nb"), "X: a\r\n\tb\r\n" },
        { SLICE_INIT("a\r\n b"), "X: a\r\n b\r\n" },
        { SLICE_INIT("a\n\tb\r\n  c"), "X: a\r\n\tb\r\n  c\r\n" },
        { SLICE_INIT("a\r\n\r\nBcc: x@y"), "X: a\r\n\tBcc: x@y\r\n" },
        { SLICE_INIT("a\rB: c"), "X: a\r\n\tB: c\r\n" },
        { SLICE_INIT("a\n \n \nb"), "X: a\r\n\tb\r\n" },
        { SLICE_INIT("a\n\n"), "X: a\r\n" },
        { SLICE_INIT("\nb"), "X: \r\n\tb\r\n" },
        { SLICE_INIT("\r\n.\r\n"), "X: \r\n\t.\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        open_world(&w, SLICE(""));
        assert_null(letter_add(&w.letter, SLICE("X"), cases[i].value, false));
        assert_header(&w.letter, cases[i].wanted);
        arena_free(&w.arena);
    }
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct slice names[] = {
        SLICE_INIT(""), SLICE_INIT("A:"), SLICE_INIT("A B"), SLICE_INIT("A\r\nB"),
        SLICE_INIT("\x80"), SLICE_INIT("A\t"), SLICE_INIT("\x7f"),
    };
    struct world w;
    open_world(&w, SLICE("A: 1\r\n\r\n"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_non_null(letter_add(&w.letter, names[i], SLICE("x"), false));
        assert_non_null(letter_insert(&w.letter, 0, names[i], SLICE("x"), false));
        assert_non_null(letter_change(&w.letter, 1, names[i], SLICE("x"), false));
    }
    assert_header(&w.letter, "A: 1\r\n");
    arena_free(&w.arena);
}

static void a_header_has_its_limits(void **state)
{
    (void)state;
    char large[5000];
    struct world w;
    memset(large, 'x', sizeof large);
    open_world(&w, SLICE("A: 1\r\n\r\n"));
    assert_non_null(letter_add(&w.letter, SLICE("X"), slice_make(large, sizeof large), false));
    for (int i = 0; i < 7; i++)
        assert_null(letter_add(&w.letter, SLICE("X"), SLICE("x"), false));
    assert_non_null(letter_add(&w.letter, SLICE("X"), SLICE("x"), false));
    assert_int_equal(w.letter.fields_count, 8);
    arena_free(&w.arena);
}

static void a_fork_is_apart(void **state)
{
    (void)state;
    struct world w;
    struct letter fork;
    open_world(&w, SLICE("A: 1\r\n\r\n"));
    assert_true(letter_fork(&w.letter, &fork));
    assert_null(letter_change(&fork, 1, SLICE("A"), SLICE("2"), false));
    assert_null(letter_add(&fork, SLICE("B"), SLICE("3"), false));
    assert_null(letter_delete_recipient(&fork, SLICE("<a@far.test>")));
    assert_null(letter_set_sender(&fork, SLICE("<>"), SLICE("")));
    assert_header(&w.letter, "A: 1\r\n");
    assert_header(&fork, "A: 2\r\nB: 3\r\n");
    assert_int_equal(w.letter.recipients_count, 2);
    assert_int_equal(w.letter.sender.len, 11);
    assert_int_equal(fork.recipients_count, 1);
    assert_int_equal(fork.sender.len, 0);
    arena_free(&w.arena);
}

static void recipients_come_and_go(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, SLICE("A: 1\r\n\r\n"));
    struct letter *l = &w.letter;
    assert_null(letter_add_recipient(l, SLICE("<c@far.test>"), SLICE("NOTIFY=NEVER X=1")));
    assert_null(letter_add_recipient(l, SLICE("c@FAR.test"), SLICE("")));
    assert_int_equal(l->recipients_count, 3);
    assert_int_equal(l->recipients[2].notify, DSN_NOTIFY_NEVER);
    assert_null(letter_delete_recipient(l, SLICE("b@far.TEST")));
    assert_null(letter_delete_recipient(l, SLICE("nobody@far.test")));
    assert_int_equal(l->recipients_count, 2);
    static const struct slice none[] = {
        SLICE_INIT(""), SLICE_INIT("<>"), SLICE_INIT("x"), SLICE_INIT("<a@b"),
        SLICE_INIT("a@b\r\nRCPT TO:<c@d>"), SLICE_INIT("<a@b> NOTIFY=NEVER"),
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_non_null(letter_add_recipient(l, none[i], SLICE("")));
        assert_non_null(letter_delete_recipient(l, none[i]));
    }
    assert_non_null(letter_add_recipient(l, SLICE("d@b"), SLICE("NOTIFY=SOMETIMES")));
    assert_null(letter_add_recipient(l, SLICE("d@b"), SLICE("")));
    assert_null(letter_add_recipient(l, SLICE("e@b"), SLICE("")));
    assert_non_null(letter_add_recipient(l, SLICE("f@b"), SLICE("")));
    assert_null(letter_set_sender(l, SLICE("new@near.test"), SLICE("RET=HDRS ENVID=q")));
    assert_int_equal(l->ret, DSN_RET_HEADERS);
    assert_true(slice_equal(l->envid, SLICE("q")));
    assert_non_null(letter_set_sender(l, SLICE("x\ny@z"), SLICE("")));
    assert_true(slice_equal(l->sender, SLICE("new@near.test")));
    arena_free(&w.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_added_inserted_changed_and_taken_out),
        cmocka_unit_test(our_own_field_has_a_place),
        cmocka_unit_test(no_line_end_is_injected),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(a_header_has_its_limits),
        cmocka_unit_test(a_fork_is_apart),
        cmocka_unit_test(recipients_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
