/* stream_tls_test.c: a stream that goes over to TLS, against OpenSSL's own client on a
 * thread, directly and with every byte alone. */
#include "base/must.h"
#include "event/timer.h"
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

enum { PEM_MAX = 16 * 1024, ECHO_MAX = 600 * 1000, TRICKLE_TOTAL = 20 * 1000 };

/* Our side: sends back all that it is sent, and stops reading now and then. */
struct echo {
    struct stream_owner owner;
    struct stream *stream;
    struct loop *loop;
    struct tls_server *server;
    struct timer pause;
    unsigned reads;
    unsigned nothings;
    int go; /* when it is not 0: closed a moment after input of no use */
    bool secured;
    bool ended;
    int error;
    char trouble[100];
};

static void echo_over(struct echo *e)
{
    stream_close(&e->stream);
    timer_clear(&e->pause);
    loop_stop(e->loop);
}

static void on_pause(struct timer *timer)
{
    struct echo *e = container_of(timer, struct echo, pause);
    if (e->go != 0)
        close(e->go);
    stream_reading(e->stream, true);
}

static void echo_input(struct echo *e)
{
    size_t len;
    switch (stream_read(e->stream, loop_scratch(e->loop), LOOP_SCRATCH_BYTES, &len)) {
    case STREAM_READ_SOME:
        stream_write(e->stream, slice_make(loop_scratch(e->loop), len));
        if (++e->reads % 3 == 0) {
            stream_reading(e->stream, false);
            timer_set(&e->pause, 1);
        }
        return;
    case STREAM_READ_NOTHING:
        if (++e->nothings == 1 && e->go != 0)
            timer_set(&e->pause, 50);
        return;
    case STREAM_READ_END:
        e->ended = true;
        echo_over(e);
        return;
    case STREAM_READ_FAILED:
        e->error = stream_error(e->stream);
        echo_over(e);
        return;
    }
}

static void echo_event(struct stream_owner *owner, enum stream_event event)
{
    struct echo *e = container_of(owner, struct echo, owner);
    switch (event) {
    case STREAM_SECURED:
        e->secured = true;
        return;
    case STREAM_INPUT:
        echo_input(e);
        return;
    case STREAM_FAILED:
        e->error = stream_error(e->stream);
        if (stream_tls(e->stream) != NULL) {
            struct slice why = tls_failure(stream_tls(e->stream));
            memcpy(e->trouble, why.data,
                   why.len < sizeof e->trouble - 1 ? why.len : sizeof e->trouble - 1);
        }
        echo_over(e);
        return;
    case STREAM_TIMEOUT:
    case STREAM_CONNECTED:
        fail();
        return;
    case STREAM_DRAINED:
        return;
    }
}

static struct tls_server *server_make(struct tls_tickets *tickets)
{
    struct buffer chain, key;
    struct certificate_trouble trouble;
    struct certificate *certificate;
    struct tls_server *server;
    size_t refused;
    buffer_init(&chain, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    assert_int_equal(certificate_make(SLICE("mx.test"), INT64_C(1795600000000), 30, &chain,
                                      &key), ERR_OK);
    assert_int_equal(certificate_read(buffer_slice(&chain), buffer_slice(&key),
                                      &certificate, &trouble), ERR_OK);
    struct tls_server_options options = {
        .certificates = &certificate, .certificates_count = 1, .tickets = tickets,
    };
    assert_int_equal(tls_server_open(&options, &server, &refused), ERR_OK);
    certificate_drop(&certificate);
    buffer_free(&chain);
    buffer_free(&key);
    return server;
}

/* The client: blocking, on its own thread, which checks what comes back. */
struct client {
    int fd;
    int version;
    size_t piece;
    size_t total;
    bool polite;
    size_t good; /* bytes that came back as they were sent */
};

static void client_echo(struct client *c, SSL *ssl, char *sent, char *got)
{
    for (size_t at = 0; at < c->total; at += c->piece) {
        size_t want = c->total - at < c->piece ? c->total - at : c->piece;
        size_t len, have = 0;
        if (SSL_write_ex(ssl, sent + at, want, &len) != 1)
            return;
        while (have < want && SSL_read_ex(ssl, got + at + have, want - have, &len) == 1)
            have += len;
        if (have < want || memcmp(sent + at, got + at, want) != 0)
            return;
        c->good += want;
    }
}

static void *client_main(void *argument)
{
    struct client *c = argument;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    must(context != NULL);
    SSL_CTX_set_max_proto_version(context, c->version);
    SSL *ssl = SSL_new(context);
    char *sent = malloc(ECHO_MAX), *got = malloc(ECHO_MAX);
    must(ssl != NULL && sent != NULL && got != NULL);
    for (size_t i = 0; i < ECHO_MAX; i++)
        sent[i] = (char)(i * 7 >> 2);
    SSL_set_fd(ssl, c->fd);
    if (SSL_connect(ssl) == 1) {
        client_echo(c, ssl, sent, got);
        if (c->polite)
            SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    free(sent);
    free(got);
    close(c->fd);
    return NULL;
}

static void echo_run(struct echo *e, int fd)
{
    struct tls_tickets *tickets;
    assert_int_equal(loop_open(&e->loop), ERR_OK);
    assert_int_equal(tls_tickets_open(&tickets), ERR_OK);
    e->server = server_make(tickets);
    e->owner.event = echo_event;
    timer_init(&e->pause, e->loop, on_pause);
    assert_int_equal(stream_adopt(e->loop, fd, &e->owner, &e->stream), ERR_OK);
    assert_null(stream_tls(e->stream));
    stream_reading(e->stream, true);
    assert_int_equal(stream_secure(e->stream, e->server), ERR_OK);
    loop_run(e->loop);
    loop_close(&e->loop);
    tls_server_drop(&e->server);
    tls_tickets_close(&tickets);
}

static void bytes_come_back_as_they_were(void **state)
{
    (void)state;
    static const size_t pieces[] = { 1, 100, 16384, 16385, 300000 };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t i = 0; i < 10; i++) {
        int fds[2];
        pthread_t thread;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
        struct client c = { .fd = fds[1], .version = versions[i % 2],
                            .piece = pieces[i / 2], .polite = true };
        c.total = c.piece < 1000 ? 500 * c.piece : ECHO_MAX;
        assert_int_equal(pthread_create(&thread, NULL, client_main, &c), 0);
        struct echo e = { 0 };
        echo_run(&e, fds[0]);
        pthread_join(thread, NULL);
        assert_true(e.secured && e.ended);
        assert_int_equal(c.good, c.total);
    }
}

/* Moves bytes one at a time, both ways, until both have ended. */
struct trickle {
    int a;
    int b;
};

static void *trickle_main(void *argument)
{
    struct trickle *t = argument;
    char byte;
    while (recv(t->a, &byte, 1, 0) == 1)
        if (send(t->b, &byte, 1, MSG_NOSIGNAL) != 1)
            break;
    shutdown(t->b, SHUT_WR);
    return NULL;
}

static void every_byte_may_come_alone(void **state)
{
    (void)state;
    int ours[2], theirs[2];
    pthread_t threads[3];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ours), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, theirs), 0);
    assert_int_equal(fcntl(ours[0], F_SETFL, O_NONBLOCK), 0);
    struct client c = { .fd = theirs[0], .version = TLS1_3_VERSION, .piece = 17000,
                        .total = TRICKLE_TOTAL, .polite = true };
    struct trickle up = { theirs[1], ours[1] }, down = { ours[1], theirs[1] };
    assert_int_equal(pthread_create(&threads[0], NULL, client_main, &c), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, trickle_main, &up), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, trickle_main, &down), 0);
    struct echo e = { 0 };
    echo_run(&e, ours[0]);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    close(ours[1]);
    close(theirs[1]);
    assert_true(e.secured && e.ended);
    assert_int_equal(c.good, TRICKLE_TOTAL);
}

static void an_end_without_a_farewell_fails(void **state)
{
    (void)state;
    int fds[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    struct client c = { .fd = fds[1], .version = TLS1_3_VERSION, .piece = 1000,
                        .total = 1000 };
    assert_int_equal(pthread_create(&thread, NULL, client_main, &c), 0);
    struct echo e = { 0 };
    echo_run(&e, fds[0]);
    pthread_join(thread, NULL);
    assert_true(e.secured && !e.ended);
    assert_int_equal(e.error, EPROTO);
}

static void clear_text_in_place_of_a_handshake_fails(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(write(fds[1], "EHLO client.test\r\n", 18), 18);
    struct echo e = { 0 };
    echo_run(&e, fds[0]);
    close(fds[1]);
    assert_false(e.secured);
    assert_int_equal(e.error, EPROTO);
    assert_true(e.trouble[0] != '\0');
}

/* Asks for thousands of new keys, reads none of the answers, and waits to be let go. */
struct asker {
    int fd;
    int go;
};

static void *asker_main(void *argument)
{
    struct asker *a = argument;
    char byte;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    BIO *memory = BIO_new(BIO_s_mem());
    must(context != NULL && memory != NULL);
    SSL *ssl = SSL_new(context);
    must(ssl != NULL);
    SSL_set_fd(ssl, a->fd);
    must(SSL_connect(ssl) == 1);
    SSL_set0_wbio(ssl, memory);
    for (int i = 0; i < 4000; i++)
        must(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
             SSL_do_handshake(ssl) == 1);
    char *bytes;
    long len = BIO_get_mem_data(memory, &bytes);
    must(send(a->fd, bytes, (size_t)len, MSG_NOSIGNAL) == len);
    must(read(a->go, &byte, 1) == 0);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(a->fd);
    return NULL;
}

static void input_that_waits_for_output_keeps_nobody_busy(void **state)
{
    (void)state;
    int fds[2], go[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(pipe(go), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    struct asker a = { fds[1], go[0] };
    assert_int_equal(pthread_create(&thread, NULL, asker_main, &a), 0);
    struct echo e = { .go = go[1] };
    echo_run(&e, fds[0]);
    pthread_join(thread, NULL);
    close(go[0]);
    assert_true(e.secured && !e.ended);
    assert_true(e.nothings < 50);
}

/* Our own client to our own server, on one loop: sends, compares, and says farewell. */
struct caller {
    struct stream_owner owner;
    struct stream *stream;
    char sent[100 * 1000];
    size_t good;
    bool secured;
    bool failed;
};

static void caller_event(struct stream_owner *owner, enum stream_event event)
{
    struct caller *c = container_of(owner, struct caller, owner);
    size_t len = 0;
    char got[TLS_RECORD_MAX];
    if (event == STREAM_SECURED) {
        c->secured = true;
        assert_int_equal(stream_write(c->stream, slice_make(c->sent, sizeof c->sent)),
                         ERR_OK);
    } else if (event == STREAM_FAILED) {
        c->failed = true;
        stream_close(&c->stream);
    } else if (event == STREAM_INPUT &&
               stream_read(c->stream, got, sizeof got, &len) == STREAM_READ_SOME) {
        assert_memory_equal(got, c->sent + c->good, len);
        c->good += len;
        if (c->good == sizeof c->sent)
            stream_finish(&c->stream);
    }
}

static void call(struct caller *c, struct echo *e, bool insists)
{
    int fds[2];
    struct tls_tickets *tickets;
    struct tls_client *client;
    struct slice name = SLICE("mx.test");
    struct tls_expected expected = { .server_name = name, .names = &name, .names_count = 1,
                                     .insists = insists };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(loop_open(&e->loop), ERR_OK);
    assert_int_equal(tls_tickets_open(&tickets), ERR_OK);
    assert_int_equal(tls_client_open(NULL, NULL, &client), ERR_OK);
    e->server = server_make(tickets);
    e->owner.event = echo_event;
    c->owner.event = caller_event;
    timer_init(&e->pause, e->loop, on_pause);
    assert_int_equal(stream_adopt(e->loop, fds[0], &e->owner, &e->stream), ERR_OK);
    assert_int_equal(stream_adopt(e->loop, fds[1], &c->owner, &c->stream), ERR_OK);
    stream_reading(e->stream, true);
    stream_reading(c->stream, true);
    assert_int_equal(stream_secure(e->stream, e->server), ERR_OK);
    assert_int_equal(stream_secure_to(c->stream, client, &expected), ERR_OK);
    loop_run(e->loop);
    loop_close(&e->loop);
    tls_client_drop(&client);
    tls_server_drop(&e->server);
    tls_tickets_close(&tickets);
}

static void our_client_speaks_to_our_server(void **state)
{
    (void)state;
    static struct caller c;
    struct echo e = { 0 };
    for (size_t i = 0; i < sizeof c.sent; i++)
        c.sent[i] = (char)(i * 11 >> 3);
    call(&c, &e, false);
    assert_true(c.secured && e.secured && e.ended && !c.failed);
    assert_int_equal(c.good, sizeof c.sent);
}

static void our_client_that_insists_goes_away(void **state)
{
    (void)state;
    static struct caller c;
    struct echo e = { 0 };
    call(&c, &e, true);
    assert_true(c.failed && !c.secured);
    assert_int_equal(c.good, 0);
    assert_int_equal(e.error, EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_client_speaks_to_our_server),
        cmocka_unit_test(our_client_that_insists_goes_away),
        cmocka_unit_test(bytes_come_back_as_they_were),
        cmocka_unit_test(every_byte_may_come_alone),
        cmocka_unit_test(an_end_without_a_farewell_fails),
        cmocka_unit_test(input_that_waits_for_output_keeps_nobody_busy),
        cmocka_unit_test(clear_text_in_place_of_a_handshake_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
