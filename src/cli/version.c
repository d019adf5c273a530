/* version.c: which godwit this is. */
#include "cli/tools.h"

#include <stdio.h>

static int run(const struct cli_call *call)
{
    (void)call;
    printf("godwit %s\n", GODWIT_VERSION);
    return 0;
}

const struct cli_tool cli_version = {
    .name = "version",
    .summary = "says which version this is",
    .run = run,
};
