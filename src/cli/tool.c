/* tool.c: from the arguments to the tool, its flags checked against its table. */
#include "cli/tool.h"

#include "base/must.h"
#include "cli/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

void cli_complain(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("godwit: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

const struct cli_tool *cli_find_tool(const struct cli_tool *const *tools, const char *name)
{
    for (; *tools != NULL; tools++)
        if (strcmp((*tools)->name, name) == 0)
            return *tools;
    return NULL;
}

static const struct cli_option *find_option(const struct cli_tool *tool, const char *name,
                                            size_t len)
{
    for (const struct cli_option *o = tool->options; o != NULL && o->name != NULL; o++)
        if (strncmp(o->name, name, len) == 0 && o->name[len] == '\0')
            return o;
    return NULL;
}

const char *cli_value_at(const struct cli_call *call, const char *option, size_t n)
{
    const struct cli_option *wanted = find_option(call->tool, option, strlen(option));
    must(wanted != NULL);
    for (size_t i = 0; i < call->said_count; i++)
        if (call->said[i].option == wanted && n-- == 0)
            return call->said[i].value;
    return NULL;
}

const char *cli_value(const struct cli_call *call, const char *option)
{
    const char *last = NULL;
    const char *value;
    for (size_t n = 0; (value = cli_value_at(call, option, n)) != NULL; n++)
        last = value;
    return last;
}

bool cli_has(const struct cli_call *call, const char *option)
{
    return cli_value_at(call, option, 0) != NULL;
}

/* Ends a complaint about a name with the one that was meant, if there is one. */
static int not_known(const char *what, const char *name, const char *dashes,
                     const struct nearest *nearest, const char *help)
{
    if (nearest->best != NULL)
        cli_complain("unknown %s '%s%s': did you mean '%s%s'?", what, dashes, name, dashes,
                     nearest->best);
    else
        cli_complain("unknown %s '%s%s': see 'godwit help%s%s'", what, dashes, name,
                     help[0] == '\0' ? "" : " ", help);
    return EX_USAGE;
}

static int unknown_option(const struct cli_tool *tool, const char *name, size_t len)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(len < 60 ? len : 60), name);
    struct nearest nearest = nearest_to(word);
    for (const struct cli_option *o = tool->options; o != NULL && o->name != NULL; o++)
        nearest_offer(&nearest, o->name);
    return not_known("flag", word, "--", &nearest, tool->name);
}

static int unknown_word(const struct cli_tool *tool, const char *word)
{
    struct nearest nearest = nearest_to(word);
    for (const struct cli_word *w = tool->words; w->name != NULL; w++)
        nearest_offer(&nearest, w->name);
    return not_known("word", word, "", &nearest, tool->name);
}

static int unknown_tool(const struct cli_tool *const *tools, const char *name)
{
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; tools[i] != NULL; i++)
        nearest_offer(&nearest, tools[i]->name);
    return not_known("command", name, "", &nearest, "");
}

/* Takes the option at *at, and its value, which may be the next argument. */
static int take_option(struct cli_call *call, char ***at)
{
    const char *name = **at + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const struct cli_option *option = find_option(call->tool, name, len);
    if (option == NULL)
        return unknown_option(call->tool, name, len);
    const char *value = equals == NULL ? NULL : equals + 1;
    if (option->value == NULL && value != NULL) {
        cli_complain("--%s takes no value", option->name);
        return EX_USAGE;
    }
    if (option->value != NULL && value == NULL)
        value = *++*at;
    if (option->value != NULL && value == NULL) {
        cli_complain("--%s needs a value: --%s %s", option->name, option->name,
                     option->value);
        return EX_USAGE;
    }
    if (!option->is_repeated && cli_has(call, option->name)) {
        cli_complain("--%s is said twice", option->name);
        return EX_USAGE;
    }
    call->said[call->said_count++] =
        (struct cli_said){ option, option->value == NULL ? "" : value };
    return 0;
}

static bool asks_for_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int take_word(struct cli_call *call)
{
    const struct cli_tool *tool = call->tool;
    if (call->operands_count == 0) {
        cli_complain("%s: what is to be done? See 'godwit help %s'", tool->name, tool->name);
        return EX_USAGE;
    }
    const struct cli_word *word = tool->words;
    while (word->name != NULL && strcmp(word->name, call->operands[0]) != 0)
        word++;
    if (word->name == NULL)
        return unknown_word(tool, call->operands[0]);
    call->word = word;
    call->operands++;
    call->operands_count--;
    if (word->operand != NULL && !word->is_optional && call->operands_count == 0) {
        cli_complain("%s %s: needs %s", tool->name, word->name, word->operand);
        return EX_USAGE;
    }
    if (word->operand == NULL && call->operands_count > 0) {
        cli_complain("%s %s: takes no '%s'", tool->name, word->name, call->operands[0]);
        return EX_USAGE;
    }
    return 0;
}

/* Sorts the arguments into options and operands; "--" ends the options. */
static int sort_arguments(struct cli_call *call)
{
    bool only_operands = false;
    for (char **at = call->arguments; *at != NULL; at++) {
        if (!only_operands && strcmp(*at, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strncmp(*at, "--", 2) == 0) {
            int code = take_option(call, &at);
            if (code != 0)
                return code;
        } else if (!only_operands && (*at)[0] == '-' && (*at)[1] != '\0') {
            cli_complain("unknown flag '%s': flags have two dashes; see 'godwit help %s'",
                         *at, call->tool->name);
            return EX_USAGE;
        } else {
            call->operands[call->operands_count++] = *at;
        }
    }
    if (call->tool->words != NULL)
        return take_word(call);
    if (call->tool->operands == NULL && call->operands_count > 0) {
        cli_complain("%s: takes no '%s'", call->tool->name, call->operands[0]);
        return EX_USAGE;
    }
    return 0;
}

/* To a tool that reads its own arguments "-h" may mean something else. */
static bool wants_help(const struct cli_call *call)
{
    if (call->tool->reads_arguments)
        return call->arguments[0] != NULL && strcmp(call->arguments[0], "--help") == 0;
    for (char **at = call->arguments; *at != NULL && strcmp(*at, "--") != 0; at++)
        if (asks_for_help(*at))
            return true;
    return false;
}

static int run_tool(struct cli_call *call)
{
    size_t count = 0;
    while (call->arguments[count] != NULL)
        count++;
    if (wants_help(call)) {
        cli_help_tool(call->tool);
        return 0;
    }
    struct cli_said *said = calloc(count + 1, sizeof *said);
    const char **operands = calloc(count + 1, sizeof *operands);
    int code = EX_OSERR;
    if (said != NULL && operands != NULL) {
        call->said = said;
        call->operands = operands;
        code = call->tool->reads_arguments ? 0 : sort_arguments(call);
        if (code == 0)
            code = call->tool->run(call);
    }
    free(said);
    free(operands);
    /* what did not fit into a full disk is forgotten by a later fflush() */
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && code == 0) {
        cli_complain("standard output cannot be written to");
        code = EX_IOERR;
    }
    return code;
}

int cli_main(const struct cli_tool *const *tools, int argc, char **argv)
{
    static char *nothing[] = { NULL };
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = argc == 0 ? "godwit" : slash == NULL ? argv[0] : slash + 1;
    struct cli_call call = { .tools = tools, .program = program,
                             .arguments = argc > 0 ? argv + 1 : nothing };
    call.tool = cli_find_tool(tools, program);
    if (call.tool != NULL)
        return run_tool(&call);
    if (argc < 2) {
        cli_help_all(tools);
        return EX_USAGE;
    }
    if (asks_for_help(argv[1])) {
        cli_help_all(tools);
        return 0;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    call.tool = cli_find_tool(tools, name);
    if (call.tool == NULL)
        return unknown_tool(tools, name);
    call.arguments = argv + 2;
    return run_tool(&call);
}
