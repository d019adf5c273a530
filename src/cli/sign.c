/* sign.c: signs a message with DKIM, by hand: what a mail server would add to it, for tests
 * and for looking. The key is read from a file; nothing is asked of a running godwit. */
#include "auth/dkim/sign.h"
#include "base/moment.h"
#include "cli/dkim_private.h"
#include "cli/input.h"
#include "cli/tools.h"
#include "wire/message/header.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { NAMES_MAX_OCTETS = 8 * 1024, FIELD_OCTETS_MAX = 64 * 1024 };

static const struct cli_option options[] = {
    { "key", "FILE", "the private key: PEM, RSA or Ed25519", false },
    { "domain", "DOMAIN", "the domain that signs (d=)", false },
    { "selector", "NAME", "the selector of the key (s=)", false },
    { "algorithm", "NAME", "rsa-sha256 or ed25519-sha256; default: what the key is for", false },
    { "canonicalization", "FORMS", "of header/body; default: relaxed/relaxed", false },
    { "time", "SECONDS", "when it was signed, since 1970 (t=); default: now", false },
    { "headers", "NAMES", "the fields to sign, colons between (h=)", false },
    { "json", NULL, "the field and the record to publish, as JSON; no message", false },
    { NULL },
};

struct job {
    const struct cli_call *call;
    struct private_key *key;
    struct buffer names;
    struct buffer message;
    struct buffer field;
    struct dkim_signing signing;
};

static int open_file(const char *file)
{
    int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        cli_complain("cannot open %s", file);
    return fd;
}

static void close_file(int fd)
{
    if (fd != STDIN_FILENO)
        close(fd);
}

static int read_message(struct job *job)
{
    const char *file = job->call->operands_count > 0 ? job->call->operands[0] : "-";
    int fd = open_file(file);
    if (fd < 0)
        return EX_NOINPUT;
    enum err error = input_read(fd, false, &job->message);
    close_file(fd);
    if (error == ERR_OK)
        return 0;
    cli_complain(error == ERR_INVALID ? "%s: holds a NUL, which mail cannot carry"
                 : error == ERR_FULL ? "%s: is too large" : "%s: cannot be read", file);
    return error == ERR_IO ? EX_NOINPUT : EX_DATAERR;
}

static bool read_form(struct slice word, enum canonical_kind *out)
{
    if (!slice_equal_nocase(word, SLICE("simple")) &&
        !slice_equal_nocase(word, SLICE("relaxed")))
        return false;
    *out = slice_equal_nocase(word, SLICE("simple")) ? CANONICAL_SIMPLE : CANONICAL_RELAXED;
    return true;
}

/* sig-c-tag-alg ["/" sig-c-tag-alg]: one word is the header's, the body is simple then. */
static bool read_forms(const char *text, struct dkim_signing *signing)
{
    struct slice forms = slice_from_string(text == NULL ? "relaxed/relaxed" : text);
    size_t slash = slice_find(forms, '/');
    signing->body = CANONICAL_SIMPLE;
    return read_form(slice_part(forms, 0, slash), &signing->header) &&
           (slash == SLICE_NOT_FOUND ||
            read_form(slice_from(forms, slash + 1), &signing->body));
}

static const char *algorithm_of(const struct private_key *key)
{
    return private_key_kind(key) == KEY_RSA ? "rsa-sha256" : "ed25519-sha256";
}

static int usage(const char *text)
{
    cli_complain("sign: %s", text);
    return EX_USAGE;
}

static int read_signing(struct job *job)
{
    const struct cli_call *call = job->call;
    const char *time = cli_value(call, "time");
    const char *names = cli_value(call, "headers");
    const char *algorithm = cli_value(call, "algorithm");
    uint64_t seconds = (uint64_t)(moment_now().wall_ms / SECOND_MS);
    if (time != NULL && !slice_to_number(slice_from_string(time), INT64_MAX / 2, &seconds))
        return usage("--time takes seconds since 1970");
    if (!read_forms(cli_value(call, "canonicalization"), &job->signing))
        return usage("--canonicalization takes simple or relaxed, for header/body");
    if (algorithm != NULL && strcmp(algorithm, algorithm_of(job->key)) != 0) {
        cli_complain("sign: the key is for %s, not for %s", algorithm_of(job->key), algorithm);
        return EX_USAGE;
    }
    for (size_t i = 0; names != NULL && names[i] != '\0'; i++)
        buffer_append_byte(&job->names, names[i] == ',' ? ':' : names[i]);
    if (names != NULL && (buffer_len(&job->names) == 0 || job->names.overflow))
        return usage("--headers takes names of header fields");
    job->signing.key = job->key;
    job->signing.domain = slice_from_string(cli_value(call, "domain"));
    job->signing.selector = slice_from_string(cli_value(call, "selector"));
    job->signing.names = buffer_slice(&job->names);
    job->signing.signed_at_s = (int64_t)seconds;
    job->signing.expires_at_s = -1;
    return 0;
}

static int make_field(struct job *job)
{
    struct dkim_signer *signer = NULL;
    enum dkim_signing_fault fault = DKIM_SIGNING_FINE;
    struct header_scan scan;
    struct slice message = buffer_slice(&job->message);
    struct slice body = message;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    enum err error = dkim_signer_new(&job->signing, 1,
                                     slice_part(message, 0, message.len - body.len),
                                     &signer, &fault);
    if (error == ERR_OK) {
        dkim_signer_body(signer, body);
        error = dkim_signer_finish(signer, &job->field);
    }
    dkim_signer_free(&signer);
    if (error == ERR_OK)
        return 0;
    cli_complain("sign: %s", error == ERR_INVALID ? dkim_signing_fault_text(fault)
                             : error == ERR_FULL ? "the message has too many header fields"
                                                 : err_text(error));
    bool message_is_wrong = fault == DKIM_SIGNING_NO_FROM || fault == DKIM_SIGNING_HEADER;
    return error == ERR_INVALID && !message_is_wrong ? EX_USAGE : EX_DATAERR;
}

static int print_json(const struct job *job)
{
    struct buffer record;
    struct slice field = buffer_slice(&job->field);
    buffer_init(&record, DKIM_RECORD_MAX);
    dkim_append_record(job->key, &record);
    json_t *object = json_pack(
        "{s:s%, s:s, s:s, s:s, s:s%}", "field", field.data, field.len - 2,
        "domain", cli_value(job->call, "domain"),
        "selector", cli_value(job->call, "selector"),
        "algorithm", algorithm_of(job->key),
        "record", buffer_slice(&record).data, buffer_len(&record));
    buffer_free(&record);
    if (object == NULL)
        return EX_OSERR;
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
    return 0;
}

static int print(const struct job *job)
{
    if (cli_has(job->call, "json"))
        return print_json(job);
    struct slice field = buffer_slice(&job->field);
    struct slice message = buffer_slice(&job->message);
    fwrite(field.data, 1, field.len, stdout);
    fwrite(message.data, 1, message.len, stdout);
    return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

static int run(const struct cli_call *call)
{
    struct job job = { .call = call };
    const char *key = cli_value(call, "key");
    if (key == NULL || cli_value(call, "domain") == NULL ||
        cli_value(call, "selector") == NULL)
        return usage("--key, --domain and --selector are needed");
    if (call->operands_count > 1)
        return usage("one message at a time");
    buffer_init(&job.names, NAMES_MAX_OCTETS);
    buffer_init(&job.message, INPUT_BYTES_MAX);
    buffer_init(&job.field, FIELD_OCTETS_MAX);
    int code = dkim_read_key(key, &job.key);
    if (code == 0)
        code = read_signing(&job);
    if (code == 0)
        code = read_message(&job);
    if (code == 0)
        code = make_field(&job);
    if (code == 0)
        code = print(&job);
    private_key_drop(&job.key);
    buffer_free(&job.names);
    buffer_free(&job.message);
    buffer_free(&job.field);
    return code;
}

const struct cli_tool cli_sign = {
    .name = "sign",
    .summary = "signs a message with DKIM and prints it",
    .about = "The message comes from FILE, or from standard input. Without --headers those\n"
             "fields are signed that people see and programs follow, and no second one of\n"
             "them can be added.\n",
    .operands = "[FILE]",
    .options = options,
    .run = run,
};
