/* sasl_scram.c: SCRAM by GNU SASL (RFC 5802, RFC 7677), without channel binding.
 *
 * The server says how often a digest is to be repeated: that is bounded before the
 * library sees it.
 */
#include "base/cursor.h"
#include "crypto/sasl_private.h"

#include <gsasl.h>
#include <pthread.h>

static Gsasl *library;

static void make_library(void)
{
    if (gsasl_init(&library) != GSASL_OK)
        library = NULL;
}

enum err scram_open(struct sasl_client *c, const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_library);
    if (library == NULL || gsasl_client_start(library, name, &c->scram) != GSASL_OK)
        return ERR_MEMORY;
    if (gsasl_property_set(c->scram, GSASL_AUTHID, c->user) != GSASL_OK ||
        gsasl_property_set(c->scram, GSASL_PASSWORD, c->secret) != GSASL_OK)
        return ERR_MEMORY;
    return ERR_OK;
}

void scram_close(struct sasl_client *c)
{
    if (c->scram != NULL)
        gsasl_finish(c->scram);
    c->scram = NULL;
}

/* server-first-message = [reserved-mext ","] nonce "," salt ","
 *                        iteration-count ["," extensions]
 * iteration-count = "i=" posit-number (RFC 5802 7) */
static bool iterations_are_bearable(struct slice challenge)
{
    struct slice part;
    while (slice_split(&challenge, ',', &part)) {
        uint64_t count;
        if (part.len < 2 || part.data[0] != 'i' || part.data[1] != '=')
            continue;
        if (!slice_to_number(slice_from(part, 2), SASL_ITERATIONS_MAX, &count) ||
            count == 0)
            return false;
    }
    return true;
}

static bool step(struct sasl_client *c, struct slice challenge, struct buffer *out)
{
    char *said = NULL;
    size_t len = 0;
    int result = gsasl_step(c->scram, challenge.data, challenge.len, &said, &len);
    if (result == GSASL_OK || result == GSASL_NEEDS_MORE)
        buffer_append(out, slice_make(said, len));
    if (said != NULL)
        explicit_bzero(said, len);
    gsasl_free(said);
    c->done = result == GSASL_OK;
    return result == GSASL_OK || result == GSASL_NEEDS_MORE;
}

bool scram_begin(struct sasl_client *c, struct buffer *out)
{
    return step(c, slice_make("", 0), out);
}

bool scram_answer(struct sasl_client *c, struct slice challenge, struct buffer *out)
{
    return !c->done && iterations_are_bearable(challenge) && step(c, challenge, out);
}
