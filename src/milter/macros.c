/* macros.c: what a filter is told beside the commands, by the names that Sendmail and
 * Postfix use. A value that is not known is not told. */
#include "milter/milter_private.h"

#include "base/arena.h"
#include "mail/id.h"

enum { MACROS_MAX = 40, VALUES_MAX = 64 * 1024 };

static const char *const usual[MILTER_STAGES] = {
    [MILTER_STAGE_CONNECT] =
        "j v _ {daemon_name} {client_addr} {client_name} {client_port} {client_ptr}",
    [MILTER_STAGE_HELO] = "{tls_version} {cipher} {cipher_bits}",
    [MILTER_STAGE_MAIL] =
        "i {auth_type} {auth_authen} {mail_addr} {mail_host} {mail_mailer}",
    [MILTER_STAGE_RCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    [MILTER_STAGE_DATA] = "i",
    [MILTER_STAGE_END_OF_MESSAGE] = "i",
    [MILTER_STAGE_EOH] = "i",
};

static bool stage_of(enum milter_command command, enum milter_macro_stage *out)
{
    static const struct { enum milter_command command; enum milter_macro_stage stage; } all[] = {
        { MILTER_CONNECT, MILTER_STAGE_CONNECT }, { MILTER_HELO, MILTER_STAGE_HELO },
        { MILTER_MAIL, MILTER_STAGE_MAIL },       { MILTER_RCPT, MILTER_STAGE_RCPT },
        { MILTER_DATA, MILTER_STAGE_DATA },       { MILTER_EOH, MILTER_STAGE_EOH },
        { MILTER_END_OF_BODY, MILTER_STAGE_END_OF_MESSAGE },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].command == command) {
            *out = all[i].stage;
            return true;
        }
    return false;
}

static struct slice mailer_of(const struct gate_question *q, struct slice address)
{
    if (address.len == 0)
        return address;
    return config_domain(q->config, envelope_domain(address)) != NULL ? SLICE("local")
                                                                      : SLICE("smtp");
}

/* Those that are numbers, or are put together. */
static void append_made(const struct gate_question *q, struct slice name, struct buffer *out)
{
    char id[MAIL_ID_CHARACTERS + 1];
    if (slice_equal(name, SLICE("i")) && q->id.value != 0)
        buffer_append_string(out, mail_id_text(q->id, id));
    else if (slice_equal(name, SLICE("{client_addr}")))
        net_literal_append(out, q->address);
    else if (slice_equal(name, SLICE("{client_port}")))
        buffer_append_number(out, net_address_port(q->address));
    else if (slice_equal(name, SLICE("{cipher_bits}")) && q->tls_bits > 0)
        buffer_append_number(out, q->tls_bits);
    else if (slice_equal(name, SLICE("_"))) {
        buffer_append(out, SLICE("unknown ["));
        net_literal_append(out, q->address);
        buffer_append_byte(out, ']');
    }
}

static struct slice value_of(const struct gate_question *q, struct slice name)
{
    struct slice sender = q->envelope == NULL ? slice_make(NULL, 0) : q->envelope->sender;
    const struct { const char *name; struct slice value; } all[] = {
        { "j", q->config->hostname },
        { "v", SLICE("godwit " GODWIT_VERSION) },
        { "{daemon_name}", q->is_submission ? SLICE("MSA") : SLICE("MTA") },
        { "{client_name}", SLICE("unknown") },
        { "{client_ptr}", SLICE("unknown") },
        { "{tls_version}", q->tls_version },
        { "{cipher}", q->tls_cipher },
        { "{auth_type}", q->mechanism },
        { "{auth_authen}", q->account },
        { "{mail_addr}", sender },
        { "{mail_host}", envelope_domain(sender) },
        { "{mail_mailer}", mailer_of(q, sender) },
        { "{rcpt_addr}", q->recipient },
        { "{rcpt_host}", envelope_domain(q->recipient) },
        { "{rcpt_mailer}", mailer_of(q, q->recipient) },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (slice_equal(name, slice_from_string(all[i].name)))
            return all[i].value;
    return slice_make(NULL, 0);
}

/* "client_addr" is meant as "{client_addr}". */
static struct slice with_braces(struct slice name, struct arena *arena)
{
    struct slice copy;
    char bytes[80];
    struct buffer b = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (name.len <= 1 || name.data[0] == '{')
        return name;
    buffer_append_byte(&b, '{');
    buffer_append(&b, name);
    buffer_append_byte(&b, '}');
    return !b.overflow && arena_copy(arena, buffer_slice(&b), &copy) ? copy : name;
}

static bool next_name(struct slice *rest, struct slice *out)
{
    do {
        if (rest->len == 0)
            return false;
        slice_split(rest, ' ', out);
        *out = slice_trim(*out);
    } while (out->len == 0);
    return true;
}

void macros_append(struct link *l, enum milter_command command, struct buffer *out)
{
    const struct gate_question *q = link_question(l);
    struct slice pairs[2 * MACROS_MAX];
    struct arena arena;
    struct buffer made;
    struct slice name;
    enum milter_macro_stage stage;
    size_t count = 0;
    if (q == NULL || !stage_of(command, &stage))
        return;
    struct slice names = l->has_names[stage] ? buffer_slice(&l->names[stage])
                                             : slice_from_string(usual[stage]);
    arena_init(&arena, VALUES_MAX);
    buffer_init(&made, VALUES_MAX);
    while (count < MACROS_MAX && next_name(&names, &name)) {
        struct slice known = with_braces(name, &arena);
        struct slice value = value_of(q, known);
        buffer_clear(&made);
        append_made(q, known, &made);
        if (buffer_len(&made) > 0 && !arena_copy(&arena, buffer_slice(&made), &value))
            break;
        if (value.len == 0)
            continue;
        pairs[2 * count] = known;
        pairs[2 * count + 1] = value;
        count++;
    }
    if (count > 0)
        milter_append_macros(out, command, pairs, count);
    buffer_free(&made);
    arena_free(&arena);
}
