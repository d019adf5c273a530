/* page.c: the files of the page, which are in the program, and what they may do: scripts and
 * styles of our own, by a nonce; nothing from elsewhere. */
#include "web/web_private.h"

#include "base/base64.h"
#include "crypto/password.h"

#include <string.h>

struct page_file {
    const char *name;
    const unsigned char *data;
    unsigned long len;
};

extern const struct page_file page_files[];

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot != NULL && strcmp(dot, ".js") == 0)
        return "text/javascript; charset=utf-8";
    if (dot != NULL && strcmp(dot, ".css") == 0)
        return "text/css; charset=utf-8";
    if (dot != NULL && strcmp(dot, ".svg") == 0)
        return "image/svg+xml";
    return "text/html; charset=utf-8";
}

static const struct page_file *find(struct slice path)
{
    struct slice name = slice_from(path, 1);
    if (name.len == 0)
        name = SLICE("index.html");
    for (const struct page_file *f = page_files; f->name != NULL; f++)
        if (slice_equal(name, slice_from_string(f->name)))
            return f;
    return NULL;
}

/* "{{nonce}}" and "{{root}}" stand for what is only known now. */
static void fill(struct slice page, struct slice nonce, struct slice root, struct buffer *out)
{
    while (page.len > 0) {
        size_t at = slice_find(page, '{');
        buffer_append(out, slice_part(page, 0, at));
        if (at == SLICE_NOT_FOUND)
            return;
        page = slice_from(page, at);
        if (slice_starts_with_nocase(page, SLICE("{{nonce}}"))) {
            buffer_append(out, nonce);
            page = slice_from(page, 9);
        } else if (slice_starts_with_nocase(page, SLICE("{{root}}"))) {
            buffer_append(out, root);
            page = slice_from(page, 8);
        } else {
            buffer_append_byte(out, '{');
            page = slice_from(page, 1);
        }
    }
}

static void set_policy(struct web_request *r, struct slice nonce)
{
    struct buffer policy;
    struct slice kept;
    buffer_init(&policy, 1024);
    buffer_append_string(&policy, "default-src 'none'; script-src 'nonce-");
    buffer_append(&policy, nonce);
    buffer_append_string(&policy, "' 'strict-dynamic'; style-src 'self'; connect-src 'self'; "
                                  "img-src 'self' data:; frame-src 'self'; base-uri 'none'; "
                                  "form-action 'none'; frame-ancestors 'self'");
    if (arena_copy(&r->api.arena, buffer_slice(&policy), &kept))
        r->api.fields[r->api.fields_count++] =
            (struct api_pair){ SLICE("Content-Security-Policy"), kept };
    buffer_free(&policy);
}

static void answer_index(struct web_request *r, struct slice page)
{
    uint8_t random[18];
    char bytes[32];
    struct buffer nonce = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (crypto_random(random, sizeof random) != ERR_OK)
        return;
    base64_append(&nonce, slice_make(random, sizeof random));
    fill(page, buffer_slice(&nonce), r->web->options.root, &r->api.answer);
    set_policy(r, buffer_slice(&nonce));
}

bool page_answer(struct web_request *r)
{
    const struct page_file *file = r->api.method == API_GET ? find(r->api.path) : NULL;
    if (file == NULL)
        return false;
    struct slice data = slice_make(file->data, file->len);
    arena_init(&r->api.arena, 64 * 1024);
    buffer_init(&r->api.answer, API_ANSWER_MAX);
    r->api.status = 200;
    r->api.type = type_of(file->name);
    if (strcmp(file->name, "index.html") == 0)
        answer_index(r, data);
    else
        buffer_append(&r->api.answer, data);
    return true;
}
