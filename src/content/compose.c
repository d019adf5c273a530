/* compose.c: the parts into objects of GMime, the objects into octets. */
#include "content/compose.h"

#include "base/base64.h"

#include <gmime/gmime.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

static bool has_line_end(const char *text)
{
    return strpbrk(text, "\r\n") != NULL;
}

static const char *text_of(json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text == NULL ? "" : text;
}

/* dot-string or quoted-string "@" what is no blank: enough that it cannot be read as two. */
static bool is_address(const char *text)
{
    const char *at = strrchr(text, '@');
    if (at == NULL || at == text || at[1] == '\0' || strlen(text) > 320)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 127 || strchr("<>,;:()\\\"", *c) != NULL)
            return false;
    return strchr(text, '@') == at;
}

static const char *add_addresses(InternetAddressList *list, json_t *from)
{
    size_t i;
    json_t *item;
    if (json_array_size(from) > COMPOSE_ADDRESSES_MAX)
        return "too many addresses";
    json_array_foreach(from, i, item) {
        const char *name = text_of(item, "name"), *address = text_of(item, "address");
        if (!is_address(address))
            return "that is no address";
        if (has_line_end(name))
            return "a name cannot have line ends";
        InternetAddress *made = internet_address_mailbox_new(name[0] == '\0' ? NULL : name,
                                                             address);
        internet_address_list_add(list, made);
        g_object_unref(made);
    }
    return NULL;
}

static const char *add_people(GMimeMessage *m, json_t *mail)
{
    json_t *from = json_pack("[O]", json_object_get(mail, "from"));
    const char *why = add_addresses(g_mime_message_get_from(m), from);
    json_decref(from);
    if (why == NULL)
        why = add_addresses(g_mime_message_get_addresses(m, GMIME_ADDRESS_TYPE_TO),
                            json_object_get(mail, "to"));
    if (why == NULL)
        why = add_addresses(g_mime_message_get_addresses(m, GMIME_ADDRESS_TYPE_CC),
                            json_object_get(mail, "cc"));
    return why != NULL ? why
                       : add_addresses(g_mime_message_get_addresses(m, GMIME_ADDRESS_TYPE_REPLY_TO),
                                       json_object_get(mail, "replyTo"));
}

/* ftext of RFC 5322 3.6.8; what we write ourselves is not written by others. */
static bool is_field(const char *name)
{
    static const char *const ours[] = { "From", "To", "Cc", "Bcc", "Subject", "Content-Type",
        "MIME-Version", "Content-Transfer-Encoding" };
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127 || *c == ':')
            return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (g_ascii_strcasecmp(name, ours[i]) == 0)
            return false;
    return name[0] != '\0';
}

static const char *add_fields(GMimeMessage *m, json_t *fields)
{
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value) {
        const char *text = json_string_value(value);
        if (!is_field(name))
            return "a header has a name that cannot be set";
        if (text == NULL || has_line_end(text))
            return "a header's value cannot have line ends";
        g_mime_object_set_header(GMIME_OBJECT(m), name, text, "UTF-8");
    }
    return NULL;
}

static GMimePart *text_part(const char *subtype, const char *text)
{
    GMimeTextPart *part = g_mime_text_part_new_with_subtype(subtype);
    g_mime_text_part_set_charset(part, "UTF-8");
    g_mime_text_part_set_text(part, text);
    g_mime_part_set_content_encoding(GMIME_PART(part), GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    return GMIME_PART(part);
}

static const char *file_part(json_t *file, GMimePart **out)
{
    struct buffer octets;
    const char *name = text_of(file, "name"), *id = text_of(file, "id");
    const char *type = text_of(file, "type"), *coded = text_of(file, "base64");
    buffer_init(&octets, FILE_MAX);
    if (has_line_end(name) || has_line_end(id) || has_line_end(type)) {
        return "a file's name cannot have line ends";
    }
    if (!base64_decode(slice_from_string(coded), &octets)) {
        buffer_free(&octets);
        return "a file's content is no base64";
    }
    GMimeContentType *parsed = g_mime_content_type_parse(NULL, type[0] == '\0'
                                                                   ? "application/octet-stream"
                                                                   : type);
    GMimePart *part = g_mime_part_new();
    g_mime_object_set_content_type(GMIME_OBJECT(part), parsed);
    g_object_unref(parsed);
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(
        octets.memory == NULL ? "" : octets.memory, buffer_len(&octets));
    GMimeDataWrapper *content = g_mime_data_wrapper_new_with_stream(stream,
                                                                    GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_part_set_content(part, content);
    g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
    if (id[0] != '\0')
        g_mime_object_set_content_id(GMIME_OBJECT(part), id);
    g_mime_object_set_disposition(GMIME_OBJECT(part), id[0] != '\0' ? "inline" : "attachment");
    if (name[0] != '\0')
        g_mime_part_set_filename(part, name);
    g_object_unref(content);
    g_object_unref(stream);
    buffer_free(&octets);
    *out = part;
    return NULL;
}

/* Text, HTML, or both as alternatives. */
static GMimeObject *body_of(json_t *mail)
{
    const char *text = text_of(mail, "text"), *html = text_of(mail, "html");
    if (html[0] == '\0')
        return GMIME_OBJECT(text_part("plain", text));
    if (text[0] == '\0')
        return GMIME_OBJECT(text_part("html", html));
    GMimeMultipart *both = g_mime_multipart_new_with_subtype("alternative");
    GMimePart *first = text_part("plain", text), *second = text_part("html", html);
    g_mime_multipart_add(both, GMIME_OBJECT(first));
    g_mime_multipart_add(both, GMIME_OBJECT(second));
    g_object_unref(first);
    g_object_unref(second);
    return GMIME_OBJECT(both);
}

static const char *add_files(GMimeObject **body, json_t *files)
{
    size_t i;
    json_t *file;
    if (json_array_size(files) == 0)
        return NULL;
    if (json_array_size(files) > COMPOSE_FILES_MAX)
        return "too many files";
    GMimeMultipart *all = g_mime_multipart_new_with_subtype("mixed");
    g_mime_multipart_add(all, *body);
    g_object_unref(*body);
    *body = GMIME_OBJECT(all);
    json_array_foreach(files, i, file) {
        GMimePart *part = NULL;
        const char *why = file_part(file, &part);
        if (why != NULL)
            return why;
        g_mime_multipart_add(all, GMIME_OBJECT(part));
        g_object_unref(part);
    }
    return NULL;
}

static void write_out(GMimeMessage *m, struct buffer *out)
{
    GMimeFormatOptions *format = g_mime_format_options_clone(NULL);
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    char *text = g_mime_object_to_string(GMIME_OBJECT(m), format);
    buffer_append_string(out, text);
    g_free(text);
    g_mime_format_options_free(format);
}

static void add_trace(GMimeMessage *m, struct slice hostname)
{
    char *name = g_strndup(hostname.data, hostname.len);
    GDateTime *now = g_date_time_new_now_local();
    char *id = g_mime_utils_generate_message_id(name);
    if (g_mime_message_get_date(m) == NULL)
        g_mime_message_set_date(m, now);
    if (g_mime_message_get_message_id(m) == NULL)
        g_mime_message_set_message_id(m, id);
    g_free(id);
    g_date_time_unref(now);
    g_free(name);
}

const char *content_compose(json_t *mail, struct slice hostname, struct buffer *out)
{
    const char *subject = text_of(mail, "subject");
    if (has_line_end(subject))
        return "a subject cannot have line ends";
    g_mime_init();
    GMimeMessage *m = g_mime_message_new(TRUE);
    const char *why = add_people(m, mail);
    if (why == NULL)
        why = add_fields(m, json_object_get(mail, "headers"));
    if (why == NULL) {
        GMimeObject *body = body_of(mail);
        why = add_files(&body, json_object_get(mail, "files"));
        g_mime_message_set_subject(m, subject, "UTF-8");
        g_mime_message_set_mime_part(m, body);
        g_object_unref(body);
        add_trace(m, hostname);
    }
    if (why == NULL)
        write_out(m, out);
    g_object_unref(m);
    return why != NULL ? why : out->overflow ? "the message is too large" : NULL;
}
