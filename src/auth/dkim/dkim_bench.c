/* dkim_bench.c: signing and verifying a message, beside the hashes and the one use of the
 * key that nobody can do without, straight from the crypto library.
 *
 * Prints a line a case: what, with which key, nanoseconds of CPU ours and bare.
 */
#include "auth/dkim/sign.h"
#include "auth/dkim/verify.h"
#include "auth/signature/fake_zone.h"
#include "base/base64.h"
#include "base/must.h"
#include "crypto/public_keys.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <time.h>

enum { BODY_LINES = 52, ROUNDS = 5, ROUND_NS = 200 * 1000 * 1000, NOW_S = 1800000000,
       TEXT_MAX = 64 * 1024, RSA_BITS = 2048 };

static const char header[] =
    "From: Anna <anna@example.com>\r\nTo: Bert <bert@example.net>\r\nSubject: a bench\r\n"
    "Date: Mon, 02 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";

struct bench {
    struct private_key *key;
    EVP_PKEY *bare;
    struct buffer body;
    struct buffer zone;
    struct buffer field;         /* a signature, for the verifier */
    struct public_keys *keys;    /* that the verifier has read before, or NULL */
    unsigned char signature[512];
    size_t signature_len;
};

static void sign_ours(struct bench *b)
{
    struct dkim_signing how = {
        .key = b->key, .domain = SLICE("example.com"), .selector = SLICE("s"),
        .header = CANONICAL_RELAXED, .body = CANONICAL_RELAXED,
        .signed_at_s = NOW_S, .expires_at_s = -1,
    };
    struct dkim_signer *signer = NULL;
    enum dkim_signing_fault fault;
    must(dkim_signer_new(&how, 1, slice_make(header, sizeof header - 1), &signer, &fault) ==
         ERR_OK);
    dkim_signer_body(signer, buffer_slice(&b->body));
    buffer_clear(&b->field);
    must(dkim_signer_finish(signer, &b->field) == ERR_OK);
    dkim_signer_free(&signer);
}

/* Both hashes; the second one is what is signed. */
static void hash(const struct bench *b, unsigned char out[EVP_MAX_MD_SIZE])
{
    struct slice body = buffer_slice(&b->body);
    must(EVP_Digest(body.data, body.len, out, NULL, EVP_sha256(), NULL) == 1);
    must(EVP_Digest(header, sizeof header - 1, out, NULL, EVP_sha256(), NULL) == 1);
}

static void sign_bare(struct bench *b)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    bool is_rsa = private_key_kind(b->key) == KEY_RSA;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    hash(b, digest);
    b->signature_len = sizeof b->signature;
    must(EVP_DigestSignInit(context, NULL, is_rsa ? EVP_sha256() : NULL, NULL, b->bare) == 1);
    must(EVP_DigestSign(context, b->signature, &b->signature_len, digest, 32) == 1);
    EVP_MD_CTX_free(context);
}

static void verify_bare(struct bench *b)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    bool is_rsa = private_key_kind(b->key) == KEY_RSA;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    hash(b, digest);
    must(EVP_DigestVerifyInit(context, NULL, is_rsa ? EVP_sha256() : NULL, NULL, b->bare) ==
         1);
    must(EVP_DigestVerify(context, b->signature, b->signature_len, digest, 32) == 1);
    EVP_MD_CTX_free(context);
}

static void verify_ours(struct bench *b)
{
    struct dkim_options options = { .now_s = NOW_S, .keys = b->keys };
    struct dkim_verifier *v = NULL;
    struct lookup_question question;
    struct fake_zone_answer answer;
    struct buffer whole;
    buffer_init(&whole, TEXT_MAX);
    buffer_append(&whole, buffer_slice(&b->field));
    buffer_append_string(&whole, header);
    must(dkim_verifier_new(&options, buffer_slice(&whole), &v) == ERR_OK);
    must(dkim_verifier_question(v, 0, &question));
    fake_zone_find(buffer_slice(&b->zone), &question, &answer);
    dkim_verifier_answer(v, 0, &answer.answer);
    fake_zone_drop(&answer);
    dkim_verifier_body(v, buffer_slice(&b->body));
    must(dkim_verifier_body_end(v) == ERR_OK);
    must(dkim_verifier_result(v) == DKIM_PASS);
    dkim_verifier_free(&v);
    buffer_free(&whole);
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The best of some rounds: what is more comes from elsewhere. */
static int64_t measure(struct bench *b, void (*run)(struct bench *b))
{
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = cpu_ns();
        int64_t count = 0;
        int64_t spent;
        do {
            run(b);
            count++;
        } while ((spent = cpu_ns() - begin) < ROUND_NS);
        best = spent / count < best ? spent / count : best;
    }
    return best;
}

static void bench(enum key_kind kind, const char *name)
{
    struct bench b = { .key = NULL };
    struct key_trouble trouble;
    struct buffer pem;
    struct buffer public;
    buffer_init(&pem, TEXT_MAX);
    buffer_init(&public, TEXT_MAX);
    buffer_init(&b.body, TEXT_MAX);
    buffer_init(&b.zone, TEXT_MAX);
    buffer_init(&b.field, TEXT_MAX);
    must(private_key_make(kind, RSA_BITS, &pem) == ERR_OK);
    must(private_key_read(buffer_slice(&pem), &b.key, &trouble) == ERR_OK);
    BIO *bio = BIO_new_mem_buf(buffer_slice(&pem).data, (int)buffer_len(&pem));
    b.bare = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    must(b.bare != NULL && private_key_public(b.key, &public) == ERR_OK);
    for (int i = 0; i < BODY_LINES; i++)
        buffer_append(&b.body, SLICE("The quick brown fox jumps over the lazy dog, and then "
                                     "again, and once more.\r\n"));
    buffer_append_format(&b.zone, "s._domainkey.example.com v=DKIM1; k=%s; p=", name);
    base64_append(&b.zone, buffer_slice(&public));
    buffer_append_byte(&b.zone, '\n');
    int64_t sign = measure(&b, sign_ours), sign_by = measure(&b, sign_bare);
    int64_t anew = measure(&b, verify_ours), verify_by = measure(&b, verify_bare);
    must(public_keys_new(1, &b.keys) == ERR_OK);
    int64_t verify = measure(&b, verify_ours);
    printf("sign %s %lld %lld\n", name, (long long)sign, (long long)sign_by);
    printf("verify %s %lld %lld\n", name, (long long)verify, (long long)verify_by);
    printf("verify-new-key %s %lld %lld\n", name, (long long)anew, (long long)verify_by);
    public_keys_free(&b.keys);
    BIO_free(bio);
    EVP_PKEY_free(b.bare);
    private_key_drop(&b.key);
    buffer_free(&pem);
    buffer_free(&public);
    buffer_free(&b.body);
    buffer_free(&b.zone);
    buffer_free(&b.field);
}

int main(void)
{
    bench(KEY_RSA, "rsa");
    bench(KEY_ED25519, "ed25519");
    return 0;
}
