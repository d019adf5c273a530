/* auto_reply.c: answers by machines: RFC 3834 section 5, and how they looked before. */
#include "bounce/bounce_private.h"

#include "wire/report/notice.h"

/* A field, and what its value begins with; nothing: any value. */
static const struct {
    struct slice name;
    struct slice value;
} fields[] = {
    { SLICE_INIT("Auto-Submitted"), SLICE_INIT("auto-replied") },
    { SLICE_INIT("X-Autoreply"), SLICE_INIT("") },
    { SLICE_INIT("X-Autoreply-From"), SLICE_INIT("") },
    { SLICE_INIT("X-Autorespond"), SLICE_INIT("") },
    { SLICE_INIT("X-Auto-Response"), SLICE_INIT("") },
    { SLICE_INIT("X-Auto-Reply-From"), SLICE_INIT("") },
    { SLICE_INIT("X-Mail-Autoreply"), SLICE_INIT("") },
    { SLICE_INIT("X-POST-MessageClass"), SLICE_INIT("9; autoresponder") },
    { SLICE_INIT("Delivered-To"), SLICE_INIT("autoresponder") },
    { SLICE_INIT("Precedence"), SLICE_INIT("auto_reply") },
    { SLICE_INIT("Precedence"), SLICE_INIT("auto-reply") },
};

/* What such answers begin their subject with. */
static const struct slice subjects[] = {
    SLICE_INIT("auto:"), SLICE_INIT("auto reply"), SLICE_INIT("auto-reply"),
    SLICE_INIT("autoreply"), SLICE_INIT("automatic reply"), SLICE_INIT("auto response"),
    SLICE_INIT("autoresponse"), SLICE_INIT("out of office"), SLICE_INIT("out of the office"),
    SLICE_INIT("out-of-office"), SLICE_INIT("away from"), SLICE_INIT("i am out of"),
    SLICE_INIT("vacation"), SLICE_INIT("on vacation"), SLICE_INIT("holiday"),
    SLICE_INIT("abwesenheit"), SLICE_INIT("automatische antwort"),
    SLICE_INIT("automatisch antwoord"), SLICE_INIT("automatiskt svar"),
    SLICE_INIT("automatisk svar"), SLICE_INIT("absence"), SLICE_INIT("absent"),
    SLICE_INIT("r\xc3\xa9ponse automatique"), SLICE_INIT("reponse automatique"),
    SLICE_INIT("respuesta autom"), SLICE_INIT("resposta autom"),
    SLICE_INIT("risposta automatica"), SLICE_INIT("fuera de la oficina"),
    SLICE_INIT("fuori sede"), SLICE_INIT("fuori ufficio"),
};

static bool has_field(const struct bounce_source *source)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct slice value = report_header_value(source->parts.header, fields[i].name,
                                                 source->arena);
        if (value.len > 0 && slice_starts_with_nocase(value, fields[i].value))
            return true;
    }
    return false;
}

static bool has_subject(const struct bounce_source *source)
{
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        if (slice_starts_with_nocase(source->subject, subjects[i]))
            return true;
    return false;
}

bool bounce_read_auto_reply(struct bounce_source *source, struct bounce *out)
{
    struct slice from = source->from, address;
    if (!has_field(source) && !has_subject(source))
        return false;
    if (!notice_address_next(&from, &address))
        address = from;
    struct bounce_recipient *recipient = bounce_add(out, address);
    if (recipient != NULL)
        recipient->reason = BOUNCE_VACATION;
    out->kind = BOUNCE_KIND_AUTO_REPLY;
    return true;
}
