/* classify.c: what came back, and why, in one word; the rules themselves, too. */
#include "cli/batch.h"

#include "bounce/bounce.h"
#include "cli/tools.h"
#include "wire/report/parts.h"

#include <stdio.h>
#include <string.h>

static const struct cli_word words[] = {
    { "bounce", "FILE", "tells what a message that came back is about, and why", true },
    { "rules", NULL, "prints the rules, in the order in which they are tried", false },
    { NULL },
};

static const struct cli_option options[] = {
    { "batch", NULL, "FILE, or standard input, has one JSON object a line", false },
    { "json", NULL, "JSON objects, which is what is printed of bounces anyway", false },
    { NULL },
};

static json_t *status_text(struct smtp_status status)
{
    char text[24];
    if (status.class == 0)
        return json_null();
    snprintf(text, sizeof text, "%u.%u.%u", status.class, status.subject, status.detail);
    return json_string(text);
}

static json_t *show_recipient(const struct bounce_recipient *r)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:b, s:o}",
                     "address", batch_text_or_null(r->address),
                     "status", status_text(r->status),
                     "reply_code", r->code == 0 ? json_null() : json_integer(r->code),
                     "reason", bounce_reason_name(r->reason),
                     "hard", r->is_hard,
                     "text", batch_text_or_null(r->text));
}

static json_t *show(const struct bounce *bounce)
{
    json_t *list = json_array();
    json_t *answer = json_pack("{s:s, s:o}", "kind", bounce_kind_name(bounce->kind),
                               "recipients", list);
    for (size_t i = 0; answer != NULL && i < bounce->count; i++)
        json_array_append_new(list, show_recipient(&bounce->recipients[i]));
    if (answer != NULL && bounce->feedback_type.len > 0)
        json_object_set_new(answer, "feedback_type", batch_text(bounce->feedback_type));
    return answer;
}

static json_t *read_bounce(struct slice message)
{
    struct arena arena;
    struct bounce bounce;
    json_t *answer = NULL;
    arena_init(&arena, REPORT_ARENA_BYTES);
    if (bounce_read(message, &arena, &bounce))
        answer = show(&bounce);
    arena_free(&arena);
    return answer;
}

/* {"reply": "550 5.1.1 ...", "host": "mx.example.com", "address": ...}: a server's reply. */
static json_t *read_reply(const json_t *entry)
{
    struct bounce_said said = { .code = 0 };
    struct slice address = { .len = 0 };
    struct bounce_recipient recipient;
    if (!batch_string(entry, "reply", &said.text))
        return json_null();
    batch_string(entry, "host", &said.host);
    batch_string(entry, "address", &address);
    bounce_read_reply(&said, address, &recipient);
    struct bounce bounce = { .kind = BOUNCE_KIND_BOUNCE, .recipients = &recipient, .count = 1 };
    return show(&bounce);
}

static const char *stage_names(uint8_t stages)
{
    switch (stages) {
    case 0:
        return "-";
    case BOUNCE_STAGE_MAIL:
        return "mail";
    case BOUNCE_STAGE_RCPT:
        return "rcpt";
    case BOUNCE_STAGE_DATA:
        return "data";
    }
    return "early";
}

static int print_rules(void)
{
    puts("# reason\tstatus\tcode\tstage\thost\tphrases");
    for (size_t i = 0; i < bounce_rules_count; i++) {
        const struct bounce_rule *r = &bounce_rules[i];
        printf("%s\t%s\t%u\t%s\t%s\t%s\n", bounce_reason_name(r->reason),
               r->status == NULL ? "-" : r->status, r->code, stage_names(r->stages),
               r->host == NULL ? "-" : r->host, r->phrases == NULL ? "-" : r->phrases);
    }
    return 0;
}

static int run(const struct cli_call *call)
{
    static const struct batch batch = { read_bounce, read_reply };
    if (strcmp(call->word->name, "rules") == 0)
        return print_rules();
    return batch_run(&batch, call);
}

const struct cli_tool cli_classify = {
    .name = "classify",
    .summary = "tells why mail did not arrive, from what came back",
    .about = "An entry of a batch has \"file\", \"message\", or a \"reply\" of a server.\n",
    .words = words,
    .options = options,
    .run = run,
};
