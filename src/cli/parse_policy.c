/* parse_policy.c: records and policies as this program reads them: what the parsers say, with
 * no network. RFC 6698 2.2 (TLSA as text), RFC 8461 3.1 and 3.2. */
#include "cli/parse_private.h"

#include "base/ascii.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "crypto/tls_client.h"
#include "transport/mtasts/policy.h"
#include "wire/dns/message.h"

enum { TEXT_MAX = 1024 * 1024 };

static json_t *wrong(const char *why)
{
    return json_pack("{s:s}", "error", why);
}

/* ---- TLSA ---- */

/* hex = *( 2HEXDIG *WSP ) */
static bool take_hex(struct cursor *c, struct buffer *out)
{
    for (;;) {
        while (cursor_sees(c, ' ') || cursor_sees(c, '\t') || cursor_sees(c, '\n') ||
               cursor_sees(c, '\r'))
            cursor_take(c);
        if (cursor_at_end(c))
            return !out->overflow;
        int high = ascii_hex_value((char)cursor_take(c));
        int low = cursor_at_end(c) ? -1 : ascii_hex_value((char)cursor_take(c));
        if (high < 0 || low < 0)
            return false;
        buffer_append_byte(out, (char)(high << 4 | low));
    }
}

/* record = usage 1*WSP selector 1*WSP matching-type 1*WSP hex (RFC 6698 2.2) */
static bool take_record(struct slice text, struct buffer *out)
{
    struct cursor c = cursor_over(text);
    uint64_t field;
    cursor_skip_blanks(&c);
    for (int i = 0; i < 3; i++) {
        if (!cursor_take_number(&c, 255, &field) || cursor_skip_blanks(&c) == 0)
            return false;
        buffer_append_byte(out, (char)(unsigned char)field);
    }
    return take_hex(&c, out);
}

json_t *parse_tlsa(struct slice text)
{
    struct buffer data;
    struct dns_tlsa_record r;
    buffer_init(&data, TEXT_MAX);
    json_t *result = NULL;
    if (take_record(text, &data) && dns_tlsa_record_read(buffer_slice(&data), &r)) {
        struct tls_association a = { r.usage, r.selector, r.matching, r.association };
        result = json_pack("{s:i,s:i,s:i,s:I,s:b}", "usage", (int)r.usage, "selector",
                           (int)r.selector, "matching", (int)r.matching, "octets",
                           (json_int_t)r.association.len, "usable",
                           (int)tls_association_is_usable(&a));
    }
    buffer_free(&data);
    return result != NULL ? result : wrong("this is no TLSA record");
}

/* ---- MTA-STS ---- */

static json_t *policy_value(const struct mtasts_policy *policy)
{
    struct slice mx;
    json_t *all = json_array();
    for (size_t i = 0; (mx = mtasts_policy_pattern(policy, i)).len > 0; i++)
        json_array_append_new(all, json_stringn(mx.data, mx.len));
    return json_pack("{s:s,s:I,s:o}", "mode", mtasts_mode_text(mtasts_policy_mode(policy)),
                     "max_age", (json_int_t)mtasts_policy_age_s(policy), "mx", all);
}

static json_t *parse_policy(struct slice text, struct slice host)
{
    struct mtasts_policy *policy;
    const char *why = mtasts_policy_read(text, &policy);
    if (why != NULL)
        return wrong(why);
    json_t *result = policy_value(policy);
    if (host.len > 0)
        json_object_set_new(result, "matches", json_boolean(mtasts_policy_has(policy, host)));
    mtasts_policy_drop(&policy);
    return result;
}

static json_t *parse_record(const struct slice *texts, size_t count)
{
    struct mtasts_id id;
    if (!mtasts_record_read(texts, count, &id))
        return wrong("there is no record of MTA-STS that counts");
    return json_pack("{s:s}", "policy_id", id.text);
}

json_t *parse_mtasts(struct slice text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    if (slice_starts_with_nocase(text, SLICE("v=")))
        return parse_record(&text, 1);
    return parse_policy(text, slice_make(NULL, 0));
}

/* ---- entries of a batch ---- */

static struct slice text_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return slice_make(json_string_value(value), json_string_length(value));
}

/* {"record": "3 1 1 ..."} */
json_t *parse_tlsa_entry(const json_t *entry)
{
    return parse_tlsa(text_at(entry, "record"));
}

/* {"policy": text, "host": name} / {"record": text} / {"record": [text, ...]} */
json_t *parse_mtasts_entry(const json_t *entry)
{
    enum { RECORDS_MAX = 16 };
    struct slice texts[RECORDS_MAX] = { { NULL, 0 } };
    const json_t *record = json_object_get(entry, "record");
    size_t count = 0;
    if (json_is_string(json_object_get(entry, "policy")))
        return parse_policy(text_at(entry, "policy"), text_at(entry, "host"));
    if (json_is_string(record))
        texts[count++] = text_at(entry, "record");
    for (size_t i = 0; i < json_array_size(record) && count < RECORDS_MAX; i++) {
        const json_t *one = json_array_get(record, i);
        texts[count++] = slice_make(json_string_value(one), json_string_length(one));
    }
    return parse_record(texts, count);
}
