/* record.c: RFC 9989 4.7, 4.8. What is wrong behind the version only loses its tag. */
#include "auth/dmarc/record.h"

#include "base/ascii.h"

struct slice dmarc_policy_name(enum dmarc_policy policy)
{
    switch (policy) {
    case DMARC_POLICY_NONE:
        return SLICE("none");
    case DMARC_POLICY_QUARANTINE:
        return SLICE("quarantine");
    case DMARC_POLICY_REJECT:
        return SLICE("reject");
    }
    return SLICE("none");
}

static bool is_before_semicolon(char c)
{
    return c != ';';
}

/* dmarc-value = %x20-3A / %x3C-7E */
static bool is_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] > '~')
            return false;
    return s.len > 0;
}

/* dmarc-record = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep]
 * dmarc-tag = 1*ALPHA equals 1*dmarc-value
 * dmarc-sep = *WSP ";" *WSP; equals = *WSP "=" *WSP */
enum dmarc_tag_result dmarc_tag_next(struct cursor *c, struct dmarc_tag *out)
{
    struct slice part;
    do {
        if (cursor_at_end(c))
            return DMARC_TAG_END;
        part = slice_trim(cursor_take_while(c, is_before_semicolon));
        cursor_take_byte(c, ';');
    } while (part.len == 0);
    struct cursor in = cursor_over(part);
    struct dmarc_tag tag = { .name = cursor_take_while(&in, ascii_is_alpha) };
    cursor_skip_blanks(&in);
    bool is_tag = tag.name.len > 0 && cursor_take_byte(&in, '=');
    tag.value = slice_trim(cursor_rest(&in));
    if (!is_tag || !is_value(tag.value)) {
        *out = (struct dmarc_tag){ .value = part };
        return DMARC_TAG_NONE;
    }
    *out = tag;
    return DMARC_TAG;
}

/* dmarc-request = "none" / "quarantine" / "reject" */
static void read_request(struct slice value, struct dmarc_request_tag *tag)
{
    if (tag->state != DMARC_TAG_ABSENT)
        return;
    tag->state = DMARC_TAG_INVALID;
    for (enum dmarc_policy p = DMARC_POLICY_NONE; p <= DMARC_POLICY_REJECT; p++)
        if (slice_equal_nocase(value, dmarc_policy_name(p)))
            *tag = (struct dmarc_request_tag){ DMARC_TAG_VALID, p };
}

static void keep(struct slice value, struct slice *kept)
{
    if (kept->len == 0)
        *kept = value;
}

static void read_tag(const struct dmarc_tag *tag, struct dmarc_record *out)
{
    const struct {
        struct slice name;
        struct dmarc_request_tag *request;
        struct slice *text;
    } tags[] = {
        { SLICE("p"), &out->domain, NULL },
        { SLICE("sp"), &out->subdomains, NULL },
        { SLICE("np"), &out->non_existent, NULL },
        { SLICE("rua"), NULL, &out->rua },
        { SLICE("ruf"), NULL, &out->ruf },
        { SLICE("fo"), NULL, &out->fo },
    };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (slice_equal_nocase(tag->name, tags[i].name)) {
            if (tags[i].request != NULL)
                read_request(tag->value, tags[i].request);
            else
                keep(tag->value, tags[i].text);
        }
}

/* What has but few values; of a tag said twice the first counts. */
struct flags {
    struct slice adkim;
    struct slice aspf;
    struct slice t;
    struct slice psd;
};

static void read_flag(const struct dmarc_tag *tag, struct flags *flags)
{
    if (slice_equal_nocase(tag->name, SLICE("adkim")))
        keep(tag->value, &flags->adkim);
    else if (slice_equal_nocase(tag->name, SLICE("aspf")))
        keep(tag->value, &flags->aspf);
    else if (slice_equal_nocase(tag->name, SLICE("t")))
        keep(tag->value, &flags->t);
    else if (slice_equal_nocase(tag->name, SLICE("psd")))
        keep(tag->value, &flags->psd);
}

/* dmarc-version = "v" equals %s"DMARC1" ; case sensitive. The tag's name has no case, as
 * all names of tags. */
static bool is_version(struct slice text)
{
    struct cursor c = cursor_over(text);
    struct dmarc_tag tag;
    return text.len > 0 && ascii_is_alpha(text.data[0]) &&
           dmarc_tag_next(&c, &tag) == DMARC_TAG &&
           slice_equal_nocase(tag.name, SLICE("v")) &&
           slice_equal(tag.value, SLICE("DMARC1"));
}

bool dmarc_record_parse(struct slice text, struct dmarc_record *out)
{
    struct cursor c = cursor_over(text);
    struct dmarc_record record = { .psd = DMARC_PSD_UNKNOWN };
    struct flags flags = { .t = { .len = 0 } };
    struct dmarc_tag tag;
    enum dmarc_tag_result result;
    if (!is_version(text))
        return false;
    while ((result = dmarc_tag_next(&c, &tag)) != DMARC_TAG_END) {
        if (result == DMARC_TAG_NONE)
            continue;
        read_tag(&tag, &record);
        read_flag(&tag, &flags);
    }
    record.is_dkim_strict = slice_equal_nocase(flags.adkim, SLICE("s"));
    record.is_spf_strict = slice_equal_nocase(flags.aspf, SLICE("s"));
    record.is_test = slice_equal_nocase(flags.t, SLICE("y"));
    record.psd = slice_equal_nocase(flags.psd, SLICE("y"))   ? DMARC_PSD_YES
                 : slice_equal_nocase(flags.psd, SLICE("n")) ? DMARC_PSD_NO
                                                             : DMARC_PSD_UNKNOWN;
    *out = record;
    return true;
}

static bool is_scheme_octet(char c)
{
    return ascii_is_alnum(c) || c == '+' || c == '-' || c == '.';
}

/* dmarc-uri = URI ; commas and exclamation points MUST be encoded
 * obs-dmarc-uri = dmarc-uri "!" 1*DIGIT [ "k" / "m" / "g" / "t" ] */
static bool is_uri(struct slice text)
{
    struct cursor c = cursor_over(slice_part(text, 0, slice_find(text, '!')));
    struct slice scheme = cursor_take_while(&c, is_scheme_octet);
    if (scheme.len == 0 || !ascii_is_alpha(scheme.data[0]) || !cursor_take_byte(&c, ':'))
        return false;
    struct slice rest = cursor_rest(&c);
    if (slice_equal_nocase(scheme, SLICE("mailto"))) {
        size_t at = slice_find(rest, '@');
        if (at == SLICE_NOT_FOUND || at == 0 || at + 1 == rest.len)
            return false;
    }
    for (size_t i = 0; i < rest.len; i++)
        if (rest.data[i] <= ' ')
            return false;
    return rest.len > 0;
}

/* dmarc-urilist = (dmarc-uri / obs-dmarc-uri) *(*WSP "," *WSP ...) */
static bool has_uri(struct slice list)
{
    struct slice item;
    while (slice_split(&list, ',', &item))
        if (is_uri(slice_trim(item)))
            return true;
    return false;
}

bool dmarc_record_settle(struct dmarc_record *record)
{
    if (record->domain.state == DMARC_TAG_VALID &&
        record->subdomains.state != DMARC_TAG_INVALID &&
        record->non_existent.state != DMARC_TAG_INVALID)
        return true;
    if (!has_uri(record->rua))
        return false;
    record->domain = (struct dmarc_request_tag){ DMARC_TAG_VALID, DMARC_POLICY_NONE };
    record->subdomains = record->non_existent =
        (struct dmarc_request_tag){ .state = DMARC_TAG_ABSENT };
    return true;
}
