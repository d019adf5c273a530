/* attempt_maildir.c: final delivery into Maildirs, on a worker.
 *
 * Each recipient gets a copy of its own, with Return-Path (RFC 5321 4.4) and
 * Delivered-To (RFC 9228) on top. Files have LF line ends, as the programs that read
 * Maildirs expect; only what holds bare CR or LF stays as it came.
 */
#include "base/must.h"
#include "delivery/delivery_private.h"
#include "maildir/maildir.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct maildir_job {
    struct work work;
    struct delivery *delivery;
    struct attempt_run *run;
    struct delivery_routes *routes;
    const struct delivery_route *route;
    struct message_view *view;
    char *block;
    struct moment now;
};

/* Drops the CR of each CRLF, in place; *held says that a CR ended the piece before and
 * has not been written. Returns the new length; `to` may lie one byte before `from`. */
static size_t drop_cr(char *to, struct slice from, bool *held)
{
    size_t len = 0;
    for (size_t i = 0; i < from.len; i++) {
        if (*held && from.data[i] != '\n')
            to[len++] = '\r';
        *held = from.data[i] == '\r';
        if (!*held)
            to[len++] = from.data[i];
    }
    return len;
}

static enum err append_text(struct maildir_message *m, struct slice text, bool as_is)
{
    char lines[2048];
    bool held = false;
    if (as_is)
        return maildir_append(m, text);
    while (text.len > 0) {
        struct slice part = slice_part(text, 0, sizeof lines - 2);
        size_t len = drop_cr(lines, part, &held);
        enum err error = maildir_append(m, slice_make(lines, len));
        if (error != ERR_OK)
            return error;
        text = slice_from(text, part.len);
    }
    return ERR_OK;
}

static enum err append_trace(struct maildir_job *job, struct maildir_message *m,
                             struct slice address)
{
    struct buffer fields;
    buffer_init(&fields, 8192);
    buffer_append(&fields, SLICE("Return-Path: <"));
    buffer_append(&fields, job->view->envelope.sender);
    buffer_append(&fields, SLICE(">\r\nDelivered-To: "));
    buffer_append(&fields, address);
    buffer_append(&fields, SLICE("\r\n"));
    bool as_is = job->view->envelope.content_binary;
    enum err error = fields.overflow ? ERR_MEMORY
                                     : append_text(m, buffer_slice(&fields), as_is);
    if (error == ERR_OK)
        error = append_text(m, job->view->prefix, as_is);
    buffer_free(&fields);
    return error;
}

static enum err append_content(struct maildir_job *job, struct maildir_message *m)
{
    bool as_is = job->view->envelope.content_binary;
    bool held = false;
    uint64_t offset = 0;
    while (offset < job->view->content_size) {
        size_t len;
        char *from = job->block + 1; /* room for a CR held back from before */
        enum err error = message_read(job->view, offset, from, BLOCK_BYTES, &len);
        if (error == ERR_OK && len == 0)
            error = ERR_CORRUPT;
        if (error != ERR_OK)
            return error;
        offset += len;
        struct slice piece = slice_make(from, len);
        if (!as_is)
            piece = slice_make(job->block, drop_cr(job->block, piece, &held));
        error = maildir_append(m, piece);
        if (error != ERR_OK)
            return error;
    }
    return held ? maildir_append(m, SLICE("\r")) : ERR_OK;
}

static enum err write_message(struct maildir_job *job, struct maildir *maildir,
                              struct slice address)
{
    struct maildir_message *m;
    struct delivery *d = job->delivery;
    enum err error = maildir_create(maildir, d->options.hostname, job->now, &m);
    if (error != ERR_OK)
        return error;
    error = append_trace(job, m, address);
    if (error == ERR_OK)
        error = append_content(job, m);
    if (error != ERR_OK) {
        maildir_abort(&m);
        return error;
    }
    return maildir_commit(&m);
}

static struct outcome outcome_of(enum err error)
{
    switch (error) {
    case ERR_OK:
        return (struct outcome){ .kind = OUTCOME_DELIVERED, .status = { 2, 0, 0 },
                                 .text = SLICE("delivered to the mailbox") };
    case ERR_INVALID:
        return outcome_local(OUTCOME_FAILED, 1, 1, "this cannot be a mailbox's name");
    case ERR_FULL:
        return outcome_local(OUTCOME_DEFERRED, 3, 1, "no space for the mailbox");
    case ERR_DENIED:
        return outcome_local(OUTCOME_DEFERRED, 2, 0, "the mailbox may not be written");
    case ERR_ABSENT:
        return outcome_local(OUTCOME_DEFERRED, 2, 0, "the mailboxes' folder is missing");
    case ERR_MEMORY:
    case ERR_BUSY:
    case ERR_IO:
    case ERR_EXISTS:
    case ERR_CORRUPT:
    case ERR_VERSION:
    case ERR_TIMEOUT:
    case ERR_CLOSED:
    case ERR_DESCRIPTORS:
        break;
    }
    return outcome_local(OUTCOME_DEFERRED, 2, 0, "the mailbox cannot be written now");
}

static struct outcome deliver(struct maildir_job *job, struct slice address,
                              struct buffer *path)
{
    struct maildir *maildir = NULL;
    struct maildir_quota quota = { job->route->quota_bytes, job->route->quota_messages };
    uint64_t size = job->view->prefix.len + job->view->content_size;
    bool fits = true;
    enum err error = maildir_open_of(job->route->path, address, MAILDIR_MAKE, path,
                                     &maildir);
    if (error == ERR_OK)
        error = maildir_fits(maildir, &quota, size, job->now, &fits);
    if (error == ERR_OK && fits)
        error = write_message(job, maildir, address);
    if (error == ERR_OK && fits)
        maildir_account(maildir, &quota, size); /* at worst it is counted again later */
    maildir_close(&maildir);
    if (error == ERR_OK && !fits)
        return outcome_local(OUTCOME_DEFERRED, 2, 2, "the mailbox is full");
    return outcome_of(error);
}

/* The paths follow one another in the texts, so their lengths tell their places once
 * the texts lie still. */
static void deliver_all(struct maildir_job *job)
{
    struct attempt_run *run = job->run;
    size_t addresses_at = run_keep_addresses(run, job->view);
    size_t at = buffer_len(&run->texts);
    struct buffer path;
    buffer_init(&path, 4096);
    for (size_t i = 0; i < run->recipients_count; i++) {
        uint32_t index = run->recipients[i].index;
        must(index < job->view->envelope.recipients_count);
        buffer_clear(&path);
        run->recipients[i].outcome =
            deliver(job, job->view->envelope.recipients[index].address, &path);
        size_t before = buffer_len(&run->texts);
        run_keep_text(run, buffer_slice(&path));
        run->recipients[i].outcome.remote.len = buffer_len(&run->texts) - before;
    }
    buffer_free(&path);
    run_point_addresses(run, job->view, addresses_at);
    for (size_t i = 0; i < run->recipients_count; i++) {
        struct slice *remote = &run->recipients[i].outcome.remote;
        *remote = slice_part(buffer_slice(&run->texts), at, remote->len);
        at += remote->len;
    }
}

static void work_run(struct work *work)
{
    struct maildir_job *job = container_of(work, struct maildir_job, work);
    enum err error =
        message_open(job->delivery->options.source, job->run->id, &job->view);
    job->block = malloc(BLOCK_BYTES + 1);
    job->now = moment_now();
    if (error == ERR_OK && job->block == NULL)
        error = ERR_MEMORY;
    if (error == ERR_OK) {
        deliver_all(job);
    } else {
        struct outcome failure = outcome_unreadable(error);
        run_decide_all(job->run, &failure);
    }
    free(job->block);
    message_close(&job->view);
}

/* On the home of the job's owner: nothing is left to do but to tell. */
static void work_done(struct work *work)
{
    struct maildir_job *job = container_of(work, struct maildir_job, work);
    struct attempt_run *run = job->run;
    delivery_routes_drop(&job->routes);
    free(job);
    run->done(run);
}

void attempt_maildir_start(struct delivery *d, struct attempt_run *run,
                           struct delivery_routes *routes,
                           const struct delivery_route *route)
{
    struct maildir_job *job = calloc(1, sizeof *job);
    if (job != NULL) {
        job->work.home = run->home;
        job->work.run = work_run;
        job->work.done = work_done;
        job->delivery = d;
        job->run = run;
        job->routes = routes;
        job->route = route;
        if (workers_submit(d->options.workers, &job->work))
            return;
    }
    struct outcome busy =
        outcome_local(OUTCOME_DEFERRED, 3, 2, "too many deliveries to mailboxes at once");
    run_decide_all(run, &busy);
    delivery_routes_drop(&routes);
    free(job);
    run_finish(run);
}
