/* engine_reader.c: reports of others on their way to the reader, and what it makes of them
 * on its way to the store.
 *
 * The mail itself goes its usual way; what becomes of its report is told in the log. A
 * worker copies the message into memory that has a descriptor; the queue's thread asks and
 * is answered.
 */
#include "daemon/engine_private.h"

#include "daemon/packet.h"
#include "daemon/reader.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ASKED_MAX = 100, PATIENCE_MS = (READER_SECONDS * ASKED_MAX + 10) * 1000,
       BLOCK_BYTES = 64 * 1024, ANSWER_MAX = 64 * 1024 * 1024 };

/* One message that is read. */
struct reading {
    struct work work;
    struct list_node node;
    struct engine_reader *reader;
    struct message_view *view;
    struct mail_id id;
    int in;                      /* the message, or -1 */
    int out;                     /* what is made of it, or -1 */
};

struct engine_reader {
    struct spool_sink sink;      /* sees what arrives, and passes all on to the queue */
    struct spool_sink *next;
    struct engine *engine;
    struct watch watch;
    struct list asked;           /* on the queue's thread */
    pthread_mutex_t mutex;
    const struct config *config; /* under the mutex: of any thread */
    atomic_uint under_way;
};

static void reading_free(struct reading *r)
{
    atomic_fetch_sub(&r->reader->under_way, 1);
    message_close(&r->view);
    list_remove(&r->node);
    if (r->in >= 0)
        close(r->in);
    if (r->out >= 0)
        close(r->out);
    free(r);
}

static void tell(const struct reading *r, const char *event, struct slice text)
{
    struct log_line line;
    char id[MAIL_ID_CHARACTERS + 1];
    log_begin(&line, LOG_INFO, event);
    log_string(&line, "id", mail_id_text(r->id, id));
    log_text(&line, "text", text);
    log_end(&line);
}

static void give_up(struct reading *r, const char *why)
{
    tell(r, "report-unread", slice_from_string(why));
    reading_free(r);
}

/* ---- the answer ---- */

static bool load(int fd, struct buffer *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size <= 0 || status.st_size > ANSWER_MAX)
        return false;
    char *room = buffer_reserve(out, (size_t)status.st_size);
    ssize_t got = room == NULL ? -1 : pread(fd, room, (size_t)status.st_size, 0);
    buffer_added(out, got < 0 ? 0 : (size_t)got);
    return got == status.st_size;
}

static void take_answer(struct engine_reader *reader, struct reading *r, bool is_good)
{
    struct buffer text;
    buffer_init(&text, ANSWER_MAX);
    bool loaded = load(r->out, &text);
    if (loaded && is_good && reader->engine->reports != NULL) {
        reports_receive(reader->engine->reports, &text, loop_now(reader->watch.loop).wall_ms);
        tell(r, "report-read", SLICE("kept"));
        reading_free(r);
    } else {
        tell(r, "report-unread", loaded ? slice_part(buffer_slice(&text), 0, 300)
                                        : SLICE("the reader wrote nothing"));
        reading_free(r);
    }
    buffer_free(&text);
}

/* The number, then '+' or '-'. */
static struct reading *find(struct engine_reader *reader, struct slice words)
{
    struct mail_id id;
    if (words.len < 2 || !mail_id_parse(slice_part(words, 0, words.len - 1), &id))
        return NULL;
    for (struct list_node *n = list_first(&reader->asked); n != NULL;
         n = list_next(&reader->asked, n)) {
        struct reading *r = container_of(n, struct reading, node);
        if (mail_id_equal(r->id, id))
            return r;
    }
    return NULL;
}

static void on_readable(struct watch *watch)
{
    struct engine_reader *reader = container_of(watch, struct engine_reader, watch);
    char words[64];
    struct packet packet = { .words = words, .size = sizeof words, .most = 0 };
    ssize_t len = packet_receive(watch->fd, MSG_DONTWAIT, &packet);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        watch_close(watch); /* the supervisor has gone, and so shall we */
        return;
    }
    struct slice said = slice_make(words, (size_t)len);
    struct reading *r = find(reader, said);
    /* One that died over a message answers those behind it: what stands before was its end. */
    while (r != NULL && list_first(&reader->asked) != &r->node)
        give_up(container_of(list_first(&reader->asked), struct reading, node),
                "the reader ended over it");
    if (r != NULL)
        take_answer(reader, r, said.data[said.len - 1] == '+');
}

/* ---- the question ---- */

static bool copy(struct reading *r)
{
    uint64_t at = 0;
    char *block = malloc(BLOCK_BYTES);
    bool good = block != NULL;
    r->in = memfd_create("report", MFD_CLOEXEC);
    r->out = memfd_create("answer", MFD_CLOEXEC);
    good = good && r->in >= 0 && r->out >= 0;
    while (good && at < r->view->content_size) {
        size_t len = 0;
        good = message_read(r->view, at, block, BLOCK_BYTES, &len) == ERR_OK && len > 0 &&
               pwrite(r->in, block, len, (off_t)at) == (ssize_t)len;
        at += len;
    }
    free(block);
    return good;
}

static void run_copy(struct work *work)
{
    struct reading *r = container_of(work, struct reading, work);
    if (!copy(r) && r->in >= 0) {
        close(r->in);
        r->in = -1;
    }
    message_close(&r->view);
}

static void on_copied(struct work *work)
{
    struct reading *r = container_of(work, struct reading, work);
    struct engine_reader *reader = r->reader;
    char id[MAIL_ID_CHARACTERS + 1];
    const int fds[2] = { r->in, r->out };
    if (r->in < 0) {
        give_up(r, "it cannot be copied");
        return;
    }
    list_append(&reader->asked, &r->node);
    if (!packet_send(reader->watch.fd, slice_from_string(mail_id_text(r->id, id)), fds, 2))
        give_up(r, "the reader takes nothing now");
}

static bool is_wanted(struct engine_reader *reader, const struct spool_arrival *arrival)
{
    bool wanted = false;
    pthread_mutex_lock(&reader->mutex);
    const struct config_slices *all = &reader->config->reports.receive;
    for (size_t i = 0; i < all->count && !wanted; i++)
        for (size_t n = 0; n < arrival->recipients_count && !wanted; n++)
            wanted = slice_equal_nocase(all->all[i], arrival->recipients[n].address);
    pthread_mutex_unlock(&reader->mutex);
    return wanted;
}

static void begin(struct engine_reader *reader, struct mail_id id)
{
    struct engine *e = reader->engine;
    struct reading *r = NULL;
    if (atomic_fetch_add(&reader->under_way, 1) < ASKED_MAX)
        r = calloc(1, sizeof *r);
    if (r == NULL) {
        atomic_fetch_sub(&reader->under_way, 1);
        log_note(LOG_WARNING, "report-unread", "too many wait");
        return;
    }
    *r = (struct reading){ .reader = reader, .id = id, .in = -1, .out = -1,
                           .work = { .home = loop_home(e->queue_loop.loop), .run = run_copy,
                                     .done = on_copied } };
    if (message_open(spool_source(e->spool), id, &r->view) != ERR_OK ||
        r->view->content_size > READER_MESSAGE_MAX)
        give_up(r, "it cannot be opened, or is too large");
    else if (!workers_submit(e->workers, &r->work))
        give_up(r, "too much waits for the workers");
}

/* On the queue's thread, which has not heard of the message: it is held before anybody can
 * be done with it. What a start finds again, while the spool is being opened, was asked
 * about before. */
static void on_arrived(struct spool_sink *sink, struct spool_arrival *arrival)
{
    struct engine_reader *reader = container_of(sink, struct engine_reader, sink);
    if (reader->engine->spool != NULL && is_wanted(reader, arrival))
        begin(reader, arrival->id);
    reader->next->arrived(reader->next, arrival);
}

static bool on_reserve(struct spool_sink *sink, size_t recipients)
{
    struct engine_reader *reader = container_of(sink, struct engine_reader, sink);
    return reader->next->reserve(reader->next, recipients);
}

static void on_release(struct spool_sink *sink, size_t recipients)
{
    struct engine_reader *reader = container_of(sink, struct engine_reader, sink);
    reader->next->release(reader->next, recipients);
}

struct spool_sink *engine_reader_open(struct engine *e, int socket, struct spool_sink *next)
{
    struct engine_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return NULL;
    *reader = (struct engine_reader){
        .sink = { .home = next->home, .arrived = on_arrived, .reserve = on_reserve,
                  .release = on_release },
        .next = next, .engine = e, .config = config_hold(e->config),
    };
    list_init(&reader->asked);
    pthread_mutex_init(&reader->mutex, NULL);
    watch_init(&reader->watch, e->queue_loop.loop, socket, on_readable, NULL);
    if (watch_read(&reader->watch, true) != ERR_OK)
        log_note(LOG_WARNING, "report-unread", "the reader cannot be heard");
    e->reader = reader;
    return &reader->sink;
}

void engine_reader_configure(struct engine_reader *reader, const struct config *config)
{
    pthread_mutex_lock(&reader->mutex);
    const struct config *before = reader->config;
    reader->config = config_hold(config);
    pthread_mutex_unlock(&reader->mutex);
    config_drop(&before);
}

void engine_reader_close(struct engine_reader **place)
{
    struct engine_reader *reader = *place;
    struct list_node *node;
    *place = NULL;
    if (reader == NULL)
        return;
    watch_close(&reader->watch);
    while ((node = list_first(&reader->asked)) != NULL)
        reading_free(container_of(node, struct reading, node));
    config_drop(&reader->config);
    pthread_mutex_destroy(&reader->mutex);
    free(reader);
}
