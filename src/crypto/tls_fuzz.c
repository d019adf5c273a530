/* tls_fuzz.c: a stranger's octets as a handshake, and a true client's records damaged on
 * their way: what is read is what the client wrote, from its beginning, or nothing.
 *
 * input = how(1) where(2) what(1) ... ; how, bit 0: the octets that follow are all that the
 * client says; else the octets are written through TLS, and at `where` in the records one
 * is changed to `what` more (0: none). Bit 1: TLS 1.2.
 */
#include "crypto/tls.h"

#include "base/must.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 200, PEM_MAX = 16 * 1024, TEXT_MAX = 20000, HOW_BYTES = 4 };

static struct tls_server *server(void)
{
    static struct tls_server *made;
    static struct tls_tickets *tickets;
    struct buffer chain, key;
    struct certificate_trouble trouble;
    struct certificate *certificate;
    size_t refused;
    if (made != NULL)
        return made;
    buffer_init(&chain, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    must(certificate_make(SLICE("mx.test"), INT64_C(1795600000000), 30, &chain, &key) == ERR_OK);
    must(certificate_read(buffer_slice(&chain), buffer_slice(&key), &certificate, &trouble) ==
         ERR_OK);
    must(tls_tickets_open(&tickets) == ERR_OK);
    struct tls_server_options options = { .certificates = &certificate,
                                          .certificates_count = 1, .tickets = tickets };
    must(tls_server_open(&options, &made, &refused) == ERR_OK);
    certificate_drop(&certificate);
    buffer_free(&chain);
    buffer_free(&key);
    return made;
}

/* Reads what there is; it must be the beginning of `written`. */
static void read_all(struct tls_session *s, struct slice written)
{
    static char room[4 * TLS_RECORD_MAX];
    size_t done = 0;
    size_t len;
    for (int i = 0; i < STEPS_MAX && tls_read(s, room, sizeof room, &len) == TLS_DONE; i++) {
        must(len > 0 && len <= sizeof room && done + len <= written.len);
        must(slice_equal(slice_make(room, len), slice_part(written, done, len)));
        done += len;
    }
    (void)tls_failure(s);
}

static void stranger(struct slice octets)
{
    int fds[2];
    struct tls_session *s;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    must(tls_session_accept(server(), fds[0], &s) == ERR_OK);
    enum tls_result result = tls_handshake(s);
    must(result == TLS_WANT_READ);
    (void)!write(fds[1], octets.data, octets.len);
    shutdown(fds[1], SHUT_WR);
    for (int i = 0; i < STEPS_MAX && (result = tls_handshake(s)) == TLS_WANT_WRITE; i++) {
        char room[4096];
        (void)!read(fds[1], room, sizeof room);
    }
    must(result != TLS_DONE); /* nobody guesses a Finished */
    tls_session_free(&s);
    close(fds[0]);
    close(fds[1]);
}

/* Moves what the client has to say to the server, one octet of the records of its text
 * changed. */
static void carry(BIO *out, int fd, size_t where, uint8_t what)
{
    char room[TEXT_MAX * 2];
    int len = BIO_read(out, room, sizeof room);
    if (len <= 0)
        return;
    room[where % (size_t)len] = (char)((uint8_t)room[where % (size_t)len] + what);
    (void)!write(fd, room, (size_t)len);
}

static bool shake_hands(struct tls_session *s, SSL *client, BIO *in, BIO *out, int fd)
{
    for (int i = 0; i < STEPS_MAX; i++) {
        char room[8192];
        bool is_done = SSL_do_handshake(client) == 1;
        carry(out, fd, 0, 0);
        enum tls_result ours = tls_handshake(s);
        if (ours == TLS_DONE && is_done)
            return true;
        if (ours == TLS_FAILED)
            return false;
        ssize_t len = read(fd, room, sizeof room);
        if (len > 0)
            must(BIO_write(in, room, (int)len) == len);
    }
    return false;
}

static void client_of(bool is_old, size_t where, uint8_t what, struct slice text)
{
    static SSL_CTX *context;
    int fds[2];
    struct tls_session *s;
    if (context == NULL)
        context = SSL_CTX_new(TLS_client_method());
    must(context != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    must(tls_session_accept(server(), fds[0], &s) == ERR_OK);
    SSL *client = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    must(client != NULL && in != NULL && out != NULL);
    SSL_set_bio(client, in, out);
    SSL_set_connect_state(client);
    if (is_old)
        SSL_set_max_proto_version(client, TLS1_2_VERSION);
    must(shake_hands(s, client, in, out, fds[1]));
    if (text.len > 0)
        must(SSL_write(client, text.data, (int)text.len) == (int)text.len);
    carry(out, fds[1], where, what);
    shutdown(fds[1], SHUT_WR);
    read_all(s, text);
    tls_session_free(&s);
    SSL_free(client);
    close(fds[0]);
    close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HOW_BYTES)
        return 0;
    struct slice rest = slice_make(data + HOW_BYTES, size - HOW_BYTES);
    if (rest.len > TEXT_MAX)
        rest.len = TEXT_MAX;
    if ((data[0] & 1) != 0)
        stranger(rest);
    else
        client_of((data[0] & 2) != 0, (size_t)data[1] << 8 | data[2], data[3], rest);
    return 0;
}
