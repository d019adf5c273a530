/* names.c: RFC 6376 5.4.1: what people see and what programs follow. What relays write or
 * change on the way (Received, Return-Path, Authentication-Results) is not among them. */
#include "auth/signature/names.h"

/* Those of a mailing list are signed if they are there, but never guarded: a list may add
 * its own. So are the Resent fields. */
static const struct {
    struct slice name;
    bool is_guarded;
} rows[] = {
    { SLICE_INIT("From"), true },
    { SLICE_INIT("Subject"), true },
    { SLICE_INIT("To"), true },
    { SLICE_INIT("Cc"), true },
    { SLICE_INIT("Date"), true },
    { SLICE_INIT("Message-ID"), true },
    { SLICE_INIT("Reply-To"), true },
    { SLICE_INIT("In-Reply-To"), false },
    { SLICE_INIT("References"), false },
    { SLICE_INIT("MIME-Version"), true },
    { SLICE_INIT("Content-Type"), true },
    { SLICE_INIT("Content-Transfer-Encoding"), true },
    { SLICE_INIT("Content-Disposition"), false },
    { SLICE_INIT("Content-ID"), false },
    { SLICE_INIT("Content-Description"), false },
    { SLICE_INIT("Sender"), false },
    { SLICE_INIT("Auto-Submitted"), false },
    { SLICE_INIT("Feedback-ID"), false },
    { SLICE_INIT("CFBL-Address"), false },
    { SLICE_INIT("CFBL-Feedback-ID"), false },
    { SLICE_INIT("List-Id"), false },
    { SLICE_INIT("List-Help"), false },
    { SLICE_INIT("List-Unsubscribe"), false },
    { SLICE_INIT("List-Unsubscribe-Post"), false },
    { SLICE_INIT("List-Subscribe"), false },
    { SLICE_INIT("List-Post"), false },
    { SLICE_INIT("List-Owner"), false },
    { SLICE_INIT("List-Archive"), false },
    { SLICE_INIT("Resent-From"), false },
    { SLICE_INIT("Resent-To"), false },
    { SLICE_INIT("Resent-Cc"), false },
    { SLICE_INIT("Resent-Date"), false },
    { SLICE_INIT("Resent-Sender"), false },
    { SLICE_INIT("Resent-Message-ID"), false },
};

enum { TIMES_MAX = 5 }; /* a field that is not guarded */

void signature_names_choose(const struct signature_header *header, struct buffer *out)
{
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        size_t times = rows[row].is_guarded;
        for (size_t i = 0; i < header->count; i++)
            times += slice_equal_nocase(header->fields[i].name, rows[row].name);
        if (!rows[row].is_guarded && times > TIMES_MAX)
            times = TIMES_MAX;
        for (size_t i = 0; i < times; i++) {
            if (buffer_len(out) > 0)
                buffer_append_byte(out, ':');
            buffer_append(out, rows[row].name);
        }
    }
}
