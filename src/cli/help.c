/* help.c: what the tables say, for people. */
#include "cli/tools.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void show_usage(const struct cli_tool *tool)
{
    printf("usage: godwit %s%s%s%s\n", tool->name,
           tool->words != NULL ? " WORD" : tool->operands != NULL ? " " : "",
           tool->words == NULL && tool->operands != NULL ? tool->operands : "",
           tool->options != NULL ? " [FLAG]..." : "");
}

static void show_words(const struct cli_tool *tool)
{
    printf("\nwords:\n");
    for (const struct cli_word *w = tool->words; w->name != NULL; w++) {
        char left[64];
        snprintf(left, sizeof left, w->operand == NULL ? "%s" : w->is_optional ? "%s [%s]"
                                                                               : "%s %s",
                 w->name, w->operand == NULL ? "" : w->operand);
        printf("  %-24s %s\n", left, w->help);
    }
}

static void show_options(const struct cli_tool *tool)
{
    printf("\nflags:\n");
    for (const struct cli_option *o = tool->options; o->name != NULL; o++) {
        const char *dashes = tool->reads_arguments && strlen(o->name) <= 2 ? "-" : "--";
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s%s", dashes, o->name,
                 o->value == NULL ? "" : " ", o->value == NULL ? "" : o->value,
                 o->is_repeated ? "..." : "");
        printf("  %-24s %s\n", left, o->help);
    }
}

void cli_help_tool(const struct cli_tool *tool)
{
    show_usage(tool);
    printf("\n%s\n", tool->summary);
    if (tool->about != NULL)
        printf("\n%s", tool->about);
    if (tool->words != NULL)
        show_words(tool);
    if (tool->options != NULL)
        show_options(tool);
}

void cli_help_all(const struct cli_tool *const *tools)
{
    printf("usage: godwit COMMAND [ARGUMENT]...\n\nGodwit takes mail in, keeps it safely "
           "and sends it on.\n\ncommands:\n");
    for (; *tools != NULL; tools++)
        printf("  %-12s %s\n", (*tools)->name, (*tools)->summary);
    printf("\n'godwit help COMMAND' tells more; the manual is godwit(1).\n");
}

static int run(const struct cli_call *call)
{
    if (call->operands_count == 0) {
        cli_help_all(call->tools);
        return 0;
    }
    const struct cli_tool *tool = cli_find_tool(call->tools, call->operands[0]);
    if (tool == NULL) {
        cli_complain("there is no command '%s'; 'godwit help' lists them",
                     call->operands[0]);
        return EX_USAGE;
    }
    cli_help_tool(tool);
    return 0;
}

const struct cli_tool cli_help = {
    .name = "help",
    .summary = "tells what the commands do",
    .operands = "[COMMAND]",
    .run = run,
};
