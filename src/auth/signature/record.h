/* record.h: a key in the DNS (RFC 6376 3.6.1, RFC 8463 4). Pure; any thread. */
#ifndef GODWIT_AUTH_SIGNATURE_RECORD_H
#define GODWIT_AUTH_SIGNATURE_RECORD_H

#include "crypto/key.h"

enum signature_record_fault {
    SIGNATURE_RECORD_FINE,
    SIGNATURE_RECORD_NO_LIST,   /* no list of tags */
    SIGNATURE_RECORD_VERSION,   /* v= is not DKIM1, or not at the front */
    SIGNATURE_RECORD_KIND,      /* k= is not known */
    SIGNATURE_RECORD_HASHES,    /* h= is without sha256 */
    SIGNATURE_RECORD_SERVICE,   /* s= is without email */
    SIGNATURE_RECORD_NO_KEY,    /* without p=, or it cannot be read */
    SIGNATURE_RECORD_REVOKED,   /* p= is empty */
};

/* In words; static text. */
const char *signature_record_fault_text(enum signature_record_fault fault);

struct signature_record {
    enum key_kind kind;
    bool is_testing;            /* t=y */
    bool is_strict;             /* t=s: the domain of i= is d= itself */
    uint8_t key[KEY_PUBLIC_MAX];
    size_t key_len;
};

/* `text` is the record with its strings joined. *out is set when it is fine. */
enum signature_record_fault signature_record_read(struct slice text,
                                                  struct signature_record *out);

#endif
