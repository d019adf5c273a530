/* report.c: which part is the report. */
#include "content/report.h"

#include "content/tree.h"
#include "content/unpack.h"

struct search {
    enum content_report kind;
    struct buffer *out;
    const char *failure;
};

static struct slice suffix_of(enum content_report kind)
{
    return kind == CONTENT_REPORT_DMARC ? SLICE(".xml") : SLICE(".json");
}

static bool is_packed(struct slice content)
{
    return slice_starts_with_nocase(content, SLICE("\x1f\x8b")) ||
           slice_starts_with_nocase(content, SLICE("PK\x03\x04"));
}

/* What a report that is not packed begins with. */
static bool is_bare(struct slice content, enum content_report kind)
{
    if (slice_starts_with_nocase(content, SLICE("\xef\xbb\xbf")))
        content = slice_from(content, 3);
    content = slice_trim(slice_part(content, 0, 1024));
    return content.len > 0 && content.data[0] == (kind == CONTENT_REPORT_DMARC ? '<' : '{');
}

static bool is_typed(const struct content_part *part, enum content_report kind)
{
    if (kind == CONTENT_REPORT_TLS)
        return slice_equal(part->type, SLICE("application/tlsrpt+json")) ||
               slice_equal(part->type, SLICE("application/tlsrpt")) ||
               slice_equal(part->type, SLICE("application/json"));
    return slice_equal(part->type, SLICE("text/xml")) ||
           slice_equal(part->type, SLICE("application/xml"));
}

static bool take(void *context, const struct content_part *part, struct slice content)
{
    struct search *search = context;
    bool is_named = slice_ends_with_nocase(part->filename, suffix_of(search->kind));
    if (!is_packed(content) && !is_named && !is_typed(part, search->kind))
        return true;
    search->failure = content_unpack(content, suffix_of(search->kind), search->out);
    return false;
}

const char *content_report_find(struct slice input, enum content_report kind,
                                struct buffer *out)
{
    if (is_packed(input) || is_bare(input, kind))
        return content_unpack(input, suffix_of(kind), out);
    struct search search = { .kind = kind, .out = out, .failure = "no report in it" };
    struct arena arena;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    if (!content_tree_leaves(input, &arena, take, &search))
        search.failure = "memory is out";
    arena_free(&arena);
    return search.failure;
}
