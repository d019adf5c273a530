/* fake_intake.h: an intake that keeps what it was given, and fails where it is told to;
 * and a home whose tasks run when somebody says so. For tests and fuzzers alone. */
#ifndef GODWIT_SEAL_FAKE_INTAKE_H
#define GODWIT_SEAL_FAKE_INTAKE_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/must.h"
#include "mail/intake.h"

enum { FAKE_INTAKE_MAX = 4 * 1024 * 1024 };

struct fake_intake {
    struct intake base;
    struct home home;
    struct intake_writer writer;
    struct task *tasks;          /* the newest first */
    struct task done;
    /* what was asked of it */
    struct intake_begin begin;
    struct buffer content;
    struct buffer message;       /* prefix and content, of the last commit */
    struct intake_commit commit;
    unsigned begins, rewinds, commits, aborts;
    /* what it answers */
    enum err begin_result;
    enum intake_flow flow;
    enum err commit_result;
    /* what the caller was told */
    unsigned told;
    enum err told_result;
    struct mail_id told_id;
};

static inline void fake_intake_post(struct home *home, struct task *first, struct task *last)
{
    struct fake_intake *f = container_of(home, struct fake_intake, home);
    last->next = f->tasks;
    f->tasks = first;
}

static inline void fake_intake_run(struct fake_intake *f)
{
    while (f->tasks != NULL) {
        struct task *task = f->tasks;
        f->tasks = task->next;
        task->run(task);
    }
}

static inline enum intake_flow fake_intake_write(struct intake_writer *writer,
                                                 struct slice bytes)
{
    struct fake_intake *f = container_of(writer, struct fake_intake, writer);
    if (f->flow != INTAKE_FAILED)
        buffer_append(&f->content, bytes);
    return f->flow;
}

static inline void fake_intake_rewind(struct intake_writer *writer)
{
    struct fake_intake *f = container_of(writer, struct fake_intake, writer);
    f->rewinds++;
    buffer_clear(&f->content);
}

static inline void fake_intake_run_done(struct task *task)
{
    struct fake_intake *f = container_of(task, struct fake_intake, done);
    f->commit.done(f->commit.context, f->commit_result, f->writer.id);
}

static inline void fake_intake_commit(struct intake_writer **writer,
                                      const struct intake_commit *commit)
{
    struct fake_intake *f = container_of(*writer, struct fake_intake, writer);
    *writer = NULL;
    f->commits++;
    f->commit = *commit;
    buffer_clear(&f->message);
    buffer_append(&f->message, commit->prefix);
    buffer_append(&f->message, buffer_slice(&f->content));
    f->done.run = fake_intake_run_done;
    home_post(&f->home, &f->done);
}

static inline void fake_intake_abort(struct intake_writer **writer)
{
    struct fake_intake *f = container_of(*writer, struct fake_intake, writer);
    *writer = NULL;
    f->aborts++;
}

static inline enum err fake_intake_begin(struct intake *intake,
                                         const struct intake_begin *begin,
                                         struct intake_writer **out)
{
    static const struct intake_writer_ops ops = {
        .write = fake_intake_write, .rewind = fake_intake_rewind,
        .commit = fake_intake_commit, .abort = fake_intake_abort,
    };
    struct fake_intake *f = container_of(intake, struct fake_intake, base);
    if (f->begin_result != ERR_OK)
        return f->begin_result;
    f->begins++;
    f->begin = *begin;
    f->writer = (struct intake_writer){ .ops = &ops, .id = { .value = 4711 } };
    buffer_clear(&f->content);
    *out = &f->writer;
    return ERR_OK;
}

/* As the `done` of a commit; the context is the fake. */
static inline void fake_intake_told(void *context, enum err result, struct mail_id id)
{
    struct fake_intake *f = context;
    f->told++;
    f->told_result = result;
    f->told_id = id;
}

static inline void fake_intake_open(struct fake_intake *f)
{
    static const struct intake_ops ops = { .begin = fake_intake_begin };
    *f = (struct fake_intake){ .base.ops = &ops, .home.post = fake_intake_post,
                               .flow = INTAKE_MORE };
    buffer_init(&f->content, FAKE_INTAKE_MAX);
    buffer_init(&f->message, FAKE_INTAKE_MAX);
}

static inline void fake_intake_close(struct fake_intake *f)
{
    must(f->tasks == NULL);
    buffer_free(&f->content);
    buffer_free(&f->message);
}

#endif
