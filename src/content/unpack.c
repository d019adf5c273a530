/* unpack.c: libarchive read as a stream, and stopped at the limits. */
#include "content/unpack.h"

#include <archive.h>
#include <archive_entry.h>

enum { STEP = 64 * 1024 };

static const char TOO_LARGE[] = "more than 25 MiB when unpacked";
static const char TOO_DENSE[] = "unpacks to more than 200 times its size";
static const char BROKEN[] = "a broken archive";
static const char EMPTY[] = "an empty or cut archive";
static const char NO_MEMORY[] = "memory is out";

static const char *append(struct archive *archive, size_t packed_len, struct buffer *out)
{
    size_t before = buffer_len(out);
    for (;;) {
        char *room = buffer_reserve(out, STEP);
        if (room == NULL)
            return NO_MEMORY;
        ssize_t len = archive_read_data(archive, room, STEP);
        if (len < 0)
            return BROKEN;
        if (len == 0)
            return buffer_len(out) == before ? EMPTY : NULL;
        buffer_added(out, (size_t)len);
        size_t unpacked = buffer_len(out) - before;
        if (unpacked > CONTENT_UNPACKED_MAX)
            return TOO_LARGE;
        if (unpacked > CONTENT_RATIO_FLOOR && unpacked / CONTENT_RATIO_MAX > packed_len)
            return TOO_DENSE;
    }
}

static bool is_wanted(struct archive_entry *entry, struct slice suffix)
{
    const char *path = archive_entry_pathname_utf8(entry);
    return archive_entry_filetype(entry) == AE_IFREG &&
           slice_ends_with_nocase(slice_from_string(path == NULL ? "" : path), suffix);
}

/* A gzip has one member without a name. */
static const char *read_members(struct archive *archive, bool is_zip, struct slice suffix,
                                size_t packed_len, struct buffer *out)
{
    for (int i = 0; i < CONTENT_MEMBERS_MAX; i++) {
        struct archive_entry *entry;
        int status = archive_read_next_header(archive, &entry);
        if (status == ARCHIVE_EOF)
            return is_zip ? "an archive without such a file" : EMPTY;
        if (status < ARCHIVE_WARN)
            return BROKEN;
        if (!is_zip || is_wanted(entry, suffix))
            return append(archive, packed_len, out);
    }
    return "an archive of more than 16 files";
}

static bool open_packed(struct archive *archive, bool is_zip, struct slice packed)
{
    /* by its table of contents: what is passed over need not be unpacked for that */
    int kind = is_zip ? archive_read_support_format_zip_seekable(archive)
                      : archive_read_append_filter(archive, ARCHIVE_FILTER_GZIP);
    if (kind >= ARCHIVE_WARN && !is_zip)
        kind = archive_read_set_format(archive, ARCHIVE_FORMAT_RAW);
    return kind >= ARCHIVE_WARN &&
           archive_read_open_memory(archive, packed.data, packed.len) == ARCHIVE_OK;
}

const char *content_unpack(struct slice packed, struct slice suffix, struct buffer *out)
{
    bool is_zip = slice_starts_with_nocase(packed, SLICE("PK\x03\x04"));
    if (!is_zip && !slice_starts_with_nocase(packed, SLICE("\x1f\x8b"))) {
        if (packed.len > CONTENT_UNPACKED_MAX)
            return "more than 25 MiB";
        buffer_append(out, packed);
        return out->overflow ? NO_MEMORY : NULL;
    }
    struct archive *archive = archive_read_new();
    if (archive == NULL)
        return NO_MEMORY;
    const char *failure = open_packed(archive, is_zip, packed)
        ? read_members(archive, is_zip, suffix, packed.len, out) : BROKEN;
    archive_read_free(archive);
    return failure;
}
