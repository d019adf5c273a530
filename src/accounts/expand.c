/* expand.c: the aliases of an envelope replaced by those whom they stand for.
 *
 * One list of what is still to be looked at in place of recursion. Every alias is
 * entered once for one original recipient: what comes back to it is cut there
 * (HOSTILE 125).
 */
#include "accounts/find_private.h"

#include "base/list.h"
#include "base/utf8.h"
#include "wire/smtp/address.h"
#include "wire/smtp/parameter.h"

struct final {
    struct table_entry entry;
    struct envelope_recipient recipient;
    struct final *next;
};

struct step {
    struct slice address;
    struct step *next;
};

struct expansion {
    const struct config *config;
    struct arena *arena;
    struct buffer key;           /* of the address that is looked at */
    struct table finals;
    struct final *first;
    struct final *last;
    struct table entered;        /* aliases, for one original recipient */
    struct step *steps;          /* still to be looked at */
    size_t steps_count;
    bool reached;                /* this original leads to somebody */
    bool smtputf8;
    bool rewrites;               /* the sender is not ours, and would be written anew */
};

/* NOTIFY as what it asks for: nothing said is failure and delay (RFC 3461 4.1). */
static uint8_t joined_notify(uint8_t a, uint8_t b)
{
    const uint8_t unsaid = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY;
    if (a == b)
        return a;
    unsigned both = (a == 0 ? unsaid : a) | (b == 0 ? unsaid : b);
    both &= ~(unsigned)DSN_NOTIFY_NEVER;
    return (uint8_t)both;
}

static bool keep_key(struct expansion *x, struct slice *out)
{
    return arena_copy(x->arena, buffer_slice(&x->key), out);
}

static enum err add_final(struct expansion *x, const struct envelope_recipient *r)
{
    struct slice key;
    struct table_entry *known = table_find(&x->finals, buffer_slice(&x->key));
    x->reached = true;
    if (known != NULL) {
        struct final *f = container_of(known, struct final, entry);
        f->recipient.notify = joined_notify(f->recipient.notify, r->notify);
        f->recipient.forwarded &= r->forwarded;
        return ERR_OK;
    }
    if (x->finals.count >= ACCOUNTS_RECIPIENTS_MAX)
        return ERR_FULL;
    struct final *f = arena_alloc(x->arena, sizeof *f);
    if (f == NULL || !keep_key(x, &key) || !table_insert(&x->finals, &f->entry, key))
        return ERR_MEMORY;
    f->recipient = *r;
    if (x->last == NULL)
        x->first = f;
    else
        x->last->next = f;
    x->last = f;
    x->smtputf8 |= !slice_is_ascii(r->address);
    return ERR_OK;
}

/* The ORCPT of an address that came without one; empty where it would be too long. */
static enum err make_orcpt(struct expansion *x, struct slice address, struct slice *out)
{
    struct buffer orcpt;
    enum err result = ERR_OK;
    buffer_init(&orcpt, 8192);
    if (slice_is_ascii(address)) {
        buffer_append(&orcpt, SLICE("rfc822;"));
        smtp_xtext_encode(address, &orcpt);
    } else {
        buffer_append(&orcpt, SLICE("utf-8;"));
        smtp_unicode_embed(address, true, &orcpt);
    }
    if (orcpt.overflow || (buffer_len(&orcpt) <= SMTP_ORCPT_MAX &&
                           !arena_copy(x->arena, buffer_slice(&orcpt), out)))
        result = ERR_MEMORY;
    buffer_free(&orcpt);
    return result;
}

/* Puts the targets before what is still to be looked at, in their order. */
static enum err push_targets(struct expansion *x, const struct found *found)
{
    struct step **place = &x->steps;
    struct step *rest = x->steps;
    for (size_t i = 0; i < found->targets_count; i++) {
        struct step *s = arena_alloc(x->arena, sizeof *s);
        if (s == NULL)
            return ERR_MEMORY;
        if (++x->steps_count > ACCOUNTS_STEPS_MAX)
            return ERR_FULL;
        s->address = found->targets[i];
        if (found->is_return && !arena_copy(x->arena, found->targets[i], &s->address))
            return ERR_MEMORY;
        s->next = rest;
        *place = s;
        place = &s->next;
    }
    return ERR_OK;
}

static enum err enter_alias(struct expansion *x, const struct found *found)
{
    struct slice key;
    struct table_entry *entry = arena_alloc(x->arena, sizeof *entry);
    if (entry == NULL || !keep_key(x, &key) || !table_insert(&x->entered, entry, key))
        return ERR_MEMORY;
    return push_targets(x, found);
}

/* The address whose key and facts were just looked up. */
static enum err visit(struct expansion *x, const struct found *found,
                      struct envelope_recipient *r)
{
    r->forwarded = found->kind == ACCOUNT_FOREIGN && x->rewrites;
    if (found->kind != ACCOUNT_ALIAS)
        return add_final(x, r);
    if (table_find(&x->entered, buffer_slice(&x->key)) == NULL)
        return enter_alias(x, found);
    /* "ann: [ann, bob]": the user ann behind the alias of that name. */
    return found->user != NULL ? add_final(x, r) : ERR_OK;
}

static enum err follow_steps(struct expansion *x, struct envelope_recipient *r)
{
    while (x->steps != NULL) {
        struct found found;
        r->address = x->steps->address;
        x->steps = x->steps->next;
        enum err result = find_account(x->config, r->address, &x->key, &found);
        if (result == ERR_OK)
            result = visit(x, &found, r);
        if (result != ERR_OK)
            return result;
    }
    return ERR_OK;
}

static enum err expand_alias(struct expansion *x, const struct found *found,
                             const struct envelope_recipient *original)
{
    struct envelope_recipient r = *original;
    enum err result = ERR_OK;
    x->reached = false;
    if (slice_is_empty(r.orcpt))
        result = make_orcpt(x, original->address, &r.orcpt);
    if (result == ERR_OK)
        result = visit(x, found, &r);
    if (result == ERR_OK)
        result = follow_steps(x, &r);
    /* The configuration has no such alias; if it had, mail to it may not vanish. */
    if (result == ERR_OK && !x->reached)
        result = ERR_INVALID;
    table_free(&x->entered);
    return result;
}

static enum err expand_one(struct expansion *x, const struct envelope_recipient *original)
{
    struct found found;
    enum err result = find_account(x->config, original->address, &x->key, &found);
    if (result != ERR_OK)
        return result;
    return found.kind == ACCOUNT_ALIAS ? expand_alias(x, &found, original)
                                       : add_final(x, original);
}

static enum err sender_is_foreign(struct expansion *x, struct slice sender)
{
    struct found found;
    enum err result = find_account(x->config, sender, &x->key, &found);
    x->rewrites = result == ERR_OK && found.kind == ACCOUNT_FOREIGN;
    return result;
}

static enum err write_out(struct expansion *x, const struct envelope *in,
                          struct envelope *out)
{
    size_t count = 0;
    struct envelope_recipient *all =
        arena_alloc_many(x->arena, x->finals.count + 1, sizeof *all);
    if (all == NULL)
        return ERR_MEMORY;
    for (const struct final *f = x->first; f != NULL; f = f->next)
        all[count++] = f->recipient;
    *out = *in;
    out->smtputf8 = in->smtputf8 || x->smtputf8;
    out->recipients = all;
    out->recipients_count = count;
    return ERR_OK;
}

enum err accounts_expand(const struct config *config, const struct envelope *in,
                         struct arena *arena, struct envelope *out)
{
    struct expansion x = { .config = config, .arena = arena };
    enum err result = ERR_OK;
    buffer_init(&x.key, 1024);
    if (!slice_is_empty(config->srs.domain) && !slice_is_empty(in->sender))
        result = sender_is_foreign(&x, in->sender);
    for (size_t i = 0; i < in->recipients_count && result == ERR_OK; i++)
        result = expand_one(&x, &in->recipients[i]);
    if (result == ERR_OK)
        result = write_out(&x, in, out);
    table_free(&x.finals);
    table_free(&x.entered);
    buffer_free(&x.key);
    return result;
}
