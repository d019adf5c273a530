#include "accounts/dovecot.h"

#include "base/base64.h"
#include "base/list.h"
#include "crypto/password.h"
#include "net/stream.h"

#include <stdlib.h>

enum {
    LINE_MAX_BYTES = 64 * 1024,
    REQUEST_MAX = 8 * 1024,
    WAIT_MS = 30 * 1000,
    MAJOR = 1,
};

struct dovecot {
    struct stream_owner owner;
    struct stream *stream;
    struct loop *loop;
    struct buffer request;       /* until it was sent */
    struct buffer input;
    void (*done)(void *context, enum dovecot_verdict verdict, struct slice user);
    void *context;
};

/* ---- the protocol ---- */

/* esc = %x01 ( "0" / "1" / "t" / "n" / "r" ) for NUL, %x01, TAB, LF, CR */
static void append_unescaped(struct buffer *out, struct slice text)
{
    static const char codes[] = "01tnr";
    static const char meant[] = { '\0', '\001', '\t', '\n', '\r' };
    for (size_t i = 0; i < text.len; i++) {
        const char *code = text.data[i] != '\001' || i + 1 == text.len || text.data[i + 1] == '\0'
                               ? NULL : strchr(codes, text.data[i + 1]);
        if (code == NULL) {
            buffer_append_byte(out, text.data[i]);
        } else {
            buffer_append_byte(out, meant[code - codes]);
            i++;
        }
    }
}

static enum dovecot_verdict read_version(struct slice rest)
{
    struct slice major;
    uint64_t number;
    bool good = slice_split(&rest, '\t', &major) && slice_to_number(major, 1000, &number) &&
                number == MAJOR;
    return good ? DOVECOT_NOTHING : DOVECOT_FAULT;
}

/* Behind OK or FAIL: the number of the request, then parameters. */
static enum dovecot_verdict read_result(struct slice rest, bool is_ok, struct buffer *user)
{
    struct slice field;
    bool is_temporary = false;
    if (!slice_split(&rest, '\t', &field) || !slice_equal(field, SLICE("1")))
        return DOVECOT_FAULT;
    while (slice_split(&rest, '\t', &field)) {
        if (slice_starts_with_nocase(field, SLICE("user=")))
            append_unescaped(user, slice_from(field, 5));
        is_temporary |= slice_equal(field, SLICE("temp"));
    }
    if (!is_ok)
        return is_temporary ? DOVECOT_FAULT : DOVECOT_REFUSED;
    return buffer_len(user) > 0 && !user->overflow ? DOVECOT_GRANTED : DOVECOT_FAULT;
}

enum dovecot_verdict dovecot_read_line(struct slice line, struct buffer *user)
{
    struct slice verb;
    if (!slice_split(&line, '\t', &verb))
        return DOVECOT_NOTHING;
    if (slice_equal(verb, SLICE("VERSION")))
        return read_version(line);
    if (slice_equal(verb, SLICE("OK")))
        return read_result(line, true, user);
    if (slice_equal(verb, SLICE("FAIL")))
        return read_result(line, false, user);
    return slice_equal(verb, SLICE("CONT")) ? DOVECOT_FAULT : DOVECOT_NOTHING;
}

bool dovecot_write_request(const struct dovecot_request *r, uint32_t client_id,
                           struct buffer *out)
{
    struct buffer plain;
    buffer_init(&plain, REQUEST_MAX);
    buffer_reserve(&plain, REQUEST_MAX / 2); /* no copy stays behind when it grows */
    buffer_append_byte(&plain, '\0');
    buffer_append(&plain, r->name);
    buffer_append_byte(&plain, '\0');
    buffer_append(&plain, r->password);
    buffer_append_format(out, "VERSION\t%d\t2\nCPID\t%u\nAUTH\t1\tPLAIN\tservice=smtp\t",
                         MAJOR, (unsigned)client_id);
    if (r->is_secured)
        buffer_append(out, SLICE("secured\t"));
    if (r->client != NULL && r->client->any.sa_family != AF_UNIX) {
        buffer_append(out, SLICE("rip="));
        net_host_append(out, r->client);
        buffer_append_byte(out, '\t');
    }
    buffer_append(out, SLICE("resp="));
    base64_append(out, buffer_slice(&plain));
    buffer_append_byte(out, '\n');
    bool good = !plain.overflow && !out->overflow &&
                slice_find(r->name, '\0') == SLICE_NOT_FOUND;
    if (plain.memory != NULL)
        explicit_bzero(plain.memory, plain.capacity);
    buffer_free(&plain);
    return good;
}

/* ---- the connection ---- */

static void wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

void dovecot_cancel(struct dovecot **dovecot)
{
    struct dovecot *d = *dovecot;
    *dovecot = NULL;
    if (d == NULL)
        return;
    stream_close(&d->stream);
    wipe(&d->request);
    buffer_free(&d->input);
    free(d);
}

static void finish(struct dovecot *d, enum dovecot_verdict verdict, struct slice user)
{
    d->done(d->context, verdict, user); /* who cancels it, and so frees it */
}

/* The lines that are whole. True when it is over. */
static bool take_lines(struct dovecot *d)
{
    for (;;) {
        struct slice all = buffer_slice(&d->input);
        size_t end = slice_is_empty(all) ? SLICE_NOT_FOUND : slice_find(all, '\n');
        if (end == SLICE_NOT_FOUND)
            return false;
        struct buffer user;
        buffer_init(&user, 4096);
        enum dovecot_verdict verdict = dovecot_read_line(slice_part(all, 0, end), &user);
        if (verdict == DOVECOT_NOTHING)
            buffer_consume(&d->input, end + 1);
        else
            finish(d, verdict, buffer_slice(&user));
        buffer_free(&user);
        if (verdict != DOVECOT_NOTHING)
            return true;
    }
}

static void read_input(struct dovecot *d)
{
    size_t len;
    switch (stream_read(d->stream, loop_scratch(d->loop), LOOP_SCRATCH_BYTES, &len)) {
    case STREAM_READ_SOME:
        buffer_append(&d->input, slice_make(loop_scratch(d->loop), len));
        if (!take_lines(d) && d->input.overflow)
            finish(d, DOVECOT_FAULT, slice_make(NULL, 0));
        return;
    case STREAM_READ_NOTHING:
        return;
    case STREAM_READ_END:
    case STREAM_READ_FAILED:
        finish(d, DOVECOT_FAULT, slice_make(NULL, 0));
        return;
    }
}

static void on_event(struct stream_owner *owner, enum stream_event event)
{
    struct dovecot *d = container_of(owner, struct dovecot, owner);
    switch (event) {
    case STREAM_CONNECTED:
        stream_reading(d->stream, true);
        stream_write(d->stream, buffer_slice(&d->request));
        wipe(&d->request);
        return;
    case STREAM_INPUT:
        read_input(d);
        return;
    case STREAM_DRAINED:
    case STREAM_SECURED:
        return;
    case STREAM_FAILED:
    case STREAM_TIMEOUT:
        finish(d, DOVECOT_FAULT, slice_make(NULL, 0));
        return;
    }
}

struct dovecot *dovecot_ask(const struct dovecot_request *r)
{
    struct net_address to;
    uint32_t id; /* one that no other client of it has: it takes it for a process */
    struct dovecot *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->owner.event = on_event;
    d->loop = r->loop;
    d->done = r->done;
    d->context = r->context;
    buffer_init(&d->request, REQUEST_MAX);
    buffer_reserve(&d->request, REQUEST_MAX);
    buffer_init(&d->input, LINE_MAX_BYTES);
    if (crypto_random(&id, sizeof id) != ERR_OK ||
        !dovecot_write_request(r, id >> 1 | 1, &d->request) ||
        !net_address_parse(r->path, &to) ||
        stream_connect(r->loop, &to, NULL, &d->owner, &d->stream) != ERR_OK) {
        dovecot_cancel(&d);
        return NULL;
    }
    stream_deadline(d->stream, loop_now(r->loop).mono_ms + WAIT_MS);
    return d;
}
