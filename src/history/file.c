/* file.c: the events as lines of JSON, for whoever reads the file.
 *
 * How far it is given is kept in the tables, after it was written: what was written just
 * before an end without notice is written again. Opened each time, so that it can be moved
 * away; a line that such an end has cut is ended.
 */
#include "history/history_private.h"

#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 1000, LINE_MAX_BYTES = 1024 * 1024 };

static bool write_whole(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t done = write(fd, s.data, s.len);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0)
            s = slice_from(s, (size_t)done);
    }
    return true;
}

static bool end_cut_line(int fd)
{
    char last = '\n';
    off_t end = lseek(fd, 0, SEEK_END);
    if (end > 0 && pread(fd, &last, 1, end - 1) != 1)
        return false;
    return last == '\n' || write_whole(fd, SLICE("\n"));
}

static bool append_to(const char *path, const json_t *list)
{
    struct buffer lines;
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        return false;
    buffer_init(&lines, (size_t)BATCH * LINE_MAX_BYTES);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *line = json_dumps(json_array_get(list, i), JSON_COMPACT);
        if (line != NULL) {
            buffer_append_string(&lines, line);
            buffer_append_byte(&lines, '\n');
        }
        free(line);
    }
    bool good = !lines.overflow && end_cut_line(fd) && write_whole(fd, buffer_slice(&lines));
    good = close(fd) == 0 && good;
    buffer_free(&lines);
    return good;
}

static bool note_shown(struct store *store, uint64_t shown)
{
    sqlite3_stmt *s = store_statement(store, "UPDATE history_state SET shown = ?1");
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)shown);
    return store_step(s);
}

static bool run_show(struct store_job *job, struct store *store)
{
    struct history *h = container_of(job, struct history, show);
    uint64_t shown = 0;
    pthread_mutex_lock(&h->path_lock);
    char *path = h->path == NULL ? NULL : strdup(h->path);
    pthread_mutex_unlock(&h->path_lock);
    json_t *list = json_array();
    bool good = path != NULL &&
                rows_number(store, "SELECT shown FROM history_state", &shown) &&
                rows_after(store, shown, BATCH, list, &shown);
    h->show_more = false;
    if (good && json_array_size(list) > 0) {
        good = append_to(path, list);
        h->show_more = good && json_array_size(list) == BATCH;
        if (!good)
            log_fault("events", path, err_from_errno(errno));
        else
            good = note_shown(store, shown);
    }
    json_decref(list);
    free(path);
    return good;
}

static void on_shown(struct store_job *job)
{
    struct history *h = container_of(job, struct history, show);
    h->is_showing = false;
    if (h->show_more)
        history_show(h);
}

void history_show(struct history *h)
{
    if (h->path == NULL || h->is_showing || h->is_stopped)
        return;
    h->show = (struct store_job){ .home = loop_home(h->options.loop), .run = run_show,
                                  .done = on_shown };
    h->is_showing = store_post(h->options.store, &h->show);
}

bool history_show_to(struct history *h, struct slice path)
{
    char *text = path.len == 0 ? NULL : slice_to_string(path);
    if (path.len > 0 && text == NULL)
        return false;
    pthread_mutex_lock(&h->path_lock);
    free(h->path);
    h->path = text;
    pthread_mutex_unlock(&h->path_lock);
    return true;
}
