/* found.c: what is found in a message, for those who ask in JSON. */
#include "content/found.h"

#include "content/codes.h"
#include "content/leaks.h"
#include "content/links.h"

/* What stands here is UTF-8. */
static json_t *text(struct slice s)
{
    json_t *made = json_stringn(s.data == NULL ? "" : s.data, s.len);
    return made != NULL ? made : json_string("");
}

json_t *found_codes(const struct content_message *message)
{
    struct arena arena;
    struct codes codes = { .count = 0 };
    json_t *list = json_array();
    arena_init(&arena, CONTENT_ARENA_BYTES);
    codes_find(message, &arena, &codes);
    for (size_t i = 0; i < codes.count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:f, s:s, s:o}",
            "code", text(codes.items[i].code), "shown", text(codes.items[i].shown),
            "confidence", codes.items[i].confidence,
            "source", code_source_text(codes.items[i].source),
            "context", text(codes.items[i].context)));
    json_t *made = json_pack("{s:b, s:o, s:o}", "found", codes.found, "code",
        codes.found ? text(codes.items[0].code) : json_null(), "candidates", list);
    arena_free(&arena);
    return made;
}

json_t *found_links(const struct content_message *message)
{
    struct arena arena;
    struct links links = { .count = 0 };
    json_t *list = json_array();
    arena_init(&arena, CONTENT_ARENA_BYTES);
    links_find(message, &arena, &links);
    for (size_t i = 0; i < links.count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:f, s:b, s:b}",
            "url", text(links.items[i].url), "text", text(links.items[i].text),
            "kind", link_kind_text(links.items[i].kind),
            "confidence", links.items[i].confidence, "html", links.items[i].in_html,
            "plain", links.items[i].in_text));
    json_t *made = json_pack("{s:o, s:o}", "best",
        links.best == NULL ? json_null() : text(links.best->url), "links", list);
    arena_free(&arena);
    return made;
}

json_t *found_leaks(const struct content_message *message)
{
    struct arena arena;
    struct leaks leaks = { .count = 0 };
    json_t *list = json_array();
    arena_init(&arena, CONTENT_ARENA_BYTES);
    leaks_find(message, &arena, &leaks);
    for (size_t i = 0; i < leaks.count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:o}",
            "what", text(leaks.items[i].what), "where", text(leaks.items[i].where),
            "line", (int)leaks.items[i].line, "context", text(leaks.items[i].context)));
    arena_free(&arena);
    return list;
}
