/* verb_xclient.c: XCLIENT, from clients that the configuration trusts.
 *
 * Postfix's XCLIENT: attributes are NAME=value with xtext; a positive answer is a new
 * greeting and everything before is forgotten.
 */
#include "smtp/server/server_private.h"

#include "wire/smtp/parameter.h"

static struct slice *place_of(struct smtp_xclient *x, struct slice name)
{
    if (slice_equal_nocase(name, SLICE("NAME")))
        return &x->name;
    if (slice_equal_nocase(name, SLICE("ADDR")))
        return &x->address;
    if (slice_equal_nocase(name, SLICE("PORT")))
        return &x->port;
    if (slice_equal_nocase(name, SLICE("HELO")))
        return &x->helo;
    if (slice_equal_nocase(name, SLICE("PROTO")))
        return &x->protocol;
    if (slice_equal_nocase(name, SLICE("LOGIN")))
        return &x->login;
    return NULL;
}

static bool take_attribute(struct smtp_server *s, struct slice word)
{
    size_t equals = slice_find(word, '=');
    if (equals == SLICE_NOT_FOUND)
        return false;
    struct slice *place = place_of(&s->xclient, slice_part(word, 0, equals));
    struct slice value = slice_from(word, equals + 1);
    struct buffer decoded;
    if (place == NULL)
        return false;
    buffer_init(&decoded, 512);
    bool good = smtp_xtext_decode(value, &decoded) && !decoded.overflow;
    struct slice text = buffer_slice(&decoded);
    if (slice_equal_nocase(text, SLICE("[UNAVAILABLE]")) ||
        slice_equal_nocase(text, SLICE("[TEMPUNAVAIL]")))
        *place = slice_make(NULL, 0);
    else
        good = good && arena_copy(&s->xclient_arena, text, place);
    buffer_free(&decoded);
    return good;
}

void verb_xclient(struct smtp_server *s, struct slice argument)
{
    struct slice word;
    if (!s->may_xclient) {
        server_say_text(s, 550, 5, 7, 1, SLICE("XCLIENT is not for you"));
        return;
    }
    arena_reset(&s->xclient_arena);
    s->xclient = (struct smtp_xclient){ 0 };
    bool good = argument.len > 0;
    while (good && slice_split(&argument, ' ', &word))
        good = word.len == 0 || take_attribute(s, word);
    if (!good) {
        server_say_text(s, 501, 5, 5, 4, SLICE("Bad XCLIENT attribute"));
        return;
    }
    s->question.xclient = &s->xclient;
    server_ask(s, SMTP_ASK_XCLIENT);
}

void xclient_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    (void)reply;
    server_enter(s, SMTP_PHASE_START);
    s->helo_len = 0;
    s->esmtp = false;
    if (s->xclient.helo.len > 0 && s->xclient.helo.len <= HELO_MAX) {
        memcpy(s->helo, s->xclient.helo.data, s->xclient.helo.len);
        s->helo_len = (uint8_t)s->xclient.helo.len;
    }
    smtp_server_greet(s, NULL);
}

void verb_xforward(struct smtp_server *s, struct slice argument)
{
    (void)argument;
    server_say_text(s, 550, 5, 7, 1, SLICE("XFORWARD is not for you"));
}
