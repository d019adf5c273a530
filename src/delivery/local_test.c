/* local_test.c: routes, sites, Maildirs and discarding. */
#include "delivery/delivery.h"

#include "base/fake_folder.h"
#include "delivery/fake_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fake_record names[] = {
    { "one.example", DNS_TYPE_MX, "20 b.mx.example" },
    { "one.example", DNS_TYPE_MX, "10 a.mx.example" },
    { "other.example", DNS_TYPE_MX, "10 B.mx.example" },
    { "other.example", DNS_TYPE_MX, "5 a.mx.example" },
    { "a.mx.example", DNS_TYPE_A, "192.0.2.1" },
    { "b.mx.example", DNS_TYPE_A, "192.0.2.2" },
    { "servfail.example", FAKE_SERVFAIL, "" },
    { "null.example", DNS_TYPE_MX, "0 ." },
    { "implicit.example", DNS_TYPE_A, "192.0.2.3" },
    { "xn--bcher-kva.example", DNS_TYPE_A, "192.0.2.4" },
    { NULL, 0, NULL },
};

static void the_first_route_wins(void **state)
{
    (void)state;
    static const struct delivery_route list[] = {
        { .match = SLICE_INIT("early.example.com"), .way = DELIVERY_DISCARD },
        { .match = SLICE_INIT("*.example.com"), .way = DELIVERY_SMTP,
          .host = SLICE_INIT("h"), .port = 1 },
        { .match = SLICE_INIT("late.example.com"), .way = DELIVERY_DISCARD },
        { .match = SLICE_INIT("example.com"), .way = DELIVERY_LMTP,
          .host = SLICE_INIT("/run/lmtp") },
        { .match = SLICE_INIT("example.com"), .way = DELIVERY_DISCARD },
        { .match = SLICE_INIT(""), .way = DELIVERY_MAILDIR, .path = SLICE_INIT("/m/x") },
        { .match = SLICE_INIT("last.example"), .way = DELIVERY_DISCARD },
    };
    static const struct {
        const char *domain;
        int place; /* -1: by MX */
    } cases[] = {
        { "early.example.com", 0 },  { "EARLY.example.COM", 0 }, { "late.example.com", 1 },
        { "a.b.example.com", 1 },    { "example.com", 3 },       { "xexample.com", 5 },
        { ".example.com", 5 },       { "last.example", 5 },      { "", 5 },
    };
    struct delivery_routes *routes;
    assert_int_equal(delivery_routes_make(list, 7, NULL, NULL, &routes), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct delivery_route *found =
            delivery_routes_find(routes, slice_from_string(cases[i].domain));
        const struct delivery_route *want = &list[cases[i].place];
        assert_int_equal(found->way, want->way);
        assert_true(slice_equal(found->match, want->match));
        assert_true(slice_equal(found->host, want->host));
    }
    struct delivery_routes *held = delivery_routes_hold(routes);
    delivery_routes_drop(&routes);
    assert_int_equal(delivery_routes_find(held, SLICE("example.com"))->way, DELIVERY_LMTP);
    delivery_routes_drop(&held);
    assert_int_equal(delivery_routes_make(NULL, 0, NULL, NULL, &routes), ERR_OK);
    assert_int_equal(delivery_routes_find(routes, SLICE("example.com"))->way, DELIVERY_MX);
    delivery_routes_drop(&routes);
}

static void routes_that_cannot_be_used(void **state)
{
    (void)state;
    static const struct delivery_route bad[] = {
        { .match = SLICE_INIT("*"), .way = DELIVERY_MX },
        { .match = SLICE_INIT("*x.y"), .way = DELIVERY_MX },
        { .way = DELIVERY_SMTP, .port = 25 },
        { .way = DELIVERY_SMTP, .host = SLICE_INIT("h") },
        { .way = DELIVERY_SMTP, .host = SLICE_INIT("/run/x"), .port = 25 },
        { .way = DELIVERY_LMTP, .host = SLICE_INIT("h") },
        { .way = DELIVERY_MAILDIR, .path = SLICE_INIT("srv/mail/{user}") },
        { .way = DELIVERY_MAILDIR, .path = SLICE_INIT("/") },
        { .way = DELIVERY_MAILDIR },
    };
    struct delivery_routes *routes = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(delivery_routes_make(&bad[i], 1, NULL, NULL, &routes), ERR_INVALID);
    assert_null(routes);
}

struct resolve {
    struct attempt_resolve job;
    struct world *world;
};

static void on_resolved(struct attempt_resolve *job)
{
    world_one_less(container_of(job, struct resolve, job)->world);
}

static void domains_belong_to_sites(void **state)
{
    (void)state;
    static const struct delivery_route list[] = {
        { .match = SLICE_INIT("smtp.test"), .way = DELIVERY_SMTP,
          .host = SLICE_INIT("127.0.0.1"), .port = 2526 },
        { .match = SLICE_INIT("v6.test"), .way = DELIVERY_SMTP,
          .host = SLICE_INIT("2001:db8::1"), .port = 25 },
        { .match = SLICE_INIT("named.test"), .way = DELIVERY_SMTP,
          .host = SLICE_INIT("mail.partner.test"), .port = 25 },
        { .match = SLICE_INIT("lmtp.test"), .way = DELIVERY_LMTP,
          .host = SLICE_INIT("/run/lmtp") },
        { .match = SLICE_INIT("box.test"), .way = DELIVERY_MAILDIR,
          .path = SLICE_INIT("/m/{user}") },
        { .match = SLICE_INIT("gone.test"), .way = DELIVERY_DISCARD },
        { .match = SLICE_INIT("seven.test"), .way = DELIVERY_SMTP,
          .host = SLICE_INIT("127.0.0.1"), .port = 2526, .downgrade = true },
        { .match = SLICE_INIT("other.example"), .way = DELIVERY_MX, .downgrade = true },
        { .match = SLICE_INIT("any.test"), .way = DELIVERY_SMTP,
          .host = SLICE_INIT("127.0.0.1"), .port = 2526, .downgrade = true,
          .downgrade_signed = true },
    };
    static const struct {
        const char *domain;
        const char *want; /* the key, or "kind status" */
        const char *host; /* the first */
    } cases[] = {
        { "smtp.test", "smtp:[127.0.0.1]:2526", "127.0.0.1" },
        { "v6.test", "smtp:[2001:db8::1]:25", "2001:db8::1" },
        { "named.test", "smtp:mail.partner.test:25", "mail.partner.test" },
        { "lmtp.test", "lmtp:/run/lmtp", "/run/lmtp" },
        { "box.test", "maildir:box.test", "" },
        { "gone.test", "discard:gone.test", "" },
        { "one.example", "mx:a.mx.example,b.mx.example", "a.mx.example" },
        { "other.example", "mx;downgrade:a.mx.example,b.mx.example", "a.mx.example" },
        { "seven.test", "smtp;downgrade:[127.0.0.1]:2526", "127.0.0.1" },
        { "any.test", "smtp;downgrade=always:[127.0.0.1]:2526", "127.0.0.1" },
        { "implicit.example", "mx:implicit.example", "implicit.example" },
        { "b\xc3\xbc" "cher.example", "mx:xn--bcher-kva.example", "xn--bcher-kva.example" },
        { "[192.0.2.9]", "mx:[192.0.2.9]", "[192.0.2.9]" },
        { "servfail.example", "deferred 4.4.3" },
        { "absent.example", "failed 5.1.2" },
        { "null.example", "failed 5.1.10" },
        { "a..b", "failed 5.1.2" },
        { "[127.0.0.1]", "failed 5.4.4" },
    };
    struct world w;
    world_open(&w, names);
    w.options.rules.allow_loopback = false;
    world_deliver_by(&w, list, sizeof list / sizeof list[0]);
    struct attempt *attempt = delivery_attempt(w.delivery);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct resolve r = { .world = &w,
                             .job = { .home = loop_home(w.loop), .done = on_resolved,
                                      .domain = slice_from_string(cases[i].domain) } };
        struct buffer text;
        w.left++;
        attempt->ops->resolve(attempt, &r.job);
        world_run(&w);
        buffer_init(&text, 1000);
        if (r.job.resolved) {
            buffer_append(&text, slice_make(r.job.site.text, r.job.site.len));
            assert_in_range(r.job.valid_ms, MINUTE_MS, HOUR_MS);
            assert_int_equal(r.job.host.len, strlen(cases[i].host));
            assert_memory_equal(r.job.host.text, cases[i].host, r.job.host.len);
        } else {
            buffer_append_string(&text, r.job.outcome.kind == OUTCOME_FAILED
                                            ? "failed " : "deferred ");
            smtp_status_append(&text, r.job.outcome.status);
        }
        buffer_append_byte(&text, '\0');
        assert_string_equal(buffer_slice(&text).data, cases[i].want);
        buffer_free(&text);
    }
    world_close(&w);
}

/* The one message in a folder, terminated; NULL when there is none. */
static char *message_in(const char *below)
{
    char path[1024];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s/new", fake_folder, below);
    DIR *list = opendir(path);
    struct dirent *entry;
    char *text = NULL;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_null(text);
        int fd = openat(dirfd(list), entry->d_name, O_RDONLY);
        assert_true(fd >= 0 && fstat(fd, &status) == 0);
        text = calloc(1, (size_t)status.st_size + 1);
        assert_int_equal(read(fd, text, (size_t)status.st_size), status.st_size);
        close(fd);
    }
    if (list != NULL)
        closedir(list);
    return text;
}

static void deliver_into(struct world *w, const char *below, uint64_t quota_bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s%s", fake_folder, below);
    struct delivery_route route = { .way = DELIVERY_MAILDIR,
                                    .path = slice_from_string(path),
                                    .quota_bytes = quota_bytes };
    world_deliver_by(w, &route, 1);
}

static void mail_arrives_in_mailboxes(void **state)
{
    (void)state;
    static const struct {
        const char *template;
        const char *box;
    } cases[] = {
        { "/{domain}/{user}", "y.example/b" },
        { "/{user}@{domain}/Maildir/", "b@y.example/Maildir" },
        { "/all", "all" },
    };
    for (size_t i = 0; i < 3; i++) {
        struct world w;
        world_open(&w, names);
        deliver_into(&w, cases[i].template, 0);
        struct world_job *job = world_post(&w, "y.example", 1, world_new);
        world_run(&w);
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", fake_folder, cases[i].box);
        struct slice remote = job->run.recipients[0].outcome.remote;
        assert_true(slice_starts_with_nocase(remote, slice_from_string(path)));
        world_expect(job,
                     "closed: b@y.example delivered 0 2.0.0 delivered to the mailbox;");
        char *text = message_in(cases[i].box);
        assert_string_equal(text, "Return-Path: <a@x.example>\n"
                                  "Delivered-To: b@y.example\nReceived: here\n"
                                  "Subject: x\n\n.dot\n..two\nlast");
        free(text);
        world_close(&w);
    }
}

/* CRs at the edges of blocks; what is binary stays as it came. */
static void line_ends_are_those_of_files(void **state)
{
    (void)state;
    enum { LEN = 3 * 65536 };
    static char content[LEN];
    for (size_t i = 0; i < LEN; i++)
        content[i] = i % 3 == 0 ? 'x' : i % 3 == 1 ? '\r' : '\n';
    for (int binary = 0; binary < 2; binary++) {
        struct world w;
        world_open(&w, names);
        w.content = slice_make(content, LEN);
        w.prefix = SLICE("");
        w.envelope.content_binary = binary;
        w.envelope.sender = SLICE("");
        deliver_into(&w, binary ? "/binary" : "/text", 0);
        struct world_job *job = world_post(&w, "y.example", 1, world_new);
        world_run(&w);
        assert_int_equal(job->run.recipients[0].outcome.kind, OUTCOME_DELIVERED);
        world_job_free(job);
        char *text = message_in(binary ? "binary" : "text");
        size_t head = strlen("Return-Path: <>\nDelivered-To: b@y.example\n");
        assert_int_equal(strlen(text), binary ? head + 2 + LEN : head + LEN / 3 * 2);
        if (binary)
            assert_memory_equal(text + head + 2, content, LEN);
        else
            assert_null(strchr(text, '\r'));
        free(text);
        world_close(&w);
    }
}

static void names_of_users_are_only_names(void **state)
{
    (void)state;
    static const struct envelope_recipient to[] = {
        { .address = SLICE_INIT("../../x@y.example") },
        { .address = SLICE_INIT("\"/etc/passwd\"@y.example") },
        { .address = SLICE_INIT(".hidden@y.example") },
        { .address = SLICE_INIT("\"a/../b\"@y.example") },
        { .address = SLICE_INIT("\"quo ted\"@y.example") },
        { .address = SLICE_INIT("ANNA@y.example") },
    };
    struct world w;
    world_open(&w, names);
    w.envelope.recipients = to;
    w.envelope.recipients_count = 6;
    deliver_into(&w, "/{user}", 0);
    struct world_job *job = world_post(&w, "y.example", 6, world_new);
    world_run(&w);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(job->run.recipients[i].outcome.kind, OUTCOME_FAILED);
        assert_int_equal(job->run.recipients[i].outcome.status.subject, 1);
    }
    for (size_t i = 4; i < 6; i++)
        assert_int_equal(job->run.recipients[i].outcome.kind, OUTCOME_DELIVERED);
    world_job_free(job);
    char *one = message_in("quo ted");
    char *two = message_in("anna");
    assert_non_null(one);
    assert_non_null(two);
    free(one);
    free(two);
    world_close(&w);
}

static void a_full_mailbox_and_a_missing_root(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, names);
    deliver_into(&w, "/{user}", 70);
    struct world_job *job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    world_expect(job, "closed: b@y.example delivered 0 2.0.0 delivered to the mailbox;");
    job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    world_expect(job, "closed: b@y.example deferred 0 4.2.2 the mailbox is full;");
    struct delivery_route route = { .way = DELIVERY_MAILDIR,
                                    .path = SLICE("/nonexistent/mail/{user}") };
    struct delivery_routes *routes;
    assert_int_equal(delivery_routes_make(&route, 1, NULL, NULL, &routes), ERR_OK);
    struct delivery_change change = { .routes = routes };
    assert_true(delivery_configure(w.delivery, &change));
    delivery_routes_drop(&routes);
    job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    world_expect(job,
                 "closed: b@y.example deferred 0 4.2.0 the mailboxes' folder is missing;");
    w.open_error = ERR_CORRUPT;
    job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    world_expect(job, "closed:  failed 0 5.3.0 the message is damaged or gone here;");
    world_close(&w);
}

static void discarding_is_on_the_record(void **state)
{
    (void)state;
    struct world w;
    struct delivery_route route = { .way = DELIVERY_DISCARD };
    world_open(&w, names);
    world_deliver_by(&w, &route, 1);
    struct world_job *job = world_post(&w, "y.example", 2, world_new);
    world_run(&w);
    world_expect(job, "closed: b@y.example discarded 0 2.0.0 discarded as configured; "
                      "c@y.example discarded 0 2.0.0 discarded as configured;");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_route_wins),
        cmocka_unit_test(routes_that_cannot_be_used),
        cmocka_unit_test(domains_belong_to_sites),
        cmocka_unit_test_setup_teardown(mail_arrives_in_mailboxes, fake_folder_make,
                                        fake_folder_remove),
        cmocka_unit_test_setup_teardown(line_ends_are_those_of_files, fake_folder_make,
                                        fake_folder_remove),
        cmocka_unit_test_setup_teardown(names_of_users_are_only_names, fake_folder_make,
                                        fake_folder_remove),
        cmocka_unit_test_setup_teardown(a_full_mailbox_and_a_missing_root, fake_folder_make,
                                        fake_folder_remove),
        cmocka_unit_test(discarding_is_on_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
