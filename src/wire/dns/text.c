/* text.c: RFC 1035 3.3.14. */
#include "wire/dns/text.h"

/* TXT-DATA = 1*<character-string>; a character-string is a length and its octets */
bool dns_text_append(struct buffer *out, struct slice data)
{
    struct cursor c = cursor_over(data);
    struct slice part;
    while (!cursor_at_end(&c)) {
        int len = cursor_take(&c);
        if (!cursor_take_part(&c, (size_t)len, &part))
            return false;
        buffer_append(out, part);
    }
    return true;
}
