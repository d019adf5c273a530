/* tls_report.c: what RFC 8460 knows, taken over member by member. */
#include "content/tls_report.h"

enum shape { TEXT, TEXTS, NUMBER, OBJECT, OBJECTS };

struct member {
    const char *name;
    enum shape shape;
    const struct member *within;
};

static const struct member date_range[] = {
    { "start-datetime", TEXT }, { "end-datetime", TEXT }, { NULL },
};

static const struct member policy[] = {
    { "policy-type", TEXT }, { "policy-string", TEXTS }, { "policy-domain", TEXT },
    { "mx-host", TEXTS }, { NULL },
};

static const struct member summary[] = {
    { "total-successful-session-count", NUMBER }, { "total-failure-session-count", NUMBER },
    { NULL },
};

static const struct member failure_details[] = {
    { "result-type", TEXT }, { "sending-mta-ip", TEXT }, { "receiving-ip", TEXT },
    { "receiving-mx-hostname", TEXT }, { "receiving-mx-helo", TEXT },
    { "failed-session-count", NUMBER }, { "additional-information", TEXT },
    { "failure-reason-code", TEXT }, { NULL },
};

static const struct member policies[] = {
    { "policy", OBJECT, policy }, { "summary", OBJECT, summary },
    { "failure-details", OBJECTS, failure_details }, { NULL },
};

static const struct member report[] = {
    { "organization-name", TEXT }, { "date-range", OBJECT, date_range },
    { "contact-info", TEXT }, { "report-id", TEXT }, { "policies", OBJECTS, policies },
    { NULL },
};

/* Brackets and commas outside of strings: a value of two octets takes hundreds in memory.
 * NULL, or why it is not read. */
static const char *guard(struct slice json)
{
    size_t depth = 0, values = 0;
    bool is_string = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.data[i];
        bool is_open = !is_string && (c == '[' || c == '{');
        if (is_string && c == '\\')
            i++;
        else if (c == '"')
            is_string = !is_string;
        else if (is_open && ++depth > TLS_REPORT_DEPTH_MAX)
            return "JSON more than 32 deep";
        else if (!is_string && (c == ']' || c == '}') && depth > 0)
            depth--;
        if (is_open || (!is_string && c == ','))
            values++;
    }
    return values > TLS_REPORT_VALUES_MAX ? "JSON of too many values" : NULL;
}

static json_t *texts_of(const json_t *value)
{
    json_t *texts = json_array();
    size_t i;
    json_t *item;
    if (json_is_string(value))
        json_array_append_new(texts, json_string(json_string_value(value)));
    json_array_foreach(value, i, item)
        if (json_is_string(item))
            json_array_append(texts, item);
    return texts;
}

static json_t *object_of(const json_t *value, const struct member *within);

static json_t *objects_of(const json_t *value, const struct member *within)
{
    json_t *objects = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
        if (json_is_object(item))
            json_array_append_new(objects, object_of(item, within));
    return objects;
}

/* NULL: it is of another type. */
static json_t *taken(json_t *value, const struct member *m)
{
    switch (m->shape) {
    case TEXT:
        return json_is_string(value) ? json_incref(value) : NULL;
    case TEXTS:
        return json_is_string(value) || json_is_array(value) ? texts_of(value) : NULL;
    case NUMBER:
        return json_is_integer(value) && json_integer_value(value) >= 0 ? json_incref(value)
                                                                        : NULL;
    case OBJECT:
        return json_is_object(value) ? object_of(value, m->within) : NULL;
    case OBJECTS:
        return json_is_array(value) ? objects_of(value, m->within) : NULL;
    }
    return NULL;
}

/* As deep as the tables above. */
static json_t *object_of(const json_t *value, const struct member *within)
{
    json_t *object = json_object();
    for (const struct member *m = within; m->name != NULL; m++) {
        json_t *member = taken(json_object_get(value, m->name), m);
        if (member != NULL)
            json_object_set_new(object, m->name, member);
    }
    return object;
}

json_t *tls_report_read(struct slice json, const char **out_failure)
{
    json_error_t error;
    const char *failure = guard(json);
    if (failure != NULL) {
        *out_failure = failure;
        return NULL;
    }
    if (slice_starts_with_nocase(json, SLICE("\xef\xbb\xbf")))
        json = slice_from(json, 3);
    json_t *read = json_loadb(json.data == NULL ? "" : json.data, json.len, 0, &error);
    bool is_report = json_is_object(json_object_get(read, "date-range")) &&
                     json_is_array(json_object_get(read, "policies"));
    json_t *checked = is_report ? object_of(read, report) : NULL;
    if (checked == NULL)
        *out_failure = read == NULL ? "broken JSON" : "JSON, but not a TLS report";
    json_decref(read);
    return checked;
}
