/* walk.c: the DNS tree walk (RFC 9989 4.10 and 4.10.2). */
#include "auth/dmarc/dmarc_private.h"

#include "base/ascii.h"
#include "wire/dns/message.h"

bool dmarc_is_at_or_in(struct slice domain, struct slice above)
{
    return slice_equal(domain, above) ||
           (domain.len > above.len && domain.data[domain.len - above.len - 1] == '.' &&
            slice_ends_with_nocase(domain, above));
}

const struct dmarc_node *dmarc_node_of(struct dmarc *dmarc, struct slice domain)
{
    static const struct slice prefix = SLICE_INIT("_dmarc.");
    static const struct dmarc_node too_many = { .state = DMARC_NODE_FAILED };
    for (size_t i = 0; i < dmarc->nodes_count; i++)
        if (slice_equal(dmarc->nodes[i].domain, domain))
            return &dmarc->nodes[i];
    char *name = arena_alloc(&dmarc->arena, prefix.len + domain.len);
    if (name == NULL || dmarc->nodes_count == DMARC_NODES_MAX) {
        dmarc->is_out_of_memory = true;
        return &too_many;
    }
    memcpy(name, prefix.data, prefix.len);
    memcpy(name + prefix.len, domain.data, domain.len);
    dmarc->asked_domain = domain;
    dmarc->question = (struct lookup_question){
        .name = slice_make(name, prefix.len + domain.len), .type = DNS_TYPE_TXT
    };
    dmarc->is_asking = true;
    return NULL;
}

static size_t count_labels(struct slice domain)
{
    size_t dots = 0;
    for (size_t i = 0; i < domain.len; i++)
        dots += domain.data[i] == '.';
    return domain.len == 0 ? 0 : dots + 1;
}

/* The last `labels` of a domain that has as many. */
static struct slice last_labels(struct slice domain, size_t labels)
{
    for (size_t have = count_labels(domain); have > labels; have--)
        domain = slice_from(domain, slice_find(domain, '.') + 1);
    return domain;
}

/* "192.0.2.1" may look like a name, but there is nothing above it (RFC 3696 2). */
static bool ends_in_number(struct slice domain)
{
    struct slice top = last_labels(domain, 1);
    for (size_t i = 0; i < top.len; i++)
        if (!ascii_is_digit(top.data[i]))
            return false;
    return true;
}

struct slice dmarc_walk_target(struct slice domain, size_t n)
{
    size_t labels = count_labels(domain);
    if (n == 0)
        return domain;
    if (ends_in_number(domain))
        return slice_part(domain, 0, 0);
    size_t second = labels > DMARC_WALK_LABELS ? DMARC_WALK_LABELS : labels - 1;
    return n > second ? slice_part(domain, 0, 0) : last_labels(domain, second - (n - 1));
}

/* RFC 9989 4.10.2, 1 to 3: from the longest name to the shortest. */
enum dmarc_walk_result dmarc_walk(struct dmarc *dmarc, struct slice domain,
                                  struct dmarc_walk *out)
{
    struct dmarc_walk walk = { .organizational_domain = domain };
    struct slice target;
    for (size_t n = 0; (target = dmarc_walk_target(domain, n)).len > 0; n++) {
        const struct dmarc_node *node = dmarc_node_of(dmarc, target);
        if (node == NULL)
            return DMARC_WALK_ASKS;
        if (node->state == DMARC_NODE_FAILED)
            return DMARC_WALK_FAILED;
        if (node->state == DMARC_NODE_EMPTY)
            continue;
        if (node->record.psd == DMARC_PSD_YES && n > 0) {
            struct slice below = last_labels(domain, count_labels(target) + 1);
            if (!slice_equal(walk.organizational_domain, below))
                walk.organizational = NULL;
            walk.organizational_domain = below;
            walk.suffix = node;
            break;
        }
        walk.organizational_domain = target;
        walk.organizational = node;
        if (node->record.psd != DMARC_PSD_UNKNOWN)
            break;
    }
    *out = walk;
    return DMARC_WALK_DONE;
}
