/* file.c: the file, its settings, and the history of its tables. */
#include "store/store_private.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)

enum { PAGE_BYTES = 4096, BUSY_MS = 5000, ASIDE_MAX = 100, WAL_PAGES = 1000, PATH_BYTES = 4200 };

enum err store_error(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return ERR_DENIED;
    default: /* SQLite's codes, not ours */
        return ERR_IO;
    }
}

static void tell_aside(struct store *store, const char *name)
{
    char text[PATH_BYTES + 100];
    snprintf(text, sizeof text, "the store was damaged: it was set aside as %s, a new one is "
             "begun", name);
    if (store->options.watcher != NULL)
        store->options.watcher->problem(store->options.watcher, text);
}

bool store_exec(struct store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* One number, or -1. */
static int64_t ask_number(struct store *store, const char *sql, const char *name)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -1;
    if (name != NULL)
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    else if (code == SQLITE_DONE)
        value = 0;
    sqlite3_finalize(statement);
    return value;
}

static bool note_version(struct store *store, const char *name, int64_t version)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(store->db,
                                   "INSERT INTO modules (name, version) VALUES (?1, ?2) "
                                   "ON CONFLICT (name) DO UPDATE SET version = ?2",
                                   -1, &statement, NULL) == SQLITE_OK;
    if (good) {
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, version);
        good = sqlite3_step(statement) == SQLITE_DONE;
    }
    sqlite3_finalize(statement);
    return good;
}

/* All steps of a module that the file has not seen, as one. */
static enum err bring_up(struct store *store, const struct store_module *module)
{
    int64_t version = ask_number(store, "SELECT version FROM modules WHERE name = ?1",
                                 module->name);
    int64_t newest = 0;
    while (module->steps[newest] != NULL)
        newest++;
    if (version < 0)
        return store_error(sqlite3_errcode(store->db));
    if (version > newest)
        return ERR_VERSION;
    if (version == newest)
        return ERR_OK;
    bool good = store_exec(store, "BEGIN IMMEDIATE");
    for (int64_t i = version; good && i < newest; i++)
        good = store_exec(store, module->steps[i]);
    good = good && note_version(store, module->name, newest) && store_exec(store, "COMMIT");
    enum err error = good ? ERR_OK : store_error(sqlite3_errcode(store->db));
    if (!good)
        store_exec(store, "ROLLBACK");
    return error;
}

static enum err bring_all_up(struct store *store)
{
    enum err error = ERR_OK;
    if (!store_exec(store, "CREATE TABLE IF NOT EXISTS modules "
                           "(name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"))
        return store_error(sqlite3_errcode(store->db));
    for (size_t i = 0; error == ERR_OK && store->options.modules[i] != NULL; i++)
        error = bring_up(store, store->options.modules[i]);
    return error;
}

/* A statement can neither load code nor open another file. */
static enum err open_once(struct store *store)
{
    int code = sqlite3_open_v2(store->path, &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                   SQLITE_OPEN_NOMUTEX,
                               NULL);
    if (store->db == NULL)
        return ERR_MEMORY;
    if (code != SQLITE_OK)
        return store_error(code);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);
    char pages[64];
    uint64_t most = store->options.bytes_max == 0 ? GIB : store->options.bytes_max;
    snprintf(pages, sizeof pages, "PRAGMA max_page_count = %llu",
             (unsigned long long)(most / PAGE_BYTES));
    if (!store_exec(store, "PRAGMA journal_mode = WAL") ||
        !store_exec(store, "PRAGMA synchronous = NORMAL") ||
        !store_exec(store, "PRAGMA temp_store = MEMORY") || /* no other place may be written */
        !store_exec(store, "PRAGMA foreign_keys = ON") ||
        !store_exec(store, pages))
        return store_error(sqlite3_errcode(store->db));
    sqlite3_wal_autocheckpoint(store->db, WAL_PAGES);
    return bring_all_up(store);
}

void store_file_close(struct store *store)
{
    for (size_t i = 0; i < store->statements_count; i++)
        sqlite3_finalize(store->statements[i].statement);
    store->statements_count = 0;
    sqlite3_close(store->db);
    store->db = NULL;
}

/* Moves the file and what belongs to it to the first free name. */
static bool set_aside(struct store *store)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    char from[PATH_BYTES], to[PATH_BYTES];
    for (int i = 1; i <= ASIDE_MAX; i++) {
        snprintf(to, sizeof to, "%s.damaged-%d", store->path, i);
        FILE *there = fopen(to, "rb");
        if (there != NULL) {
            fclose(there);
            continue;
        }
        if (rename(store->path, to) != 0)
            return false;
        tell_aside(store, to);
        for (size_t e = 1; e < sizeof endings / sizeof *endings; e++) {
            snprintf(from, sizeof from, "%s%s", store->path, endings[e]);
            snprintf(to, sizeof to, "%s.damaged-%d%s", store->path, i, endings[e]);
            rename(from, to);
        }
        return true;
    }
    return false;
}

void store_file_renew(struct store *store)
{
    store_file_close(store);
    (void)set_aside(store); /* else it is opened as it is, and jobs fail on */
    if (open_once(store) != ERR_OK)
        store_file_close(store);
}

enum err store_file_open(struct store *store)
{
    enum err error = open_once(store);
    if (error != ERR_CORRUPT)
        return error;
    store_file_close(store);
    return set_aside(store) ? open_once(store) : error;
}
