/* certificate_private.h: what certificates and TLS share. */
#ifndef GODWIT_CRYPTO_CERTIFICATE_PRIVATE_H
#define GODWIT_CRYPTO_CERTIFICATE_PRIVATE_H

#include "crypto/certificate.h"

#include <openssl/x509.h>
#include <stdatomic.h>

struct certificate {
    atomic_uint references;
    X509 *leaf;
    STACK_OF(X509) *chain; /* what is sent with it, without it */
    EVP_PKEY *key;
};

#endif
