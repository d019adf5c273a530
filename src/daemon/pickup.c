/* pickup.c: round after round, file after file, piece after piece.
 *
 * One file is under way at a time; each step leaves the loop's turn before the next, so
 * that a large one keeps nobody waiting.
 */
#include "daemon/pickup_private.h"

#include "accounts/accounts.h"
#include "log/log.h"
#include "wire/message/date.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREFIX_MAX = 4096 };

static struct moment now_of(const struct pickup *p)
{
    return loop_now(p->options.loop);
}

static void later(struct pickup *p)
{
    pickup_file_drop(p);
    pickup_forget_list(p);
    if (!p->draining && !p->stuck)
        timer_set(&p->timer, PICKUP_PERIOD_MS);
}

static void next_file(struct pickup *p)
{
    pickup_file_drop(p);
    loop_defer(p->options.loop, &p->next);
}

/* Received = "Received:" by-domain ID clause ";" date-time (RFC 5322 3.6.7; no "from":
 * it did not come over a network) */
static void append_received(const struct pickup *p, struct buffer *out)
{
    const struct pickup_file *f = &p->file;
    char id[MAIL_ID_CHARACTERS + 1];
    buffer_append(out, SLICE("Received: by "));
    buffer_append(out, p->config->hostname);
    buffer_append(out, SLICE(" (godwit, from the maildrop)\r\n\tid "));
    buffer_append_string(out, mail_id_text(f->writer->id, id));
    buffer_append(out, SLICE(";\r\n\t"));
    date_append(out, now_of(p).wall_ms, 0);
    buffer_append(out, SLICE("\r\n"));
}

static void tell(struct pickup *p, struct mail_id id)
{
    const struct pickup_file *f = &p->file;
    struct mail_event event = {
        .kind = MAIL_ACCEPTED, .at = now_of(p), .id = id,
        .peer = SLICE(MAILDROP_FOLDER), .sender = f->head.envelope.sender,
        .envelope = &f->head.envelope, .size = f->head.content_size,
    };
    event_emit(p->options.events, &event);
}

static void on_committed(void *context, enum err result, struct mail_id id)
{
    struct pickup *p = context;
    if (result != ERR_OK) {
        log_fault("maildrop", p->file.name, result);
        later(p);
        return;
    }
    tell(p, id);
    pickup_remove(p, p->file.name);
    next_file(p);
}

static void commit(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    const struct content_facts *facts = &f->decoder.facts;
    struct envelope said = f->head.envelope;
    struct buffer prefix;
    said.content_8bit = facts->has_8bit;
    said.body = facts->has_8bit ? MAIL_BODY_8BITMIME : MAIL_BODY_7BIT;
    if (accounts_expand(p->config, &said, &f->arena, &f->envelope) != ERR_OK) {
        log_fault("maildrop", f->name, ERR_MEMORY);
        later(p);
        return;
    }
    buffer_init(&prefix, PREFIX_MAX);
    append_received(p, &prefix);
    struct intake_commit commit = {
        .prefix = buffer_slice(&prefix), .envelope = &f->envelope,
        .received_wall_ms = now_of(p).wall_ms, .hold = p->config->queue.hold,
        .done = on_committed, .context = p,
    };
    p->phase = PICKUP_COMMITTING;
    intake_commit(&f->writer, &commit);
    buffer_free(&prefix);
}

/* False when the writer takes no more now; the phase says why. */
static bool write_piece(struct pickup *p, struct slice piece)
{
    switch (intake_write(p->file.writer, piece)) {
    case INTAKE_MORE:
        return true;
    case INTAKE_WAIT:
        p->phase = PICKUP_WAITING;
        return false;
    case INTAKE_FAILED:
        log_note(LOG_WARNING, "maildrop", "there is no room for a message");
        later(p);
        return false;
    }
    return false;
}

/* Decodes what was read; false when it has to stop. */
static bool write_input(struct pickup *p)
{
    struct slice piece;
    while (content_decode(&p->file.decoder, &p->file.input, &piece) == CONTENT_PIECE)
        if (!write_piece(p, piece))
            return false;
    return true;
}

static void finish(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    struct slice piece;
    while (content_decode_last(&f->decoder, &piece) == CONTENT_PIECE)
        if (intake_write(f->writer, piece) == INTAKE_FAILED) {
            later(p);
            return;
        }
    if (f->decoder.facts.has_nul) {
        pickup_put_aside(p, f->name, "holds a NUL");
        next_file(p);
    } else {
        commit(p);
    }
}

/* Reads and writes one piece; the timer goes on at the next turn. */
static void go_on(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    if (!write_input(p))
        return;
    if (f->offset == f->end) {
        finish(p);
        return;
    }
    uint64_t left = f->end - f->offset;
    size_t want = left < PICKUP_PIECE_BYTES ? (size_t)left : PICKUP_PIECE_BYTES;
    ssize_t got = pread(f->fd, f->piece, want, (off_t)f->offset);
    if (got <= 0) {
        log_fault("maildrop", f->name, got < 0 ? err_from_errno(errno) : ERR_CORRUPT);
        later(p);
        return;
    }
    f->offset += (uint64_t)got;
    f->input = slice_make(f->piece, (size_t)got);
    timer_set(&p->timer, 0);
}

static void on_resume(void *context)
{
    struct pickup *p = context;
    if (p->phase != PICKUP_WAITING)
        return;
    p->phase = PICKUP_READING;
    timer_set(&p->timer, 0);
}

static void begin_content(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    struct intake_begin begin = {
        .home = loop_home(p->options.loop), .resume = on_resume, .context = p,
        .size_hint = f->head.content_size, .is_ours = true,
    };
    f->piece = malloc(PICKUP_PIECE_BYTES);
    if (f->piece == NULL ||
        intake_begin(p->options.intake, &begin, &f->writer) != ERR_OK) {
        later(p);
        return;
    }
    content_decoder_init_bdat(&f->decoder, LINE_END_CONVERT);
    p->phase = PICKUP_READING;
    timer_set(&p->timer, 0);
}

void pickup_reported(struct pickup *p, enum err result)
{
    struct pickup_file *f = &p->file;
    if (result != ERR_OK) {
        log_fault("maildrop", f->name, result);
        later(p);
    } else if (f->head.envelope.recipients_count == 0) {
        pickup_remove(p, f->name);
        next_file(p);
    } else {
        begin_content(p);
    }
}

static void begin_file(struct pickup *p)
{
    struct pickup_file *f = &p->file;
    f->offset = f->head.len;
    f->end = f->head.len + f->head.content_size;
    if (f->unknown_count == 0 || f->head.envelope.sender.len == 0)
        pickup_reported(p, ERR_OK);
    else if (!pickup_report(p))
        later(p);
}

static void on_next(struct deferred *deferred)
{
    struct pickup *p = container_of(deferred, struct pickup, next);
    if (p->phase != PICKUP_IDLE || p->draining)
        return;
    if (p->stuck || p->names_at == p->names_count) {
        later(p);
        return;
    }
    switch (pickup_file_open(p, p->names[p->names_at++])) {
    case PICKUP_TAKEN:
        begin_file(p);
        return;
    case PICKUP_GONE:
        next_file(p);
        return;
    case PICKUP_LATER:
        later(p);
        return;
    }
}

static void on_timer(struct timer *timer)
{
    struct pickup *p = container_of(timer, struct pickup, timer);
    switch (p->phase) {
    case PICKUP_IDLE:
        if (p->draining)
            return;
        pickup_list(p);
        loop_defer(p->options.loop, &p->next);
        return;
    case PICKUP_READING:
        go_on(p);
        return;
    case PICKUP_WAITING:
    case PICKUP_REPORTING:
    case PICKUP_COMMITTING:
        return;
    }
}

static enum err open_folder(const struct config *config, int *out_fd)
{
    char *path = slice_to_string(config->data);
    if (path == NULL)
        return ERR_MEMORY;
    int above = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err error = above < 0 ? err_from_errno(errno) : ERR_OK;
    free(path);
    if (above < 0)
        return error;
    if (mkdirat(above, MAILDROP_FOLDER, 0700) != 0 && errno != EEXIST)
        error = err_from_errno(errno);
    int fd = error != ERR_OK ? -1
        : openat(above, MAILDROP_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (error == ERR_OK && fd < 0)
        error = errno == ENOTDIR || errno == ELOOP ? ERR_INVALID : err_from_errno(errno);
    close(above);
    if (error == ERR_OK)
        *out_fd = fd;
    return error;
}

enum err pickup_open(const struct pickup_options *options, const struct config *config,
                     struct pickup **out)
{
    struct pickup *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR_MEMORY;
    enum err error = open_folder(config, &p->folder);
    if (error != ERR_OK) {
        free(p);
        return error;
    }
    p->options = *options;
    p->config = config_hold(config);
    p->file.fd = -1;
    p->next.run = on_next;
    timer_init(&p->timer, options->loop, on_timer);
    timer_set(&p->timer, 0);
    *out = p;
    return ERR_OK;
}

void pickup_configure(struct pickup *p, const struct config *config)
{
    const struct config *before = p->config;
    p->config = config_hold(config);
    config_drop(&before);
}

void pickup_drain(struct pickup *p)
{
    p->draining = true;
    timer_clear(&p->timer);
    if (p->phase == PICKUP_READING || p->phase == PICKUP_WAITING)
        pickup_file_drop(p);
}

bool pickup_is_quiet(const struct pickup *p)
{
    return p->draining && p->phase == PICKUP_IDLE;
}

void pickup_close(struct pickup **pickup)
{
    struct pickup *p = *pickup;
    if (p == NULL)
        return;
    timer_clear(&p->timer);
    list_remove(&p->next.node);
    pickup_file_drop(p);
    pickup_forget_list(p);
    close(p->folder);
    config_drop(&p->config);
    free(p);
    *pickup = NULL;
}
