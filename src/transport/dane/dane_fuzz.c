/* dane_fuzz.c: TLSA records of any bytes, one behind the other, each after its length. What
 * counts as usable must be taken by OpenSSL, too. */
#include "base/must.h"
#include "transport/dane/dane.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_all(struct tls_client *client, const struct dane *d)
{
    struct slice name = SLICE("mx.example");
    struct tls_session *session;
    struct tls_expected expected = { .names = &name, .names_count = 1, .insists = true,
                                     .associations = d->associations,
                                     .associations_count = d->associations_count };
    must(tls_session_connect(client, 0, &expected, &session) == ERR_OK);
    tls_session_free(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_client *client;
    struct slice records[DANE_RECORDS_MAX * 2];
    struct cursor c = cursor_over(slice_make(data, size));
    struct dns_answer answer = { .kind = DNS_OK, .secure = true, .records = records };
    struct dns_name base = { .len = 0 };
    struct slice length;
    if (client == NULL)
        must(tls_client_open(NULL, NULL, &client) == ERR_OK);
    while (answer.records_count < DANE_RECORDS_MAX * 2 && cursor_take_part(&c, 2, &length)) {
        size_t len = (size_t)(unsigned char)length.data[0] << 8 | (unsigned char)length.data[1];
        struct slice *record = &records[answer.records_count++];
        if (!cursor_take_part(&c, len, record)) {
            *record = cursor_rest(&c);
            break;
        }
    }
    struct dane *d = dane_make();
    must(d != NULL && dane_take(d, &base, &answer));
    must((d->kind == DANE_USABLE) == (d->associations_count > 0));
    if (d->associations_count > 0)
        try_all(client, d);
    dane_drop(&d);
    return 0;
}
