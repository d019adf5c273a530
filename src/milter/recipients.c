/* recipients.c: who gets a message and who sends it, as filters change it. RFC 3461 4 for
 * the parameters that count; others are of no use here. */
#include "milter/letter.h"

#include "base/buffer.h"
#include "base/cursor.h"
#include "wire/smtp/address.h"
#include "wire/smtp/parameter.h"

enum { PARAMETERS_MAX = 4096 };

static const char no_memory[] = "no memory for its changes";
static const char no_address[] = "an address that is none";
static const char no_parameter[] = "a parameter that cannot be one";

static bool read_address(struct slice text, struct smtp_address *out)
{
    text = slice_trim(text);
    if (text.len > 0 && text.data[0] == '<') {
        struct cursor c = cursor_over(text);
        return smtp_forward_path_parse(&c, SMTP_UTF8_ALLOWED, out) == SMTP_PATH_OK &&
               cursor_at_end(&c) && out->kind != SMTP_DOMAIN_NONE;
    }
    return smtp_address_parse(text, SMTP_UTF8_ALLOWED, out) == SMTP_PATH_OK;
}

/* What a filter may say beside an address. */
struct said {
    struct slice orcpt;
    struct slice envid;
    uint8_t notify;
    enum smtp_ret ret;
};

static bool take(const struct smtp_parameter *p, struct said *out)
{
    struct smtp_orcpt orcpt;
    if (p->keyword == SMTP_KEYWORD_NOTIFY)
        return smtp_notify_parse(p->value, &out->notify);
    if (p->keyword == SMTP_KEYWORD_RET)
        return smtp_ret_parse(p->value, &out->ret);
    if (p->keyword == SMTP_KEYWORD_ORCPT) {
        out->orcpt = p->value;
        return smtp_orcpt_parse(p->value, &orcpt);
    }
    if (p->keyword == SMTP_KEYWORD_ENVID) {
        out->envid = p->value;
        return smtp_envid_is_valid(p->value);
    }
    return true;
}

/* `text` holds the parameters, parted by spaces; what is said borrows from it. */
static bool read_parameters(struct slice text, struct buffer *spaced, struct said *out)
{
    struct smtp_parameter p;
    enum smtp_parameter_result result;
    *out = (struct said){ .notify = 0 };
    buffer_append_byte(spaced, ' ');
    buffer_append(spaced, text);
    if (spaced->overflow)
        return false;
    struct cursor c = cursor_over(buffer_slice(spaced));
    while ((result = smtp_parameter_next(&c, &p)) == SMTP_PARAMETER_TAKEN)
        if (!take(&p, out))
            return false;
    return result == SMTP_PARAMETER_END;
}

static bool is_there(const struct letter *l, const struct smtp_address *address, size_t from,
                     size_t *out)
{
    for (size_t i = from; i < l->recipients_count; i++) {
        struct smtp_address other;
        if (read_address(l->recipients[i].address, &other) &&
            smtp_address_equal(&other, address)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool make_room(struct letter *l)
{
    if (l->recipients_count < l->recipients_room)
        return true;
    size_t room = l->recipients_room * 2 + 1;
    struct envelope_recipient *all = arena_alloc_many(l->arena, room, sizeof *all);
    if (all == NULL)
        return false;
    memcpy(all, l->recipients, l->recipients_count * sizeof *all);
    l->recipients = all;
    l->recipients_room = room;
    return true;
}

const char *letter_add_recipient(struct letter *l, struct slice text, struct slice parameters)
{
    struct smtp_address address;
    struct envelope_recipient r = { .notify = 0 };
    struct buffer spaced;
    struct said said;
    size_t at;
    if (!read_address(text, &address))
        return no_address;
    buffer_init(&spaced, PARAMETERS_MAX);
    const char *fault = read_parameters(parameters, &spaced, &said) ? NULL : no_parameter;
    if (fault == NULL && l->recipients_count >= l->limits.recipients)
        fault = "too many recipients";
    bool is_new = fault == NULL && !is_there(l, &address, 0, &at);
    if (is_new && (!make_room(l) || !arena_copy(l->arena, address.text, &r.address) ||
                   !arena_copy(l->arena, said.orcpt, &r.orcpt)))
        fault = no_memory;
    buffer_free(&spaced);
    if (fault != NULL || !is_new)
        return fault;
    r.notify = said.notify;
    l->recipients[l->recipients_count++] = r;
    l->is_utf8 |= address.utf8;
    l->envelope_edits++;
    return NULL;
}

const char *letter_delete_recipient(struct letter *l, struct slice text)
{
    struct smtp_address address;
    size_t at = 0;
    if (!read_address(text, &address))
        return no_address;
    while (is_there(l, &address, at, &at)) {
        memmove(&l->recipients[at], &l->recipients[at + 1],
                (l->recipients_count - at - 1) * sizeof *l->recipients);
        l->recipients_count--;
        l->envelope_edits++;
    }
    return NULL;
}

const char *letter_set_sender(struct letter *l, struct slice text, struct slice parameters)
{
    struct smtp_address address = { .kind = SMTP_DOMAIN_NONE };
    struct buffer spaced;
    struct said said;
    text = slice_trim(text);
    bool is_null = text.len == 0 || slice_equal(text, SLICE("<>"));
    if (!is_null && !read_address(text, &address))
        return no_address;
    buffer_init(&spaced, PARAMETERS_MAX);
    const char *fault = read_parameters(parameters, &spaced, &said) ? NULL : no_parameter;
    struct slice sender = slice_make(NULL, 0);
    struct slice envid = l->envid;
    if (fault == NULL && ((!is_null && !arena_copy(l->arena, address.text, &sender)) ||
                          (said.envid.len > 0 && !arena_copy(l->arena, said.envid, &envid))))
        fault = no_memory;
    buffer_free(&spaced);
    if (fault != NULL)
        return fault;
    l->sender = sender;
    l->envid = envid;
    if (said.ret != SMTP_RET_UNSPECIFIED)
        l->ret = said.ret == SMTP_RET_FULL ? DSN_RET_FULL : DSN_RET_HEADERS;
    l->is_utf8 |= address.utf8;
    l->envelope_edits++;
    return NULL;
}
