/* extension.c: the lines of the reply to EHLO. Pure.
 *
 * RFC 5321 4.1.1.1, RFC 1870 section 4, RFC 9422 section 3, RFC 4954 3. Keywords match in any
 * case. Whatever is not understood is skipped: a server may say anything here.
 */
#include "smtp/client/extension.h"

struct keyword {
    struct slice name;
    uint32_t extension;
};

static const struct keyword keywords[] = {
    { SLICE_INIT("PIPELINING"), SMTP_EXTENSION_PIPELINING },
    { SLICE_INIT("SIZE"), SMTP_EXTENSION_SIZE },
    { SLICE_INIT("8BITMIME"), SMTP_EXTENSION_8BITMIME },
    { SLICE_INIT("SMTPUTF8"), SMTP_EXTENSION_SMTPUTF8 },
    { SLICE_INIT("CHUNKING"), SMTP_EXTENSION_CHUNKING },
    { SLICE_INIT("BINARYMIME"), SMTP_EXTENSION_BINARYMIME },
    { SLICE_INIT("DSN"), SMTP_EXTENSION_DSN },
    { SLICE_INIT("ENHANCEDSTATUSCODES"), SMTP_EXTENSION_ENHANCED_STATUS },
    { SLICE_INIT("LIMITS"), SMTP_EXTENSION_LIMITS },
    { SLICE_INIT("STARTTLS"), SMTP_EXTENSION_STARTTLS },
    { SLICE_INIT("AUTH"), SMTP_EXTENSION_AUTH },
    { SLICE_INIT("MT-PRIORITY"), SMTP_EXTENSION_MT_PRIORITY },
    { SLICE_INIT("REQUIRETLS"), SMTP_EXTENSION_REQUIRETLS },
    { SLICE_INIT("DELIVERBY"), SMTP_EXTENSION_DELIVERBY },
};

static const struct keyword mechanisms[] = {
    { SLICE_INIT("SCRAM-SHA-256"), SMTP_AUTH_SCRAM_SHA_256 },
    { SLICE_INIT("SCRAM-SHA-1"), SMTP_AUTH_SCRAM_SHA_1 },
    { SLICE_INIT("PLAIN"), SMTP_AUTH_PLAIN },
    { SLICE_INIT("LOGIN"), SMTP_AUTH_LOGIN },
    { SLICE_INIT("OAUTHBEARER"), SMTP_AUTH_OAUTHBEARER },
    { SLICE_INIT("XOAUTH2"), SMTP_AUTH_XOAUTH2 },
};

static uint32_t find(const struct keyword *among, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(among[i].name, name))
            return among[i].extension;
    return 0;
}

static uint32_t keyword_find(struct slice name)
{
    return find(keywords, sizeof keywords / sizeof *keywords, name);
}

/* size-value = 1*20DIGIT, where 0 states no limit (RFC 1870 section 4) */
static void read_size(struct slice value, struct smtp_extensions *e)
{
    uint64_t size;
    if (slice_to_number(value, UINT64_MAX, &size))
        e->size_max = size;
}

/* deliverby-param = min-by-time *( "," extension-token ) (RFC 2852 2) */
static void read_by(struct slice value, struct smtp_extensions *e)
{
    struct slice least;
    uint64_t seconds;
    if (slice_split(&value, ',', &least) && slice_to_number(least, 999999999, &seconds))
        e->by_min_s = (uint32_t)seconds;
}

/* limits-value = *(WSP limit-name "=" limit-value) (RFC 9422 section 3);
 * RCPTMAX and MAILMAX are %x31-39 0*5DIGIT */
static void read_limits(struct slice value, struct smtp_extensions *e)
{
    struct slice limit;
    while (slice_split(&value, ' ', &limit)) {
        struct slice name;
        uint64_t number;
        if (!slice_split(&limit, '=', &name) || limit.len == 0 ||
            !slice_to_number(limit, 999999, &number))
            continue;
        if (slice_equal_nocase(name, SLICE("RCPTMAX")))
            e->recipients_max = (uint32_t)number;
        else if (slice_equal_nocase(name, SLICE("MAILMAX")))
            e->mails_max = (uint32_t)number;
    }
}

/* mechanisms = sasl-mech *( SP sasl-mech ) (RFC 4954 3) */
static void read_mechanisms(struct slice value, struct smtp_extensions *e)
{
    struct slice name;
    while (slice_split(&value, ' ', &name))
        e->auth |= find(mechanisms, sizeof mechanisms / sizeof *mechanisms, name);
}

/* ehlo-line = ehlo-keyword *( SP ehlo-param ) */
static void read_line(struct slice line, struct smtp_extensions *e)
{
    struct slice name;
    line = slice_trim(line);
    if (!slice_split(&line, ' ', &name))
        return;
    uint32_t extension = keyword_find(name);
    e->offered |= extension;
    if (extension == SMTP_EXTENSION_SIZE)
        read_size(slice_trim(line), e);
    else if (extension == SMTP_EXTENSION_LIMITS)
        read_limits(line, e);
    else if (extension == SMTP_EXTENSION_DELIVERBY)
        read_by(slice_trim(line), e);
    else if (extension == SMTP_EXTENSION_AUTH)
        read_mechanisms(line, e);
}

struct smtp_extensions smtp_extensions_read(struct slice text)
{
    struct smtp_extensions e = { 0 };
    struct slice line;
    slice_split(&text, '\n', &line);
    while (slice_split(&text, '\n', &line))
        read_line(line, &e);
    return e;
}
