/* shape_random_test.c: sites under names, limits, replies, refusals, reloads and an operator,
 * at random, in virtual time; what must hold does, and all mail ends. */
#include "queue/fake_world.h"

#include "queue/queue_private.h"

enum { ROUNDS = 40, STEPS = 60, MESSAGES = 600 };

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % below;
}

static bool chance(uint32_t percent)
{
    return draw(100) < percent;
}

static unsigned trouble; /* percent */

static bool answer_somehow(struct world *world, struct attempt_run *run,
                           struct attempt_recipient *r)
{
    if (!chance(trouble))
        return take(world, run, r);
    switch (draw(6)) {
    case 0:
        return false; /* the site is down */
    case 1:
        return say(r, OUTCOME_DEFERRED, 421, (struct smtp_status){ 4, 7, 28 }, SLICE("slower"));
    case 2:
        return say(r, OUTCOME_DEFERRED, 450, (struct smtp_status){ 4, 7, 1 }, SLICE("stop it"));
    case 3:
        return say(r, OUTCOME_FAILED, 550, (struct smtp_status){ 5, 1, 1 }, SLICE("nobody"));
    case 4:
        return say(r, OUTCOME_FAILED, 551, (struct smtp_status){ 5, 7, 1 }, SLICE("not now"));
    default:
        return say(r, OUTCOME_DEFERRED, 451, (struct smtp_status){ 4, 3, 0 }, SLICE("later"));
    }
}

#define REPLIES "replies: [{ status: 4.7.28, then: slow, for: 5m }, { text: stop it, " \
                "then: suspend, for: 20m }, { code: 551, then: defer }]"

static void configure_somehow(void)
{
    static const char *const rates[] = { "none", "none", "30/min", "5/s", "2/min", "1000/s" };
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "queue: { lifetime: 3d }\n"
             "sites: { default: { connections: %u, messages_per_connection: %u, rate: %s, "
             REPLIES " }, %s: { hosts: '*.big', connections: %u, rate: %s }, "
             "own: { domains: a.s1.big, connections: 1 } }\n",
             1 + draw(4), 1 + draw(10), rates[draw(6)], chance(70) ? "big" : "large",
             1 + draw(5), rates[draw(6)]);
    const struct config *next = configuration(yaml);
    queue_configure(w->queue, next);
    config_drop(&w->config);
    w->config = next;
}

static void check(void)
{
    struct queue *q = w->queue;
    struct table_entry *entry = NULL;
    uint64_t ready = 0;
    while ((entry = table_next(&q->sites, entry)) != NULL) {
        struct queue_site *s = container_of(entry, struct queue_site, entry);
        uint32_t all = 0;
        struct table_entry *other = NULL;
        while ((other = table_next(&q->sites, other)) != NULL) {
            struct queue_site *o = container_of(other, struct queue_site, entry);
            all += o->shape == s->shape ? o->connections : 0;
        }
        assert_int_equal(all, s->shape->connections);
        assert_in_range(s->established, 0, s->connections);
        assert_in_range(s->shape->connections, 0, 5);
        assert_in_range(s->busy, 0, 2 * (s->connections + 1));
        ready += s->ready;
        /* What may be sent now was sent. */
        if (s->ready > 0 && site_limit(s) == QUEUE_LIMIT_NONE) {
            entry = NULL;
            bool is_listed = false;
            for (int u = 0; u < URGENCIES; u++)
                is_listed |= !list_is_empty(&s->domains[u]);
            assert_false(is_listed);
            break;
        }
    }
    assert_in_range(ready, 0, q->counts[PLACE_READY]);
}

static void send_somewhere(void)
{
    char to[64];
    if (w->stored_count > MESSAGES)
        return;
    if (chance(50))
        snprintf(to, sizeof to, "x@%c.s%u.big", 'a' + (char)draw(2), draw(6));
    else
        snprintf(to, sizeof to, "x@m.t%u", draw(5));
    for (uint32_t n = 1 + draw(12); n > 0 && w->stored_count < MESSAGES; n--)
        send_one(to);
}

static void step(void)
{
    static const char *const names[] = { "big", "large", "own", "t1", "m.t2", "big/s2.big",
                                         "default", "nobody" };
    switch (draw(12)) {
    case 0:
        configure_somehow();
        break;
    case 1:
        queue_suspend(w->queue, slice_from_string(names[draw(8)]),
                      chance(50) ? 0 : (int64_t)draw(HOUR_MS), SLICE("wait"));
        break;
    case 2:
        queue_resume(w->queue, slice_from_string(names[draw(8)]));
        break;
    case 3:
        w->refuse_over = draw(4);
        break;
    case 4:
        w->keep = chance(60);
        break;
    case 5:
        w->moves = true;
        break;
    case 6:
        trouble = draw(4) * 20;
        break;
    case 7:
        act_on_id((struct mail_id){ 0 }, chance(50) ? QUEUE_RETRY : QUEUE_RELEASE);
        break;
    default:
        send_somewhere();
    }
    run_for(chance(60) ? (int64_t)draw(3000) : (int64_t)draw(20 * MINUTE_MS));
    check();
}

static void end_well(void)
{
    trouble = 0;
    w->refuse_over = 0;
    w->moves = false;
    queue_resume(w->queue, slice_make(NULL, 0));
    run_for(HOUR_MS);
    queue_resume(w->queue, slice_make(NULL, 0));
    run_for(8 * DAY_MS);
    check();
    struct queue_stats stats = queue_stats(w->queue);
    assert_int_equal(stats.messages, 0);
    assert_int_equal(stats.alarms, 0);
}

static void all_ends_well(void **state)
{
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        seed = round * UINT64_C(0x9E3779B97F4A7C15);
        set_up(state);
        print_message("round %llu\n", (unsigned long long)round);
        w->answer = answer_somehow;
        w->takes_ms = draw(200);
        trouble = 30;
        configure_somehow();
        for (int i = 0; i < STEPS; i++)
            step();
        end_well();
        tear_down(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_ends_well) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
