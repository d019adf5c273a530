/* box.h: the command that runs a sandbox. */
#ifndef GODWIT_BOX_H
#define GODWIT_BOX_H

#include "cli/tool.h"

extern const struct cli_tool sandbox_tool;

#endif
