/* parse_address.c: a text as the envelope takes it (RFC 5321) and as a header field does
 * (RFC 5322): two grammars over the same tokens. */
#include "cli/parse_private.h"

#include "base/buffer.h"
#include "wire/message/addresses.h"
#include "wire/smtp/address.h"

enum { ARENA_BYTES = 16 * 1024 * 1024 };

static const char *const results[] = {
    [SMTP_PATH_OK] = "ok",
    [SMTP_PATH_SYNTAX] = "syntax",
    [SMTP_PATH_NO_DOMAIN] = "no-domain",
    [SMTP_PATH_TOO_LONG] = "too-long",
    [SMTP_PATH_NEEDS_UTF8] = "needs-utf8",
};

static const char *const kinds[] = {
    [SMTP_DOMAIN_NONE] = "none",
    [SMTP_DOMAIN_NAME] = "name",
    [SMTP_DOMAIN_IPV4] = "ipv4",
    [SMTP_DOMAIN_IPV6] = "ipv6",
};

static json_t *mailbox_of(const struct smtp_address *address)
{
    struct buffer canonical;
    buffer_init(&canonical, 2 * SMTP_PATH_MAX);
    smtp_address_canonical(address, &canonical);
    json_t *mailbox = json_pack("{s:o, s:o, s:s, s:b, s:o}", "local",
                                batch_text(address->local), "domain",
                                batch_text(address->domain), "domain_kind",
                                kinds[address->kind], "utf8", address->utf8, "canonical",
                                batch_text(buffer_slice(&canonical)));
    buffer_free(&canonical);
    return mailbox;
}

static json_t *listed(const struct header_address *a)
{
    struct buffer whole;
    buffer_init(&whole, a->local.len + a->domain.len + 1);
    buffer_append(&whole, a->local);
    buffer_append_byte(&whole, '@');
    buffer_append(&whole, a->domain);
    json_t *one = json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", batch_text_or_null(a->name),
                            "address", batch_text(buffer_slice(&whole)), "local",
                            batch_text(a->local), "domain", batch_text(a->domain), "group",
                            batch_text_or_null(a->group));
    buffer_free(&whole);
    return one;
}

json_t *parse_address_list(struct slice value)
{
    struct arena arena;
    struct header_addresses list;
    json_t *all = json_null();
    arena_init(&arena, ARENA_BYTES);
    if (header_addresses_parse(value, &arena, &list) == HEADER_ADDRESSES_OK) {
        all = json_array();
        for (const struct header_address *a = list.first; a != NULL; a = a->next)
            json_array_append_new(all, listed(a));
    }
    arena_free(&arena);
    return all;
}

/* Without the line end that a file brings. */
static struct slice without_line_end(struct slice text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    return text;
}

/* Folds are CRLF to our parsers, and LF in most files. */
static bool with_crlf(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n' && (i == 0 || text.data[i - 1] != '\r'))
            buffer_append_byte(out, '\r');
        buffer_append_byte(out, text.data[i]);
    }
    return !out->overflow;
}

static json_t *parse_exactly(struct slice mailbox)
{
    struct smtp_address address;
    struct buffer value;
    enum smtp_path_result result = smtp_address_parse(mailbox, SMTP_UTF8_ALLOWED, &address);
    buffer_init(&value, 2 * mailbox.len + 1);
    json_t *list = with_crlf(mailbox, &value) ? parse_address_list(buffer_slice(&value))
                                              : json_null();
    buffer_free(&value);
    return json_pack("{s:b, s:s, s:o, s:o}", "valid", result == SMTP_PATH_OK, "result",
                     results[result], "mailbox",
                     result == SMTP_PATH_OK ? mailbox_of(&address) : json_null(), "header",
                     list);
}

json_t *parse_address(struct slice text)
{
    return parse_exactly(without_line_end(text));
}

json_t *parse_address_entry(const json_t *entry)
{
    struct slice text;
    if (batch_string(entry, "address", &text))
        return parse_exactly(text);
    return batch_string(entry, "header", &text) ? parse_address(text) : json_null();
}
