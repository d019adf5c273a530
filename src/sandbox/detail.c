/* detail.c: what is shown of a message, as JSON made once, when it comes in. */
#include "sandbox/box_private.h"

#include "content/message.h"

#include <string.h>

enum { TEXT_INDEXED_MAX = 64 * 1024 };

/* JSON strings are UTF-8, and so is all that content/ gives. */
static json_t *text(struct slice s)
{
    json_t *made = json_stringn(s.data == NULL ? "" : s.data, s.len);
    return made != NULL ? made : json_string("");
}

static json_t *address(struct slice name, struct slice addr)
{
    return json_pack("{s:o, s:o}", "name", text(name), "address", text(addr));
}

static json_t *addresses(const struct content_addresses *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < all->count; i++)
        json_array_append_new(list, address(all->items[i].name, all->items[i].address));
    return list;
}

static json_t *first_address(const struct content_addresses *all)
{
    return all->count == 0 ? json_null() : address(all->items[0].name, all->items[0].address);
}

static bool has_address(const struct content_addresses *all, struct slice addr)
{
    for (size_t i = 0; i < all->count; i++)
        if (slice_equal_nocase(all->items[i].address, addr))
            return true;
    return false;
}

/* Those in the header, and whoever got it without being named there. */
static json_t *blind(const struct content_message *m, const struct envelope *e)
{
    json_t *list = addresses(&m->bcc);
    for (size_t i = 0; i < e->recipients_count; i++) {
        struct slice addr = e->recipients[i].address;
        if (!has_address(&m->to, addr) && !has_address(&m->cc, addr) &&
            !has_address(&m->bcc, addr))
            json_array_append_new(list, json_pack("{s:s, s:o}", "name", "", "address",
                                                  box_text(addr)));
    }
    return list;
}

static json_t *place_json(struct content_place place)
{
    return json_pack("[I, I, i]", (json_int_t)place.offset, (json_int_t)place.length,
                     (int)place.encoding);
}

static json_t *file_json(const struct content_message *m, const struct content_file *file)
{
    const struct content_part *part = &m->tree.parts[file->part];
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:o}",
                     "part", text(part->id), "name", text(part->filename),
                     "type", text(part->type), "charset", text(part->charset),
                     "id", text(part->content_id), "disposition", text(part->disposition),
                     "size", (json_int_t)part->size, "attachment", file->is_attachment,
                     "place", place_json(file->place));
}

static json_t *files_json(const struct content_message *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->file_count; i++)
        json_array_append_new(list, file_json(m, &m->files[i]));
    return list;
}

static json_t *part_json(const struct content_part *part)
{
    json_t *made = json_pack("{s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:I}",
        "id", text(part->id), "depth", (int)part->depth, "type", text(part->type),
        "charset", text(part->charset), "encoding", text(part->encoding),
        "disposition", text(part->disposition), "name", text(part->filename),
        "size", (json_int_t)part->size);
    if (!part->has_parts)
        json_object_set_new(made, "place", place_json(content_part_place(part)));
    return made;
}

static json_t *parts_json(const struct content_message *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->tree.count; i++)
        json_array_append_new(list, part_json(&m->tree.parts[i]));
    return list;
}

static json_t *headers_json(const struct content_message *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->field_count; i++)
        json_array_append_new(list, json_pack("[o, o, o]", text(m->fields[i].name),
                                              text(m->fields[i].raw),
                                              text(m->fields[i].value)));
    return list;
}

/* X-Tags: one, two */
static json_t *tags_json(const struct content_message *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->field_count; i++) {
        struct slice rest = m->fields[i].value, tag;
        if (!slice_equal_nocase(m->fields[i].name, SLICE("X-Tags")))
            continue;
        while (slice_split(&rest, ',', &tag))
            json_array_append_new(list, text(slice_trim(tag)));
    }
    return list;
}

static json_t *envelope_json(const struct capture_message *c)
{
    const struct envelope *e = &c->envelope;
    const struct capture_facts *f = &c->facts;
    json_t *to = json_array();
    for (size_t i = 0; i < e->recipients_count; i++)
        json_array_append_new(to, box_text(e->recipients[i].address));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:s}",
        "from", box_text(e->sender), "to", to, "helo", box_text(f->helo),
        "client", box_text(f->client), "account", box_text(f->account),
        "mechanism", box_text(f->mechanism), "tls", box_text(f->tls_version),
        "cipher", box_text(f->tls_cipher), "envid", box_text(e->envid),
        "smtputf8", e->smtputf8,
        "body", e->body == MAIL_BODY_BINARYMIME ? "BINARYMIME"
              : e->body == MAIL_BODY_8BITMIME   ? "8BITMIME" : "7BIT");
}

static json_t *unsubscribe_json(const struct content_message *m)
{
    json_t *links = json_array();
    for (size_t i = 0; i < m->unsubscribe.count; i++)
        json_array_append_new(links, text(m->unsubscribe.links[i]));
    return json_pack("{s:o, s:o, s:o, s:s}", "header", text(m->unsubscribe.header),
                     "post", text(m->unsubscribe.post), "links", links,
                     "failure", m->unsubscribe.failure == NULL ? "" : m->unsubscribe.failure);
}

/* What the octets themselves show. */
static json_t *flags_json(struct slice raw)
{
    size_t bare_lf = 0, bare_cr = 0, nul = 0, high = 0, line = 0, longest = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];
        bool after_cr = i > 0 && raw.data[i - 1] == '\r';
        bool before_lf = i + 1 < raw.len && raw.data[i + 1] == '\n';
        bare_lf += c == '\n' && !after_cr;
        bare_cr += c == '\r' && !before_lf;
        nul += c == '\0';
        high += (unsigned char)c > 127;
        line = c == '\n' ? 0 : line + (c != '\r');
        longest = line > longest ? line : longest;
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "bareLf", (json_int_t)bare_lf,
                     "bareCr", (json_int_t)bare_cr, "nul", (json_int_t)nul,
                     "eightBit", (json_int_t)high, "longestLine", (json_int_t)longest);
}

static json_t *summary_json(const struct content_message *m, const struct capture_message *c)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o}",
        "subject", text(m->subject), "messageId", text(m->message_id),
        "snippet", text(m->snippet), "from", first_address(&m->from),
        "to", addresses(&m->to), "cc", addresses(&m->cc), "bcc", blind(m, &c->envelope),
        "replyTo", addresses(&m->reply_to), "attachments", (int)m->attachment_count,
        "account", box_text(c->facts.account));
}

static json_t *whole_json(const struct content_message *m, const struct capture_message *c,
                          struct slice raw)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:b}",
        "date", m->has_date ? json_integer(m->date_ms) : json_null(),
        "sender", first_address(&m->sender),
        "returnPath", text(m->return_path), "envelope", envelope_json(c),
        "headers", headers_json(m), "files", files_json(m), "parts", parts_json(m),
        "unsubscribe", unsubscribe_json(m), "flags", flags_json(raw),
        "opaque", content_verdict_text(m->tree.verdict),
        "hasHtml", m->html.len > 0);
}

bool detail_make(const struct capture_message *captured, struct slice raw, struct detail *out)
{
    struct arena arena;
    struct content_message m;
    *out = (struct detail){ 0 };
    buffer_init(&out->text, TEXT_INDEXED_MAX);
    arena_init(&arena, CONTENT_ARENA_BYTES);
    if (content_message_read(raw, &arena, &m)) {
        out->summary = summary_json(&m, captured);
        out->whole = whole_json(&m, captured, raw);
        out->tags = tags_json(&m);
        size_t len = m.text.len < TEXT_INDEXED_MAX ? m.text.len : TEXT_INDEXED_MAX;
        while (len > 0 && len < m.text.len && ((unsigned char)m.text.data[len] & 0xC0) == 0x80)
            len--;
        buffer_append(&out->text, slice_part(m.text, 0, len));
    }
    arena_free(&arena);
    return out->summary != NULL && out->whole != NULL;
}

bool detail_make_opaque(const struct capture_message *captured, struct detail *out)
{
    struct content_message nothing = { .field_count = 0 };
    struct slice none = slice_make(NULL, 0);
    *out = (struct detail){ 0 };
    buffer_init(&out->text, TEXT_INDEXED_MAX);
    nothing.subject = SLICE("(this message could not be taken apart)");
    out->summary = summary_json(&nothing, captured);
    out->whole = whole_json(&nothing, captured, none);
    if (out->whole != NULL)
        json_object_set_new(out->whole, "opaque", json_string("it ended the program that read it"));
    return out->summary != NULL && out->whole != NULL;
}

void detail_free(struct detail *detail)
{
    json_decref(detail->summary);
    json_decref(detail->whole);
    json_decref(detail->tags);
    buffer_free(&detail->text);
}
