/* windows.c: a table of sums, and a list of its entries by last use. */
#include "policy/windows.h"

#include "base/list.h"
#include "base/must.h"
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>

struct user {
    struct table_entry entry;
    struct list_node node;      /* by last use, oldest first */
    int64_t window;             /* its number: time divided by the length */
    int64_t window_ms;          /* that length: another one begins anew */
    struct windows_sums now;
    struct windows_sums before;
    char key[];
};

struct windows {
    pthread_mutex_t mutex;
    struct table users;
    struct list used;
    size_t keys_max;
};

static void drop(struct windows *w, struct user *u)
{
    table_remove(&w->users, &u->entry);
    list_remove(&u->node);
    free(u);
}

static struct user *make(struct windows *w, struct slice key)
{
    struct user *u = calloc(1, sizeof *u + key.len);
    if (u == NULL)
        return NULL;
    memcpy(u->key, key.data, key.len);
    if (!table_insert(&w->users, &u->entry, slice_make(u->key, key.len))) {
        free(u);
        return NULL;
    }
    list_append(&w->used, &u->node);
    return u;
}

static struct user *find_or_make(struct windows *w, struct slice key)
{
    struct table_entry *e = table_find(&w->users, key);
    struct user *u = e == NULL ? make(w, key) : container_of(e, struct user, entry);
    if (u == NULL)
        return NULL;
    list_remove(&u->node);
    list_append(&w->used, &u->node);
    return u;
}

static void turn_to(struct user *u, int64_t window, int64_t window_ms)
{
    bool is_same = u->window_ms == window_ms;
    if (is_same && u->window == window)
        return;
    u->before = is_same && u->window + 1 == window ? u->now : (struct windows_sums){ 0 };
    u->now = (struct windows_sums){ 0 };
    u->window = window;
    u->window_ms = window_ms;
}

/* What counts now, of `before` the part that the window still reaches. */
static uint64_t sum(uint64_t now, uint64_t before, int64_t passed, int64_t length)
{
    double part = (double)(length - passed) / (double)length;
    return now + (uint64_t)((double)before * part);
}

static bool is_over(uint64_t sum, uint64_t more, uint64_t max)
{
    return max != 0 && (more > max || sum > max - more);
}

static bool may(struct user *u, const struct windows_sums *max, int64_t now_ms,
                int64_t window_ms, const struct windows_sums *more)
{
    bool is_allowed = true;
    /* Threads look at the clock at their own times: who is behind does not turn it back. */
    if (u->window_ms == window_ms && now_ms < u->window * window_ms)
        now_ms = u->window * window_ms;
    turn_to(u, now_ms / window_ms, window_ms);
    for (size_t i = 0; i < WINDOWS_SUMS && is_allowed; i++)
        is_allowed = more->of[i] == 0 ||
                     !is_over(sum(u->now.of[i], u->before.of[i], now_ms % window_ms, window_ms),
                              more->of[i], max->of[i]);
    return is_allowed;
}

enum err windows_open(size_t keys_max, struct windows **out)
{
    struct windows *w = calloc(1, sizeof *w);
    if (w == NULL)
        return ERR_MEMORY;
    w->keys_max = keys_max;
    must(pthread_mutex_init(&w->mutex, NULL) == 0);
    table_init(&w->users);
    list_init(&w->used);
    *out = w;
    return ERR_OK;
}

void windows_close(struct windows **windows)
{
    struct windows *w = *windows;
    *windows = NULL;
    if (w == NULL)
        return;
    while (!list_is_empty(&w->used))
        drop(w, container_of(list_first(&w->used), struct user, node));
    table_free(&w->users);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

static void add(struct user *u, const struct windows_sums *more)
{
    for (size_t i = 0; i < WINDOWS_SUMS; i++)
        u->now.of[i] += more->of[i];
}

bool windows_take(struct windows *w, const struct windows_key *keys, size_t keys_count,
                  int64_t now_ms, int64_t window_ms, const struct windows_sums *more,
                  bool counts)
{
    struct user *users[WINDOWS_KEYS_MAX] = { NULL };
    bool is_allowed = true;
    must(keys_count <= WINDOWS_KEYS_MAX && window_ms > 0);
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < keys_count; i++)
        users[i] = find_or_make(w, keys[i].key);
    for (size_t i = 0; i < keys_count && is_allowed; i++)
        is_allowed = users[i] == NULL || may(users[i], &keys[i].max, now_ms, window_ms, more);
    for (size_t i = 0; i < keys_count && is_allowed && counts; i++)
        if (users[i] != NULL)
            add(users[i], more);
    while (w->users.count > w->keys_max)
        drop(w, container_of(list_first(&w->used), struct user, node));
    pthread_mutex_unlock(&w->mutex);
    return is_allowed;
}
