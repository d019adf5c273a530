/* tag_list.c: RFC 6376 3.2; RFC 8616 2 for UTF-8 in values. */
#include "wire/message/tag_list.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/message/lexer.h"

static bool is_name_character(char c)
{
    return ascii_is_alnum(c) || c == '_';
}

/* Without white space and folds at both ends. */
static struct slice trim(struct slice s)
{
    struct cursor c = cursor_over(s);
    lexer_skip_space(&c);
    s = cursor_rest(&c);
    for (;;) {
        size_t end = s.len;
        while (end > 0 && ascii_is_blank(s.data[end - 1]))
            end--;
        bool fold = end < s.len && end >= 2 && s.data[end - 1] == '\n' &&
                    s.data[end - 2] == '\r';
        s.len = fold ? end - 2 : end;
        if (!fold)
            return s;
    }
}

static bool is_value_character(char c)
{
    return !ascii_is_control(c) && !ascii_is_blank(c);
}

/* tag-value = [ tval *( 1*(WSP / FWS) tval ) ] */
static bool value_is_valid(struct slice value)
{
    struct cursor c = cursor_over(value);
    while (cursor_take_while(&c, is_value_character), !cursor_at_end(&c)) {
        struct cursor before = c;
        lexer_skip_space(&c);
        if (c.at == before.at)
            return false;
    }
    return utf8_is_valid(value);
}

/* tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
 * tag-name = ALPHA *(ALPHA / DIGIT / "_") */
static bool take_tag(struct cursor *c, struct tag *out)
{
    lexer_skip_space(c);
    int first = cursor_peek(c);
    out->name = cursor_take_while(c, is_name_character);
    lexer_skip_space(c);
    if (first < 0 || !ascii_is_alpha((char)first) || !cursor_take_byte(c, '='))
        return false;
    struct slice rest = cursor_rest(c);
    size_t end = slice_find(rest, ';');
    out->raw = slice_part(rest, 0, end);
    c->at += out->raw.len;
    out->value = trim(out->raw);
    return value_is_valid(out->value);
}

/* tag-list = tag-spec *( ";" tag-spec ) [ ";" ] */
bool tag_list_parse(struct slice text, struct tag_list *out)
{
    struct cursor c = cursor_over(text);
    out->count = 0;
    do {
        struct tag tag;
        if (out->count == TAG_LIST_MAX || !take_tag(&c, &tag) ||
            tag_list_find(out, tag.name) != NULL)
            return false;
        out->tags[out->count++] = tag;
        if (!cursor_take_byte(&c, ';'))
            return true;
        struct cursor behind = c;
        lexer_skip_space(&behind);
        if (cursor_at_end(&behind))
            return true;
    } while (true);
}

const struct tag *tag_list_find(const struct tag_list *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal(list->tags[i].name, name))
            return &list->tags[i];
    return NULL;
}

bool tag_word_next(struct slice *rest, struct slice *out_word)
{
    struct slice word;
    if (!slice_split(rest, ':', &word))
        return false;
    *out_word = trim(word);
    return true;
}

bool tag_word_is_in(struct slice words, struct slice word)
{
    struct slice one;
    while (tag_word_next(&words, &one))
        if (slice_equal_nocase(one, word))
            return true;
    return false;
}
