/* simulation_test.c: days of mail in virtual time: the real scheduler, a fake loop, and
 * receivers whose behaviour is data. What came of it is printed as a table and asserted. */
#include "queue/fake_world.h"

#include "base/cursor.h"

#include <libgen.h>

enum { SITES_MAX = 16, MAILS_MAX = 32, FACTS_MAX = 64 };

enum behaviour { TAKES, GREYLISTS, DOWN, DEFERS };

struct receiver {
    char name[64];
    enum behaviour behaviour;
    uint32_t count;              /* TAKES */
    int64_t time_ms;
    int64_t period;              /* the number of the one whose messages are counted */
    uint32_t in_period;
    uint32_t attempts;
    uint32_t refused;
    uint32_t delivered;
    uint32_t failed;
    uint32_t most_attempts;
    int64_t last_ms;             /* delivery */
};

struct batch {
    struct receiver *to;
    uint32_t count;
    int64_t at_ms;
};

struct fact {
    struct receiver *of;
    char what[32];
    bool is_least;
    int64_t number;
};

static struct simulation {
    struct receiver sites[SITES_MAX];
    size_t sites_count;
    struct batch mails[MAILS_MAX];
    size_t mails_count;
    struct fact facts[FACTS_MAX];
    size_t facts_count;
    char config[4096];
    int64_t run_ms;
    int64_t begin_ms;
    int64_t first_ms[MESSAGES_MAX + 1]; /* of each message, for greylists */
    struct receiver *of[MESSAGES_MAX + 1];
    uint32_t tried[MESSAGES_MAX + 1];
} sim;

/* ---- the data ---- */

static int64_t time_of(const char *text)
{
    static const struct { char unit; int64_t ms; } units[] = {
        { 's', SECOND_MS }, { 'm', MINUTE_MS }, { 'h', HOUR_MS }, { 'd', DAY_MS },
    };
    char *end;
    long count = strtol(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end[0] == units[i].unit)
            return count * units[i].ms;
    fail_msg("'%s' is no time", text);
    return 0;
}

static struct receiver *site_named(const char *name)
{
    for (size_t i = 0; i < sim.sites_count; i++)
        if (strcmp(sim.sites[i].name, name) == 0)
            return &sim.sites[i];
    fail_msg("no site is named '%s'", name);
    return NULL;
}

static bool read_site(const char *line)
{
    struct receiver *s = &sim.sites[sim.sites_count];
    char time[32];
    assert_true(sim.sites_count < SITES_MAX);
    if (sscanf(line, "site %63s takes %u a %31s", s->name, &s->count, time) == 3) {
        s->behaviour = TAKES;
        s->time_ms = strcmp(time, "minute") == 0 ? MINUTE_MS : HOUR_MS;
    } else if (sscanf(line, "site %63s greylists %31s", s->name, time) == 2) {
        s->behaviour = GREYLISTS;
        s->time_ms = time_of(time);
    } else if (sscanf(line, "site %63s is down %31s", s->name, time) == 2) {
        s->behaviour = DOWN;
        s->time_ms = time_of(time);
    } else if (sscanf(line, "site %63s defer%1[s]", s->name, time) == 2) {
        s->behaviour = DEFERS;
    } else {
        return false;
    }
    sim.sites_count++;
    return true;
}

static bool read_mail(const char *line)
{
    struct batch *b = &sim.mails[sim.mails_count];
    char name[64], time[32];
    if (sscanf(line, "mail %u to %63s at %31s", &b->count, name, time) != 3)
        return false;
    assert_true(sim.mails_count < MAILS_MAX);
    b->to = site_named(name);
    b->at_ms = time_of(time);
    sim.mails_count++;
    return true;
}

static bool read_fact(const char *line)
{
    struct fact *f = &sim.facts[sim.facts_count];
    char name[64], which[8];
    long long number;
    if (sscanf(line, "then %63s %31s at %7s %lld", name, f->what, which, &number) != 4)
        return false;
    assert_true(sim.facts_count < FACTS_MAX);
    f->of = site_named(name);
    f->is_least = strcmp(which, "least") == 0;
    f->number = number;
    sim.facts_count++;
    return true;
}

static bool read_line(const char *line)
{
    char time[32];
    if (line[0] == '#' || line[0] == '\n')
        return true;
    if (strncmp(line, "config ", 7) == 0) {
        strncat(sim.config, line + 7, sizeof sim.config - strlen(sim.config) - 1);
        return true;
    }
    if (sscanf(line, "run %31s", time) == 1) {
        sim.run_ms = time_of(time);
        return true;
    }
    return read_site(line) || read_mail(line) || read_fact(line);
}

static void read_data(const char *name)
{
    char here[] = __FILE__;
    char path[512];
    char line[512];
    memset(&sim, 0, sizeof sim);
    snprintf(path, sizeof path, "%s/simulation/%s.txt", dirname(here), name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++)
        if (!read_line(line))
            fail_msg("%s:%d: %s", path, number, line);
    fclose(file);
    assert_true(sim.run_ms > 0 && sim.facts_count > 0);
}

/* ---- what they do ---- */

static int64_t since_begin(void)
{
    return loop_now(w->loop).mono_ms - sim.begin_ms;
}

static bool refuse(struct receiver *s, struct attempt_recipient *r, uint16_t code,
                   struct smtp_status status, struct slice text)
{
    s->refused++;
    return say(r, OUTCOME_DEFERRED, code, status, text);
}

static bool accept_it(struct receiver *s, struct attempt_run *run, struct attempt_recipient *r)
{
    s->delivered++;
    s->last_ms = since_begin();
    return take(w, run, r);
}

static bool behave(struct world *world, struct attempt_run *run, struct attempt_recipient *r)
{
    struct receiver *s = sim.of[run->id.value];
    int64_t now = since_begin();
    (void)world;
    if (s == NULL) /* a report */
        return take(w, run, r);
    s->attempts++;
    uint32_t tried = ++sim.tried[run->id.value];
    s->most_attempts = tried > s->most_attempts ? tried : s->most_attempts;
    switch (s->behaviour) {
    case TAKES:
        if (now / s->time_ms != s->period)
            s->in_period = 0;
        s->period = now / s->time_ms;
        if (s->in_period++ >= s->count)
            return refuse(s, r, 421, (struct smtp_status){ 4, 7, 28 },
                          SLICE("unusual rate of mail"));
        return accept_it(s, run, r);
    case GREYLISTS:
        if (tried == 1)
            sim.first_ms[run->id.value] = now;
        if (now - sim.first_ms[run->id.value] < s->time_ms)
            return refuse(s, r, 450, (struct smtp_status){ 4, 7, 1 }, SLICE("greylisted"));
        return accept_it(s, run, r);
    case DOWN:
        return now >= s->time_ms && accept_it(s, run, r);
    case DEFERS:
        return refuse(s, r, 451, (struct smtp_status){ 4, 3, 0 }, SLICE("later"));
    }
    return false;
}

/* ---- the run ---- */

static void send_batch(const struct batch *b)
{
    char address[64];
    const char *to = address;
    snprintf(address, sizeof address, "x@mx.%.50s", b->to->name);
    for (uint32_t i = 0; i < b->count; i++) {
        struct mail_id id = arrive("a@me.test", &to, 1, DSN_NOTIFY_FAILURE);
        sim.of[id.value] = b->to;
    }
}

static void run_it(void)
{
    for (int64_t at = 0; at <= sim.run_ms; at += HOUR_MS) {
        for (size_t i = 0; i < sim.mails_count; i++)
            if (sim.mails[i].at_ms >= at && sim.mails[i].at_ms < at + HOUR_MS)
                send_batch(&sim.mails[i]);
        run_for(HOUR_MS);
    }
    for (size_t i = 0; i < w->stored_count; i++)
        if (sim.of[i + 1] != NULL && w->stored[i].last[0].state == RECIPIENT_FAILED)
            sim.of[i + 1]->failed++;
}

static int64_t value_of(const struct fact *f)
{
    const struct receiver *s = f->of;
    if (strcmp(f->what, "delivered") == 0)
        return s->delivered;
    if (strcmp(f->what, "failed") == 0)
        return s->failed;
    if (strcmp(f->what, "attempts") == 0)
        return s->attempts;
    if (strcmp(f->what, "refused") == 0)
        return s->refused;
    if (strcmp(f->what, "most-attempts") == 0)
        return s->most_attempts;
    if (strcmp(f->what, "last") == 0)
        return (s->last_ms + MINUTE_MS - 1) / MINUTE_MS;
    fail_msg("'%s' is no fact", f->what);
    return 0;
}

static void print_table(void)
{
    print_message("%-18s %9s %7s %9s %8s %5s %10s\n", "site", "delivered", "failed", "attempts",
                  "refused", "most", "last (min)");
    for (size_t i = 0; i < sim.sites_count; i++) {
        const struct receiver *s = &sim.sites[i];
        print_message("%-18s %9u %7u %9u %8u %5u %10lld\n", s->name, s->delivered, s->failed,
                      s->attempts, s->refused, s->most_attempts,
                      (long long)((s->last_ms + MINUTE_MS - 1) / MINUTE_MS));
    }
}

static void assert_facts(void)
{
    size_t wrong = 0;
    for (size_t i = 0; i < sim.facts_count; i++) {
        const struct fact *f = &sim.facts[i];
        int64_t value = value_of(f);
        if (f->is_least ? value >= f->number : value <= f->number)
            continue;
        print_message("%s %s: %lld, not at %s %lld\n", f->of->name, f->what, (long long)value,
                      f->is_least ? "least" : "most", (long long)f->number);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void simulate(const char *name)
{
    read_data(name);
    const struct config *next = configuration(sim.config);
    queue_configure(w->queue, next);
    config_drop(&w->config);
    w->config = next;
    w->answer = behave;
    w->keep = true;
    sim.begin_ms = loop_now(w->loop).mono_ms;
    run_it();
    print_table();
    assert_facts();
    assert_int_equal(queue_stats(w->queue).messages, 0);
}

static void four_days(void **state)
{
    (void)state;
    simulate("four_days");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(four_days, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
