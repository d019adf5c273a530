/* serve.h: godwit as a daemon: supervisor and engine.
 *
 * The supervisor binds the ports, prepares the data folder, starts the engine as the
 * configured user and starts it again when it dies, with back-off; it parses nothing
 * that a peer says. The engine is one process of several threads: loops with sessions
 * and deliveries, the queue, the spool's writer, the resolver, workers, the log.
 */
#ifndef GODWIT_DAEMON_SERVE_H
#define GODWIT_DAEMON_SERVE_H

#include "config/config.h"

struct sockets;

struct daemon_options {
    struct slice config_file;    /* or empty */
    struct config_flags flags;
    bool is_quick_start;         /* tell a newcomer what to try */
    const struct sockets *sockets; /* bound already, as the flags say; taken. NULL: they are
                                    bound here */
};

/* Runs until it is told to end (SIGTERM, SIGINT). Returns an exit code of sysexits.h:
 * 0, EX_CONFIG, EX_OSERR, EX_CANTCREAT, EX_TEMPFAIL, EX_SOFTWARE. Says on standard
 * error why. */
int daemon_serve(const struct daemon_options *options);

#endif
