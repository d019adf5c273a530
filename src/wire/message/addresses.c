/* addresses.c: RFC 5322 3.4, 3.4.1, 3.6.4 and 4.4.
 *
 * What is made is never longer than what it is made of, so that one piece of memory of
 * the value's length holds all names and addresses.
 */
#include "wire/message/addresses.h"

#include "base/ascii.h"
#include "base/must.h"
#include "wire/message/lexer.h"

struct parser {
    struct cursor at;
    struct arena *arena;
    char *text; /* what has been made so far ends here */
    char *text_end;
    struct header_addresses found;
    struct header_address **tail;
    struct slice group;
    bool no_room;
};

static void put(struct parser *p, struct slice s)
{
    must(s.len <= (size_t)(p->text_end - p->text));
    if (s.len > 0)
        memcpy(p->text, s.data, s.len);
    p->text += s.len;
}

static struct slice made_since(const struct parser *p, const char *start)
{
    return slice_make(start, (size_t)(p->text - start));
}

/* word = atom / quoted-string */
static bool take_word(struct cursor *c, struct slice *out_word)
{
    return lexer_take_atom(c, out_word) || lexer_take_quoted(c, LEXER_HEADER, out_word);
}

static void put_unquoted(struct parser *p, struct slice word)
{
    struct cursor inside;
    int octet;
    if (!lexer_inside_quotes(word, &inside)) {
        put(p, word);
        return;
    }
    while ((octet = lexer_next_meant(&inside)) >= 0) {
        char c = (char)octet;
        put(p, slice_make(&c, 1));
    }
}

/* phrase = 1*word / obs-phrase; obs-phrase = word *(word / "." / CFWS) */
static struct slice take_phrase(struct parser *p)
{
    const char *start = p->text;
    struct slice word;
    bool gap = false;
    for (;;) {
        struct cursor ahead = p->at;
        if (!take_word(&ahead, &word) &&
            !(p->text > start && cursor_sees(&ahead, '.') && cursor_take_part(&ahead, 1, &word)))
            break;
        if (gap && p->text > start)
            put(p, SLICE(" "));
        put_unquoted(p, word);
        p->at = ahead;
        gap = lexer_skip_cfws(&p->at);
    }
    return made_since(p, start);
}

/* word *("." word) or atom *("." atom), blanks and comments around the dots let pass
 * and left out (obs-local-part, obs-domain) */
static bool take_dotted(struct parser *p, bool (*take)(struct cursor *, struct slice *),
                        struct slice *out_text)
{
    const char *start = p->text;
    struct slice part;
    for (;;) {
        (void)lexer_skip_cfws(&p->at);
        if (!take(&p->at, &part))
            return false;
        put(p, part);
        (void)lexer_skip_cfws(&p->at);
        if (!cursor_take_byte(&p->at, '.'))
            break;
        put(p, SLICE("."));
    }
    *out_text = made_since(p, start);
    return true;
}

/* dtext, but for '@': no literal that means anything holds one, and the domain of an
 * address must be what follows its last '@', whoever looks for it. */
static bool is_dtext(char c)
{
    return c > ' ' && c < 0x7f && c != '[' && c != ']' && c != '\\' && c != '@';
}

/* domain-literal = [CFWS] "[" *([FWS] dtext) [FWS] "]" [CFWS] */
static bool take_literal(struct parser *p, struct slice *out_domain)
{
    const char *start = p->text;
    put(p, SLICE("["));
    (void)cursor_take(&p->at);
    struct slice part;
    do {
        lexer_skip_space(&p->at);
        part = cursor_take_while(&p->at, is_dtext);
        put(p, part);
    } while (part.len > 0);
    if (!cursor_take_byte(&p->at, ']'))
        return false;
    put(p, SLICE("]"));
    (void)lexer_skip_cfws(&p->at);
    *out_domain = made_since(p, start);
    return true;
}

static bool take_domain(struct parser *p, struct slice *out_domain)
{
    (void)lexer_skip_cfws(&p->at);
    if (cursor_sees(&p->at, '['))
        return take_literal(p, out_domain);
    return take_dotted(p, lexer_take_atom, out_domain);
}

/* addr-spec = local-part "@" domain */
static bool take_addr_spec(struct parser *p, struct header_address *a)
{
    return take_dotted(p, take_word, &a->local) && cursor_take_byte(&p->at, '@') &&
           take_domain(p, &a->domain);
}

/* obs-route = *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain]) ":" */
static bool skip_route(struct parser *p)
{
    char *start = p->text;
    struct slice domain;
    bool good = true;
    while (good && !cursor_take_byte(&p->at, ':')) {
        (void)lexer_skip_cfws(&p->at);
        if (cursor_take_byte(&p->at, '@'))
            good = take_domain(p, &domain);
        else
            good = cursor_take_byte(&p->at, ',');
        (void)lexer_skip_cfws(&p->at);
    }
    p->text = start;
    return good;
}

/* angle-addr = [CFWS] "<" [obs-route] addr-spec ">" [CFWS] */
static bool take_angle(struct parser *p, struct header_address *a)
{
    if (!cursor_take_byte(&p->at, '<'))
        return false;
    (void)lexer_skip_cfws(&p->at);
    a->has_route = cursor_sees(&p->at, '@') || cursor_sees(&p->at, ',');
    if (a->has_route && !skip_route(p))
        return false;
    if (!take_addr_spec(p, a) || !cursor_take_byte(&p->at, '>'))
        return false;
    (void)lexer_skip_cfws(&p->at);
    return true;
}

static bool add(struct parser *p, const struct header_address *a)
{
    struct header_address *kept = arena_alloc(p->arena, sizeof *kept);
    if (kept == NULL || p->found.count == HEADER_ADDRESSES_MAX) {
        p->no_room = true;
        return false;
    }
    *kept = *a;
    kept->group = p->group;
    *p->tail = kept;
    p->tail = &kept->next;
    p->found.count++;
    return true;
}

/* mailbox = name-addr / addr-spec; or, outside of a group, what begins one:
 * group = display-name ":" */
static bool take_member(struct parser *p, bool *out_opens_group)
{
    struct header_address a = { .has_route = false };
    struct cursor before = p->at;
    char *made_before = p->text;
    *out_opens_group = false;
    struct slice name = take_phrase(p);
    if (cursor_sees(&p->at, '<')) {
        a.name = name;
        return take_angle(p, &a) && add(p, &a);
    }
    bool named = p->at.at != before.at;
    if (named && cursor_take_byte(&p->at, ':')) {
        *out_opens_group = true;
        p->group = name;
        p->found.groups++;
        return true;
    }
    p->at = before;
    p->text = made_before;
    return take_addr_spec(p, &a) && add(p, &a);
}

/* What stands between members: takes commas and, in a group, its ";". True when a
 * comma was among them, behind which a member may follow. */
static bool take_separators(struct parser *p, bool *in_group)
{
    bool comma = false;
    for (;;) {
        (void)lexer_skip_cfws(&p->at);
        if (cursor_take_byte(&p->at, ',')) {
            comma = true;
        } else if (*in_group && cursor_take_byte(&p->at, ';')) {
            *in_group = false;
            p->group = slice_make(NULL, 0);
            comma = false;
        } else {
            return comma;
        }
    }
}

/* address-list = (address *("," address)) / obs-addr-list */
static bool take_list(struct parser *p)
{
    bool in_group = false;
    bool may_follow = true; /* at the start, behind a comma, in a new group */
    for (;;) {
        may_follow |= take_separators(p, &in_group);
        if (cursor_at_end(&p->at))
            return !in_group;
        bool opens_group;
        if (!may_follow || !take_member(p, &opens_group) || (opens_group && in_group))
            return false;
        in_group |= opens_group;
        may_follow = opens_group;
    }
}

enum header_addresses_result header_addresses_parse(struct slice value, struct arena *arena,
                                                    struct header_addresses *out_addresses)
{
    struct parser p = { .at = cursor_over(value), .arena = arena };
    p.tail = &p.found.first;
    p.text = arena_alloc(arena, value.len + 1);
    if (p.text == NULL)
        return HEADER_ADDRESSES_NO_ROOM;
    p.text_end = p.text + value.len;
    if (!take_list(&p))
        return p.no_room ? HEADER_ADDRESSES_NO_ROOM : HEADER_ADDRESSES_SYNTAX;
    *out_addresses = p.found;
    return HEADER_ADDRESSES_OK;
}

static bool is_id_character(char c)
{
    return (c > ' ' && c < 0x7f && c != '<' && c != '>') || ascii_is_high(c);
}

/* msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]; what is inside is taken as it
 * is, since ids of real mail are of every shape. */
bool message_id_next(struct cursor *c, struct slice *out_id)
{
    struct cursor ahead = *c;
    (void)lexer_skip_cfws(&ahead);
    if (!cursor_take_byte(&ahead, '<'))
        return false;
    struct slice id = cursor_take_while(&ahead, is_id_character);
    if (id.len == 0 || !cursor_take_byte(&ahead, '>'))
        return false;
    *c = ahead;
    *out_id = id;
    return true;
}
