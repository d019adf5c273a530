/* addressees.c: from address lists as people write them to envelope recipients. */
#include "cli/addressees.h"

#include "wire/message/addresses.h"
#include "wire/message/lexer.h"
#include "wire/smtp/address.h"

enum { MEMORY_MAX = 64 * 1024 * 1024, ADDRESS_MAX = 1024 };

struct addressee {
    struct table_entry entry;  /* its key: the canonical form */
    struct addressee *before;
    struct slice address;
};

/* One mailbox of a list, while it is walked over. */
struct member {
    unsigned words;       /* more than one, or a sign: no word alone */
    bool is_decided;      /* behind '>' */
    const char *word_end;
};

struct qualifying {
    struct cursor cursor;
    struct slice domain;
    struct buffer *out;
    const char *copied;   /* up to here */
    struct member member;
};

static void put_domain(struct qualifying *q)
{
    if (q->member.words == 1 && !q->member.is_decided) {
        buffer_append(q->out, slice_make(q->copied,
                                         (size_t)(q->member.word_end - q->copied)));
        buffer_append_byte(q->out, '@');
        buffer_append(q->out, q->domain);
        q->copied = q->member.word_end;
    }
    q->member.is_decided = true;
}

static void take_sign(struct qualifying *q)
{
    switch (cursor_take(&q->cursor)) {
    case ',':
    case ';':
        put_domain(q);
        q->member = (struct member){ .words = 0 };
        return;
    case ':': /* what stood before was the name of a group */
        q->member = (struct member){ .words = 0 };
        return;
    case '<':
        q->member.words = 0;
        return;
    case '>':
        put_domain(q);
        return;
    default:
        q->member.words += 2;
        return;
    }
}

void addressees_qualify(struct slice value, struct slice domain, struct buffer *out)
{
    struct slice word;
    struct qualifying q = { .cursor = cursor_over(value), .domain = domain, .out = out };
    q.copied = q.cursor.at;
    for (;;) {
        lexer_skip_cfws(&q.cursor);
        if (cursor_at_end(&q.cursor))
            break;
        if (lexer_take_dot_atom(&q.cursor, &word) ||
            lexer_take_quoted(&q.cursor, LEXER_HEADER, &word)) {
            q.member.words++;
            q.member.word_end = q.cursor.at;
        } else {
            take_sign(&q);
        }
    }
    put_domain(&q);
    buffer_append(out, slice_make(q.copied, (size_t)(q.cursor.end - q.copied)));
}

void addressees_init(struct addressees *a)
{
    *a = (struct addressees){ .count = 0 };
    arena_init(&a->arena, MEMORY_MAX);
    table_init(&a->seen);
}

void addressees_free(struct addressees *a)
{
    table_free(&a->seen);
    arena_free(&a->arena);
}

static enum err keep(struct addressees *a, struct slice canonical, struct slice address)
{
    if (table_find(&a->seen, canonical) != NULL)
        return ERR_OK;
    if (a->count == ADDRESSEES_MAX)
        return ERR_FULL;
    struct addressee *one = arena_alloc(&a->arena, sizeof *one);
    struct slice key;
    if (one == NULL || !arena_copy(&a->arena, canonical, &key) ||
        !arena_copy(&a->arena, address, &one->address) ||
        !table_insert(&a->seen, &one->entry, key))
        return ERR_MEMORY;
    one->before = a->last;
    a->last = one;
    a->count++;
    return ERR_OK;
}

static enum err add_one(struct addressees *a, const struct header_address *h)
{
    struct smtp_address address;
    struct buffer text;
    struct buffer canonical;
    enum err error = ERR_INVALID;
    buffer_init(&text, ADDRESS_MAX);
    buffer_init(&canonical, ADDRESS_MAX);
    buffer_append(&text, h->local);
    buffer_append_byte(&text, '@');
    buffer_append(&text, h->domain);
    if (!text.overflow && smtp_address_parse(buffer_slice(&text), SMTP_UTF8_ALLOWED,
                                             &address) == SMTP_PATH_OK) {
        smtp_address_canonical(&address, &canonical);
        a->utf8 |= address.utf8;
        error = keep(a, buffer_slice(&canonical), buffer_slice(&text));
    }
    buffer_free(&text);
    buffer_free(&canonical);
    return error;
}

enum err addressees_add(struct addressees *a, struct slice list, struct slice domain)
{
    struct arena arena;
    struct buffer qualified;
    struct header_addresses found;
    enum err error = ERR_OK;
    arena_init(&arena, MEMORY_MAX);
    buffer_init(&qualified, MEMORY_MAX);
    addressees_qualify(list, domain, &qualified);
    switch (header_addresses_parse(buffer_slice(&qualified), &arena, &found)) {
    case HEADER_ADDRESSES_OK:
        for (struct header_address *h = found.first; error == ERR_OK && h != NULL;
             h = h->next)
            error = add_one(a, h);
        break;
    case HEADER_ADDRESSES_SYNTAX:
        error = ERR_INVALID;
        break;
    case HEADER_ADDRESSES_NO_ROOM:
        error = ERR_FULL;
        break;
    }
    if (qualified.overflow)
        error = ERR_FULL;
    buffer_free(&qualified);
    arena_free(&arena);
    return error;
}

struct envelope_recipient *addressees_list(struct addressees *a, uint8_t notify)
{
    struct envelope_recipient *list =
        arena_alloc_many(&a->arena, a->count + 1, sizeof *list);
    size_t at = a->count;
    for (struct addressee *one = a->last; list != NULL && one != NULL; one = one->before)
        list[--at] = (struct envelope_recipient){ .address = one->address,
                                                  .notify = notify };
    return list;
}
