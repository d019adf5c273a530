/* addressees.h: whom a message is for, gathered from arguments and header fields.
 *
 * Programs of a machine write "root" and mean root at this machine: a word alone gets
 * the domain. RFC 5322 3.4.
 */
#ifndef GODWIT_CLI_ADDRESSEES_H
#define GODWIT_CLI_ADDRESSEES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/table.h"
#include "mail/envelope.h"

/* Appends a field's value, "@domain" put behind each mailbox that is one word alone;
 * everything else, folds and comments too, as it was. */
void addressees_qualify(struct slice value, struct slice domain, struct buffer *out);

struct addressees {
    struct arena arena;
    struct table seen;       /* by canonical address */
    struct addressee *last;  /* added; each knows the one before */
    size_t count;
    bool utf8;               /* one needs SMTPUTF8 */
};

enum { ADDRESSEES_MAX = 10000 };

void addressees_init(struct addressees *a);
void addressees_free(struct addressees *a);

/* Adds all of an address list, each once. ERR_INVALID: something in it is no address;
 * ERR_FULL: too many; ERR_MEMORY. */
enum err addressees_add(struct addressees *a, struct slice list, struct slice domain);

/* In the order in which they came, all with that NOTIFY; lives as long as `a`. NULL
 * without memory. */
struct envelope_recipient *addressees_list(struct addressees *a, uint8_t notify);

#endif
