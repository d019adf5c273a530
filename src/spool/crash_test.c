/* crash_test.c: every point at which the power may go.
 *
 * A script of commits, outcomes, aborts, rewinds, checkpoints and compactions runs
 * on the recording file system. Then for each point of the record, and for many
 * choices of what of the unsynced survived, the spool is recovered and asked: is
 * everything there that was acknowledged, as it was, and nothing that was not sent?
 */
#include "spool/rig_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    MESSAGES = 120,
    RECIPIENTS = 3,
    NEVER = 1 << 30,
    STATES_MAX = 64,
};

/* A state of a recipient as it was asked for and acknowledged, in changes. */
struct step {
    enum recipient_state state;
    uint16_t attempts;
    size_t asked;
    size_t told;
};

struct told {
    struct rig_message message;
    uint64_t id;
    size_t asked;    /* the commit was called: before, nothing may be visible */
    size_t told;     /* it was acknowledged: from then on it must be there */
    size_t steps_count[RECIPIENTS];
    struct step steps[RECIPIENTS][STATES_MAX];
};

struct script {
    struct rig *rig;
    struct told told[MESSAGES];
    size_t count;
    uint64_t random;
    size_t note_told;    /* changes when the last note was on its way for sure */
    bool in_order;
};

static uint64_t pick(uint64_t *state, uint64_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * 0x2545f4914f6cdd1du >> 33) % below;
}

static size_t now(struct script *s)
{
    return spool_fake_changes(s->rig->fake);
}

static void put_step(struct script *s, struct told *told, size_t recipient,
                     enum recipient_state state, size_t asked, size_t told_at)
{
    (void)s;
    size_t n = told->steps_count[recipient]++;
    must(n < STATES_MAX);
    told->steps[recipient][n] = (struct step){ state, (uint16_t)n, asked, told_at };
}

static bool is_live(const struct told *told)
{
    if (told->told == NEVER)
        return false;
    for (size_t i = 0; i < told->message.recipients; i++)
        if (!recipient_state_is_final(
                told->steps[i][told->steps_count[i] - 1].state))
            return true;
    return false;
}

static void script_put(struct script *s)
{
    static const size_t sizes[] = { 0, 10, 700, 3000, 4096, 9000, 17000, 30000 };
    struct told *told = &s->told[s->count];
    *told = (struct told){ .told = NEVER };
    told->message = (struct rig_message){
        .seed = (uint32_t)s->count + 1, .size = sizes[pick(&s->random, 8)],
        .recipients = 1 + pick(&s->random, RECIPIENTS),
        .hold = pick(&s->random, 8) == 0,
    };
    told->asked = now(s);
    struct rig_commit commit = rig_put(s->rig, &told->message);
    told->id = commit.id.value;
    if (told->id == 0)
        return;
    /* Where a device failed nobody knows what it kept; every other refusal means
     * that nothing was. */
    if (commit.result == ERR_OK)
        told->told = now(s);
    else if (commit.result != ERR_IO)
        told->asked = NEVER;
    for (size_t i = 0; i < told->message.recipients; i++)
        put_step(s, told, i, told->message.hold ? RECIPIENT_HELD : RECIPIENT_QUEUED,
                 told->asked, told->told);
    s->count++;
}

static struct told *pick_live(struct script *s)
{
    for (int i = 0; i < 20 && s->count > 0; i++) {
        struct told *told = &s->told[pick(&s->random, s->count)];
        if (is_live(told))
            return told;
    }
    return NULL;
}

static enum recipient_state pick_state(struct script *s)
{
    static const enum recipient_state states[] = {
        RECIPIENT_QUEUED, RECIPIENT_DELIVERED, RECIPIENT_RELAYED, RECIPIENT_FAILED,
    };
    return states[pick(&s->random, 4)];
}

/* All recipients of a message at once, or one. */
static void script_update(struct script *s)
{
    struct told *told = pick_live(s);
    struct recipient_update updates[RECIPIENTS];
    size_t count = 0;
    if (told == NULL)
        return;
    bool all = pick(&s->random, 3) == 0;
    size_t first = pick(&s->random, told->message.recipients);
    for (size_t i = 0; i < told->message.recipients; i++) {
        if ((!all && i != first) || told->steps_count[i] >= STATES_MAX - 1 ||
            recipient_state_is_final(told->steps[i][told->steps_count[i] - 1].state))
            continue;
        enum recipient_state state = all ? RECIPIENT_DELIVERED : pick_state(s);
        updates[count++] = rig_state(told->id, (uint32_t)i, state,
                                     (uint16_t)told->steps_count[i]);
        put_step(s, told, i, state, now(s), NEVER);
    }
    if (count == 0 || rig_update_many(s->rig, updates, count) != ERR_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t r = updates[i].recipient;
        told->steps[r][told->steps_count[r] - 1].told = now(s);
    }
}

static void script_abort(struct script *s)
{
    struct rig_message m = { .seed = 999, .size = pick(&s->random, 40000),
                             .recipients = 1 };
    struct intake_writer *writer;
    bool resumed;
    struct intake_begin begin = { .home = &s->rig->home.home, .resume = rig_resumed,
                                  .context = &resumed };
    if (intake_begin(spool_intake(s->rig->spool), &begin, &writer) != ERR_OK)
        return;
    rig_write_body(s->rig, writer, &m, &resumed);
    intake_abort(&writer);
}

static void script_run(struct script *s, size_t messages)
{
    for (int i = 0; s->count < messages && i < 1000; i++) {
        uint64_t what = pick(&s->random, 10);
        if (what < 4)
            script_put(s);
        else if (what < 9)
            script_update(s);
        else
            script_abort(s);
        if (i % 7 == 0)
            spool_note_set(s->rig->spool, SLICE("n"), SLICE("v"));
    }
}

/* Whether what was recovered for one recipient is one of the states that it may
 * have: the last acknowledged one or any asked for after it. */
static bool state_is_possible(const struct told *told, size_t recipient, size_t at,
                              const struct spool_recipient *r)
{
    const struct step *steps = told->steps[recipient];
    size_t last_told = 0;
    for (size_t i = 0; i < told->steps_count[recipient]; i++)
        if (steps[i].told <= at)
            last_told = i;
    for (size_t i = last_told; i < told->steps_count[recipient]; i++)
        if (steps[i].asked <= at && steps[i].state == r->state &&
            (i == 0 || steps[i].attempts == r->attempts))
            return true;
    return false;
}

/* Whether the message may be gone: each recipient was asked to end. */
static bool may_be_gone(const struct told *told, size_t at)
{
    if (told->told > at)
        return true;
    for (size_t r = 0; r < told->message.recipients; r++) {
        bool ends = false;
        for (size_t i = 0; i < told->steps_count[r]; i++)
            ends |= told->steps[r][i].asked <= at &&
                    recipient_state_is_final(told->steps[r][i].state);
        if (!ends)
            return false;
    }
    return true;
}

static bool must_be_gone(const struct told *told, size_t at)
{
    for (size_t r = 0; r < told->message.recipients; r++) {
        bool ended = false;
        for (size_t i = 0; i < told->steps_count[r]; i++)
            ended |= told->steps[r][i].told <= at &&
                     recipient_state_is_final(told->steps[r][i].state);
        if (!ended)
            return false;
    }
    return true;
}

static const char *complaint_about(struct rig *rig, const struct told *told, size_t at)
{
    struct spool_arrival *arrival = rig_find(rig, told->id);
    if (arrival == NULL)
        return may_be_gone(told, at) ? NULL : "lost";
    if (told->asked > at)
        return "there before it was sent";
    if (must_be_gone(told, at))
        return "there after it ended";
    if (arrival->recipients_count != told->message.recipients)
        return "recipients";
    for (size_t r = 0; r < arrival->recipients_count; r++)
        if (!state_is_possible(told, r, at, &arrival->recipients[r]))
            return "state";
    return rig_reads_back(rig, told->id, &told->message) ? NULL : "content";
}

/* Opens what is left and judges it. `at` is the number of changes that happened. */
static void judge(struct script *s, struct spool_fake *left, size_t at, uint64_t seed,
                  size_t damaged_max)
{
    struct rig *rig = rig_make(left);
    enum err error = rig_open(rig);
    size_t known = 0;
    size_t damaged = 0;
    if (error != ERR_OK)
        fail_msg("at %zu, seed %zu: open says %s", at, (size_t)seed, err_text(error));
    for (size_t i = 0; i < s->count; i++) {
        const char *complaint = complaint_about(rig, &s->told[i], at);
        known += rig_find(rig, s->told[i].id) != NULL;
        if (complaint != NULL && ++damaged > damaged_max)
            fail_msg("at %zu, seed %zu: message %zu (%zu bytes, told at %zu): %s", at,
                     (size_t)seed, i, s->told[i].message.size, s->told[i].told,
                     complaint);
    }
    if (known != rig->arrivals_count)
        fail_msg("at %zu, seed %zu: a message that nobody sent", at, (size_t)seed);
    rig_free(rig);
}

static struct script *script_make(uint64_t random)
{
    struct script *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->random = random;
    s->rig = rig_make(spool_fake_new());
    assert_int_equal(rig_open(s->rig), ERR_OK);
    return s;
}

static void script_free(struct script *s)
{
    rig_free(s->rig);
    free(s);
}

static void kill_at_every_point(void **state)
{
    (void)state;
    struct script *s = script_make(11);
    script_run(s, 60);
    size_t end = now(s);
    for (size_t at = 0; at <= end; at += 1 + at / 400)
        judge(s, spool_fake_crash(s->rig->fake, at, at, false), at, 0, 0);
    script_free(s);
}

static void power_loss_at_every_point(void **state)
{
    (void)state;
    size_t states = 0;
    for (uint64_t round = 0; round < 3; round++) {
        struct script *s = script_make(77 + round);
        script_run(s, 50);
        size_t end = now(s);
        for (size_t at = 0; at <= end; at++, states++)
            judge(s, spool_fake_crash(s->rig->fake, at, round * 100000 + at, true), at,
                  round * 100000 + at, 0);
        script_free(s);
    }
    print_message("%zu states\n", states);
}

/* The machine dies, and dies again at every point of the recovery. */
static void power_loss_while_recovering(void **state)
{
    (void)state;
    struct script *s = script_make(5);
    script_run(s, 40);
    size_t end = now(s);
    for (size_t i = 1; i <= 12; i++) {
        size_t at = end * i / 12;
        struct rig *rig = rig_make(spool_fake_crash(s->rig->fake, at, i, true));
        assert_int_equal(rig_open(rig), ERR_OK);
        size_t changes = spool_fake_changes(rig->fake);
        for (size_t c = 0; c <= changes; c += 1 + c / 30)
            judge(s, spool_fake_crash(rig->fake, c, c + i, true), at, c, 0);
        rig_free(rig);
    }
    script_free(s);
}

/* Power goes in a second life, after a first that ended well or badly. */
static void power_loss_in_a_later_life(void **state)
{
    (void)state;
    for (uint64_t life = 0; life < 2; life++) {
        struct script *s = script_make(31 + life);
        script_run(s, 30);
        struct spool_fake *left;
        if (life == 0) {
            rig_close(s->rig);
            left = spool_fake_crash(s->rig->fake, now(s), 1, true);
        } else {
            left = spool_fake_crash(s->rig->fake, now(s), 2, true);
        }
        for (size_t i = 0; i < s->count; i++) {
            struct told *told = &s->told[i];
            told->asked = told->told = 0;
            for (size_t r = 0; r < told->message.recipients; r++)
                for (size_t n = 0; n < told->steps_count[r]; n++)
                    told->steps[r][n].asked = told->steps[r][n].told = 0;
        }
        rig_free(s->rig);
        s->rig = rig_make(left);
        assert_int_equal(rig_open(s->rig), ERR_OK);
        size_t begin = now(s);
        script_run(s, 60);
        size_t end = now(s);
        for (size_t at = begin; at <= end; at += 2)
            judge(s, spool_fake_crash(s->rig->fake, at, at, true), at, at, 0);
        script_free(s);
    }
}

/* Each call in turn fails. What was acknowledged before, or after, holds. */
static void any_call_may_fail(void **state)
{
    (void)state;
    static const enum err errors[] = { ERR_IO, ERR_FULL };
    for (size_t e = 0; e < 2; e++)
        for (size_t n = 0; n < 260; n++) {
            struct script *s = script_make(900 + n);
            spool_fake_fail(s->rig->fake, n, e == 0 ? 1 : 1 + n % 5, errors[e]);
            for (size_t i = 0; i < 60 && s->count < 25; i++) {
                script_put(s);
                script_update(s);
            }
            assert_true(s->rig->failures <= 1);
            size_t end = now(s);
            judge(s, spool_fake_crash(s->rig->fake, end, n, true), end, n, 0);
            judge(s, spool_fake_crash(s->rig->fake, end, n, false), end, n, 0);
            script_free(s);
        }
}

/* And each call of a recovery. */
static void any_call_of_open_may_fail(void **state)
{
    (void)state;
    struct script *s = script_make(42);
    script_run(s, 30);
    size_t end = now(s);
    size_t refused = 0;
    for (size_t n = 0; n < 400; n++) {
        struct rig *rig = rig_make(spool_fake_crash(s->rig->fake, end, n, true));
        spool_fake_fail(rig->fake, n, 1, n % 2 == 0 ? ERR_IO : ERR_FULL);
        refused += rig_open(rig) != ERR_OK;
        spool_fake_fail(rig->fake, 0, 0, ERR_OK);
        struct spool_fake *left = spool_fake_crash(rig->fake,
                                                   spool_fake_changes(rig->fake), n, true);
        judge(s, left, end, n, 0);
        rig_free(rig);
    }
    assert_true(refused > 0);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_at_every_point),
        cmocka_unit_test(power_loss_at_every_point),
        cmocka_unit_test(power_loss_while_recovering),
        cmocka_unit_test(power_loss_in_a_later_life),
        cmocka_unit_test(any_call_may_fail),
        cmocka_unit_test(any_call_of_open_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
