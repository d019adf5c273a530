/* check_entry.c: what is evaluated of one entry: a whole message, or SPF alone, or DMARC
 * alone. */
#include "cli/check_private.h"

static const char *say(const json_t *entry, const char *key, const char *otherwise)
{
    const char *value = json_string_value(json_object_get(entry, key));
    return value == NULL ? otherwise : value;
}

static struct slice text_or(const json_t *entry, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(entry, key);
    return json_is_string(value)
               ? slice_make(json_string_value(value), json_string_length(value))
               : slice_from_string(otherwise);
}

static json_t *wrong(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

static void take_for_spf(void *context, const struct lookup_answer *answer)
{
    spf_answer(context, answer);
}

static bool run_spf(struct check_source *source, struct spf *spf)
{
    struct lookup_question question;
    while (spf_next(spf, &question))
        if (check_ask(source, &question, take_for_spf, spf) != 0)
            return false;
    return true;
}

static json_t *check_spf(struct check_source *source, const struct check_settings *settings,
                         const json_t *entry)
{
    struct spf_request request = {
        .helo = text_or(entry, "helo", settings->helo),
        .mail_from = text_or(entry, "mail_from", settings->mail_from),
        .receiver = slice_from_string(settings->authserv_id),
        .now_s = settings->now_s,
    };
    const char *ip = say(entry, "ip", settings->ip);
    if (!spf_client_parse(slice_from_string(ip), &request.client))
        return wrong("\"ip\" is no address");
    if (json_is_integer(json_object_get(entry, "now")))
        request.now_s = json_integer_value(json_object_get(entry, "now"));
    struct spf *spf;
    json_t *result = NULL;
    if (spf_begin(&request, &spf) != ERR_OK)
        return NULL;
    if (run_spf(source, spf))
        result = json_pack("{s:o}", "spf", check_print_spf(spf));
    spf_free(&spf);
    return result;
}

json_t *check_entry(struct check_source *source, const struct check_settings *settings,
                    const json_t *entry)
{
    const json_t *zone = json_object_get(entry, "zone");
    source->zone = NULL;
    if (zone != NULL) {
        if (!json_is_object(zone))
            return wrong("\"zone\" is no object");
        source->zone = zone;
    }
    if (say(entry, "ip", settings->ip) != NULL)
        return check_spf(source, settings, entry);
    return wrong("neither \"ip\" nor \"header_from\" is there: nothing can be evaluated");
}
