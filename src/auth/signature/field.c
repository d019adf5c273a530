/* field.c: RFC 6376 3.5, a tag a row; RFC 8617 4.1.2 and 4.1.3 for what ARC changes. */
#include "auth/signature/field.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/utf8.h"
#include "wire/message/tag_list.h"
#include "wire/smtp/address.h"

enum { NUMBER_DIGITS_MAX = 76, IN_DKIM = 1, IN_MESSAGE = 2, IN_SEAL = 4,
       IN_ARC = IN_MESSAGE | IN_SEAL, IN_BODY = IN_DKIM | IN_MESSAGE, IN_ALL = 7 };

const char *signature_fault_text(enum signature_fault fault)
{
    switch (fault) {
    case SIGNATURE_FINE: return "is right";
    case SIGNATURE_NO_LIST: return "is no list of tags, each once";
    case SIGNATURE_TAG_MISSING: return "lacks a tag that it must have";
    case SIGNATURE_TAG_FORBIDDEN: return "has a tag that it must not have";
    case SIGNATURE_VALUE: return "has a tag whose value cannot be read";
    case SIGNATURE_ALGORITHM_BROKEN: return "is made with SHA-1, which proves nothing";
    case SIGNATURE_ALGORITHM_UNKNOWN: return "is made with an algorithm that is not known";
    case SIGNATURE_CANONICAL_UNKNOWN: return "has a canonicalization that is not known";
    case SIGNATURE_QUERY_UNKNOWN: return "has its key somewhere else than in the DNS";
    case SIGNATURE_TOO_MANY_NAMES: return "names too many header fields";
    case SIGNATURE_FROM_UNSIGNED: return "does not cover the From field";
    case SIGNATURE_IDENTITY_FOREIGN: return "speaks for a user of another domain";
    case SIGNATURE_EXPIRES_EARLY: return "expires before it was made";
    }
    return "";
}

const char *signature_algorithm_text(enum key_kind kind)
{
    return kind == KEY_RSA ? "rsa-sha256" : "ed25519-sha256";
}

/* ASCII is what the DNS is asked for, be it right by IDNA or not (RFC 8616 4): there are
 * domains of emoji. */
bool signature_name_read(struct slice text, struct dns_name *out)
{
    struct buffer canonical;
    if (slice_is_ascii(text))
        return text.len > 0 && text.data[text.len - 1] != '.' && dns_name_parse(text, out);
    buffer_init(&canonical, SMTP_DOMAIN_MAX);
    bool good = smtp_domain_is_valid(text) && smtp_domain_canonical(text, &canonical) &&
                dns_name_parse(buffer_slice(&canonical), out);
    buffer_free(&canonical);
    return good;
}

bool signature_key_name(const struct dns_name *selector, const struct dns_name *domain,
                        struct dns_name *out)
{
    struct buffer name;
    buffer_init(&name, DNS_NAME_MAX);
    buffer_append(&name, dns_name_slice(selector));
    buffer_append(&name, SLICE("._domainkey."));
    buffer_append(&name, dns_name_slice(domain));
    bool good = !name.overflow && dns_name_parse(buffer_slice(&name), out);
    buffer_free(&name);
    return good;
}

/* Digits; a number that is too large is UINT64_MAX (RFC 6376 3.5, "t=" and "l="). */
static bool number(struct slice value, uint64_t *out)
{
    if (value.len == 0 || value.len > NUMBER_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_digit(value.data[i]))
            return false;
    if (!slice_to_number(value, UINT64_MAX, out))
        *out = UINT64_MAX;
    return true;
}

static enum signature_fault seconds(struct slice value, int64_t *out)
{
    uint64_t n;
    if (!number(value, &n))
        return SIGNATURE_VALUE;
    *out = n > INT64_MAX ? INT64_MAX : (int64_t)n;
    return SIGNATURE_FINE;
}

static enum signature_fault octets(struct slice value, uint8_t *into, size_t max,
                                   size_t *out_len)
{
    struct buffer made;
    buffer_init(&made, max);
    bool good = base64_read(value, &made) && buffer_len(&made) > 0;
    if (good) {
        *out_len = buffer_len(&made);
        memcpy(into, buffer_slice(&made).data, *out_len);
    }
    buffer_free(&made);
    return good ? SIGNATURE_FINE : SIGNATURE_VALUE;
}

/* sig-v-tag = %x76 [FWS] "=" [FWS] 1*DIGIT */
static enum signature_fault read_version(const struct tag *tag, struct signature_field *out)
{
    (void)out;
    return slice_equal(tag->value, SLICE("1")) ? SIGNATURE_FINE : SIGNATURE_VALUE;
}

/* sig-a-tag-alg = sig-a-tag-k "-" sig-a-tag-h */
static enum signature_fault read_algorithm(const struct tag *tag,
                                           struct signature_field *out)
{
    if (slice_equal_nocase(tag->value, SLICE("rsa-sha256"))) {
        out->algorithm = KEY_RSA;
        return SIGNATURE_FINE;
    }
    if (slice_equal_nocase(tag->value, SLICE("ed25519-sha256"))) {
        out->algorithm = KEY_ED25519;
        return SIGNATURE_FINE;
    }
    return slice_ends_with_nocase(tag->value, SLICE("-sha1")) ? SIGNATURE_ALGORITHM_BROKEN
                                                              : SIGNATURE_ALGORITHM_UNKNOWN;
}

static enum signature_fault read_signature(const struct tag *tag,
                                           struct signature_field *out)
{
    out->signature_raw = tag->raw;
    out->signature_text = tag->value;
    return octets(tag->value, out->signature, sizeof out->signature, &out->signature_len);
}

static enum signature_fault read_body_hash(const struct tag *tag,
                                           struct signature_field *out)
{
    size_t len = 0;
    enum signature_fault fault = octets(tag->value, out->body_hash, DIGEST_BYTES, &len);
    return fault == SIGNATURE_FINE && len != DIGEST_BYTES ? SIGNATURE_VALUE : fault;
}

static bool read_form(struct slice word, enum canonical_kind *out)
{
    bool relaxed = slice_equal_nocase(word, SLICE("relaxed"));
    if (!relaxed && !slice_equal_nocase(word, SLICE("simple")))
        return false;
    *out = relaxed ? CANONICAL_RELAXED : CANONICAL_SIMPLE;
    return true;
}

/* sig-c-tag-alg ["/" sig-c-tag-alg] */
static enum signature_fault read_canonical(const struct tag *tag,
                                           struct signature_field *out)
{
    size_t slash = slice_find(tag->value, '/');
    out->body = CANONICAL_SIMPLE;
    if (!read_form(slice_part(tag->value, 0, slash), &out->header) ||
        (slash != SLICE_NOT_FOUND &&
         !read_form(slice_from(tag->value, slash + 1), &out->body)))
        return SIGNATURE_CANONICAL_UNKNOWN;
    return SIGNATURE_FINE;
}

/* domain-name = sub-domain 1*("." sub-domain) */
static enum signature_fault read_domain(const struct tag *tag, struct signature_field *out)
{
    return signature_name_read(tag->value, &out->domain) &&
                   slice_find(dns_name_slice(&out->domain), '.') != SLICE_NOT_FOUND
               ? SIGNATURE_FINE : SIGNATURE_VALUE;
}

static enum signature_fault read_selector(const struct tag *tag,
                                          struct signature_field *out)
{
    return signature_name_read(tag->value, &out->selector) ? SIGNATURE_FINE
                                                           : SIGNATURE_VALUE;
}

/* hdr-name *( [FWS] ":" [FWS] hdr-name ) */
static enum signature_fault read_names(const struct tag *tag, struct signature_field *out)
{
    struct slice rest = tag->value;
    struct slice name;
    size_t count = 0;
    while (tag_word_next(&rest, &name))
        if (++count > SIGNATURE_NAMES_MAX)
            return SIGNATURE_TOO_MANY_NAMES;
    out->names = tag->value;
    return SIGNATURE_FINE;
}

/* [ Local-part ] "@" domain-name; held against d= when that is known. */
static enum signature_fault read_identity(const struct tag *tag,
                                          struct signature_field *out)
{
    out->identity = tag->value;
    return slice_find(tag->value, '@') == SLICE_NOT_FOUND ? SIGNATURE_VALUE : SIGNATURE_FINE;
}

static enum signature_fault read_instance(const struct tag *tag,
                                          struct signature_field *out)
{
    uint64_t n;
    if (!slice_to_number(tag->value, SIGNATURE_INSTANCE_MAX, &n) || n == 0)
        return SIGNATURE_VALUE;
    out->instance = (unsigned)n;
    return SIGNATURE_FINE;
}

static enum signature_fault read_limit(const struct tag *tag, struct signature_field *out)
{
    if (!number(tag->value, &out->body_limit))
        return SIGNATURE_VALUE;
    if (out->body_limit == UINT64_MAX) /* which is no limit */
        out->body_limit--;
    return SIGNATURE_FINE;
}

static enum signature_fault read_query(const struct tag *tag, struct signature_field *out)
{
    (void)out;
    return tag_word_is_in(tag->value, SLICE("dns/txt")) ? SIGNATURE_FINE
                                                        : SIGNATURE_QUERY_UNKNOWN;
}

static enum signature_fault read_signed_at(const struct tag *tag,
                                           struct signature_field *out)
{
    return seconds(tag->value, &out->signed_at_s);
}

static enum signature_fault read_expires_at(const struct tag *tag,
                                            struct signature_field *out)
{
    return seconds(tag->value, &out->expires_at_s);
}

/* seal-cv-tag = "cv" "=" ("none" / "fail" / "pass") */
static enum signature_fault read_chain(const struct tag *tag, struct signature_field *out)
{
    static const struct slice words[] = {
        [SIGNATURE_CHAIN_NONE] = SLICE_INIT("none"),
        [SIGNATURE_CHAIN_FAIL] = SLICE_INIT("fail"),
        [SIGNATURE_CHAIN_PASS] = SLICE_INIT("pass"),
    };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (slice_equal_nocase(tag->value, words[i])) {
            out->chain = (enum signature_chain)i;
            return SIGNATURE_FINE;
        }
    }
    return SIGNATURE_VALUE;
}

static const struct rule {
    const char *name;
    unsigned in;        /* where it is read; elsewhere it is a tag like any unknown one */
    unsigned required;
    unsigned forbidden;
    enum signature_fault (*read)(const struct tag *tag, struct signature_field *out);
} rules[] = {
    { "v", IN_DKIM, IN_DKIM, 0, read_version },
    { "i", IN_ARC, IN_ARC, 0, read_instance }, /* known whatever else is wrong */
    { "d", IN_ALL, IN_ALL, 0, read_domain },
    { "s", IN_ALL, IN_ALL, 0, read_selector },
    { "a", IN_ALL, IN_ALL, 0, read_algorithm },
    { "b", IN_ALL, IN_ALL, 0, read_signature },
    { "bh", IN_BODY, IN_BODY, 0, read_body_hash },
    { "c", IN_BODY, 0, 0, read_canonical },
    { "h", IN_BODY, IN_BODY, IN_SEAL, read_names },
    { "i", IN_DKIM, 0, 0, read_identity },
    { "l", IN_BODY, 0, 0, read_limit },
    { "q", IN_BODY, 0, 0, read_query },
    { "t", IN_ALL, 0, 0, read_signed_at },
    { "x", IN_BODY, 0, 0, read_expires_at },
    { "cv", IN_SEAL, IN_SEAL, 0, read_chain },
};

static enum signature_fault read_tags(unsigned in, const struct tag_list *list,
                                      struct signature_field *out)
{
    enum signature_fault fault = SIGNATURE_FINE;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && fault == SIGNATURE_FINE; i++) {
        const struct rule *rule = &rules[i];
        const struct tag *tag = tag_list_find(list, slice_from_string(rule->name));
        out->about = rule->name;
        if (tag == NULL && (rule->required & in) != 0)
            fault = SIGNATURE_TAG_MISSING;
        else if (tag != NULL && (rule->forbidden & in) != 0)
            fault = SIGNATURE_TAG_FORBIDDEN;
        else if (tag != NULL && (rule->in & in) != 0)
            fault = rule->read(tag, out);
    }
    return fault;
}

bool signature_identity_is_of(struct slice identity, const struct dns_name *domain,
                              bool *out_is_below)
{
    struct dns_name own;
    size_t at = slice_find_last(identity, '@');
    if (at == SLICE_NOT_FOUND || !signature_name_read(slice_from(identity, at + 1), &own))
        return false;
    struct slice text = dns_name_slice(&own);
    struct slice above = dns_name_slice(domain);
    *out_is_below = text.len > above.len && slice_ends_with_nocase(text, above) &&
                    text.data[text.len - above.len - 1] == '.';
    return *out_is_below || slice_equal(text, above);
}

static enum signature_fault check(enum signature_kind kind, struct signature_field *out)
{
    out->about = "s";
    if (!signature_key_name(&out->selector, &out->domain, &out->key_name))
        return SIGNATURE_VALUE;
    out->about = "i";
    if (out->identity.len > 0 &&
        !signature_identity_is_of(out->identity, &out->domain, &out->identity_is_below))
        return SIGNATURE_IDENTITY_FOREIGN;
    out->about = NULL;
    if (kind == SIGNATURE_DKIM && !tag_word_is_in(out->names, SLICE("from")))
        return SIGNATURE_FROM_UNSIGNED;
    out->about = "h";
    /* RFC 8617 4.1.2 forbids all three of ARC's fields there; older sealers do sign
     * ARC-Authentication-Results, and the published tests want that taken. */
    if (kind == SIGNATURE_ARC_MESSAGE && tag_word_is_in(out->names, SLICE("arc-seal")))
        return SIGNATURE_VALUE;
    out->about = NULL;
    return out->expires_at_s >= 0 && out->expires_at_s <= out->signed_at_s
               ? SIGNATURE_EXPIRES_EARLY : SIGNATURE_FINE;
}

enum signature_fault signature_field_read(enum signature_kind kind,
                                          const struct header_field *field,
                                          struct signature_field *out)
{
    static const unsigned in[] = {
        [SIGNATURE_DKIM] = IN_DKIM,
        [SIGNATURE_ARC_MESSAGE] = IN_MESSAGE,
        [SIGNATURE_ARC_SEAL] = IN_SEAL,
    };
    /* A seal is always relaxed (RFC 8617 4.1.3). So is a message signature of ARC that does
     * not say: the published tests want it, although RFC 8617 4.1.2 leaves the default of
     * DKIM in force. */
    enum canonical_kind form = kind == SIGNATURE_DKIM ? CANONICAL_SIMPLE : CANONICAL_RELAXED;
    struct tag_list list;
    *out = (struct signature_field){
        .field = *field, .body_limit = UINT64_MAX, .signed_at_s = -1, .expires_at_s = -1,
        .header = form, .body = form,
    };
    if (field->whole.len > SIGNATURE_FIELD_MAX || !tag_list_parse(field->value, &list))
        return SIGNATURE_NO_LIST;
    enum signature_fault fault = read_tags(in[kind], &list, out);
    return fault == SIGNATURE_FINE ? check(kind, out) : fault;
}
