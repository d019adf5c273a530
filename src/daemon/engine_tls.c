/* engine_tls.c: the certificates of the configuration, or one that we make ourselves,
 * and the keys of session tickets.
 *
 * Without any certificate STARTTLS is offered all the same, with one that vouches for
 * itself: senders of mail encrypt to it opportunistically (RFC 7435), and nothing has to
 * be set up. It is kept in the data folder, so that it stays the same.
 */
#include "daemon/engine_private.h"

#include "crypto/tls_client.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    SELF_DAYS = 3650,
    WARN_DAYS = 14,
    TICKETS_MS = 8 * HOUR_MS,
};

/* Private keys pass through it. */
void engine_wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

/* Into one piece of memory: when a buffer grows, what it held stays behind unwiped. */
bool engine_read_file(int fd, struct buffer *out)
{
    char *room = buffer_reserve(out, ENGINE_FILE_MAX);
    size_t at = 0;
    ssize_t got = -1;
    while (room != NULL && at < ENGINE_FILE_MAX &&
           (got = pread(fd, room + at, ENGINE_FILE_MAX - at, (off_t)at)) > 0)
        at += (size_t)got;
    buffer_added(out, at);
    return got == 0;
}

bool engine_read_pair(int cert, int key, struct certificate **out,
                      struct certificate_trouble *trouble)
{
    struct buffer chain_pem, key_pem;
    buffer_init(&chain_pem, ENGINE_FILE_MAX);
    buffer_init(&key_pem, ENGINE_FILE_MAX);
    enum err error = ERR_INVALID;
    if (!engine_read_file(cert, &chain_pem) || !engine_read_file(key, &key_pem))
        snprintf(trouble->text, sizeof trouble->text, "it cannot be read");
    else
        error = certificate_read(buffer_slice(&chain_pem), buffer_slice(&key_pem), out,
                                 trouble);
    if (error == ERR_MEMORY)
        snprintf(trouble->text, sizeof trouble->text, "no memory");
    engine_wipe(&chain_pem);
    engine_wipe(&key_pem);
    return error == ERR_OK;
}

static void warn_of_end(const struct certificate *c, struct slice path)
{
    int64_t left = certificate_expires_wall_ms(c) - moment_now().wall_ms;
    if (left >= WARN_DAYS * DAY_MS)
        return;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "certificate");
    log_text(&line, "file", path);
    log_number(&line, "days_left", left < 0 ? 0 : left / DAY_MS);
    log_text(&line, "text", left < 0 ? SLICE("it has expired") : SLICE("it expires soon"));
    log_end(&line);
}

static bool read_configured(const struct config *config, const struct secrets *secrets,
                            struct engine_tls *out, char *why, size_t size)
{
    for (size_t i = 0; i < config->certificates_count; i++) {
        const struct config_certificate *c = &config->certificates[i];
        struct certificate_trouble trouble;
        if (!engine_read_pair(secrets->fds[i * 2], secrets->fds[i * 2 + 1],
                       &out->certificates[out->count], &trouble)) {
            snprintf(why, size, "tls.certificates[%zu]: %.*s: %s", i + 1, (int)c->cert.len,
                     c->cert.data, trouble.text);
            return false;
        }
        warn_of_end(out->certificates[out->count++], c->cert);
    }
    return true;
}

/* Written under another name first: a crash leaves the old one or the new one. `folder`
 * may be -1. */
static bool write_self(int folder, struct slice chain_pem, struct slice key_pem)
{
    if (folder < 0)
        return false;
    unlinkat(folder, "self.pem.new", 0);
    int fd = openat(folder, "self.pem.new",
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool good = write(fd, key_pem.data, key_pem.len) == (ssize_t)key_pem.len &&
                write(fd, chain_pem.data, chain_pem.len) == (ssize_t)chain_pem.len &&
                fsync(fd) == 0;
    close(fd);
    return good && renameat(folder, "self.pem.new", folder, "self.pem") == 0;
}

static bool make_self(int folder, struct slice hostname, struct certificate **out)
{
    struct buffer chain_pem, key_pem;
    struct certificate_trouble trouble;
    buffer_init(&chain_pem, ENGINE_FILE_MAX);
    buffer_init(&key_pem, ENGINE_FILE_MAX);
    bool good = certificate_make(hostname, moment_now().wall_ms, SELF_DAYS, &chain_pem,
                                 &key_pem) == ERR_OK &&
                certificate_read(buffer_slice(&chain_pem), buffer_slice(&key_pem), out,
                                 &trouble) == ERR_OK;
    if (good && !write_self(folder, buffer_slice(&chain_pem), buffer_slice(&key_pem)))
        log_note(LOG_WARNING, "certificate", "our own cannot be kept in the data folder: "
                                             "each start and reload makes another");
    engine_wipe(&chain_pem);
    engine_wipe(&key_pem);
    return good;
}

/* The one of before, if it is for this name and good, now and for some time. `folder` may
 * be -1. */
static bool read_self(int folder, struct slice hostname, struct certificate **out)
{
    struct certificate_trouble trouble;
    struct certificate *c = NULL;
    int64_t now = moment_now().wall_ms;
    int fd = folder < 0 ? -1 : openat(folder, "self.pem",
                                      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool good = engine_read_pair(fd, fd, &c, &trouble) && certificate_is_for(c, hostname) &&
                certificate_begins_wall_ms(c) <= now &&
                certificate_expires_wall_ms(c) > now + WARN_DAYS * DAY_MS;
    close(fd);
    if (good)
        *out = c;
    else
        certificate_drop(&c);
    return good;
}

static int open_folder(struct slice data)
{
    char *path = NULL;
    if (asprintf(&path, "%.*s/tls", (int)data.len, data.data) < 0)
        return -1;
    int fd = mkdir(path, 0700) != 0 && errno != EEXIST
                 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    free(path);
    return fd;
}

static bool find_self(const struct config *config, struct engine_tls *out, char *why,
                      size_t size)
{
    int folder = open_folder(config->data);
    bool good = read_self(folder, config->hostname, &out->certificates[0]) ||
                make_self(folder, config->hostname, &out->certificates[0]);
    if (folder >= 0)
        close(folder);
    out->count = good;
    if (!good)
        snprintf(why, size, "a certificate cannot be made for %.*s",
                 (int)config->hostname.len, config->hostname.data);
    return good;
}

/* A public file, which the engine reads itself. */
static bool read_client_ca(const struct config *config, struct tls_trust **out, char *why,
                           size_t size)
{
    struct certificate_trouble trouble = { .text = "it cannot be read" };
    struct buffer pem;
    char *path = slice_to_string(config->client_ca);
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    buffer_init(&pem, ENGINE_FILE_MAX);
    bool good = fd >= 0 && engine_read_file(fd, &pem) &&
                tls_trust_read(buffer_slice(&pem), out, &trouble) == ERR_OK;
    if (!good)
        snprintf(why, size, "tls.client_ca: %s: %s", path == NULL ? "" : path, trouble.text);
    if (fd >= 0)
        close(fd);
    buffer_free(&pem);
    free(path);
    return good;
}

void engine_tls_free(struct engine_tls *t)
{
    tls_server_drop(&t->server);
    for (size_t i = 0; i < t->count; i++)
        certificate_drop(&t->certificates[i]);
    t->count = 0;
}

bool engine_tls_make(const struct config *config, const struct secrets *secrets,
                     struct tls_tickets *tickets, struct engine_tls *out, char *why,
                     size_t size)
{
    struct engine_tls t = { .server = NULL };
    size_t refused = 0;
    bool good = config->certificates_count > 0
                    ? read_configured(config, secrets, &t, why, size)
                    : find_self(config, &t, why, size);
    struct tls_trust *clients = NULL;
    good = good && (slice_is_empty(config->client_ca) ||
                    read_client_ca(config, &clients, why, size));
    struct tls_server_options options = {
        .certificates = t.certificates, .certificates_count = t.count, .tickets = tickets,
        .client_trust = clients,
    };
    enum err error = good ? tls_server_open(&options, &t.server, &refused) : ERR_OK;
    if (error == ERR_INVALID)
        snprintf(why, size, "tls.certificates[%zu]: it cannot be used: its key is too weak",
                 refused + 1);
    else if (error != ERR_OK)
        snprintf(why, size, "the certificates cannot be used: %s", err_text(error));
    tls_trust_drop(&clients); /* the contexts have what they need of it */
    good = good && error == ERR_OK;
    if (good)
        *out = t;
    else
        engine_tls_free(&t);
    return good;
}

void engine_tls_show(struct engine *e, const struct config *config,
                     const struct engine_tls *tls)
{
    struct engine_shown *shown = &e->shown;
    for (size_t i = 0; i < shown->count; i++)
        certificate_drop(&shown->certificates[i]);
    config_drop(&shown->config);
    shown->count = tls == NULL ? 0 : tls->count;
    for (size_t i = 0; i < shown->count; i++)
        shown->certificates[i] = certificate_hold(tls->certificates[i]);
    shown->config = config == NULL ? NULL : config_hold(config);
}

/* Three times a day: another key for tickets, and a look at what will expire. */
static void on_rotate(struct timer *timer)
{
    struct engine *e = container_of(timer, struct engine, rotate);
    suppression_expire(e->suppression.list, loop_now(e->queue_loop.loop).wall_ms);
    const struct engine_shown *shown = &e->shown;
    if (tls_tickets_rotate(e->tickets) != ERR_OK)
        log_note(LOG_WARNING, "tls", "no new key for session tickets");
    for (size_t i = 0; i < shown->count && i < shown->config->certificates_count; i++)
        warn_of_end(shown->certificates[i], shown->config->certificates[i].cert);
    timer_set(timer, TICKETS_MS);
}

int engine_tls_open(struct engine *e, const struct secrets *secrets)
{
    char why[400];
    enum err error = tls_tickets_open(&e->tickets);
    if (error != ERR_OK) {
        fprintf(stderr, "godwit: cannot make session tickets: %s\n", err_text(error));
        return EX_OSERR;
    }
    if (!engine_tls_make(e->config, secrets, e->tickets, &e->tls, why, sizeof why)) {
        fprintf(stderr, "godwit: %s\n", why);
        return EX_CONFIG;
    }
    engine_tls_show(e, e->config, &e->tls);
    timer_init(&e->rotate, e->queue_loop.loop, on_rotate);
    timer_set(&e->rotate, TICKETS_MS);
    return 0;
}
