/* secrets.h: files that the supervisor opens for the engine, which may not read them.
 *
 * A key belongs to root; the engine is somebody else. At the start the engine inherits
 * the descriptors; for a reload it asks for them over the socket that it has in common
 * with the supervisor, which opens what its own reading of the configuration names, and
 * nothing that the engine could say. When the reload is done it says so, and the
 * supervisor keeps that reading for the next engine. One thread each.
 */
#ifndef GODWIT_DAEMON_SECRETS_H
#define GODWIT_DAEMON_SECRETS_H

#include "config/config.h"

enum {
    SECRETS_CERTIFICATES_MAX = 100,
    SECRETS_MAX = SECRETS_CERTIFICATES_MAX * 2 + CONFIG_FILES_MAX,
};

/* For each certificate of the configuration its file, then that of its key; then the
 * files that are named for next hops and signatures, in order. */
struct secrets {
    uint32_t names;    /* the paths' checksum: whether two mean the same files */
    size_t count;
    int fds[SECRETS_MAX];
};

/* Whether they are what the configuration names. */
bool secrets_fit(const struct secrets *secrets, const struct config *config);

/* False, nothing open, and `why` set, naming key and file, when one cannot be read. */
bool secrets_open(const struct config *config, struct secrets *out, char *why,
                  size_t why_size);

/* What was never opened must be all zeros. */
void secrets_close(struct secrets *secrets);

/* The supervisor's answer: the descriptors, or in their place a reason. */
void secrets_send(int socket, const struct secrets *secrets, const char *why);

/* The engine's question, and up to 5 s of waiting for the answer. False, and `why` set,
 * when there are none. */
bool secrets_ask(int socket, struct secrets *out, char *why, size_t why_size);

/* What the engine says to the supervisor, a packet each. */
#define SECRETS_WANTED "c"
#define SECRETS_RELOADED "r"

#endif
