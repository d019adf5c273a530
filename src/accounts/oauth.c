/* oauth.c: RFC 7628 3.1, RFC 7662 2, RFC 6749 2.3.1 and Appendix B. */
#include "accounts/oauth.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/cursor.h"

#include <jansson.h>

enum { SEPARATOR = 0x01 };

static bool is_token_character(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' ||
           c == '/' || c == '=';
}

/* "Bearer" 1*SP b64token (RFC 6750 2.1) */
static bool read_scheme(struct slice value, struct slice *out_token)
{
    struct cursor c = cursor_over(value);
    struct slice scheme = cursor_take_while(&c, ascii_is_alpha);
    if (!slice_equal_nocase(scheme, SLICE("Bearer")) || !cursor_take_byte(&c, ' '))
        return false;
    while (cursor_take_byte(&c, ' '))
        ;
    *out_token = cursor_take_while(&c, is_token_character);
    return cursor_at_end(&c) && out_token->len > 0 && out_token->len <= OAUTH_TOKEN_MAX;
}

/* kvpair = key "=" value kvsep; the list ends with one kvsep more. */
static bool read_pairs(struct slice rest, struct oauth_said *out)
{
    struct slice pair;
    bool has_token = false;
    while (rest.len > 0 && rest.data[0] != SEPARATOR) {
        if (slice_find(rest, SEPARATOR) == SLICE_NOT_FOUND ||
            !slice_split(&rest, SEPARATOR, &pair))
            return false;
        size_t equals = slice_find(pair, '=');
        struct slice key = slice_part(pair, 0, equals);
        if (equals == SLICE_NOT_FOUND)
            return false;
        struct slice value = slice_from(pair, equals + 1);
        if (slice_equal_nocase(key, SLICE("auth"))) {
            if (has_token || !read_scheme(value, &out->token))
                return false;
            has_token = true;
        } else if (slice_equal_nocase(key, SLICE("user")) && out->user.len == 0) {
            out->user = value;
        }
    }
    return has_token && rest.len == 1;
}

/* gs2-header = "n" / "y" "," [ "a=" saslname ] ","; in a saslname ',' and '=' are written as
 * =2C and =3D, which stand in no address of ours. */
bool oauth_read_bearer(struct slice message, struct oauth_said *out)
{
    struct cursor c = cursor_over(message);
    struct oauth_said said = { .user = slice_make(NULL, 0) };
    if ((!cursor_take_byte(&c, 'n') && !cursor_take_byte(&c, 'y')) || !cursor_take_byte(&c, ','))
        return false;
    struct slice rest = cursor_rest(&c), name;
    if (slice_find(rest, ',') == SLICE_NOT_FOUND || !slice_split(&rest, ',', &name))
        return false;
    if (name.len > 0 && !slice_starts_with_nocase(name, SLICE("a=")))
        return false;
    if (rest.len == 0 || rest.data[0] != SEPARATOR || !read_pairs(slice_from(rest, 1), &said))
        return false;
    said.user = name.len > 0 ? slice_from(name, 2) : slice_make(NULL, 0);
    *out = said;
    return true;
}

bool oauth_read_xoauth2(struct slice message, struct oauth_said *out)
{
    struct oauth_said said = { .user = slice_make(NULL, 0) };
    if (!slice_starts_with_nocase(message, SLICE("user=")) || !read_pairs(message, &said))
        return false;
    *out = said;
    return true;
}

/* application/x-www-form-urlencoded */
static void append_encoded(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buffer_append_byte(out, c);
        else
            buffer_append_format(out, "%%%02X", (unsigned char)c);
    }
}

void oauth_append_question(struct slice token, struct buffer *out)
{
    buffer_append_string(out, "token=");
    append_encoded(token, out);
    buffer_append_string(out, "&token_type_hint=access_token");
}

void oauth_append_client(struct slice id, struct slice secret, struct buffer *out)
{
    struct buffer both;
    buffer_init(&both, 16 * 1024);
    append_encoded(id, &both);
    buffer_append_byte(&both, ':');
    append_encoded(secret, &both);
    buffer_append_string(out, "Authorization: Basic ");
    base64_append(out, buffer_slice(&both));
    if (both.memory != NULL)
        explicit_bzero(both.memory, both.capacity);
    buffer_free(&both);
}

static const char *user_of(const json_t *answer)
{
    static const char *const keys[] = { "username", "email", "sub" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = json_string_value(json_object_get(answer, keys[i]));
        bool is_name = text != NULL && (i == 0 || strchr(text, '@') != NULL);
        if (is_name && text[0] != '\0')
            return text;
    }
    return NULL;
}

static bool is_of_now(const json_t *answer, int64_t now_s)
{
    const json_t *ends = json_object_get(answer, "exp");
    const json_t *begins = json_object_get(answer, "nbf");
    return (!json_is_integer(ends) || json_integer_value(ends) > now_s) &&
           (!json_is_integer(begins) || json_integer_value(begins) <= now_s + 60);
}

static bool has_scope(const json_t *answer, struct slice scope)
{
    const char *text = json_string_value(json_object_get(answer, "scope"));
    struct slice rest = slice_from_string(text == NULL ? "" : text), one;
    if (scope.len == 0)
        return true;
    while (slice_split(&rest, ' ', &one))
        if (slice_equal(one, scope))
            return true;
    return false;
}

enum oauth_verdict oauth_read_answer(struct slice json, struct slice scope, int64_t now_s,
                                     struct buffer *out_user)
{
    json_t *answer = json.len == 0 || json.len > OAUTH_ANSWER_MAX
                         ? NULL : json_loadb(json.data, json.len, 0, NULL);
    enum oauth_verdict verdict = OAUTH_NO_ANSWER;
    if (json_is_boolean(json_object_get(answer, "active"))) {
        const char *user = user_of(answer);
        bool good = json_is_true(json_object_get(answer, "active")) && user != NULL &&
                    is_of_now(answer, now_s) && has_scope(answer, scope);
        verdict = good ? OAUTH_ACTIVE : OAUTH_INACTIVE;
        if (good)
            buffer_append_string(out_user, user);
    }
    json_decref(answer);
    return verdict;
}
