/* tls_test.c: our side of a connection against OpenSSL's client, in one process. */
#include "crypto/tls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { PEM_MAX = 16 * 1024, BIG = 200 * 1000 };

static const int64_t now_ms = INT64_C(1795600000000);

static struct certificate *certificate_named(const char *name)
{
    struct buffer chain, key;
    struct certificate_trouble trouble;
    struct certificate *c;
    buffer_init(&chain, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    assert_int_equal(certificate_make(slice_from_string(name), now_ms, 30, &chain, &key),
                     ERR_OK);
    assert_int_equal(certificate_read(buffer_slice(&chain), buffer_slice(&key), &c,
                                      &trouble), ERR_OK);
    buffer_free(&chain);
    buffer_free(&key);
    return c;
}

struct server {
    struct tls_tickets *tickets;
    struct tls_server *tls;
};

static struct tls_server *server_for(struct tls_tickets *tickets, const char *first,
                                     const char *second)
{
    struct certificate *all[2] = { certificate_named(first), NULL };
    if (second != NULL)
        all[1] = certificate_named(second);
    struct tls_server_options options = {
        .certificates = all, .certificates_count = second == NULL ? 1 : 2,
        .tickets = tickets,
    };
    struct tls_server *server;
    size_t refused;
    assert_int_equal(tls_server_open(&options, &server, &refused), ERR_OK);
    certificate_drop(&all[0]);
    certificate_drop(&all[1]);
    return server;
}

static void server_open(struct server *s)
{
    assert_int_equal(tls_tickets_open(&s->tickets), ERR_OK);
    s->tls = server_for(s->tickets, "first.test", "second.test");
}

static void server_close(struct server *s)
{
    tls_server_drop(&s->tls);
    tls_tickets_close(&s->tickets);
}

/* Both ends of a connection. */
struct link {
    int fds[2];
    struct tls_session *ours;
    SSL *theirs;
};

static void link_open(struct link *l, struct tls_server *server, SSL_CTX *client,
                      const char *name, SSL_SESSION *before)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, l->fds), 0);
    assert_int_equal(tls_session_accept(server, l->fds[0], &l->ours), ERR_OK);
    l->theirs = SSL_new(client);
    assert_non_null(l->theirs);
    assert_int_equal(SSL_set_fd(l->theirs, l->fds[1]), 1);
    SSL_set_connect_state(l->theirs);
    if (name != NULL)
        assert_int_equal(SSL_set_tlsext_host_name(l->theirs, name), 1);
    if (before != NULL)
        assert_int_equal(SSL_set_session(l->theirs, before), 1);
}

/* Both do their part in turn; what ours came to. */
static enum tls_result shake(struct link *l)
{
    enum tls_result ours = TLS_WANT_READ;
    int theirs = 0;
    for (int i = 0; i < 20 && (ours != TLS_DONE || theirs != 1) && ours != TLS_FAILED; i++) {
        theirs = SSL_do_handshake(l->theirs);
        ours = tls_handshake(l->ours);
    }
    return ours;
}

static void link_close(struct link *l)
{
    SSL_free(l->theirs);
    tls_session_free(&l->ours);
    close(l->fds[0]);
    if (l->fds[1] >= 0)
        close(l->fds[1]);
}

static SSL_CTX *client_new(int least, int most)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    assert_non_null(c);
    SSL_CTX_set_security_level(c, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(c, least), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(c, most), 1);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    return c;
}

static void versions_of_today_and_no_older(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *name; /* NULL: refused */
    } rows[] = {
        { TLS1_VERSION, NULL }, { TLS1_1_VERSION, NULL },
        { TLS1_2_VERSION, "TLSv1.2" }, { TLS1_3_VERSION, "TLSv1.3" },
    };
    struct server s;
    server_open(&s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SSL_CTX *client = client_new(rows[i].version, rows[i].version);
        struct link l;
        link_open(&l, s.tls, client, NULL, NULL);
        assert_int_equal(shake(&l), rows[i].name == NULL ? TLS_FAILED : TLS_DONE);
        assert_int_equal(tls_failure(l.ours).len == 0, rows[i].name != NULL);
        if (rows[i].name != NULL) {
            struct tls_facts facts;
            tls_describe(l.ours, &facts);
            assert_string_equal(facts.version, rows[i].name);
            assert_true(facts.bits >= 128);
            assert_false(facts.resumed);
        }
        link_close(&l);
        SSL_CTX_free(client);
    }
    server_close(&s);
}

static void weak_ciphers_are_refused(void **state)
{
    (void)state;
    struct server s;
    server_open(&s);
    static const char *const weak[] = { "AES128-SHA", "ECDHE-ECDSA-AES128-SHA",
                                        "ECDHE-ECDSA-NULL-SHA", "AES128-GCM-SHA256" };
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        SSL_CTX *client = client_new(TLS1_2_VERSION, TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_set_cipher_list(client, weak[i]), 1);
        struct link l;
        link_open(&l, s.tls, client, NULL, NULL);
        assert_int_equal(shake(&l), TLS_FAILED);
        link_close(&l);
        SSL_CTX_free(client);
    }
    server_close(&s);
}

static void a_client_that_wants_a_finite_field_is_refused(void **state)
{
    (void)state;
    struct server s;
    server_open(&s);
    static const struct {
        const char *groups;
        enum tls_result result;
    } rows[] = {
        { "X25519", TLS_DONE }, { "P-256", TLS_DONE }, { "X448", TLS_DONE },
        { "ffdhe2048:P-384", TLS_DONE }, /* once more, please: with the second */
        { "ffdhe2048", TLS_FAILED }, { "ffdhe8192", TLS_FAILED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SSL_CTX *client = client_new(TLS1_3_VERSION, TLS1_3_VERSION);
        assert_int_equal(SSL_CTX_set1_groups_list(client, rows[i].groups), 1);
        struct link l;
        link_open(&l, s.tls, client, NULL, NULL);
        assert_int_equal(shake(&l), rows[i].result);
        link_close(&l);
        SSL_CTX_free(client);
    }
    server_close(&s);
}

static void the_name_that_is_asked_for_chooses(void **state)
{
    (void)state;
    static const struct {
        const char *asked;
        const char *shown;
    } rows[] = {
        { NULL, "first.test" }, { "first.test", "first.test" },
        { "second.test", "second.test" }, { "SECOND.test", "second.test" },
        { "nobody.test", "first.test" },
    };
    struct server s;
    server_open(&s);
    SSL_CTX *client = client_new(TLS1_2_VERSION, TLS1_3_VERSION);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct link l;
        link_open(&l, s.tls, client, rows[i].asked, NULL);
        assert_int_equal(shake(&l), TLS_DONE);
        X509 *shown = SSL_get1_peer_certificate(l.theirs);
        assert_int_equal(X509_check_host(shown, rows[i].shown, 0, 0, NULL), 1);
        X509_free(shown);
        struct tls_facts facts;
        tls_describe(l.ours, &facts);
        assert_true(slice_equal(facts.server_name, slice_from_string(rows[i].asked)));
        link_close(&l);
    }
    SSL_CTX_free(client);
    server_close(&s);
}

/* A first connection, and the ticket that it brought. */
static SSL_SESSION *ticket_from(struct tls_server *server, SSL_CTX *client,
                                SSL_SESSION *before, bool *out_resumed)
{
    struct link l;
    struct tls_facts facts;
    char byte;
    size_t len;
    link_open(&l, server, client, "first.test", before);
    assert_int_equal(shake(&l), TLS_DONE);
    tls_describe(l.ours, &facts);
    *out_resumed = facts.resumed;
    assert_int_equal(tls_write(l.ours, SLICE("x"), &len), TLS_DONE);
    assert_int_equal(SSL_read(l.theirs, &byte, 1), 1); /* TLS 1.3: the ticket too */
    SSL_SESSION *after = SSL_get1_session(l.theirs);
    SSL_shutdown(l.theirs);
    link_close(&l);
    return after;
}

static void sessions_are_resumed_until_their_key_is_forgotten(void **state)
{
    (void)state;
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t i = 0; i < 2; i++) {
        struct server s;
        bool resumed;
        server_open(&s);
        SSL_CTX *client = client_new(versions[i], versions[i]);
        SSL_SESSION *first = ticket_from(s.tls, client, NULL, &resumed);
        assert_false(resumed);
        SSL_SESSION *again = ticket_from(s.tls, client, first, &resumed);
        assert_true(resumed);
        SSL_SESSION_free(again);
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(tls_tickets_rotate(s.tickets), ERR_OK);
            again = ticket_from(s.tls, client, first, &resumed);
            assert_true(resumed);
            SSL_SESSION_free(again);
        }
        assert_int_equal(tls_tickets_rotate(s.tickets), ERR_OK);
        again = ticket_from(s.tls, client, first, &resumed);
        assert_false(resumed);
        SSL_SESSION_free(again);
        SSL_SESSION_free(first);
        SSL_CTX_free(client);
        server_close(&s);
    }
}

static void a_reload_keeps_sessions(void **state)
{
    (void)state;
    struct server s;
    bool resumed;
    server_open(&s);
    SSL_CTX *client = client_new(TLS1_3_VERSION, TLS1_3_VERSION);
    SSL_SESSION *first = ticket_from(s.tls, client, NULL, &resumed);
    tls_server_drop(&s.tls);
    s.tls = server_for(s.tickets, "first.test", NULL);
    SSL_SESSION *again = ticket_from(s.tls, client, first, &resumed);
    assert_true(resumed);
    SSL_SESSION_free(again);
    SSL_SESSION_free(first);
    SSL_CTX_free(client);
    server_close(&s);
}

static void bytes_pass_both_ways_whatever_their_number(void **state)
{
    (void)state;
    struct server s;
    server_open(&s);
    SSL_CTX *client = client_new(TLS1_2_VERSION, TLS1_3_VERSION);
    struct link l;
    link_open(&l, s.tls, client, NULL, NULL);
    assert_int_equal(shake(&l), TLS_DONE);
    char *out = malloc(BIG), *in = malloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        out[i] = (char)(i * 31 >> 3);
    size_t sent = 0, got = 0;
    while (got < BIG) {
        size_t len;
        if (sent < BIG && tls_write(l.ours, slice_make(out + sent, BIG - sent), &len) ==
                              TLS_DONE)
            sent += len;
        if (SSL_read_ex(l.theirs, in + got, BIG - got, &len) == 1)
            got += len;
    }
    assert_memory_equal(in, out, BIG);
    memset(in, 0, BIG);
    sent = got = 0;
    while (got < BIG) {
        size_t len;
        if (sent < BIG && SSL_write_ex(l.theirs, out + sent, BIG - sent > 5000
                                                                 ? 5000 : BIG - sent,
                                       &len) == 1)
            sent += len;
        char some[TLS_RECORD_MAX + 777];
        if (tls_read(l.ours, some, sizeof some, &len) == TLS_DONE) {
            memcpy(in + got, some, len);
            got += len;
        }
    }
    assert_memory_equal(in, out, BIG);
    free(in);
    free(out);
    link_close(&l);
    SSL_CTX_free(client);
    server_close(&s);
}

/* RFC 8446 6.1: an end without close_notify may be an attacker's. */
static void an_end_without_a_farewell_is_a_failure(void **state)
{
    (void)state;
    struct server s;
    server_open(&s);
    SSL_CTX *client = client_new(TLS1_2_VERSION, TLS1_3_VERSION);
    for (int polite = 0; polite < 2; polite++) {
        struct link l;
        char some[TLS_RECORD_MAX];
        size_t len;
        link_open(&l, s.tls, client, NULL, NULL);
        assert_int_equal(shake(&l), TLS_DONE);
        if (polite == 1)
            SSL_shutdown(l.theirs);
        close(l.fds[1]);
        l.fds[1] = -1;
        assert_int_equal(tls_read(l.ours, some, sizeof some, &len),
                         polite == 1 ? TLS_END : TLS_FAILED);
        assert_int_equal(tls_read(l.ours, some, sizeof some, &len),
                         polite == 1 ? TLS_END : TLS_FAILED);
        tls_finish(l.ours);
        link_close(&l);
    }
    SSL_CTX_free(client);
    server_close(&s);
}

/* What the client says from now on goes into memory, to be sent in one piece. */
static BIO *gather(struct link *l)
{
    BIO *memory = BIO_new(BIO_s_mem());
    assert_non_null(memory);
    SSL_set0_wbio(l->theirs, memory);
    return memory;
}

static void send_gathered(struct link *l, BIO *memory)
{
    char *bytes;
    long len = BIO_get_mem_data(memory, &bytes);
    assert_int_equal(write(l->fds[1], bytes, (size_t)len), len);
}

static void a_farewell_behind_bytes_is_not_forgotten(void **state)
{
    (void)state;
    struct server s;
    struct link l;
    size_t len;
    char *into = malloc(2 * TLS_RECORD_MAX);
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    server_open(&s);
    link_open(&l, s.tls, client, NULL, NULL);
    assert_int_equal(shake(&l), TLS_DONE);
    BIO *memory = gather(&l);
    assert_int_equal(SSL_write_ex(l.theirs, "bye", 3, &len), 1);
    SSL_shutdown(l.theirs);
    send_gathered(&l, memory);
    assert_int_equal(tls_read(l.ours, into, 2 * TLS_RECORD_MAX, &len), TLS_DONE);
    assert_int_equal(len, 3);
    assert_true(tls_has_input(l.ours)); /* the descriptor has nothing any more */
    assert_int_equal(tls_read(l.ours, into, 2 * TLS_RECORD_MAX, &len), TLS_END);
    assert_false(tls_has_input(l.ours));
    link_close(&l);
    SSL_CTX_free(client);
    server_close(&s);
    free(into);
}

static void one_call_does_not_read_without_end(void **state)
{
    (void)state;
    struct server s;
    struct link l;
    size_t len;
    char byte, *into = malloc(TLS_RECORD_MAX);
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    server_open(&s);
    link_open(&l, s.tls, client, NULL, NULL);
    assert_int_equal(shake(&l), TLS_DONE);
    BIO *memory = gather(&l);
    for (int i = 0; i < 4000; i++) {
        assert_int_equal(SSL_key_update(l.theirs, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(l.theirs), 1);
    }
    assert_int_equal(SSL_write_ex(l.theirs, "x", 1, &len), 1);
    send_gathered(&l, memory);
    assert_int_equal(tls_read(l.ours, into, TLS_RECORD_MAX, &len), TLS_WANT_READ);
    assert_int_equal(recv(l.fds[0], &byte, 1, MSG_PEEK), 1);
    enum tls_result result = TLS_WANT_READ;
    for (int i = 0; i < 10 && result == TLS_WANT_READ; i++)
        result = tls_read(l.ours, into, TLS_RECORD_MAX, &len);
    assert_int_equal(result, TLS_DONE);
    assert_int_equal(len, 1);
    link_close(&l);
    SSL_CTX_free(client);
    server_close(&s);
    free(into);
}

static void clear_text_is_no_handshake(void **state)
{
    (void)state;
    static const char *const texts[] = { "EHLO client.test\r\n", "\x16\x03\x01\xff\xff",
                                         "\x80\x2e\x01\x03\x01", "GET / HTTP/1.0\r\n\r\n" };
    struct server s;
    server_open(&s);
    SSL_CTX *client = client_new(TLS1_2_VERSION, TLS1_3_VERSION);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct link l;
        link_open(&l, s.tls, client, NULL, NULL);
        struct slice text = slice_from_string(texts[i]);
        assert_int_equal(write(l.fds[1], text.data, text.len), text.len);
        assert_int_equal(shutdown(l.fds[1], SHUT_WR), 0);
        assert_int_equal(tls_handshake(l.ours), TLS_FAILED);
        assert_true(tls_failure(l.ours).len > 0);
        link_close(&l);
    }
    SSL_CTX_free(client);
    server_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_of_today_and_no_older),
        cmocka_unit_test(weak_ciphers_are_refused),
        cmocka_unit_test(a_client_that_wants_a_finite_field_is_refused),
        cmocka_unit_test(the_name_that_is_asked_for_chooses),
        cmocka_unit_test(sessions_are_resumed_until_their_key_is_forgotten),
        cmocka_unit_test(a_reload_keeps_sessions),
        cmocka_unit_test(bytes_pass_both_ways_whatever_their_number),
        cmocka_unit_test(an_end_without_a_farewell_is_a_failure),
        cmocka_unit_test(a_farewell_behind_bytes_is_not_forgotten),
        cmocka_unit_test(one_call_does_not_read_without_end),
        cmocka_unit_test(clear_text_is_no_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
