/* tls_bio.c: OpenSSL's bytes to and from a socket: no signal when the peer is gone. */
#include "crypto/tls_private.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <sys/socket.h>

static struct tls_socket *socket_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static int answer(BIO *bio, ssize_t done, size_t *out_done)
{
    BIO_clear_retry_flags(bio);
    if (done > 0) {
        *out_done = (size_t)done;
        return 1;
    }
    *out_done = 0;
    return 0;
}

static int socket_write(BIO *bio, const char *bytes, size_t len, size_t *out_done)
{
    ssize_t done = send(socket_of(bio)->descriptor, bytes, len, MSG_NOSIGNAL);
    int number = errno;
    int result = answer(bio, done, out_done);
    if (done < 0 && (number == EAGAIN || number == EINTR))
        BIO_set_retry_write(bio);
    errno = number;
    return result;
}

static int socket_read(BIO *bio, char *into, size_t max, size_t *out_done)
{
    struct tls_socket *s = socket_of(bio);
    ssize_t done = -1;
    int number = EAGAIN;
    if (s->may_read > 0) {
        done = recv(s->descriptor, into, max, 0);
        number = errno;
    }
    if (done > 0 && !s->has_heard) {
        s->has_heard = true;
        s->first = (unsigned char)into[0];
    }
    if (done > 0)
        s->may_read -= (size_t)done < s->may_read ? (size_t)done : s->may_read;
    int result = answer(bio, done, out_done);
    if (done < 0 && (number == EAGAIN || number == EINTR))
        BIO_set_retry_read(bio);
    if (done == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    errno = done == 0 ? 0 : number;
    return result;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_FLUSH)
        return 1;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return 0;
}

static BIO_METHOD *method;

static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (m == NULL)
        return;
    BIO_meth_set_write_ex(m, socket_write);
    BIO_meth_set_read_ex(m, socket_read);
    BIO_meth_set_ctrl(m, socket_control);
    method = m;
}

BIO *tls_bio(struct tls_socket *socket)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method == NULL ? NULL : BIO_new(method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    return bio;
}
