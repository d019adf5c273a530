/* tls_tickets.c: the keys of session tickets, and OpenSSL's question for one.
 *
 * A ticket carries the name of its key. AES-256-CBC and HMAC-SHA-256, as RFC 5077 4
 * recommends.
 */
#include "base/must.h"
#include "crypto/tls_private.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

enum { KEYS = 3, NAME_BYTES = 16, SECRET_BYTES = 32 };

struct key {
    unsigned char name[NAME_BYTES];
    unsigned char cipher[SECRET_BYTES];
    unsigned char mac[SECRET_BYTES];
};

struct tls_tickets {
    pthread_rwlock_t lock;
    size_t count;
    struct key keys[KEYS]; /* the newest first */
};

static int ticket_index(void)
{
    static int index = -1;
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&once);
    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    pthread_mutex_unlock(&once);
    return index;
}

static bool start(const struct key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, bool encrypts)
{
    unsigned char secret[SECRET_BYTES];
    char digest[] = "SHA256";
    memcpy(secret, key->mac, sizeof secret);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof secret),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool done = EVP_MAC_CTX_set_params(mac, parameters) == 1 &&
                EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv,
                                  encrypts) == 1;
    OPENSSL_cleanse(secret, sizeof secret);
    return done;
}

/* OpenSSL's convention: -1 fails, 0 knows no such key, 1 goes on, 2 goes on and makes a
 * new ticket. */
static int read_ticket(const struct tls_tickets *t, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    for (size_t i = 0; i < t->count; i++)
        if (memcmp(t->keys[i].name, name, NAME_BYTES) == 0)
            return !start(&t->keys[i], iv, cipher, mac, false) ? -1 : i == 0 ? 1 : 2;
    return 0;
}

static int make_ticket(const struct tls_tickets *t, unsigned char *name,
                       unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
        return -1;
    memcpy(name, t->keys[0].name, NAME_BYTES);
    return start(&t->keys[0], iv, cipher, mac, true) ? 1 : -1;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypts)
{
    struct tls_tickets *t =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ticket_index());
    must(t != NULL);
    pthread_rwlock_rdlock(&t->lock);
    int answer = encrypts ? make_ticket(t, name, iv, cipher, mac)
                          : read_ticket(t, name, iv, cipher, mac);
    pthread_rwlock_unlock(&t->lock);
    return answer;
}

bool tls_tickets_serve(struct tls_tickets *tickets, SSL_CTX *context)
{
    return SSL_CTX_set_ex_data(context, ticket_index(), tickets) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

enum err tls_tickets_open(struct tls_tickets **out)
{
    struct tls_tickets *t = calloc(1, sizeof *t);
    if (t == NULL)
        return ERR_MEMORY;
    pthread_rwlock_init(&t->lock, NULL);
    enum err error = ticket_index() < 0 ? ERR_MEMORY : tls_tickets_rotate(t);
    if (error != ERR_OK) {
        tls_tickets_close(&t);
        return error;
    }
    *out = t;
    return ERR_OK;
}

void tls_tickets_close(struct tls_tickets **tickets)
{
    struct tls_tickets *t = *tickets;
    *tickets = NULL;
    if (t == NULL)
        return;
    pthread_rwlock_destroy(&t->lock);
    OPENSSL_cleanse(t->keys, sizeof t->keys);
    free(t);
}

enum err tls_tickets_rotate(struct tls_tickets *t)
{
    struct key key;
    if (RAND_bytes(key.name, sizeof key.name) != 1 ||
        RAND_priv_bytes(key.cipher, sizeof key.cipher) != 1 ||
        RAND_priv_bytes(key.mac, sizeof key.mac) != 1) {
        ERR_clear_error();
        return ERR_IO;
    }
    pthread_rwlock_wrlock(&t->lock);
    memmove(&t->keys[1], &t->keys[0], (KEYS - 1) * sizeof t->keys[0]);
    t->keys[0] = key;
    t->count = t->count < KEYS ? t->count + 1 : KEYS;
    pthread_rwlock_unlock(&t->lock);
    OPENSSL_cleanse(&key, sizeof key);
    return ERR_OK;
}
