/* dmarc_report.c: the form of a report as data, and a reader that follows it. */
#include "content/dmarc_report.h"

#include "base/buffer.h"
#include "content/xml_guard.h"
#include "net/address.h"

#include <libxml/xmlreader.h>
#include <string.h>

enum { TEXT_MAX = 64 * 1024, UTF8_TAIL_MAX = 3 };

enum shape {
    TEXT,     /* "" when it did not come */
    OPTIONAL, /* null when it did not come */
    NUMBER,
    REAL,
    FLAG,     /* "y" */
    ADDRESS,  /* of the Internet protocol, null when it is none */
    WORD,
    OBJECT,
    GROUP,    /* what is in it belongs to what it is in */
};

struct word {
    const char *written;
    const char *shown;
};

struct element {
    const char *name;
    enum shape shape;
    bool is_list;
    const char *key;              /* NULL: the name */
    const struct word *words;     /* of a WORD; the last one is for what is not among them */
    const struct element *within; /* of an OBJECT and a GROUP; the last one has no name */
    const char *const *attributes; /* that are texts in it too */
};

static const struct word alignments[] = {
    { "r", "Relaxed" }, { "s", "Strict" }, { NULL, "Unspecified" },
};

static const struct word policies[] = {
    { "none", "None" }, { "quarantine", "Quarantine" }, { "reject", "Reject" },
    { NULL, "Unspecified" },
};

static const struct word methods[] = {
    { "psl", "Psl" }, { "treewalk", "Treewalk" }, { NULL, "Unspecified" },
};

static const struct word dispositions[] = {
    { "none", "None" }, { "pass", "Pass" }, { "quarantine", "Quarantine" },
    { "reject", "Reject" }, { NULL, "Unspecified" },
};

static const struct word verdicts[] = {
    { "pass", "Pass" }, { "fail", "Fail" }, { NULL, "Unspecified" },
};

static const struct word overrides[] = {
    { "forwarded", "Forwarded" }, { "trusted_forwarder", "TrustedForwarder" },
    { "mailing_list", "MailingList" }, { "local_policy", "LocalPolicy" },
    { "policy_test_mode", "PolicyTestMode" }, { NULL, "Other" },
};

static const struct word results[] = {
    { "none", "None" }, { "pass", "Pass" }, { "fail", "Fail" }, { "softfail", "SoftFail" },
    { "policy", "Policy" }, { "neutral", "Neutral" }, { "temperror", "TempError" },
    { "permerror", "PermError" }, { NULL, "Unspecified" },
};

static const struct word scopes[] = {
    { "helo", "Helo" }, { "mfrom", "MailFrom" }, { NULL, "Unspecified" },
};

static const char *const extension_attributes[] = { "name", "definition", NULL };

static const struct element nothing[] = { { .name = NULL } };

static const struct element extensions[] = {
    { "extension", OBJECT, true, "extensions", NULL, nothing, extension_attributes },
    { .name = NULL },
};

static const struct element date_range[] = {
    { "begin", NUMBER }, { "end", NUMBER }, { .name = NULL },
};

static const struct element report_metadata[] = {
    { "org_name", TEXT }, { "email", TEXT }, { "extra_contact_info", OPTIONAL },
    { "report_id", TEXT }, { "date_range", OBJECT, .within = date_range },
    { "error", TEXT, true }, { "generator", OPTIONAL }, { .name = NULL },
};

static const struct element policy_published[] = {
    { "domain", TEXT }, { "version_published", OPTIONAL },
    { "adkim", WORD, .words = alignments }, { "aspf", WORD, .words = alignments },
    { "p", WORD, .words = policies }, { "sp", WORD, .words = policies },
    { "np", WORD, .words = policies }, { "testing", FLAG },
    { "discovery_method", WORD, .words = methods }, { "fo", OPTIONAL }, { .name = NULL },
};

static const struct element reason[] = {
    { "type", WORD, .key = "type_", .words = overrides }, { "comment", OPTIONAL },
    { .name = NULL },
};

static const struct element policy_evaluated[] = {
    { "disposition", WORD, .words = dispositions }, { "dkim", WORD, .words = verdicts },
    { "spf", WORD, .words = verdicts }, { "reason", OBJECT, true, .within = reason },
    { .name = NULL },
};

static const struct element row[] = {
    { "source_ip", ADDRESS }, { "count", NUMBER },
    { "policy_evaluated", OBJECT, .within = policy_evaluated }, { .name = NULL },
};

static const struct element identifiers[] = {
    { "envelope_to", OPTIONAL }, { "envelope_from", TEXT }, { "header_from", TEXT },
    { .name = NULL },
};

static const struct element dkim[] = {
    { "domain", TEXT }, { "selector", TEXT }, { "result", WORD, .words = results },
    { "human_result", OPTIONAL }, { .name = NULL },
};

static const struct element spf[] = {
    { "domain", TEXT }, { "scope", WORD, .words = scopes },
    { "result", WORD, .words = results }, { "human_result", OPTIONAL }, { .name = NULL },
};

static const struct element auth_results[] = {
    { "dkim", OBJECT, true, .within = dkim }, { "spf", OBJECT, true, .within = spf },
    { .name = NULL },
};

static const struct element record[] = {
    { "row", OBJECT, .within = row }, { "identifiers", OBJECT, .within = identifiers },
    { "auth_results", OBJECT, .within = auth_results },
    { "extensions", GROUP, .within = extensions }, { .name = NULL },
};

static const struct element feedback[] = {
    { "version", REAL }, { "report_metadata", OBJECT, .within = report_metadata },
    { "policy_published", OBJECT, .within = policy_published },
    { "record", OBJECT, true, .within = record },
    { "extensions", GROUP, .within = extensions }, { .name = NULL },
};

static const struct element root = { "feedback", OBJECT, .within = feedback };

/* An element that has begun and not ended. */
struct open_element {
    const struct element *element; /* NULL: nobody knows it */
    json_t *object;                /* where its value goes; borrowed */
};

struct reading {
    xmlTextReaderPtr xml;
    json_t *report;
    struct open_element open[DMARC_REPORT_DEPTH_MAX];
    size_t depth;
    struct buffer text; /* of the element that was opened last */
    size_t records;
    size_t items;
    const char *failure;
};

static const char NO_MEMORY[] = "memory is out";

static const char *key_of(const struct element *e)
{
    return e->key != NULL ? e->key : e->name;
}

static bool fill(json_t *object, const struct element *within);

/* What stands there until it comes. */
static json_t *unsaid(const struct element *e)
{
    json_t *object;
    if (e->is_list)
        return json_array();
    switch (e->shape) {
    case TEXT:
        return json_string("");
    case NUMBER:
        return json_integer(0);
    case REAL:
        return json_real(0);
    case FLAG:
        return json_false();
    case WORD:
        return json_string("Unspecified");
    case OBJECT:
        object = json_object();
        if (fill(object, e->within))
            return object;
        json_decref(object);
        return NULL;
    case OPTIONAL:
    case ADDRESS:
    case GROUP:
        break;
    }
    return json_null();
}

/* As deep as the tables above. */
static bool fill(json_t *object, const struct element *within)
{
    bool is_whole = object != NULL;
    for (const struct element *e = within; is_whole && e->name != NULL; e++)
        is_whole = e->shape == GROUP ? fill(object, e->within)
                                     : json_object_set_new(object, key_of(e), unsaid(e)) == 0;
    return is_whole;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* What was cut at the largest size may end in a part of a character. */
static json_t *text_of(struct slice text)
{
    json_t *value = NULL;
    for (size_t cut = 0; value == NULL && cut <= UTF8_TAIL_MAX && cut <= text.len; cut++)
        value = json_stringn(text.data == NULL ? "" : text.data, text.len - cut);
    return value;
}

static json_t *word_of(struct slice text, const struct word *words)
{
    while (words->written != NULL &&
           !slice_equal_nocase(text, slice_from_string(words->written)))
        words++;
    return json_string(words->shown);
}

static json_t *number_of(struct slice text)
{
    uint64_t number = 0;
    slice_to_number(text, INT64_MAX, &number);
    return json_integer((json_int_t)number);
}

/* "1.0"; anything else is 0. */
static json_t *real_of(struct slice text)
{
    size_t point = slice_find(text, '.');
    uint64_t whole = 0, part = 0;
    double scale = 1;
    if (!slice_to_number(slice_part(text, 0, point), UINT16_MAX, &whole))
        return json_real(0);
    struct slice digits = point == SLICE_NOT_FOUND ? slice_from(text, text.len)
                                                   : slice_from(text, point + 1);
    if (!slice_to_number(digits, UINT16_MAX, &part))
        return json_real((double)whole);
    for (size_t i = 0; i < digits.len; i++)
        scale *= 10;
    return json_real((double)whole + (double)part / scale);
}

static json_t *address_of(struct slice text)
{
    struct net_address address;
    struct buffer shown;
    if (!net_host_parse(text, 0, &address))
        return json_null();
    buffer_init(&shown, NET_ADDRESS_TEXT_MAX);
    net_host_append(&shown, &address);
    json_t *value = text_of(buffer_slice(&shown));
    buffer_free(&shown);
    return value;
}

static json_t *value_of(const struct element *e, struct slice text)
{
    switch (e->shape) {
    case TEXT:
        return text_of(text);
    case OPTIONAL:
        return text.len == 0 ? json_null() : text_of(text);
    case NUMBER:
        return number_of(text);
    case REAL:
        return real_of(text);
    case FLAG:
        return json_boolean(slice_equal_nocase(text, SLICE("y")));
    case ADDRESS:
        return address_of(text);
    case WORD:
        return word_of(text, e->words);
    case OBJECT:
    case GROUP:
        break;
    }
    return NULL;
}

static bool is_counted(struct reading *r, const struct element *e)
{
    if (e->within == record && ++r->records > DMARC_REPORT_RECORDS_MAX)
        return false;
    return !e->is_list || ++r->items <= DMARC_REPORT_ITEMS_MAX;
}

/* Attributes first: they are lost when the reader goes on. */
static bool take_attributes(struct reading *r, const struct element *e, json_t *object)
{
    for (const char *const *name = e->attributes; name != NULL && *name != NULL; name++) {
        xmlChar *value = xmlTextReaderGetAttribute(r->xml, (const xmlChar *)*name);
        struct slice text = slice_from_string(value == NULL ? "" : (const char *)value);
        int failed = json_object_set_new(object, *name, text_of(slice_part(text, 0, TEXT_MAX)));
        xmlFree(value);
        if (failed != 0)
            return false;
    }
    return true;
}

/* The object that an element's value is, or where it goes. */
static json_t *object_for(struct reading *r, const struct element *e, json_t *object)
{
    if (e->shape != OBJECT)
        return object;
    if (!e->is_list)
        return json_object_get(object, key_of(e));
    json_t *item = json_object();
    if (!fill(item, e->within) || !take_attributes(r, e, item)) {
        json_decref(item);
        return NULL;
    }
    return json_array_append_new(json_object_get(object, key_of(e)), item) == 0 ? item : NULL;
}

static const struct element *known(const struct reading *r, const char *name)
{
    if (r->depth == 0)
        return strcmp(name, root.name) == 0 ? &root : NULL;
    const struct element *outer = r->open[r->depth - 1].element;
    const struct element *e = outer == NULL || outer->within == NULL ? nothing : outer->within;
    while (e->name != NULL && strcmp(e->name, name) != 0)
        e++;
    return e->name == NULL ? NULL : e;
}

static void begin(struct reading *r)
{
    const struct element *e = known(r, (const char *)xmlTextReaderConstLocalName(r->xml));
    json_t *object = r->depth == 0 ? r->report : r->open[r->depth - 1].object;
    if (r->depth == 0 && e == NULL)
        r->failure = "an XML document, but not a DMARC report";
    else if (r->depth >= DMARC_REPORT_DEPTH_MAX)
        r->failure = "XML elements more than 32 deep";
    else if (e != NULL && !is_counted(r, e))
        r->failure = "too many records";
    else if (e != NULL && r->depth > 0 && (object = object_for(r, e, object)) == NULL)
        r->failure = NO_MEMORY;
    if (r->failure != NULL)
        return;
    buffer_clear(&r->text);
    r->open[r->depth++] = (struct open_element){ e, object };
}

static void end(struct reading *r)
{
    struct open_element ended = r->open[--r->depth];
    const struct element *e = ended.element;
    if (e == NULL || e->shape == OBJECT || e->shape == GROUP)
        return;
    json_t *value = value_of(e, trimmed(buffer_slice(&r->text)));
    int failed = e->is_list
        ? json_array_append_new(json_object_get(ended.object, key_of(e)), value)
        : json_object_set_new(ended.object, key_of(e), value);
    if (failed != 0)
        r->failure = NO_MEMORY;
}

/* What is longer than the largest text is cut there. */
static void take_text(struct reading *r)
{
    struct slice text = slice_from_string((const char *)xmlTextReaderConstValue(r->xml));
    size_t room = TEXT_MAX - buffer_len(&r->text);
    if (r->depth > 0 && r->open[r->depth - 1].element != NULL)
        buffer_append(&r->text, slice_part(text, 0, room));
}

static void take_node(struct reading *r)
{
    switch (xmlTextReaderNodeType(r->xml)) {
    case XML_READER_TYPE_DOCUMENT_TYPE:
        r->failure = "an XML document with a DOCTYPE, which is not read";
        break;
    case XML_READER_TYPE_ELEMENT: {
        int is_empty = xmlTextReaderIsEmptyElement(r->xml);
        begin(r);
        if (is_empty == 1 && r->failure == NULL)
            end(r);
        break;
    }
    case XML_READER_TYPE_END_ELEMENT:
        end(r);
        break;
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
    case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
        take_text(r);
        break;
    default:
        break;
    }
}

static void read_nodes(struct reading *r)
{
    int more = 1;
    while (r->failure == NULL && (more = xmlTextReaderRead(r->xml)) == 1)
        take_node(r);
    if (r->failure == NULL && more != 0)
        r->failure = "broken XML";
}

json_t *dmarc_report_read(struct slice xml, const char **out_failure)
{
    struct reading r = { .report = json_object(), .failure = xml_guard(xml) };
    buffer_init(&r.text, TEXT_MAX);
    r.xml = xml.len == 0 || xml.len > INT32_MAX ? NULL
        : xmlReaderForMemory(xml.data, (int)xml.len, NULL, NULL,
                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!fill(r.report, feedback))
        r.failure = NO_MEMORY;
    else if (r.failure == NULL && r.xml == NULL)
        r.failure = xml.len == 0 ? "an empty report" : NO_MEMORY;
    else if (r.failure == NULL)
        read_nodes(&r);
    xmlFreeTextReader(r.xml);
    buffer_free(&r.text);
    if (r.failure == NULL)
        return r.report;
    json_decref(r.report);
    *out_failure = r.failure;
    return NULL;
}
