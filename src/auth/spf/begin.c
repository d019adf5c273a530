/* begin.c: from what the session knows to the macros of a check (RFC 7208 4.1, 4.3, 7.2;
 * RFC 8616 4). */
#include "auth/spf/spf_private.h"

#include "base/ascii.h"
#include "base/must.h"
#include "wire/smtp/address.h"

#include <arpa/inet.h>
#include <stdlib.h>

void spf_client_make(const void *bytes, size_t len, struct spf_client *out)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    must(len == 4 || len == 16);
    *out = (struct spf_client){ .is_v6 = len == 16 };
    if (len == 16 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        out->is_v6 = false;
        bytes = (const uint8_t *)bytes + sizeof mapped;
        len = 4;
    }
    memcpy(out->bytes, bytes, len);
}

bool spf_client_parse(struct slice text, struct spf_client *out)
{
    char written[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.len >= sizeof written || slice_find(text, '\0') != SLICE_NOT_FOUND)
        return false;
    if (text.len > 0)
        memcpy(written, text.data, text.len);
    written[text.len] = '\0';
    if (inet_pton(AF_INET, written, bytes) == 1)
        spf_client_make(bytes, 4, out);
    else if (inet_pton(AF_INET6, written, bytes) == 1)
        spf_client_make(bytes, 16, out);
    else
        return false;
    return true;
}

/* The domain as A-labels; as it is when it is none that can be converted. */
static struct slice to_ascii(struct spf *spf, struct slice domain)
{
    struct slice kept = domain;
    bool is_high = false;
    for (size_t i = 0; i < domain.len; i++)
        is_high = is_high || ascii_is_high(domain.data[i]);
    buffer_clear(&spf->scratch);
    if (is_high && smtp_domain_canonical(domain, &spf->scratch))
        domain = buffer_slice(&spf->scratch);
    return arena_copy(&spf->arena, domain, &kept) ? kept : SLICE("");
}

/* Keeps what the scratch buffer holds. */
static struct slice keep_scratch(struct spf *spf)
{
    struct slice kept = { .len = 0 };
    if (!arena_copy(&spf->arena, buffer_slice(&spf->scratch), &kept))
        return SLICE("");
    return kept;
}

/* "i": dotted, for IPv6 nibble by nibble (RFC 7208 7.3). */
static struct slice dotted_address(struct spf *spf)
{
    const uint8_t *b = spf->client.bytes;
    buffer_clear(&spf->scratch);
    for (size_t i = 0; i < (spf->client.is_v6 ? 16 : 4); i++)
        if (spf->client.is_v6)
            buffer_append_format(&spf->scratch, "%s%X.%X", i > 0 ? "." : "", b[i] >> 4,
                                 b[i] & 15);
        else
            buffer_append_format(&spf->scratch, "%s%u", i > 0 ? "." : "", b[i]);
    return keep_scratch(spf);
}

/* "c": as people read it. */
static struct slice readable_address(struct spf *spf)
{
    char text[INET6_ADDRSTRLEN];
    must(inet_ntop(spf->client.is_v6 ? AF_INET6 : AF_INET, spf->client.bytes, text,
                   sizeof text) != NULL);
    buffer_clear(&spf->scratch);
    buffer_append_string(&spf->scratch, text);
    return keep_scratch(spf);
}

static void set_sender(struct spf *spf, struct slice local, struct slice domain)
{
    struct spf_macros *macros = &spf->macros;
    if (local.len == 0)
        local = SLICE("postmaster"); /* RFC 7208 4.3 */
    for (size_t i = 0; i < local.len; i++)
        spf->has_high_local = spf->has_high_local || ascii_is_high(local.data[i]);
    *spf_macro_of(macros, 'o') = to_ascii(spf, domain);
    buffer_clear(&spf->scratch);
    buffer_append(&spf->scratch, local);
    buffer_append_byte(&spf->scratch, '@');
    buffer_append(&spf->scratch, *spf_macro_of(macros, 'o'));
    struct slice sender = keep_scratch(spf);
    *spf_macro_of(macros, 's') = sender;
    *spf_macro_of(macros, 'l') = slice_part(sender, 0, local.len);
}

static void set_macros(struct spf *spf, const struct spf_request *request)
{
    struct spf_macros *macros = &spf->macros;
    arena_copy(&spf->arena, request->helo, spf_macro_of(macros, 'h'));
    *spf_macro_of(macros, 'r') = SLICE("unknown");
    if (request->receiver.len > 0)
        arena_copy(&spf->arena, request->receiver, spf_macro_of(macros, 'r'));
    *spf_macro_of(macros, 'v') = spf->client.is_v6 ? SLICE("ip6") : SLICE("in-addr");
    *spf_macro_of(macros, 'p') = SLICE("unknown");
    *spf_macro_of(macros, 'i') = dotted_address(spf);
    *spf_macro_of(macros, 'c') = readable_address(spf);
    buffer_clear(&spf->scratch);
    buffer_append_number(&spf->scratch, request->now_s < 0 ? 0 : (uint64_t)request->now_s);
    *spf_macro_of(macros, 't') = keep_scratch(spf);
}

static bool is_too_long(const struct spf_request *request)
{
    return request->helo.len > SPF_INPUT_MAX || request->mail_from.len > SPF_INPUT_MAX ||
           request->receiver.len > SPF_INPUT_MAX;
}

static void begin(struct spf *spf, const struct spf_request *request)
{
    if (is_too_long(request)) {
        reasons_add(&spf->reasons, "what the client said is too long for any record");
        spf_start(spf, SLICE(""));
        return;
    }
    set_macros(spf, request);
    if (spf->verdict.identity == SPF_HELO) {
        reasons_add_about(&spf->reasons, "the sender is the host ", request->helo, "");
        set_sender(spf, SLICE(""), request->helo);
    } else {
        size_t at = slice_find_last(request->mail_from, '@');
        reasons_add_about(&spf->reasons, "the sender is ", request->mail_from, "");
        arena_copy(&spf->arena, request->mail_from, &spf->mail_from);
        if (at == SLICE_NOT_FOUND)
            set_sender(spf, SLICE(""), request->mail_from);
        else
            set_sender(spf, slice_part(request->mail_from, 0, at),
                       slice_from(request->mail_from, at + 1));
    }
    spf->verdict.domain = *spf_macro_of(&spf->macros, 'o');
    spf_start(spf, spf->verdict.domain);
}

enum err spf_begin(const struct spf_request *request, struct spf **out)
{
    struct spf *spf = calloc(1, sizeof *spf);
    if (spf == NULL)
        return ERR_MEMORY;
    arena_init(&spf->arena, SPF_ARENA_MAX);
    reasons_init(&spf->reasons);
    buffer_init(&spf->scratch, SPF_RECORD_MAX);
    spf->client = request->client;
    spf->verdict.identity =
        request->mail_from.len == 0 ? SPF_HELO : request->identity;
    begin(spf, request);
    *out = spf;
    return ERR_OK;
}

void spf_free(struct spf **spf)
{
    struct spf *s = *spf;
    *spf = NULL;
    if (s == NULL)
        return;
    arena_free(&s->arena);
    reasons_free(&s->reasons);
    buffer_free(&s->scratch);
    free(s);
}
