/* header.c: RFC 6376 3.7 (what is hashed), 5.4.2 (fields that are there more than once). */
#include "auth/signature/header.h"

#include "base/ascii.h"
#include "wire/message/tag_list.h"

/* Names are compared by the hundred thousand when somebody means harm (HOSTILE 93). */
static uint32_t hash_of(struct slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)ascii_lower(name.data[i])) * 16777619u;
    return hash;
}

static size_t count_fields(struct slice header)
{
    struct cursor c = cursor_over(header);
    struct header_field field;
    enum header_result got;
    size_t count = 0;
    while ((got = header_next(&c, &field)) != HEADER_END)
        count += got == HEADER_FIELD;
    return count;
}

enum err signature_header_read(struct slice header, struct arena *arena,
                               struct signature_header *out)
{
    *out = (struct signature_header){ .count = 0 };
    buffer_init(&out->scratch, HEADER_BYTES_MAX + 2);
    size_t count = count_fields(header);
    if (count > HEADER_FIELDS_MAX)
        return ERR_FULL;
    struct header_field *fields = arena_alloc_many(arena, count + 1, sizeof *fields);
    out->is_taken = arena_alloc_many(arena, count + 1, sizeof *out->is_taken);
    uint32_t *hashes = arena_alloc_many(arena, count + 1, sizeof *hashes);
    if (fields == NULL || out->is_taken == NULL || hashes == NULL)
        return ERR_MEMORY;
    struct cursor c = cursor_over(header);
    for (size_t i = 0; i < count;)
        i += header_next(&c, &fields[i]) == HEADER_FIELD;
    for (size_t i = 0; i < count; i++)
        hashes[i] = hash_of(fields[i].name);
    out->hashes = hashes;
    out->fields = fields;
    out->count = count;
    return ERR_OK;
}

bool signature_header_may_follow(struct slice header)
{
    return header.len == 0 || !ascii_is_blank(header.data[0]);
}

void signature_header_free(struct signature_header *header)
{
    buffer_free(&header->scratch);
}

static enum err hash(struct signature_header *header, enum canonical_kind form,
                     const struct header_field *field, struct slice without,
                     struct digest *digest, size_t cut)
{
    buffer_clear(&header->scratch);
    canonical_append_field(&header->scratch, form, field, without);
    struct slice text = buffer_slice(&header->scratch);
    if (header->scratch.overflow)
        return ERR_MEMORY;
    digest_update(digest, slice_part(text, 0, text.len - cut));
    return ERR_OK;
}

enum err signature_header_hash_field(struct signature_header *header,
                                     enum canonical_kind form,
                                     const struct header_field *field,
                                     struct slice without, struct digest *digest)
{
    return hash(header, form, field, without, digest, 0);
}

enum err signature_header_hash_last(struct signature_header *header,
                                    enum canonical_kind form,
                                    const struct header_field *field,
                                    struct slice without, struct digest *digest)
{
    return hash(header, form, field, without, digest, 2);
}

/* The lowest field of that name that is still there, or NULL. */
static const struct header_field *take(struct signature_header *header, struct slice name)
{
    uint32_t hash = hash_of(name);
    for (size_t i = header->count; i-- > 0;) {
        if (header->hashes[i] == hash && !header->is_taken[i] &&
            slice_equal_nocase(header->fields[i].name, name)) {
            header->is_taken[i] = true;
            return &header->fields[i];
        }
    }
    return NULL;
}

enum err signature_header_hash(struct signature_header *header,
                               const struct signature_choice *choice,
                               struct digest *digest)
{
    struct slice rest = choice->names;
    struct slice name;
    enum err error = ERR_OK;
    for (size_t i = 0; i < header->count; i++)
        header->is_taken[i] = i == choice->without;
    while (error == ERR_OK && tag_word_next(&rest, &name)) {
        const struct header_field *field = take(header, name);
        if (field != NULL)
            error = signature_header_hash_field(header, choice->form, field,
                                                slice_make(NULL, 0), digest);
    }
    return error;
}
