/* certificate.c: PEM in, a checked pair out; names and times. */
#include "crypto/certificate_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHAIN_MAX = 16, PEM_BYTES_MAX = 1024 * 1024, NAME_MAX_BYTES = 255 };

static enum err trouble(struct certificate_trouble *out, const char *text)
{
    snprintf(out->text, sizeof out->text, "%s", text);
    ERR_clear_error();
    return ERR_INVALID;
}

/* A key with a pass phrase is refused, never asked about on a terminal. */
static int no_pass_phrase(char *into, int size, int writing, void *context)
{
    (void)into;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static BIO *over(struct slice pem)
{
    return pem.len > PEM_BYTES_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
}

static enum err read_chain(struct certificate *c, struct slice pem,
                           struct certificate_trouble *out)
{
    BIO *bio = over(pem);
    if (bio == NULL)
        return trouble(out, "the certificate is too large");
    X509 *one;
    int count = 0;
    c->chain = sk_X509_new_null();
    while (c->chain != NULL && count <= CHAIN_MAX &&
           (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (count++ == 0) {
            c->leaf = one;
        } else if (sk_X509_push(c->chain, one) == 0) {
            X509_free(one);
            break;
        }
    }
    unsigned long error = ERR_peek_last_error();
    bool at_end = ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    if (c->chain == NULL)
        return ERR_MEMORY;
    if (c->leaf == NULL)
        return trouble(out, "there is no certificate in PEM form in it");
    if (count > CHAIN_MAX)
        return trouble(out, "the chain holds more than 16 certificates");
    if (!at_end)
        return trouble(out, "one of the certificates of the chain is damaged");
    ERR_clear_error();
    return ERR_OK;
}

static enum err read_key(struct certificate *c, struct slice pem,
                         struct certificate_trouble *out)
{
    bool asked = false;
    BIO *bio = over(pem);
    if (bio == NULL)
        return trouble(out, "the key is too large");
    c->key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &asked);
    BIO_free(bio);
    if (asked)
        return trouble(out, "the key has a pass phrase, which cannot be asked for");
    if (c->key == NULL)
        return trouble(out, "there is no private key in PEM form in it");
    if (X509_check_private_key(c->leaf, c->key) != 1)
        return trouble(out, "the key does not belong to the certificate");
    return ERR_OK;
}

enum err certificate_read(struct slice chain_pem, struct slice key_pem,
                          struct certificate **out,
                          struct certificate_trouble *out_trouble)
{
    struct certificate *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR_MEMORY;
    ERR_clear_error();
    atomic_init(&c->references, 1);
    enum err error = read_chain(c, chain_pem, out_trouble);
    if (error == ERR_OK)
        error = read_key(c, key_pem, out_trouble);
    if (error != ERR_OK) {
        certificate_drop(&c);
        return error;
    }
    *out = c;
    return ERR_OK;
}

struct certificate *certificate_hold(struct certificate *c)
{
    atomic_fetch_add(&c->references, 1);
    return c;
}

void certificate_drop(struct certificate **certificate)
{
    struct certificate *c = *certificate;
    *certificate = NULL;
    if (c == NULL || atomic_fetch_sub(&c->references, 1) > 1)
        return;
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    free(c);
}

bool certificate_is_for(const struct certificate *c, struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    return X509_check_host(c->leaf, name.data, name.len,
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static int64_t wall_ms(const ASN1_TIME *time)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return 0;
    return (int64_t)timegm(&parts) * 1000;
}

int64_t certificate_begins_wall_ms(const struct certificate *c)
{
    return wall_ms(X509_get0_notBefore(c->leaf));
}

int64_t certificate_expires_wall_ms(const struct certificate *c)
{
    return wall_ms(X509_get0_notAfter(c->leaf));
}

static void put_names(const struct certificate *c, struct buffer *out)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        if (buffer_len(out) > 0)
            buffer_append_byte(out, ' ');
        buffer_append_escaped(
            out, slice_make(ASN1_STRING_get0_data(name->d.dNSName),
                            (size_t)ASN1_STRING_length(name->d.dNSName)));
    }
    GENERAL_NAMES_free(names);
}

static void put_issuer(const struct certificate *c, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (bio == NULL)
        return;
    if (X509_NAME_print_ex(bio, X509_get_issuer_name(c->leaf), 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(bio, &text);
        buffer_append_escaped(out, slice_make(text, len < 0 ? 0 : (size_t)len));
    }
    BIO_free(bio);
}

static void put_fingerprint(const struct certificate *c, struct buffer *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (X509_digest(c->leaf, EVP_sha256(), digest, &len) != 1)
        return;
    for (unsigned i = 0; i < len; i++)
        buffer_append_format(out, "%02x", digest[i]);
}

void certificate_describe(const struct certificate *c,
                          const struct certificate_facts *out)
{
    put_names(c, out->names);
    put_issuer(c, out->issuer);
    int id = EVP_PKEY_get_base_id(c->key);
    buffer_append_string(out->key, id == EVP_PKEY_ED25519 ? "Ed25519"
                                   : OBJ_nid2sn(id) == NULL ? "unknown"
                                   : id == EVP_PKEY_EC ? "EC"
                                   : id == EVP_PKEY_RSA ? "RSA" : OBJ_nid2sn(id));
    if (id != EVP_PKEY_ED25519)
        buffer_append_format(out->key, " %d", EVP_PKEY_get_bits(c->key));
    put_fingerprint(c, out->fingerprint);
}
