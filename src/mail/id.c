/* id.c: ids as people and other programs see them. */
#include "mail/id.h"

#include "base/ascii.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

const char *mail_id_text(struct mail_id id, char out[MAIL_ID_CHARACTERS + 1])
{
    uint64_t value = id.value;
    for (size_t i = MAIL_ID_CHARACTERS; i > 0; i--) {
        out[i - 1] = digits[value & 31u];
        value >>= 5;
    }
    out[MAIL_ID_CHARACTERS] = '\0';
    return out;
}

void mail_id_append(struct buffer *out, struct mail_id id)
{
    char text[MAIL_ID_CHARACTERS + 1];
    buffer_append_string(out, mail_id_text(id, text));
}

bool mail_id_parse(struct slice text, struct mail_id *out_id)
{
    uint64_t value = 0;
    if (text.len != MAIL_ID_CHARACTERS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.data[i]);
        const char *at = c == '\0' ? NULL : strchr(digits, c);
        if (at == NULL || (i == 0 && at - digits > 15))
            return false;
        value = value << 5 | (uint64_t)(at - digits);
    }
    if (value == 0)
        return false;
    *out_id = (struct mail_id){ value };
    return true;
}
