/* place.c: where the mailbox of an address lies: templates with {user} and {domain}.
 *
 * A local part is only ever the name of a mailbox (HOSTILE 52): what is no safe name
 * of a folder opens nothing.
 */
#include "base/ascii.h"
#include "maildir/maildir.h"
#include "maildir/maildir_private.h"
#include "wire/smtp/address.h"

#include <stdlib.h>

/* A name as part of a path: in lower case. False when it is not safe. */
static bool append_name(struct buffer *out, struct slice name)
{
    if (!maildir_name_is_safe(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        buffer_append_byte(out, ascii_lower(name.data[i]));
    return true;
}

static bool append_user(struct buffer *out, struct slice address, size_t at)
{
    struct buffer user;
    buffer_init(&user, 256);
    smtp_local_unquoted(slice_part(address, 0, at), &user);
    bool done = !user.overflow && append_name(out, buffer_slice(&user));
    buffer_free(&user);
    return done;
}

/* As A-labels: a domain has one folder, however it was written. */
static bool append_domain(struct buffer *out, struct slice address, size_t at)
{
    struct buffer domain;
    if (at == SLICE_NOT_FOUND)
        return false;
    buffer_init(&domain, SMTP_DOMAIN_MAX + 1);
    bool done = smtp_domain_canonical(slice_from(address, at + 1), &domain) &&
                !domain.overflow && append_name(out, buffer_slice(&domain));
    buffer_free(&domain);
    return done;
}

/* Replaces {user} and {domain}; false when one of them is not safe. */
static bool expand(struct slice template, struct slice address, struct buffer *out)
{
    struct slice user = SLICE("{user}");
    struct slice domain = SLICE("{domain}");
    size_t at = slice_find_last(address, '@');
    while (template.len > 0) {
        size_t taken = 1;
        if (slice_equal(slice_part(template, 0, user.len), user)) {
            if (!append_user(out, address, at))
                return false;
            taken = user.len;
        } else if (slice_equal(slice_part(template, 0, domain.len), domain)) {
            if (!append_domain(out, address, at))
                return false;
            taken = domain.len;
        } else {
            buffer_append_byte(out, template.data[0]);
        }
        template = slice_from(template, taken);
    }
    return !out->overflow;
}

/* Where the part that may be made begins: behind the last "/" that stands before the
 * first placeholder. */
static size_t root_len(struct slice template)
{
    size_t brace = slice_find(template, '{');
    while (template.len > 1 && template.data[template.len - 1] == '/')
        template.len--;
    return slice_find_last(slice_part(template, 0, brace), '/');
}

enum err maildir_open_of(struct slice template, struct slice address,
                         enum maildir_missing missing, struct buffer *path,
                         struct maildir **out)
{
    size_t split = root_len(template);
    if (split == SLICE_NOT_FOUND)
        return ERR_INVALID;
    char *root = slice_to_string(slice_part(template, 0, split == 0 ? 1 : split));
    enum err error = root == NULL ? ERR_MEMORY : ERR_OK;
    buffer_append(path, slice_part(template, 0, split));
    buffer_append_byte(path, '/');
    size_t below_at = buffer_len(path);
    if (error == ERR_OK && !expand(slice_from(template, split + 1), address, path))
        error = ERR_INVALID;
    if (error == ERR_OK) {
        struct slice below = slice_from(buffer_slice(path), below_at);
        while (below.len > 0 && below.data[below.len - 1] == '/')
            below.len--;
        error = maildir_open_below(root, below, missing, out);
    }
    free(root);
    return error;
}
