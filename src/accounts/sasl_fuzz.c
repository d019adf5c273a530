/* sasl_fuzz.c: what a hostile client says in SCRAM's exchanges, message by message, and in
 * a line of a users file. Nobody is ever let in: the keys are of a password that the input
 * cannot know. */
#include "accounts/credential.h"
#include "accounts/sasl.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static const uint8_t secret[SASL_SECRET_BYTES] = { 7 };

int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char users[] =
    "ann: SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    " SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
    "D+CSWLOshSulAsxiupA+qs2/fTE=\n";

static const struct config *config;
static struct workers *workers;
static struct sasl *sasl;

static void write_file(char *name, const char *text)
{
    int fd = mkstemp(name);
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char people[] = "/tmp/godwit-fuzz-XXXXXX";
    char file[] = "/tmp/godwit-fuzz-XXXXXX";
    char yaml[200];
    struct config_error error;
    (void)argc, (void)argv;
    write_file(people, users);
    snprintf(yaml, sizeof yaml, "domains: { a.test: { users: %s, deliver: discard } }\n", people);
    write_file(file, yaml);
    must(config_load(slice_from_string(file), NULL, &config, &error) == ERR_OK);
    unlink(people);
    unlink(file);
    must(workers_open(1, 1, &workers) == ERR_OK && sasl_open(workers, secret, &sasl) == ERR_OK);
    return 0;
}

static void answered(void *context, enum sasl_result result)
{
    (void)context, (void)result;
    must(false); /* SCRAM needs no worker */
}

static void play(const char *mechanism, struct slice rest)
{
    static const char binding[SASL_BINDING_BYTES] = "0123456789abcdef0123456789abcde";
    struct sasl_peer peer = { .config = config, .answered = answered,
                              .binding = slice_make(binding, sizeof binding) };
    struct sasl_exchange *x = sasl_begin(sasl, slice_from_string(mechanism), &peer);
    struct slice message;
    must(x != NULL);
    enum sasl_result result = sasl_step(x, NULL);
    while (result == SASL_CHALLENGE && slice_split(&rest, '\n', &message))
        result = sasl_step(x, &message);
    must(result != SASL_GRANTED);
    sasl_end(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS",
                                         "SCRAM-SHA-1-PLUS" };
    struct credential credential;
    if (size == 0)
        return 0;
    struct slice rest = slice_make(data + 1, size - 1);
    play(names[data[0] % 4], rest);
    credential_parse(rest, &credential);
    return 0;
}
