/* engine_secret.c: 32 octets of the data folder, by which nobody's salts are invented. Were
 * they drawn at each start, whoever asks before and after one would see which names are
 * invented. */
#include "daemon/engine_private.h"

#include "crypto/password.h"
#include "log/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "sasl.secret"

static bool read_secret(int folder, uint8_t out[SASL_SECRET_BYTES])
{
    uint8_t read_bytes[SASL_SECRET_BYTES + 1];
    int fd = openat(folder, NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd < 0 ? -1 : read(fd, read_bytes, sizeof read_bytes);
    if (fd >= 0)
        close(fd);
    if (len != SASL_SECRET_BYTES)
        return false;
    memcpy(out, read_bytes, SASL_SECRET_BYTES);
    return true;
}

/* Under another name first: a crash leaves none or all of it. */
static bool write_secret(int folder, const uint8_t secret[SASL_SECRET_BYTES])
{
    unlinkat(folder, NAME ".new", 0);
    int fd = openat(folder, NAME ".new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0)
        return false;
    bool good = write(fd, secret, SASL_SECRET_BYTES) == SASL_SECRET_BYTES && fsync(fd) == 0;
    close(fd);
    return good && renameat(folder, NAME ".new", folder, NAME) == 0;
}

enum err engine_sasl_secret(const struct config *config, uint8_t out[SASL_SECRET_BYTES])
{
    char *path = slice_to_string(config->data);
    int folder = path == NULL ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(path);
    enum err error = ERR_OK;
    if (folder < 0 || !read_secret(folder, out)) {
        error = crypto_random(out, SASL_SECRET_BYTES);
        if (error == ERR_OK && (folder < 0 || !write_secret(folder, out)))
            log_note(LOG_WARNING, "sasl", "the secret cannot be kept in the data folder: "
                                          "each start makes another");
    }
    if (folder >= 0)
        close(folder);
    return error;
}
