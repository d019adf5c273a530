/* tls_session.c: one connection: OpenSSL's results as a value of five cases. */
#include "base/must.h"
#include "crypto/tls_private.h"

#include <openssl/err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* What one call reads at most; its caller is called again, since the descriptor still has
 * input. */
enum { CALL_BYTES_MAX = 64 * 1024 };

enum err tls_session_accept(struct tls_server *server, int descriptor,
                            struct tls_session **out)
{
    struct tls_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    s->socket.descriptor = descriptor;
    s->ssl = SSL_new(server->names[0].context);
    BIO *bio = s->ssl == NULL ? NULL : tls_bio(&s->socket);
    if (bio == NULL) {
        SSL_free(s->ssl);
        free(s);
        ERR_clear_error();
        return ERR_MEMORY;
    }
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_accept_state(s->ssl);
    s->server = tls_server_hold(server);
    *out = s;
    return ERR_OK;
}

void tls_session_free(struct tls_session **session)
{
    struct tls_session *s = *session;
    *session = NULL;
    if (s == NULL)
        return;
    SSL_free(s->ssl);
    tls_server_drop(&s->server);
    free(s);
}

static void note_failure(struct tls_session *s, int kind, int number)
{
    unsigned long error = ERR_peek_error();
    if (s->failure[0] != '\0')
        return;
    const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);
    if (reason != NULL)
        snprintf(s->failure, sizeof s->failure, "%s", reason);
    else if (kind == SSL_ERROR_SYSCALL && number != 0)
        snprintf(s->failure, sizeof s->failure, "the connection failed: error %d", number);
    else
        snprintf(s->failure, sizeof s->failure, "the connection ended without a farewell");
}

/* What a call of OpenSSL came to. Its queue of errors is empty afterwards, so that no
 * other connection of this thread inherits one. */
static enum tls_result judge(struct tls_session *s, int returned)
{
    int number = errno;
    int kind = SSL_get_error(s->ssl, returned);
    enum tls_result result = TLS_FAILED;
    switch (kind) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        result = TLS_WANT_READ;
        break;
    case SSL_ERROR_WANT_WRITE:
        result = TLS_WANT_WRITE;
        break;
    case SSL_ERROR_ZERO_RETURN:
        result = TLS_END;
        break;
    default:
        note_failure(s, kind, number);
        break;
    }
    ERR_clear_error();
    return result;
}

enum tls_result tls_handshake(struct tls_session *s)
{
    ERR_clear_error();
    s->socket.may_read = CALL_BYTES_MAX;
    return judge(s, SSL_do_handshake(s->ssl));
}

enum tls_result tls_read(struct tls_session *s, char *into, size_t max, size_t *out_len)
{
    size_t have = 0;
    enum tls_result result;
    must(max >= TLS_RECORD_MAX);
    ERR_clear_error();
    s->end_is_owed = false;
    s->socket.may_read = CALL_BYTES_MAX;
    do {
        size_t len = 0;
        result = judge(s, SSL_read_ex(s->ssl, into + have, max - have, &len));
        have += result == TLS_DONE ? len : 0;
    } while (result == TLS_DONE && max - have >= TLS_RECORD_MAX && tls_has_input(s));
    if (have == 0)
        return result;
    *out_len = have;
    s->end_is_owed = result == TLS_END || result == TLS_FAILED; /* it is met again */
    return TLS_DONE;
}

bool tls_has_input(const struct tls_session *s)
{
    return s->end_is_owed || SSL_has_pending(s->ssl) == 1;
}

enum tls_result tls_write(struct tls_session *s, struct slice bytes, size_t *out_len)
{
    must(bytes.len > 0);
    ERR_clear_error();
    return judge(s, SSL_write_ex(s->ssl, bytes.data, bytes.len, out_len));
}

void tls_finish(struct tls_session *s)
{
    if (s->failure[0] != '\0' || !SSL_is_init_finished(s->ssl))
        return;
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
}

struct slice tls_failure(const struct tls_session *s)
{
    return slice_from_string(s->failure);
}

bool tls_binding(const struct tls_session *s, char out[TLS_BINDING_BYTES])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    bool is_bound = SSL_version(s->ssl) >= TLS1_3_VERSION ||
                    SSL_get_extms_support(s->ssl) == 1;
    return is_bound && SSL_export_keying_material(s->ssl, (unsigned char *)out,
                                                  TLS_BINDING_BYTES, label,
                                                  sizeof label - 1, (const unsigned char *)"", 0,
                                                  1) == 1;
}

void tls_describe(const struct tls_session *s, struct tls_facts *out)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);
    *out = (struct tls_facts){
        .version = SSL_get_version(s->ssl),
        .cipher = SSL_CIPHER_get_name(cipher),
        .bits = (unsigned)SSL_CIPHER_get_bits(cipher, NULL),
        .resumed = SSL_session_reused(s->ssl) == 1,
        .server_name = slice_from_string(
            SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name)),
    };
}
