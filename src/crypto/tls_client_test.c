/* tls_client_test.c: our client's side against our server's side, in one process. */
#include "crypto/tls_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

enum { PEM_MAX = 16 * 1024 };

/* A server with one certificate, signed by itself, and its PEM text. */
struct server {
    struct tls_tickets *tickets;
    struct tls_server *tls;
    struct buffer chain;
};

/* Begun so many days ago. */
static void server_open(struct server *s, const char *name, int64_t days_ago, unsigned days)
{
    struct buffer key;
    struct certificate_trouble trouble;
    struct certificate *c;
    size_t refused;
    int64_t now_ms = (int64_t)time(NULL) * 1000 - days_ago * 24 * 3600 * 1000;
    buffer_init(&s->chain, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    assert_int_equal(certificate_make(slice_from_string(name), now_ms, days, &s->chain, &key),
                     ERR_OK);
    assert_int_equal(certificate_read(buffer_slice(&s->chain), buffer_slice(&key), &c,
                                      &trouble), ERR_OK);
    assert_int_equal(tls_tickets_open(&s->tickets), ERR_OK);
    struct tls_server_options options = {
        .certificates = &c, .certificates_count = 1, .tickets = s->tickets,
    };
    assert_int_equal(tls_server_open(&options, &s->tls, &refused), ERR_OK);
    certificate_drop(&c);
    buffer_free(&key);
}

static void server_close(struct server *s)
{
    tls_server_drop(&s->tls);
    tls_tickets_close(&s->tickets);
    buffer_free(&s->chain);
}

static struct tls_client *client_believing(const struct server *s)
{
    struct tls_trust *trust = NULL;
    struct tls_client *client;
    struct certificate_trouble trouble;
    if (s != NULL)
        assert_int_equal(tls_trust_read(buffer_slice(&s->chain), &trust, &trouble), ERR_OK);
    assert_int_equal(tls_client_open(trust, NULL, &client), ERR_OK);
    tls_trust_drop(&trust);
    return client;
}

struct link {
    int fds[2];
    struct tls_session *ours;
    struct tls_session *theirs;
};

static void link_open(struct link *l, struct tls_server *server, struct tls_client *client,
                      const struct tls_expected *expected)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, l->fds), 0);
    l->theirs = NULL;
    if (server != NULL)
        assert_int_equal(tls_session_accept(server, l->fds[1], &l->theirs), ERR_OK);
    assert_int_equal(tls_session_connect(client, l->fds[0], expected, &l->ours), ERR_OK);
}

static enum tls_result shake(struct link *l)
{
    enum tls_result ours = TLS_WANT_READ;
    enum tls_result theirs = TLS_WANT_READ;
    for (int i = 0; i < 20 && (ours != TLS_DONE || theirs != TLS_DONE) && ours != TLS_FAILED;
         i++) {
        ours = tls_handshake(l->ours);
        theirs = tls_handshake(l->theirs);
    }
    return ours;
}

/* One word of the server: tickets come with it. */
static void hear(struct link *l)
{
    char into[TLS_RECORD_MAX];
    size_t len;
    assert_int_equal(tls_write(l->theirs, SLICE("hello"), &len), TLS_DONE);
    assert_int_equal(tls_read(l->ours, into, sizeof into, &len), TLS_DONE);
    assert_int_equal(len, 5);
}

static void link_close(struct link *l)
{
    tls_session_free(&l->ours);
    tls_session_free(&l->theirs);
    close(l->fds[0]);
    close(l->fds[1]);
}

/* HOSTILE 124: who does not insist goes on, whatever the certificate; who does, fails. */
static void certificates_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *shown;
        int64_t days_ago;
        bool believed;
        const char *expected; /* NULL: no name */
        const char *trouble;  /* NULL: it is good */
    } rows[] = {
        { "mx.test", 0, true, "mx.test", NULL },
        { "mx.test", 0, true, "MX.test", NULL },
        { "mx.test", 0, true, ".test", NULL },
        { "mx.test", 0, true, "other.test", "hostname mismatch" },
        { "mx.test", 0, true, "192.0.2.1", "IP address mismatch" },
        { "mx.test", 0, true, NULL, "no name is expected of it" },
        { "mx.test", 0, false, "mx.test", "self-signed certificate" },
        { "mx.test", 100, true, "mx.test", "certificate has expired" },
        { "mx.test", -100, true, "mx.test", "certificate is not yet valid" },
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const bool insists = i % 2 == 1;
        const char *trouble = rows[i / 2].trouble;
        struct slice name = slice_from_string(rows[i / 2].expected == NULL
                                                  ? "" : rows[i / 2].expected);
        struct tls_expected expected = { .names = &name, .insists = insists,
                                         .names_count = rows[i / 2].expected != NULL };
        struct server s;
        struct link l;
        server_open(&s, rows[i / 2].shown, rows[i / 2].days_ago, 30);
        struct tls_client *client = client_believing(rows[i / 2].believed ? &s : NULL);
        link_open(&l, s.tls, client, &expected);
        assert_int_equal(shake(&l), insists && trouble != NULL ? TLS_FAILED : TLS_DONE);
        if (trouble == NULL) {
            assert_null(tls_peer_trouble(l.ours));
        } else {
            assert_string_equal(tls_peer_trouble(l.ours), trouble);
            if (insists)
                assert_string_equal(tls_failure_kind(l.ours), trouble);
        }
        assert_false(tls_peer_speaks_other(l.ours));
        link_close(&l);
        tls_client_drop(&client);
        server_close(&s);
    }
}

static void the_host_is_asked_for_by_name(void **state)
{
    (void)state;
    struct server s;
    struct link l;
    struct tls_facts facts;
    server_open(&s, "mx.test", 0, 30);
    struct tls_client *client = client_believing(NULL);
    struct tls_expected expected = { .server_name = SLICE("mx.test") };
    link_open(&l, s.tls, client, &expected);
    assert_int_equal(shake(&l), TLS_DONE);
    tls_describe(l.theirs, &facts);
    assert_true(slice_equal(facts.server_name, SLICE("mx.test")));
    link_close(&l);
    struct tls_session *none;
    struct slice bad[] = { SLICE("a\0b"), SLICE("") };
    for (size_t i = 0; i < 2; i++) {
        expected = (struct tls_expected){ .names = &bad[i], .names_count = 1 };
        assert_int_equal(tls_session_connect(client, 0, &expected, &none), ERR_INVALID);
    }
    tls_client_drop(&client);
    server_close(&s);
}

static bool resumes(struct tls_server *server, struct tls_client *client,
                    const struct tls_expected *expected)
{
    struct link l;
    struct tls_facts facts;
    link_open(&l, server, client, expected);
    assert_int_equal(shake(&l), TLS_DONE);
    hear(&l);
    tls_describe(l.ours, &facts);
    char into[TLS_RECORD_MAX];
    size_t len;
    shutdown(l.fds[1], SHUT_RDWR); /* without a farewell */
    assert_int_equal(tls_read(l.ours, into, sizeof into, &len), TLS_FAILED);
    link_close(&l);
    return facts.resumed;
}

/* What was judged under other names or by other trust is no judgement here. */
static void sessions_are_resumed_where_they_belong(void **state)
{
    (void)state;
    struct server s;
    struct tls_sessions *sessions;
    server_open(&s, "mx.test", 0, 30);
    struct tls_client *one = client_believing(&s);
    struct tls_client *two = client_believing(&s);
    assert_int_equal(tls_sessions_open(2, &sessions), ERR_OK);
    struct slice good = SLICE("mx.test"), bad = SLICE("other.test");
    struct tls_expected a = { .sessions = sessions, .place = SLICE("a"), .names = &good,
                              .names_count = 1, .insists = true };
    assert_false(resumes(s.tls, one, &a));
    assert_true(resumes(s.tls, one, &a));
    assert_false(resumes(s.tls, two, &a));
    struct tls_expected b = a;
    b.insists = false;
    b.names = &bad;
    assert_false(resumes(s.tls, one, &b)); /* the first of three is forgotten */
    assert_true(resumes(s.tls, one, &b));
    assert_false(resumes(s.tls, one, &a));
    b.insists = true;
    struct link l;
    link_open(&l, s.tls, one, &b);
    assert_int_equal(shake(&l), TLS_FAILED);
    link_close(&l);
    tls_sessions_close(&sessions);
    tls_client_drop(&one);
    tls_client_drop(&two);
    server_close(&s);
}

static void what_is_no_tls_is_told_from_what_is(void **state)
{
    (void)state;
    static const struct {
        struct slice said;
        bool other;
    } rows[] = {
        { SLICE_INIT("250-AUTH PLAIN\r\n250 ok\r\n"), true },
        { SLICE_INIT("\x15\x03\x03\x00\x02\x02\x28"), false }, /* an alert */
        { SLICE_INIT(""), false },
    };
    struct tls_client *client = client_believing(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct link l;
        struct tls_expected expected = { .names_count = 0 };
        link_open(&l, NULL, client, &expected);
        enum tls_result result = tls_handshake(l.ours);
        for (size_t at = 0; at < rows[i].said.len && result == TLS_WANT_READ; at++) {
            assert_int_equal(send(l.fds[1], rows[i].said.data + at, 1, 0), 1);
            result = tls_handshake(l.ours);
        }
        shutdown(l.fds[1], SHUT_WR);
        if (result == TLS_WANT_READ)
            result = tls_handshake(l.ours);
        assert_int_equal(result, TLS_FAILED);
        assert_int_equal(tls_peer_speaks_other(l.ours), rows[i].other);
        assert_non_null(tls_failure_kind(l.ours));
        link_close(&l);
    }
    tls_client_drop(&client);
}

static void trust_that_is_none_is_refused(void **state)
{
    (void)state;
    struct server s;
    struct tls_trust *trust;
    struct certificate_trouble trouble;
    server_open(&s, "mx.test", 0, 30);
    struct buffer damaged;
    buffer_init(&damaged, PEM_MAX);
    buffer_append(&damaged, buffer_slice(&s.chain));
    buffer_append(&damaged, slice_part(buffer_slice(&s.chain), 0, 200));
    assert_int_equal(tls_trust_read(SLICE(""), &trust, &trouble), ERR_INVALID);
    assert_string_equal(trouble.text, "there is no certificate in PEM form in it");
    assert_int_equal(tls_trust_read(buffer_slice(&damaged), &trust, &trouble), ERR_INVALID);
    assert_string_equal(trouble.text, "one of its certificates is damaged");
    buffer_free(&damaged);
    server_close(&s);
}

static void a_server_of_old_is_refused(void **state)
{
    (void)state;
    struct tls_client *client = client_believing(NULL);
    struct server s;
    server_open(&s, "mx.test", 0, 30);
    SSL_CTX *old = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(old, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(old, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION), 1);
    struct link l;
    struct tls_expected expected = { .names_count = 0 };
    link_open(&l, NULL, client, &expected);
    SSL *theirs = SSL_new(old);
    assert_int_equal(SSL_set_fd(theirs, l.fds[1]), 1);
    assert_int_equal(tls_handshake(l.ours), TLS_WANT_READ);
    assert_int_equal(SSL_accept(theirs), -1);
    assert_int_equal(tls_handshake(l.ours), TLS_FAILED);
    assert_false(tls_peer_speaks_other(l.ours));
    SSL_free(theirs);
    SSL_CTX_free(old);
    link_close(&l);
    server_close(&s);
    tls_client_drop(&client);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(certificates_are_judged),
        cmocka_unit_test(the_host_is_asked_for_by_name),
        cmocka_unit_test(sessions_are_resumed_where_they_belong),
        cmocka_unit_test(what_is_no_tls_is_told_from_what_is),
        cmocka_unit_test(trust_that_is_none_is_refused),
        cmocka_unit_test(a_server_of_old_is_refused),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
