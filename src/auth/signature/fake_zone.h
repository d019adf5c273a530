/* fake_zone.h: a zone of TXT records in a text, for tests, probes and fuzzers alone.
 *
 * A line is a name, a space and a record's text; lines of one name are several records.
 * "!nodata" and "!failed" in place of the text say how the look-up ends. What is in no
 * line does not exist.
 */
#ifndef GODWIT_AUTH_SIGNATURE_FAKE_ZONE_H
#define GODWIT_AUTH_SIGNATURE_FAKE_ZONE_H

#include "base/buffer.h"
#include "mail/lookup.h"

#include <stdio.h>

enum { FAKE_ZONE_RECORDS_MAX = 8, FAKE_ZONE_STRING_MAX = 255,
       FAKE_ZONE_FILE_MAX = 64 * 1024 * 1024 };

struct fake_zone_answer {
    struct lookup_answer answer;
    struct slice records[FAKE_ZONE_RECORDS_MAX];
    struct buffer data[FAKE_ZONE_RECORDS_MAX]; /* what the records borrow from */
    size_t count;
};

static inline void fake_zone_add(struct fake_zone_answer *out, struct slice text)
{
    struct buffer *data = &out->data[out->count];
    buffer_init(data, 1 << 17);
    do {
        struct slice part = slice_part(text, 0, FAKE_ZONE_STRING_MAX);
        buffer_append_byte(data, (char)part.len);
        buffer_append(data, part);
        text = slice_from(text, part.len);
    } while (text.len > 0);
    out->records[out->count++] = buffer_slice(data);
}

static inline void fake_zone_find(struct slice zone, const struct lookup_question *question,
                                  struct fake_zone_answer *out)
{
    struct slice line;
    enum lookup_kind kind = LOOKUP_NXDOMAIN;
    out->count = 0;
    while (slice_split(&zone, '\n', &line)) {
        size_t space = slice_find(line, ' ');
        struct slice text = slice_from(line, slice_part(line, 0, space).len + 1);
        if (!slice_equal_nocase(slice_part(line, 0, space), question->name))
            continue;
        if (slice_equal(text, SLICE("!nodata")))
            kind = LOOKUP_NODATA;
        else if (slice_equal(text, SLICE("!failed")))
            kind = LOOKUP_FAILED;
        else if (out->count < FAKE_ZONE_RECORDS_MAX)
            fake_zone_add(out, text);
    }
    out->answer = (struct lookup_answer){
        .kind = out->count > 0 ? LOOKUP_FOUND : kind, .ttl_s = 300,
        .records = out->records, .records_count = out->count,
    };
}

static inline void fake_zone_drop(struct fake_zone_answer *answer)
{
    while (answer->count > 0)
        buffer_free(&answer->data[--answer->count]);
}

/* A zone, or the message that it is for, from a file. */
static inline bool fake_zone_read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    size_t got = 1;
    buffer_init(out, FAKE_ZONE_FILE_MAX);
    while (file != NULL && got > 0) {
        char *into = buffer_reserve(out, 65536);
        got = into == NULL ? 0 : fread(into, 1, 65536, file);
        buffer_added(out, got);
    }
    if (file != NULL)
        fclose(file);
    return file != NULL && !out->overflow;
}

#endif
