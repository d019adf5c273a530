/* spool_fs_fake.c: files, names, and the record of all changes. */
#include "spool/spool_fs_fake.h"

#include "base/list.h"
#include "base/must.h"

#include <pthread.h>
#include <stdlib.h>

enum { PATH_BYTES = 64, SECTOR = 512, FILES_MAX = 4096, NAMES_MAX = 256 };

enum change_kind {
    CHANGE_WRITE,
    CHANGE_SIZE,
    CHANGE_SYNC,
    CHANGE_SYNC_FAILED,
    CHANGE_CREATE,
    CHANGE_RENAME,
    CHANGE_REMOVE,
    CHANGE_SYNC_FOLDER,
};

struct change {
    enum change_kind kind;
    size_t file;             /* its number */
    uint64_t offset;         /* WRITE; SIZE: the new size */
    char *bytes;             /* WRITE */
    size_t len;
    char path[PATH_BYTES];   /* of names and folders */
    char to[PATH_BYTES];
};

struct file {
    char *bytes;
    size_t len;
    bool is_allocated; /* of blocks that were never written */
};

struct name {
    char path[PATH_BYTES];   /* empty: nothing */
    size_t file;
};

struct spool_fake {
    struct spool_fs fs;
    pthread_mutex_t mutex;
    struct file files[FILES_MAX];
    struct file base[FILES_MAX];     /* before the first change, for crashes */
    size_t files_count;
    struct name names[NAMES_MAX];
    struct name base_names[NAMES_MAX];
    struct change *changes;
    size_t changes_count;
    size_t changes_capacity;
    size_t calls;
    size_t fail_first;
    size_t fail_count;
    enum err fail_error;
    bool dies;
    size_t syncs_left;       /* until then */
    uint64_t space;
    bool is_locked;
};

static struct spool_fake *fake_of(struct spool_fs *fs)
{
    return container_of(fs, struct spool_fake, fs);
}

static void set_path(char out[PATH_BYTES], const char *path)
{
    size_t len = strlen(path);
    must(len < PATH_BYTES);
    memset(out, 0, PATH_BYTES);
    memcpy(out, path, len);
}

static bool same(const char *a, const char *b)
{
    return slice_equal(slice_from_string(a), slice_from_string(b));
}

static struct name *find_name(struct name *names, const char *path)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (same(names[i].path, path))
            return &names[i];
    return NULL;
}

static void file_resize(struct file *file, size_t len)
{
    char *bytes = realloc(file->bytes, len == 0 ? 1 : len);
    must(bytes != NULL);
    if (len > file->len)
        memset(bytes + file->len, 0, len - file->len);
    file->bytes = bytes;
    file->len = len;
}

static void file_write(struct file *file, uint64_t offset, struct slice bytes)
{
    if (offset + bytes.len > file->len)
        file_resize(file, (size_t)offset + bytes.len);
    if (bytes.len > 0)
        memcpy(file->bytes + offset, bytes.data, bytes.len);
}

/* Under the mutex. */
static struct change *record(struct spool_fake *fake, enum change_kind kind, size_t file)
{
    if (fake->changes_count == fake->changes_capacity) {
        fake->changes_capacity = fake->changes_capacity * 2 + 256;
        fake->changes = realloc(fake->changes,
                                fake->changes_capacity * sizeof *fake->changes);
        must(fake->changes != NULL);
    }
    struct change *change = &fake->changes[fake->changes_count++];
    *change = (struct change){ .kind = kind, .file = file };
    return change;
}

/* Locks, counts the call; an error when it is to fail. */
static enum err enter(struct spool_fake *fake)
{
    pthread_mutex_lock(&fake->mutex);
    size_t call = fake->calls++;
    if (call >= fake->fail_first && call - fake->fail_first < fake->fail_count)
        return fake->fail_error;
    return ERR_OK;
}

static enum err leave(struct spool_fake *fake, enum err error)
{
    pthread_mutex_unlock(&fake->mutex);
    return error;
}

static enum err fake_open(struct spool_fs *fs, const char *path, enum spool_fs_mode mode,
                          int *out_file)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    if (error != ERR_OK)
        return leave(fake, error);
    struct name *name = find_name(fake->names, path);
    if (mode != SPOOL_FS_CREATE) {
        if (name != NULL)
            *out_file = (int)name->file;
        return leave(fake, name == NULL ? ERR_ABSENT : ERR_OK);
    }
    if (name != NULL)
        return leave(fake, ERR_EXISTS);
    name = find_name(fake->names, "");
    must(name != NULL && fake->files_count < FILES_MAX);
    set_path(name->path, path);
    name->file = fake->files_count++;
    set_path(record(fake, CHANGE_CREATE, name->file)->path, path);
    *out_file = (int)name->file;
    return leave(fake, ERR_OK);
}

static void fake_close(struct spool_fs *fs, int file)
{
    struct spool_fake *fake = fake_of(fs);
    pthread_mutex_lock(&fake->mutex);
    if (file == FILES_MAX)
        fake->is_locked = false;
    pthread_mutex_unlock(&fake->mutex);
}

static bool is_full(struct spool_fake *fake, size_t file, uint64_t len)
{
    uint64_t used = 0;
    if (fake->space == 0 || len <= fake->files[file].len)
        return false;
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (fake->names[i].path[0] != '\0')
            used += fake->files[fake->names[i].file].len;
    return used + len - fake->files[file].len > fake->space;
}

static struct slice join(const struct iovec *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    char *bytes = malloc(len == 0 ? 1 : len);
    must(bytes != NULL);
    len = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            memcpy(bytes + len, parts[i].iov_base, parts[i].iov_len);
        len += parts[i].iov_len;
    }
    return slice_make(bytes, len);
}

static enum err fake_write(struct spool_fs *fs, int file, struct iovec *parts, int count,
                           uint64_t offset)
{
    struct spool_fake *fake = fake_of(fs);
    struct slice bytes = join(parts, count);
    enum err error = enter(fake);
    if (error == ERR_OK && is_full(fake, (size_t)file, offset + bytes.len))
        error = ERR_FULL;
    else if (error != ERR_OK)
        bytes.len /= 2;
    if (error != ERR_FULL || offset + bytes.len <= fake->files[file].len) {
        file_write(&fake->files[file], offset, bytes);
        struct change *change = record(fake, CHANGE_WRITE, (size_t)file);
        change->offset = offset;
        change->bytes = (char *)(uintptr_t)bytes.data;
        change->len = bytes.len;
    } else {
        free((void *)(uintptr_t)bytes.data);
    }
    return leave(fake, error);
}

static enum err fake_read(struct spool_fs *fs, int file, void *out, size_t len,
                          uint64_t offset, size_t *out_len)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    if (error != ERR_OK)
        return leave(fake, error);
    struct slice there = slice_make(fake->files[file].bytes, fake->files[file].len);
    there = slice_part(there, (size_t)offset, len);
    if (there.len > 0)
        memcpy(out, there.data, there.len);
    *out_len = there.len;
    return leave(fake, ERR_OK);
}

static enum err fake_sync(struct spool_fs *fs, int file)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    bool is_lost = error != ERR_OK;
    if (!is_lost && fake->dies && fake->syncs_left-- == 0) {
        is_lost = fake->files[file].is_allocated;
        fake->fail_first = fake->calls;
        fake->fail_count = SIZE_MAX;
        fake->fail_error = ERR_IO;
    }
    record(fake, is_lost ? CHANGE_SYNC_FAILED : CHANGE_SYNC, (size_t)file);
    return leave(fake, error);
}

static enum err fake_size(struct spool_fs *fs, int file, uint64_t *out_bytes)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    if (error == ERR_OK)
        *out_bytes = fake->files[file].len;
    return leave(fake, error);
}

static enum err fake_disk_size(struct spool_fs *fs, uint64_t *out_bytes)
{
    struct spool_fake *fake = fake_of(fs);
    if (fake->space == 0)
        return ERR_INVALID;
    *out_bytes = fake->space;
    return ERR_OK;
}

static enum err fake_truncate(struct spool_fs *fs, int file, uint64_t bytes)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    if (error == ERR_OK && is_full(fake, (size_t)file, bytes))
        error = ERR_FULL;
    if (error == ERR_OK) {
        file_resize(&fake->files[file], (size_t)bytes);
        record(fake, CHANGE_SIZE, (size_t)file)->offset = bytes;
    }
    return leave(fake, error);
}

static enum err fake_allocate(struct spool_fs *fs, int file, uint64_t bytes)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = fake_truncate(fs, file, bytes);
    pthread_mutex_lock(&fake->mutex);
    fake->files[file].is_allocated = error == ERR_OK;
    return leave(fake, error);
}

static enum err fake_fill(struct spool_fs *fs, int file, uint64_t bytes)
{
    static char zeros[64 * 1024];
    enum err error = ERR_OK;
    for (uint64_t at = 0; at < bytes && error == ERR_OK; at += sizeof zeros) {
        uint64_t left = bytes - at;
        struct iovec part = {
            .iov_base = zeros,
            .iov_len = left < sizeof zeros ? (size_t)left : sizeof zeros,
        };
        error = fake_write(fs, file, &part, 1, at);
    }
    return error == ERR_OK ? fake_sync(fs, file) : error;
}

static enum err fake_rename(struct spool_fs *fs, const char *from, const char *to)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    struct name *name = find_name(fake->names, from);
    struct name *old = find_name(fake->names, to);
    if (error == ERR_OK && name == NULL)
        error = ERR_ABSENT;
    if (error != ERR_OK)
        return leave(fake, error);
    if (old != NULL)
        set_path(old->path, "");
    set_path(name->path, to);
    struct change *change = record(fake, CHANGE_RENAME, name->file);
    set_path(change->path, from);
    set_path(change->to, to);
    return leave(fake, ERR_OK);
}

static enum err fake_remove(struct spool_fs *fs, const char *path)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    struct name *name = find_name(fake->names, path);
    if (error == ERR_OK && name == NULL)
        error = ERR_ABSENT;
    if (error != ERR_OK)
        return leave(fake, error);
    set_path(record(fake, CHANGE_REMOVE, name->file)->path, path);
    set_path(name->path, "");
    return leave(fake, ERR_OK);
}

static enum err fake_make_folder(struct spool_fs *fs, const char *path)
{
    (void)path;
    struct spool_fake *fake = fake_of(fs);
    return leave(fake, enter(fake));
}

static enum err fake_sync_folder(struct spool_fs *fs, const char *path)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    if (error == ERR_OK)
        set_path(record(fake, CHANGE_SYNC_FOLDER, 0)->path, path);
    return leave(fake, error);
}

/* The folder of a path; "." for a path without one. */
static struct slice folder_of(const char *path)
{
    struct slice s = slice_from_string(path);
    size_t at = slice_find_last(s, '/');
    return at == SLICE_NOT_FOUND ? SLICE(".") : slice_part(s, 0, at);
}

static enum err fake_list(struct spool_fs *fs, const char *path,
                          void (*each)(void *context, const char *name), void *context)
{
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    struct slice folder = slice_from_string(path);
    for (size_t i = 0; i < NAMES_MAX && error == ERR_OK; i++)
        if (fake->names[i].path[0] != '\0' &&
            slice_equal(folder_of(fake->names[i].path), folder))
            each(context, fake->names[i].path + folder.len + 1);
    return leave(fake, error);
}

static enum err fake_lock(struct spool_fs *fs, const char *path, int *out_file)
{
    (void)path;
    struct spool_fake *fake = fake_of(fs);
    enum err error = enter(fake);
    if (error == ERR_OK && fake->is_locked)
        error = ERR_BUSY;
    if (error == ERR_OK) {
        fake->is_locked = true;
        *out_file = FILES_MAX;
    }
    return leave(fake, error);
}

struct spool_fake *spool_fake_new(void)
{
    static const struct spool_fs_ops ops = {
        .open = fake_open, .close = fake_close, .write = fake_write, .read = fake_read,
        .sync = fake_sync, .size = fake_size, .disk_size = fake_disk_size, .truncate = fake_truncate,
        .allocate = fake_allocate, .fill = fake_fill, .rename = fake_rename, .remove = fake_remove,
        .make_folder = fake_make_folder, .sync_folder = fake_sync_folder,
        .list = fake_list, .lock = fake_lock,
    };
    struct spool_fake *fake = calloc(1, sizeof *fake);
    must(fake != NULL);
    fake->fs.ops = &ops;
    pthread_mutex_init(&fake->mutex, NULL);
    return fake;
}

void spool_fake_free(struct spool_fake **out_fake)
{
    struct spool_fake *fake = *out_fake;
    if (fake == NULL)
        return;
    for (size_t i = 0; i < FILES_MAX; i++) {
        free(fake->files[i].bytes);
        free(fake->base[i].bytes);
    }
    for (size_t i = 0; i < fake->changes_count; i++)
        free(fake->changes[i].bytes);
    free(fake->changes);
    pthread_mutex_destroy(&fake->mutex);
    free(fake);
    *out_fake = NULL;
}

struct spool_fs *spool_fake_fs(struct spool_fake *fake)
{
    return &fake->fs;
}

size_t spool_fake_changes(struct spool_fake *fake)
{
    pthread_mutex_lock(&fake->mutex);
    size_t count = fake->changes_count;
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

size_t spool_fake_calls(struct spool_fake *fake)
{
    pthread_mutex_lock(&fake->mutex);
    size_t count = fake->calls;
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

void spool_fake_fail(struct spool_fake *fake, size_t first, size_t count, enum err error)
{
    pthread_mutex_lock(&fake->mutex);
    fake->fail_first = fake->calls + first;
    fake->fail_count = count;
    fake->fail_error = error;
    pthread_mutex_unlock(&fake->mutex);
}

void spool_fake_die(struct spool_fake *fake, size_t n)
{
    pthread_mutex_lock(&fake->mutex);
    fake->dies = true;
    fake->syncs_left = n;
    pthread_mutex_unlock(&fake->mutex);
}

void spool_fake_space(struct spool_fake *fake, uint64_t bytes)
{
    pthread_mutex_lock(&fake->mutex);
    fake->space = bytes;
    pthread_mutex_unlock(&fake->mutex);
}

char *spool_fake_file(struct spool_fake *fake, size_t n, const char **out_path,
                      size_t *out_len)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (fake->names[i].path[0] == '\0' || n-- > 0)
            continue;
        *out_path = fake->names[i].path;
        *out_len = fake->files[fake->names[i].file].len;
        return fake->files[fake->names[i].file].bytes;
    }
    return NULL;
}

bool spool_fake_put(struct spool_fake *fake, const char *path, struct slice bytes)
{
    struct name *name = find_name(fake->names, "");
    if (name == NULL || fake->files_count == FILES_MAX || strlen(path) >= PATH_BYTES)
        return false;
    name->file = fake->files_count++;
    set_path(name->path, path);
    file_resize(&fake->files[name->file], bytes.len);
    if (bytes.len > 0)
        memcpy(fake->files[name->file].bytes, bytes.data, bytes.len);
    fake->base_names[name - fake->names] = *name;
    file_resize(&fake->base[name->file], 0);
    file_write(&fake->base[name->file], 0, bytes);
    return true;
}

/* xorshift64* */
static uint64_t chance(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du >> 33;
}

/* Whether a sync between the change and the end covers it. */
static bool *find_durable(const struct spool_fake *fake, size_t changes)
{
    bool *durable = calloc(changes + 1, sizeof *durable);
    enum { UNKNOWN, SYNCED, LOST } *next = calloc(FILES_MAX, sizeof *next);
    must(durable != NULL && next != NULL);
    for (size_t i = changes; i-- > 0;) {
        const struct change *c = &fake->changes[i];
        if (c->kind == CHANGE_SYNC)
            next[c->file] = SYNCED;
        else if (c->kind == CHANGE_SYNC_FAILED)
            next[c->file] = LOST;
        else if (c->kind == CHANGE_WRITE || c->kind == CHANGE_SIZE)
            durable[i] = next[c->file] == SYNCED;
    }
    free(next);
    return durable;
}

/* A sector of which only a part was written may be spoilt as a whole. */
static void spoil_sector(struct file *file, uint64_t offset)
{
    char junk[SECTOR];
    uint64_t start = offset / SECTOR * SECTOR;
    memset(junk, 0xa5, sizeof junk);
    if (start + SECTOR <= file->len)
        file_write(file, start, slice_make(junk, sizeof junk));
}

static void write_torn(struct file *file, const struct change *c, uint64_t *seed)
{
    size_t at = 0;
    while (at < c->len) {
        size_t sector_left = SECTOR - (size_t)((c->offset + at) % SECTOR);
        size_t len = c->len - at < sector_left ? c->len - at : sector_left;
        if (len < SECTOR && chance(seed) % 4 == 0)
            spoil_sector(file, c->offset + at);
        else if (chance(seed) % 2 == 0)
            file_write(file, c->offset + at, slice_make(c->bytes + at, len));
        at += len;
    }
}

static void crash_content(const struct spool_fake *fake, struct spool_fake *left,
                          size_t changes, uint64_t *seed, bool torn)
{
    bool *durable = find_durable(fake, changes);
    uint64_t mood = chance(seed) % 4; /* all or nothing, now and then */
    for (size_t i = 0; i < changes; i++) {
        const struct change *c = &fake->changes[i];
        struct file *file = &left->files[c->file];
        bool whole = durable[i] || !torn || mood == 0;
        if (c->kind == CHANGE_SIZE && (whole || chance(seed) % 2 == 0))
            file_resize(file, (size_t)c->offset);
        else if (c->kind == CHANGE_WRITE && whole)
            file_write(file, c->offset, slice_make(c->bytes, c->len));
        else if (c->kind == CHANGE_WRITE && mood != 1)
            write_torn(file, c, seed);
    }
    free(durable);
}

static void apply_name(struct spool_fake *left, const struct change *c)
{
    struct name *name = find_name(left->names, c->path);
    if (c->kind == CHANGE_CREATE) {
        name = find_name(left->names, "");
        must(name != NULL);
        set_path(name->path, c->path);
        name->file = c->file;
    } else if (c->kind == CHANGE_REMOVE && name != NULL) {
        set_path(name->path, "");
    } else if (c->kind == CHANGE_RENAME && name != NULL) {
        struct name *old = find_name(left->names, c->to);
        if (old != NULL)
            set_path(old->path, "");
        set_path(name->path, c->to);
    }
}

static bool changes_names(const struct change *c)
{
    return c->kind == CHANGE_CREATE || c->kind == CHANGE_RENAME ||
           c->kind == CHANGE_REMOVE;
}

/* How many changes of names happened for good, by one folder's last sync and luck. */
static void crash_folder(const struct spool_fake *fake, struct spool_fake *left,
                         const char *folder, size_t changes, uint64_t *seed, bool torn)
{
    size_t synced = 0;
    bool stopped = false;
    for (size_t i = 0; i < changes; i++)
        if (fake->changes[i].kind == CHANGE_SYNC_FOLDER &&
            same(fake->changes[i].path, folder))
            synced = i;
    uint64_t mood = chance(seed) % 3;
    for (size_t i = 0; i < changes && !stopped; i++) {
        const struct change *c = &fake->changes[i];
        if (!changes_names(c) ||
            !slice_equal(folder_of(c->path), slice_from_string(folder)))
            continue;
        if (torn && i > synced && mood > 0)
            stopped = mood == 1 || chance(seed) % 4 == 0;
        if (!stopped)
            apply_name(left, c);
    }
}

/* Files without a name are gone: many lives fit. */
static void renumber(struct spool_fake *left)
{
    struct file *kept = calloc(FILES_MAX, sizeof *kept);
    size_t count = 0;
    must(kept != NULL);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        struct name *name = &left->names[i];
        if (name->path[0] == '\0')
            continue;
        kept[count] = left->files[name->file];
        left->files[name->file] = (struct file){ 0 };
        name->file = count++;
    }
    for (size_t i = 0; i < left->files_count; i++)
        free(left->files[i].bytes);
    memcpy(left->files, kept, FILES_MAX * sizeof *kept);
    left->files_count = count;
    free(kept);
}

struct spool_fake *spool_fake_crash(struct spool_fake *fake, size_t changes,
                                    uint64_t seed, bool torn)
{
    static const char *const folders[] = { ".", "log", "checkpoint", "large",
                                           "corrupt" };
    struct spool_fake *left = spool_fake_new();
    seed = seed * 0x9e3779b97f4a7c15u + 1;
    pthread_mutex_lock(&fake->mutex);
    must(changes <= fake->changes_count);
    left->files_count = fake->files_count;
    for (size_t i = 0; i < fake->files_count; i++)
        file_write(&left->files[i], 0, slice_make(fake->base[i].bytes,
                                                  fake->base[i].len));
    memcpy(left->names, fake->base_names, sizeof left->names);
    crash_content(fake, left, changes, &seed, torn);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        crash_folder(fake, left, folders[i], changes, &seed, torn);
    pthread_mutex_unlock(&fake->mutex);
    renumber(left);
    for (size_t i = 0; i < left->files_count; i++)
        file_write(&left->base[i], 0, slice_make(left->files[i].bytes,
                                                 left->files[i].len));
    memcpy(left->base_names, left->names, sizeof left->names);
    return left;
}
