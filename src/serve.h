/* serve.h: the command that runs the daemon. */
#ifndef GODWIT_SERVE_H
#define GODWIT_SERVE_H

#include "cli/tool.h"

extern const struct cli_tool serve_tool;

#endif
