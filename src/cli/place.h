/* place.h: where the tools find a godwit: its configuration, data folder, listener.
 *
 * The configuration file is that of --config, else GODWIT_CONFIG, else
 * /etc/godwit/godwit.yaml where that can be read, else none (the defaults).
 */
#ifndef GODWIT_CLI_PLACE_H
#define GODWIT_CLI_PLACE_H

#include "config/config.h"

#define PLACE_CONFIG_FILE "/etc/godwit/godwit.yaml"

/* `said` is what --config said, or NULL. Lives as long as the environment; "" is none. */
const char *place_config_file(const char *said);

/* Loads it; `data`, unless NULL, overrides the folder. Complains and returns an exit
 * code when it cannot be used. */
int place_load(const char *config_file, const char *data, const struct config **out);

/* The data folder: --data, else GODWIT_DATA, else that of the configuration, which is
 * then loaded. The caller frees it. An exit code. */
int place_data(const char *config_file, const char *data, char **out_data);

/* "host:port" of the listener for programs on this machine: GODWIT_SERVER, else the
 * first listener of the configuration (which may be NULL), 127.0.0.1:2525 without one.
 * False only without memory. */
bool place_server(const struct config *config, struct buffer *out);

#endif
