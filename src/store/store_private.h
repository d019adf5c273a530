/* store_private.h: the file (file.c) and the thread (store.c). */
#ifndef GODWIT_STORE_STORE_PRIVATE_H
#define GODWIT_STORE_STORE_PRIVATE_H

#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum { STATEMENTS_MAX = 256 };

struct kept_statement {
    const char *sql;
    sqlite3_stmt *statement;
};

struct store {
    struct store_options options;
    char *path;
    sqlite3 *db;                /* the store's thread's, with the statements */
    struct kept_statement statements[STATEMENTS_MAX];
    size_t statements_count;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;      /* of all below but the last */
    pthread_cond_t wake;
    struct task *first;
    struct task *last;
    uint32_t waiting;
    bool closing;
    atomic_ullong turned_away;
};

/* file.c: opens store->path; on ERR_OK store->db is set. A damaged file was set aside. */
enum err store_file_open(struct store *store);
void store_file_close(struct store *store);
/* On the store's thread, between batches: the file turned out to be damaged, and another one is
 * begun. Without one every job fails until the next start. */
void store_file_renew(struct store *store);

/* What a result of SQLite means. */
enum err store_error(int code);
bool store_exec(struct store *store, const char *sql);

#endif
