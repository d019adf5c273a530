/* sandbox_places.c: the folders that a configuration names.
 *
 * Files are replaced by new ones of their name, so what may be read is the folder that a
 * file lies in. A folder that is yet to be made counts as the one that it will lie in.
 */
#include "daemon/sandbox.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PLACES_MAX = 10000 };

static bool exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

/* Cuts the last name off; what is left of "a" is ".", of "/a" is "/". */
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        memcpy(path, ".", 2);
    else if (slash == path)
        path[1] = '\0';
    else
        *slash = '\0';
}

static bool is_top(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, ".") == 0;
}

/* Takes the path. */
static enum err add_path(struct sandbox_places *places, char *path,
                         enum sandbox_access access)
{
    struct sandbox_place *more =
        path == NULL || places->count >= PLACES_MAX
            ? NULL : reallocarray(places->all, places->count + 1, sizeof *more);
    if (more == NULL) {
        free(path);
        return ERR_MEMORY;
    }
    places->all = more;
    more[places->count++] = (struct sandbox_place){ path, access };
    return ERR_OK;
}

static char *copy_of(struct slice path)
{
    /* room for "." */
    char *copy = path.len == 0 ? NULL : malloc(path.len + 2);
    if (copy == NULL)
        return NULL;
    memcpy(copy, path.data, path.len);
    copy[path.len] = '\0';
    return copy;
}

/* The folder itself where it is there, else the nearest above. */
static enum err add_folder(struct sandbox_places *places, struct slice path,
                           enum sandbox_access access)
{
    char *at = copy_of(path);
    while (at != NULL && !is_top(at) && !exists(at))
        go_up(at);
    return add_path(places, at, access);
}

/* What holds a file. */
static enum err add_above(struct sandbox_places *places, struct slice path,
                          enum sandbox_access access)
{
    if (path.len == 0)
        return ERR_OK;
    char *at = copy_of(path);
    if (at != NULL)
        go_up(at);
    if (at != NULL && !exists(at)) {
        free(at);
        return ERR_OK; /* nobody will find the file either */
    }
    return add_path(places, at, access);
}

/* What is written, and the names beside it: folders are synced from above. */
static enum err add_written(struct sandbox_places *places, struct slice path)
{
    enum err error = add_folder(places, path, SANDBOX_WRITE);
    return error == ERR_OK ? add_above(places, path, SANDBOX_LIST) : error;
}

/* What stands before the first name that is filled in, as a folder. */
static enum err add_deliver(struct sandbox_places *places, const struct config_deliver *d)
{
    if (d->way != CONFIG_WAY_MAILDIR && d->way != CONFIG_WAY_CAPTURE)
        return ERR_OK;
    struct slice path = slice_part(d->path, 0, slice_find(d->path, '{'));
    if (path.len < d->path.len)
        path = slice_part(path, 0, slice_find_last(path, '/'));
    if (path.len == 0)
        path = SLICE("/");
    return add_written(places, path);
}

static enum err add_domains(struct sandbox_places *places, const struct config *c)
{
    enum err error = ERR_OK;
    for (struct table_entry *e = NULL; error == ERR_OK &&
                                       (e = table_next(&c->domains, e)) != NULL;) {
        const struct config_domain *d = container_of(e, struct config_domain, entry);
        error = add_above(places, d->users_file, SANDBOX_READ);
        if (error == ERR_OK && d->has_deliver)
            error = add_deliver(places, &d->deliver);
    }
    return error;
}

/* What libraries and the names of the machine need. */
static enum err add_machine(struct sandbox_places *places)
{
    static const struct { const char *path; enum sandbox_access access; } all[] = {
        { "/etc", SANDBOX_READ },  { "/usr", SANDBOX_READ },
        { "/lib", SANDBOX_READ },  { "/run/systemd/resolve", SANDBOX_READ },
        { "/run/resolvconf", SANDBOX_READ },
        { "/sys/devices/system/cpu", SANDBOX_READ },
        { "/dev/null", SANDBOX_WRITE }, { "/dev/urandom", SANDBOX_READ },
    };
    const char *issuers = secure_getenv("SSL_CERT_FILE");
    enum err error = ERR_OK;
    for (size_t i = 0; error == ERR_OK && i < sizeof all / sizeof *all; i++)
        if (exists(all[i].path))
            error = add_path(places, strdup(all[i].path), all[i].access);
    if (error == ERR_OK && issuers != NULL)
        error = add_above(places, slice_from_string(issuers), SANDBOX_READ);
    return error;
}

enum err sandbox_places_make(const struct config *config, struct slice config_file,
                             struct sandbox_places *out)
{
    struct sandbox_places places = { .count = 0 };
    enum err error = add_machine(&places);
    if (error == ERR_OK)
        error = add_written(&places, config->data);
    if (error == ERR_OK)
        error = add_above(&places, config_file, SANDBOX_READ);
    if (error == ERR_OK)
        error = add_above(&places, config->log_file, SANDBOX_WRITE);
    if (error == ERR_OK)
        error = add_above(&places, config->events_file, SANDBOX_WRITE);
    if (error == ERR_OK)
        error = add_above(&places, config->dns.trust_anchor, SANDBOX_READ);
    if (error == ERR_OK)
        error = add_above(&places, config->srs.secret, SANDBOX_READ);
    if (error == ERR_OK)
        error = add_domains(&places, config);
    for (size_t i = 0; error == ERR_OK && i < config->routes_count; i++)
        error = add_deliver(&places, &config->routes[i].deliver);
    if (error == ERR_OK)
        *out = places;
    else
        sandbox_places_free(&places);
    return error;
}

void sandbox_places_free(struct sandbox_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->all[i].path);
    free(places->all);
    *places = (struct sandbox_places){ .count = 0 };
}

/* Whether `inner` is `outer` or lies below it, by their names. */
static bool lies_in(const char *outer, const char *inner)
{
    size_t len = strlen(outer);
    while (len > 0 && outer[len - 1] == '/')
        len--;
    return strncmp(outer, inner, len) == 0 && (inner[len] == '\0' || inner[len] == '/');
}

static bool is_held(const struct sandbox_places *held, const struct sandbox_place *one)
{
    for (size_t i = 0; i < held->count; i++)
        if (held->all[i].access >= one->access && lies_in(held->all[i].path, one->path))
            return true;
    return false;
}

const struct sandbox_place *sandbox_places_beyond(const struct sandbox_places *held,
                                                  const struct sandbox_places *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!is_held(held, &wanted->all[i]))
            return &wanted->all[i];
    return NULL;
}
