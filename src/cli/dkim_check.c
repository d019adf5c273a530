/* dkim_check.c: the record that the DNS serves, held against the key: what the key signs
 * must verify by it, in whatever form it is written. */
#include "cli/dkim_private.h"

#include "auth/signature/record.h"
#include "wire/dns/message.h"

#include <sysexits.h>

enum { TEXT_MAX = 64 * 1024 };

const char *dkim_served_text(enum dkim_served served)
{
    switch (served) {
    case DKIM_SERVED: return "the DNS serves it";
    case DKIM_SERVED_NOTHING: return "the DNS has no record of it";
    case DKIM_SERVED_OTHER: return "the DNS serves another key";
    case DKIM_SERVED_WRONG: return "what the DNS serves is no good record";
    case DKIM_SERVED_SEVERAL: return "the DNS serves several records, of which one must go";
    case DKIM_SERVED_UNKNOWN: return "the DNS did not answer";
    }
    return "";
}

/* One signature made and checked tells whether both are halves of one key. */
static bool is_half_of(const struct signature_record *record, const struct private_key *key)
{
    static const uint8_t digest[DIGEST_BYTES] = { 1 };
    struct public_key *public = NULL;
    struct buffer signature;
    buffer_init(&signature, KEY_SIGNATURE_MAX);
    bool is = record->kind == private_key_kind(key) &&
              public_key_read(record->kind, slice_make(record->key, record->key_len),
                              &public) == ERR_OK &&
              private_key_sign(key, digest, &signature) == ERR_OK &&
              public_key_verify(public, digest, buffer_slice(&signature));
    public_key_free(&public);
    buffer_free(&signature);
    return is;
}

struct held {
    const struct private_key *key;
    struct dkim_found *out;
};

static void hold_record(const struct held *held, struct slice data)
{
    struct signature_record record;
    struct dkim_found *out = held->out;
    struct buffer text;
    buffer_init(&text, TEXT_MAX);
    out->served = DKIM_SERVED_WRONG;
    if (!dns_txt_append(data, &text) || text.overflow) {
        out->why = "it is no text";
    } else {
        enum signature_record_fault fault =
            signature_record_read(buffer_slice(&text), &record);
        if (fault == SIGNATURE_RECORD_FINE) {
            out->served = is_half_of(&record, held->key) ? DKIM_SERVED : DKIM_SERVED_OTHER;
            out->is_testing = record.is_testing;
        } else {
            out->why = signature_record_fault_text(fault);
        }
    }
    buffer_free(&text);
}

static void on_answer(void *context, const struct lookup_answer *answer)
{
    const struct held *held = context;
    *held->out = (struct dkim_found){ .served = DKIM_SERVED_UNKNOWN };
    switch (answer->kind) {
    case LOOKUP_FAILED:
        return;
    case LOOKUP_NXDOMAIN:
    case LOOKUP_NODATA:
        held->out->served = DKIM_SERVED_NOTHING;
        return;
    case LOOKUP_FOUND:
        if (answer->records_count > 1)
            held->out->served = DKIM_SERVED_SEVERAL;
        else
            hold_record(held, answer->records[0]);
        return;
    }
}

bool dkim_look_up(struct check_source *source, const struct dkim_name *name,
                  const struct private_key *key, struct dkim_found *out)
{
    struct held held = { key, out };
    struct buffer text;
    buffer_init(&text, DKIM_NAME_MAX);
    dkim_append_name(name, &text);
    struct lookup_question question = { .name = buffer_slice(&text), .type = DNS_TYPE_TXT };
    check_source_begin(source, NULL);
    bool asked = check_ask(source, &question, on_answer, &held);
    buffer_free(&text);
    return asked;
}

int dkim_source(const struct cli_call *call, struct check_source *out)
{
    const char *server = cli_value(call, "dns");
    *out = (struct check_source){ .has_server = server != NULL };
    if (server == NULL || net_address_parse(slice_from_string(server), &out->server))
        return 0;
    cli_complain("--dns: '%s' is no address with a port, as in 192.0.2.1:53", server);
    return EX_USAGE;
}
