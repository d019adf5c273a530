/* tool.h: a command of godwit: its words, its flags, its help, all from one table.
 *
 * Each tool is one file and one `struct cli_tool`; main.c lists them. What help shows
 * is what is parsed. All of this is single-threaded and for the process's own
 * arguments: strings of the operating system, not a peer's bytes.
 */
#ifndef GODWIT_CLI_TOOL_H
#define GODWIT_CLI_TOOL_H

#include <stdbool.h>
#include <stddef.h>

struct cli_option {
    const char *name;    /* "config": said as --config FILE or --config=FILE */
    const char *value;   /* "FILE"; NULL: a flag without a value */
    const char *help;
    bool is_repeated;    /* may be said more than once */
};

/* A first operand that says what to do: "list" of "queue list". */
struct cli_word {
    const char *name;
    const char *operand; /* "ID"; NULL: none may follow */
    const char *help;
    bool is_optional;    /* the operand may be left out */
};

struct cli_call;

struct cli_tool {
    const char *name;
    const char *summary;               /* one line */
    const char *about;                 /* lines for help, each with its LF; or NULL */
    const char *operands;              /* for help when there are no words; NULL: none */
    const struct cli_word *words;      /* ended by a NULL name; or NULL */
    const struct cli_option *options;  /* ended by a NULL name; or NULL */
    bool reads_arguments;              /* parses call->arguments itself */
    int (*run)(const struct cli_call *call); /* an exit code of sysexits.h */
};

struct cli_said {
    const struct cli_option *option;
    const char *value;                 /* "" of a flag */
};

struct cli_call {
    const struct cli_tool *tool;
    const struct cli_tool *const *tools; /* all of them, ended by NULL: for help */
    const char *program;               /* argv[0] without its folder */
    char **arguments;                  /* behind the tool's name, ended by NULL */
    struct cli_said *said;
    size_t said_count;
    const char **operands;             /* without the word */
    size_t operands_count;
    const struct cli_word *word;       /* or NULL */
};

/* The last value said, or NULL. Asking for an option that the tool's table does not
 * have is our bug. */
const char *cli_value(const struct cli_call *call, const char *option);
bool cli_has(const struct cli_call *call, const char *option);

/* The n-th value of a repeated option, from 0, or NULL. */
const char *cli_value_at(const struct cli_call *call, const char *option, size_t n);

/* Runs the tool that the arguments name. Names that argv[0] may have in place of
 * "godwit" are tools whose name is that. Returns an exit code. */
int cli_main(const struct cli_tool *const *tools, int argc, char **argv);

/* Writes the help of one tool, or of the program. */
void cli_help_tool(const struct cli_tool *tool);
void cli_help_all(const struct cli_tool *const *tools);

/* The entry of that name, or NULL. */
const struct cli_tool *cli_find_tool(const struct cli_tool *const *tools, const char *name);

/* "godwit: " and the text on standard error. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
