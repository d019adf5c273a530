/* pickup_report.c: no server refused these recipients while the program waited, so the
 * sender is written to (RFC 5321 6.1, RFC 3464), never about a message without one. */
#include "daemon/pickup_private.h"

#include "log/log.h"
#include "wire/message/header.h"
#include "wire/report/dsn.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    ORIGINAL_MAX = 64 * 1024,
    RECIPIENT_BYTES = 8 * 1024,   /* of a report, for each that it names */
    REPORT_FIXED = 64 * 1024,
    NAMES_MAX = 1024,
};

static void on_resume(void *context)
{
    (void)context; /* a report is written at once */
}

static void on_committed(void *context, enum err result, struct mail_id id)
{
    struct pickup *p = context;
    (void)id;
    pickup_reported(p, result);
}

/* The header of the message in the file, as far as it fits. */
static void read_original(const struct pickup_file *f, struct buffer *out)
{
    uint64_t left = f->end - f->offset;
    char *room = buffer_reserve(out, ORIGINAL_MAX);
    ssize_t got = room == NULL ? 0
        : pread(f->fd, room, left < ORIGINAL_MAX ? left : ORIGINAL_MAX, (off_t)f->offset);
    if (got > 0)
        buffer_added(out, (size_t)got);
    struct header_scan scan;
    struct slice rest = buffer_slice(out);
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &rest);
    buffer_truncate(out, buffer_len(out) - rest.len);
}

static bool fill_recipients(struct pickup *p, struct dsn *dsn)
{
    struct pickup_file *f = &p->file;
    size_t owed = 0;
    struct dsn_recipient *list = arena_alloc_many(&f->arena, f->unknown_count, sizeof *list);
    for (size_t i = 0; list != NULL && i < f->unknown_count; i++) {
        uint8_t notify = f->unknown[i].notify;
        if (notify != 0 && (notify & DSN_NOTIFY_FAILURE) == 0)
            continue;
        list[owed++] = (struct dsn_recipient){
            .action = DSN_FAILED, .address = f->unknown[i].address, .status = { 5, 1, 1 },
            .code = 550, .text = SLICE("There is no such user here"),
        };
    }
    dsn->recipients = list;
    dsn->recipients_count = owed;
    return list != NULL;
}

static void append_random(struct buffer *out)
{
    unsigned char random[12] = { 0 };
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        log_note(LOG_WARNING, "maildrop", "the kernel gave no random bytes");
    for (size_t i = 0; i < sizeof random; i++)
        buffer_append_format(out, "%02x", random[i]);
}

static void commit(struct pickup *p, const struct dsn *dsn, struct slice content)
{
    struct pickup_file *f = &p->file;
    struct envelope_recipient to = { .address = f->head.envelope.sender,
                                     .notify = DSN_NOTIFY_NEVER };
    struct envelope envelope = {
        .recipients = &to, .recipients_count = 1, .is_report = true,
        .body = dsn_is_8bit(dsn) ? MAIL_BODY_8BITMIME : MAIL_BODY_7BIT,
        .content_8bit = dsn_is_8bit(dsn), .smtputf8 = dsn_needs_smtputf8(dsn),
    };
    struct intake_commit commit = {
        .envelope = &envelope, .received_wall_ms = loop_now(p->options.loop).wall_ms,
        .done = on_committed, .context = p,
    };
    intake_write(f->writer, content); /* what fails here is told by the commit */
    p->phase = PICKUP_REPORTING;
    intake_commit(&f->writer, &commit);
}

/* What the report says; its texts lie in `names`. */
static struct dsn describe(struct pickup *p, struct buffer *names, bool is_8bit)
{
    append_random(names);
    size_t boundary_len = buffer_len(names);
    append_random(names);
    buffer_append_byte(names, '@');
    buffer_append(names, p->config->hostname);
    struct slice all = buffer_slice(names);
    return (struct dsn){
        .host = p->config->hostname, .sender = p->file.head.envelope.sender,
        .boundary = slice_part(all, 0, boundary_len),
        .message_id = slice_from(all, boundary_len),
        .wall_ms = loop_now(p->options.loop).wall_ms,
        .envid = p->file.head.envelope.envid,
        .original = DSN_ORIGINAL_HEADER, .original_is_8bit = is_8bit,
        .original_is_utf8 = p->file.head.envelope.smtputf8,
    };
}

static bool has_8bit(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.data[i] & 0x80u) != 0)
            return true;
    return false;
}

bool pickup_report(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    struct buffer original;
    struct buffer names;
    struct buffer out;
    struct intake_begin begin = { .home = loop_home(p->options.loop), .resume = on_resume,
                                  .context = p, .is_ours = true };
    buffer_init(&original, ORIGINAL_MAX);
    buffer_init(&names, NAMES_MAX);
    buffer_init(&out, REPORT_FIXED + 2 * ORIGINAL_MAX + f->unknown_count * RECIPIENT_BYTES);
    read_original(f, &original);
    struct dsn dsn = describe(p, &names, has_8bit(buffer_slice(&original)));
    bool done = fill_recipients(p, &dsn);
    bool is_owed = done && dsn.recipients_count > 0;
    if (is_owed) {
        dsn_append_head(&out, &dsn);
        buffer_append(&out, buffer_slice(&original));
        dsn_append_tail(&out, &dsn);
        done = !out.overflow &&
               intake_begin(p->options.intake, &begin, &f->writer) == ERR_OK;
    }
    if (is_owed && done)
        commit(p, &dsn, buffer_slice(&out));
    buffer_free(&original);
    buffer_free(&names);
    buffer_free(&out);
    if (done && !is_owed)
        pickup_reported(p, ERR_OK);
    return done;
}
